"""What several nodes must agree on, and who is believed when one lies (S10, S11)."""

from __future__ import annotations

import time

import pytest

from tael.chain import Chain
from tael.chain.agreement import essence
from tael.errors import (
    ConfigurationError,
    ContractRevertedError,
    DisagreementError,
    NodeUnavailableError,
)
from tael.testing import LocalNode
from tests.sdk.failover.connecting import CHAIN_ID, connect, rest, standings
from tests.support.faulty_proxy import FaultyProxy
from tests.support.raw_contracts import ECHO, creation, signer
from tests.support.sending import create, order, outbox_on, send


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
    proxies: list[FaultyProxy], node: LocalNode
) -> None:
    outbox, who = outbox_on(connect(proxies[:1], retry_seconds=1.0)), signer(0)
    first = outbox.send(who, order(who, None, creation(ECHO)))
    other = node.rpc("eth_getTransactionReceipt", first.transaction_hash)
    proxies[0].arm("eth_getTransactionReceipt", lie=other, times=3)
    second = outbox.send(who, order(who, None, creation(ECHO)))
    assert second.block_number == first.block_number + 1
    proxies[0].arm(
        "eth_getTransactionReceipt",
        lie=lambda said: said and {**said, "contractAddress": first.contract_address},
        times=3,
    )
    third = outbox.send(who, order(who, None, creation(ECHO)))
    honest = node.rpc("eth_getTransactionReceipt", third.transaction_hash)["contractAddress"]
    assert (third.contract_address or "").lower() == honest.lower()


@pytest.mark.threat("S11")
def test_agree_takes_what_enough_nodes_say_when_one_lies(
    proxies: list[FaultyProxy], node: LocalNode
) -> None:
    chain = connect(proxies, agreement=2, retry_seconds=0.1)
    receipt = send(chain, signer(0), None, creation(ECHO))
    digest = receipt["transactionHash"]
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
    number = receipt["blockNumber"]
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
    proxies: list[FaultyProxy], node: LocalNode
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
    proxies: list[FaultyProxy], node: LocalNode
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
    receipt = send(chain, signer(0), None, creation(ECHO))
    proxies[0].arm("eth_getTransactionReceipt", lie=None, times=2)
    assert chain.agree("eth_getTransactionReceipt", [receipt["transactionHash"]])
    proxies[1].arm("eth_getTransactionReceipt", "busy", times=2)
    time.sleep(0.3)
    assert chain.agree("eth_getTransactionReceipt", [receipt["transactionHash"]])


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
    proxies: list[FaultyProxy], node: LocalNode
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
    echo = create(chain, signer(0), creation(ECHO))
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
