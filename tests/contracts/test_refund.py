"""refund: the acquirer pays back, less the interchange the issuer kept."""

import random

import pytest

from tests.contracts.chain import refused
from tests.contracts.world import (
    ALL_VERBS,
    AMOUNT,
    CLOSED,
    DAY,
    INTERCHANGE_BPS,
    REFUND,
    SUSPENDED,
    share,
)


@pytest.fixture
def paid(w):
    """A payment captured in full."""
    payment = w.new_payment()
    w.charge(payment)
    return payment


def refusal(w, payment, total, by=None):
    return w.escrow.refund.refusal(payment.parties, payment.packed, total, by=by or w.acquirer)


@pytest.mark.parametrize("caller", ["issuer", "outsider", "other_acquirer", "delegate", "operator"])
def test_refund_is_refused_when_the_caller_may_not_act_for_the_acquirer(w, paid, caller):
    by = w.actors[caller]
    assert refusal(w, paid, 1, by) == refused("NotPermitted", by, w.acquirer, REFUND)


def test_refund_is_refused_when_the_delegate_has_every_other_verb(w, paid):
    w.escrow.setDelegate(w.delegate, ALL_VERBS - REFUND, by=w.acquirer)
    expected = refused("NotPermitted", w.delegate, w.acquirer, REFUND)
    assert refusal(w, paid, 1, w.delegate) == expected


def test_refund_is_refused_when_the_payment_is_unknown(w):
    payment = w.new_payment()
    assert refusal(w, payment, 1) == refused("PaymentUnknown", payment.id)


@pytest.mark.threat("C22")
@pytest.mark.threat("C48")
@pytest.mark.parametrize("late", [0, 1])
def test_refund_is_refused_when_the_time_is_over(w, paid, late):
    ends = paid.terms.refund_before
    w.at(ends + late)
    assert refusal(w, paid, 1) == refused("RefundTooLate", paid.id, ends + late, ends)


@pytest.mark.threat("C22")
@pytest.mark.parametrize("total", [0, 699, 700])
def test_refund_is_refused_when_the_total_was_refunded_before(w, paid, total):
    w.refund(paid, 700)
    assert refusal(w, paid, total) == refused("RefundRepeated", paid.id, total, 700)


@pytest.mark.threat("C22")
@pytest.mark.parametrize("total", [AMOUNT + 1, 2**64 - 1])
def test_refund_is_refused_when_the_total_is_above_what_was_captured(w, paid, total):
    assert refusal(w, paid, total) == refused("RefundTooLarge", paid.id, total, AMOUNT)


@pytest.mark.threat("C22")
@pytest.mark.parametrize("state", ["authorized", "voided", "half captured"])
def test_refund_is_refused_when_not_so_much_was_captured(w, state):
    payment = w.new_payment()
    w.authorize(payment)
    captured = 0
    if state == "voided":
        w.void(payment, AMOUNT)
    elif state == "half captured":
        captured = AMOUNT // 2
        w.capture(payment, captured)
    expected = refused("RefundTooLarge", payment.id, captured + 1, captured)
    assert refusal(w, payment, captured + 1) == expected


@pytest.mark.parametrize(("stop", "status"), [("suspend", SUSPENDED), ("close", CLOSED)])
def test_refund_is_refused_when_the_acquirer_was_stopped(w, paid, stop, status):
    if stop == "suspend":
        w.cny.suspend(w.acquirer, bytes(32), by=w.operator)
    else:
        w.cny.close(w.acquirer, by=w.operator)
    assert refusal(w, paid, 1) == refused("AccountNotActive", w.acquirer, status)


@pytest.mark.threat("C23")
def test_refund_is_refused_when_the_acquirer_has_not_enough(w, paid):
    available = w.cny.availableOf(w.acquirer)
    w.cny.transfer(w.scheme, available - 99, by=w.acquirer)
    needed = 101 - share(101, INTERCHANGE_BPS)
    expected = refused("InsufficientAvailable", w.acquirer, 99, needed)
    assert refusal(w, paid, 101) == expected
    # 100 gross are 99 net.
    w.refund(paid, 100)
    assert w.cny.availableOf(w.acquirer) == 0


def test_refund_is_refused_when_the_escrow_is_cut_off(w, paid):
    w.cny.cutOffModule(w.escrow, by=w.operator)
    assert refusal(w, paid, 1) == refused("ModuleNotAdmitted", w.escrow)


@pytest.mark.threat("C23")
def test_refund_pays_gross_less_interchange_when_in_full(w, paid):
    net = AMOUNT - share(AMOUNT, INTERCHANGE_BPS)
    before = w.books()
    receipt = w.escrow.refund(paid.parties, paid.packed, AMOUNT, by=w.acquirer)
    assert w.changes(before) == {
        "CNY.acquirer.available": -net,
        "CNY.issuer.available": net,
        "payment.refunded": AMOUNT,
    }
    assert w.escrow.paymentOf(paid.id) == (True, AMOUNT, 0, AMOUNT, w.now // DAY)
    assert receipt.events == [
        w.escrow.event("PaymentRefunded", id=paid.id, refundedTotal=AMOUNT),
        w.moved(w.cny, w.acquirer, w.issuer, net),
    ]


def test_refund_makes_the_issuer_whole_but_for_the_scheme_fee_when_in_full(w):
    payment = w.new_payment()
    before = w.books()
    w.charge(payment)
    w.refund(payment, AMOUNT)
    changed = w.changes(before)
    # The acquirer bears the scheme fee; the issuer has what its cardholder gets back.
    assert changed["CNY.acquirer.available"] == -100
    assert changed["CNY.scheme.available"] == 100
    assert "CNY.issuer.available" not in changed
    # What a card spent stays spent.
    assert changed["CNY.card.spent"] == AMOUNT


@pytest.mark.threat("C25")
@pytest.mark.parametrize("seed", range(4))
def test_refund_pays_the_same_when_cut_into_any_parts(w, seed):
    dice = random.Random(seed)
    payment = w.new_payment(amount=dice.randint(5_000, 9_999), interchange_bps=dice.randint(0, 300))
    w.charge(payment)
    before = w.books()
    refunded = 0
    while refunded < payment.amount:
        refunded = min(payment.amount, refunded + dice.randint(1, 1_500))
        w.refund(payment, refunded)
    net = refunded - share(refunded, payment.terms.interchange_bps)
    assert w.changes(before) == {
        "CNY.acquirer.available": -net,
        "CNY.issuer.available": net,
        "payment.refunded": refunded,
    }


@pytest.mark.threat("C16")
def test_refund_emits_no_empty_transfer_when_the_whole_step_is_interchange(w):
    payment = w.new_payment(interchange_bps=INTERCHANGE_BPS)
    w.charge(payment)
    # 83 refunded are floor(0.996) = 0 interchange; the 84th unit is all interchange.
    assert (share(83, INTERCHANGE_BPS), share(84, INTERCHANGE_BPS)) == (0, 1)
    w.refund(payment, 83)
    before = w.books()
    receipt = w.refund(payment, 84)
    assert w.changes(before) == {"payment.refunded": 1}
    assert receipt.events == [w.escrow.event("PaymentRefunded", id=payment.id, refundedTotal=84)]


@pytest.mark.threat("C48")
def test_refund_goes_through_when_one_second_is_left(w, paid):
    w.at(paid.terms.refund_before - 1)
    w.refund(paid, AMOUNT)
    assert w.escrow.paymentOf(paid.id)[3] == AMOUNT


def test_refund_goes_through_when_part_is_still_held(w):
    payment = w.new_payment()
    w.authorize(payment)
    w.capture(payment, 10_000)
    before = w.books()
    w.refund(payment, 10_000)
    net = 10_000 - share(10_000, INTERCHANGE_BPS)
    assert w.changes(before) == {
        "CNY.acquirer.available": -net,
        "CNY.issuer.available": net,
        "payment.refunded": 10_000,
    }
    w.capture(payment, AMOUNT)
    w.refund(payment, AMOUNT)


def test_refund_goes_through_when_a_delegate_has_just_this_verb(w, paid):
    w.escrow.setDelegate(w.delegate, REFUND, by=w.acquirer)
    w.escrow.refund(paid.parties, paid.packed, 4, by=w.delegate)
    assert w.escrow.paymentOf(paid.id)[3] == 4


@pytest.mark.threat("C17")
@pytest.mark.threat("C18")
def test_refund_arrives_when_the_currency_is_paused_and_the_issuer_closed(w):
    payment = w.new_payment(issuer=w.other_issuer, card=w.other_card)
    w.charge(payment)
    w.void(w.neighbour, w.neighbour.amount - 10_003)
    w.cny.close(w.other_issuer, by=w.operator)
    w.cny.pause(by=w.operator)
    before = w.books()
    w.refund(payment, AMOUNT)
    net = AMOUNT - share(AMOUNT, INTERCHANGE_BPS)
    assert w.changes(before) == {
        "CNY.acquirer.available": -net,
        "CNY.other_issuer.available": net,
        "payment.refunded": AMOUNT,
    }
    # What arrived late is swept.
    before = w.books()
    w.cny.forceTransfer(w.other_issuer, w.scheme, net, bytes(32), by=w.operator)
    assert w.changes(before)["CNY.scheme.available"] == net
