"""charge: authorize and capture in full, at once, without a hold."""

import pytest

from tests.contracts import opening
from tests.contracts.chain import Refusal, refused
from tests.contracts.world import (
    ALL_VERBS,
    AMOUNT,
    CHARGE,
    CLOSED,
    DAY,
    SUSPENDED,
    parts,
)


@pytest.mark.threat("C04")
@pytest.mark.threat("C21")
@pytest.mark.parametrize("case", opening.REFUSALS)
def test_charge_is_refused_when(w, case):
    payment, expected = opening.REFUSALS[case](w)
    assert w.escrow.charge.refusal(*payment.plain_form, by=w.issuer) == expected


@pytest.mark.threat("C29")
@pytest.mark.parametrize("caller", ["outsider", "acquirer", "other_issuer", "delegate", "operator"])
def test_charge_is_refused_when_the_caller_may_not_act_for_the_issuer(w, caller):
    payment = w.new_payment()
    by = w.actors[caller]
    expected = refused("NotPermitted", by, w.issuer, CHARGE)
    assert w.escrow.charge.refusal(*payment.plain_form, by=by) == expected


def test_charge_is_refused_when_the_delegate_has_every_other_verb(w):
    w.escrow.setDelegate(w.delegate, ALL_VERBS - CHARGE, by=w.issuer)
    payment = w.new_payment()
    expected = refused("NotPermitted", w.delegate, w.issuer, CHARGE)
    assert w.escrow.charge.refusal(*payment.plain_form, by=w.delegate) == expected


def test_charge_is_refused_when_the_issuer_is_suspended(w):
    payment = w.new_payment()
    w.cny.suspend(w.issuer, bytes(32), by=w.operator)
    expected = refused("AccountNotActive", w.issuer, SUSPENDED)
    assert w.escrow.charge.refusal(*payment.plain_form, by=w.issuer) == expected


def test_charge_is_refused_when_the_currency_is_paused(w):
    payment = w.new_payment()
    w.cny.pause(by=w.operator)
    assert w.escrow.charge.refusal(*payment.plain_form, by=w.issuer) == refused("TokenPaused")


def test_charge_is_refused_when_the_escrow_is_cut_off(w):
    payment = w.new_payment()
    w.cny.cutOffModule(w.escrow, by=w.operator)
    expected = refused("ModuleNotAdmitted", w.escrow)
    assert w.escrow.charge.refusal(*payment.plain_form, by=w.issuer) == expected


def test_charge_is_refused_when_available_is_one_short_of_what_leaves_the_issuer(w):
    w.set_card(w.issuer, w.card, payment_limit=2**64 - 1, day_limit=2**64 - 1)
    w.escrow.setAcceptances(w.shop.id, [(w.cny, 2**64 - 1, 1)], by=w.acquirer)
    available = w.cny.availableOf(w.issuer)
    short = w.new_payment("short", amount=available + 1, interchange_bps=0)
    expected = refused("InsufficientAvailable", w.issuer, available, available + 1)
    assert w.escrow.charge.refusal(*short.plain_form, by=w.issuer) == expected
    # What stays with the issuer need not be there.
    kept = w.new_payment("kept", amount=available + 5, interchange_bps=100)
    before = w.books()
    w.charge(kept)
    acquirer, scheme, _ = parts(kept.amount, interchange_bps=100)
    assert w.changes(before)["CNY.issuer.available"] == -acquirer - scheme


@pytest.mark.parametrize(("word", "bit"), [(2, 0), (3, 0), (4, 95), (7, 255), (8, 255)])
def test_charge_is_refused_when_a_bit_that_belongs_to_no_term_is_set(w, word, bit):
    payment = w.new_payment()
    data = bytearray.fromhex(w.escrow.charge.encode(*payment.plain_form)[2:])
    data[4 + 32 * word + bit // 8] |= 1 << (7 - bit % 8)
    found = w.chain.refusal(w.escrow.address, data.hex(), w.issuer)
    assert found == refused("TermsNotCanonical")


def test_charge_is_refused_when_the_calldata_is_a_byte_short(w):
    data = w.escrow.charge.encode(*w.new_payment().plain_form)
    assert w.chain.refusal(w.escrow.address, data[:-2], w.issuer) == Refusal("")


def test_charge_pays_all_parts_when_the_issuer_sends_it(w):
    payment = w.new_payment()
    acquirer, scheme, interchange = parts(AMOUNT)
    assert (acquirer, scheme, interchange) == (39_420, 100, 480)
    before = w.books()
    receipt = w.escrow.charge(*payment.plain_form, by=w.issuer)
    assert w.changes(before) == {
        "CNY.issuer.available": -39_520,
        "CNY.acquirer.available": 39_420,
        "CNY.scheme.available": 100,
        "CNY.card.spent": AMOUNT,
        "payment.exists": 1,
        "payment.captured": AMOUNT,
    }
    assert w.escrow.paymentOf(payment.id) == (True, AMOUNT, 0, 0, w.now // DAY)
    assert receipt.events == [
        w.opened("PaymentCharged", payment),
        w.moved(w.cny, w.issuer, w.acquirer, 39_420),
        w.moved(w.cny, w.issuer, w.scheme, 100),
    ]


def test_charge_returns_the_payment_id_when_called(w):
    payment = w.new_payment()
    assert w.escrow.charge.read(*payment.plain_form, by=w.issuer) == payment.id


def test_charge_goes_through_when_a_delegate_has_just_this_verb(w):
    w.escrow.setDelegate(w.delegate, CHARGE, by=w.issuer)
    payment = w.new_payment(token=w.hkd)
    before = w.books()
    w.escrow.charge(*payment.plain_form, by=w.delegate)
    assert w.changes(before) == {
        "HKD.issuer.available": -39_520,
        "HKD.acquirer.available": 39_420,
        "HKD.scheme.available": 100,
        "HKD.card.spent": AMOUNT,
        "payment.exists": 1,
        "payment.captured": AMOUNT,
    }


@pytest.mark.threat("C16")
@pytest.mark.threat("C25")
def test_charge_emits_no_empty_transfer_when_the_fee_rounds_to_nothing(w):
    payment = w.new_payment(amount=1)
    receipt = w.charge(payment)
    assert receipt.events == [
        w.opened("PaymentCharged", payment),
        w.moved(w.cny, w.issuer, w.acquirer, 1),
    ]


@pytest.mark.threat("C16")
def test_charge_emits_no_transfer_at_all_when_interchange_takes_everything(w):
    keeps_all = w.new_escrow(0, 10_000, label="keeps all")
    w.escrow = keeps_all
    w.cny.admitEscrow(keeps_all, by=w.operator)
    keeps_all.admitToken(w.cny, by=w.operator)
    entries = [(w.card, w.cny, 1_000, 1_000, 1)]
    keeps_all.setCards(w.issuer, entries, by=w.issuer)
    keeps_all.setMerchant(w.acquirer, bytes(32), w.shop.signer, 1, bytes(32), by=w.acquirer)
    merchant = keeps_all.merchantId(w.acquirer, bytes(32))
    keeps_all.setAcceptances(merchant, [(w.cny, 1_000, 1)], by=w.acquirer)
    payment = w.new_payment(amount=777, merchant=merchant, interchange_bps=10_000)
    assert w.charge(payment).events == [w.opened("PaymentCharged", payment)]


def test_charge_goes_through_when_at_the_edges(w):
    for payment in opening.allowed(w).values():
        before = w.books()
        w.charge(payment)
        acquirer, scheme, _ = parts(payment.amount, interchange_bps=payment.terms.interchange_bps)
        changed = w.changes(before)
        assert changed["CNY.issuer.available"] == -acquirer - scheme
        assert changed["CNY.acquirer.available"] == acquirer


@pytest.mark.threat("C18")
def test_charge_goes_through_when_the_acquirer_is_suspended(w):
    w.cny.suspend(w.acquirer, bytes(32), by=w.operator)
    before = w.books()
    w.charge(w.new_payment())
    assert w.changes(before)["CNY.acquirer.available"] == 39_420


@pytest.mark.threat("C18")
def test_charge_goes_through_when_the_scheme_account_is_closed(w):
    w.cny.close(w.scheme, by=w.operator)
    before = w.books()
    w.charge(w.new_payment())
    assert w.changes(before)["CNY.scheme.available"] == 100
    assert w.cny.statusOf(w.scheme) == CLOSED


def test_charge_nets_out_when_issuer_and_acquirer_are_one_bank(w):
    shop = w.new_merchant(w.issuer, "own shop")
    payment = w.new_payment(acquirer=w.issuer, merchant=shop)
    before = w.books()
    receipt = w.charge(payment)
    assert w.changes(before) == {
        "CNY.issuer.available": -100,
        "CNY.scheme.available": 100,
        "CNY.card.spent": AMOUNT,
        "payment.exists": 1,
        "payment.captured": AMOUNT,
    }
    assert receipt.events[1] == w.moved(w.cny, w.issuer, w.issuer, 39_420)
