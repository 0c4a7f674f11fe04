"""One transaction, with the fee and the nonce it should have. S26."""

import threading

import pytest

from tael.addresses import created_address
from tael.errors import NodeUnavailableError, TransactionRefusedError
from tests.journal.sending.sending import PAYEE, CountingSigner, count, send
from tests.support.raw_contracts import ECHO, creation, signer
from tests.support.sending import order


def test_send_gives_the_receipt_when_included(node, outbox):
    before = count(node, signer(0))
    receipt = send(outbox, signer(0), None, creation(ECHO))
    real = node.rpc("eth_getTransactionReceipt", receipt.transaction_hash)
    assert receipt.block_number == int(real["blockNumber"], 16)
    assert receipt.block_hash == real["blockHash"]
    assert receipt.gas_used == int(real["gasUsed"], 16)
    assert receipt.effective_gas_price_wei == int(real["effectiveGasPrice"], 16) > 0
    assert receipt.contract_address.lower() == real["contractAddress"]
    assert (receipt.status, receipt.logs, receipt.repeated) == ("included", (), False)
    assert count(node, signer(0)) == before + 1


@pytest.mark.threat("S26")
def test_send_offers_what_was_estimated_and_a_margin_when_gas_is_needed(node, outbox):
    receipt = send(outbox, signer(0), None, creation(ECHO))
    transaction = node.rpc("eth_getTransactionByHash", receipt.transaction_hash)
    gas = int(transaction["gas"], 16)
    assert receipt.gas_used < gas < receipt.gas_used * 1.2 + 6_000
    assert int(transaction["type"], 16) == 2
    assert int(transaction["chainId"], 16) == 1337


def test_send_pays_legacy_fees_when_blocks_have_no_base_fee(node, proxy, outbox):
    def without(block):
        return {key: value for key, value in block.items() if key != "baseFeePerGas"}

    proxy.arm("eth_getBlockByNumber", lie=without, times=50)
    receipt = send(outbox, signer(0), None, creation(ECHO))
    transaction = node.rpc("eth_getTransactionByHash", receipt.transaction_hash)
    assert int(transaction["type"], 16) == 0


def test_send_refuses_before_signing_when_gas_is_too_dear(proxy, outbox):
    who = CountingSigner(signer(0))

    def dear(block):
        return {**block, "baseFeePerGas": hex(10**13)}

    proxy.arm("eth_getBlockByNumber", lie=dear, times=50)
    with pytest.raises(TransactionRefusedError, match="more than the"):
        send(outbox, who, PAYEE)
    assert who.signed == 0


def test_send_keeps_nonces_contiguous_when_threads_share_a_key(node, outbox):
    before = count(node, signer(3))
    receipts, failures = [], []

    def work():
        try:
            for _ in range(5):
                receipts.append(send(outbox, signer(3), PAYEE, value=1))
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


def test_send_takes_the_next_nonce_when_the_node_is_behind(node, proxy, outbox):
    before = count(node, signer(4))
    send(outbox, signer(4), PAYEE)
    proxy.arm("eth_getTransactionCount", lie=hex(before), times=2)
    send(outbox, signer(4), PAYEE)
    assert count(node, signer(4)) == before + 2


def test_what_the_chain_took_back_is_sent_again_before_what_comes_next(node, outbox):
    snapshot = node.snapshot()
    before = count(node, signer(5))
    first = order(signer(5), PAYEE)
    receipt = outbox.send(signer(5), first)
    node.revert(snapshot)
    assert count(node, signer(5)) == before
    send(outbox, signer(5), PAYEE)
    assert count(node, signer(5)) == before + 2
    again = node.rpc("eth_getTransactionReceipt", receipt.transaction_hash)
    assert again["status"] == "0x1"


def test_a_creation_is_made_once_when_it_is_ordered_again(node, chain, outbox):
    before = count(node, signer(6))
    what = order(signer(6), None, creation(ECHO))
    receipt = outbox.send(signer(6), what)
    again = outbox.send(signer(6), what)
    assert (again.repeated, again.contract_address) == (True, receipt.contract_address)
    assert chain.code(again.contract_address) == ECHO
    assert count(node, signer(6)) == before + 1


def test_a_created_contract_is_where_its_creator_and_nonce_say_when_a_node_lies(
    node, proxy, outbox
):
    what, elsewhere = order(signer(7), None, creation(ECHO)), "0x" + "11" * 20
    address = created_address(signer(7).address, count(node, signer(7)))
    proxy.arm(
        "eth_getTransactionReceipt",
        lie=lambda said: said and {**said, "contractAddress": elsewhere},
        times=2,
    )
    assert outbox.send(signer(7), what).contract_address == address
    proxy.arm(
        "eth_getTransactionReceipt",
        lie=lambda said: {**said, "contractAddress": elsewhere},
        times=1000,
    )
    with pytest.raises(NodeUnavailableError, match="does not give its receipt"):
        outbox.send(signer(7), what)
    proxy.calm()
    assert outbox.send(signer(7), what).contract_address == address
