"""Batches: every payment has its own outcome, and the same batch again pays nothing twice."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tael import (
    BatchOutcome,
    CardEntry,
    Client,
    IdempotencyConflictError,
    Money,
    SignedPayment,
)
from tael.errors import (
    InvalidInputError,
    LimitExceededError,
    NotPermittedError,
    WrongStateError,
    WrongTimeError,
)
from tests.support.world import OPENING_MINOR, World, cny, hkd


def refusals(outcomes: list[BatchOutcome]) -> list[str | None]:
    return [getattr(outcome.refusal, "name", None) for outcome in outcomes]


# Refusals: the whole batch is looked at before anything is sent


@pytest.mark.threat("S28")
def test_authorize_many_sends_nothing_when_one_row_is_bad(world: World, issuer: Client) -> None:
    good = [world.sign(f"P-{index}", cny("1.00")) for index in range(3)]
    contract_card = replace(good[2], card_signature=b"not an ordinary key's")
    foreign = replace(good[2], prepared=replace(good[2].prepared, payment_id=bytes(32)))
    before = world.chain.block_number()
    for batch in ([*good[:2], contract_card], [*good, good[0]], [*good[:2], foreign], []):
        with pytest.raises(InvalidInputError):
            issuer.payments.authorize_many(batch, reference="B-1")
    for reference in ("B" * 36, "", "B_1"):
        with pytest.raises(InvalidInputError):
            issuer.payments.authorize_many(good, reference=reference)
    assert world.chain.block_number() == before


@pytest.mark.threat("S28")
def test_capture_many_sends_nothing_when_one_row_is_bad(world: World, acquirer: Client) -> None:
    payment = world.authorize("P-1", cny("1.00"))
    unknown = world.prepare("P-2", cny("1.00"))
    for batch, kind in (
        ([(payment, cny("1.00")), (payment.payment_id, cny("1.00"))], InvalidInputError),
        ([(payment, cny("1.00")), (payment.payment_id, hkd("1.00"))], InvalidInputError),
        ([(payment, cny("1.00")), (unknown.payment_id, cny("1.00"))], WrongStateError),
    ):
        with pytest.raises(kind):
            acquirer.payments.capture_many(batch, reference="B-1")
    assert acquirer.payments.status(payment).captured == cny("0.00")


# Success


@pytest.mark.threat("S29")
def test_authorize_many_leaves_out_what_is_refused_and_pays_once_when_repeated(
    any_world: World,
) -> None:
    world, issuer = any_world, any_world.client("issuer")
    opened = world.authorize("P-0", cny("3.00"))
    forged = world.sign("P-4", cny("1.00"))
    stranger = world.signers["outsider"].sign_digest(forged.payment_id)
    batch = [
        world.sign("P-1", cny("1.00")),
        opened,
        world.sign("P-2", cny("100.01")),
        world.sign("P-3", code=world.code(150_00, reference="INV-1")),
        replace(forged, card_signature=stranger),
        world.sign("P-5", cny("2.00"), acquirer="other_acquirer"),
        world.sign("P-6", hkd("4.00")),
        world.sign("P-7", code=world.code(150_00, reference="INV-2", till="till")),
    ]
    before = world.balances()
    first = issuer.payments.authorize_many(batch, reference="B-1")
    assert [outcome.payment_id for outcome in first] == [each.payment_id for each in batch]
    assert refusals(first) == [
        None,
        None,
        "DynamicCodeMissing",
        None,
        "CardSignatureInvalid",
        None,
        None,
        None,
    ]
    assert [each.written.repeated for each in first if each.written] == [
        False,
        True,
        False,
        False,
        False,
        False,
    ]
    references = {each.written.reference for each in first if each.written}
    assert references == {"B-1"}
    again = issuer.payments.authorize_many(batch, reference="B-1")
    assert refusals(again) == refusals(first)
    for once, twice in zip(first[:1] + first[2:], again[:1] + again[2:], strict=True):
        if once.written is not None:
            assert twice.written is not None
            assert twice.written.repeated
            assert twice.written.transaction_hash == once.written.transaction_hash
            assert twice.written.subject == once.payment_id
    expected = dict(before)
    held = 100 + 15000 + 200 + 15000
    expected["issuer", "CNY"] = (before["issuer", "CNY"][0] - held, 300 + held)
    expected["issuer", "HKD"] = (OPENING_MINOR - 400, 400)
    assert world.balances() == expected


def test_authorize_many_sends_several_transactions_when_there_are_more_than_200(
    world: World, issuer: Client, acquirer: Client
) -> None:
    card = world.address("cardholder")
    issuer.directory.set_cards(
        [CardEntry(card, cny("100.00"), cny("50000.00"))], reference="CARDS-2"
    )
    batch: list[SignedPayment] = [
        world.sign(f"P-{index}", Money("CNY", 100 + index)) for index in range(205)
    ]
    total = sum(100 + index for index in range(205))
    outcomes = issuer.payments.authorize_many(batch, reference="B-1")
    assert all(outcome.accepted for outcome in outcomes)
    assert len({each.written.transaction_hash for each in outcomes if each.written}) == 2
    assert issuer.balances.held("CNY") == Money("CNY", total)
    captured = acquirer.payments.capture_many(
        [(each.payment_id, each.prepared.amount) for each in batch], reference="C-1"
    )
    assert all(outcome.accepted for outcome in captured)
    assert issuer.balances.held("CNY") == cny("0.00")


def test_capture_many_leaves_out_what_is_refused_and_pays_once_when_repeated(
    any_world: World,
) -> None:
    world, acquirer = any_world, any_world.client("acquirer")
    one = world.authorize("P-1", cny("10.00"))
    two = world.authorize("P-2", cny("20.00"), card="other_cardholder")
    three = world.authorize("P-3", hkd("30.00"), issuer="other_issuer")
    batch = [(one, cny("10.00")), (two, cny("20.01")), (three.terms, hkd("5.00"))]
    first = acquirer.payments.capture_many(batch, reference="C-1")
    assert refusals(first) == [None, "CaptureTooLarge", None]
    assert isinstance(first[1].refusal, LimitExceededError)
    before = world.balances()
    world.node.mine(timestamp=max(one.terms.capture_before, three.terms.capture_before))
    again = acquirer.payments.capture_many(batch, reference="C-1")
    assert refusals(again) == [None, "CaptureTooLate", None]
    assert isinstance(again[1].refusal, WrongTimeError)
    assert [each.written.repeated for each in again if each.written] == [True, True]
    assert world.balances() == before


def test_authorize_many_refuses_every_payment_when_the_transaction_is_refused(
    world: World, issuer: Client, guardian: Client, outsider: Client
) -> None:
    batch = [
        world.sign("P-1", cny("1.00")),
        world.sign("P-2", hkd("2.00")),
        world.sign("P-3", cny("3.00")),
    ]
    denied = outsider.payments.authorize_many(batch, reference="B-0")
    assert all(isinstance(each.refusal, NotPermittedError) for each in denied)
    guardian.participants.pause("CNY", reference="PAUSE-1")
    outcomes = issuer.payments.authorize_many(batch, reference="B-1")
    assert refusals(outcomes) == ["TokenPaused", None, "TokenPaused"]
    assert issuer.balances.held("HKD") == hkd("2.00")
    assert issuer.balances.held("CNY") == cny("0.00")


def test_authorize_many_counts_what_is_available_when_it_runs_out(
    world: World, issuer: Client
) -> None:
    rest = issuer.balances.available("CNY") - cny("5.00")
    issuer.balances.transfer(world.address("acquirer"), rest, reference="T-1")
    batch = [world.sign(f"P-{index}", cny("2.00")) for index in range(3)]
    outcomes = issuer.payments.authorize_many(batch, reference="B-1")
    assert refusals(outcomes) == [None, None, "AvailableTooLow"]


@pytest.mark.threat("S29")
def test_authorize_many_leaves_out_a_payment_when_its_reference_has_other_terms(
    world: World, issuer: Client
) -> None:
    first = world.authorize("P-1", cny("1.00"))
    world.node.advance_time(60)
    anew = world.sign("P-1", cny("1.00"))
    assert anew.payment_id != first.payment_id
    outcomes = issuer.payments.authorize_many(
        [anew, world.sign("P-2", cny("2.00"))], reference="B-1"
    )
    assert isinstance(outcomes[0].refusal, IdempotencyConflictError)
    assert (outcomes[0].accepted, outcomes[1].accepted) == (False, True)
    assert issuer.balances.held("CNY") == cny("3.00")
    with pytest.raises(InvalidInputError, match="same reference"):
        issuer.payments.authorize_many(
            [world.sign("P-3", cny("1.00")), world.sign("P-3", cny("2.00"))], reference="B-2"
        )
