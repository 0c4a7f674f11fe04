"""Sent once, whatever happens to the answers. S02, S03, S13."""

import threading
import time

import pytest
from eth_utils import keccak

from tael.chain import Chain
from tael.errors import OutcomeUnknownError, TransactionRefusedError
from tael.testing import start_node
from tests.journal.sending.sending import PAYEE, CountingSigner, count, send
from tests.support.faulty_proxy import FaultyProxy
from tests.support.raw_contracts import ECHO, creation, signer
from tests.support.sending import order, outbox_on


@pytest.mark.threat("S02")
@pytest.mark.threat("S13")
@pytest.mark.parametrize(
    "fault", ["drop_after", "html", "truncate", "503", "429", "drop_before", "slow"]
)
def test_send_happens_once_when_the_answer_is_lost(node, proxy, outbox, fault):
    before = count(node, signer(0))
    proxy.arm("eth_sendRawTransaction", fault, times=2)
    receipt = send(outbox, signer(0), PAYEE, value=1)
    assert receipt.status == "included"
    assert count(node, signer(0)) == before + 1


@pytest.mark.threat("S02")
def test_send_resends_the_same_bytes_when_the_lookup_is_lost_too(node, proxy, outbox):
    before = count(node, signer(0))
    proxy.bodies.clear()
    proxy.arm("eth_sendRawTransaction", "drop_after")
    # It was mined, but the node does not say so yet: the same bytes meet `nonce too low`.
    proxy.arm("eth_getTransactionByHash", lie=None)
    receipt = send(outbox, signer(0), PAYEE, value=1)
    raws = {
        body["params"][0] for body in proxy.bodies if body["method"] == "eth_sendRawTransaction"
    }
    assert len(raws) == 1
    assert "0x" + keccak(bytes.fromhex(raws.pop()[2:])).hex() == receipt.transaction_hash
    assert count(node, signer(0)) == before + 1


@pytest.mark.threat("S02")
def test_send_happens_once_when_the_first_transaction_of_a_key_is_resent(node, proxy, outbox):
    # Ganache runs a transaction with nonce 0 again when it gets the same bytes twice.
    assert count(node, signer(8)) == 0
    balance = int(node.rpc("eth_getBalance", PAYEE, "latest"), 16)
    proxy.arm("eth_sendRawTransaction", "drop_after")
    proxy.arm("eth_getTransactionByHash", lie=None, times=3)
    what = order(signer(8), PAYEE, value=1)
    first = outbox.send(signer(8), what)
    assert outbox.send(signer(8), what).transaction_hash == first.transaction_hash
    assert count(node, signer(8)) == 1
    assert int(node.rpc("eth_getBalance", PAYEE, "latest"), 16) == balance + 1


@pytest.mark.threat("S13")
@pytest.mark.parametrize("fault", ["html", "429", "drop_before", "truncate"])
def test_send_waits_when_the_node_stumbles_over_the_receipt(node, proxy, outbox, fault):
    proxy.arm("eth_getTransactionReceipt", fault, times=3)
    assert send(outbox, signer(0), PAYEE).status == "included"


@pytest.mark.threat("S03")
def test_send_gives_the_hash_when_the_outcome_is_unknown(node, proxy, outbox):
    before, what = count(node, signer(0)), order(signer(0), PAYEE)
    outbox.wait_seconds = 1.0
    proxy.arm("eth_sendRawTransaction", "drop_after")
    proxy.arm("eth_sendRawTransaction", "503", times=1000)
    proxy.arm("eth_getTransactionByHash", "503", times=1000)
    proxy.arm("eth_getTransactionReceipt", "503", times=1000)
    with pytest.raises(OutcomeUnknownError, match="never send it under another") as unknown:
        outbox.send(signer(0), what)
    assert unknown.value.reference == what.reference
    # In truth it went through, and can be ordered again any number of times.
    proxy.calm()
    outbox.wait_seconds = 20
    for _ in range(2):
        receipt = outbox.send(signer(0), what)
        assert (receipt.repeated, receipt.transaction_hash) == (
            True,
            unknown.value.transaction_hash,
        )
    assert count(node, signer(0)) == before + 1


@pytest.mark.threat("S02")
def test_send_waits_when_the_node_has_the_bytes_already():
    with (
        start_node("anvil", mine_automatically=False) as manual,
        FaultyProxy(manual.url).serving() as proxy,
    ):
        proxy.arm("eth_sendRawTransaction", "drop_after")
        proxy.arm("eth_getTransactionByHash", lie=None)
        chain = Chain.connect(proxy.url)

        def mine_when_resent():
            deadline = time.monotonic() + 20
            while time.monotonic() < deadline and proxy.forwarded["eth_sendRawTransaction"] < 2:
                time.sleep(0.02)
            manual.mine()

        thread = threading.Thread(target=mine_when_resent)
        thread.start()
        assert send(outbox_on(chain, wait_seconds=30), signer(0), PAYEE).block_number == 1
        thread.join()
        assert proxy.forwarded["eth_sendRawTransaction"] == 2
        assert count(manual, signer(0)) == 1


@pytest.mark.threat("S03")
def test_send_happens_once_when_an_answer_is_lost_and_then_refused(node, proxy, outbox):
    before, what = count(node, signer(9)), order(signer(9), PAYEE)
    proxy.arm("eth_sendRawTransaction", "drop_before")
    proxy.arm("eth_sendRawTransaction", "refuse")
    with pytest.raises(TransactionRefusedError, match="not available") as refused:
        outbox.send(signer(9), what)
    assert "the same bytes are sent" in refused.value.message
    receipt = outbox.send(signer(9), what)
    assert receipt.transaction_hash == refused.value.transaction_hash
    assert count(node, signer(9)) == before + 1


def test_send_derives_the_tip_when_the_node_suggests_none(node, proxy, outbox):
    proxy.arm("eth_maxPriorityFeePerGas", "refuse", times=10)
    proxy.arm("eth_feeHistory", "refuse", times=10)
    receipt = send(outbox, signer(0), PAYEE)
    transaction = node.rpc("eth_getTransactionByHash", receipt.transaction_hash)
    assert int(transaction["type"], 16) == 2
    assert int(transaction["maxPriorityFeePerGas"], 16) >= 0


def test_send_is_refused_when_the_node_cannot_estimate(proxy, outbox):
    who = CountingSigner(signer(0))
    proxy.arm("eth_estimateGas", "refuse")
    with pytest.raises(TransactionRefusedError, match="refused to estimate"):
        send(outbox, who, PAYEE)
    assert who.signed == 0


def test_send_splits_nothing_when_a_block_has_too_little_gas(proxy, outbox):
    def small(block):
        return {**block, "gasLimit": hex(30_000)}

    who = CountingSigner(signer(0))
    proxy.arm("eth_getBlockByNumber", lie=small, times=50)
    with pytest.raises(TransactionRefusedError, match="split it"):
        send(outbox, who, None, creation(ECHO))
    assert who.signed == 0
