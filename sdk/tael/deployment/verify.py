"""Checking a deployment against plan and manifest: every role, delay, module, cap, code hash."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from eth_abi import encode
from eth_utils import keccak
from web3.exceptions import TransactionNotFound

from tael.chain.connection import Chain
from tael.chain.web3_reads import ordered, read
from tael.contracts.artifacts import load, signature_of
from tael.deployment.plan import ESCROW, GOVERNANCE, ROLES, TOKEN, DeploymentPlan
from tael.errors import CodeMismatchError, ConfigurationError
from tael.manifest import ESCROW as ESCROW_KEY
from tael.manifest import GOVERNANCE as GOVERNANCE_KEY
from tael.manifest import TOKEN_PREFIX, Manifest
from tael.typed_data import ESCROW_NAME, VERSION, Domain

# Storage of OpenZeppelin's AccessManager: delays that were set but do not count yet have no getter.
# The code there is known byte for byte, and a test compares these numbers with the compiler's.
TARGETS_SLOT = 0
ROLES_SLOT = 1
ROLE_WORD = 1
ROLE_DELAY_SHIFT = 128
TARGET_WORD = 1


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as planned.

    Attributes:
        subject: What it is about.
        expected: What plan or manifest say.
        actual: What the chain says.
    """

    subject: str
    expected: str
    actual: str

    def __str__(self) -> str:
        return f"{self.subject}: expected {self.expected}, found {self.actual}"


def verify(chain: Chain, manifest: Manifest, plan: DeploymentPlan | None = None) -> list[Finding]:
    """Compare what is on the chain with plan and manifest.

    A delay that was set and does not count yet (AccessManager lets new delays wait for five days)
    passes: until then the members' own delays protect.

    Args:
        chain: The chain of the manifest.
        manifest: What was deployed.
        plan: What it should be; None takes the plan in the manifest.

    Returns:
        What differs; empty if all is as it should be.

    Raises:
        NetworkMismatchError: The manifest is of another chain.
        ConfigurationError: The deployment is not finished.
        NodeUnavailableError: The node did not answer properly.
    """
    manifest.require_chain(chain)
    if not manifest.complete:
        raise ConfigurationError("the deployment is not finished: run `deploy` again")
    inspection = _Inspection(chain, manifest, plan or DeploymentPlan.from_dict(manifest.plan))
    return list(inspection.findings())


class _Inspection:
    def __init__(self, chain: Chain, manifest: Manifest, plan: DeploymentPlan) -> None:
        self.chain = chain
        self.manifest = manifest
        self.plan = plan
        self.targets = {each.address: each.contract for each in manifest.contracts.values()}

    def findings(self) -> Iterator[Finding]:
        code = list(self._code())
        yield from code
        if code:
            # What other code answers says nothing.
            return
        for key in self.manifest.contracts:
            yield from self._creation(key)
        yield from self._plan()
        yield from self._tokens()
        yield from self._escrow()
        yield from self._targets()
        yield from self._roles()

    def _code(self) -> Iterator[Finding]:
        wanted = {GOVERNANCE_KEY, ESCROW_KEY} | {
            TOKEN_PREFIX + each.currency for each in self.plan.currencies
        }
        yield from _compare("contracts", _set(wanted), _set(self.manifest.contracts))
        for key in self.manifest.contracts:
            try:
                self.manifest.check_code(self.chain, key)
            except CodeMismatchError as error:
                yield Finding(f"{key} code", "the code that was deployed", error.message)

    def _creation(self, key: str) -> Iterator[Finding]:
        """Immutables are masked in the code; the arguments that set them are in the transaction."""
        recorded = self.manifest.contracts[key]
        artifact = load(recorded.contract)
        inputs = next(each["inputs"] for each in artifact.abi if each["type"] == "constructor")
        expected = artifact.bytecode + encode([each["type"] for each in inputs], self._made_of(key))
        digest = recorded.transaction_hash
        try:
            transaction: Any = read(
                self.chain,
                lambda: self.chain.w3.eth.get_transaction(digest),  # type: ignore[arg-type]
            )
        except TransactionNotFound:
            yield Finding(f"{key} deployment", f"transaction {digest}", "no such transaction")
            return
        yield from _compare(
            f"{key} constructor",
            keccak(expected).hex(),
            keccak(bytes(transaction["input"])).hex(),
        )
        yield from _compare(f"{key} deployer", self.manifest.deployer, transaction["from"])

    def _made_of(self, key: str) -> list[Any]:
        if key == GOVERNANCE_KEY:
            return [self.manifest.deployer]
        governance, plan = self.manifest.governance, self.plan
        if key == ESCROW_KEY:
            return [governance, plan.scheme_account, plan.scheme_bps, plan.interchange_cap_bps]
        each = next(each for each in plan.currencies if TOKEN_PREFIX + each.currency == key)
        return [governance, each.name, each.symbol, each.iso.numeric, each.iso.exponent]

    def _plan(self) -> Iterator[Finding]:
        recorded, wanted = self.manifest.plan, self.plan.to_dict()
        for table in wanted:
            yield from _compare(f"plan {table}", wanted[table], recorded.get(table))

    def _tokens(self) -> Iterator[Finding]:
        for each in self.plan.currencies:
            address = self.manifest.token(each.currency)
            token = self.chain.contract(TOKEN, address)
            key = TOKEN_PREFIX + each.currency
            domain = Domain(each.name, self.chain.chain_id, address)
            wanted = {
                "authority": self.manifest.governance,
                "name": each.name,
                "symbol": each.symbol,
                "decimals": each.iso.exponent,
                "currencyCode": each.iso.numeric,
                "escrow": self.manifest.escrow,
                "DOMAIN_SEPARATOR": domain.separator,
            }
            for name, value in wanted.items():
                actual = self.chain.call(token.functions[name]())
                yield from _compare(f"{key} {name}", value, actual)
            status = self.chain.call(token.functions.statusOf(self.plan.scheme_account))
            if status == 0:
                yield Finding(f"{key} scheme account", "admitted", "never admitted")
            yield from _compare(f"{key} modules", "none", _set(self._modules(address)))

    def _modules(self, token: str) -> set[str]:
        modules: set[str] = set()
        contract = self.chain.contract(TOKEN, token)
        for name, arguments in self._events(contract, "ModuleAdmitted", "ModuleCutOff"):
            (modules.add if name == "ModuleAdmitted" else modules.discard)(arguments["module"])
        return modules

    def _escrow(self) -> Iterator[Finding]:
        escrow = self.chain.contract(ESCROW, self.manifest.escrow)
        wanted = {
            "authority": self.manifest.governance,
            "schemeAccount": self.plan.scheme_account,
            "schemeBps": self.plan.scheme_bps,
            "interchangeCapBps": self.plan.interchange_cap_bps,
        }
        for name, value in wanted.items():
            actual = self.chain.call(escrow.functions[name]())
            yield from _compare(f"escrow {name}", value, actual)
        _, name, version, chain_id, contract, *_ = self.chain.call(escrow.functions.eip712Domain())
        yield from _compare(
            "escrow eip712Domain",
            (ESCROW_NAME, VERSION, self.chain.chain_id, self.manifest.escrow),
            (name, version, chain_id, contract),
        )
        admitted = {arguments["token"] for _, arguments in self._events(escrow, "TokenAdmitted")}
        yield from _compare("escrow tokens", _set(self.manifest.tokens.values()), _set(admitted))

    def _targets(self) -> Iterator[Finding]:
        governance = self.chain.contract(GOVERNANCE, self.manifest.governance).functions
        names = {role.id: role.name for role in ROLES}
        for key, recorded in self.manifest.contracts.items():
            expected = {
                function: role.id
                for role in ROLES
                for function in role.functions.get(recorded.contract, ())
            }
            functions = {
                keccak(text=signature_of(each))[:4]: each["name"]
                for each in load(recorded.contract).functions
            }
            # A hundred functions, one request: `multicall` runs views as well.
            answers = self.chain.call(
                governance.multicall(
                    [
                        _call_data(governance.getTargetFunctionRole(recorded.address, selector))
                        for selector in functions
                    ]
                )
            )
            for name, answer in zip(functions.values(), answers, strict=True):
                role = int.from_bytes(answer, "big")
                wanted = expected.get(name, 0)
                yield from _compare(
                    f"{key} role of {name}", names[wanted], names.get(role, f"role {role}")
                )
            closed = self.chain.call(governance.isTargetClosed(recorded.address))
            yield from _compare(f"{key} closed by governance", False, closed)
            yield from self._delay(
                f"{key} admin delay",
                self.plan.target_admin_delay_seconds,
                self.chain.call(governance.getTargetAdminDelay(recorded.address)),
                partial(self._target_delay_word, recorded.address),
            )

    def _roles(self) -> Iterator[Finding]:
        contract = self.chain.contract(GOVERNANCE, self.manifest.governance)
        governance = contract.functions
        ids = {role.name: role.id for role in ROLES}
        labels, members = self._history(contract)
        for role in ROLES:
            if role.id != 0:
                yield from _compare(f"{role.name} label", role.name, labels.get(role.id, "none"))
            yield from _compare(
                f"{role.name} admin", 0, self.chain.call(governance.getRoleAdmin(role.id))
            )
            yield from _compare(
                f"{role.name} guardian",
                ids[role.guardian],
                self.chain.call(governance.getRoleGuardian(role.id)),
            )
            yield from self._delay(
                f"{role.name} grant delay",
                self.plan.grant_delay_seconds_of(role),
                self.chain.call(governance.getRoleGrantDelay(role.id)),
                partial(self._role_delay_word, role.id),
            )
            yield from _compare(
                f"{role.name} members", _set(self.plan.members_of(role)), _set(members[role.id])
            )
            for account in sorted(members[role.id]):
                since, current, pending, _ = self.chain.call(governance.getAccess(role.id, account))
                if since == 0:
                    yield Finding(f"{role.name} member {account}", "a member", "not a member")
                yield from _compare(
                    f"{role.name} delay of {account}",
                    self.plan.execution_delay_seconds(role),
                    pending or current,
                )
        known = {role.id for role in ROLES}
        for role_id in sorted(set(members) - known):
            if members[role_id]:
                yield Finding(f"role {role_id} members", "no such role", _set(members[role_id]))
        yield from _compare(
            "number of administrators",
            len(self.plan.members_of(ROLES[0])),
            self.chain.call(governance.adminCount()),
        )
        for role in ROLES:
            if self.chain.call(governance.hasRole(role.id, self.manifest.deployer))[0]:
                yield Finding(f"{role.name} of the deployer", "no role", self.manifest.deployer)

    def _history(self, contract: Any) -> tuple[dict[int, str], defaultdict[int, set[str]]]:
        labels: dict[int, str] = {}
        members: defaultdict[int, set[str]] = defaultdict(set)
        for name, arguments in self._events(contract, "RoleGranted", "RoleRevoked", "RoleLabel"):
            role = int(arguments["roleId"])
            if name == "RoleLabel":
                labels[role] = arguments["label"]
            elif name == "RoleGranted":
                members[role].add(arguments["account"])
            else:
                members[role].discard(arguments["account"])
        return labels, members

    def _events(self, contract: Any, *names: str) -> Iterator[tuple[str, Any]]:
        events = {bytes.fromhex(contract.events[name]().topic[2:]): name for name in names}
        logs = self.chain.logs(
            [contract.address],
            topics=[["0x" + topic.hex() for topic in events]],
            from_block=self.manifest.first_block,
        )
        for log in ordered(logs):
            name = events[bytes(log["topics"][0])]
            yield name, contract.events[name]().process_log(log)["args"]

    def _delay(
        self, subject: str, wanted: int, current: int, word: Callable[[], int]
    ) -> Iterator[Finding]:
        if current != wanted:
            yield from _compare(subject, wanted, _last_delay(word()))

    def _role_delay_word(self, role_id: int) -> int:
        slot = _mapping_slot(role_id.to_bytes(32, "big"), ROLES_SLOT) + ROLE_WORD
        return self.chain.storage(self.manifest.governance, slot) >> ROLE_DELAY_SHIFT

    def _target_delay_word(self, address: str) -> int:
        key = bytes.fromhex(address[2:]).rjust(32, b"\0")
        return self.chain.storage(
            self.manifest.governance, _mapping_slot(key, TARGETS_SLOT) + TARGET_WORD
        )


def _mapping_slot(key: bytes, slot: int) -> int:
    return int.from_bytes(keccak(key + slot.to_bytes(32, "big")), "big")


def _last_delay(word: int) -> int:
    # OpenZeppelin's Time.Delay: the value that counts in the end is its lowest 32 bits.
    return word & (2**32 - 1)


def _call_data(function: Any) -> bytes:
    return bytes.fromhex(function._encode_transaction_data()[2:])


def _set(values: Iterable[str]) -> str:
    return ", ".join(sorted(values)) or "none"


def _compare(subject: str, expected: Any, actual: Any) -> Iterator[Finding]:
    if expected != actual:
        yield Finding(subject, _shown(expected), _shown(actual))


def _shown(value: Any) -> str:
    return "0x" + value.hex() if isinstance(value, bytes) else str(value)
