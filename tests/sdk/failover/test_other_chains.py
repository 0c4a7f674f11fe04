"""A node of another chain is left out, not believed (S11)."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tael.chain import Chain
from tael.chain.node import Identity, Node
from tael.chain.node_selection import NodeSelection
from tael.errors import NetworkMismatchError, NodeUnavailableError
from tael.rpc import exchange, request
from tael.testing import LocalNode, start_node
from tests.sdk.failover.connecting import CHAIN_ID, connect, rest, standings
from tests.support.faulty_proxy import FaultyProxy


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[LocalNode]:
    """Another chain that has the same number."""
    with start_node("anvil", chain_id=CHAIN_ID, arguments=("--timestamp", "1700000000")) as running:
        yield running


@pytest.fixture(scope="module")
def foreign() -> Iterator[LocalNode]:
    """A chain of another number."""
    with start_node("anvil", chain_id=5) as running:
        yield running


@pytest.mark.threat("S11")
@pytest.mark.parametrize("other", ["elsewhere", "foreign"])
def test_a_node_of_another_chain_is_left_out_when_there_are_others(
    proxies: list[FaultyProxy], other: str, request: pytest.FixtureRequest, caplog: Any
) -> None:
    stranger: LocalNode = request.getfixturevalue(other)
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
    proxies: list[FaultyProxy], elsewhere: LocalNode
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


@pytest.mark.threat("S11")
def test_two_chains_are_never_both_taken_when_their_nodes_are_checked_at_once(
    node: LocalNode, elsewhere: LocalNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither chain is meant yet: the first to be noted decides, and the other is left out."""
    nodes = [Node(each.url, timeout_seconds=5.0) for each in (node, elsewhere)]
    selection = NodeSelection(nodes, Identity(None, None), 3)
    both_have_read = threading.Barrier(2)
    read = Node.read_identity

    def read_together(self: Node, post: Any = None) -> Identity:
        found = read(self, post)
        both_have_read.wait(10)
        return found

    monkeypatch.setattr(Node, "read_identity", read_together)

    def check(each: Node) -> None:
        with contextlib.suppress(NetworkMismatchError):
            selection.check(each)

    threads = [threading.Thread(target=check, args=(each,)) for each in nodes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert sorted(each.health for each in nodes) == ["other_chain", "ready"]
    (ready,) = [each for each in nodes if each.is_ready]
    assert selection.meant == ready.identity
