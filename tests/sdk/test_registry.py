"""The rows of the registry and the ABIs hold each other: what one has, the other must have."""

from __future__ import annotations

import inspect
import json
import re
import typing
from importlib import import_module
from pathlib import Path

import pytest

from tael.cli.app import COMMANDS
from tael.contracts.kinds import ContractKind
from tael.contracts.registry import GENERATION, GENERATIONS, REGISTRY, Registry
from tael.contracts.verbs import SETS_STATE, KeyEvent, VerbRow
from tael.deployment.plan import ROLE_BY_NAME
from tael.events import topic_of
from tael.hashing import keccak
from tael.identifiers import Identifiers
from tael.services.balances import Balances
from tael.services.directory import Directory
from tael.services.operations import Operations
from tael.services.participants import Participants
from tael.services.payments import Payments

SERVICES = {
    "balances": Balances,
    "participants": Participants,
    "operations": Operations,
    "directory": Directory,
    "payments": Payments,
}
ROOT = Path(__file__).resolve().parents[2]
GAS = ROOT / "tests" / "bench" / "gas_expected.json"
CONTRACTS = ROOT / "contracts"

# Other ways into a verb that has a row.
WAYS = {
    "payments.authorize_each": "payments.authorize",
    "payments.charge_each": "payments.charge",
    "payments.capture_more": "payments.capture",
    "payments.void_rest": "payments.void",
    "payments.refund_more": "payments.refund",
}

ROWS = [(kind, row) for kind in REGISTRY for row in kind.verbs]
every_row = pytest.mark.parametrize(
    ("kind", "row"), ROWS, ids=[f"{kind.name}.{row.function}" for kind, row in ROWS]
)


def changing(kind: ContractKind) -> list[str]:
    return [
        entry["name"]
        for entry in kind.artifact.functions
        if entry["stateMutability"] not in ("view", "pure")
    ]


@pytest.mark.parametrize("kind", list(REGISTRY), ids=lambda kind: kind.name)
def test_every_function_that_changes_something_has_one_row(kind: ContractKind) -> None:
    rows = [row.function for row in kind.verbs]
    assert len(rows) == len(set(rows))
    assert set(rows) == set(changing(kind))


def test_every_service_of_a_client_is_looked_at(world: typing.Any) -> None:
    client = world.client("issuer")
    services = {name for name in vars(client) if type(vars(client)[name]) in SERVICES.values()}
    others = {
        name
        for name, value in vars(client).items()
        if not name.startswith("_") and type(value).__module__.startswith("tael.services")
    }
    assert services == set(SERVICES) == others


@every_row
def test_a_row_names_a_service_that_exists_exactly_if_it_is_sent(
    kind: ContractKind, row: VerbRow
) -> None:
    assert (row.effect is None) == (row.service is None)
    if row.service is not None:
        service, _, method = row.service.partition(".")
        assert "reference" in inspect.signature(getattr(SERVICES[service], method)).parameters


@pytest.mark.parametrize("service", SERVICES)
def test_every_method_that_writes_is_in_a_row(service: str) -> None:
    writing = set()
    for name, method in inspect.getmembers(SERVICES[service], inspect.isfunction):
        said = str(inspect.signature(method).return_annotation)
        if not name.startswith("_") and any(
            word in said for word in ("Written", "BatchOutcome", "ScheduledOperation")
        ):
            writing.add(f"{service}.{name}")
    # They only read how operations stand.
    writing -= {"operations.find", "operations.scheduled"}
    named = {row.service for _, row in ROWS}
    assert {WAYS.get(each, each) for each in writing} <= named


@every_row
def test_the_command_of_a_row_exists(kind: ContractKind, row: VerbRow) -> None:
    if row.command is None:
        return
    first, _, rest = row.command.partition(" ")
    entry = next(each for each in COMMANDS if each.name == first)
    assert entry.is_group == bool(rest)
    app = import_module(f"tael.cli.commands.{entry.module}").app
    assert (rest or first) in {command.name for command in app.registered_commands}


@every_row
def test_the_key_of_a_row_is_in_an_event_of_its_contract(kind: ContractKind, row: VerbRow) -> None:
    if not isinstance(row.effect, KeyEvent):
        assert row.effect in (None, SETS_STATE)
        return
    entries = {
        "0x" + keccak(signature.encode()).hex(): entry
        for signature, entry in zip(
            kind.event_signatures(),
            [each for each in kind.artifact.abi if each["type"] == "event"],
            strict=True,
        )
    }
    assert row.effect.events
    for event in row.effect.events:
        indexed = [each for each in entries[topic_of(event)]["inputs"] if each["indexed"]]
        types = {"subject": "bytes32", "participant": "address"}
        wanted = [types[topic] for topic in row.effect.topics]
        assert [each["type"] for each in indexed[: len(wanted)]] == wanted
        assert "subject" in row.effect.topics
        assert row.effect.derived is None or hasattr(Identifiers, row.effect.derived)
        if row.effect.total is not None:
            assert row.effect.total in typing.get_type_hints(event)


def test_a_verb_stands_for_one_effect() -> None:
    """The journal has the plain word; what it looks for then must not depend on the form."""
    for kind in REGISTRY:
        words: dict[str, set[object]] = {}
        for row in kind.verbs:
            words.setdefault(row.word, set()).add((row.effect, row.batch, row.delegate, row.role))
        assert {word: len(found) for word, found in words.items() if len(found) > 1} == {}


@every_row
def test_the_role_of_a_row_is_one_of_governance(kind: ContractKind, row: VerbRow) -> None:
    assert row.role is None or row.role in ROLE_BY_NAME
    assert row.role is None or row.delegate is None


def test_the_delegate_of_a_row_is_the_one_that_the_contract_asks_for() -> None:
    asked = {}
    for source in (CONTRACTS / "PaymentEscrow.sol", CONTRACTS / "Directory.sol"):
        for text in source.read_text().split("\n    function ")[1:]:
            found = set(re.findall(r"Verbs\.([A-Z]+)", text)) - {"ALL"}
            if found:
                (asked[text.partition("(")[0]],) = found
    rows = {row.function: row.delegate for _, row in ROWS if row.delegate is not None}
    assert {function: delegate.name for function, delegate in rows.items()} == asked


def test_gas_bounds_leave_room_above_what_is_measured() -> None:
    measured = json.loads(GAS.read_text())
    rows = {row.function: row for _, row in ROWS}
    checked = 0
    for function, gas in measured["verbs"].items():
        bound = rows[function].gas
        if bound is None:
            continue
        delegate = measured["delegate_adds"].get(function, 0)
        assert (bound.each or bound.fixed) >= 1.3 * (gas + delegate), function
        checked += 1
    assert checked >= 8


@every_row
def test_a_full_list_stays_within_half_a_block(kind: ContractKind, row: VerbRow) -> None:
    most = {"setCards": 256, "setAcceptances": 256}.get(row.function, 200)
    if row.gas is not None:
        assert row.gas.limit(most if row.gas.each else 0) <= 15_000_000


def test_kinds_are_refused_when_name_key_or_number_is_taken() -> None:
    first, *_ = REGISTRY
    with pytest.raises(ValueError, match="has the name, key or number of"):
        Registry(first, first)
    assert [kind.number for kind in REGISTRY] == [1, 2, 3]


def test_a_contract_or_function_that_is_not_ours_is_told_by_name() -> None:
    with pytest.raises(KeyError, match="Vault is not a contract of this package"):
        REGISTRY.kind("Vault")
    with pytest.raises(KeyError, match="vault:2 is not the key"):
        REGISTRY.kind_of_key("vault:2")
    with pytest.raises(KeyError, match=r"PaymentEscrow\.paymentOf is not a function that changes"):
        REGISTRY.verb("PaymentEscrow", "paymentOf")


def test_the_generation_has_a_version_that_speaks_it() -> None:
    assert GENERATION in GENERATIONS
