"""Authorize and charge at their limits: every refusal, both sides of each boundary."""

from __future__ import annotations

from typing import Any

import pytest

from .actors import ACQUIRER, CARDS, HASH, ISSUER, OUTSIDER, SCHEME, SECOND_ACQUIRER
from .chain import Done, Event, Refused
from .lockstep import Lockstep
from .messages import compact, halves, mirrored
from .model import DAY, ZERO, Entry
from .scenario import (
    DAY_LIMIT,
    FUNDS,
    OPENING,
    PAYMENT,
    STATIC,
    available,
    balance,
    code,
    full,
    identity,
    item,
    make_terms,
    open_ok,
    open_refused,
    plain,
)


@pytest.mark.parametrize("verb", ["authorize", "authorizeWith", "authorizeMany"])
def test_authorize_places_a_hold(tael: Lockstep, verb: str) -> None:
    terms = make_terms(tael, amount=PAYMENT // 4)
    at, name = identity(tael, terms), verb
    call: tuple[Any, ...] = plain(tael, terms)
    if verb == "authorizeWith":
        call = full(tael, terms)
    if verb == "authorizeMany":
        call = (terms.parties, [item(tael, terms)], [])
    done = tael.ok(ISSUER, tael.escrow, name, *call)
    opened = Event(tael.escrow.address, "PaymentAuthorized", (at, *terms.parties, terms.packed))
    assert done == Done((1 if verb == "authorizeMany" else at,), (opened,))
    assert available(tael, ISSUER) == FUNDS - terms.amount
    assert balance(tael, ISSUER) == FUNDS
    state = tael.chain.read(tael.escrow.address, "paymentOf", at)
    assert state == (True, 0, 0, 0, tael.now // DAY)
    if verb == "authorizeMany":
        done = tael.ok(ISSUER, tael.escrow, name, *call)
        skipped = Event(
            tael.escrow.address, "PaymentSkipped", (at, Refused("PaymentExists", (at,)))
        )
        assert done == Done((0,), (skipped,))
    else:
        tael.refuse("PaymentExists", (at,), ISSUER, tael.escrow, name, *call)


@pytest.mark.parametrize("verb", ["charge", "chargeWith"])
def test_charge_pays_everybody_at_once(tael: Lockstep, verb: str) -> None:
    terms = make_terms(tael, amount=4_999, interchange_bps=299)
    at = identity(tael, terms)
    call = plain(tael, terms) if verb == "charge" else full(tael, terms)
    done = tael.ok(ISSUER, tael.escrow, verb, *call)
    scheme, interchange = 4_999 * 25 // 10_000, 4_999 * 299 // 10_000
    net = 4_999 - scheme - interchange
    assert done == Done(
        (at,),
        (
            Event(tael.escrow.address, "PaymentCharged", (at, *terms.parties, terms.packed)),
            Event(tael.cny.address, "Transfer", (ISSUER, ACQUIRER, net)),
            Event(tael.cny.address, "Transfer", (ISSUER, SCHEME, scheme)),
        ),
    )
    assert available(tael, ISSUER) == FUNDS - 4_999 + interchange
    state = tael.chain.read(tael.escrow.address, "paymentOf", at)
    assert state == (True, 4_999, 0, 0, tael.now // DAY)
    tael.refuse("PaymentExists", (at,), ISSUER, tael.escrow, verb, *call)
    limit = ("VoidTooLarge", (at, 1, 0))
    tael.refuse(*limit, ACQUIRER, tael.escrow, "void", terms.parties, terms.packed, 1)


@pytest.mark.parametrize("verb", OPENING)
def test_opening_is_refused_when_the_deadlines_do_not_fit(tael: Lockstep, verb: str) -> None:
    """Threats C20, C21."""
    now = tael.now
    top = now + 31 * DAY
    far = 2**40 - 1
    late = (now, now - 1, 0)
    for before in late:
        terms = make_terms(tael, authorize_before=before)
        open_refused(tael, verb, terms, "AuthorizeTooLate", (now, before))
    for a, c, r in (
        (now + 2, now + 1, now + 3),
        (now + 2, now + 3, now + 2),
        (now + 2, 0, now + 2),
        (now + 1, top + 1, top + 1),
        (now + 1, now + 1, now + 1 + 540 * DAY + 1),
        (far, far, far),
        (now + 1, far, far),
        (now + 1, now + 1, far),
        (now + 1, now + 2, 0),
    ):
        terms = make_terms(tael, authorize_before=a, capture_before=c, refund_before=r)
        open_refused(tael, verb, terms, "DeadlinesInvalid", (a, c, r))
    for a, c, r in (
        (now + 1, now + 1, now + 1),
        (now + 2, now + 2, now + 2),
        (now + 1, top, top),
        (top, top, top + 540 * DAY),
    ):
        open_ok(tael, verb, make_terms(tael, authorize_before=a, capture_before=c, refund_before=r))


@pytest.mark.parametrize("verb", OPENING)
def test_opening_is_refused_when_amount_or_share_is_out_of_range(tael: Lockstep, verb: str) -> None:
    open_refused(tael, verb, make_terms(tael, amount=0), "AmountZero", ())
    for bps in (301, 2**16 - 1):
        open_refused(
            tael, verb, make_terms(tael, interchange_bps=bps), "InterchangeTooHigh", (bps, 300)
        )
    open_ok(tael, verb, make_terms(tael, amount=1, interchange_bps=300))
    open_ok(tael, verb, make_terms(tael, amount=1, interchange_bps=0))


@pytest.mark.parametrize("verb", OPENING)
def test_opening_is_refused_when_the_card_may_not(tael: Lockstep, verb: str) -> None:
    escrow = tael.escrow
    for card, issuer in ((OUTSIDER, ISSUER), (CARDS[0].address, ACQUIRER)):
        terms = make_terms(tael, card=card, issuer=issuer)
        open_refused(tael, verb, terms, "CardNotActive", (card, Entry.NONE))
    jpy = make_terms(tael, token=tael.jpy.address)
    entries = [(CARDS[0].address, tael.jpy.address, PAYMENT, DAY_LIMIT, int(Entry.BLOCKED))]
    tael.ok(ISSUER, escrow, "setCards", ISSUER, entries)
    open_refused(tael, verb, jpy, "CardNotActive", (jpy.card, Entry.BLOCKED))
    above = make_terms(tael, amount=PAYMENT + 1)
    codes = [code(tael, above)]
    open_refused(tael, verb, above, "CardPaymentLimitExceeded", (PAYMENT + 1, PAYMENT), codes)
    entries = [(CARDS[0].address, tael.cny.address, 100, 150, int(Entry.ACTIVE))]
    tael.ok(ISSUER, escrow, "setCards", ISSUER, entries)
    open_refused(tael, verb, make_terms(tael, amount=101), "CardPaymentLimitExceeded", (101, 100))
    open_ok(tael, verb, make_terms(tael, amount=100))
    open_refused(tael, verb, make_terms(tael, amount=51), "CardDayLimitExceeded", (151, 150))
    open_ok(tael, verb, make_terms(tael, amount=50))
    open_refused(tael, verb, make_terms(tael, amount=1), "CardDayLimitExceeded", (151, 150))


@pytest.mark.parametrize("verb", OPENING)
def test_card_may_spend_again_when_the_day_is_over(tael: Lockstep, verb: str) -> None:
    entries = [(CARDS[0].address, tael.cny.address, 100, 100, int(Entry.ACTIVE))]
    tael.ok(ISSUER, tael.escrow, "setCards", ISSUER, entries)
    open_ok(tael, verb, make_terms(tael, amount=60))
    tael.ok(ISSUER, tael.escrow, "setCards", ISSUER, entries)
    tomorrow = (tael.now // DAY + 1) * DAY
    tael.set_time(tomorrow - 1)
    spent = (ISSUER, CARDS[0].address, tael.cny.address)
    assert tael.chain.read(tael.escrow.address, "spentToday", *spent) == 60
    open_refused(tael, verb, make_terms(tael, amount=41), "CardDayLimitExceeded", (101, 100))
    tael.set_time(tomorrow)
    assert tael.chain.read(tael.escrow.address, "spentToday", *spent) == 0
    open_ok(tael, verb, make_terms(tael, amount=100))
    open_refused(tael, verb, make_terms(tael, amount=1), "CardDayLimitExceeded", (101, 100))


@pytest.mark.parametrize("verb", OPENING)
def test_opening_is_refused_for_the_card_when_the_merchant_may_not_either(
    tael: Lockstep, verb: str
) -> None:
    terms = make_terms(tael, card=OUTSIDER, merchant=bytes(32))
    open_refused(tael, verb, terms, "CardNotActive", (OUTSIDER, Entry.NONE))


@pytest.mark.parametrize("verb", OPENING)
def test_opening_is_refused_when_the_merchant_may_not(tael: Lockstep, verb: str) -> None:
    for merchant, acquirer in (
        (bytes(32), ACQUIRER),
        (tael.merchants[0], SECOND_ACQUIRER),
        (tael.merchants[2], ACQUIRER),
    ):
        terms = make_terms(tael, merchant=merchant, acquirer=acquirer)
        open_refused(tael, verb, terms, "MerchantNotOfAcquirer", (merchant, acquirer))
    entries = [(tael.cny.address, STATIC, int(Entry.BLOCKED))]
    tael.ok(ACQUIRER, tael.escrow, "setAcceptances", tael.merchants[0], entries)
    terms = make_terms(tael)
    open_refused(tael, verb, terms, "MerchantNotActive", (terms.merchant, Entry.BLOCKED))
    open_ok(tael, verb, make_terms(tael, token=tael.jpy.address))
    nobody = make_terms(tael, merchant=bytes([1]) * 32, acquirer=ZERO)
    open_refused(tael, verb, nobody, "MerchantNotActive", (nobody.merchant, Entry.NONE))


@pytest.mark.parametrize("verb", OPENING)
def test_opening_is_refused_when_the_card_did_not_sign(tael: Lockstep, verb: str) -> None:
    """Threats C03, C05: another key, another payment, the mirror image, another recovery bit."""
    terms = make_terms(tael)
    at = identity(tael, terms)
    good = CARDS[0].sign(at)
    flipped = good[:64] + bytes([55 - good[64]])
    for bad in (CARDS[1].sign(at), CARDS[0].sign(HASH), flipped, bytes(65)):
        if verb == "authorizeMany":
            call: tuple[Any, ...] = (terms.parties, [(terms.packed, (bad[:32], vs(bad)), 0)], [])
            done = tael.ok(ISSUER, tael.escrow, verb, *call)
            refusal = Refused("CardSignatureInvalid", (at, terms.card))
            assert done.events[0].arguments == (at, refusal)
            continue
        forms: list[tuple[Any, ...]] = [((bad[:32], vs(bad)), terms.parties, terms.packed)]
        if verb.endswith("With"):
            shapes = [
                bad,
                compact(bad) if bad[64] else bad[:64],
                mirrored(good),
                good[:63],
                good + b"\0",
                b"",
            ]
            forms = [(terms.parties, terms.packed, (shape, [], [])) for shape in shapes]
        for call in forms:
            expected = ("CardSignatureInvalid", (at, terms.card))
            tael.refuse(*expected, ISSUER, tael.escrow, verb, *call)
    zero = make_terms(tael, card=ZERO)
    open_refused(tael, verb, zero, "CardNotActive", (ZERO, Entry.NONE))


def vs(signature: bytes) -> bytes:
    return halves(signature)[1] if signature[64] >= 27 else signature[32:64]


@pytest.mark.parametrize("form", ["65", "64"])
@pytest.mark.parametrize("verb", ["authorizeWith", "chargeWith"])
def test_card_signature_counts_in_both_forms(tael: Lockstep, verb: str, form: str) -> None:
    for number in range(4):
        terms = make_terms(tael, uetr=bytes([number]) * 16)
        signature = CARDS[0].sign(identity(tael, terms))
        shape = signature if form == "65" else compact(signature)
        tael.ok(ISSUER, tael.escrow, verb, terms.parties, terms.packed, (shape, [], []))


@pytest.mark.parametrize("verb", OPENING)
def test_card_may_be_a_contract_account_in_full_forms_alone(tael: Lockstep, verb: str) -> None:
    terms = make_terms(tael, card=tael.wallet)
    if verb.endswith("With"):
        open_ok(tael, verb, terms)
    else:
        open_refused(tael, verb, terms, "CardSignatureInvalid", (tael.wallet,))
