"""Every event of the ABIs is declared, and decoding by slicing equals web3's own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import pytest
from eth_abi import encode
from eth_utils import keccak, to_checksum_address
from hypothesis import given, settings
from hypothesis import strategies as st
from web3 import Web3
from web3._utils.events import get_event_data
from web3.datastructures import AttributeDict

from tael import events as ev
from tael.chain import load
from tael.contracts.registry import REGISTRY
from tael.errors import InvalidInputError, LedgerError, UnknownEventError
from tael.events import Event, canonical_signature, decode, decode_own, topic_of
from tests.support.activity import live_through_everything
from tests.support.world import World

# Other tests may have declared some of their own.
EVENTS = [kind for kind in ev.declared() if kind.__module__.startswith("tael.")]
OWN_FIELDS = {kind: [f.name for f in fields(kind) if f.name != "at"] for kind in EVENTS}


def abi_events(*contracts: str) -> dict[str, dict[str, Any]]:
    found = {}
    for contract in contracts:
        for entry in load(contract).abi:
            if entry["type"] == "event":
                found[entry["name"]] = json.loads(json.dumps(entry))
    return found


CODEC = Web3().codec
ABI = abi_events(*REGISTRY.names)


def type_of(parameter: dict[str, Any]) -> str:
    if parameter["type"] != "tuple":
        return parameter["type"]
    return f"({','.join(type_of(each) for each in parameter['components'])})"


def solidity_of(parameter: dict[str, Any]) -> str:
    declared = parameter["internalType"].split()[-1]
    name = declared if parameter["type"] == "tuple" or "Status" in declared else parameter["type"]
    return " ".join([name, *(["indexed"] if parameter["indexed"] else []), parameter["name"]])


def test_every_event_is_declared_when_compared_with_the_abis() -> None:
    for kind in REGISTRY:
        signatures = {canonical_signature(each) for each in EVENTS}
        assert set(kind.event_signatures()) <= signatures
    assert {kind.__name__ for kind in EVENTS} == set(ABI)


def test_every_event_is_found_by_its_name() -> None:
    assert [getattr(ev, kind.__name__) for kind in EVENTS] == EVENTS
    assert len({kind.__name__ for kind in EVENTS}) == len(EVENTS)


def test_declaration_is_refused_when_another_event_has_the_topic() -> None:
    # A contract that emits the same uses the same class; the address tells whose it is.
    with pytest.raises(ValueError, match="use that class"):

        @ev.event("address indexed from, address indexed to, uint256 value")
        class Transfer(Event):
            sender: str
            recipient: str
            amount_minor: int

    assert decode(log_of(ev.Transfer, 2, 32)).__class__ is ev.Transfer


@pytest.mark.parametrize("parameters", ["", "uint256 a, uint256 b", "float a"])
def test_declaration_is_refused_when_its_fields_do_not_fit(parameters: str) -> None:
    with pytest.raises(ValueError, match=r"fields|type"):

        @ev.event(parameters)
        class Strange(Event):
            a: int

    assert "Strange" not in {kind.__name__ for kind in ev.declared()}


def log_of(kind: type[Event], indexed: int, size: int) -> dict[str, Any]:
    return {
        "address": "0x" + "11" * 20,
        "topics": [topic_of(kind), *["0x" + "00" * 32] * indexed],
        "data": "0x" + "00" * size,
        "blockNumber": "0x7",
        "blockHash": "0x" + "01" * 32,
        "transactionHash": "0x" + "02" * 32,
        "logIndex": "0x3",
    }


@pytest.mark.parametrize("kind", EVENTS, ids=lambda kind: kind.__name__)
def test_declaration_is_the_contracts_own_when_compared_with_the_abi(kind: type[Event]) -> None:
    entry = ABI[kind.__name__]
    declared = f"{entry['name']}({', '.join(solidity_of(each) for each in entry['inputs'])})"
    assert kind.declaration == declared
    signature = f"{entry['name']}({','.join(type_of(each) for each in entry['inputs'])})"
    assert canonical_signature(kind) == signature
    assert topic_of(kind) == "0x" + keccak(text=signature).hex()
    assert len(OWN_FIELDS[kind]) == len(entry["inputs"])


def plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return tuple(plain(each) for each in value.values())
    if isinstance(value, (list, tuple)):
        return tuple(plain(each) for each in value)
    return bytes(value) if isinstance(value, bytes) else value


def check_against_web3(kind: type[Event], log: dict[str, Any], event: Event | None) -> None:
    entry = ABI[kind.__name__]
    decoded = get_event_data(CODEC, entry, AttributeDict(log))
    expected = [plain(decoded["args"][each["name"]]) for each in entry["inputs"]]
    assert isinstance(event, kind)
    assert [getattr(event, name) for name in OWN_FIELDS[kind]] == expected


def value_strategy(type_: str) -> st.SearchStrategy[Any]:
    if type_ == "address":
        return st.binary(min_size=20, max_size=20).map(to_checksum_address)
    if type_ == "uint8":
        return st.integers(0, 2)
    if type_.startswith("uint"):
        return st.integers(0, 2 ** int(type_[4:]) - 1)
    if type_ == "bytes":
        return st.binary(max_size=100)
    if type_ == "string":
        return st.text(max_size=40)
    if type_ == "bool":
        return st.booleans()
    if type_ == "bytes4":
        return st.binary(min_size=4, max_size=4)
    return st.binary(min_size=32, max_size=32)


@st.composite
def random_logs(draw: Any, kind: type[Event]) -> dict[str, Any]:
    topics, types, values = [bytes.fromhex(topic_of(kind)[2:])], [], []
    for parameter in ABI[kind.__name__]["inputs"]:
        if parameter["type"] == "tuple":
            types.append("(bytes32,bytes32,bytes32,bytes32)")
            values.append(tuple(draw(st.binary(min_size=32, max_size=32)) for _ in range(4)))
            continue
        value = draw(value_strategy(parameter["type"]))
        if parameter["indexed"]:
            topics.append(encode([parameter["type"]], [value]))
        else:
            types.append(parameter["type"])
            values.append(value)
    return {
        "address": "0x" + "ab" * 20,
        "topics": topics,
        "data": encode(types, values),
        "blockNumber": 7,
        "blockHash": b"\1" * 32,
        "transactionHash": b"\2" * 32,
        "transactionIndex": 0,
        "logIndex": 3,
    }


@pytest.mark.parametrize("kind", EVENTS, ids=lambda kind: kind.__name__)
def test_decode_equals_web3_when_values_are_random(kind: type[Event]) -> None:
    @settings(max_examples=20)
    @given(random_logs(kind))
    def check(log: dict[str, Any]) -> None:
        check_against_web3(kind, log, decode(log))
        raw = {
            **log,
            "topics": ["0x" + topic.hex() for topic in log["topics"]],
            "data": "0x" + log["data"].hex(),
            "blockNumber": "0x7",
            "blockHash": "0x" + "01" * 32,
            "transactionHash": "0x" + "02" * 32,
            "logIndex": "0x3",
        }
        event = decode(raw)
        assert event == decode(log)
        if isinstance(event, ev.PaymentOpened):
            assert ev.opened_in(raw) == (event.id, event.reference_hash)

    check()


@pytest.mark.parametrize(
    "log",
    [
        {},
        {"topics": ["0x00"], "data": "0x"},
        {"topics": ["0x00", "0x" + "11" * 32], "data": "0x" + "22" * 32},
        {"topics": ["0x00", "0x11"], "data": "0x" + "22" * 160},
        {"topics": ["0x00", "0xzz"], "data": "0x" + "22" * 160},
        {"topics": ["0x00", None], "data": None},
    ],
)
def test_opened_in_is_refused_when_the_log_is_none_of_a_payment(log: dict[str, Any]) -> None:
    with pytest.raises(InvalidInputError):
        ev.opened_in(log)


def test_decode_equals_web3_when_logs_are_real(any_world: World) -> None:
    live_through_everything(any_world)
    manifest = any_world.manifest
    logs = any_world.chain.w3.eth.get_logs({"fromBlock": 0, "address": list(manifest.addresses)})
    kinds = {bytes.fromhex(topic_of(kind)[2:]): kind for kind in EVENTS}
    seen = set()
    for log in logs:
        kind = kinds[bytes(log["topics"][0])]
        seen.add(kind)
        event = decode(log)
        check_against_web3(kind, log, event)
        assert event is not None
        assert event.at.contract == log["address"]
        assert (event.at.block_number, event.at.log_index) == (log["blockNumber"], log["logIndex"])
        assert event.at.transaction_hash == "0x" + bytes(log["transactionHash"]).hex()
    never = {ev.EIP712DomainChanged}
    # What nobody does with roles there, and what happens only when governance itself is replaced.
    never |= {ev.RoleAdminChanged, ev.RoleGrantDelayChanged, ev.TargetAdminDelayUpdated}
    never |= {ev.TargetClosed, ev.AuthorityUpdated, ev.OperationCanceled}
    never |= {ev.HoldPlaced, ev.HoldExecuted}
    assert set(EVENTS) - seen <= never


def test_decode_gives_none_when_the_log_is_not_ours() -> None:
    log = {"address": "0x" + "11" * 20, "data": "0x", "topics": ["0x" + "22" * 32]}
    assert decode(log) is None
    assert decode({**log, "topics": []}) is None
    # The topic of ERC-721's Transfer, whose third value is indexed.
    erc721 = [topic_of(ev.Transfer), *["0x" + "00" * 32] * 3]
    assert decode({**log, "topics": erc721}) is None


@pytest.mark.parametrize(
    "topics", [[], ["0x" + "22" * 32], [topic_of(ev.Transfer), *["0x" + "00" * 32] * 3]]
)
def test_decode_own_is_refused_when_the_event_is_not_known(topics: list[str]) -> None:
    log = {**log_of(ev.Transfer, 2, 32), "topics": topics}
    with pytest.raises(UnknownEventError, match="install the version") as caught:
        decode_own(log)
    assert isinstance(caught.value, LedgerError)
    assert log["address"] in caught.value.message
    assert (topics[0] if topics else "no topic") in caught.value.message


@pytest.mark.parametrize("data", ["0x", "0x12", "0x" + "00" * 31, "0x" + "zz" * 32])
def test_decode_is_refused_when_the_data_does_not_fit(data: str) -> None:
    topics = [topic_of(ev.Transfer), "0x" + "00" * 32, "0x" + "00" * 32]
    with pytest.raises(InvalidInputError):
        decode({"address": "0x" + "11" * 20, "data": data, "topics": topics})


def test_decode_is_refused_when_dynamic_data_is_cut() -> None:
    topics = [topic_of(ev.PaymentSkipped), "0x" + "00" * 32]
    whole = encode(["bytes"], [b"x" * 40]).hex()
    for cut in (0, 32, 64, 100, 160):
        with pytest.raises(InvalidInputError):
            decode({"address": "0x" + "11" * 20, "data": "0x" + whole[:cut], "topics": topics})
