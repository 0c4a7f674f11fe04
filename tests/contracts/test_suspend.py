"""suspend: stops an active participant at once."""

import pytest

from tests.contracts.chain import refused
from tests.contracts.world import ACTIVE, AMOUNT, CLOSED, NONE, SUSPENDED, parts

REASON = b"why".ljust(32)


@pytest.mark.parametrize("caller", ["issuer", "outsider", "acquirer"])
def test_suspend_is_refused_when_the_caller_is_not_the_guardian(w, caller):
    by = w.actors[caller]
    expected = refused("AccessManagedUnauthorized", by)
    assert w.cny.suspend.refusal(w.issuer, REASON, by=by) == expected


@pytest.mark.parametrize("status", [NONE, SUSPENDED, CLOSED])
def test_suspend_is_refused_when_the_participant_is_not_active(w, status):
    who = w.newcomer if status == NONE else w.scheme
    if status == SUSPENDED:
        w.cny.suspend(who, REASON, by=w.operator)
    elif status == CLOSED:
        w.cny.close(who, by=w.operator)
    expected = refused("AccountStatusMismatch", who, status)
    assert w.cny.suspend.refusal(who, REASON, by=w.operator) == expected


def test_suspend_stops_one_participant_in_one_currency_when_the_guardian_sends_it(w):
    before = w.books()
    receipt = w.cny.suspend(w.issuer, REASON, by=w.operator)
    assert w.changes(before) == {"CNY.issuer.status": SUSPENDED - ACTIVE}
    assert receipt.events == [
        w.cny.event("AccountSuspended", participant=w.issuer, reasonHash=REASON)
    ]
    w.hkd.transfer(w.acquirer, 1, by=w.issuer)


@pytest.mark.threat("C18")
def test_suspend_lets_holds_complete_when_the_debtor_is_suspended(w):
    captured, voided = w.new_payment("captured"), w.new_payment("voided")
    w.authorize(captured)
    w.authorize(voided)
    w.cny.suspend(w.issuer, REASON, by=w.operator)
    before = w.books()
    w.capture(captured, AMOUNT)
    w.void(voided, AMOUNT)
    acquirer, scheme, interchange = parts(AMOUNT)
    assert w.changes(before) == {
        "CNY.issuer.escrowed": -2 * AMOUNT,
        "CNY.issuer.available": AMOUNT + interchange,
        "CNY.acquirer.available": acquirer,
        "CNY.scheme.available": scheme,
        "CNY.card.spent": -AMOUNT,
        "captured.captured": AMOUNT,
        "voided.voided": AMOUNT,
    }
