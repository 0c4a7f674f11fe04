"""redeem: gives tokens back for reserve money."""

import pytest

from tests.contracts.chain import refused
from tests.contracts.world import CLOSED, NONE, SUSPENDED

REFERENCE = b"payout 1".ljust(32)
ZERO = "0x" + "00" * 20


def test_redeem_is_refused_when_the_currency_is_paused(w):
    w.cny.pause(by=w.operator)
    assert w.cny.redeem.refusal(1, REFERENCE, by=w.issuer) == refused("TokenPaused")


def test_redeem_is_refused_when_the_caller_used_the_reference_before(w):
    w.cny.redeem(1, REFERENCE, by=w.issuer)
    found = w.cny.redeem.refusal(2, REFERENCE, by=w.issuer)
    assert found == refused("BankReferenceUsed", REFERENCE)
    # Nobody can use up another's reference.
    w.cny.redeem(2, REFERENCE, by=w.acquirer)


def test_redeem_is_refused_when_it_is_of_nothing(w):
    found = w.cny.redeem.refusal(0, REFERENCE, by=w.issuer)
    assert found == refused("AmountZero", REFERENCE)
    # The reference is still there for the redemption that was meant.
    assert not w.cny.isRedeemed(w.issuer, REFERENCE)
    w.cny.redeem(1, REFERENCE, by=w.issuer)


@pytest.mark.parametrize("status", [NONE, SUSPENDED, CLOSED])
def test_redeem_is_refused_when_the_caller_is_not_active(w, status):
    by = w.newcomer if status == NONE else w.scheme
    if status == SUSPENDED:
        w.cny.suspend(by, bytes(32), by=w.operator)
    elif status == CLOSED:
        w.cny.close(by, by=w.operator)
    found = w.cny.redeem.refusal(1, REFERENCE, by=by)
    assert found == refused("AccountNotActive", by, status)


def test_redeem_is_refused_when_it_is_one_more_than_available(w):
    available = w.cny.availableOf(w.issuer)
    found = w.cny.redeem.refusal(available + 1, REFERENCE, by=w.issuer)
    assert found == refused("InsufficientAvailable", w.issuer, available, available + 1)


def test_redeem_lowers_supply_and_balance_when_available(w):
    available = w.cny.availableOf(w.issuer)
    before = w.books()
    receipt = w.cny.redeem(available, REFERENCE, by=w.issuer)
    assert w.changes(before) == {"CNY.supply": -available, "CNY.issuer.available": -available}
    assert w.cny.isRedeemed(w.issuer, REFERENCE)
    assert not w.cny.isRedeemed(w.acquirer, REFERENCE)
    redeemed = {"bankReference": REFERENCE, "participant": w.issuer, "amount": available}
    assert receipt.events == [
        w.cny.event("Redeemed", **redeemed),
        w.moved(w.cny, w.issuer, ZERO, available),
    ]
