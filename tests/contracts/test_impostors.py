"""Tokens that are no SettlementTokens: they cannot enter, so nothing of theirs is ever called."""

import pytest

from tests.contracts.chain import Refusal, refused
from tests.contracts.world import ENTRY_NONE

YES, NO = (1).to_bytes(32, "big"), bytes(32)
# What a token may answer to everything, and whether it reverts.
ANSWERS = {
    "takes a fee": (YES, False),
    "rebases": (YES, False),
    "returns false": (NO, False),
    "returns nothing": (b"", False),
    "returns garbage": (b"\xff" * 7, False),
    "reverts": (b"", True),
    "reverts with garbage": (b"\xff" * 7, True),
}


@pytest.fixture(params=[*ANSWERS, "is no contract"])
def impostor(request, w):
    if request.param == "is no contract":
        return w.outsider
    answer, reverts = ANSWERS[request.param]
    return w.chain.deploy(w.project.HostileToken, answer, reverts, True, by=w.operator)


@pytest.mark.threat("C13")
@pytest.mark.threat("C14")
@pytest.mark.threat("C15")
def test_impostor_is_refused_and_never_called_when_it_is_not_admitted(w, impostor):
    payment = w.new_payment(token=impostor)
    w.tracked.pop("payment")
    before = w.books()
    cards = [(w.card, impostor, 1, 1, 1)]
    acceptances = [(impostor, 1, 1)]
    form = (payment.parties, payment.packed)
    inactive = refused("CardNotActive", payment.id, w.card, ENTRY_NONE)
    not_admitted = refused("TokenNotAdmitted", impostor)
    unknown = refused("PaymentUnknown", payment.id)
    escrow, issuer, acquirer = w.escrow, w.issuer, w.acquirer
    w.at(payment.terms.authorize_before - 1)
    for found, expected in (
        (escrow.setCards.refusal(issuer, cards, by=issuer), not_admitted),
        (escrow.setAcceptances.refusal(w.shop.id, acceptances, by=acquirer), not_admitted),
        (escrow.authorize.refusal(*payment.plain_form, by=issuer), inactive),
        (escrow.charge.refusal(*payment.plain_form, by=issuer), inactive),
        (escrow.authorizeWith.refusal(*payment.full_form(), by=issuer), inactive),
        (escrow.chargeWith.refusal(*payment.full_form(), by=issuer), inactive),
        (
            escrow.authorizeMany.refusal(payment.parties, [payment.item()], [], by=issuer),
            not_admitted,
        ),
        (escrow.capture.refusal(*form, 1, by=acquirer), unknown),
        (escrow.void.refusal(*form, 1, by=acquirer), unknown),
        (escrow.refund.refusal(*form, 1, by=acquirer), unknown),
        (escrow.reclaim.refusal(*form, by=issuer), unknown),
    ):
        assert found == expected
    receipt = escrow.captureMany(payment.parties, [(payment.packed, 1)], by=acquirer)
    assert [each.name for each in receipt.events] == ["PaymentSkipped"]
    assert w.changes(before) == {}
    if impostor is not w.outsider:
        assert impostor.callsThatMayWrite() == 0


@pytest.mark.threat("C15")
def test_impostor_is_refused_when_governance_is_talked_into_it(w, impostor):
    """All but those that lie about the scheme's account, which governance has to look into."""
    lies = impostor is not w.outsider and impostor.answer() == YES
    if lies:
        w.escrow.admitToken(impostor, by=w.operator)
        assert impostor.callsThatMayWrite() == 0
        return
    expected = Refusal("")
    if impostor is not w.outsider:
        answer = impostor.answer()
        if answer == NO:
            expected = refused("SchemeAccountMissing", impostor, w.scheme)
        elif impostor.reverts() and answer:
            expected = Refusal(f"0x{answer.hex()}")
    assert w.escrow.admitToken.refusal(impostor, by=w.operator) == expected


@pytest.mark.threat("C14")
def test_balances_stand_still_when_time_passes_and_reserves_change(w):
    before = w.books()
    supply = w.cny.totalSupply()
    w.cny.attest(supply // 2, bytes(32), w.now + 60, by=w.operator)
    w.cny.attest(supply * 2, bytes(32), w.now + 60, by=w.operator)
    w.at(w.now + 60)
    assert w.changes(before) == {}


@pytest.mark.threat("C51")
def test_donated_ether_and_tokens_change_no_books_when_forced(w):
    before = w.books()
    balance = hex(10**18)
    setter = "anvil_setBalance" if w.node.kind == "anvil" else "evm_setAccountBalance"
    for contract in (w.cny, w.escrow):
        w.node.rpc(setter, contract.address, balance)
    assert w.changes(before) == {}
    w.authorize(w.new_payment())
    # Even a token account of the escrow, if somebody opened one, is no part of any hold.
    w.cny.admit(w.escrow, by=w.operator)
    w.participants.append(w.escrow)
    given_by = w.cny.balanceOf(w.other_issuer)
    w.cny.transfer(w.escrow, 500, by=w.other_issuer)
    payment = w.new_payment("after the gift")
    before = w.books()
    w.authorize(payment)
    w.capture(payment, payment.amount)
    changed = w.changes(before)
    assert "CNY.escrow.available" not in changed
    assert w.cny.balanceOf(w.escrow) == 500
    assert w.cny.balanceOf(w.other_issuer) == given_by - 500
