"""void: the acquirer gives part or all of the hold back."""

import pytest

from tests.contracts.chain import refused
from tests.contracts.world import ALL_VERBS, AMOUNT, CLOSED, DAY, VOID


@pytest.fixture
def held(w):
    payment = w.new_payment()
    w.authorize(payment)
    return payment


def refusal(w, payment, total, by=None):
    return w.escrow.void.refusal(payment.parties, payment.packed, total, by=by or w.acquirer)


@pytest.mark.parametrize("caller", ["issuer", "outsider", "other_acquirer", "delegate", "operator"])
def test_void_is_refused_when_the_caller_may_not_act_for_the_acquirer(w, held, caller):
    by = w.actors[caller]
    assert refusal(w, held, 1, by) == refused("NotPermitted", by, w.acquirer, VOID)


def test_void_is_refused_when_the_delegate_has_every_other_verb(w, held):
    w.escrow.setDelegate(w.delegate, ALL_VERBS - VOID, by=w.acquirer)
    assert refusal(w, held, 1, w.delegate) == refused("NotPermitted", w.delegate, w.acquirer, VOID)


def test_void_is_refused_when_the_payment_is_unknown(w):
    payment = w.new_payment()
    assert refusal(w, payment, 1) == refused("PaymentUnknown", payment.id)


@pytest.mark.threat("C24")
@pytest.mark.parametrize("total", [0, 499, 500])
def test_void_is_refused_when_the_total_was_voided_before(w, held, total):
    w.void(held, 500)
    assert refusal(w, held, total) == refused("VoidRepeated", held.id, total, 500)


@pytest.mark.threat("C24")
@pytest.mark.parametrize(("captured", "total"), [(0, AMOUNT + 1), (10, AMOUNT - 9), (AMOUNT, 1)])
def test_void_is_refused_when_the_total_is_above_what_capture_left(w, held, captured, total):
    if captured:
        w.capture(held, captured)
    assert refusal(w, held, total) == refused("VoidTooLarge", held.id, total, AMOUNT - captured)


@pytest.mark.threat("C24")
def test_void_is_refused_when_the_payment_was_charged(w):
    payment = w.new_payment()
    w.charge(payment)
    assert refusal(w, payment, 1) == refused("VoidTooLarge", payment.id, 1, 0)


@pytest.mark.threat("C24")
def test_void_is_refused_when_everything_was_reclaimed(w, held):
    w.at(held.terms.capture_before)
    w.reclaim(held)
    assert refusal(w, held, AMOUNT) == refused("VoidRepeated", held.id, AMOUNT, AMOUNT)


def test_void_is_refused_when_the_escrow_is_cut_off(w, held):
    w.cny.cutOffModule(w.escrow, by=w.operator)
    assert refusal(w, held, 1) == refused("ModuleNotAdmitted", w.escrow)


def test_void_releases_the_hold_and_the_card_limit_when_in_full_on_the_same_day(w, held):
    before = w.books()
    receipt = w.escrow.void(held.parties, held.packed, AMOUNT, by=w.acquirer)
    assert w.changes(before) == {
        "CNY.issuer.escrowed": -AMOUNT,
        "CNY.issuer.available": AMOUNT,
        "CNY.card.spent": -AMOUNT,
        "payment.voided": AMOUNT,
    }
    assert w.escrow.paymentOf(held.id) == (True, 0, AMOUNT, 0, w.now // DAY)
    assert receipt.events == [w.escrow.event("PaymentVoided", id=held.id, voidedTotal=AMOUNT)]


def test_void_releases_the_difference_when_in_parts_around_a_capture(w, held):
    w.void(held, 5_000)
    w.capture(held, 20_000)
    before = w.books()
    receipt = w.void(held, 12_000)
    assert w.changes(before) == {
        "CNY.issuer.escrowed": -7_000,
        "CNY.issuer.available": 7_000,
        "CNY.card.spent": -7_000,
        "payment.voided": 7_000,
    }
    assert receipt.events == [w.escrow.event("PaymentVoided", id=held.id, voidedTotal=12_000)]


def test_void_leaves_the_card_limit_when_it_is_another_day(w, held):
    midnight = (w.now // DAY + 1) * DAY
    w.at(midnight - 1)
    before = w.books()
    w.void(held, 1_000)
    assert w.changes(before)["CNY.card.spent"] == -1_000
    w.at(midnight)
    w.authorize(w.new_payment("today", amount=777))
    before = w.books()
    w.void(held, 2_000)
    assert w.changes(before) == {
        "CNY.issuer.escrowed": -1_000,
        "CNY.issuer.available": 1_000,
        "payment.voided": 1_000,
    }


def test_void_lets_the_card_spend_again_when_the_limit_was_reached(w):
    w.set_card(w.issuer, w.card, day_limit=w.sibling.amount + AMOUNT)
    first = w.new_payment("first")
    w.authorize(first)
    second = w.new_payment("second")
    expected = refused(
        "CardDayLimitExceeded",
        second.id,
        w.sibling.amount + 2 * AMOUNT,
        w.sibling.amount + AMOUNT,
    )
    assert w.escrow.authorize.refusal(*second.plain_form, by=w.issuer) == expected
    w.void(first, AMOUNT)
    w.authorize(second)


def test_void_keeps_the_count_right_when_limits_were_set_anew_since(w, held):
    w.set_card(w.issuer, w.card, day_limit=1, payment_limit=1, status=2)
    before = w.books()
    w.void(held, AMOUNT)
    assert w.changes(before)["CNY.card.spent"] == -AMOUNT
    assert w.escrow.cardOf(w.issuer, w.card, w.cny) == (w.card.address, w.cny.address, 1, 1, 2)


def test_void_goes_through_when_a_delegate_has_just_this_verb(w, held):
    w.escrow.setDelegate(w.delegate, VOID, by=w.acquirer)
    w.escrow.void(held.parties, held.packed, 3, by=w.delegate)
    assert w.escrow.paymentOf(held.id)[2] == 3


@pytest.mark.threat("C17")
@pytest.mark.threat("C18")
def test_void_goes_through_when_everybody_was_stopped_since(w, held):
    w.cny.pause(by=w.operator)
    w.cny.suspend(w.issuer, bytes(32), by=w.operator)
    w.cny.close(w.acquirer, by=w.operator)
    before = w.books()
    w.void(held, AMOUNT)
    assert w.changes(before)["CNY.issuer.available"] == AMOUNT
    assert w.cny.statusOf(w.acquirer) == CLOSED


@pytest.mark.threat("C20")
def test_void_goes_through_when_the_time_to_capture_is_over(w, held):
    w.at(held.terms.capture_before + 5)
    w.void(held, AMOUNT)
    assert w.escrow.paymentOf(held.id)[2] == AMOUNT
