"""Checking a deployment against plan and manifest: every role, delay, module, cap, code hash."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from tael.abi import decode
from tael.addresses import checksummed
from tael.contracts.artifacts import signature_of
from tael.contracts.escrow import PAYMENT_ESCROW
from tael.contracts.governance import GOVERNANCE
from tael.contracts.kinds import KEY_SEPARATOR
from tael.contracts.registry import REGISTRY
from tael.contracts.token import SETTLEMENT_TOKEN
from tael.deployment.plan import ROLES, DeploymentPlan
from tael.errors import CodeMismatchError, ConfigurationError, NodeUnavailableError
from tael.events import ModuleAdmitted, ModuleCutOff, TokenAdmitted, topic_of
from tael.hashing import keccak
from tael.rpc import request_many
from tael.services.gateway import Gateway
from tael.typed_data import VERSION, Domain

if TYPE_CHECKING:
    from tael.chain import Chain
    from tael.contracts.calls import Contract
    from tael.manifest import Manifest

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
        GenerationMismatchError: The contracts are of another generation than this package's.
        ConfigurationError: The deployment is not finished.
        NodeUnavailableError: The node did not answer properly.
    """
    manifest.require_chain(chain)
    manifest.require_generation()
    if not manifest.complete:
        raise ConfigurationError("the deployment is not finished: run `deploy` again")
    inspection = _Inspection(chain, manifest, plan or DeploymentPlan.from_dict(manifest.plan))
    return list(inspection.findings())


class _Inspection:
    def __init__(self, chain: Chain, manifest: Manifest, plan: DeploymentPlan) -> None:
        self.chain = chain
        self.manifest = manifest
        self.plan = plan
        self.planned = plan.contracts()
        self.addresses = manifest.addresses_by_key

    def findings(self) -> Iterator[Finding]:
        code = list(self._code())
        yield from code
        if code:
            # What other code answers says nothing.
            return
        self.gateway = Gateway(self.chain, self.manifest)
        yield from self._creations()
        yield from self._plan()
        yield from self._tokens()
        yield from self._escrow()
        yield from self._set_up()
        yield from self._targets()
        yield from self._roles()

    def _code(self) -> Iterator[Finding]:
        wanted = {each.key for each in self.planned}
        # A further one of a kind was added later; what it is, its code says.
        known = {key for key in self.addresses if key in wanted or not _is_further(key)}
        yield from _compare("contracts", _set(wanted), _set(known))
        for key in self.addresses:
            try:
                self.manifest.check_code(self.chain, key)
            except CodeMismatchError as error:
                yield Finding(f"{key} code", "the code that was deployed", error.message)

    def _creations(self) -> Iterator[Finding]:
        """Immutables are masked in the code; the arguments that set them are in the transaction."""
        hashes = [self.manifest.contracts[each.key].transaction_hash for each in self.planned]
        found = request_many(
            self.chain, [("eth_getTransactionByHash", [digest]) for digest in hashes]
        )
        for planned, digest, transaction in zip(self.planned, hashes, found, strict=True):
            key = planned.key
            if transaction is None:
                yield Finding(f"{key} deployment", f"transaction {digest}", "no such transaction")
                continue
            code = planned.creation_code(self.manifest.deployer, self.addresses)
            try:
                made = keccak(bytes.fromhex(transaction["input"][2:]))
                deployer = checksummed(transaction["from"])
            except (KeyError, TypeError, ValueError) as error:
                raise NodeUnavailableError(
                    f"what the node gives is not transaction {digest}; try again later"
                ) from error
            yield from _compare(f"{key} constructor", keccak(code).hex(), made.hex())
            yield from _compare(f"{key} deployer", self.manifest.deployer, deployer)

    def _plan(self) -> Iterator[Finding]:
        recorded, wanted = self.manifest.plan, self.plan.to_dict()
        for table in wanted:
            yield from _compare(f"plan {table}", wanted[table], recorded.get(table))

    # What the contracts say

    def _views(self, key: str, contract: Contract, wanted: dict[str, object]) -> Iterator[Finding]:
        answers = self.gateway.read_many([(contract, name, ()) for name in wanted])
        for (name, value), actual in zip(wanted.items(), answers, strict=True):
            yield from _compare(f"{key} {name}", value, _readable(actual))

    def _tokens(self) -> Iterator[Finding]:
        for planned in self.planned:
            each = planned.currency
            if planned.kind is not SETTLEMENT_TOKEN or each is None:
                continue
            address = self.addresses[planned.key]
            domain = Domain(each.name, self.chain.chain_id, address)
            wanted = {
                "name": each.name,
                "symbol": each.symbol,
                "decimals": each.iso.exponent,
                "currencyCode": each.iso.numeric,
                "escrow": self.manifest.escrow,
                "DOMAIN_SEPARATOR": domain.separator,
            }
            yield from self._views(planned.key, SETTLEMENT_TOKEN.at(address), wanted)

    def _escrow(self) -> Iterator[Finding]:
        escrow = self.gateway.escrow
        wanted = {
            "schemeAccount": self.plan.scheme_account,
            "schemeBps": self.plan.scheme_bps,
            "interchangeCapBps": self.plan.interchange_cap_bps,
        }
        yield from self._views("escrow", escrow, wanted)
        _, name, version, chain_id, contract, *_ = self.gateway.read(escrow, "eip712Domain")
        yield from _compare(
            "escrow eip712Domain",
            (PAYMENT_ESCROW.domain_name, VERSION, self.chain.chain_id, escrow.address),
            (name, version, chain_id, _readable(contract)),
        )

    def _set_up(self) -> Iterator[Finding]:
        """What the set-up calls brought about, as far as it can be undone or done by others."""
        modules: defaultdict[str, set[str]] = defaultdict(set)
        for planned in self.planned:
            for call in planned.set_up(self.manifest.deployer, self.addresses):
                if call.function == "admitModule":
                    modules[call.contract.address].add(str(call.arguments[0]))
        for planned in self.planned:
            address = self.addresses[planned.key]
            if planned.kind is SETTLEMENT_TOKEN:
                token = SETTLEMENT_TOKEN.at(address)
                if self.gateway.read(token, "statusOf", self.plan.scheme_account) == 0:
                    yield Finding(f"{planned.key} scheme account", "admitted", "never admitted")
                actual = _set(self._modules(token))
                yield from _compare(f"{planned.key} modules", _set(modules[address]), actual)
        events = self.gateway.history(self.gateway.escrow).events(
            topics=self.gateway.topics(TokenAdmitted)
        )
        admitted = {each.token for each in events if isinstance(each, TokenAdmitted)}
        yield from _compare("escrow tokens", _set(self.manifest.tokens.values()), _set(admitted))

    def _modules(self, token: Contract) -> set[str]:
        modules: set[str] = set()
        topics = [[topic_of(ModuleAdmitted), topic_of(ModuleCutOff)]]
        for event in self.gateway.history(token).events(topics=topics):
            if isinstance(event, ModuleAdmitted):
                modules.add(event.module)
            elif isinstance(event, ModuleCutOff):
                modules.discard(event.module)
        return modules

    # What governance says

    def _targets(self) -> Iterator[Finding]:
        gateway, governance = self.gateway, self.gateway.governance
        names = {role.id: role.name for role in ROLES}
        for key, recorded in self.manifest.contracts.items():
            kind, address = REGISTRY.kind(recorded.contract), recorded.address
            if kind is not GOVERNANCE:
                yield from self._views(
                    key, kind.at(address), {"authority": self.manifest.governance}
                )
            expected = {
                function: role.id
                for role in ROLES
                for function in role.functions.get(kind.name, ())
            }
            functions = {
                keccak(signature_of(each).encode())[:4]: each["name"]
                for each in kind.artifact.functions
            }
            # A hundred functions, one call: `multicall` runs views as well.
            role_of = governance.function("getTargetFunctionRole")
            answers, closed, delay = gateway.read_many(
                [
                    (governance, "multicall", ([role_of.encode(address, f) for f in functions],)),
                    (governance, "isTargetClosed", (address,)),
                    (governance, "getTargetAdminDelay", (address,)),
                ]
            )
            for name, answer in zip(functions.values(), answers, strict=True):
                role = int.from_bytes(answer, "big")
                wanted = expected.get(name, 0)
                yield from _compare(
                    f"{key} role of {name}", names[wanted], names.get(role, f"role {role}")
                )
            yield from _compare(f"{key} closed by governance", False, closed)
            yield from self._delay(
                f"{key} admin delay",
                self.plan.target_admin_delay_seconds,
                delay,
                partial(self._target_delay_word, address),
            )

    def _roles(self) -> Iterator[Finding]:
        gateway, governance = self.gateway, self.gateway.governance
        ids = {role.name: role.id for role in ROLES}
        labels, members = self._history()
        for role in ROLES:
            if role.id != 0:
                yield from _compare(f"{role.name} label", role.name, labels.get(role.id, "none"))
            admin, guardian, delay, of_deployer = gateway.read_many(
                [
                    (governance, "getRoleAdmin", (role.id,)),
                    (governance, "getRoleGuardian", (role.id,)),
                    (governance, "getRoleGrantDelay", (role.id,)),
                    (governance, "hasRole", (role.id, self.manifest.deployer)),
                ]
            )
            yield from _compare(f"{role.name} admin", 0, admin)
            yield from _compare(f"{role.name} guardian", ids[role.guardian], guardian)
            yield from self._delay(
                f"{role.name} grant delay",
                self.plan.grant_delay_seconds_of(role),
                delay,
                partial(self._role_delay_word, role.id),
            )
            yield from _compare(
                f"{role.name} members", _set(self.plan.members_of(role)), _set(members[role.id])
            )
            for account in sorted(members[role.id]):
                since, current, pending, _ = gateway.read(governance, "getAccess", role.id, account)
                if since == 0:
                    yield Finding(f"{role.name} member {account}", "a member", "not a member")
                yield from _compare(
                    f"{role.name} delay of {account}",
                    self.plan.execution_delay_seconds(role),
                    pending or current,
                )
            if of_deployer[0]:
                yield Finding(f"{role.name} of the deployer", "no role", self.manifest.deployer)
        known = {role.id for role in ROLES}
        for role_id in sorted(set(members) - known):
            if members[role_id]:
                yield Finding(f"role {role_id} members", "no such role", _set(members[role_id]))
        yield from _compare(
            "number of administrators",
            len(self.plan.members_of(ROLES[0])),
            gateway.read(governance, "adminCount"),
        )

    def _history(self) -> tuple[dict[int, str], defaultdict[int, set[str]]]:
        """Labels and members of the roles, as their events tell them."""
        labels: dict[int, str] = {}
        members: defaultdict[int, set[str]] = defaultdict(set)
        topics = {
            "0x" + keccak(signature_of(each).encode()).hex(): each["name"]
            for each in GOVERNANCE.artifact.abi
            if each["type"] == "event" and each["name"] in _ROLE_EVENTS
        }
        for logs in self.gateway.history(self.gateway.governance).logs(topics=[list(topics)]):
            for log in logs:
                try:
                    name, role = topics[log["topics"][0]], int(log["topics"][1], 16)
                    if name == "RoleLabel":
                        labels[role] = decode(("string",), bytes.fromhex(log["data"][2:]))[0]
                        continue
                    account = checksummed("0x" + log["topics"][2][-40:])
                except (LookupError, TypeError, ValueError) as error:
                    raise NodeUnavailableError(
                        "the node gives what is not a valid log of a role; try again later"
                    ) from error
                (members[role].add if name == "RoleGranted" else members[role].discard)(account)
        return labels, members

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


_ROLE_EVENTS = ("RoleGranted", "RoleRevoked", "RoleLabel")


def _is_further(key: str) -> bool:
    return KEY_SEPARATOR in key and not REGISTRY.kind_of_key(key).is_per_currency


def _mapping_slot(key: bytes, slot: int) -> int:
    return int.from_bytes(keccak(key + slot.to_bytes(32, "big")), "big")


def _last_delay(word: int) -> int:
    # OpenZeppelin's Time.Delay: the value that counts in the end is its lowest 32 bits.
    return word & (2**32 - 1)


def _readable(value: Any) -> Any:
    """An address as manifests write it, for results come in lower case."""
    is_address = isinstance(value, str) and len(value) == 42 and value.startswith("0x")
    return checksummed(value) if is_address else value


def _set(values: Iterable[str]) -> str:
    return ", ".join(sorted(values)) or "none"


def _compare(subject: str, expected: Any, actual: Any) -> Iterator[Finding]:
    if expected != actual:
        yield Finding(subject, _shown(expected), _shown(actual))


def _shown(value: Any) -> str:
    return "0x" + value.hex() if isinstance(value, bytes) else str(value)
