"""pause and unpause: stops new obligations of one currency."""

import pytest

from tests.contracts.chain import refused


@pytest.mark.parametrize("verb", ["pause", "unpause"])
def test_pause_and_unpause_are_refused_when_the_caller_may_not(w, verb):
    found = getattr(w.cny, verb).refusal(by=w.issuer)
    assert found == refused("AccessManagedUnauthorized", w.issuer)


def test_pause_is_refused_when_paused(w):
    w.cny.pause(by=w.operator)
    assert w.cny.pause.refusal(by=w.operator) == refused("TokenPaused")


def test_unpause_is_refused_when_not_paused(w):
    assert w.cny.unpause.refusal(by=w.operator) == refused("TokenNotPaused")


def test_pause_stops_one_currency_when_the_guardian_sends_it(w):
    before = w.books()
    assert not w.cny.paused()
    receipt = w.cny.pause(by=w.operator)
    assert (w.cny.paused(), w.hkd.paused()) == (True, False)
    assert w.changes(before) == {}
    assert receipt.events == [w.cny.event("Paused", by=w.operator)]
    # The escrow shares a slot with the flag.
    assert w.cny.escrow() == w.escrow.address


def test_unpause_lets_value_move_again_when_paused(w):
    w.cny.pause(by=w.operator)
    receipt = w.cny.unpause(by=w.operator)
    assert not w.cny.paused()
    assert receipt.events == [w.cny.event("Unpaused", by=w.operator)]
    assert w.cny.escrow() == w.escrow.address
    w.cny.transfer(w.acquirer, 1, by=w.issuer)
