"""reclaim: from captureBefore on, anyone may give the issuer back what is still held."""

import pytest

from tests.contracts.chain import refused
from tests.contracts.world import AMOUNT, CLOSED, DAY


@pytest.fixture
def held(w):
    payment = w.new_payment()
    w.authorize(payment)
    return payment


def refusal(w, payment, by=None):
    return w.escrow.reclaim.refusal(payment.parties, payment.packed, by=by or w.issuer)


def test_reclaim_is_refused_when_the_payment_is_unknown(w):
    payment = w.new_payment()
    w.at(payment.terms.capture_before)
    assert refusal(w, payment) == refused("PaymentUnknown", payment.id)


@pytest.mark.threat("C24")
@pytest.mark.parametrize("early", [1, 6 * DAY])
@pytest.mark.parametrize("caller", ["issuer", "acquirer", "operator", "outsider"])
def test_reclaim_is_refused_when_the_acquirer_may_still_capture(w, held, caller, early):
    ends = held.terms.capture_before
    w.at(ends - early)
    expected = refused("ReclaimTooEarly", held.id, ends - early, ends)
    assert refusal(w, held, w.actors[caller]) == expected


@pytest.mark.threat("C24")
@pytest.mark.parametrize("how", ["captured", "voided", "reclaimed", "half and half"])
def test_reclaim_is_refused_when_nothing_is_held_any_more(w, held, how):
    if how == "captured":
        w.capture(held, AMOUNT)
    elif how == "voided":
        w.void(held, AMOUNT)
    elif how == "half and half":
        w.capture(held, AMOUNT // 2)
        w.void(held, AMOUNT // 2)
    w.at(held.terms.capture_before)
    if how == "reclaimed":
        w.reclaim(held)
    assert refusal(w, held) == refused("ReclaimEmpty", held.id)


def test_reclaim_is_refused_when_the_payment_was_charged(w):
    payment = w.new_payment()
    w.charge(payment)
    w.at(payment.terms.capture_before)
    assert refusal(w, payment) == refused("ReclaimEmpty", payment.id)


def test_reclaim_is_refused_when_the_escrow_is_cut_off(w, held):
    w.cny.cutOffModule(w.escrow, by=w.operator)
    w.at(held.terms.capture_before)
    assert refusal(w, held) == refused("ModuleNotAdmitted", w.escrow)
    w.cny.admitEscrow(w.escrow, by=w.operator)
    w.reclaim(held)


@pytest.mark.threat("C20")
@pytest.mark.threat("C48")
def test_reclaim_gives_everything_back_when_a_stranger_sends_it_at_the_very_second(w, held):
    w.at(held.terms.capture_before)
    before = w.books()
    receipt = w.escrow.reclaim(held.parties, held.packed, by=w.outsider)
    assert w.changes(before) == {
        "CNY.issuer.escrowed": -AMOUNT,
        "CNY.issuer.available": AMOUNT,
        "payment.voided": AMOUNT,
    }
    assert receipt.events == [w.escrow.event("PaymentReclaimed", id=held.id, voidedTotal=AMOUNT)]


@pytest.mark.threat("C20")
@pytest.mark.threat("C48")
def test_reclaim_and_capture_are_never_both_possible_when_time_runs_out(w, held):
    ends = held.terms.capture_before
    for moment in (ends - 1, ends, ends + 1):
        w.at(moment)
        form = (held.parties, held.packed)
        if moment < ends:
            assert refusal(w, held).name == "ReclaimTooEarly"
            assert w.escrow.capture.read(*form, AMOUNT, by=w.acquirer) == ()
        else:
            found = w.escrow.capture.refusal(*form, AMOUNT, by=w.acquirer)
            assert found == refused("CaptureTooLate", held.id, moment, ends)
            assert w.escrow.reclaim.read(*form, by=w.outsider) == ()


def test_reclaim_gives_back_only_the_rest_when_part_was_captured_and_voided(w, held):
    w.capture(held, 15_000)
    w.void(held, 5_000)
    w.at(held.terms.capture_before + 1)
    before = w.books()
    receipt = w.reclaim(held)
    assert w.changes(before) == {
        "CNY.issuer.escrowed": -20_000,
        "CNY.issuer.available": 20_000,
        "payment.voided": 20_000,
    }
    assert receipt.events == [w.escrow.event("PaymentReclaimed", id=held.id, voidedTotal=25_000)]
    assert w.escrow.paymentOf(held.id)[1:4] == (15_000, 25_000, 0)


def test_reclaim_gives_the_card_limit_back_when_it_is_still_the_same_day(w):
    payment = w.new_payment(authorize_before=w.now + 60, capture_before=w.now + 60)
    w.authorize(payment)
    w.at(payment.terms.capture_before)
    before = w.books()
    w.reclaim(payment)
    assert w.changes(before) == {
        "CNY.issuer.escrowed": -AMOUNT,
        "CNY.issuer.available": AMOUNT,
        "CNY.card.spent": -AMOUNT,
        "payment.voided": AMOUNT,
    }


@pytest.mark.threat("C17")
@pytest.mark.threat("C18")
def test_reclaim_goes_through_when_everybody_was_stopped_since(w, held):
    w.cny.pause(by=w.operator)
    w.cny.suspend(w.issuer, bytes(32), by=w.operator)
    w.cny.close(w.acquirer, by=w.operator)
    w.at(held.terms.capture_before)
    before = w.books()
    w.reclaim(held)
    assert w.changes(before)["CNY.issuer.available"] == AMOUNT
    assert w.cny.statusOf(w.acquirer) == CLOSED


def test_reclaim_goes_through_when_years_have_passed(w, held):
    w.at(held.terms.refund_before + 3_650 * DAY)
    w.reclaim(held)
    assert w.escrow.paymentOf(held.id)[2] == AMOUNT
