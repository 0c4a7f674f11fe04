"""setDelegate: lets a key use some of the caller's verbs."""

import pytest

from tests.contracts.chain import refused
from tests.contracts.world import ALL_VERBS, AUTHORIZE, CAPTURE, REFUND


@pytest.mark.parametrize("verbs", [ALL_VERBS + 1, 1 << 255, 2**256 - 1])
def test_set_delegate_is_refused_when_a_verb_does_not_exist(w, verbs):
    found = w.escrow.setDelegate.refusal(w.delegate, verbs, by=w.issuer)
    assert found == refused("VerbsInvalid", verbs)


@pytest.mark.parametrize("verbs", [0, AUTHORIZE, CAPTURE + REFUND, ALL_VERBS])
def test_set_delegate_replaces_the_verbs_when_the_participant_sends_it(w, verbs):
    w.escrow.setDelegate(w.delegate, ALL_VERBS, by=w.issuer)
    before = w.books()
    receipt = w.escrow.setDelegate(w.delegate, verbs, by=w.issuer)
    assert w.escrow.verbsOf(w.issuer, w.delegate) == verbs
    assert w.escrow.verbsOf(w.other_issuer, w.delegate) == 0
    assert w.escrow.verbsOf(w.delegate, w.issuer) == 0
    assert w.changes(before) == {}
    assert receipt.events == [
        w.escrow.event("DelegateSet", participant=w.issuer, delegate=w.delegate, verbs=verbs)
    ]


def test_set_delegate_is_no_verb_when_a_delegate_tries_to_pass_it_on(w):
    w.escrow.setDelegate(w.delegate, ALL_VERBS, by=w.issuer)
    w.escrow.setDelegate(w.outsider, ALL_VERBS, by=w.delegate)
    payment = w.new_payment()
    found = w.escrow.authorize.refusal(*payment.plain_form, by=w.outsider)
    assert found == refused("NotPermitted", w.outsider, w.issuer, AUTHORIZE)
