"""Raw requests: a node's answers are matched, and what is no answer is never taken for one."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from tael import Chain
from tael.chain.batching import RequestBatching
from tael.chain.jsonrpc import MAX_BATCH_CALLS, MAX_BODY_BYTES, split
from tael.chain.transport import NodeFailure
from tael.errors import (
    ContractRevertedError,
    NodeUnavailableError,
    NotPermittedError,
    TooMuchError,
)
from tael.rpc import RpcResponse, exchange, request, request_many
from tael.signatures import compact, is_signed_by
from tael.testing import LocalNode, start_node
from tests.support.faulty_proxy import FaultyProxy
from tests.support.raw_contracts import signer
from tests.support.world import World, cny

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
BALANCE = ("eth_getBalance", [signer(0).address, "latest"])


@pytest.fixture(scope="module")
def node() -> Iterator[LocalNode]:
    with start_node("anvil") as running:
        yield running


@pytest.fixture(scope="module")
def running_proxy(node: LocalNode) -> Iterator[FaultyProxy]:
    with FaultyProxy(node.url).serving() as serving:
        yield serving


@pytest.fixture
def proxy(running_proxy: FaultyProxy) -> Iterator[FaultyProxy]:
    yield running_proxy
    running_proxy.calm()


@pytest.fixture
def chain(proxy: FaultyProxy) -> Chain:
    return Chain.connect(proxy.url, timeout_seconds=1.0, retry_seconds=0.0)


@pytest.fixture
def patient(proxy: FaultyProxy) -> Chain:
    return Chain.connect(proxy.url, timeout_seconds=1.0, retry_seconds=5.0)


def failing(message: str, code: int = -32000, **more: object) -> Any:
    def say(document: Any) -> Any:
        return {**document, "result": None, "error": {"code": code, "message": message, **more}}

    return say


# One


def test_request_gives_the_result_when_there_is_one(chain: Chain) -> None:
    assert request(chain, "eth_chainId") == "0x539"
    assert request(chain, "eth_getTransactionReceipt", "0x" + "00" * 32) is None


@pytest.mark.threat("S13")
@pytest.mark.parametrize(
    "say",
    [
        lambda answer: {},
        lambda answer: None,
        lambda answer: "<html>",
        lambda answer: {"id": answer["id"]},
        lambda answer: [answer],
        lambda answer: {**answer, "id": answer["id"] + 1},
        lambda answer: {**answer, "id": str(answer["id"])},
        lambda answer: {**answer, "id": None},
        failing("no such method", -32601),
        lambda answer: {"jsonrpc": "2.0", "id": None, "error": {"code": -32700, "message": "?"}},
        lambda answer: {"jsonrpc": "2.0", "id": answer["id"], "error": "plain words"},
    ],
)
def test_request_is_unavailable_when_the_answer_is_none(
    proxy: FaultyProxy, chain: Chain, say: Any
) -> None:
    for method in ("eth_blockNumber", "eth_getLogs"):
        proxy.arm(method, "say", lie=say)
        with pytest.raises(NodeUnavailableError):
            request(chain, method, *([{}] if method == "eth_getLogs" else []))
    assert request(chain, "eth_blockNumber")


def test_request_says_so_when_the_answer_would_be_too_large(
    proxy: FaultyProxy, patient: Chain
) -> None:
    for method in ("eth_getLogs", "eth_blockNumber"):
        for words in ("query returned more than 10000 results", "block range is too large"):
            # The same code as a rate limit has; repeating would not help.
            proxy.arm(method, "say", lie=failing(words, -32005))
            with pytest.raises(TooMuchError):
                request(patient, method, *([{}] if method == "eth_getLogs" else []))


@pytest.mark.threat("S13")
def test_request_is_repeated_when_the_node_is_busy(proxy: FaultyProxy, patient: Chain) -> None:
    before = proxy.requests["eth_blockNumber"]
    proxy.arm("eth_blockNumber", "say", lie=failing("Too Many Requests", -32000), times=2)
    assert request(patient, "eth_blockNumber")
    assert proxy.requests["eth_blockNumber"] - before == 3


def test_request_is_a_refusal_when_the_contract_reverts(proxy: FaultyProxy, chain: Chain) -> None:
    data = "0x" + "00" * 4
    for method in ("eth_call", "debug_traceCall"):
        proxy.arm(method, "say", lie=failing("execution reverted", 3, data=data))
        with pytest.raises(ContractRevertedError):
            request(chain, method, {})
    # Where no contract is run, none has refused.
    for method in ("eth_getTransactionCount", "eth_getLogs"):
        proxy.arm(method, "say", lie=failing("execution reverted", 3, data=data))
        with pytest.raises(NodeUnavailableError, match="refuses to answer"):
            request(chain, method, {})


# Many


@pytest.mark.threat("S14")
def test_request_many_matches_by_id_when_answers_come_in_another_order(
    proxy: FaultyProxy, chain: Chain
) -> None:
    calls = [BALANCE, ("eth_chainId", []), ("eth_blockNumber", [])]
    expected = request_many(chain, calls)
    assert expected[1] == "0x539"
    proxy.arm("*", "reorder")
    assert request_many(chain, calls) == expected
    proxy.arm("*", "reorder")
    assert [answer.result for answer in exchange(chain, calls)] == expected
    assert request_many(chain, []) == []


@pytest.mark.threat("S14")
@pytest.mark.parametrize(
    "say",
    [
        lambda answers: answers[:1],
        lambda answers: [*answers, {**answers[0], "id": 1}],
        lambda answers: [answers[0], answers[0]],
        lambda answers: [answers[0], {**answers[1], "id": answers[1]["id"] + 1}],
        lambda answers: [answers[0], {"jsonrpc": "2.0", "result": "0x1"}],
        lambda answers: [answers[0], {**answers[1], "id": {}}],
        lambda answers: [answers[0], None],
        lambda answers: answers[0],
        lambda answers: [],
        lambda answers: {"id": None, "error": {"code": -32600, "message": "no batches here"}},
    ],
)
def test_request_many_is_unavailable_when_answers_do_not_belong_to_the_requests(
    proxy: FaultyProxy, chain: Chain, say: Any
) -> None:
    calls: list[Any] = [("eth_chainId", []), ("eth_blockNumber", [])]
    for ask in (request_many, exchange):
        proxy.arm("eth_blockNumber", "say", lie=say)
        with pytest.raises(NodeUnavailableError):
            ask(chain, calls)
    assert request_many(chain, calls)[0] == "0x539"


@pytest.mark.threat("S14")
@pytest.mark.parametrize("fault", ["lose", "duplicate", "alien", "truncate", "html", "503"])
def test_request_many_is_repeated_when_the_batch_went_wrong(
    proxy: FaultyProxy, patient: Chain, fault: str
) -> None:
    proxy.arm("eth_chainId", fault, times=2)
    assert request_many(patient, [("eth_chainId", []), BALANCE])[0] == "0x539"


@pytest.mark.threat("S14")
def test_request_many_fails_as_a_whole_when_one_of_its_calls_does(
    proxy: FaultyProxy, chain: Chain
) -> None:
    proxy.arm("eth_blockNumber", "refuse")
    with pytest.raises(NodeUnavailableError, match="not available here"):
        request_many(chain, [("eth_chainId", []), ("eth_blockNumber", [])])


def test_request_many_splits_when_the_calls_do_not_fit_one_request(
    proxy: FaultyProxy, chain: Chain
) -> None:
    proxy.sizes.clear()
    answers = request_many(chain, [("eth_chainId", [])] * (2 * MAX_BATCH_CALLS + 1))
    assert set(answers) == {"0x539"}
    assert proxy.sizes == [MAX_BATCH_CALLS, MAX_BATCH_CALLS, 1]
    long = ("web3_sha3", ["0x" + "00" * (MAX_BODY_BYTES // 5)])
    assert [len(run) for run in split([long] * 5)] == [2, 2, 1]
    # What alone is too long for a request is for the node to refuse.
    assert [len(run) for run in split([("web3_sha3", ["0" * 2 * MAX_BODY_BYTES])] * 2)] == [1, 1]
    assert split([]) == []


# Handed over once


@pytest.mark.threat("S14")
def test_exchange_tells_results_and_problems_apart_when_some_calls_fail(
    world: World, chain: Chain
) -> None:
    token = world.client("outsider").contract("SettlementToken", "CNY")
    stolen = token.function("issue").encode(world.address("outsider"), 1, bytes(32))
    refused = {"to": token.address, "data": "0x" + stolen.hex(), "from": world.address("outsider")}
    answers = exchange(
        world.chain,
        [
            ("eth_chainId", []),
            ("eth_call", [refused, "latest"]),
            ("eth_sendRawTransaction", ["0x00"]),
            ("eth_getTransactionReceipt", ["0x" + "00" * 32]),
        ],
    )
    assert answers[0] == RpcResponse(hex(world.chain.chain_id), None)
    assert answers[3] == RpcResponse(None, None)
    for answer in answers[1:3]:
        assert answer.result is None
        assert answer.error is not None
        assert answer.error.message
    assert answers[1].error is not None
    assert answers[1].error.code == 3
    assert answers[1].error.data.startswith("0x")
    # The same question asked as a read is a typed refusal.
    with pytest.raises(NotPermittedError):
        request(world.chain, "eth_call", refused, "latest")
    assert exchange(world.chain, []) == []


@pytest.mark.threat("S13")
@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("drop_before", "hung up"),
        ("drop_after", "hung up"),
        ("slow", "in time"),
        ("truncate", "not JSON-RPC"),
        ("html", "not JSON-RPC"),
        ("429", "HTTP 429"),
        ("503", "HTTP 503"),
    ],
)
def test_exchange_sends_once_when_the_answer_fails(
    proxy: FaultyProxy, patient: Chain, fault: str, words: str
) -> None:
    before = proxy.requests["eth_chainId"], proxy.requests["eth_blockNumber"]
    proxy.arm("eth_blockNumber", fault)
    with pytest.raises(NodeUnavailableError, match=words):
        exchange(patient, [BALANCE, ("eth_blockNumber", [])])
    assert proxy.requests["eth_blockNumber"] == before[1] + 1
    # What answers next is checked before it counts; a node that was only too busy is the same.
    assert exchange(patient, [("eth_blockNumber", [])])[0].result
    assert proxy.requests["eth_chainId"] == before[0] + (0 if fault == "429" else 1)


def test_exchange_refuses_when_the_calls_do_not_fit_one_request(
    proxy: FaultyProxy, chain: Chain
) -> None:
    before = len(proxy.sizes)
    for calls in ([BALANCE] * (MAX_BATCH_CALLS + 1), [("x", ["0" * MAX_BODY_BYTES])] * 2):
        with pytest.raises(TooMuchError, match="fewer"):
            exchange(chain, calls)
    assert len(proxy.sizes) == before


# Many threads


def test_request_many_gives_everyone_its_own_when_many_threads_ask(
    proxy: FaultyProxy, patient: Chain
) -> None:
    threads, rounds = 16, 20
    proxy.sizes.clear()

    def ask(thread: int) -> int:
        for turn in range(rounds):
            number = thread * rounds + turn
            data = "0x" + number.to_bytes(4, "big").hex()
            wanted = [("web3_sha3", [data])] * (1 + number % 3)
            expected = set(request_many(alone, wanted[:1]))
            assert set(request_many(patient, wanted)) == expected
        return rounds

    alone = Chain.connect(patient.url)
    with ThreadPoolExecutor(threads) as pool:
        assert sum(pool.map(ask, range(threads))) == threads * rounds
    # What waited went out together.
    assert max(proxy.sizes) > 3
    assert len(proxy.sizes) < 2 * threads * rounds


@pytest.mark.threat("S13")
def test_request_many_ends_well_for_everyone_when_gathered_requests_fail(
    proxy: FaultyProxy, patient: Chain
) -> None:
    for fault in ("drop_after", "503", "alien"):
        proxy.arm("eth_getBalance", fault, times=3)
        with ThreadPoolExecutor(12) as pool:
            answers = list(pool.map(lambda _: request_many(patient, [BALANCE])[0], range(60)))
        assert len(set(answers)) == 1


def test_request_many_refuses_only_the_one_whose_call_the_node_refuses(
    world: World,
) -> None:
    token = world.client("outsider").contract("SettlementToken", "CNY")
    stolen = token.function("issue").encode(world.address("outsider"), 1, bytes(32))
    refused = {"to": token.address, "data": "0x" + stolen.hex(), "from": world.address("outsider")}

    def ask(number: int) -> bool:
        if number % 2:
            return request(world.chain, "eth_chainId") == hex(world.chain.chain_id)
        with pytest.raises(NotPermittedError):
            request(world.chain, "eth_call", refused, "latest")
        return True

    with ThreadPoolExecutor(12) as pool:
        assert all(pool.map(ask, range(60)))


def test_batching_sends_what_waits_together_when_a_request_is_under_way() -> None:
    sent: list[int] = []
    release = threading.Event()

    def send(calls: Any) -> list[dict[str, Any]]:
        sent.append(len(calls))
        release.wait(10)
        return [{"result": call[1][0]} for call in calls]

    batching = RequestBatching(send)
    with ThreadPoolExecutor(20) as pool:
        asked = [pool.submit(batching.ask, [("m", [n]), ("m", [-n])]) for n in range(20)]
        deadline = time.monotonic() + 10
        while len(batching._waiting) < 18 and time.monotonic() < deadline:
            time.sleep(0.005)
        release.set()
        for number, answer in enumerate(asked):
            assert answer.result() == [{"result": number}, {"result": -number}]
    assert sent[:2] == [2, 2]
    assert sum(sent) == 40
    assert len(sent) <= 4


def test_batching_fails_only_those_of_the_request_when_it_fails() -> None:
    fails = itertools.chain([True], itertools.repeat(False))
    started = threading.Barrier(3)

    def send(calls: Any) -> list[dict[str, Any]]:
        if len(calls) == 1 and calls[0][1][0] < 2:
            started.wait(10)
        if len(calls) > 1 and next(fails):
            raise NodeFailure("gone", is_busy=True)
        return [{"result": call[1][0]} for call in calls]

    batching = RequestBatching(send)
    with ThreadPoolExecutor(10) as pool:
        first = [pool.submit(batching.ask, [("m", [n])]) for n in range(2)]
        deadline = time.monotonic() + 10
        while batching._under_way < 2 and time.monotonic() < deadline:
            time.sleep(0.005)
        later = [pool.submit(batching.ask, [("m", [n])]) for n in range(2, 10)]
        while len(batching._waiting) < 8 and time.monotonic() < deadline:
            time.sleep(0.005)
        started.wait(10)
        assert [each.result()[0]["result"] for each in first] == [0, 1]
        failures = [each.exception() for each in later]
    assert {type(each) for each in failures} <= {NodeFailure, type(None)}
    assert sum(isinstance(each, NodeFailure) for each in failures) >= 1
    # Each has an error of its own to raise.
    raised = [each for each in failures if each is not None]
    assert len({id(each) for each in raised}) == len(raised)
    assert batching._under_way == 0
    assert batching.ask([("m", [5])]) == [{"result": 5}]


# Contracts and signatures


@pytest.mark.threat("S20")
def test_call_is_refused_when_an_argument_does_not_fit(world: World) -> None:
    from tael.errors import InvalidInputError

    token = world.client("issuer").contract("SettlementToken", "CNY")
    for amount in (2**256, -1, 1.5, "1"):
        with pytest.raises(InvalidInputError):
            token.function("issue").encode(world.address("issuer"), amount, bytes(32))
    with pytest.raises(KeyError):
        token.function("nothing")


def test_compact_takes_only_what_an_ordinary_key_signs(world: World) -> None:
    digest = b"\7" * 32
    card = world.signers["cardholder"]
    signature = card.sign_digest(digest)
    words = compact(signature)
    assert words is not None
    assert compact(b"".join(words)) == words
    assert compact(signature[:64] + bytes([signature[64] - 27])) == words
    assert is_signed_by(card.address, digest, words)
    assert not is_signed_by(world.address("outsider"), digest, words)
    assert not is_signed_by(card.address, b"\x08" * 32, words)
    assert not is_signed_by(card.address, digest, (bytes(32), bytes(32)))
    high = (ORDER - int.from_bytes(signature[32:64], "big")).to_bytes(32, "big")
    for other in (b"", signature[:63], signature[:64] + b"\5", signature[:32] + high + b"\x1c"):
        assert compact(other) is None


def test_authorize_takes_a_compact_signature_when_given_one(world: World) -> None:
    payment = world.sign("P-1", cny("5.00"))
    words = compact(payment.card_signature)
    assert words is not None
    short = replace(payment, card_signature=b"".join(words))
    issuer = world.client("issuer")
    assert not issuer.payments.authorize(short, reference="P-1").repeated
