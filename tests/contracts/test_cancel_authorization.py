"""cancelAuthorization: makes a signed but unused authorization void for ever (ERC-3009)."""

import pytest

from tests.contracts.chain import refused
from tests.contracts.keys import Key
from tests.contracts.transfers import NONCE, authorization, cancellation
from tests.contracts.villains import owned_wallet

FORMS = ["vrs", "bytes65", "bytes64"]


@pytest.mark.parametrize("form", FORMS)
def test_cancel_authorization_is_refused_when_another_signed(w, form):
    arguments = cancellation(w, form, signer=w.acquirer)
    expected = refused("InvalidSignature", w.issuer)
    assert w.cny.cancelAuthorization.refusal(*arguments, by=w.acquirer) == expected


@pytest.mark.threat("C02")
@pytest.mark.parametrize("form", FORMS)
def test_cancel_authorization_is_refused_when_signed_for_another_currency(w, form):
    arguments = cancellation(w, form, token=w.hkd)
    expected = refused("InvalidSignature", w.issuer)
    assert w.cny.cancelAuthorization.refusal(*arguments, by=w.issuer) == expected


def test_cancel_authorization_is_refused_when_unsigned_even_for_the_authorizer(w):
    expected = refused("InvalidSignature", w.issuer)
    found = w.cny.cancelAuthorization.refusal(w.issuer, NONCE, b"", by=w.issuer)
    assert found == expected


@pytest.mark.threat("C04")
@pytest.mark.parametrize("first", ["used", "cancelled"])
@pytest.mark.parametrize("form", FORMS)
def test_cancel_authorization_is_refused_when_the_nonce_is_gone(w, form, first):
    if first == "used":
        asked = authorization(w, "transferWithAuthorization")
        w.cny.transferWithAuthorization(*asked.arguments(w), by=w.outsider)
    else:
        w.cny.cancelAuthorization(*cancellation(w), by=w.outsider)
    expected = refused("AuthorizationConsumed", w.issuer, NONCE)
    assert w.cny.cancelAuthorization.refusal(*cancellation(w, form), by=w.outsider) == expected


@pytest.mark.parametrize("form", FORMS)
def test_cancel_authorization_uses_the_nonce_up_when_anyone_sends_it(w, form):
    before = w.books()
    receipt = w.cny.cancelAuthorization(*cancellation(w, form), by=w.outsider)
    assert w.cny.authorizationState(w.issuer, NONCE)
    assert not w.cny.authorizationState(w.other_issuer, NONCE)
    assert w.changes(before) == {}
    assert receipt.events == [
        w.cny.event("AuthorizationCanceled", authorizer=w.issuer, nonce=NONCE)
    ]


def test_cancel_authorization_works_when_paused_and_suspended(w):
    w.cny.pause(by=w.operator)
    w.cny.suspend(w.issuer, bytes(32), by=w.operator)
    w.cny.cancelAuthorization(*cancellation(w), by=w.outsider)
    assert w.cny.authorizationState(w.issuer, NONCE)


@pytest.mark.parametrize("form", ["vrs", "bytes65"])
def test_cancel_authorization_works_when_the_authorizer_is_a_contract(w, form):
    owner = Key("wallet owner")
    wallet = owned_wallet(w, owner)
    arguments = cancellation(w, form, signer=owner, authorizer=wallet)
    w.cny.cancelAuthorization(*arguments, by=w.outsider)
    assert w.cny.authorizationState(wallet, NONCE)
