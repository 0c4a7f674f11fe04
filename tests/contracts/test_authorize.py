"""authorize: the issuer sets the amount aside for the acquirer."""

import pytest

from tests.contracts import opening
from tests.contracts.chain import Refusal, refused
from tests.contracts.world import (
    ALL_VERBS,
    AMOUNT,
    AUTHORIZE,
    DAY,
    DAY_LIMIT,
    ENTRY_BLOCKED,
    PAYMENT_LIMIT,
    STATIC_LIMIT,
    SUSPENDED,
)


@pytest.mark.threat("C04")
@pytest.mark.threat("C21")
@pytest.mark.parametrize("case", opening.REFUSALS)
def test_authorize_is_refused_when(w, case):
    payment, expected = opening.REFUSALS[case](w)
    assert w.escrow.authorize.refusal(*payment.plain_form, by=w.issuer) == expected


@pytest.mark.threat("C29")
@pytest.mark.parametrize("caller", ["outsider", "acquirer", "other_issuer", "delegate", "operator"])
def test_authorize_is_refused_when_the_caller_may_not_act_for_the_issuer(w, caller):
    payment = w.new_payment()
    by = w.actors[caller]
    expected = refused("NotPermitted", by, w.issuer, AUTHORIZE)
    assert w.escrow.authorize.refusal(*payment.plain_form, by=by) == expected


def test_authorize_is_refused_when_the_delegate_has_every_other_verb(w):
    w.escrow.setDelegate(w.delegate, ALL_VERBS - AUTHORIZE, by=w.issuer)
    payment = w.new_payment()
    expected = refused("NotPermitted", w.delegate, w.issuer, AUTHORIZE)
    assert w.escrow.authorize.refusal(*payment.plain_form, by=w.delegate) == expected


def test_authorize_is_refused_when_the_delegate_was_taken_back(w):
    w.escrow.setDelegate(w.delegate, AUTHORIZE, by=w.issuer)
    w.escrow.setDelegate(w.delegate, 0, by=w.issuer)
    payment = w.new_payment()
    expected = refused("NotPermitted", w.delegate, w.issuer, AUTHORIZE)
    assert w.escrow.authorize.refusal(*payment.plain_form, by=w.delegate) == expected


def test_authorize_is_refused_when_the_delegate_is_another_issuers(w):
    w.escrow.setDelegate(w.delegate, AUTHORIZE, by=w.other_issuer)
    payment = w.new_payment()
    expected = refused("NotPermitted", w.delegate, w.issuer, AUTHORIZE)
    assert w.escrow.authorize.refusal(*payment.plain_form, by=w.delegate) == expected


def test_authorize_is_refused_when_the_issuer_is_suspended(w):
    payment = w.new_payment()
    w.cny.suspend(w.issuer, bytes(32), by=w.operator)
    expected = refused("AccountNotActive", w.issuer, SUSPENDED)
    assert w.escrow.authorize.refusal(*payment.plain_form, by=w.issuer) == expected


def test_authorize_is_refused_when_the_currency_is_paused(w):
    payment = w.new_payment()
    w.cny.pause(by=w.operator)
    assert w.escrow.authorize.refusal(*payment.plain_form, by=w.issuer) == refused("TokenPaused")
    w.authorize(w.new_payment("in another currency", token=w.hkd))


def test_authorize_is_refused_when_the_escrow_is_cut_off(w):
    payment = w.new_payment()
    w.cny.cutOffModule(w.escrow, by=w.operator)
    expected = refused("ModuleNotAdmitted", w.escrow)
    assert w.escrow.authorize.refusal(*payment.plain_form, by=w.issuer) == expected


def test_authorize_is_refused_when_available_is_one_short(w):
    available = w.cny.availableOf(w.issuer)
    w.set_card(w.issuer, w.card, payment_limit=2**64 - 1, day_limit=2**64 - 1)
    w.escrow.setAcceptances(w.shop.id, [(w.cny, 2**64 - 1, 1)], by=w.acquirer)
    payment = w.new_payment(amount=available + 1)
    expected = refused("InsufficientAvailable", w.issuer, available, available + 1)
    assert w.escrow.authorize.refusal(*payment.plain_form, by=w.issuer) == expected
    w.authorize(w.new_payment("all of it", amount=available))
    assert w.cny.availableOf(w.issuer) == 0


# Words of the calldata: signature r, vs; issuer, acquirer, token; merchant, reference, card and
# amount, uetr and deadlines. The bit is counted from the top of the word.
@pytest.mark.threat("C05")
@pytest.mark.parametrize(
    ("word", "bit"),
    [(2, 0), (2, 95), (3, 0), (3, 95), (4, 0), (4, 95), (7, 240), (7, 255), (8, 248), (8, 255)],
)
def test_authorize_is_refused_when_a_bit_that_belongs_to_no_term_is_set(w, word, bit):
    payment = w.new_payment()
    data = bytearray.fromhex(w.escrow.authorize.encode(*payment.plain_form)[2:])
    data[4 + 32 * word + bit // 8] |= 1 << (7 - bit % 8)
    found = w.chain.refusal(w.escrow.address, data.hex(), w.issuer)
    assert found == refused("TermsNotCanonical")


def test_authorize_is_refused_when_the_calldata_is_a_byte_short(w):
    data = w.escrow.authorize.encode(*w.new_payment().plain_form)
    assert w.chain.refusal(w.escrow.address, data[:-2], w.issuer) == Refusal("")


def test_authorize_holds_the_amount_when_the_issuer_sends_it(w):
    payment = w.new_payment()
    before = w.books()
    receipt = w.escrow.authorize(*payment.plain_form, by=w.issuer)
    assert w.changes(before) == {
        "CNY.issuer.available": -AMOUNT,
        "CNY.issuer.escrowed": AMOUNT,
        "CNY.card.spent": AMOUNT,
        "payment.exists": 1,
    }
    assert w.escrow.paymentOf(payment.id) == (True, 0, 0, 0, w.now // DAY)
    # Placing a hold is no Transfer.
    assert receipt.events == [w.opened("PaymentAuthorized", payment)]


def test_authorize_returns_the_payment_id_when_called(w):
    payment = w.new_payment()
    assert w.escrow.authorize.read(*payment.plain_form, by=w.issuer) == payment.id


def test_authorize_goes_through_when_a_delegate_has_just_this_verb(w):
    w.escrow.setDelegate(w.delegate, AUTHORIZE, by=w.issuer)
    payment = w.new_payment(token=w.hkd)
    before = w.books()
    receipt = w.escrow.authorize(*payment.plain_form, by=w.delegate)
    assert w.changes(before) == {
        "HKD.issuer.available": -AMOUNT,
        "HKD.issuer.escrowed": AMOUNT,
        "HKD.card.spent": AMOUNT,
        "payment.exists": 1,
    }
    assert receipt.events == [w.opened("PaymentAuthorized", payment)]


def test_authorize_goes_through_when_at_the_edges(w):
    for payment in opening.allowed(w).values():
        before = w.books()
        w.authorize(payment)
        assert w.changes(before)["CNY.issuer.escrowed"] == payment.amount


@pytest.mark.threat("C48")
def test_authorize_goes_through_when_one_second_is_left(w):
    payment = w.new_payment()
    w.at(payment.terms.authorize_before - 1)
    w.authorize(payment)
    assert w.escrow.paymentOf(payment.id)[0]


def test_authorize_counts_against_a_new_day_when_midnight_passed(w):
    midnight = (w.now // DAY + 1) * DAY
    w.at(midnight - 1)
    spent = w.sibling.amount
    left = DAY_LIMIT - spent
    w.escrow.setAcceptances(w.shop.id, [(w.cny, PAYMENT_LIMIT, 1)], by=w.acquirer)
    for index, amount in enumerate((PAYMENT_LIMIT, PAYMENT_LIMIT, left - 2 * PAYMENT_LIMIT)):
        w.authorize(w.new_payment(f"fills the day {index}", amount=amount))
    assert w.escrow.spentToday(w.issuer, w.card, w.cny) == DAY_LIMIT
    one_more = w.new_payment(amount=1)
    expected = refused("CardDayLimitExceeded", one_more.id, DAY_LIMIT + 1, DAY_LIMIT)
    assert w.escrow.authorize.refusal(*one_more.plain_form, by=w.issuer) == expected
    # The other card and the other currency have limits of their own.
    w.authorize(w.new_payment("other card", card=w.second_card))
    w.authorize(w.new_payment("other currency", token=w.hkd))

    w.at(midnight)
    assert w.escrow.spentToday(w.issuer, w.card, w.cny) == 0
    w.authorize(one_more)
    assert w.escrow.spentToday(w.issuer, w.card, w.cny) == 1
    assert w.escrow.paymentOf(one_more.id)[4] == midnight // DAY


def test_authorize_reaches_exactly_the_limits_when_they_allow_it(w):
    w.escrow.setAcceptances(w.shop.id, [(w.cny, PAYMENT_LIMIT, 1)], by=w.acquirer)
    w.set_card(w.issuer, w.card, day_limit=w.sibling.amount + PAYMENT_LIMIT)
    w.authorize(w.new_payment(amount=PAYMENT_LIMIT))
    assert w.escrow.spentToday(w.issuer, w.card, w.cny) == w.sibling.amount + PAYMENT_LIMIT


def test_authorize_goes_on_when_others_are_blocked_or_suspended(w):
    w.set_card(w.issuer, w.second_card, status=ENTRY_BLOCKED)
    w.cny.suspend(w.other_issuer, bytes(32), by=w.operator)
    w.cny.suspend(w.acquirer, bytes(32), by=w.operator)
    w.hkd.pause(by=w.operator)
    payment = w.new_payment()
    before = w.books()
    receipt = w.authorize(payment)
    assert w.changes(before) == {
        "CNY.issuer.available": -AMOUNT,
        "CNY.issuer.escrowed": AMOUNT,
        "CNY.card.spent": AMOUNT,
        "payment.exists": 1,
    }
    assert receipt.events == [w.opened("PaymentAuthorized", payment)]


def test_authorize_opens_both_when_two_payments_share_their_uetr(w):
    # A dynamic code does not lock its UETR: the acquirer captures the first and voids others.
    first = w.new_payment("first", amount=STATIC_LIMIT)
    second = w.new_payment("second", amount=STATIC_LIMIT, card=w.second_card, uetr=first.terms.uetr)
    before = w.books()
    w.authorize(first)
    w.authorize(second)
    assert w.changes(before)["CNY.issuer.escrowed"] == 2 * STATIC_LIMIT
