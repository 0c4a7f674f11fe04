"""authorizeWith: with a dynamic code, for a contract account, or on the issuer's own signature."""

import pytest
from eth_utils import keccak

from tael.typed_data import charge_consent_digest
from tests.contracts import opening
from tests.contracts.chain import refused
from tests.contracts.keys import Key
from tests.contracts.opening import consent
from tests.contracts.villains import owned_wallet
from tests.contracts.world import ALL_VERBS, AMOUNT, AUTHORIZE, DAY, STATIC_LIMIT

BIG = STATIC_LIMIT + 20_000


@pytest.mark.threat("C04")
@pytest.mark.threat("C21")
@pytest.mark.parametrize("case", opening.REFUSALS)
def test_authorize_with_is_refused_when(w, case):
    payment, expected = opening.REFUSALS[case](w)
    assert w.escrow.authorizeWith.refusal(*payment.full_form(), by=w.issuer) == expected


@pytest.mark.threat("C29")
@pytest.mark.parametrize("caller", ["outsider", "acquirer", "other_issuer", "delegate"])
def test_authorize_with_is_refused_when_the_caller_has_no_consent(w, caller):
    payment = w.new_payment()
    by = w.actors[caller]
    expected = refused("NotPermitted", by, w.issuer, AUTHORIZE)
    assert w.escrow.authorizeWith.refusal(*payment.full_form(), by=by) == expected


# The issuer's consent


@pytest.mark.threat("C48")
@pytest.mark.parametrize("late", [0, 1])
def test_authorize_with_is_refused_when_the_consent_expired(w, late):
    payment = w.new_payment()
    given = consent(w, payment, valid_before=w.now + 60)
    w.at(w.now + 60 + late)
    expected = refused("ConsentExpired", payment.id, w.now, w.now - late)
    form = payment.full_form(consents=[given])
    assert w.escrow.authorizeWith.refusal(*form, by=w.outsider) == expected


def test_authorize_with_is_refused_when_the_consent_is_a_strangers(w):
    payment = w.new_payment()
    form = payment.full_form(consents=[consent(w, payment, signer=w.outsider)])
    expected = refused("NotPermitted", w.outsider, w.issuer, AUTHORIZE)
    assert w.escrow.authorizeWith.refusal(*form, by=w.outsider) == expected


def test_authorize_with_is_refused_when_the_consenting_delegate_lost_the_verb(w):
    payment = w.new_payment()
    w.escrow.setDelegate(w.delegate, ALL_VERBS, by=w.issuer)
    given = consent(w, payment, signer=w.delegate)
    w.escrow.setDelegate(w.delegate, ALL_VERBS - AUTHORIZE, by=w.issuer)
    expected = refused("NotPermitted", w.delegate, w.issuer, AUTHORIZE)
    form = payment.full_form(consents=[given])
    assert w.escrow.authorizeWith.refusal(*form, by=w.outsider) == expected


@pytest.mark.threat("C03")
def test_authorize_with_is_refused_when_the_consent_is_for_a_charge(w):
    payment = w.new_payment()
    given = consent(w, payment, digest=charge_consent_digest)
    expected = refused("ConsentSignatureInvalid", payment.id, w.issuer)
    form = payment.full_form(consents=[given])
    assert w.escrow.authorizeWith.refusal(*form, by=w.outsider) == expected


def test_authorize_with_is_refused_when_the_consent_is_for_another_payment(w):
    payment, other = w.new_payment("payment"), w.new_payment("other")
    expected = refused("ConsentSignatureInvalid", payment.id, w.issuer)
    form = payment.full_form(consents=[consent(w, other)])
    assert w.escrow.authorizeWith.refusal(*form, by=w.outsider) == expected


def test_authorize_with_is_refused_when_the_consents_time_was_stretched(w):
    payment = w.new_payment()
    signer, until, signature = consent(w, payment)
    form = payment.full_form(consents=[(signer, until + 1, signature)])
    expected = refused("ConsentSignatureInvalid", payment.id, w.issuer)
    assert w.escrow.authorizeWith.refusal(*form, by=w.outsider) == expected


def test_authorize_with_is_refused_when_the_issuer_itself_brings_a_bad_consent(w):
    payment = w.new_payment()
    form = payment.full_form(consents=[consent(w, payment, signer=w.outsider)])
    expected = refused("NotPermitted", w.outsider, w.issuer, AUTHORIZE)
    assert w.escrow.authorizeWith.refusal(*form, by=w.issuer) == expected


@pytest.mark.threat("C06")
def test_authorize_with_is_refused_when_the_consent_is_nobodys(w):
    nobody = "0x" + "00" * 20
    w.escrow.setDelegate(nobody, ALL_VERBS, by=w.issuer)
    payment = w.new_payment()
    form = payment.full_form(consents=[(nobody, w.now + 60, bytes(65))])
    expected = refused("ConsentSignatureInvalid", payment.id, nobody)
    assert w.escrow.authorizeWith.refusal(*form, by=w.outsider) == expected


def test_authorize_with_is_relayed_when_the_issuer_consented(w):
    payment = w.new_payment()
    form = payment.full_form(consents=[consent(w, payment)])
    before = w.books()
    receipt = w.escrow.authorizeWith(*form, by=w.outsider)
    assert w.changes(before) == {
        "CNY.issuer.available": -AMOUNT,
        "CNY.issuer.escrowed": AMOUNT,
        "CNY.card.spent": AMOUNT,
        "payment.exists": 1,
    }
    assert receipt.events == [w.opened("PaymentAuthorized", payment)]
    expected = refused("PaymentExists", payment.id)
    assert w.escrow.authorizeWith.refusal(*form, by=w.outsider) == expected


def test_authorize_with_is_relayed_when_a_delegate_consented_a_second_before_the_end(w):
    w.escrow.setDelegate(w.delegate, AUTHORIZE, by=w.issuer)
    payment = w.new_payment()
    form = payment.full_form(consents=[consent(w, payment, signer=w.delegate)])
    w.at(w.now + 59)
    w.escrow.authorizeWith(*form, by=w.outsider)
    assert w.escrow.paymentOf(payment.id)[0]


def test_authorize_with_goes_through_when_a_delegate_sends_it(w):
    w.escrow.setDelegate(w.delegate, AUTHORIZE, by=w.issuer)
    payment = w.new_payment()
    w.escrow.authorizeWith(*payment.full_form(), by=w.delegate)
    assert w.escrow.paymentOf(payment.id) == (True, 0, 0, 0, w.now // DAY)


# The merchant's dynamic code


@pytest.mark.threat("C31")
@pytest.mark.threat("C48")
@pytest.mark.parametrize("late", [0, 1])
def test_authorize_with_is_refused_when_the_code_expired(w, late):
    payment = w.new_payment(amount=BIG)
    code = w.code(payment, expires_at=w.now + 60)
    w.at(w.now + 60 + late)
    expected = refused("DynamicCodeExpired", payment.id, w.now, w.now - late)
    assert w.escrow.authorizeWith.refusal(*payment.full_form([code]), by=w.issuer) == expected


@pytest.mark.threat("C31")
def test_authorize_with_is_refused_when_the_code_asks_for_more(w):
    payment = w.new_payment(amount=BIG)
    code = w.code(payment, amount=BIG + 1)
    expected = refused("DynamicCodeAmountAbove", payment.id, BIG, BIG + 1)
    assert w.escrow.authorizeWith.refusal(*payment.full_form([code]), by=w.issuer) == expected


@pytest.mark.threat("C31")
@pytest.mark.parametrize("what", ["signer", "uetr", "currency", "merchant", "amount", "expiry"])
def test_authorize_with_is_refused_when_the_code_says_another(w, what):
    payment = w.new_payment(amount=BIG)
    amount, expires_at, signature = w.code(payment)
    if what == "signer":
        signature = w.code(payment, signer=Key("another till"))[2]
    elif what == "uetr":
        signature = w.code(w.new_payment("other", amount=BIG))[2]
    elif what == "currency":
        other = w.new_payment("other", amount=BIG, token=w.hkd, uetr=payment.terms.uetr)
        signature = w.code(other)[2]
    elif what == "merchant":
        other = w.new_payment("other", amount=BIG, merchant=w.other_shop, uetr=payment.terms.uetr)
        signature = w.code(other, signer=w.shop.signer)[2]
    elif what == "amount":
        amount -= 1
    else:
        expires_at += 1
    form = payment.full_form([(amount, expires_at, signature)])
    expected = refused("DynamicCodeSignatureInvalid", payment.id, w.shop.id)
    assert w.escrow.authorizeWith.refusal(*form, by=w.issuer) == expected


def test_authorize_with_is_refused_when_the_merchant_changed_its_key_since(w):
    payment = w.new_payment(amount=BIG)
    code = w.code(payment)
    new_key = Key("new till")
    commitment = keccak(text="salt shop")
    w.escrow.setMerchant(w.acquirer, commitment, new_key, 5411, bytes(32), by=w.acquirer)
    expected = refused("DynamicCodeSignatureInvalid", payment.id, w.shop.id)
    assert w.escrow.authorizeWith.refusal(*payment.full_form([code]), by=w.issuer) == expected
    code = w.code(payment, signer=new_key)
    w.escrow.authorizeWith(*payment.full_form([code]), by=w.issuer)


def test_authorize_with_goes_through_when_the_code_fits(w):
    payment = w.new_payment(amount=BIG)
    before = w.books()
    receipt = w.escrow.authorizeWith(*payment.full_form([w.code(payment)]), by=w.issuer)
    assert w.changes(before) == {
        "CNY.issuer.available": -BIG,
        "CNY.issuer.escrowed": BIG,
        "CNY.card.spent": BIG,
        "payment.exists": 1,
    }
    assert receipt.events == [w.opened("PaymentAuthorized", payment)]


def test_authorize_with_goes_through_when_the_payer_adds_a_tip(w):
    payment = w.new_payment(amount=BIG)
    code = w.code(payment, amount=BIG - 5_000)
    w.escrow.authorizeWith(*payment.full_form([code]), by=w.issuer)
    assert w.escrow.paymentOf(payment.id)[0]


def test_authorize_with_goes_through_when_the_code_has_a_second_left(w):
    payment = w.new_payment(amount=BIG)
    code = w.code(payment, expires_at=w.now + 60)
    w.at(w.now + 59)
    before = w.books()
    w.escrow.authorizeWith(*payment.full_form([code]), by=w.issuer)
    assert w.changes(before) == {
        "CNY.issuer.available": -BIG,
        "CNY.issuer.escrowed": BIG,
        "CNY.card.spent": BIG,
        "payment.exists": 1,
    }


def test_authorize_with_opens_both_when_two_people_pay_one_code(w):
    first = w.new_payment("first", amount=BIG)
    second = w.new_payment("second", amount=BIG, card=w.second_card, uetr=first.terms.uetr)
    code = w.code(first)
    for payment in (first, second):
        w.escrow.authorizeWith(*payment.full_form([code]), by=w.issuer)
    before = w.books()
    w.capture(first, BIG)
    w.void(second, BIG)
    changed = w.changes(before)
    assert changed["CNY.issuer.escrowed"] == -2 * BIG
    assert changed["first.captured"] == changed["second.voided"] == BIG


# What the card signs with


@pytest.mark.parametrize("form", ["bytes65", "bytes64"])
def test_authorize_with_takes_both_lengths_when_the_card_is_a_key(w, form):
    payment = w.new_payment()
    signature = getattr(payment.signed, form)
    w.escrow.authorizeWith(*payment.full_form(card_signature=signature), by=w.issuer)
    assert w.escrow.paymentOf(payment.id)[0]


def test_authorize_with_goes_through_when_card_merchant_and_issuer_sign_as_contracts(w):
    card_owner, till_owner = Key("card owner"), Key("till owner")
    card = owned_wallet(w, card_owner)
    till = owned_wallet(w, till_owner)
    bank_wallet = owned_wallet(w, w.delegate)
    w.set_card(w.issuer, card)
    shop = w.new_merchant(w.acquirer, "wallet shop", signer=till)
    w.escrow.setDelegate(bank_wallet, AUTHORIZE, by=w.issuer)
    payment = w.new_payment(amount=BIG, card=card, merchant=shop)
    code = w.code(payment, signer=till_owner)
    _, until, consent_signature = consent(w, payment, signer=w.delegate)
    form = payment.full_form(
        [code],
        [(bank_wallet, until, consent_signature)],
        card_owner.sign(payment.id).bytes65,
    )
    before = w.books()
    receipt = w.escrow.authorizeWith(*form, by=w.outsider)
    assert w.changes(before) == {
        "CNY.issuer.available": -BIG,
        "CNY.issuer.escrowed": BIG,
        "payment.exists": 1,
    }
    assert receipt.events == [w.opened("PaymentAuthorized", payment)]


@pytest.mark.parametrize(("codes", "consents"), [(2, 0), (0, 2), (2, 2), (1, 2)])
def test_authorize_with_is_refused_when_there_is_more_than_one_of_a_kind(w, codes, consents):
    payment = w.new_payment(amount=BIG)
    form = payment.full_form([w.code(payment)] * codes, [consent(w, payment)] * consents)
    expected = refused("ConsentsTooMany", codes, consents)
    assert w.escrow.authorizeWith.refusal(*form, by=w.issuer) == expected
