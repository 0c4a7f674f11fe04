"""approve: an owner sets a spender's allowance."""

import pytest

from tests.contracts.chain import refused

ZERO = "0x" + "00" * 20


def test_approve_is_refused_when_the_spender_is_nobody(w):
    assert w.cny.approve.refusal(ZERO, 1, by=w.issuer) == refused("InvalidSpender", ZERO)


@pytest.mark.parametrize("value", [0, 1, 2**256 - 1])
def test_approve_replaces_the_allowance_when_called(w, value):
    w.cny.approve(w.outsider, 5, by=w.issuer)
    before = w.books()
    assert w.cny.approve.read(w.outsider, value, by=w.issuer) is True
    receipt = w.cny.approve(w.outsider, value, by=w.issuer)
    assert w.cny.allowance(w.issuer, w.outsider) == value
    assert w.cny.allowance(w.other_issuer, w.outsider) == 0
    assert w.hkd.allowance(w.issuer, w.outsider) == 0
    assert w.changes(before) == {}
    assert receipt.events == [
        w.cny.event("Approval", owner=w.issuer, spender=w.outsider, value=value)
    ]


def test_approve_works_when_paused_and_suspended(w):
    w.cny.pause(by=w.operator)
    w.cny.suspend(w.issuer, bytes(32), by=w.operator)
    for value in (7, 0):
        receipt = w.cny.approve(w.outsider, value, by=w.issuer)
        assert w.cny.allowance(w.issuer, w.outsider) == value
        assert receipt.events == [
            w.cny.event("Approval", owner=w.issuer, spender=w.outsider, value=value)
        ]
