"""reinstate: makes a suspended participant active again."""

import pytest

from tests.contracts.chain import refused
from tests.contracts.world import ACTIVE, CLOSED, NONE, SUSPENDED


@pytest.mark.parametrize("caller", ["issuer", "outsider"])
def test_reinstate_is_refused_when_the_caller_may_not(w, caller):
    w.cny.suspend(w.issuer, bytes(32), by=w.operator)
    by = w.actors[caller]
    expected = refused("AccessManagedUnauthorized", by)
    assert w.cny.reinstate.refusal(w.issuer, by=by) == expected


@pytest.mark.parametrize("status", [NONE, ACTIVE, CLOSED])
def test_reinstate_is_refused_when_the_participant_is_not_suspended(w, status):
    who = w.newcomer if status == NONE else w.scheme
    if status == CLOSED:
        w.cny.close(who, by=w.operator)
    expected = refused("AccountStatusMismatch", who, status)
    assert w.cny.reinstate.refusal(who, by=w.operator) == expected


def test_reinstate_lets_the_participant_spend_again_when_it_was_suspended(w):
    w.cny.suspend(w.issuer, bytes(32), by=w.operator)
    before = w.books()
    receipt = w.cny.reinstate(w.issuer, by=w.operator)
    assert w.changes(before) == {"CNY.issuer.status": ACTIVE - SUSPENDED}
    assert receipt.events == [w.cny.event("AccountReinstated", participant=w.issuer)]
    w.cny.transfer(w.acquirer, 1, by=w.issuer)
