"""A node that is behind the others is passed over, and not believed (S12)."""

from __future__ import annotations

import time

import pytest

from tael.chain import node as node_module
from tael.errors import NodeUnavailableError
from tael.rpc import exchange, request
from tael.testing import LocalNode
from tests.sdk.failover.connecting import connect, rest, standings
from tests.support.faulty_proxy import FaultyProxy
from tests.support.raw_contracts import ECHO, creation, signer
from tests.support.sending import send


@pytest.mark.threat("S12")
def test_a_stale_node_is_passed_over_when_others_are_ahead(
    proxies: list[FaultyProxy], node: LocalNode
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
    proxies: list[FaultyProxy], node: LocalNode, ask: str
) -> None:
    chain = connect(proxies)
    at = proxies[0].freeze()
    node.mine(10)
    proxies[0].arm("*", "503")
    assert chain.block_number() == at + 10
    chain.nodes._selection.nodes[0].health = "ready"  # as if it had been checked long before
    if ask == "eth_blockNumber":
        assert chain.block_number() == at + 10
    else:
        assert chain.head().number == at + 10
    assert standings(chain)[0] == "behind"


@pytest.mark.threat("S12")
def test_read_is_unavailable_when_only_a_stale_node_is_left(
    proxies: list[FaultyProxy], node: LocalNode
) -> None:
    chain = connect(proxies[:2])
    proxies[1].freeze()
    receipt = send(chain, signer(3), None, creation(ECHO))
    node.mine(10)
    assert chain.block_number() == int(receipt["blockNumber"], 16) + 10
    proxies[0].down()
    # The nonce it would tell is an old one: two transactions would share it.
    with pytest.raises(NodeUnavailableError, match=r"is at block \d+, another was at"):
        request(chain, "eth_getTransactionCount", signer(3).address, "latest")
    proxies[1].thaw()
    count = request(chain, "eth_getTransactionCount", signer(3).address, "latest")
    assert count == node.rpc("eth_getTransactionCount", signer(3).address, "latest")


@pytest.mark.threat("S12")
def test_what_an_exchange_shows_is_held_against_the_next_node(
    proxies: list[FaultyProxy], node: LocalNode
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
    proxies: list[FaultyProxy], node: LocalNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(node_module, "STALL_SECONDS", 0.5)
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
    proxies: list[FaultyProxy], node: LocalNode
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
    proxies: list[FaultyProxy], node: LocalNode
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
