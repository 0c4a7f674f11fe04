"""The contracts through brownie itself: transactions, events, and errors by name on both nodes."""

import importlib

import pytest


@pytest.fixture
def brownie_world(w, project):
    brownie = importlib.import_module("brownie")
    by_address = {str(account): account for account in brownie.accounts}
    token = project.SettlementToken.at(w.cny.address)
    escrow = project.PaymentEscrow.at(w.escrow.address)
    yield w, token, escrow, by_address
    # Or brownie waits for ever for a nonce that was rolled back.
    brownie.history.clear()


def test_transfer_is_seen_by_brownie_when_it_sends_it(brownie_world):
    w, token, _, accounts = brownie_world
    before = w.books()
    sent = token.transfer(w.acquirer.address, 5, {"from": accounts[w.issuer.address]})
    assert w.changes(before) == {"CNY.issuer.available": -5, "CNY.acquirer.available": 5}
    expected = {"from": w.issuer.address, "to": w.acquirer.address, "value": 5}
    assert dict(sent.events["Transfer"]) == expected
    assert sent.status == 1


def test_refusal_is_mined_and_named_when_brownie_sends_it(brownie_world):
    w, token, _, accounts = brownie_world
    brownie_errors = importlib.import_module("brownie.exceptions")
    before = w.books()
    with pytest.raises(brownie_errors.VirtualMachineError) as caught:
        token.transfer(w.outsider.address, 5, {"from": accounts[w.issuer.address]})
    assert caught.value.revert_msg == f"AccountCannotReceive: {w.outsider.address.lower()}, 0"
    receipt = w.node.rpc("eth_getTransactionReceipt", caught.value.txid)
    assert (receipt["status"], receipt["logs"]) == ("0x0", [])
    assert w.changes(before) == {}


def test_payment_is_seen_by_brownie_when_it_authorizes_and_captures(brownie_world):
    w, _, escrow, accounts = brownie_world
    payment = w.new_payment()
    issuer = {"from": accounts[w.issuer.address]}
    sent = escrow.authorize(*payment.plain_form, issuer)
    assert sent.events["PaymentAuthorized"]["id"] == "0x" + payment.id.hex()
    acquirer = {"from": accounts[w.acquirer.address]}
    escrow.capture(payment.parties, payment.packed, 100, acquirer)
    assert tuple(escrow.paymentOf(payment.id))[:2] == (True, 100)
