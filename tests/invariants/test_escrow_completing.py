"""Capture, void, reclaim and refund at their limits."""

from __future__ import annotations

from typing import Any

import pytest

from .actors import ACQUIRER, GOVERNOR, GUARDIAN, HASH, ISSUER, OUTSIDER, SCHEME, SECOND_ACQUIRER
from .chain import Done, Event, Refused
from .lockstep import Lockstep, fresh
from .model import DAY, Status
from .scenario import (
    FUNDS,
    authorize,
    available,
    balance,
    identity,
    make_terms,
)

# Capture


def test_capture_says_the_new_total(tael: Lockstep) -> None:
    """Threats C19, C25: two captures cost what one would."""
    terms = make_terms(tael, amount=1_001, interchange_bps=299)
    other = make_terms(tael, amount=500, uetr=bytes(16))
    at, call = authorize(tael, terms), (terms.parties, terms.packed)
    authorize(tael, other)
    escrow, send = tael.escrow, (ACQUIRER, tael.escrow, "capture", *call)
    tael.refuse("CaptureRepeated", (at, 0, 0), *send, 0)
    tael.refuse("CaptureTooLarge", (at, 1_002, 1_001), *send, 1_002)
    done = tael.ok(*send, 500)
    assert done.events == (
        Event(escrow.address, "PaymentCaptured", (at, 500)),
        Event(tael.cny.address, "Transfer", (ISSUER, ACQUIRER, 500 - 1 - 14)),
        Event(tael.cny.address, "Transfer", (ISSUER, SCHEME, 1)),
    )
    tael.refuse("CaptureRepeated", (at, 500, 500), *send, 500)
    tael.refuse("CaptureRepeated", (at, 499, 500), *send, 499)
    done = tael.ok(*send, 501)
    assert done.events[1:] == (Event(tael.cny.address, "Transfer", (ISSUER, ACQUIRER, 1)),)
    tael.ok(*send, 1_001)
    assert balance(tael, SCHEME) == 1_001 * 25 // 10_000
    assert balance(tael, ISSUER) == FUNDS - 1_001 + 1_001 * 299 // 10_000
    tael.refuse("CaptureRepeated", (at, 1_001, 1_001), *send, 1_001)
    tael.refuse("CaptureTooLarge", (at, 1_002, 1_001), *send, 1_002)
    unknown = make_terms(tael, uetr=bytes([9]) * 16)
    for name, rest in (("capture", (1,)), ("void", (1,)), ("refund", (1,)), ("reclaim", ())):
        expected = ("PaymentUnknown", (identity(tael, unknown),))
        tael.refuse(*expected, ACQUIRER, escrow, name, unknown.parties, unknown.packed, *rest)


def test_capture_is_refused_when_it_is_too_late(tael: Lockstep) -> None:
    """Threats C20, C48."""
    terms = make_terms(tael)
    at, call = authorize(tael, terms), (terms.parties, terms.packed)
    end = terms.capture_before
    tael.set_time(end - 1)
    tael.refuse("ReclaimTooEarly", (at, end - 1, end), OUTSIDER, tael.escrow, "reclaim", *call)
    tael.ok(ACQUIRER, tael.escrow, "capture", *call, 1)
    for now in (end, end + 1):
        tael.set_time(now)
        expected = ("CaptureTooLate", (at, now, end))
        tael.refuse(*expected, ACQUIRER, tael.escrow, "capture", *call, 2)
        items = [(terms.packed, 2)]
        done = tael.ok(ACQUIRER, tael.escrow, "captureMany", terms.parties, items)
        assert done == Done(
            (0,), (Event(tael.escrow.address, "PaymentSkipped", (at, Refused(*expected))),)
        )
    tael.ok(ACQUIRER, tael.escrow, "void", *call, 9)
    done = tael.ok(OUTSIDER, tael.escrow, "reclaim", *call)
    assert done.events == (Event(tael.escrow.address, "PaymentReclaimed", (at, 999)),)
    tael.refuse("ReclaimEmpty", (at,), OUTSIDER, tael.escrow, "reclaim", *call)
    tael.refuse("VoidRepeated", (at, 999, 999), ACQUIRER, tael.escrow, "void", *call, 999)
    assert available(tael, ISSUER) == balance(tael, ISSUER) == FUNDS - 1


@pytest.mark.parametrize("verb", ["capture", "captureMany"])
def test_capture_is_refused_when_the_fees_are_above_it(tael: Lockstep, verb: str) -> None:
    """At 400 both floors step up: one minor unit cannot pay two."""
    terms = make_terms(tael, interchange_bps=300)
    at = authorize(tael, terms)
    tael.ok(ACQUIRER, tael.escrow, "capture", terms.parties, terms.packed, 399)
    refusal = Refused("CaptureBelowFees", (at, 1, 2))
    if verb == "capture":
        tael.refuse(*refusal, ACQUIRER, tael.escrow, verb, terms.parties, terms.packed, 400)
        done = tael.ok(ACQUIRER, tael.escrow, verb, terms.parties, terms.packed, 401)
        assert [event.name for event in done.events] == ["PaymentCaptured", "Transfer"]
    else:
        items = [(terms.packed, 400)]
        done = tael.ok(ACQUIRER, tael.escrow, verb, terms.parties, items)
        assert done.events == (Event(tael.escrow.address, "PaymentSkipped", (at, refusal)),)
        tael.ok(ACQUIRER, tael.escrow, verb, terms.parties, [(terms.packed, 401)])
    assert balance(tael, SCHEME) == 1


def test_capture_names_what_it_adds_when_that_is_more_than_one(
    code: dict[str, dict[str, Any]],
) -> None:
    """With half and half, three units after the first owe four."""
    tael = fresh(code, 5_000, 5_000)
    terms = make_terms(tael, interchange_bps=5_000)
    at, call = authorize(tael, terms), (terms.parties, terms.packed)
    tael.ok(ACQUIRER, tael.escrow, "capture", *call, 1)
    tael.refuse("CaptureBelowFees", (at, 3, 4), ACQUIRER, tael.escrow, "capture", *call, 4)
    tael.ok(ACQUIRER, tael.escrow, "capture", *call, 5)


def test_batch_captures_what_it_can(tael: Lockstep) -> None:
    """Threat C34."""
    amounts = (4_999, 3_333, 1_001)
    all_terms = [
        make_terms(tael, amount=each, uetr=bytes([each % 251]) * 16, interchange_bps=bps)
        for each, bps in zip(amounts, (299, 150, 0), strict=True)
    ]
    ids = [authorize(tael, terms) for terms in all_terms]
    unknown = make_terms(tael, uetr=bytes([9]) * 16)
    items = [
        (all_terms[0].packed, 4_999),
        (unknown.packed, 1),
        (all_terms[1].packed, 0),
        (all_terms[1].packed, 3_334),
        (all_terms[1].packed, 1_111),
        (all_terms[1].packed, 1_111),
        (all_terms[1].packed, 3_333),
        (all_terms[2].packed, 1_000),
    ]
    done = tael.ok(ACQUIRER, tael.escrow, "captureMany", all_terms[0].parties, items)
    scheme = sum(total * 25 // 10_000 for total in (4_999, 3_333, 1_000))
    interchange = 4_999 * 299 // 10_000 + 3_333 * 150 // 10_000
    net = 4_999 + 3_333 + 1_000 - scheme - interchange
    escrow, token = tael.escrow.address, tael.cny.address
    assert done == Done(
        (4,),
        (
            Event(escrow, "PaymentCaptured", (ids[0], 4_999)),
            Event(
                escrow,
                "PaymentSkipped",
                (identity(tael, unknown), Refused("PaymentUnknown", (identity(tael, unknown),))),
            ),
            Event(escrow, "PaymentSkipped", (ids[1], Refused("CaptureRepeated", (ids[1], 0, 0)))),
            Event(
                escrow,
                "PaymentSkipped",
                (ids[1], Refused("CaptureTooLarge", (ids[1], 3_334, 3_333))),
            ),
            Event(escrow, "PaymentCaptured", (ids[1], 1_111)),
            Event(
                escrow,
                "PaymentSkipped",
                (ids[1], Refused("CaptureRepeated", (ids[1], 1_111, 1_111))),
            ),
            Event(escrow, "PaymentCaptured", (ids[1], 3_333)),
            Event(escrow, "PaymentCaptured", (ids[2], 1_000)),
            Event(token, "Transfer", (ISSUER, ACQUIRER, net)),
            Event(token, "Transfer", (ISSUER, SCHEME, scheme)),
        ),
    )


@pytest.mark.parametrize("stop", ["pause", "suspend", "close acquirer"])
def test_open_payment_is_finished_when_the_token_is_stopped(tael: Lockstep, stop: str) -> None:
    """Threats C17, C18, C46."""
    terms = make_terms(tael)
    at, call = authorize(tael, terms), (terms.parties, terms.packed)
    if stop == "pause":
        tael.ok(GUARDIAN, tael.cny, "pause")
    elif stop == "suspend":
        tael.ok(GUARDIAN, tael.cny, "suspend", ISSUER, HASH)
        tael.ok(GUARDIAN, tael.cny, "suspend", SCHEME, HASH)
    else:
        tael.ok(GOVERNOR, tael.cny, "close", ACQUIRER)
        tael.ok(GOVERNOR, tael.cny, "close", SCHEME)
    tael.ok(ACQUIRER, tael.escrow, "capture", *call, 500)
    tael.ok(ACQUIRER, tael.escrow, "captureMany", terms.parties, [(terms.packed, 600)])
    tael.ok(ACQUIRER, tael.escrow, "void", *call, 100)
    if stop == "close acquirer":
        expected = ("AccountNotActive", (ACQUIRER, Status.CLOSED))
        tael.refuse(*expected, ACQUIRER, tael.escrow, "refund", *call, 1)
    else:
        tael.ok(ACQUIRER, tael.escrow, "refund", *call, 1)
    tael.set_time(terms.capture_before)
    tael.ok(OUTSIDER, tael.escrow, "reclaim", *call)
    assert tael.escrow.payments[at].open == 0


# Void and reclaim


def test_void_says_the_new_total(tael: Lockstep) -> None:
    """Threat C24."""
    terms = make_terms(tael)
    at, send = authorize(tael, terms), (ACQUIRER, tael.escrow, "void", terms.parties, terms.packed)
    other = authorize(tael, make_terms(tael, uetr=bytes(16)))
    tael.refuse("VoidRepeated", (at, 0, 0), *send, 0)
    tael.refuse("VoidTooLarge", (at, 1_001, 1_000), *send, 1_001)
    done = tael.ok(*send, 300)
    assert done.events == (Event(tael.escrow.address, "PaymentVoided", (at, 300)),)
    tael.refuse("VoidRepeated", (at, 300, 300), *send, 300)
    tael.refuse("VoidRepeated", (at, 299, 300), *send, 299)
    capture = (ACQUIRER, tael.escrow, "capture", terms.parties, terms.packed)
    tael.refuse("CaptureTooLarge", (at, 701, 700), *capture, 701)
    tael.ok(*capture, 600)
    tael.refuse("VoidTooLarge", (at, 401, 400), *send, 401)
    tael.ok(*send, 400)
    tael.refuse("VoidTooLarge", (at, 401, 400), *send, 401)
    tael.set_time(terms.capture_before)
    call = (terms.parties, terms.packed)
    tael.refuse("ReclaimEmpty", (at,), OUTSIDER, tael.escrow, "reclaim", *call)
    assert tael.escrow.payments[other].open == 1_000


@pytest.mark.parametrize("verb", ["void", "reclaim"])
@pytest.mark.parametrize("same_day", [True, False])
def test_card_gets_the_amount_back_on_the_day_of_the_payment(
    tael: Lockstep, verb: str, same_day: bool
) -> None:
    midnight = (tael.now // DAY + 1) * DAY
    tael.set_time(midnight - 100)
    end = midnight - 10 if same_day else midnight + 5
    terms = make_terms(tael, authorize_before=tael.now + 1, capture_before=end, amount=700)
    keep = make_terms(tael, amount=300)
    authorize(tael, terms)
    authorize(tael, keep)
    tael.ok(ACQUIRER, tael.escrow, "capture", terms.parties, terms.packed, 100)
    tael.set_time(end)
    if not same_day:
        authorize(tael, make_terms(tael, amount=50))
    key = (ISSUER, terms.card, tael.cny.address)
    call: tuple[Any, ...] = (terms.parties, terms.packed)
    if verb == "void":
        tael.ok(ACQUIRER, tael.escrow, "void", *call, 200)
        found = tael.chain.read(tael.escrow.address, "spentToday", *key)
        assert found == (1_000 - 200 if same_day else 50)
        tael.ok(ACQUIRER, tael.escrow, "void", *call, 600)
    else:
        tael.ok(OUTSIDER, tael.escrow, "reclaim", *call)
    found = tael.chain.read(tael.escrow.address, "spentToday", *key)
    assert found == (400 if same_day else 50)


# Refund


def test_refund_makes_the_cardholder_whole(tael: Lockstep) -> None:
    """Threats C22, C23."""
    terms = make_terms(tael, interchange_bps=299)
    at, call = authorize(tael, terms), (terms.parties, terms.packed)
    send = (ACQUIRER, tael.escrow, "refund", *call)
    tael.refuse("RefundTooLarge", (at, 1, 0), *send, 1)
    tael.ok(ACQUIRER, tael.escrow, "capture", *call, 800)
    tael.ok(ACQUIRER, tael.escrow, "void", *call, 200)
    tael.refuse("RefundRepeated", (at, 0, 0), *send, 0)
    tael.refuse("RefundTooLarge", (at, 801, 800), *send, 801)
    before = balance(tael, ACQUIRER)
    done = tael.ok(*send, 100)
    assert done.events == (
        Event(tael.escrow.address, "PaymentRefunded", (at, 100)),
        Event(tael.cny.address, "Transfer", (ACQUIRER, ISSUER, 98)),
    )
    tael.refuse("RefundRepeated", (at, 100, 100), *send, 100)
    tael.refuse("RefundRepeated", (at, 99, 100), *send, 99)
    # The third unit of interchange is the whole of this step: nothing is left to move.
    assert tael.ok(*send, 101).events == (Event(tael.escrow.address, "PaymentRefunded", (at, 101)),)
    tael.set_time(terms.refund_before - 1)
    tael.ok(*send, 800)
    assert before - balance(tael, ACQUIRER) == 800 - 800 * 299 // 10_000
    tael.refuse("RefundTooLarge", (at, 801, 800), *send, 801)


def test_refund_is_refused_when_it_is_too_late(tael: Lockstep) -> None:
    terms = make_terms(tael)
    at, call = authorize(tael, terms), (terms.parties, terms.packed)
    tael.ok(ACQUIRER, tael.escrow, "capture", *call, 1_000)
    for now in (terms.refund_before, terms.refund_before + 1):
        tael.set_time(now)
        expected = ("RefundTooLate", (at, now, terms.refund_before))
        tael.refuse(*expected, ACQUIRER, tael.escrow, "refund", *call, 1)


def test_refund_is_refused_when_the_acquirer_cannot_pay(tael: Lockstep) -> None:
    terms = make_terms(tael, interchange_bps=0)
    _, call = authorize(tael, terms), (terms.parties, terms.packed)
    tael.ok(ACQUIRER, tael.escrow, "capture", *call, 1_000)
    tael.ok(ACQUIRER, tael.cny, "transfer", SECOND_ACQUIRER, available(tael, ACQUIRER) - 5)
    expected = ("InsufficientAvailable", (ACQUIRER, 5, 6))
    tael.refuse(*expected, ACQUIRER, tael.escrow, "refund", *call, 6)
    tael.ok(ACQUIRER, tael.escrow, "refund", *call, 5)
    tael.ok(SECOND_ACQUIRER, tael.cny, "transfer", ACQUIRER, 100)
    tael.ok(GOVERNOR, tael.cny, "close", ISSUER)
    tael.ok(ACQUIRER, tael.escrow, "refund", *call, 6)
    tael.ok(GUARDIAN, tael.cny, "suspend", ACQUIRER, HASH)
    expected_ = ("AccountNotActive", (ACQUIRER, Status.SUSPENDED))
    tael.refuse(*expected_, ACQUIRER, tael.escrow, "refund", *call, 7)
