"""permit: an owner's signature sets an allowance (ERC-2612)."""

import pytest

from tael.typed_data import permit_digest
from tests.contracts.chain import refused
from tests.contracts.keys import spoiled

ZERO = "0x" + "00" * 20


def form(w, *, value=100, nonce=0, deadline=None, signer=None, token=None, spender=None):
    """The arguments of a permit of the issuer for the outsider."""
    until = w.now + 60 if deadline is None else deadline
    to = spender or w.outsider.address
    digest = permit_digest(
        w.token_domain(token or w.cny), w.issuer.address, to, value, nonce, until
    )
    return (w.issuer, to, value, until, *(signer or w.issuer).sign(digest).vrs)


@pytest.mark.threat("C48")
def test_permit_is_refused_when_the_deadline_passed(w):
    arguments = form(w)
    w.at(w.now + 61)
    expected = refused("PermitExpired", w.now, w.now - 1)
    assert w.cny.permit.refusal(*arguments, by=w.outsider) == expected


@pytest.mark.parametrize(
    "change", [{"nonce": 1}, {"signer": "acquirer"}, {"token": "hkd"}], ids=str
)
def test_permit_is_refused_when_something_else_was_signed(w, change):
    resolved = {k: getattr(w, v) if isinstance(v, str) else v for k, v in change.items()}
    expected = refused("InvalidSignature", w.issuer)
    assert w.cny.permit.refusal(*form(w, **resolved), by=w.outsider) == expected


@pytest.mark.parametrize("field", ["spender", "value", "deadline"])
def test_permit_is_refused_when_a_field_was_changed(w, field):
    owner, spender, value, deadline, *signature = form(w)
    changed = {
        "spender": (owner, w.acquirer, value, deadline),
        "value": (owner, spender, value + 1, deadline),
        "deadline": (owner, spender, value, deadline + 1),
    }[field]
    expected = refused("InvalidSignature", w.issuer)
    assert w.cny.permit.refusal(*changed, *signature, by=w.outsider) == expected


@pytest.mark.threat("C06")
@pytest.mark.parametrize("v", [0, 27, 28])
def test_permit_is_refused_when_the_owner_is_nobody(w, v):
    arguments = (ZERO, w.outsider, 1, w.now + 60, v, bytes(32), bytes(32))
    assert w.cny.permit.refusal(*arguments, by=w.outsider) == refused("InvalidSignature", ZERO)


@pytest.mark.threat("C05")
def test_permit_is_refused_when_the_signature_is_spoiled(w):
    until = w.now + 60
    digest = permit_digest(
        w.token_domain(w.cny), w.issuer.address, w.outsider.address, 100, 0, until
    )
    for name, signature in spoiled(w.issuer.sign(digest)):
        found = w.cny.permit.refusal(
            w.issuer, w.outsider, 100, until, *signature.vrs, by=w.outsider
        )
        assert found == refused("InvalidSignature", w.issuer), name


def test_permit_is_refused_when_the_spender_is_nobody(w):
    arguments = form(w, spender=ZERO)
    assert w.cny.permit.refusal(*arguments, by=w.outsider) == refused("InvalidSpender", ZERO)


def test_permit_sets_the_allowance_when_signed(w):
    arguments = form(w)
    before = w.books()
    receipt = w.cny.permit(*arguments, by=w.acquirer)
    assert w.cny.allowance(w.issuer, w.outsider) == 100
    assert w.cny.nonces(w.issuer) == 1
    assert w.changes(before) == {}
    assert receipt.events == [
        w.cny.event("Approval", owner=w.issuer, spender=w.outsider, value=100)
    ]
    w.cny.permit(*form(w, nonce=1, value=7), by=w.outsider)
    assert w.cny.allowance(w.issuer, w.outsider) == 7


@pytest.mark.threat("C48")
def test_permit_goes_through_when_it_is_the_last_second(w):
    # ERC-2612 says "at most the deadline".
    arguments = form(w)
    w.at(w.now + 60)
    w.cny.permit(*arguments, by=w.outsider)
    assert w.cny.allowance(w.issuer, w.outsider) == 100
    assert w.cny.nonces(w.issuer) == 1


@pytest.mark.threat("C30")
def test_permit_leaves_the_allowance_when_somebody_ran_ahead_with_it(w):
    arguments = form(w)
    w.cny.permit(*arguments, by=w.other_acquirer)
    found = w.cny.permit.refusal(*arguments, by=w.outsider)
    assert found == refused("InvalidSignature", w.issuer)
    # Whoever meant to use it looks at the allowance, and can.
    assert w.cny.allowance(w.issuer, w.outsider) == 100
    w.cny.transferFrom(w.issuer, w.acquirer, 100, by=w.outsider)
