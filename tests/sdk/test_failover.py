"""Several nodes behind one chain: the next one answers, and none is believed unchecked.

Every node here is a real Anvil; what fails stands before it (`FaultyProxy`). S11, S12, S13, O02.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import pytest

from tael.chain import Chain, Sender
from tael.chain import endpoint as endpoint_module
from tael.chain import roster as roster_module
from tael.chain.agreement import essence
from tael.errors import (
    ConfigurationError,
    ContractRevertedError,
    DisagreementError,
    NetworkMismatchError,
    NodeUnavailableError,
)
from tael.rpc import exchange, request, request_many
from tael.testing import Node, start_node
from tests.sdk.faulty_proxy import FaultyProxy
from tests.sdk.raw_contracts import ECHO, creation, signer

CHAIN_ID = 1337
NOBODY = "0x" + "00" * 32


@pytest.fixture(scope="module")
def node() -> Iterator[Node]:
    with start_node("anvil", chain_id=CHAIN_ID) as running:
        yield running


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[Node]:
    """Another chain that has the same number."""
    with start_node("anvil", chain_id=CHAIN_ID, arguments=("--timestamp", "1700000000")) as running:
        yield running


@pytest.fixture(scope="module")
def foreign() -> Iterator[Node]:
    """A chain of another number."""
    with start_node("anvil", chain_id=5) as running:
        yield running


@pytest.fixture
def proxies(node: Node) -> Iterator[list[FaultyProxy]]:
    with ExitStack() as stack:
        yield [stack.enter_context(FaultyProxy(node.url).serving()) for _ in range(3)]


@pytest.fixture(autouse=True)
def only_on_demand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nodes are looked at when a test says so, and are returned to soon."""
    monkeypatch.setattr(roster_module, "SURVEY_SECONDS", 1e9)
    monkeypatch.setattr(endpoint_module, "FIRST_REST_SECONDS", 0.2)
    monkeypatch.setattr(endpoint_module, "OTHER_CHAIN_REST_SECONDS", 0.2)


def connect(proxies: Sequence[FaultyProxy], **options: Any) -> Chain:
    options = {"timeout_seconds": 1.0, "retry_seconds": 0.0, **options}
    chain = Chain.connect([proxy.url for proxy in proxies], CHAIN_ID, **options)
    deadline = time.monotonic() + 10
    while chain.nodes._roster._surveying.locked() and time.monotonic() < deadline:
        time.sleep(0.01)  # the first look at all of them is under way
    return chain


def standings(chain: Chain) -> list[str]:
    return [state.standing for state in chain.nodes.states()]


def rest(chain: Chain) -> None:
    """Let the failed nodes rest long enough, and look at all of them."""
    time.sleep(0.25)
    chain.nodes.survey()


# The next node answers


@pytest.mark.threat("S13")
@pytest.mark.parametrize("ask", ["w3", "request", "request_many", "head"])
@pytest.mark.parametrize(
    "fault", ["html", "truncate", "429", "503", "drop_before", "drop_after", "busy", "slow"]
)
def test_read_goes_to_the_next_node_when_the_first_fails(
    proxies: list[FaultyProxy], node: Node, fault: str, ask: str
) -> None:
    chain = connect(proxies)
    asks: dict[str, Callable[[], int]] = {
        "w3": lambda: chain.w3.eth.block_number,
        "request": lambda: int(request(chain, "eth_blockNumber"), 16),
        "request_many": lambda: int(request_many(chain, [("eth_blockNumber", [])] * 2)[1], 16),
        "head": lambda: chain.head().number,
    }
    proxies[0].arm("eth_blockNumber", fault)
    proxies[0].arm("eth_getBlockByNumber", fault)
    before = [dict(proxy.requests) for proxy in proxies]
    assert asks[ask]() == node.block_number()
    # Nothing was repeated at the one that failed.
    method = "eth_getBlockByNumber" if ask == "head" else "eth_blockNumber"
    count = 2 if ask == "request_many" else 1
    asked = [
        proxy.requests[method] - was.get(method, 0)
        for proxy, was in zip(proxies, before, strict=True)
    ]
    assert asked == [count, count, 0]
    assert standings(chain) == ["failed", "ready", "ready"]
    # The next call does not try it again before its time.
    asks[ask]()
    assert proxies[0].requests[method] - before[0].get(method, 0) == count


@pytest.mark.threat("S13")
def test_a_failed_node_is_returned_to_when_it_is_well_again(proxies: list[FaultyProxy]) -> None:
    chain = connect(proxies)
    proxies[0].down()
    assert chain.block_number() >= 0
    rest(chain)
    assert standings(chain) == ["failed", "ready", "ready"]
    assert "could not be reached" in chain.nodes.states()[0].why
    proxies[0].up()
    time.sleep(0.5)  # its second rest is longer
    checked = proxies[0].requests["eth_chainId"]
    chain.nodes.survey()
    assert standings(chain) == ["ready"] * 3
    # It was checked before it counts again, and is the preferred one again.
    assert proxies[0].requests["eth_chainId"] == checked + 1
    before = proxies[0].requests["eth_blockNumber"]
    chain.block_number()
    assert proxies[0].requests["eth_blockNumber"] == before + 1


def test_nodes_are_looked_at_aside_when_calls_come(
    proxies: list[FaultyProxy], monkeypatch: pytest.MonkeyPatch
) -> None:
    chain = connect(proxies)
    proxies[0].arm("*", "slow", times=3)
    with pytest.raises(NodeUnavailableError, match="in time"):
        exchange(chain, [("eth_blockNumber", [])])
    monkeypatch.setattr(roster_module, "SURVEY_SECONDS", 0.05)
    deadline = time.monotonic() + 15
    slowest = 0.0
    while standings(chain) != ["ready"] * 3 and time.monotonic() < deadline:
        started = time.monotonic()
        chain.block_number()
        slowest = max(slowest, time.monotonic() - started)
        time.sleep(0.02)
    assert standings(chain) == ["ready"] * 3
    # Nobody waited for the slow one meanwhile.
    assert slowest < 0.9


@pytest.mark.threat("O02")
def test_read_is_unavailable_when_all_nodes_are_down(proxies: list[FaultyProxy]) -> None:
    chain = connect(proxies)
    for proxy in proxies:
        proxy.down()
    with pytest.raises(NodeUnavailableError) as failed:
        chain.block_number()
    for proxy in proxies:
        assert proxy.url in str(failed.value)
    chain.retry_seconds = 5.0
    proxies[2].up()
    assert chain.block_number() >= 0
    assert standings(chain) == ["failed", "failed", "ready"]


def test_connect_takes_what_answers_when_some_are_down(proxies: list[FaultyProxy]) -> None:
    proxies[0].down()
    chain = connect(proxies)
    assert chain.chain_id == CHAIN_ID
    assert standings(chain) == ["failed", "ready", "ready"]
    for proxy in proxies[1:]:
        proxy.down()
    with pytest.raises(NodeUnavailableError):
        connect(proxies)


def test_one_node_is_asked_nothing_more_than_what_is_asked(node: Node) -> None:
    with FaultyProxy(node.url).serving() as proxy:
        chain = connect([proxy])
        before = sum(proxy.requests.values())
        for _ in range(10):
            chain.block_number()
            request_many(chain, [("eth_chainId", []), ("eth_gasPrice", [])])
        assert sum(proxy.requests.values()) == before + 30


# What may change the chain goes to one node, once


@pytest.mark.threat("S02")
@pytest.mark.parametrize("way", ["w3", "exchange"])
@pytest.mark.parametrize("fault", ["drop_before", "drop_after", "503", "truncate"])
def test_a_transaction_is_handed_to_one_node_when_that_fails(
    proxies: list[FaultyProxy], fault: str, way: str
) -> None:
    chain = connect(proxies)
    prepared = Sender(chain).prepare(signer(0), None, creation(ECHO), reference="x")
    raw: Any = "0x" + prepared.raw.hex()

    def send() -> None:
        if way == "w3":
            chain.w3.eth.send_raw_transaction(raw)
        else:
            exchange(chain, [("eth_chainId", []), ("eth_sendRawTransaction", [raw])])

    proxies[0].arm("eth_sendRawTransaction", fault)
    with pytest.raises((NodeUnavailableError, OSError)):
        send()
    assert [proxy.requests["eth_sendRawTransaction"] for proxy in proxies] == [1, 0, 0]
    # The next broadcast goes elsewhere.
    exchange(chain, [("eth_sendRawTransaction", [raw])])
    assert [proxy.requests["eth_sendRawTransaction"] for proxy in proxies] == [1, 1, 0]


@pytest.mark.threat("S12")
def test_send_succeeds_when_nodes_fail_in_turn(proxies: list[FaultyProxy], node: Node) -> None:
    chain = connect(proxies, retry_seconds=5.0)
    sender = Sender(chain, wait_seconds=20)
    before = len(node.rpc("eth_getBlockByNumber", "latest", True)["transactions"])
    assert before >= 0
    count = int(node.rpc("eth_getTransactionCount", signer(2).address, "latest"), 16)
    for turn in range(6):
        down = proxies[turn % 3]
        down.arm("eth_sendRawTransaction", "drop_after")
        down.arm("eth_getTransactionCount", "503")
        receipt = sender.send(signer(2), None, creation(ECHO), reference=f"turn {turn}")
        assert receipt.contract_address
    after = int(node.rpc("eth_getTransactionCount", signer(2).address, "latest"), 16)
    assert after == count + 6


# Which chain


@pytest.mark.threat("S11")
@pytest.mark.parametrize("other", ["elsewhere", "foreign"])
def test_a_node_of_another_chain_is_left_out_when_there_are_others(
    proxies: list[FaultyProxy], other: str, request: pytest.FixtureRequest, caplog: Any
) -> None:
    stranger: Node = request.getfixturevalue(other)
    stranger.mine(50)
    genesis = Chain.connect(proxies[0].url).genesis_hash
    with FaultyProxy(stranger.url).serving() as strange:
        chain = connect([strange, proxies[0]], genesis_hash=genesis)
        assert standings(chain) == ["other_chain", "ready"]
        assert "another chain" in caplog.text or "not chain 1337" in caplog.text
        for _ in range(3):
            assert chain.block_number() < 50
            rest(chain)
        assert strange.requests["eth_blockNumber"] == 0
        # With nobody else left it is refused, not believed.
        proxies[0].down()
        with pytest.raises(NodeUnavailableError):
            chain.block_number()
        with pytest.raises(NetworkMismatchError):
            connect([strange], genesis_hash=genesis)


@pytest.mark.threat("S11")
@pytest.mark.threat("O05")
def test_a_node_that_comes_back_as_another_chain_is_refused(
    proxies: list[FaultyProxy], elsewhere: Node
) -> None:
    alone, two = connect(proxies[:1]), connect(proxies[:2])
    proxies[0].down()
    proxies[0].target = elsewhere.url
    proxies[0].up()
    # The connection was cut, so what answers now is checked before anything is sent there.
    before = proxies[0].requests["eth_blockNumber"]
    with pytest.raises(NetworkMismatchError):
        exchange(alone, [("eth_blockNumber", [])])
    assert proxies[0].requests["eth_blockNumber"] == before
    for ask in (alone.block_number, alone.head, lambda: request(alone, "eth_gasPrice")):
        with pytest.raises(NetworkMismatchError, match="another chain of the same number"):
            ask()
    with pytest.raises(NetworkMismatchError):
        exchange(alone, [("eth_blockNumber", [])])
    with pytest.raises(NetworkMismatchError, match="nothing was signed"):
        alone.require_same_chain(within_seconds=60.0)
    assert two.block_number() >= 0
    rest(two)
    assert standings(two) == ["other_chain", "ready"]


@pytest.mark.threat("S11")
def test_require_same_chain_turns_to_another_node_when_one_lies(
    proxies: list[FaultyProxy],
) -> None:
    chain = connect(proxies)
    proxies[0].arm("eth_chainId", lie="0x1")
    chain.require_same_chain()
    assert standings(chain) == ["other_chain", "ready", "ready"]
    before = [proxy.requests["eth_chainId"] for proxy in proxies]
    chain.require_same_chain(within_seconds=60.0)
    assert [proxy.requests["eth_chainId"] for proxy in proxies] == before
    for proxy in proxies:
        proxy.arm("eth_chainId", lie="0x1", times=5)
    with pytest.raises(NetworkMismatchError, match="nothing was signed"):
        chain.require_same_chain()


# How far


@pytest.mark.threat("S12")
def test_a_stale_node_is_passed_over_when_others_are_ahead(
    proxies: list[FaultyProxy], node: Node
) -> None:
    chain = connect(proxies)
    at = proxies[0].freeze()
    node.mine(3)
    rest(chain)
    assert standings(chain) == ["ready"] * 3  # within what counts as late
    assert chain.block_number() == at
    node.mine(1)
    rest(chain)
    assert standings(chain) == ["behind", "ready", "ready"]
    assert chain.nodes.states()[0].head == at
    assert chain.block_number() == at + 4
    proxies[0].thaw()
    rest(chain)
    assert standings(chain) == ["ready"] * 3


@pytest.mark.threat("S12")
@pytest.mark.parametrize("ask", ["eth_blockNumber", "eth_getBlockByNumber"])
def test_an_answer_is_not_believed_when_it_is_behind_one_that_was(
    proxies: list[FaultyProxy], node: Node, ask: str
) -> None:
    chain = connect(proxies)
    at = proxies[0].freeze()
    node.mine(10)
    proxies[0].arm("*", "503")
    assert chain.block_number() == at + 10
    chain.nodes._roster.endpoints[0].standing = "ready"  # as if it had been checked long before
    if ask == "eth_blockNumber":
        assert chain.block_number() == at + 10
    else:
        assert chain.head().number == at + 10
    assert standings(chain)[0] == "behind"


@pytest.mark.threat("S12")
def test_read_is_unavailable_when_only_a_stale_node_is_left(
    proxies: list[FaultyProxy], node: Node
) -> None:
    chain = connect(proxies[:2])
    checked: Any = signer(3).address
    proxies[1].freeze()
    receipt = Sender(chain).send(signer(3), None, creation(ECHO), reference="a")
    node.mine(10)
    assert chain.block_number() == receipt.block_number + 10
    proxies[0].down()
    # The nonce it would tell is an old one: two transactions would share it.
    with pytest.raises(NodeUnavailableError, match=r"is at block \d+, another was at"):
        chain.read(lambda: chain.w3.eth.get_transaction_count(checked))
    proxies[1].thaw()
    count = chain.read(lambda: chain.w3.eth.get_transaction_count(checked))
    assert count == int(node.rpc("eth_getTransactionCount", signer(3).address, "latest"), 16)


@pytest.mark.threat("S12")
def test_what_an_exchange_shows_is_held_against_the_next_node(
    proxies: list[FaultyProxy], node: Node
) -> None:
    chain = connect(proxies[:2])
    proxies[1].freeze()
    node.mine(10)
    assert exchange(chain, [("eth_blockNumber", [])])[0].result == hex(node.block_number())
    proxies[0].down()
    with pytest.raises(NodeUnavailableError):
        exchange(chain, [("eth_gasPrice", [])])
    with pytest.raises(NodeUnavailableError, match=r"is at block \d+, another was at"):
        exchange(chain, [("eth_gasPrice", [])])
    assert proxies[1].requests["eth_gasPrice"] == 0


@pytest.mark.threat("S12")
def test_a_node_that_stands_still_is_passed_over_when_another_goes_on(
    proxies: list[FaultyProxy], node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endpoint_module, "STALL_SECONDS", 0.5)
    chain = connect(proxies[:2], stale_blocks=1000)
    proxies[0].freeze()
    node.mine(1)
    for _ in range(2):
        rest(chain)
        assert standings(chain) == ["ready", "ready"]
    time.sleep(0.4)
    rest(chain)
    assert standings(chain) == ["behind", "ready"]
    # A chain on which nothing happens stands still as a whole, and nobody is behind.
    proxies[0].thaw()
    rest(chain)
    time.sleep(0.6)
    rest(chain)
    assert standings(chain) == ["ready", "ready"]


def test_nodes_are_used_again_when_the_chain_itself_went_back(
    proxies: list[FaultyProxy], node: Node
) -> None:
    before = node.snapshot()
    chain = connect(proxies)
    node.mine(20)
    ahead = chain.block_number()
    node.revert(before)
    assert chain.block_number() == ahead - 20
    rest(chain)
    assert standings(chain) == ["ready"] * 3


@pytest.mark.threat("S11")
def test_a_claimed_block_is_forgotten_when_most_nodes_do_not_have_it(
    proxies: list[FaultyProxy], node: Node
) -> None:
    for count in (2, 3):
        chain = connect(proxies[:count])
        proxies[0].arm("eth_blockNumber", lie=hex(10**9), times=1)
        assert chain.block_number() == 10**9
        proxies[0].down()
        if count == 2:
            # One against one: nobody knows who is right.
            with pytest.raises(NodeUnavailableError):
                chain.block_number()
        else:
            assert chain.block_number() == node.block_number()
        proxies[0].up()


# Agreement


def test_connect_refuses_when_more_must_agree_than_there_are(proxies: list[FaultyProxy]) -> None:
    urls = [proxy.url for proxy in proxies]
    for agreement in (0, 4):
        with pytest.raises(ConfigurationError, match="cannot agree"):
            Chain.connect(urls, agreement=agreement)
    for wrong in ([], [urls[0], urls[0]], [urls[0], "ws://127.0.0.1:1"]):
        with pytest.raises(ConfigurationError):
            Chain.connect(wrong)


@pytest.mark.threat("S11")
def test_send_takes_no_other_receipt_and_no_other_address_when_a_node_lies(
    proxies: list[FaultyProxy], node: Node
) -> None:
    sender = Sender(connect(proxies[:1], retry_seconds=1.0))
    first = sender.send(signer(0), None, creation(ECHO), reference="a")
    other = node.rpc("eth_getTransactionReceipt", first.transaction_hash)
    proxies[0].arm("eth_getTransactionReceipt", lie=other, times=3)
    second = sender.send(signer(0), None, creation(ECHO), reference="b")
    assert second.block_number == first.block_number + 1
    proxies[0].arm(
        "eth_getTransactionReceipt",
        lie=lambda said: said and {**said, "contractAddress": first.contract_address},
        times=3,
    )
    third = sender.send(signer(0), None, creation(ECHO), reference="c")
    honest = node.rpc("eth_getTransactionReceipt", third.transaction_hash)["contractAddress"]
    assert (third.contract_address or "").lower() == honest.lower()


@pytest.mark.threat("S11")
def test_agree_takes_what_enough_nodes_say_when_one_lies(
    proxies: list[FaultyProxy], node: Node
) -> None:
    chain = connect(proxies, agreement=2, retry_seconds=0.1)
    receipt = Sender(chain).send(signer(0), None, creation(ECHO), reference="a")
    digest = receipt.transaction_hash
    honest = node.rpc("eth_getTransactionReceipt", digest)
    for lie in (
        None,
        {**honest, "status": "0x0"},
        {**honest, "blockHash": "0x" + "ee" * 32},
        {**honest, "logs": [{"address": "0x" + "11" * 20, "topics": [], "data": "0x"}]},
    ):
        proxies[0].arm("eth_getTransactionReceipt", lie=lie)
        said = chain.agree("eth_getTransactionReceipt", [digest])
        assert (said["status"], said["blockHash"]) == ("0x1", honest["blockHash"])
    number = hex(receipt.block_number)
    proxies[1].arm("eth_getBlockByNumber", lie=lambda block: {**block, "hash": "0x" + "ee" * 32})
    assert chain.agree("eth_getBlockByNumber", [number, False])["hash"] == honest["blockHash"]
    # Neither the case of digits nor a field that only some nodes have is a contradiction.
    proxies[0].arm(
        "eth_getTransactionReceipt",
        lie=lambda said: {**said, "blockHash": "0x" + said["blockHash"][2:].upper(), "extra": 1},
    )
    before = proxies[2].requests["eth_getTransactionReceipt"]
    assert chain.agree("eth_getTransactionReceipt", [digest])["status"] == "0x1"
    assert proxies[2].requests["eth_getTransactionReceipt"] == before


@pytest.mark.threat("S10")
@pytest.mark.threat("S11")
def test_height_is_what_enough_nodes_have_reached_when_one_claims_more_or_less(
    proxies: list[FaultyProxy], node: Node
) -> None:
    chain = connect(proxies, agreement=2, retry_seconds=0.1)
    node.mine(5)
    for claim in (hex(10**6), "0x0"):
        for proxy in proxies:
            proxy.arm("eth_getBlockByNumber", lie=lambda block, to=claim: {**block, "number": to})
            assert chain.height() == node.block_number()
            assert chain.height("finalized") <= node.block_number()
            proxy.calm()
    for proxy in proxies[:2]:
        proxy.arm("eth_getBlockByNumber", "busy", times=100)
    with pytest.raises(NodeUnavailableError, match="2 nodes must have reached a block, and 1"):
        chain.height()
    assert connect(proxies).height() == node.block_number()


@pytest.mark.threat("S10")
def test_height_is_nothing_when_a_node_knows_no_such_block(
    proxies: list[FaultyProxy],
) -> None:
    for agreement in (1, 3):
        chain = connect(proxies, agreement=agreement, retry_seconds=0.1)
        for proxy in proxies:
            proxy.arm("eth_getBlockByNumber", "refuse", times=100)
        assert chain.height("finalized") == 0
        with pytest.raises(NodeUnavailableError):
            chain.height()
        for proxy in proxies:
            proxy.calm()


@pytest.mark.threat("S11")
def test_agree_refuses_when_the_nodes_contradict_each_other(
    proxies: list[FaultyProxy], node: Node
) -> None:
    chain = connect(proxies, agreement=2, retry_seconds=0.2)
    for index, proxy in enumerate(proxies):
        proxy.arm("eth_getBalance", lie=hex(index), times=100)
    with pytest.raises(DisagreementError) as refused:
        chain.agree("eth_getBalance", [signer(0).address, "0x0"])
    for index, proxy in enumerate(proxies):
        assert f'{proxy.url}: "{hex(index)}"' in str(refused.value)
    for proxy in proxies:
        proxy.calm()
    assert chain.agree("eth_getBalance", [signer(0).address, "0x0"])


@pytest.mark.threat("S11")
def test_agree_waits_when_a_node_is_only_late(proxies: list[FaultyProxy]) -> None:
    chain = connect(proxies[:2], agreement=2, retry_seconds=5.0)
    receipt = Sender(chain).send(signer(0), None, creation(ECHO), reference="a")
    proxies[0].arm("eth_getTransactionReceipt", lie=None, times=2)
    assert chain.agree("eth_getTransactionReceipt", [receipt.transaction_hash])
    proxies[1].arm("eth_getTransactionReceipt", "busy", times=2)
    time.sleep(0.3)
    assert chain.agree("eth_getTransactionReceipt", [receipt.transaction_hash])


@pytest.mark.threat("S11")
def test_agree_is_unavailable_when_too_few_answer(proxies: list[FaultyProxy]) -> None:
    chain = connect(proxies, agreement=3, retry_seconds=0.1)
    assert chain.agree("eth_chainId", []) == hex(CHAIN_ID)
    proxies[2].down()
    with pytest.raises(NodeUnavailableError, match=r"3 nodes must agree .* 2 answered") as refused:
        chain.agree("eth_chainId", [])
    assert not isinstance(refused.value, DisagreementError)
    assert connect(proxies).agree("eth_chainId", []) == hex(CHAIN_ID)


def test_agree_counts_a_node_that_is_behind_when_it_has_the_block(
    proxies: list[FaultyProxy], node: Node
) -> None:
    chain = connect(proxies[:2], agreement=2, retry_seconds=0.1)
    at = proxies[1].freeze()
    node.mine(10)
    rest(chain)
    assert standings(chain) == ["ready", "behind"]
    assert chain.agree("eth_getBlockByNumber", [hex(at), False])["number"] == hex(at)
    with pytest.raises(DisagreementError):
        chain.agree("eth_getBlockByNumber", [hex(at + 10), False])


def test_agree_is_a_refusal_when_the_nodes_agree_that_the_contract_reverts(
    proxies: list[FaultyProxy],
) -> None:
    chain = connect(proxies, agreement=2)
    echo = Sender(chain).send(signer(0), None, creation(ECHO), reference="a").contract_address
    with pytest.raises(ContractRevertedError):
        chain.agree("eth_call", [{"to": echo, "data": "0x01020304"}, "latest"])


def test_essence_is_what_decides_when_answers_are_compared() -> None:
    block = {"hash": "0xAB", "number": "0x1", "parentHash": "0x2", "timestamp": "0x3", "size": 1}
    assert essence("eth_getBlockByHash", {"result": block}) == essence(
        "eth_getBlockByHash", {"result": {**block, "hash": "0xab", "size": 2}}
    )
    for method in ("eth_getBlockByHash", "eth_getTransactionReceipt", "eth_getLogs", "eth_call"):
        assert essence(method, {"result": None}) == "null"
    log = {"address": "0xA", "topics": [], "data": "0x", "logIndex": "0x0", "removed": False}
    for method in ("eth_getLogs", "eth_getBlockReceipts"):
        assert essence(method, {"result": [log]}) != essence(method, {"result": [log, log]})
    assert essence("eth_getLogs", {"result": [log]}) == essence(
        "eth_getLogs", {"result": [{**log, "blockTimestamp": "0x1"}]}
    )
    one = {"error": {"code": 3, "message": "execution reverted: A", "data": "0x01"}}
    other = {"error": {"code": -32000, "message": "VM Exception", "data": "0x01"}}
    assert essence("eth_call", one) == essence("eth_call", other)
    assert essence("eth_call", {"error": "words"}) != essence("eth_call", one)


# Many threads


@pytest.mark.threat("S13")
def test_every_thread_gets_its_answer_when_nodes_come_and_go(
    proxies: list[FaultyProxy], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(roster_module, "SURVEY_SECONDS", 0.05)
    chain = connect(proxies, retry_seconds=20.0)

    def ask(thread: int) -> int:
        for turn in range(40):
            data = "0x" + bytes([thread, turn]).hex()
            one = request(chain, "web3_sha3", data)
            two = chain.read(lambda d=data: chain.w3.provider.make_request("web3_sha3", [d]))
            assert one == two["result"]
        return thread

    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(ask, thread) for thread in range(8)]
        for turn in range(6):
            proxies[turn % 3].down()
            time.sleep(0.1)
            proxies[turn % 3].up()
            proxies[(turn + 1) % 3].arm("web3_sha3", "alien")
            proxies[(turn + 2) % 3].arm("web3_sha3", "drop_after")
        assert sorted(each.result() for each in asked) == list(range(8))


def test_a_forked_process_is_answered_when_its_parent_was_just_asking(
    proxies: list[FaultyProxy],
) -> None:
    chain = connect(proxies)
    stopped = threading.Event()

    def keep_asking() -> None:
        while not stopped.is_set():
            request(chain, "eth_blockNumber")

    with ThreadPoolExecutor(4) as pool:
        asking = [pool.submit(keep_asking) for _ in range(4)]
        for _ in range(5):
            time.sleep(0.05)
            child = os.fork()
            if child == 0:
                signal.alarm(10)  # it hangs rather than fails
                answered = request(chain, "eth_chainId") == hex(CHAIN_ID)
                os._exit(0 if answered else 1)
            assert os.waitpid(child, 0)[1] == 0
        stopped.set()
        for each in asking:
            each.result()
