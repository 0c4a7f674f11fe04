"""captureMany: up to 200 captures with one payout; one bad item is reported and left out."""

import pytest

from tests.contracts.chain import Refusal, refused
from tests.contracts.world import ALL_VERBS, AMOUNT, CAPTURE, DAY, PAYMENT_LIMIT, parts

MOST = 200
HALF_A_BLOCK = 15_000_000


def batch(*items):
    """Items of (payment, total), between the parties of the first."""
    return (items[0][0].parties, [(payment.packed, total) for payment, total in items])


def captured(w, payment, total):
    return w.escrow.event("PaymentCaptured", id=payment.id, capturedTotal=total)


def skipped(w, event):
    assert (event.contract, event.name) == ("escrow", "PaymentSkipped")
    assert set(event.fields) == {"id", "refusal"}
    return event.fields["id"], w.chain.decode_refusal(event.fields["refusal"])


@pytest.fixture
def held(w):
    """Three authorized payments of different interchange."""
    payments = [w.new_payment(f"payment {i}", interchange_bps=100 + i) for i in range(3)]
    for payment in payments:
        w.authorize(payment)
    return payments


@pytest.mark.parametrize("caller", ["issuer", "outsider", "other_acquirer", "delegate"])
def test_capture_many_is_refused_when_the_caller_may_not_act_for_the_acquirer(w, held, caller):
    by = w.actors[caller]
    expected = refused("NotPermitted", by, w.acquirer, CAPTURE)
    assert w.escrow.captureMany.refusal(*batch((held[0], 1)), by=by) == expected


def test_capture_many_is_refused_when_the_delegate_has_every_other_verb(w, held):
    w.escrow.setDelegate(w.delegate, ALL_VERBS - CAPTURE, by=w.acquirer)
    expected = refused("NotPermitted", w.delegate, w.acquirer, CAPTURE)
    assert w.escrow.captureMany.refusal(*batch((held[0], 1)), by=w.delegate) == expected


@pytest.mark.threat("C33")
@pytest.mark.parametrize("count", [0, MOST + 1])
def test_capture_many_is_refused_when_there_are_none_or_more_than_200(w, held, count):
    items = [(held[0].packed, 1)] * count
    expected = refused("BatchSizeInvalid", count, MOST)
    found = w.escrow.captureMany.refusal(held[0].parties, items, by=w.acquirer)
    assert found == expected


def test_capture_many_is_refused_whole_when_terms_are_not_canonical(w, held):
    bad = (*held[1].packed[:3], held[1].packed[3][:31] + b"\x01")
    items = [(held[0].packed, 1), (bad, 1)]
    found = w.escrow.captureMany.refusal(held[0].parties, items, by=w.acquirer)
    assert found == refused("TermsNotCanonical")


@pytest.mark.threat("C27")
def test_capture_many_is_refused_whole_when_a_total_does_not_fit_its_type(w, held):
    data = w.escrow.captureMany.encode(*batch((held[0], 1)))
    too_wide = data[:-64] + f"{2**64 + 1:064x}"
    assert w.chain.refusal(w.escrow.address, too_wide, w.acquirer) == Refusal("")


def test_capture_many_is_refused_whole_when_the_escrow_is_cut_off(w, held):
    w.cny.cutOffModule(w.escrow, by=w.operator)
    found = w.escrow.captureMany.refusal(*batch((held[0], 1)), by=w.acquirer)
    assert found == refused("ModuleNotAdmitted", w.escrow)


def bad_item(w, held, case):
    """A payment, a total and how it is refused."""
    payment = held[1]
    if case == "unknown":
        payment = w.new_payment("unknown")
        return payment, 1, refused("PaymentUnknown", payment.id)
    if case == "of others":
        # Its id, taken with these parties, is nobody's.
        stranger = w.escrow.paymentId(payment.parties, w.neighbour.packed)
        return w.neighbour, 30_001, refused("PaymentUnknown", stranger)
    if case == "repeated":
        w.capture(payment, 10)
        return payment, 10, refused("CaptureRepeated", payment.id, 10, 10)
    if case == "zero":
        return payment, 0, refused("CaptureRepeated", payment.id, 0, 0)
    if case == "too large":
        return payment, AMOUNT + 1, refused("CaptureTooLarge", payment.id, AMOUNT + 1, AMOUNT)
    if case == "voided":
        w.void(payment, AMOUNT)
        return payment, 1, refused("CaptureTooLarge", payment.id, 1, 0)
    if case == "below its fees":
        payment = w.new_payment("small", amount=400, interchange_bps=150)
        w.authorize(payment)
        w.capture(payment, 399)
        return payment, 400, refused("CaptureBelowFees", payment.id, 1, 2)
    assert case == "too late"
    payment = w.new_payment("brief", capture_before=w.now + 601, amount=5)
    w.authorize(payment)
    w.at(payment.terms.capture_before)
    ends = payment.terms.capture_before
    return payment, 5, refused("CaptureTooLate", payment.id, ends, ends)


@pytest.mark.threat("C19")
@pytest.mark.parametrize(
    "case",
    [
        "unknown",
        "of others",
        "repeated",
        "zero",
        "too large",
        "voided",
        "below its fees",
        "too late",
    ],
)
def test_capture_many_skips_one_and_takes_the_others_when(w, held, case):
    payment, total, expected = bad_item(w, held, case)
    first, last = held[0], held[2]
    before = w.books()
    items = [(first.packed, 10_000), (payment.packed, total), (last.packed, AMOUNT)]
    receipt = w.escrow.captureMany(first.parties, items, by=w.acquirer)
    splits = [parts(10_000, interchange_bps=100), parts(AMOUNT, interchange_bps=102)]
    acquirer, scheme, interchange = (sum(each) for each in zip(*splits, strict=True))
    assert w.changes(before) == {
        "CNY.issuer.escrowed": -10_000 - AMOUNT,
        "CNY.issuer.available": interchange,
        "CNY.acquirer.available": acquirer,
        "CNY.scheme.available": scheme,
        f"{first.name}.captured": 10_000,
        f"{last.name}.captured": AMOUNT,
    }
    assert receipt.events[0] == captured(w, first, 10_000)
    assert skipped(w, receipt.events[1]) == (expected.arguments[0], expected)
    assert receipt.events[2:] == [
        captured(w, last, AMOUNT),
        w.moved(w.cny, w.issuer, w.acquirer, acquirer),
        w.moved(w.cny, w.issuer, w.scheme, scheme),
    ]


def test_capture_many_pays_once_when_all_are_good(w, held):
    form = batch(*((payment, 1_000 * (i + 1)) for i, payment in enumerate(held)))
    assert w.escrow.captureMany.read(*form, by=w.acquirer) == 3
    before = w.books()
    receipt = w.escrow.captureMany(*form, by=w.acquirer)
    splits = [parts(1_000 * (i + 1), interchange_bps=100 + i) for i in range(3)]
    acquirer, scheme, interchange = (sum(each) for each in zip(*splits, strict=True))
    assert w.changes(before) == {
        "CNY.issuer.escrowed": -6_000,
        "CNY.issuer.available": interchange,
        "CNY.acquirer.available": acquirer,
        "CNY.scheme.available": scheme,
        **{f"{payment.name}.captured": 1_000 * (i + 1) for i, payment in enumerate(held)},
    }
    assert receipt.events == [
        *(captured(w, payment, 1_000 * (i + 1)) for i, payment in enumerate(held)),
        w.moved(w.cny, w.issuer, w.acquirer, acquirer),
        w.moved(w.cny, w.issuer, w.scheme, scheme),
    ]


def test_capture_many_counts_up_when_one_payment_is_in_it_twice(w, held):
    payment = held[0]
    before = w.books()
    receipt = w.escrow.captureMany(
        *batch((payment, 100), (payment, 250), (payment, 250)), by=w.acquirer
    )
    assert w.changes(before)["CNY.issuer.escrowed"] == -250
    assert receipt.events[:2] == [captured(w, payment, 100), captured(w, payment, 250)]
    assert skipped(w, receipt.events[2]) == (
        payment.id,
        refused("CaptureRepeated", payment.id, 250, 250),
    )


def test_capture_many_moves_nothing_when_every_item_is_refused(w, held):
    before = w.books()
    receipt = w.escrow.captureMany(*batch((held[0], 0), (held[1], 0)), by=w.acquirer)
    assert w.changes(before) == {}
    assert [each.name for each in receipt.events] == ["PaymentSkipped"] * 2


def test_capture_many_goes_through_when_a_delegate_has_the_verb_and_all_is_stopped(w, held):
    w.escrow.setDelegate(w.delegate, CAPTURE, by=w.acquirer)
    w.cny.pause(by=w.operator)
    w.cny.suspend(w.issuer, bytes(32), by=w.operator)
    w.cny.close(w.acquirer, by=w.operator)
    w.escrow.captureMany(*batch((held[0], AMOUNT)), by=w.delegate)
    assert w.escrow.paymentOf(held[0].id) == (True, AMOUNT, 0, 0, w.now // DAY)


@pytest.mark.threat("C33")
def test_capture_many_fits_in_half_a_block_when_there_are_200(w):
    w.set_card(w.issuer, w.card, payment_limit=PAYMENT_LIMIT, day_limit=2**64 - 1)
    payments = [w.new_payment(f"payment {i}", amount=1_000 + i) for i in range(MOST)]
    w.tracked = {}
    items = [payment.item() for payment in payments]
    w.escrow.authorizeMany(payments[0].parties, items, [], by=w.issuer)
    form = batch(*((payment, payment.amount) for payment in payments))
    receipt = w.escrow.captureMany(*form, by=w.acquirer)
    assert [each.name for each in receipt.events[:MOST]] == ["PaymentCaptured"] * MOST
    assert len(receipt.events) == MOST + 2
    assert receipt.gas_used < HALF_A_BLOCK
