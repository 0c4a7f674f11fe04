"""One transaction, with the fee and the nonce it should have. S26."""

import threading

import pytest

from tael.chain import Sender
from tael.errors import TransactionRefusedError
from tests.sdk.sender.sending import PAYEE, CountingSigner, count, send
from tests.support.raw_contracts import ECHO, creation, signer


def test_send_gives_the_receipt_when_included(node, sender):
    before = count(node, signer(0))
    receipt = send(sender, signer(0), None, creation(ECHO))
    real = node.rpc("eth_getTransactionReceipt", receipt.transaction_hash)
    assert receipt.block_number == int(real["blockNumber"], 16)
    assert receipt.block_hash == real["blockHash"]
    assert receipt.gas_used == int(real["gasUsed"], 16)
    assert receipt.effective_gas_price_wei == int(real["effectiveGasPrice"], 16) > 0
    assert receipt.contract_address.lower() == real["contractAddress"]
    assert (receipt.reference, receipt.status, receipt.logs) == ("INV-1", "included", ())
    assert count(node, signer(0)) == before + 1


@pytest.mark.threat("S26")
def test_send_offers_what_was_estimated_and_a_margin_when_gas_is_needed(node, sender):
    receipt = send(sender, signer(0), None, creation(ECHO))
    transaction = node.rpc("eth_getTransactionByHash", receipt.transaction_hash)
    gas = int(transaction["gas"], 16)
    assert receipt.gas_used < gas < receipt.gas_used * 1.2 + 6_000
    assert int(transaction["type"], 16) == 2
    assert int(transaction["chainId"], 16) == 1337


def test_send_pays_legacy_fees_when_blocks_have_no_base_fee(node, proxy, sender):
    def without(block):
        return {key: value for key, value in block.items() if key != "baseFeePerGas"}

    proxy.arm("eth_getBlockByNumber", lie=without, times=50)
    receipt = send(sender, signer(0), None, creation(ECHO))
    transaction = node.rpc("eth_getTransactionByHash", receipt.transaction_hash)
    assert int(transaction["type"], 16) == 0


def test_send_refuses_before_signing_when_gas_is_too_dear(proxy, chain):
    who = CountingSigner(signer(0))

    def dear(block):
        return {**block, "baseFeePerGas": hex(10**13)}

    proxy.arm("eth_getBlockByNumber", lie=dear, times=50)
    with pytest.raises(TransactionRefusedError, match="more than the"):
        send(Sender(chain), who, PAYEE)
    assert who.signed == 0


def test_send_keeps_nonces_contiguous_when_threads_share_a_key(node, sender):
    before = count(node, signer(3))
    receipts, failures = [], []

    def work():
        try:
            for _ in range(5):
                receipts.append(send(sender, signer(3), PAYEE, value=1))
        except Exception as error:  # noqa: BLE001 - reported below
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len({each.transaction_hash for each in receipts}) == 15
    assert count(node, signer(3)) == before + 15


def test_send_takes_the_next_nonce_when_the_node_is_behind(node, proxy, sender):
    before = count(node, signer(4))
    send(sender, signer(4), PAYEE)
    proxy.arm("eth_getTransactionCount", lie=hex(before))
    send(sender, signer(4), PAYEE)
    assert count(node, signer(4)) == before + 2


def test_send_starts_over_when_the_chain_went_back(node, sender):
    snapshot = node.snapshot()
    before = count(node, signer(5))
    send(sender, signer(5), PAYEE)
    node.revert(snapshot)
    assert count(node, signer(5)) == before
    send(sender, signer(5), PAYEE)
    assert count(node, signer(5)) == before + 1
