"""Every refusal becomes one typed error, whatever node and library report it: S26."""

import dataclasses
import inspect

import pytest
from eth_abi import encode
from eth_utils import keccak
from hypothesis import given
from hypothesis import strategies as st
from web3.exceptions import Web3RPCError

from tael import errors
from tael.chain import Chain, Sender, decode_revert, load, revert_from
from tael.chain.reverts import BUILT_IN, revert_data
from tael.contracts.artifacts import signature_of
from tael.contracts.refusals import ERRORS, SECTIONS, Refusal
from tael.contracts.registry import REGISTRY
from tael.errors import (
    AlreadyDoneError,
    ContractRevertedError,
    InsufficientFundsError,
    LimitExceededError,
    NotPermittedError,
    TermsRefusedError,
    UnknownRevertError,
    WrongStateError,
    WrongTimeError,
)
from tael.rpc import request
from tael.testing import start_node
from tests.support.raw_contracts import ECHO, creation, signer

SAMPLES = {
    "address": "0x" + "ab" * 20,
    "uint256": 7,
    "uint128": 6,
    "uint64": 5,
    "uint48": 4,
    "uint32": 3,
    "uint8": 2,
    "bytes32": b"\x01" * 32,
    "bytes4": b"\x02" * 4,
    "string": "words",
}
ALL_ERRORS = {
    signature_of(entry): entry for contract in REGISTRY.names for entry in load(contract).errors
}


def encoded(entry):
    kinds = [each["type"] for each in entry["inputs"]]
    values = [SAMPLES[kind] for kind in kinds]
    return keccak(text=signature_of(entry))[:4] + encode(kinds, values)


@pytest.fixture(scope="module", params=["anvil", "ganache"])
def echo(request):
    """A real contract on a real node that reverts with whatever it is called with."""
    with start_node(request.param) as node:
        chain = Chain.connect(node.url)
        receipt = Sender(chain).send(signer(0), None, creation(ECHO), reference="echo")
        yield chain, receipt.contract_address


def ways(chain, address, data):
    """Every way web3 has to run into a revert."""
    transaction = {"from": signer(0).address, "to": address, "data": "0x" + data.hex()}
    eth = chain.w3.eth
    yield "call", lambda: eth.call(transaction)
    yield "estimate_gas", lambda: eth.estimate_gas(transaction)
    yield "transact", lambda: eth.send_transaction(transaction)


def raised_by(action):
    with pytest.raises(Exception) as failed:  # noqa: PT011 - its shape is what is being tested
        action()
    return failed.value


# The table


@pytest.mark.threat("S26")
def test_table_names_exactly_the_errors_of_the_abis():
    in_abis = {entry["name"] for entry in ALL_ERRORS.values()}
    assert in_abis - set(ERRORS) == set(), "errors without an entry in SECTIONS"
    built_in = {name for name, _ in BUILT_IN.values()}
    assert set(ERRORS) - in_abis == built_in, "entries for errors that no contract has"


@pytest.mark.threat("S26")
def test_table_names_each_error_once():
    names = [refusal.name for group in SECTIONS.values() for refusal in group]
    assert sorted(names) == sorted(set(names))
    assert len({entry["name"] for entry in ALL_ERRORS.values()}) == len(ALL_ERRORS)
    assert len({keccak(text=each)[:4] for each in ALL_ERRORS}) == len(ALL_ERRORS)


@pytest.mark.threat("S26")
def test_table_uses_every_reaction():
    used = {refusal.reaction for refusal in ERRORS.values()}
    reactions = {
        each
        for _, each in inspect.getmembers(errors, inspect.isclass)
        if issubclass(each, ContractRevertedError) and each is not ContractRevertedError
    }
    assert used == reactions


@pytest.mark.parametrize("refusal", ERRORS.values(), ids=lambda refusal: refusal.name)
def test_table_speaks_in_sentences(refusal):
    for sentence in (refusal.meaning, refusal.what_now):
        assert sentence[0].isupper() or sentence.startswith("`")
        assert sentence.endswith(".")


@pytest.mark.parametrize(
    ("name", "reaction"),
    [
        ("NotPermitted", NotPermittedError),
        ("AccessManagedUnauthorized", NotPermittedError),
        ("TokenPaused", WrongStateError),
        ("CaptureRepeated", AlreadyDoneError),
        ("VoidRepeated", AlreadyDoneError),
        ("RefundRepeated", AlreadyDoneError),
        ("PaymentExists", AlreadyDoneError),
        ("BankReferenceUsed", AlreadyDoneError),
        ("AuthorizationConsumed", AlreadyDoneError),
        ("CaptureTooLate", WrongTimeError),
        ("InsufficientAvailable", InsufficientFundsError),
        ("CardDayLimitExceeded", LimitExceededError),
        ("CardSignatureInvalid", TermsRefusedError),
        ("Panic", UnknownRevertError),
    ],
)
def test_reaction_is_the_callers_when_a_known_error_is_raised(name, reaction):
    assert ERRORS[name].reaction is reaction
    assert issubclass(AlreadyDoneError, WrongStateError)


def test_a_refusal_stays_when_assigned_to():
    refusal = next(iter(ERRORS.values()))
    assert isinstance(refusal, Refusal)
    with pytest.raises(dataclasses.FrozenInstanceError):
        refusal.name = "Other"


# Real reverts on real nodes


@pytest.mark.threat("S26")
@pytest.mark.parametrize("signature", sorted(ALL_ERRORS))
def test_call_raises_the_typed_error_when_the_contract_refuses(echo, signature):
    chain, address = echo
    entry = ALL_ERRORS[signature]
    data = encoded(entry)
    with pytest.raises(ERRORS[entry["name"]].reaction) as refused:
        request(chain, "eth_call", {"to": address, "data": "0x" + data.hex()}, "latest")
    error = refused.value
    assert type(error) is ERRORS[entry["name"]].reaction
    assert (error.name, error.data, error.transaction_hash) == (entry["name"], data, None)
    assert list(error.arguments) == [each["name"] for each in entry["inputs"]]
    for each in entry["inputs"]:
        expected = SAMPLES[each["type"]]
        actual = error.arguments[each["name"]]
        assert (actual.lower() if each["type"] == "address" else actual) == expected
    assert ERRORS[entry["name"]].what_now in str(error)
    assert error.name in str(error)


@pytest.mark.threat("S26")
@pytest.mark.parametrize(
    ("data", "name", "arguments"),
    [
        (encoded(ALL_ERRORS["TokenPaused()"]), "TokenPaused", {}),
        (
            encoded(ALL_ERRORS["CaptureRepeated(bytes32,uint256,uint256)"]),
            "CaptureRepeated",
            {"id": b"\x01" * 32, "capturedTotal": 7, "captured": 7},
        ),
        (
            bytes.fromhex("08c379a0") + encode(["string"], ["in words"]),
            "Error",
            {"reason": "in words"},
        ),
        (bytes.fromhex("4e487b71") + encode(["uint256"], [0x11]), "Panic", {"code": 0x11}),
        (b"", "", {}),
        (bytes.fromhex("deadbeef"), "", {"selector": bytes.fromhex("deadbeef")}),
        (b"\x01", "", {"selector": b"\x01"}),
    ],
    ids=["bare", "with arguments", "words", "panic", "empty", "unknown", "malformed"],
)
def test_revert_is_found_when_web3_reports_it_in_any_shape(echo, data, name, arguments):
    chain, address = echo
    for way, action in ways(chain, address, data):
        typed = revert_from(raised_by(action))
        assert typed.data == data, way
        assert (typed.name, dict(typed.arguments)) == (name, arguments), way


@pytest.mark.threat("S27")
def test_send_raises_before_anything_is_sent_when_the_estimate_reverts(echo):
    chain, address = echo
    before = chain.w3.eth.get_transaction_count(signer(1).address, "pending")
    data = encoded(ALL_ERRORS["TokenPaused()"])
    with pytest.raises(WrongStateError) as refused:
        Sender(chain).send(signer(1), address, data, reference="paused")
    assert refused.value.transaction_hash is None
    assert chain.w3.eth.get_transaction_count(signer(1).address, "pending") == before


# Other shapes, as the nodes and versions named have been seen to give them

DATA = encoded(ALL_ERRORS["CaptureRepeated(bytes32,uint256,uint256)"])
HEX = "0x" + DATA.hex()


class TransactionFailed(Exception):  # noqa: N818
    """Named as eth-tester's, which is not installed."""


def rpc_error(error):
    return Web3RPCError(str(error), rpc_response={"jsonrpc": "2.0", "id": 1, "error": error})


@pytest.mark.threat("S26")
@pytest.mark.parametrize(
    "error",
    [
        rpc_error({"code": 3, "message": "execution reverted", "data": HEX}),
        rpc_error({"code": 3, "message": "refused", "data": HEX}),
        rpc_error({"code": -32000, "message": "execution reverted", "data": HEX}),
        rpc_error(
            {"code": -32015, "message": "VM execution error: reverted", "data": f"Reverted {HEX}"}
        ),
        rpc_error({"code": -32603, "message": "Error: VM reverted", "data": {"data": HEX}}),
        rpc_error(
            {
                "code": -32603,
                "message": "reverted",
                "data": {"message": "no", "data": {"data": HEX, "message": "deeper"}},
            }
        ),
        rpc_error({"code": -32000, "message": "revert", "data": {"0xabc": {"return": HEX}}}),
        rpc_error({"code": -32000, "message": f"execution reverted: custom error {HEX}"}),
        TransactionFailed(DATA),
        TransactionFailed(f"execution reverted: {HEX}"),
    ],
    ids=[
        "geth",
        "code 3",
        "erigon",
        "parity",
        "hardhat",
        "nested",
        "old ganache",
        "in words",
        "eth-tester bytes",
        "eth-tester words",
    ],
)
def test_revert_is_found_when_another_node_reports_it(error):
    typed = revert_from(error)
    problem = getattr(error, "rpc_response", {}).get("error")
    if problem is not None:
        # As JSON it is found as it is through web3.
        assert revert_data(problem["code"], problem["message"], problem.get("data")) == DATA
    assert isinstance(typed, AlreadyDoneError)
    assert typed.data == DATA


@pytest.mark.parametrize(
    "error",
    [
        ValueError("no"),
        ConnectionError("reset"),
        rpc_error({"code": -32000, "message": "nonce too low"}),
        rpc_error({"code": -32602, "message": "invalid params", "data": HEX}),
        Web3RPCError("without a response"),
    ],
)
def test_no_revert_is_found_when_there_is_none(error):
    assert revert_from(error) is None


@pytest.mark.parametrize(
    "entry", [each for each in ALL_ERRORS.values() if each["inputs"]], ids=lambda each: each["name"]
)
def test_decode_gives_unknown_when_the_arguments_are_cut_off(entry):
    error = decode_revert(encoded(entry)[:-1])
    assert isinstance(error, UnknownRevertError)
    assert error.name == entry["name"]


@given(
    st.binary(max_size=300), st.sampled_from([b"", *(encoded(e)[:4] for e in ALL_ERRORS.values())])
)
def test_decode_never_fails_when_given_any_bytes(tail, selector):
    error = decode_revert(selector + tail)
    assert isinstance(error, ContractRevertedError)
    assert error.code
    assert str(error)


def test_decode_is_bounded_when_the_data_is_huge():
    huge = bytes.fromhex("08c379a0") + encode(["string"], ["x" * 500_000])
    error = decode_revert(huge)
    assert isinstance(error, UnknownRevertError)
    assert len(error.data) <= 64 * 1024


@pytest.mark.parametrize(("code", "words"), [(0x11, "overflow"), (0x12, "zero"), (0x99, "check")])
def test_panic_is_explained_when_decoded(code, words):
    error = decode_revert(bytes.fromhex("4e487b71") + encode(["uint256"], [code]))
    assert isinstance(error, UnknownRevertError)
    assert words in error.meaning
