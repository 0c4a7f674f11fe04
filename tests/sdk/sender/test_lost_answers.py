"""Sent once, whatever happens to the answers. S02, S03, S13."""

import threading
import time

import pytest
from eth_utils import keccak

from tael.chain import Chain, Sender
from tael.errors import OutcomeUnknownError, TransactionRefusedError
from tael.testing import start_node
from tests.sdk.sender.sending import PAYEE, CountingSigner, count, send
from tests.support.faulty_proxy import FaultyProxy
from tests.support.raw_contracts import ECHO, creation, signer


@pytest.mark.threat("S02")
@pytest.mark.threat("S13")
@pytest.mark.parametrize(
    "fault", ["drop_after", "html", "truncate", "503", "429", "drop_before", "slow"]
)
def test_send_happens_once_when_the_answer_is_lost(node, proxy, sender, fault):
    before = count(node, signer(0))
    proxy.arm("eth_sendRawTransaction", fault, times=2)
    receipt = send(sender, signer(0), PAYEE, value=1)
    assert receipt.status == "included"
    assert count(node, signer(0)) == before + 1


@pytest.mark.threat("S02")
def test_send_resends_the_same_bytes_when_the_lookup_is_lost_too(node, proxy, sender):
    before = count(node, signer(0))
    proxy.bodies.clear()
    proxy.arm("eth_sendRawTransaction", "drop_after")
    # It was mined, but the node does not say so yet: the same bytes meet `nonce too low`.
    proxy.arm("eth_getTransactionByHash", lie=None)
    receipt = send(sender, signer(0), PAYEE, value=1)
    raws = {
        body["params"][0] for body in proxy.bodies if body["method"] == "eth_sendRawTransaction"
    }
    assert len(raws) == 1
    assert "0x" + keccak(bytes.fromhex(raws.pop()[2:])).hex() == receipt.transaction_hash
    assert count(node, signer(0)) == before + 1


@pytest.mark.threat("S02")
def test_send_happens_once_when_the_first_transaction_of_a_key_is_resent(node, proxy, sender):
    # Ganache runs a transaction with nonce 0 again when it gets the same bytes twice.
    assert count(node, signer(8)) == 0
    balance = int(node.rpc("eth_getBalance", PAYEE, "latest"), 16)
    proxy.arm("eth_sendRawTransaction", "drop_after")
    proxy.arm("eth_getTransactionByHash", lie=None, times=3)
    prepared = []
    send(sender, signer(8), PAYEE, value=1, before_broadcast=prepared.append)
    sender.broadcast(prepared[0])
    assert count(node, signer(8)) == 1
    assert int(node.rpc("eth_getBalance", PAYEE, "latest"), 16) == balance + 1


@pytest.mark.threat("S13")
@pytest.mark.parametrize("fault", ["html", "429", "drop_before", "truncate"])
def test_send_waits_when_the_node_stumbles_over_the_receipt(node, proxy, sender, fault):
    proxy.arm("eth_getTransactionReceipt", fault, times=3)
    assert send(sender, signer(0), PAYEE).status == "included"


@pytest.mark.threat("S03")
def test_send_gives_the_hash_when_the_outcome_is_unknown(node, proxy, chain):
    before = count(node, signer(0))
    sender = Sender(chain, wait_seconds=1.0)
    proxy.arm("eth_sendRawTransaction", "drop_after")
    proxy.arm("eth_sendRawTransaction", "503", times=1000)
    proxy.arm("eth_getTransactionByHash", "503", times=1000)
    proxy.arm("eth_getTransactionReceipt", "503", times=1000)
    prepared = []
    with pytest.raises(OutcomeUnknownError, match="do not send the write again") as unknown:
        send(sender, signer(0), PAYEE, before_broadcast=prepared.append)
    assert unknown.value.reference == "INV-1"
    assert unknown.value.transaction_hash == prepared[0].transaction_hash
    # In truth it went through, and can be looked up or broadcast again any number of times.
    proxy.calm()
    assert sender.lookup(prepared[0]).transaction_hash == prepared[0].transaction_hash
    assert sender.broadcast(prepared[0]).transaction_hash == prepared[0].transaction_hash
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
        assert send(Sender(chain, wait_seconds=30), signer(0), PAYEE).block_number == 1
        thread.join()
        assert proxy.forwarded["eth_sendRawTransaction"] == 2
        assert count(manual, signer(0)) == 1


@pytest.mark.threat("S03")
def test_send_is_an_unknown_outcome_when_an_answer_is_lost_and_then_refused(node, proxy, sender):
    proxy.arm("eth_sendRawTransaction", "drop_before")
    proxy.arm("eth_sendRawTransaction", "refuse")
    # The first attempt may have arrived, so the refusal of the second proves nothing.
    with pytest.raises(OutcomeUnknownError, match="then the node said"):
        send(sender, signer(9), PAYEE)


def test_send_is_refused_when_the_node_refuses_the_first_attempt(node, proxy, sender):
    before = count(node, signer(9))
    proxy.arm("eth_sendRawTransaction", "refuse")
    with pytest.raises(TransactionRefusedError, match="not available"):
        send(sender, signer(9), PAYEE)
    assert count(node, signer(9)) == before


def test_send_is_refused_when_the_nonce_given_is_used(node, sender):
    send(sender, signer(6), PAYEE)
    send(sender, signer(6), PAYEE)
    with pytest.raises(TransactionRefusedError, match="went to another"):
        send(sender, signer(6), PAYEE, value=3, nonce=count(node, signer(6)) - 1)


def test_send_derives_the_tip_when_the_node_suggests_none(node, proxy, sender):
    proxy.arm("eth_maxPriorityFeePerGas", "refuse", times=10)
    proxy.arm("eth_feeHistory", "refuse", times=10)
    receipt = send(sender, signer(0), PAYEE)
    transaction = node.rpc("eth_getTransactionByHash", receipt.transaction_hash)
    assert int(transaction["type"], 16) == 2
    assert int(transaction["maxPriorityFeePerGas"], 16) >= 0


def test_send_is_refused_when_the_node_cannot_estimate(proxy, sender):
    who = CountingSigner(signer(0))
    proxy.arm("eth_estimateGas", "refuse")
    with pytest.raises(TransactionRefusedError, match="refused to estimate"):
        send(sender, who, PAYEE)
    assert who.signed == 0


def test_broadcast_is_refused_when_the_nonce_went_to_another(node, sender):
    prepared = sender.prepare(signer(7), PAYEE, b"", reference="INV-2", value=1)
    send(sender, signer(7), PAYEE, value=2)
    with pytest.raises(TransactionRefusedError, match="went to another") as refused:
        sender.broadcast(prepared)
    assert refused.value.transaction_hash == prepared.transaction_hash
    assert sender.lookup(prepared) is None


def test_broadcast_is_an_unknown_outcome_when_not_included_in_time():
    with start_node("anvil", mine_automatically=False) as manual:
        chain = Chain.connect(manual.url)
        sender = Sender(chain, wait_seconds=1)
        prepared = []
        with pytest.raises(OutcomeUnknownError, match="not included after"):
            send(sender, signer(0), PAYEE, before_broadcast=prepared.append)
        assert sender.lookup(prepared[0]) is None
        manual.mine()
        assert sender.lookup(prepared[0]).block_number == 1


def test_send_rebroadcasts_when_the_node_lost_the_transaction():
    with start_node("anvil", mine_automatically=False) as manual:
        chain = Chain.connect(manual.url)
        sender = Sender(chain, wait_seconds=30)
        result = []

        def lose_then_mine():
            deadline = time.monotonic() + 20
            while time.monotonic() < deadline and not result:
                pool = manual.rpc("txpool_content")["pending"]
                if pool:
                    manual.rpc("anvil_dropAllTransactions")
                    break
                time.sleep(0.02)
            while time.monotonic() < deadline and not manual.rpc("txpool_content")["pending"]:
                time.sleep(0.05)
            manual.mine()

        thread = threading.Thread(target=lose_then_mine)
        thread.start()
        result.append(send(sender, signer(0), PAYEE))
        thread.join()
        assert result[0].block_number >= 1
        assert count(manual, signer(0)) == 1


def test_wait_ends_when_another_transaction_took_the_nonce():
    with start_node("anvil", mine_automatically=False) as manual:
        chain = Chain.connect(manual.url)
        sender = Sender(chain, wait_seconds=30)

        def replace():
            deadline = time.monotonic() + 20
            while time.monotonic() < deadline and not manual.rpc("txpool_content")["pending"]:
                time.sleep(0.02)
            fee = hex(10**11)
            manual.rpc(
                "eth_sendTransaction",
                {
                    "from": signer(0).address,
                    "to": signer(1).address,
                    "nonce": "0x0",
                    "maxFeePerGas": fee,
                    "maxPriorityFeePerGas": fee,
                    "gas": "0x5208",
                },
            )
            manual.mine()

        thread = threading.Thread(target=replace)
        thread.start()
        with pytest.raises(TransactionRefusedError, match="went to another"):
            send(sender, signer(0), PAYEE)
        thread.join()


def test_send_splits_nothing_when_a_block_has_too_little_gas(node, proxy, chain):
    def small(block):
        return {**block, "gasLimit": hex(30_000)}

    who = CountingSigner(signer(0))
    proxy.arm("eth_getBlockByNumber", lie=small, times=50)
    with pytest.raises(TransactionRefusedError, match="split it"):
        send(Sender(chain), who, None, creation(ECHO))
    assert who.signed == 0
