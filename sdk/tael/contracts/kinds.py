"""What a kind of contract is to the SDK: one row, which everything that meets contracts reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from tael.contracts.artifacts import load, signature_of
from tael.contracts.calls import Contract

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tael.contracts.artifacts import Artifact
    from tael.contracts.verbs import VerbRow
    from tael.money import Currency

__all__ = ["ContractKind", "CurrencyValues", "PlanValues", "SetUpCall", "Site"]

KEY_SEPARATOR = ":"


class CurrencyValues(Protocol):
    """What a plan says of a currency."""

    @property
    def currency(self) -> str:
        """Letters of ISO 4217."""

    @property
    def name(self) -> str:
        """The token's name."""

    @property
    def symbol(self) -> str:
        """Its symbol."""

    @property
    def iso(self) -> Currency:
        """The currency's codes and exponent."""


class PlanValues(Protocol):
    """What a plan says that contracts are made from."""

    @property
    def scheme_account(self) -> str:
        """Who earns the scheme fee."""

    @property
    def scheme_bps(self) -> int:
        """The fee, in 1/10,000 of what is captured."""

    @property
    def interchange_cap_bps(self) -> int:
        """The most that terms may leave with the issuer, in 1/10,000."""


@dataclass(frozen=True, slots=True)
class Site:
    """Where a contract of a deployment is made.

    Args:
        plan: The deployment's plan.
        deployer: Who deploys, and administers until it hands over.
        addresses: Of what stands already, by manifest key.
        currency: Of a contract that there is one of per currency.
    """

    plan: PlanValues
    deployer: str
    addresses: Mapping[str, str]
    currency: CurrencyValues | None = None

    def of_currency(self) -> CurrencyValues:
        """The currency of a contract that has one."""
        if self.currency is None:
            raise ValueError("this contract has no currency")
        return self.currency


@dataclass(frozen=True, slots=True)
class SetUpCall:
    """A call that governance makes between deployment and service."""

    contract: Contract
    function: str
    arguments: tuple[object, ...]

    @property
    def data(self) -> bytes:
        """Its call data."""
        return self.contract.function(self.function, len(self.arguments)).encode(*self.arguments)


def _nothing(_site: Site, _own: Contract) -> Sequence[SetUpCall]:
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractKind:
    """One kind of contract.

    Args:
        name: Its Solidity name, which is its artifact's.
        key: What manifests call it; a currency, or a number from the second one on, follows
            behind a colon.
        number: What the index stores for it, 0 to 255; never used again for another kind.
        verbs: A row for each function that changes something.
        constructor: Its constructor's arguments.
        set_up: What governance calls before it serves; everything stands by then.
        is_per_currency: Whether a deployment has one for each currency.
        domain_name: The name in its EIP-712 domain, if it has a fixed one.
    """

    name: str
    key: str
    number: int
    verbs: tuple[VerbRow, ...]
    constructor: Callable[[Site], Sequence[object]]
    set_up: Callable[[Site, Contract], Sequence[SetUpCall]] = _nothing
    is_per_currency: bool = False
    domain_name: str | None = None

    @property
    def artifact(self) -> Artifact:
        """What was compiled of it."""
        return load(self.name)

    def at(self, address: str) -> Contract:
        """The contract of this kind at an address."""
        return Contract(self.name, address)

    def key_for(self, suffix: str | int | None = None) -> str:
        """The manifest key of one of them: `token:CNY`, `escrow`, `escrow:2`."""
        return self.key if suffix is None else f"{self.key}{KEY_SEPARATOR}{suffix}"

    def has_key(self, key: str) -> bool:
        """Whether a manifest key is one of this kind's."""
        return key.partition(KEY_SEPARATOR)[0] == self.key

    def verb(self, function: str) -> VerbRow:
        """The row of a function.

        Raises:
            KeyError: It has no such function, or it changes nothing.
        """
        for row in self.verbs:
            if row.function == function:
                return row
        raise KeyError(f"{self.name}.{function} is not a function that changes something")

    def functions_of_role(self, role: str) -> tuple[str, ...]:
        """The functions that take a role of governance."""
        return tuple(row.function for row in self.verbs if row.role == role)

    def event_signatures(self) -> tuple[str, ...]:
        """The canonical signatures of its events, as its ABI has them."""
        return tuple(signature_of(each) for each in self.artifact.abi if each["type"] == "event")
