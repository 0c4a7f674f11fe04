"""Who may do what, after which delay: the plan a deployment follows and is checked against.

`ROLES` is the one table of roles. `docs/deployment.md` explains it; a test calls every function of
every contract as a stranger and fails when one that is restricted is missing here.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tael.addresses import require_address
from tael.errors import ConfigurationError, InvalidInputError
from tael.money import Currency

DAY_SECONDS = 86_400
DEFAULT_DELAY_SECONDS = 2 * DAY_SECONDS
"""Long enough for a person to notice over a weekend's day, short enough for a bank to wait."""
MAX_DELAY_SECONDS = 2**32 - 1
MAX_CURRENCIES = 16
MAX_MEMBERS = 16
BPS = 10_000

TOKEN = "SettlementToken"  # noqa: S105 - a contract's name
ESCROW = "PaymentEscrow"
GOVERNANCE = "Governance"


@dataclass(frozen=True, slots=True)
class Role:
    """One role of Governance.

    Attributes:
        id: Role id in AccessManager.
        name: Its label.
        purpose: Who should hold it and what for.
        functions: Function names by contract.
        guardian: Name of the role that may cancel what its members have scheduled; `ADMIN` if none
            was set.
        delayed: Whether members schedule what they do and wait.
        has_members: False for the role that only marks functions.
    """

    id: int
    name: str
    purpose: str
    functions: Mapping[str, tuple[str, ...]]
    guardian: str = "ADMIN"
    delayed: bool = False
    has_members: bool = True


ROLES: tuple[Role, ...] = (
    Role(
        0,
        "ADMIN",
        "The governance multisig: grants and takes roles, sets delays.",
        {},
        delayed=True,
    ),
    Role(
        1,
        "REGISTRAR",
        "Admits participants to a currency.",
        {TOKEN: ("admit",)},
    ),
    Role(
        2,
        "ISSUANCE",
        "The operator's issuance desk: issues against the attested reserve.",
        {TOKEN: ("issue",)},
    ),
    Role(
        3,
        "ATTESTOR",
        "Vouches for the reserve; independent of the issuance desk.",
        {TOKEN: ("attest",)},
    ),
    Role(
        4,
        "GUARDIAN",
        "Stops what looks wrong at once, and cancels what others have scheduled.",
        {TOKEN: ("pause", "suspend", "cutOffModule")},
    ),
    Role(
        5,
        "CONTROLLER",
        "Lets go on, closes, moves by order of law, admits modules: always announced first.",
        {
            TOKEN: (
                "unpause",
                "reinstate",
                "close",
                "forceTransfer",
                "admitEscrow",
                "admitModule",
            ),
            ESCROW: ("admitToken",),
        },
        guardian="GUARDIAN",
        delayed=True,
    ),
    # AccessManager lets only administrators cancel what an administrator has scheduled, which is of
    # no use against a stolen administrator's key. Its guardian is looked up by the function's role,
    # though, so marking its own functions puts them under the guardian without changing who may
    # call them. `revokeRole` is left out: a guardian gone bad must not be able to keep itself in.
    Role(
        6,
        "ADMINISTRATION",
        "No members: marks Governance's own functions, so that the guardian can cancel them.",
        {
            GOVERNANCE: (
                "grantRole",
                "labelRole",
                "setGrantDelay",
                "setRoleAdmin",
                "setRoleGuardian",
                "setTargetAdminDelay",
                "setTargetClosed",
                "setTargetFunctionRole",
                "updateAuthority",
            )
        },
        guardian="GUARDIAN",
        has_members=False,
    ),
)

ROLE_BY_NAME: Mapping[str, Role] = {role.name: role for role in ROLES}


@dataclass(frozen=True, slots=True)
class CurrencyPlan:
    """One SettlementToken.

    Args:
        currency: Letters of ISO 4217.
        name: The token's name, which signatures name too; at most 31 bytes.
        symbol: Its symbol.
    """

    currency: str
    name: str
    symbol: str

    @property
    def iso(self) -> Currency:
        """The currency's codes and exponent."""
        return Currency.of(self.currency)


@dataclass(frozen=True, slots=True)
class DeploymentPlan:
    """Everything a deployment needs to know.

    Args:
        currencies: The tokens.
        scheme_account: Who earns the scheme fee; a participant of every currency.
        scheme_bps: Scheme fee, in 1/10,000 of what is captured.
        interchange_cap_bps: The most that terms may leave with the issuer, in 1/10,000.
        members: Accounts by role name. All but ADMINISTRATION need at least one.
        admin_delay_seconds: How long an administrator's change is announced before it is made.
        controller_delay_seconds: The same for a controller's.
        grant_delay_seconds: How long after it was granted a role other than ADMIN begins to count.
        target_admin_delay_seconds: The least delay for changing who may call a contract.

    Raises:
        ConfigurationError: The plan does not hold together.
    """

    currencies: Sequence[CurrencyPlan]
    scheme_account: str
    scheme_bps: int
    interchange_cap_bps: int
    members: Mapping[str, Sequence[str]]
    admin_delay_seconds: int = DEFAULT_DELAY_SECONDS
    controller_delay_seconds: int = DEFAULT_DELAY_SECONDS
    grant_delay_seconds: int = DEFAULT_DELAY_SECONDS
    target_admin_delay_seconds: int = DEFAULT_DELAY_SECONDS

    def __post_init__(self) -> None:
        try:
            self._check()
        except InvalidInputError as error:
            raise ConfigurationError(f"deployment plan: {error.message}") from error

    @classmethod
    def development(
        cls,
        operator: str,
        *,
        currencies: Sequence[str] = ("CNY", "HKD"),
        scheme_bps: int = 20,
        interchange_cap_bps: int = 150,
        delay_seconds: int = 0,
        guardian: str | None = None,
    ) -> DeploymentPlan:
        """A plan for a local chain: one operator holds every role, delays are short or none.

        Args:
            operator: Holds the roles and earns the scheme fee.
            currencies: Letters of ISO 4217.
            scheme_bps: Scheme fee, in 1/10,000.
            interchange_cap_bps: Cap of the interchange share, in 1/10,000.
            delay_seconds: All delays.
            guardian: Holds GUARDIAN; must be given when there is a delay.
        """
        everyone = {role.name: (operator,) for role in ROLES if role.has_members}
        if guardian is not None:
            everyone["GUARDIAN"] = (guardian,)
        return cls(
            currencies=tuple(CurrencyPlan(each, f"Tael {each}", f"t{each}") for each in currencies),
            scheme_account=operator,
            scheme_bps=scheme_bps,
            interchange_cap_bps=interchange_cap_bps,
            members=everyone,
            admin_delay_seconds=delay_seconds,
            controller_delay_seconds=delay_seconds,
            grant_delay_seconds=delay_seconds,
            target_admin_delay_seconds=delay_seconds,
        )

    @classmethod
    def load(cls, path: str | Path) -> DeploymentPlan:
        """Read a plan from a TOML file; `docs/deployment.md` has one to start from.

        Raises:
            ConfigurationError: No such file, damaged, a key too many or too few, or a plan that
                does not hold together.
        """
        file = Path(path)
        try:
            document = tomllib.loads(file.read_text(encoding="utf-8"))
        except OSError as error:
            raise ConfigurationError(f"{file}: {error.strerror or error}") from error
        except ValueError as error:
            raise ConfigurationError(f"{file} is no TOML: {error}") from error
        try:
            return cls.from_dict(document)
        except ConfigurationError as error:
            raise ConfigurationError(f"{file}: {error.message}") from error

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> DeploymentPlan:
        """The reverse of `to_dict`.

        Raises:
            ConfigurationError: A key is missing or unknown, or of the wrong kind.
        """
        try:
            scheme, delays = dict(document["scheme"]), dict(document.get("delays", {}))
            plan = cls(
                currencies=tuple(
                    CurrencyPlan(alpha, str(each["name"]), str(each["symbol"]))
                    for alpha, each in document["currencies"].items()
                ),
                scheme_account=scheme.pop("account"),
                scheme_bps=scheme.pop("fee_bps"),
                interchange_cap_bps=scheme.pop("interchange_cap_bps"),
                members={name: tuple(accounts) for name, accounts in document["members"].items()},
                **{
                    f"{name}_delay_seconds": delays.pop(f"{name}_seconds", DEFAULT_DELAY_SECONDS)
                    for name in _DELAYS
                },
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise ConfigurationError(f"deployment plan: {error!r} is missing or wrong") from error
        unknown = [*scheme, *delays, *(document.keys() - _TABLES)]
        if unknown:
            raise ConfigurationError(f"deployment plan: unknown {', '.join(sorted(unknown))}")
        return plan

    def to_dict(self) -> dict[str, Any]:
        """The plan as plain values, as the TOML file has them and the manifest keeps them."""
        return {
            "scheme": {
                "account": self.scheme_account,
                "fee_bps": self.scheme_bps,
                "interchange_cap_bps": self.interchange_cap_bps,
            },
            "currencies": {
                each.currency: {"name": each.name, "symbol": each.symbol}
                for each in self.currencies
            },
            "members": {name: list(accounts) for name, accounts in self.members.items()},
            "delays": {
                f"{name}_seconds": getattr(self, f"{name}_delay_seconds") for name in _DELAYS
            },
        }

    def execution_delay_seconds(self, role: Role) -> int:
        """How long a member of the role announces a call before making it."""
        if not role.delayed:
            return 0
        return self.admin_delay_seconds if role.name == "ADMIN" else self.controller_delay_seconds

    def grant_delay_seconds_of(self, role: Role) -> int:
        """How long after it was granted the role begins to count.

        None for ADMIN: Governance refuses one, because an administrator counted but not yet in
        office would hollow out the rule that the last one stays.
        """
        return 0 if role.name == "ADMIN" else self.grant_delay_seconds

    def members_of(self, role: Role) -> tuple[str, ...]:
        """The accounts that hold a role."""
        return tuple(self.members.get(role.name, ()))

    def require_deployable(self, deployer: str, *, is_local: bool) -> None:
        """Refuse what must not be deployed by this account on this chain.

        Raises:
            ConfigurationError: The deployer would keep a role, or there is no delay on a chain that
                is not local.
        """
        for name, accounts in self.members.items():
            if deployer in accounts:
                raise ConfigurationError(
                    f"the deployer {deployer} must keep no role, and the plan gives it {name}"
                )
        if not is_local and not (self.admin_delay_seconds and self.controller_delay_seconds):
            raise ConfigurationError(
                "without delays on ADMIN and CONTROLLER a stolen key acts at once; that is for "
                "local chains only"
            )

    def _check(self) -> None:
        if not 1 <= len(self.currencies) <= MAX_CURRENCIES:
            raise ConfigurationError(f"deployment plan: 1 to {MAX_CURRENCIES} currencies")
        if len({each.currency for each in self.currencies}) != len(self.currencies):
            raise ConfigurationError("deployment plan: a currency is there twice")
        for each in self.currencies:
            _ = each.iso
            for text in (each.name, each.symbol):
                if not 1 <= len(text.encode()) <= 31:
                    raise ConfigurationError(f"deployment plan: {text!r} must have 1 to 31 bytes")
        require_address(self.scheme_account, name="the scheme account")
        for name in ("scheme_bps", "interchange_cap_bps"):
            _require_integer(name, getattr(self, name), BPS)
        if self.scheme_bps + self.interchange_cap_bps > BPS:
            raise ConfigurationError("deployment plan: fees exceed the whole")
        for name in _DELAYS:
            field = f"{name}_delay_seconds"
            _require_integer(field, getattr(self, field), MAX_DELAY_SECONDS)
        self._check_members()

    def _check_members(self) -> None:
        wanted = {role.name for role in ROLES if role.has_members}
        if set(self.members) != wanted:
            names = ", ".join(sorted(wanted))
            raise ConfigurationError(f"deployment plan: exactly these roles have members: {names}")
        for name, accounts in self.members.items():
            if not 1 <= len(accounts) <= MAX_MEMBERS or len(set(accounts)) != len(accounts):
                raise ConfigurationError(
                    f"deployment plan: {name} needs 1 to {MAX_MEMBERS} members, each once"
                )
            for account in accounts:
                require_address(account, name=f"a member of {name}")
        guarded = {*self.members["CONTROLLER"], *self.members["ADMIN"]}
        both = guarded & set(self.members["GUARDIAN"])
        if both and (self.controller_delay_seconds or self.admin_delay_seconds):
            raise ConfigurationError(
                f"deployment plan: {', '.join(sorted(both))} would guard what it schedules itself"
            )


_TABLES = {"scheme", "currencies", "members", "delays"}
_DELAYS = ("admin", "controller", "grant", "target_admin")


def _require_integer(name: str, value: object, limit: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= limit:
        raise ConfigurationError(f"deployment plan: {name} must be 0 to {limit}, not {value!r}")
