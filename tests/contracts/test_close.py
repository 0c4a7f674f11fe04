"""close: closes an account for ever."""

import pytest

from tests.contracts.chain import refused
from tests.contracts.world import ACTIVE, CLOSED, FUNDS, NONE, SUSPENDED


@pytest.mark.parametrize("caller", ["scheme", "outsider"])
def test_close_is_refused_when_the_caller_may_not(w, caller):
    by = w.actors[caller]
    assert w.cny.close.refusal(w.scheme, by=by) == refused("AccessManagedUnauthorized", by)


@pytest.mark.parametrize("status", [NONE, CLOSED])
def test_close_is_refused_when_the_account_is_not_open(w, status):
    who = w.newcomer if status == NONE else w.scheme
    if status == CLOSED:
        w.cny.close(who, by=w.operator)
    expected = refused("AccountStatusMismatch", who, status)
    assert w.cny.close.refusal(who, by=w.operator) == expected


def test_close_is_refused_when_the_escrow_holds_something(w):
    expected = refused("AccountHoldsOpen", w.issuer, w.sibling.amount)
    assert w.cny.close.refusal(w.issuer, by=w.operator) == expected


def test_close_is_refused_when_any_module_holds_something_even_one_cut_off(w):
    for module, amount in ((w.module, 30), (w.other_module, 12)):
        w.cny.admitModule(module, by=w.operator)
        w.cny.holdFunds(w.scheme, amount, by=module)
    w.cny.cutOffModule(w.module, by=w.operator)
    expected = refused("AccountHoldsOpen", w.scheme, 42)
    assert w.cny.close.refusal(w.scheme, by=w.operator) == expected


@pytest.mark.parametrize("status", [ACTIVE, SUSPENDED])
def test_close_leaves_the_balance_where_it_is_when_nothing_is_held(w, status):
    if status == SUSPENDED:
        w.cny.suspend(w.scheme, bytes(32), by=w.operator)
    before = w.books()
    receipt = w.cny.close(w.scheme, by=w.operator)
    assert w.changes(before) == {"CNY.scheme.status": CLOSED - status}
    assert w.cny.balanceOf(w.scheme) > FUNDS - 1
    assert receipt.events == [w.cny.event("AccountClosed", participant=w.scheme)]


def test_close_works_when_paused(w):
    w.cny.pause(by=w.operator)
    w.cny.close(w.scheme, by=w.operator)
    assert w.cny.statusOf(w.scheme) == CLOSED
