"""receiveWithAuthorization: the same, but only the payee may send it (ERC-3009)."""

import pytest

from tests.contracts import transfers
from tests.contracts.chain import refused
from tests.contracts.keys import Key
from tests.contracts.transfers import NONCE, authorization
from tests.contracts.villains import owned_wallet

VERB = "receiveWithAuthorization"
FORMS = ["vrs", "bytes65", "bytes64"]


@pytest.mark.threat("C29")
@pytest.mark.parametrize("form", ["vrs", "bytes65"])
@pytest.mark.parametrize("caller", ["outsider", "issuer", "other_acquirer", "operator"])
def test_receive_with_authorization_is_refused_when_another_than_the_payee_sends(w, caller, form):
    arguments = authorization(w, VERB).arguments(w, form)
    by = w.actors[caller]
    expected = refused("CallerNotPayee", by, w.acquirer)
    assert w.cny.receiveWithAuthorization.refusal(*arguments, by=by) == expected


@pytest.mark.threat("C03")
@pytest.mark.threat("C04")
@pytest.mark.threat("C48")
@pytest.mark.parametrize("form", ["vrs", "bytes65"])
@pytest.mark.parametrize("case", transfers.REFUSALS)
def test_receive_with_authorization_is_refused_when(w, case, form):
    arguments, expected = transfers.REFUSALS[case](w, VERB, form)
    assert w.cny.receiveWithAuthorization.refusal(*arguments, by=w.acquirer) == expected


@pytest.mark.threat("C29")
def test_receive_with_authorization_is_refused_when_the_payee_was_changed(w):
    arguments = list(authorization(w, VERB).arguments(w))
    arguments[1] = w.other_acquirer
    found = w.cny.receiveWithAuthorization.refusal(*arguments, by=w.other_acquirer)
    assert found == refused("InvalidSignature", w.issuer)


@pytest.mark.parametrize("form", FORMS)
def test_receive_with_authorization_moves_value_when_the_payee_sends_it(w, form):
    arguments = authorization(w, VERB).arguments(w, form)
    before = w.books()
    receipt = w.cny.receiveWithAuthorization(*arguments, by=w.acquirer)
    assert w.changes(before) == {"CNY.issuer.available": -5_000, "CNY.acquirer.available": 5_000}
    assert w.cny.authorizationState(w.issuer, NONCE)
    assert receipt.events == [
        w.cny.event("AuthorizationUsed", authorizer=w.issuer, nonce=NONCE),
        w.moved(w.cny, w.issuer, w.acquirer, 5_000),
    ]


@pytest.mark.parametrize("form", ["vrs", "bytes65"])
def test_receive_with_authorization_goes_through_when_the_sender_is_a_contract(w, form):
    owner = Key("wallet owner")
    wallet = owned_wallet(w, owner)
    w.cny.admit(wallet, by=w.operator)
    w.cny.transfer(wallet, 5_000, by=w.issuer)
    asked = authorization(w, VERB, sender=wallet)
    w.cny.receiveWithAuthorization(*asked.arguments(w, form, owner), by=w.acquirer)
    assert w.cny.balanceOf(wallet) == 0
