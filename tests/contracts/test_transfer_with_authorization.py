"""transferWithAuthorization: moves value on the sender's signature, sent by anyone (ERC-3009)."""

import pytest

from tests.contracts import transfers
from tests.contracts.chain import Refusal, refused
from tests.contracts.keys import Key
from tests.contracts.transfers import NONCE, authorization, cancellation
from tests.contracts.villains import owned_wallet

VERB = "transferWithAuthorization"
FORMS = ["vrs", "bytes65", "bytes64"]


@pytest.mark.threat("C03")
@pytest.mark.threat("C04")
@pytest.mark.threat("C48")
@pytest.mark.parametrize("form", ["vrs", "bytes65"])
@pytest.mark.parametrize("case", transfers.REFUSALS)
def test_transfer_with_authorization_is_refused_when(w, case, form):
    arguments, expected = transfers.REFUSALS[case](w, VERB, form)
    assert w.cny.transferWithAuthorization.refusal(*arguments, by=w.outsider) == expected


def test_transfer_with_authorization_is_refused_when_it_was_cancelled(w):
    arguments = authorization(w, VERB).arguments(w)
    w.cny.cancelAuthorization(*cancellation(w), by=w.outsider)
    expected = refused("AuthorizationConsumed", w.issuer, NONCE)
    assert w.cny.transferWithAuthorization.refusal(*arguments, by=w.outsider) == expected


@pytest.mark.parametrize("word", [0, 1])
@pytest.mark.parametrize("form", ["vrs", "bytes65"])
def test_transfer_with_authorization_is_refused_when_an_address_has_stray_bits(w, form, word):
    # The signed values are hashed where they lie in the calldata: it has to be clean.
    arguments = authorization(w, VERB).arguments(w, form)
    data = bytearray.fromhex(w.cny.transferWithAuthorization.encode(*arguments)[2:])
    data[4 + 32 * word] = 1
    assert w.chain.refusal(w.cny.address, data.hex(), w.outsider) == Refusal("")


@pytest.mark.threat("C29")
@pytest.mark.parametrize("form", FORMS)
def test_transfer_with_authorization_moves_value_when_anyone_sends_it(w, form):
    asked = authorization(w, VERB)
    arguments = asked.arguments(w, form)
    before = w.books()
    assert not w.cny.authorizationState(w.issuer, NONCE)
    receipt = w.cny.transferWithAuthorization(*arguments, by=w.outsider)
    assert w.changes(before) == {"CNY.issuer.available": -5_000, "CNY.acquirer.available": 5_000}
    assert w.cny.authorizationState(w.issuer, NONCE)
    assert not w.cny.authorizationState(w.other_issuer, NONCE)
    assert not w.hkd.authorizationState(w.issuer, NONCE)
    assert receipt.events == [
        w.cny.event("AuthorizationUsed", authorizer=w.issuer, nonce=NONCE),
        w.moved(w.cny, w.issuer, w.acquirer, 5_000),
    ]


@pytest.mark.threat("C48")
def test_transfer_with_authorization_goes_through_when_at_either_edge_of_its_time(w):
    first = authorization(w, VERB, valid_after=w.now, nonce=bytes(32))
    last = authorization(w, VERB, valid_before=w.now + 3)
    before = w.books()
    w.at(w.now + 1)
    w.cny.transferWithAuthorization(*first.arguments(w), by=w.outsider)
    assert w.changes(before) == {"CNY.issuer.available": -5_000, "CNY.acquirer.available": 5_000}
    w.at(w.now + 1)
    w.cny.transferWithAuthorization(*last.arguments(w), by=w.outsider)
    assert w.changes(before) == {"CNY.issuer.available": -10_000, "CNY.acquirer.available": 10_000}


def test_transfer_with_authorization_goes_through_when_the_other_senders_nonce_is_used(w):
    for sender in (w.issuer, w.other_issuer):
        asked = authorization(w, VERB, sender=sender)
        w.cny.transferWithAuthorization(*asked.arguments(w), by=w.outsider)
    assert w.cny.authorizationState(w.other_issuer, NONCE)


def test_transfer_with_authorization_changes_nothing_when_to_oneself(w):
    asked = authorization(w, VERB, to=w.issuer)
    before = w.books()
    receipt = w.cny.transferWithAuthorization(*asked.arguments(w), by=w.outsider)
    assert w.changes(before) == {}
    assert receipt.events[1] == w.moved(w.cny, w.issuer, w.issuer, 5_000)


@pytest.mark.parametrize("form", ["vrs", "bytes65"])
def test_transfer_with_authorization_goes_through_when_the_sender_is_a_contract(w, form):
    owner = Key("wallet owner")
    wallet = owned_wallet(w, owner)
    w.cny.admit(wallet, by=w.operator)
    w.cny.transfer(wallet, 5_000, by=w.issuer)
    asked = authorization(w, VERB, sender=wallet)
    receipt = w.cny.transferWithAuthorization(*asked.arguments(w, form, owner), by=w.outsider)
    assert receipt.events[1] == w.moved(w.cny, wallet, w.acquirer, 5_000)
    assert w.cny.balanceOf(wallet) == 0
