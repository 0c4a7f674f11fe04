"""A read goes to the next node when one fails; the failed one is returned to (S13, O02)."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from tael.chain import node_selection as selection_module
from tael.errors import NodeUnavailableError
from tael.rpc import exchange, request, request_many
from tael.testing import LocalNode
from tests.sdk.failover.connecting import CHAIN_ID, connect, rest, standings
from tests.support.faulty_proxy import FaultyProxy


@pytest.mark.threat("S13")
@pytest.mark.parametrize("ask", ["w3", "request", "request_many", "head"])
@pytest.mark.parametrize(
    "fault", ["html", "truncate", "429", "503", "drop_before", "drop_after", "busy", "slow"]
)
def test_read_goes_to_the_next_node_when_the_first_fails(
    proxies: list[FaultyProxy], node: LocalNode, fault: str, ask: str
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
    monkeypatch.setattr(selection_module, "SURVEY_SECONDS", 0.05)
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


def test_one_node_is_asked_nothing_more_than_what_is_asked(node: LocalNode) -> None:
    with FaultyProxy(node.url).serving() as proxy:
        chain = connect([proxy])
        before = sum(proxy.requests.values())
        for _ in range(10):
            chain.block_number()
            request_many(chain, [("eth_chainId", []), ("eth_gasPrice", [])])
        assert sum(proxy.requests.values()) == before + 30
