"""attest: says how much reserve stands behind the currency, and until when."""

import pytest

from tests.contracts.chain import refused
from tests.contracts.world import DAY

DOCUMENT = b"statement of account".ljust(32)
MAX_SUPPLY = 2**80 - 1


def test_attest_is_refused_when_the_caller_is_not_the_attestor(w):
    found = w.cny.attest.refusal(1, DOCUMENT, w.now + 1, by=w.issuer)
    assert found == refused("AccessManagedUnauthorized", w.issuer)


@pytest.mark.threat("C27")
@pytest.mark.parametrize("ahead", [-1, 0, 35 * DAY + 1, 2**40, 2**200])
def test_attest_is_refused_when_the_period_is_not_ahead_or_too_long(w, ahead):
    found = w.cny.attest.refusal(1, DOCUMENT, w.now + ahead, by=w.operator)
    assert found == refused("AttestationPeriodInvalid", w.now, w.now + ahead)


@pytest.mark.threat("C27")
@pytest.mark.parametrize("amount", [MAX_SUPPLY + 1, 2**128, 2**128 + 5, 2**256 - 1])
def test_attest_is_refused_when_the_amount_is_beyond_any_supply(w, amount):
    found = w.cny.attest.refusal(amount, DOCUMENT, w.now + 1, by=w.operator)
    assert found == refused("AmountTooLarge", amount, MAX_SUPPLY)


@pytest.mark.parametrize("ahead", [1, 35 * DAY])
@pytest.mark.parametrize("amount", [0, MAX_SUPPLY])
def test_attest_replaces_the_reserve_when_the_attestor_sends_it(w, amount, ahead):
    until = w.now + ahead
    before = w.books()
    receipt = w.cny.attest(amount, DOCUMENT, until, by=w.operator)
    assert w.cny.attestation() == (amount, until, DOCUMENT)
    assert w.changes(before) == {}
    expected = {"amount": amount, "validBefore": until, "documentHash": DOCUMENT}
    assert receipt.events == [w.cny.event("ReserveAttested", **expected)]
    assert w.hkd.attestation() != w.cny.attestation()
