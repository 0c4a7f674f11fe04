"""Payments when the money is not there or the token is stopped, and batches of them."""

from __future__ import annotations

from typing import Any

import pytest

from .actors import ACQUIRER, ATTESTOR, CARDS, DESK, GOVERNOR, GUARDIAN, HASH, ISSUER, REFERENCES
from .chain import Done, Event, Refused
from .lockstep import Lockstep, fresh
from .model import DAY, MAX_SUPPLY, Entry, Status
from .scenario import (
    DAY_LIMIT,
    FUNDS,
    MOST,
    PAYMENT,
    authorize,
    available,
    balance,
    full,
    identity,
    item,
    make_terms,
    open_ok,
    open_refused,
    plain,
)


def test_authorize_is_refused_when_the_token_refuses(tael: Lockstep) -> None:
    """Threat C17."""
    token, escrow = tael.cny, tael.escrow
    tael.ok(ISSUER, token, "transfer", ACQUIRER, FUNDS - 1_000)
    terms = make_terms(tael, amount=1_001, interchange_bps=100)
    expected = ("InsufficientAvailable", (ISSUER, 1_000, 1_001))
    for verb in ("authorize", "authorizeWith"):
        call = plain(tael, terms) if verb == "authorize" else full(tael, terms)
        tael.refuse(*expected, ISSUER, escrow, verb, *call)
    open_refused(tael, "authorizeMany", terms, "AvailableTooLow", (1_000, 1_001))
    # A charge never moves the interchange, so the issuer need not have it.
    open_ok(tael, "charge", terms)
    assert available(tael, ISSUER) == 1_000 - 1_001 + 10
    tael.ok(ACQUIRER, token, "transfer", ISSUER, 1_000)
    terms = make_terms(tael, amount=100)
    batch = (terms.parties, [item(tael, terms)], [])
    for sender, to, name, argument, error, values in (
        (
            GUARDIAN,
            token,
            "suspend",
            (ISSUER, HASH),
            "AccountNotActive",
            (ISSUER, Status.SUSPENDED),
        ),
        (GUARDIAN, token, "pause", (), "TokenPaused", ()),
    ):
        tael.ok(sender, to, name, *argument)
        tael.refuse(error, values, ISSUER, escrow, "authorize", *plain(tael, terms))
        tael.refuse(error, values, ISSUER, escrow, "charge", *plain(tael, terms))
        tael.refuse(error, values, ISSUER, escrow, "authorizeMany", *batch)
    tael.ok(GOVERNOR, token, "unpause")
    tael.ok(GOVERNOR, token, "reinstate", ISSUER)
    tael.ok(GUARDIAN, token, "cutOffModule", escrow.address)
    expected_ = ("ModuleNotAdmitted", (escrow.address,))
    tael.refuse(*expected_, ISSUER, escrow, "authorize", *plain(tael, terms))
    tael.refuse(*expected_, ISSUER, escrow, "charge", *plain(tael, terms))
    tael.refuse(*expected_, ISSUER, escrow, "authorizeMany", *batch)


def test_charge_is_refused_when_the_acquirer_is_closed(tael: Lockstep) -> None:
    terms = make_terms(tael)
    tael.ok(GOVERNOR, tael.cny, "close", ACQUIRER)
    expected = ("AccountCannotReceive", (ACQUIRER, Status.CLOSED))
    tael.refuse(*expected, ISSUER, tael.escrow, "charge", *plain(tael, terms))


def test_batch_spends_no_more_than_there_is(tael: Lockstep) -> None:
    """Threat C34."""
    tael.ok(ISSUER, tael.cny, "transfer", ACQUIRER, FUNDS - 1_000)
    amounts = (600, 401, 400, 1)
    all_terms = [make_terms(tael, amount=each, uetr=bytes([each % 251]) * 16) for each in amounts]
    items = [item(tael, terms) for terms in all_terms]
    done = tael.ok(ISSUER, tael.escrow, "authorizeMany", all_terms[0].parties, items, [])
    assert done.returned == (2,)
    kinds = [event.name for event in done.events]
    assert kinds == ["PaymentAuthorized", "PaymentSkipped", "PaymentAuthorized", "PaymentSkipped"]
    refusals = [event.arguments[1] for event in done.events if event.name == "PaymentSkipped"]
    ids = [identity(tael, terms) for terms in all_terms]
    assert refusals[0] == Refused("AvailableTooLow", (ids[1], 400, 401))
    assert refusals[1] == Refused("AvailableTooLow", (ids[3], 0, 1))
    assert available(tael, ISSUER) == 0


def test_batch_is_refused_when_empty_or_too_large(tael: Lockstep) -> None:
    """Threat C33."""
    terms = make_terms(tael)
    good, taken = item(tael, terms), (terms.packed, 1)
    for size in (0, 201):
        expected = ("BatchSizeInvalid", (size, 200))
        tael.refuse(
            *expected, ISSUER, tael.escrow, "authorizeMany", terms.parties, [good] * size, []
        )
        tael.refuse(*expected, ACQUIRER, tael.escrow, "captureMany", terms.parties, [taken] * size)
    done = tael.ok(ISSUER, tael.escrow, "authorizeMany", terms.parties, [good] * 200, [])
    assert (done.returned, len(done.events)) == ((1,), 200)
    done = tael.ok(ACQUIRER, tael.escrow, "captureMany", terms.parties, [taken] * 200)
    assert done.returned == (1,)
    third = (ISSUER, ACQUIRER, tael.bhd.address)
    expected_ = ("TokenNotAdmitted", (tael.bhd.address,))
    tael.refuse(*expected_, ISSUER, tael.escrow, "authorizeMany", third, [good], [])


def test_batch_asks_nothing_of_the_token_when_every_payment_is_refused(tael: Lockstep) -> None:
    """A token that is stopped, or has cut the escrow off, does not turn a report into a revert."""
    terms = make_terms(tael, amount=0)
    at = identity(tael, terms)
    tael.ok(GUARDIAN, tael.cny, "pause")
    tael.ok(GUARDIAN, tael.cny, "suspend", ISSUER, HASH)
    tael.ok(GUARDIAN, tael.cny, "cutOffModule", tael.escrow.address)
    done = tael.ok(ISSUER, tael.escrow, "authorizeMany", terms.parties, [item(tael, terms)], [])
    skipped = Event(tael.escrow.address, "PaymentSkipped", (at, Refused("AmountZero", (at,))))
    assert done == Done((0,), (skipped,))
    done = tael.ok(ACQUIRER, tael.escrow, "captureMany", terms.parties, [(terms.packed, 1)])
    skipped = Event(tael.escrow.address, "PaymentSkipped", (at, Refused("PaymentUnknown", (at,))))
    assert done == Done((0,), (skipped,))


def test_payment_may_be_between_a_bank_and_itself(tael: Lockstep) -> None:
    entries = [(CARDS[0].address, tael.cny.address, PAYMENT, DAY_LIMIT, int(Entry.ACTIVE))]
    tael.ok(ACQUIRER, tael.escrow, "setCards", ACQUIRER, entries)
    terms = make_terms(tael, issuer=ACQUIRER, amount=1_000, interchange_bps=300)
    authorize(tael, terms)
    tael.ok(ACQUIRER, tael.escrow, "capture", terms.parties, terms.packed, 1_000)
    assert balance(tael, ACQUIRER) == FUNDS - 2
    tael.ok(ACQUIRER, tael.escrow, "refund", terms.parties, terms.packed, 1_000)
    charge = terms.but(uetr=bytes(16))
    tael.ok(ACQUIRER, tael.escrow, "charge", *plain(tael, charge))
    assert available(tael, ACQUIRER) == FUNDS - 4


def test_largest_payment_fits_every_field(tael: Lockstep) -> None:
    token = tael.cny
    tael.ok(ATTESTOR, token, "attest", MAX_SUPPLY, HASH, tael.now + DAY)
    tael.ok(DESK, token, "issue", ISSUER, 2**66, REFERENCES[0])
    tael.ok(ISSUER, token, "transfer", ACQUIRER, 2**60)
    entries = [(card.address, token.address, MOST, MOST, int(Entry.ACTIVE)) for card in CARDS]
    tael.ok(ISSUER, tael.escrow, "setCards", ISSUER, entries)
    tael.ok(ACQUIRER, tael.escrow, "setAcceptances", tael.merchants[0], [(token.address, MOST, 1)])
    terms = make_terms(tael, amount=MOST, interchange_bps=300)
    at = authorize(tael, terms)
    again = make_terms(tael, amount=1)
    call = plain(tael, again)
    expected = ("CardDayLimitExceeded", (identity(tael, again), MOST + 1, MOST))
    tael.refuse(*expected, ISSUER, tael.escrow, "authorize", *call)
    tael.ok(ACQUIRER, tael.escrow, "capture", terms.parties, terms.packed, MOST - 1)
    tael.ok(ACQUIRER, tael.escrow, "void", terms.parties, terms.packed, 1)
    tael.ok(ACQUIRER, tael.escrow, "refund", terms.parties, terms.packed, MOST - 1)
    state = tael.chain.read(tael.escrow.address, "paymentOf", at)
    assert state == (True, MOST - 1, 1, MOST - 1, tael.now // DAY)
    tael.ok(
        ISSUER,
        tael.escrow,
        "charge",
        *plain(tael, terms.but(uetr=bytes(16), card=CARDS[1].address)),
    )
    whole = terms.but(uetr=bytes(16), card=CARDS[2].address)
    authorize(tael, whole)
    tael.ok(ACQUIRER, tael.escrow, "void", whole.parties, whole.packed, MOST)


@pytest.mark.parametrize("captured", [1, 2**62, 2**63, 2**63 + 1, MOST - 2])
def test_totals_keep_apart_when_any_of_them_is_large(tael: Lockstep, captured: int) -> None:
    """The highest bit of a total is beside the lowest of the next."""
    token, voided = tael.cny, MOST - captured
    tael.ok(ATTESTOR, token, "attest", MAX_SUPPLY, HASH, tael.now + DAY)
    for bank, reference in zip((ISSUER, ACQUIRER), REFERENCES, strict=False):
        tael.ok(DESK, token, "issue", bank, 2**66, reference)
    entries = [(CARDS[0].address, token.address, MOST, MOST, int(Entry.ACTIVE))]
    tael.ok(ISSUER, tael.escrow, "setCards", ISSUER, entries)
    tael.ok(ACQUIRER, tael.escrow, "setAcceptances", tael.merchants[0], [(token.address, MOST, 1)])
    terms = make_terms(tael, amount=MOST)
    authorize(tael, terms)
    form = (terms.parties, terms.packed)
    first, last = (captured + 1) // 2, captured
    steps = [("capture", first), ("void", (voided + 1) // 2), ("void", voided)]
    steps += [("refund", first), ("capture", last), ("refund", last)]
    for verb, total in steps if first < last else steps[:4]:
        tael.ok(ACQUIRER, tael.escrow, verb, *form, total)
    state = tael.chain.read(tael.escrow.address, "paymentOf", identity(tael, terms))
    assert state == (True, captured, voided, captured, tael.now // DAY)


@pytest.mark.parametrize("shares", [(10_000, 0), (0, 10_000), (9_999, 1)])
def test_fees_may_be_all_of_it(code: dict[str, dict[str, Any]], shares: tuple[int, int]) -> None:
    tael = fresh(code, *shares)
    for amount in (1, 7):
        terms = make_terms(tael, amount=amount, interchange_bps=shares[1])
        tael.ok(ISSUER, tael.escrow, "charge", *plain(tael, terms))
        held = terms.but(uetr=bytes(16))
        authorize(tael, held)
        tael.ok(ACQUIRER, tael.escrow, "capture", held.parties, held.packed, amount)
