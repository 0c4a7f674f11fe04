"""issue: new tokens against the attested reserve."""

import pytest

from tests.contracts.chain import refused
from tests.contracts.world import CLOSED, FUNDS, NONE, RESERVE, SUSPENDED

REFERENCE = b"RTGS 2026-11-23/1".ljust(32)
MAX_SUPPLY = 2**80 - 1


@pytest.mark.threat("C45")
@pytest.mark.parametrize("caller", ["issuer", "scheme", "outsider"])
def test_issue_is_refused_when_the_caller_is_not_the_issuance_desk(w, caller):
    by = w.actors[caller]
    found = w.cny.issue.refusal(w.issuer, 1, REFERENCE, by=by)
    assert found == refused("AccessManagedUnauthorized", by)


def test_issue_is_refused_when_the_currency_is_paused(w):
    w.cny.pause(by=w.operator)
    found = w.cny.issue.refusal(w.issuer, 1, REFERENCE, by=w.operator)
    assert found == refused("TokenPaused")


def test_issue_is_refused_when_the_bank_reference_was_used_for_anyone(w):
    w.cny.issue(w.issuer, 1, REFERENCE, by=w.operator)
    for participant in (w.issuer, w.acquirer):
        found = w.cny.issue.refusal(participant, 2, REFERENCE, by=w.operator)
        assert found == refused("BankReferenceUsed", REFERENCE)
    # Another currency has books of its own.
    w.hkd.issue(w.issuer, 1, REFERENCE, by=w.operator)


def test_issue_is_refused_when_it_is_of_nothing(w):
    found = w.cny.issue.refusal(w.issuer, 0, REFERENCE, by=w.operator)
    assert found == refused("AmountZero", REFERENCE)
    # The reference is still there for the issue that was meant.
    assert not w.cny.isIssued(REFERENCE)
    w.cny.issue(w.issuer, 1, REFERENCE, by=w.operator)
    # A reference that was used is refused for its amount first.
    found = w.cny.issue.refusal(w.issuer, 0, REFERENCE, by=w.operator)
    assert found == refused("AmountZero", REFERENCE)


@pytest.mark.threat("C45")
@pytest.mark.threat("C48")
@pytest.mark.parametrize("late", [0, 1])
def test_issue_is_refused_when_the_attestation_is_stale(w, late):
    until = w.cny.attestation()[1]
    w.at(until + late)
    found = w.cny.issue.refusal(w.issuer, 1, REFERENCE, by=w.operator)
    assert found == refused("ReserveStale", until + late, until)


def test_issue_is_refused_when_nothing_was_ever_attested(w):
    token = w.new_token("JPY", 392, 0)
    token.admit(w.issuer, by=w.operator)
    found = token.issue.refusal(w.issuer, 1, REFERENCE, by=w.operator)
    assert found == refused("ReserveStale", w.now, 0)


@pytest.mark.threat("C45")
def test_issue_is_refused_when_the_supply_would_pass_the_reserve_by_one(w):
    room = RESERVE - w.cny.totalSupply()
    found = w.cny.issue.refusal(w.issuer, room + 1, REFERENCE, by=w.operator)
    assert found == refused("ReserveExceeded", RESERVE + 1, RESERVE)
    w.cny.issue(w.issuer, room, REFERENCE, by=w.operator)
    assert w.cny.totalSupply() == RESERVE


@pytest.mark.threat("C45")
def test_issue_is_refused_when_the_reserve_sank_below_the_supply(w):
    supply = w.cny.totalSupply()
    w.cny.attest(supply - 1, bytes(32), w.now + 60, by=w.operator)
    found = w.cny.issue.refusal(w.issuer, 1, REFERENCE, by=w.operator)
    assert found == refused("ReserveExceeded", supply + 1, supply - 1)


@pytest.mark.threat("C27")
@pytest.mark.parametrize("amount", [MAX_SUPPLY + 1, 2**128, 2**256 - 1])
def test_issue_is_refused_when_the_amount_is_beyond_any_supply(w, amount):
    found = w.cny.issue.refusal(w.issuer, amount, REFERENCE, by=w.operator)
    assert found == refused("AmountTooLarge", amount, MAX_SUPPLY)


@pytest.mark.parametrize("status", [NONE, SUSPENDED, CLOSED])
def test_issue_is_refused_when_the_participant_is_not_active(w, status):
    to = w.newcomer if status == NONE else w.scheme
    if status == SUSPENDED:
        w.cny.suspend(to, bytes(32), by=w.operator)
    elif status == CLOSED:
        w.cny.close(to, by=w.operator)
    found = w.cny.issue.refusal(to, 1, REFERENCE, by=w.operator)
    assert found == refused("AccountNotActive", to, status)


def test_issue_raises_supply_and_balance_when_covered(w):
    assert not w.cny.isIssued(REFERENCE)
    before = w.books()
    receipt = w.cny.issue(w.acquirer, 5_000, REFERENCE, by=w.operator)
    assert w.changes(before) == {"CNY.supply": 5_000, "CNY.acquirer.available": 5_000}
    assert w.cny.isIssued(REFERENCE)
    issued = {"bankReference": REFERENCE, "participant": w.acquirer, "amount": 5_000}
    assert receipt.events == [
        w.cny.event("Issued", **issued),
        w.moved(w.cny, "0x" + "00" * 20, w.acquirer, 5_000),
    ]


@pytest.mark.threat("C48")
def test_issue_goes_through_when_the_attestation_has_a_second_left(w):
    w.at(w.cny.attestation()[1] - 1)
    before = w.books()
    w.cny.issue(w.issuer, 1, REFERENCE, by=w.operator)
    assert w.changes(before) == {"CNY.supply": 1, "CNY.issuer.available": 1}


@pytest.mark.threat("C27")
def test_issue_fills_no_neighbouring_field_when_the_supply_is_as_high_as_it_goes(w):
    token = w.new_token("JPY", 392, 0)
    for bank in (w.issuer, w.acquirer):
        token.admit(bank, by=w.operator)
    token.attest(MAX_SUPPLY, bytes(32), w.now + 60, by=w.operator)
    token.issue(w.issuer, MAX_SUPPLY, REFERENCE, by=w.operator)
    found = token.issue.refusal(w.issuer, 1, b"one more".ljust(32), by=w.operator)
    assert found == refused("ReserveExceeded", MAX_SUPPLY + 1, MAX_SUPPLY)
    token.admitEscrow(w.outsider, by=w.operator)
    token.admitModule(w.module, by=w.operator)
    # Everything through every field of the word and back.
    for holder in (w.outsider, w.module):
        token.holdFunds(w.issuer, MAX_SUPPLY, by=holder)
        assert (token.availableOf(w.issuer), token.heldOf(w.issuer)) == (0, MAX_SUPPLY)
        assert token.heldFor(holder, w.issuer) == token.balanceOf(w.issuer) == MAX_SUPPLY
        assert token.statusOf(w.issuer) == 1
        token.releaseHold(w.issuer, MAX_SUPPLY, by=holder)
        assert (token.availableOf(w.issuer), token.heldOf(w.issuer)) == (MAX_SUPPLY, 0)
    token.transfer(w.acquirer, MAX_SUPPLY, by=w.issuer)
    assert (token.balanceOf(w.issuer), token.balanceOf(w.acquirer)) == (0, MAX_SUPPLY)
    assert FUNDS < MAX_SUPPLY
