"""chargeWith: with a dynamic code, for a contract account, or on the issuer's own signature."""

import pytest

from tael.typed_data import authorize_consent_digest, charge_consent_digest
from tests.contracts import opening
from tests.contracts.chain import refused
from tests.contracts.keys import Key
from tests.contracts.opening import consent as any_consent
from tests.contracts.villains import owned_wallet
from tests.contracts.world import ALL_VERBS, AMOUNT, CHARGE, STATIC_LIMIT, parts

BIG = STATIC_LIMIT + 20_000


def consent(w, payment, **changes):
    return any_consent(w, payment, **{"digest": charge_consent_digest, **changes})


@pytest.mark.threat("C04")
@pytest.mark.threat("C21")
@pytest.mark.parametrize("case", opening.REFUSALS)
def test_charge_with_is_refused_when(w, case):
    payment, expected = opening.REFUSALS[case](w)
    assert w.escrow.chargeWith.refusal(*payment.full_form(), by=w.issuer) == expected


@pytest.mark.threat("C29")
@pytest.mark.parametrize("caller", ["outsider", "acquirer", "other_issuer", "delegate"])
def test_charge_with_is_refused_when_the_caller_has_no_consent(w, caller):
    payment = w.new_payment()
    by = w.actors[caller]
    expected = refused("NotPermitted", by, w.issuer, CHARGE)
    assert w.escrow.chargeWith.refusal(*payment.full_form(), by=by) == expected


@pytest.mark.threat("C48")
@pytest.mark.parametrize("late", [0, 1])
def test_charge_with_is_refused_when_the_consent_expired(w, late):
    payment = w.new_payment()
    given = consent(w, payment, valid_before=w.now + 60)
    w.at(w.now + 60 + late)
    expected = refused("ConsentExpired", payment.id, w.now, w.now - late)
    form = payment.full_form(consents=[given])
    assert w.escrow.chargeWith.refusal(*form, by=w.outsider) == expected


def test_charge_with_is_refused_when_the_consent_is_a_strangers(w):
    payment = w.new_payment()
    form = payment.full_form(consents=[consent(w, payment, signer=w.outsider)])
    expected = refused("NotPermitted", w.outsider, w.issuer, CHARGE)
    assert w.escrow.chargeWith.refusal(*form, by=w.outsider) == expected


def test_charge_with_is_refused_when_the_consenting_delegate_has_every_other_verb(w):
    payment = w.new_payment()
    w.escrow.setDelegate(w.delegate, ALL_VERBS - CHARGE, by=w.issuer)
    form = payment.full_form(consents=[consent(w, payment, signer=w.delegate)])
    expected = refused("NotPermitted", w.delegate, w.issuer, CHARGE)
    assert w.escrow.chargeWith.refusal(*form, by=w.outsider) == expected


@pytest.mark.threat("C03")
def test_charge_with_is_refused_when_the_consent_is_for_an_authorization(w):
    payment = w.new_payment()
    form = payment.full_form(consents=[consent(w, payment, digest=authorize_consent_digest)])
    expected = refused("ConsentSignatureInvalid", payment.id, w.issuer)
    assert w.escrow.chargeWith.refusal(*form, by=w.outsider) == expected


def test_charge_with_is_refused_when_the_code_expired(w):
    payment = w.new_payment(amount=BIG)
    code = w.code(payment, expires_at=w.now)
    expected = refused("DynamicCodeExpired", payment.id, w.now, w.now)
    assert w.escrow.chargeWith.refusal(*payment.full_form([code]), by=w.issuer) == expected


def test_charge_with_is_refused_when_the_code_asks_for_more(w):
    payment = w.new_payment(amount=BIG)
    code = w.code(payment, amount=BIG + 1)
    expected = refused("DynamicCodeAmountAbove", payment.id, BIG, BIG + 1)
    assert w.escrow.chargeWith.refusal(*payment.full_form([code]), by=w.issuer) == expected


def test_charge_with_is_refused_when_the_code_is_another_tills(w):
    payment = w.new_payment(amount=BIG)
    code = w.code(payment, signer=Key("another till"))
    expected = refused("DynamicCodeSignatureInvalid", payment.id, w.shop.id)
    assert w.escrow.chargeWith.refusal(*payment.full_form([code]), by=w.issuer) == expected


def test_charge_with_pays_all_parts_when_code_and_consent_fit(w):
    payment = w.new_payment(amount=BIG)
    form = payment.full_form([w.code(payment)], [consent(w, payment)])
    acquirer, scheme, _ = parts(BIG)
    before = w.books()
    receipt = w.escrow.chargeWith(*form, by=w.outsider)
    assert w.changes(before) == {
        "CNY.issuer.available": -acquirer - scheme,
        "CNY.acquirer.available": acquirer,
        "CNY.scheme.available": scheme,
        "CNY.card.spent": BIG,
        "payment.exists": 1,
        "payment.captured": BIG,
    }
    assert receipt.events == [
        w.opened("PaymentCharged", payment),
        w.moved(w.cny, w.issuer, w.acquirer, acquirer),
        w.moved(w.cny, w.issuer, w.scheme, scheme),
    ]
    expected = refused("PaymentExists", payment.id)
    assert w.escrow.chargeWith.refusal(*form, by=w.outsider) == expected


def test_charge_with_returns_the_payment_id_when_called(w):
    payment = w.new_payment()
    assert w.escrow.chargeWith.read(*payment.full_form(), by=w.issuer) == payment.id


def test_charge_with_goes_through_when_a_delegate_sends_or_consents(w):
    w.escrow.setDelegate(w.delegate, CHARGE, by=w.issuer)
    sent, relayed = w.new_payment("sent"), w.new_payment("relayed")
    before = w.books()
    w.escrow.chargeWith(*sent.full_form(), by=w.delegate)
    form = relayed.full_form(consents=[consent(w, relayed, signer=w.delegate)])
    w.escrow.chargeWith(*form, by=w.outsider)
    changed = w.changes(before)
    assert changed["sent.captured"] == changed["relayed.captured"] == AMOUNT


def test_charge_with_goes_through_when_the_card_is_a_contract_account(w):
    owner = Key("card owner")
    card = owned_wallet(w, owner)
    w.set_card(w.issuer, card)
    payment = w.new_payment(card=card)
    form = payment.full_form(card_signature=owner.sign(payment.id).bytes65)
    before = w.books()
    w.escrow.chargeWith(*form, by=w.issuer)
    assert w.changes(before)["payment.captured"] == AMOUNT


@pytest.mark.parametrize(("codes", "consents"), [(2, 0), (0, 2), (2, 2), (1, 2)])
def test_charge_with_is_refused_when_there_is_more_than_one_of_a_kind(w, codes, consents):
    payment = w.new_payment(amount=BIG)
    form = payment.full_form([w.code(payment)] * codes, [consent(w, payment)] * consents)
    expected = refused("ConsentsTooMany", codes, consents)
    assert w.escrow.chargeWith.refusal(*form, by=w.issuer) == expected
