"""forceTransfer: moves available by order of law, or sweeps a closed account."""

import pytest

from tests.contracts.chain import refused
from tests.contracts.world import CLOSED, NONE, SUSPENDED

REASON = b"court order 17".ljust(32)


@pytest.mark.threat("C47")
@pytest.mark.parametrize("caller", ["issuer", "scheme", "outsider"])
def test_force_transfer_is_refused_when_the_caller_may_not(w, caller):
    by = w.actors[caller]
    found = w.cny.forceTransfer.refusal(w.issuer, w.scheme, 1, REASON, by=by)
    assert found == refused("AccessManagedUnauthorized", by)


@pytest.mark.threat("C47")
def test_force_transfer_is_refused_when_it_would_reach_into_a_hold(w):
    available = w.cny.availableOf(w.issuer)
    assert w.cny.heldOf(w.issuer) > 0
    found = w.cny.forceTransfer.refusal(w.issuer, w.scheme, available + 1, REASON, by=w.operator)
    assert found == refused("InsufficientAvailable", w.issuer, available, available + 1)


@pytest.mark.threat("C47")
def test_force_transfer_is_refused_when_it_is_from_the_escrow_itself(w):
    # The escrow has no account: nothing in it can be taken or frozen.
    found = w.cny.forceTransfer.refusal(w.escrow, w.scheme, 1, REASON, by=w.operator)
    assert found == refused("InsufficientAvailable", w.escrow, 0, 1)
    found = w.cny.suspend.refusal(w.escrow, REASON, by=w.operator)
    assert found == refused("AccountStatusMismatch", w.escrow, NONE)


@pytest.mark.parametrize("status", [NONE, CLOSED])
def test_force_transfer_is_refused_when_the_receiver_is_not_open(w, status):
    to = w.newcomer if status == NONE else w.scheme
    if status == CLOSED:
        w.cny.close(to, by=w.operator)
    found = w.cny.forceTransfer.refusal(w.issuer, to, 1, REASON, by=w.operator)
    assert found == refused("AccountCannotReceive", to, status)


@pytest.mark.threat("C47")
@pytest.mark.parametrize("stopped", ["active", "suspended", "closed", "paused"])
def test_force_transfer_moves_available_with_its_reason_when_ordered(w, stopped):
    if stopped == "suspended":
        w.cny.suspend(w.scheme, REASON, by=w.operator)
    elif stopped == "closed":
        w.cny.close(w.scheme, by=w.operator)
    elif stopped == "paused":
        w.cny.pause(by=w.operator)
    amount = w.cny.availableOf(w.scheme)
    before = w.books()
    receipt = w.cny.forceTransfer(w.scheme, w.acquirer, amount, REASON, by=w.operator)
    assert w.changes(before) == {
        "CNY.scheme.available": -amount,
        "CNY.acquirer.available": amount,
    }
    forced = {"from_": w.scheme, "to": w.acquirer, "amount": amount, "reasonHash": REASON}
    assert receipt.events == [
        w.cny.event("TransferForced", **forced),
        w.moved(w.cny, w.scheme, w.acquirer, amount),
    ]


def test_force_transfer_changes_nothing_when_to_the_same_account(w):
    before = w.books()
    w.cny.forceTransfer(w.issuer, w.issuer, 100, REASON, by=w.operator)
    assert w.changes(before) == {}


def test_force_transfer_arrives_when_the_receiver_is_suspended(w):
    w.cny.suspend(w.acquirer, REASON, by=w.operator)
    assert w.cny.statusOf(w.acquirer) == SUSPENDED
    before = w.books()
    w.cny.forceTransfer(w.issuer, w.acquirer, 100, REASON, by=w.operator)
    assert w.changes(before)["CNY.acquirer.available"] == 100
