"""transferFrom: a spender sends within its allowance."""

import pytest

from tests.contracts.chain import refused
from tests.contracts.world import CLOSED, SUSPENDED

UNLIMITED = 2**256 - 1


@pytest.mark.parametrize(("allowed", "value"), [(0, 1), (99, 100), (UNLIMITED - 1, UNLIMITED)])
def test_transfer_from_is_refused_when_the_allowance_is_too_small(w, allowed, value):
    w.cny.approve(w.outsider, allowed, by=w.issuer)
    expected = refused("InsufficientAllowance", w.outsider, allowed, value)
    found = w.cny.transferFrom.refusal(w.issuer, w.acquirer, value, by=w.outsider)
    assert found == expected


def test_transfer_from_is_refused_when_the_owner_itself_has_no_allowance(w):
    expected = refused("InsufficientAllowance", w.issuer, 0, 1)
    found = w.cny.transferFrom.refusal(w.issuer, w.acquirer, 1, by=w.issuer)
    assert found == expected


def test_transfer_from_is_refused_when_the_allowance_was_given_in_another_currency(w):
    w.hkd.approve(w.outsider, 100, by=w.issuer)
    expected = refused("InsufficientAllowance", w.outsider, 0, 1)
    assert w.cny.transferFrom.refusal(w.issuer, w.acquirer, 1, by=w.outsider) == expected


def test_transfer_from_is_refused_when_the_currency_is_paused(w):
    w.cny.approve(w.outsider, 100, by=w.issuer)
    w.cny.pause(by=w.operator)
    found = w.cny.transferFrom.refusal(w.issuer, w.acquirer, 1, by=w.outsider)
    assert found == refused("TokenPaused")


def test_transfer_from_is_refused_when_the_owner_is_suspended(w):
    w.cny.approve(w.outsider, 100, by=w.issuer)
    w.cny.suspend(w.issuer, bytes(32), by=w.operator)
    found = w.cny.transferFrom.refusal(w.issuer, w.acquirer, 1, by=w.outsider)
    assert found == refused("AccountNotActive", w.issuer, SUSPENDED)


def test_transfer_from_is_refused_when_the_receiver_is_closed(w):
    w.cny.approve(w.outsider, 100, by=w.issuer)
    w.cny.close(w.scheme, by=w.operator)
    found = w.cny.transferFrom.refusal(w.issuer, w.scheme, 1, by=w.outsider)
    assert found == refused("AccountCannotReceive", w.scheme, CLOSED)


def test_transfer_from_is_refused_when_the_owner_has_less_than_allowed(w):
    w.cny.approve(w.outsider, UNLIMITED, by=w.issuer)
    available = w.cny.availableOf(w.issuer)
    expected = refused("InsufficientAvailable", w.issuer, available, available + 1)
    found = w.cny.transferFrom.refusal(w.issuer, w.acquirer, available + 1, by=w.outsider)
    assert found == expected


def test_transfer_from_uses_up_the_allowance_when_it_is_limited(w):
    w.cny.approve(w.outsider, 100, by=w.issuer)
    before = w.books()
    assert w.cny.transferFrom.read(w.issuer, w.acquirer, 60, by=w.outsider) is True
    receipt = w.cny.transferFrom(w.issuer, w.acquirer, 60, by=w.outsider)
    assert w.changes(before) == {"CNY.issuer.available": -60, "CNY.acquirer.available": 60}
    assert receipt.events == [w.moved(w.cny, w.issuer, w.acquirer, 60)]
    assert w.cny.allowance(w.issuer, w.outsider) == 40
    w.cny.transferFrom(w.issuer, w.acquirer, 40, by=w.outsider)
    assert w.cny.allowance(w.issuer, w.outsider) == 0


def test_transfer_from_leaves_the_allowance_when_it_is_unlimited(w):
    w.cny.approve(w.outsider, UNLIMITED, by=w.issuer)
    w.cny.transferFrom(w.issuer, w.acquirer, 60, by=w.outsider)
    assert w.cny.allowance(w.issuer, w.outsider) == UNLIMITED
