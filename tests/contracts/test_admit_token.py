"""admitToken, and the escrow's constructor: which currencies payments run in, on what shares."""

import pytest

from tests.contracts.chain import Refusal, refused
from tests.contracts.world import CLOSED

ZERO = "0x" + "00" * 20


@pytest.mark.parametrize("caller", ["issuer", "scheme", "outsider"])
def test_admit_token_is_refused_when_the_caller_may_not(w, caller):
    by = w.actors[caller]
    found = w.escrow.admitToken.refusal(w.cny, by=by)
    assert found == refused("AccessManagedUnauthorized", by)


def test_admit_token_is_refused_when_the_token_was_admitted_before(w):
    found = w.escrow.admitToken.refusal(w.cny, by=w.operator)
    assert found == refused("TokenAlreadyAdmitted", w.cny)


def test_admit_token_is_refused_when_the_scheme_has_no_account_in_it(w):
    jpy = w.new_token("JPY", 392, 0)
    found = w.escrow.admitToken.refusal(jpy, by=w.operator)
    assert found == refused("SchemeAccountMissing", jpy, w.scheme)


@pytest.mark.threat("C15")
def test_admit_token_is_refused_when_there_is_no_contract(w):
    found = w.escrow.admitToken.refusal(w.outsider, by=w.operator)
    assert found == Refusal("")


def test_admit_token_lets_payments_run_when_governance_sends_it(w):
    jpy = w.new_token("JPY", 392, 0)
    jpy.admit(w.scheme, by=w.operator)
    assert not w.escrow.isTokenAdmitted(jpy)
    before = w.books()
    receipt = w.escrow.admitToken(jpy, by=w.operator)
    assert w.escrow.isTokenAdmitted(jpy)
    assert w.changes(before) == {}
    assert receipt.events == [w.escrow.event("TokenAdmitted", token=jpy)]


def test_admit_token_goes_through_when_the_scheme_account_is_closed(w):
    # What is owed to a closed account still arrives.
    jpy = w.new_token("JPY", 392, 0)
    jpy.admit(w.scheme, by=w.operator)
    jpy.close(w.scheme, by=w.operator)
    assert jpy.statusOf(w.scheme) == CLOSED
    w.escrow.admitToken(jpy, by=w.operator)


@pytest.mark.threat("C25")
@pytest.mark.parametrize(
    ("scheme_bps", "cap_bps"), [(10_001, 0), (0, 10_001), (5_000, 5_001), (1, 2**256 - 1)]
)
def test_escrow_is_refused_when_the_shares_pass_the_whole(w, scheme_bps, cap_bps):
    found = w.chain.deployment_refusal(
        w.project.PaymentEscrow, w.governance, w.scheme, scheme_bps, cap_bps, by=w.operator
    )
    assert found == refused("SharesInvalid", scheme_bps, cap_bps)


def test_escrow_is_refused_when_the_scheme_account_is_nobody(w):
    found = w.chain.deployment_refusal(
        w.project.PaymentEscrow, w.governance, ZERO, 0, 0, by=w.operator
    )
    assert found == refused("SchemeAccountInvalid")


@pytest.mark.parametrize(("scheme_bps", "cap_bps"), [(10_000, 0), (0, 10_000), (25, 300)])
def test_escrow_keeps_its_shares_when_deployed(w, scheme_bps, cap_bps):
    escrow = w.new_escrow(scheme_bps, cap_bps, label="another")
    found = (escrow.schemeAccount(), escrow.schemeBps(), escrow.interchangeCapBps())
    assert found == (w.scheme.address, scheme_bps, cap_bps)
