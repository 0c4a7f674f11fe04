"""capture: pays out of the hold, up to a new cumulative total."""

import random

import pytest

from tests.contracts.chain import Refusal, refused
from tests.contracts.world import (
    ALL_VERBS,
    AMOUNT,
    CAPTURE,
    CLOSED,
    DAY,
    INTERCHANGE_CAP_BPS,
    SCHEME_BPS,
    parts,
    share,
)


@pytest.fixture
def held(w):
    """An authorized payment."""
    payment = w.new_payment()
    w.authorize(payment)
    return payment


def refusal(w, payment, total, by=None):
    return w.escrow.capture.refusal(payment.parties, payment.packed, total, by=by or w.acquirer)


@pytest.mark.parametrize("caller", ["issuer", "outsider", "other_acquirer", "delegate", "operator"])
def test_capture_is_refused_when_the_caller_may_not_act_for_the_acquirer(w, held, caller):
    by = w.actors[caller]
    assert refusal(w, held, 1, by) == refused("NotPermitted", by, w.acquirer, CAPTURE)


def test_capture_is_refused_when_the_delegate_has_every_other_verb(w, held):
    w.escrow.setDelegate(w.delegate, ALL_VERBS - CAPTURE, by=w.acquirer)
    assert refusal(w, held, 1, w.delegate) == refused(
        "NotPermitted", w.delegate, w.acquirer, CAPTURE
    )


def test_capture_is_refused_when_the_payment_is_unknown(w):
    payment = w.new_payment()
    assert refusal(w, payment, 1) == refused("PaymentUnknown", payment.id)


@pytest.mark.parametrize("change", ["amount", "interchange_bps", "capture_before", "referenceHash"])
def test_capture_is_refused_when_a_term_differs_from_what_was_signed(w, held, change):
    words = [bytearray(each) for each in held.packed]
    where = {"amount": (2, 27), "interchange_bps": (2, 29), "capture_before": (3, 25)}
    word, byte = where.get(change, (1, 0))
    words[word][byte] ^= 1
    packed = tuple(bytes(each) for each in words)
    found = w.escrow.capture.refusal(held.parties, packed, 1, by=w.acquirer)
    assert found == refused("PaymentUnknown", w.escrow.paymentId(held.parties, packed))


@pytest.mark.threat("C20")
@pytest.mark.threat("C48")
@pytest.mark.parametrize("late", [0, 1])
def test_capture_is_refused_when_the_time_is_over(w, held, late):
    ends = held.terms.capture_before
    w.at(ends + late)
    assert refusal(w, held, AMOUNT) == refused("CaptureTooLate", held.id, ends + late, ends)


@pytest.mark.threat("C19")
@pytest.mark.parametrize("total", [0, 9_999, 10_000])
def test_capture_is_refused_when_the_total_was_captured_before(w, held, total):
    w.capture(held, 10_000)
    assert refusal(w, held, total) == refused("CaptureRepeated", held.id, total, 10_000)


def test_capture_is_refused_when_the_total_is_zero(w, held):
    assert refusal(w, held, 0) == refused("CaptureRepeated", held.id, 0, 0)


@pytest.mark.threat("C19")
@pytest.mark.parametrize("total", [AMOUNT + 1, 2**64 - 1])
def test_capture_is_refused_when_the_total_is_above_the_amount(w, held, total):
    assert refusal(w, held, total) == refused("CaptureTooLarge", held.id, total, AMOUNT)


@pytest.mark.threat("C19")
def test_capture_is_refused_when_the_total_is_above_what_void_left(w, held):
    w.void(held, 15_000)
    expected = refused("CaptureTooLarge", held.id, AMOUNT - 14_999, AMOUNT - 15_000)
    assert refusal(w, held, AMOUNT - 14_999) == expected


def test_capture_is_refused_when_everything_was_voided(w, held):
    w.void(held, AMOUNT)
    assert refusal(w, held, 1) == refused("CaptureTooLarge", held.id, 1, 0)


@pytest.mark.threat("C19")
def test_capture_is_refused_when_the_payment_was_charged(w):
    payment = w.new_payment()
    w.charge(payment)
    assert refusal(w, payment, AMOUNT) == refused("CaptureRepeated", payment.id, AMOUNT, AMOUNT)
    assert refusal(w, payment, AMOUNT + 1) == refused(
        "CaptureTooLarge", payment.id, AMOUNT + 1, AMOUNT
    )


@pytest.mark.threat("C27")
def test_capture_is_refused_when_the_total_does_not_fit_its_type(w, held):
    data = w.escrow.capture.encode(held.parties, held.packed, 1)
    too_wide = data[:-64] + f"{2**64 + 1:064x}"
    assert w.chain.refusal(w.escrow.address, too_wide, w.acquirer) == Refusal("")


def test_capture_is_refused_when_the_escrow_is_cut_off(w, held):
    w.cny.cutOffModule(w.escrow, by=w.operator)
    assert refusal(w, held, 1) == refused("ModuleNotAdmitted", w.escrow)


@pytest.mark.threat("C25")
def test_capture_is_refused_when_it_is_smaller_than_the_fees_it_adds(w):
    # 25 + 150 of 10,000: both floors step up at 400, where one more unit would cost two.
    payment = w.new_payment(amount=400, interchange_bps=150)
    w.authorize(payment)
    w.capture(payment, 399)
    assert parts(400, 399, 150) == (-1, 1, 1)
    assert refusal(w, payment, 400) == refused("CaptureBelowFees", payment.id, 1, 2)
    before = w.books()
    w.void(payment, 1)
    assert w.changes(before)["CNY.issuer.available"] == 1


def test_capture_pays_all_parts_when_in_full(w, held):
    acquirer, scheme, interchange = parts(AMOUNT)
    before = w.books()
    receipt = w.escrow.capture(held.parties, held.packed, AMOUNT, by=w.acquirer)
    assert w.changes(before) == {
        "CNY.issuer.escrowed": -AMOUNT,
        "CNY.issuer.available": interchange,
        "CNY.acquirer.available": acquirer,
        "CNY.scheme.available": scheme,
        "payment.captured": AMOUNT,
    }
    assert w.escrow.paymentOf(held.id) == (True, AMOUNT, 0, 0, w.now // DAY)
    assert receipt.events == [
        w.escrow.event("PaymentCaptured", id=held.id, capturedTotal=AMOUNT),
        w.moved(w.cny, w.issuer, w.acquirer, acquirer),
        w.moved(w.cny, w.issuer, w.scheme, scheme),
    ]


def test_capture_pays_the_difference_when_in_parts(w, held):
    w.capture(held, 12_345)
    acquirer, scheme, interchange = parts(30_000, 12_345)
    before = w.books()
    receipt = w.capture(held, 30_000)
    assert w.changes(before) == {
        "CNY.issuer.escrowed": -17_655,
        "CNY.issuer.available": interchange,
        "CNY.acquirer.available": acquirer,
        "CNY.scheme.available": scheme,
        "payment.captured": 17_655,
    }
    assert receipt.events == [
        w.escrow.event("PaymentCaptured", id=held.id, capturedTotal=30_000),
        w.moved(w.cny, w.issuer, w.acquirer, acquirer),
        w.moved(w.cny, w.issuer, w.scheme, scheme),
    ]


@pytest.mark.threat("C25")
@pytest.mark.parametrize("seed", range(4))
def test_capture_splits_the_same_when_cut_into_any_parts(w, seed):
    dice = random.Random(seed)
    bps = dice.choice([0, 1, 77, INTERCHANGE_CAP_BPS])
    payment = w.new_payment(amount=dice.randint(5_000, 9_999), interchange_bps=bps)
    w.authorize(payment)
    before = w.books()
    captured = 0
    while captured < payment.amount:
        captured = min(payment.amount, captured + dice.randint(2, 1_500))
        if payment.amount - captured == 1:
            captured = payment.amount
        w.capture(payment, captured)
    scheme, interchange = share(captured, SCHEME_BPS), share(captured, bps)
    expected = {
        "CNY.issuer.escrowed": -payment.amount,
        "CNY.issuer.available": interchange,
        "CNY.acquirer.available": payment.amount - scheme - interchange,
        "CNY.scheme.available": scheme,
        "payment.captured": payment.amount,
    }
    assert w.changes(before) == {key: value for key, value in expected.items() if value}


@pytest.mark.threat("C16")
def test_capture_emits_no_empty_transfer_when_the_fee_rounds_to_nothing(w, held):
    receipt = w.capture(held, 1)
    assert receipt.events == [
        w.escrow.event("PaymentCaptured", id=held.id, capturedTotal=1),
        w.moved(w.cny, w.issuer, w.acquirer, 1),
    ]


@pytest.mark.threat("C16")
@pytest.mark.threat("C25")
def test_capture_emits_no_transfer_to_the_acquirer_when_the_fee_takes_all(w):
    payment = w.new_payment(amount=400, interchange_bps=0)
    w.authorize(payment)
    w.capture(payment, 399)
    receipt = w.capture(payment, 400)
    assert receipt.events == [
        w.escrow.event("PaymentCaptured", id=payment.id, capturedTotal=400),
        w.moved(w.cny, w.issuer, w.scheme, 1),
    ]


@pytest.mark.threat("C20")
@pytest.mark.threat("C48")
def test_capture_goes_through_when_one_second_is_left(w, held):
    w.at(held.terms.capture_before - 1)
    w.capture(held, AMOUNT)
    assert w.escrow.paymentOf(held.id)[1] == AMOUNT


def test_capture_goes_through_when_a_delegate_has_just_this_verb(w, held):
    w.escrow.setDelegate(w.delegate, CAPTURE, by=w.acquirer)
    w.escrow.capture(held.parties, held.packed, 5, by=w.delegate)
    assert w.escrow.paymentOf(held.id)[1] == 5


@pytest.mark.threat("C17")
def test_capture_goes_through_when_the_currency_was_paused_since(w, held):
    w.cny.pause(by=w.operator)
    w.capture(held, AMOUNT)
    assert w.escrow.paymentOf(held.id)[1] == AMOUNT


@pytest.mark.threat("C18")
def test_capture_goes_through_when_everybody_was_stopped_since(w, held):
    w.set_card(w.issuer, w.card, status=2)
    w.escrow.setAcceptances(w.shop.id, [(w.cny, 0, 2)], by=w.acquirer)
    w.cny.suspend(w.issuer, bytes(32), by=w.operator)
    w.cny.close(w.acquirer, by=w.operator)
    w.cny.close(w.scheme, by=w.operator)
    acquirer, scheme, interchange = parts(AMOUNT)
    before = w.books()
    w.capture(held, AMOUNT)
    assert w.changes(before) == {
        "CNY.issuer.escrowed": -AMOUNT,
        "CNY.issuer.available": interchange,
        "CNY.acquirer.available": acquirer,
        "CNY.scheme.available": scheme,
        "payment.captured": AMOUNT,
    }
    assert w.cny.statusOf(w.acquirer) == CLOSED


def test_capture_takes_the_rest_when_part_was_voided(w, held):
    w.void(held, 15_000)
    before = w.books()
    w.capture(held, AMOUNT - 15_000)
    assert w.changes(before)["CNY.issuer.escrowed"] == 15_000 - AMOUNT
    assert w.escrow.paymentOf(held.id) == (True, 25_000, 15_000, 0, w.now // DAY)


def test_capture_nets_out_when_issuer_and_acquirer_are_one_bank(w):
    shop = w.new_merchant(w.issuer, "own shop")
    payment = w.new_payment(acquirer=w.issuer, merchant=shop)
    w.authorize(payment)
    before = w.books()
    w.capture(payment, AMOUNT)
    assert w.changes(before) == {
        "CNY.issuer.escrowed": -AMOUNT,
        "CNY.issuer.available": AMOUNT - 100,
        "CNY.scheme.available": 100,
        "payment.captured": AMOUNT,
    }


def test_capture_nets_out_when_the_scheme_is_the_acquirer(w):
    shop = w.new_merchant(w.scheme, "scheme shop")
    payment = w.new_payment(acquirer=w.scheme, merchant=shop)
    w.authorize(payment)
    before = w.books()
    w.capture(payment, AMOUNT)
    assert w.changes(before) == {
        "CNY.issuer.escrowed": -AMOUNT,
        "CNY.issuer.available": 480,
        "CNY.scheme.available": AMOUNT - 480,
        "payment.captured": AMOUNT,
    }
