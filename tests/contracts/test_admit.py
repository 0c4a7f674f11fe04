"""admit: opens an account."""

import pytest

from tests.contracts.chain import refused
from tests.contracts.world import ACTIVE, CLOSED, NONE, SUSPENDED

ZERO = "0x" + "00" * 20


@pytest.mark.parametrize("caller", ["issuer", "outsider", "newcomer"])
def test_admit_is_refused_when_the_caller_is_not_the_registrar(w, caller):
    by = w.actors[caller]
    assert w.cny.admit.refusal(w.newcomer, by=by) == refused("AccessManagedUnauthorized", by)


def test_admit_is_refused_when_the_participant_is_nobody(w):
    assert w.cny.admit.refusal(ZERO, by=w.operator) == refused("InvalidAccount", ZERO)


@pytest.mark.parametrize("status", [ACTIVE, SUSPENDED, CLOSED])
def test_admit_is_refused_when_the_participant_was_admitted_before(w, status):
    if status == SUSPENDED:
        w.cny.suspend(w.scheme, bytes(32), by=w.operator)
    elif status == CLOSED:
        w.cny.close(w.scheme, by=w.operator)
    expected = refused("AccountStatusMismatch", w.scheme, status)
    assert w.cny.admit.refusal(w.scheme, by=w.operator) == expected


def test_admit_opens_an_account_in_this_currency_when_the_registrar_sends_it(w):
    before = w.books()
    receipt = w.cny.admit(w.newcomer, by=w.operator)
    assert w.changes(before) == {"CNY.newcomer.status": ACTIVE}
    assert w.hkd.statusOf(w.newcomer) == NONE
    assert receipt.events == [w.cny.event("AccountAdmitted", participant=w.newcomer)]
    w.cny.transfer(w.newcomer, 10, by=w.issuer)
    w.cny.transfer(w.issuer, 4, by=w.newcomer)
    assert w.cny.balanceOf(w.newcomer) == 6


def test_admit_works_when_paused(w):
    w.cny.pause(by=w.operator)
    before = w.books()
    receipt = w.cny.admit(w.newcomer, by=w.operator)
    assert w.changes(before) == {"CNY.newcomer.status": ACTIVE}
    assert receipt.events == [w.cny.event("AccountAdmitted", participant=w.newcomer)]
