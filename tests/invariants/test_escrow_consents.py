"""Who may open and complete a payment: dynamic codes, delegates, consents."""

from __future__ import annotations

from typing import Any

import pytest

from tael import typed_data

from .actors import (
    ACQUIRER,
    BANKS,
    COMMITMENTS,
    DELEGATES,
    HASH,
    ISSUER,
    OUTSIDER,
    SECOND_ACQUIRER,
    SECOND_ISSUER,
    STRANGER,
    TILLS,
    WALLET_OWNER,
)
from .chain import Event
from .lockstep import Lockstep
from .messages import Terms
from .model import MAX_WORD, Verb
from .scenario import (
    OPENING,
    STATIC,
    authorize,
    code,
    consent,
    full,
    identity,
    item,
    make_terms,
    open_ok,
    open_refused,
    plain,
)

# Dynamic codes


@pytest.mark.parametrize("verb", OPENING)
def test_dynamic_code_is_needed_above_the_static_limit(tael: Lockstep, verb: str) -> None:
    """Threats Q02, C31."""
    open_ok(tael, verb, make_terms(tael, amount=STATIC))
    terms = make_terms(tael, amount=STATIC + 1)
    open_refused(tael, verb, terms, "DynamicCodeMissing", (STATIC + 1, STATIC))
    if verb in ("authorize", "charge"):
        return
    now = tael.now
    for expires_at in (now, now - 1, 0):
        codes = [code(tael, terms, expires_at=expires_at)]
        open_refused(tael, verb, terms, "DynamicCodeExpired", (now, expires_at), codes)
    codes = [code(tael, terms, amount=STATIC + 2)]
    open_refused(tael, verb, terms, "DynamicCodeAmountAbove", (STATIC + 1, STATIC + 2), codes)
    bad = [
        code(tael, terms, key=TILLS[1]),
        code(tael, terms.but(uetr=bytes(16))),
        code(tael, terms.but(token=tael.jpy.address)),
        code(tael, terms.but(merchant=tael.merchants[1]), key=TILLS[0]),
        (terms.amount - 1, *code(tael, terms)[1:]),
        (terms.amount, now + 61, code(tael, terms)[2]),
        (*code(tael, terms)[:2], b""),
    ]
    for each in bad:
        open_refused(tael, verb, terms, "DynamicCodeSignatureInvalid", (terms.merchant,), [each])
    open_ok(tael, verb, terms, [code(tael, terms, amount=0, expires_at=now + 1)])
    for number, short in ((1, True), (2, False)):
        other = terms.but(uetr=bytes([number]) * 16)
        open_ok(tael, verb, other, [code(tael, other, short=short)])


@pytest.mark.parametrize("verb", ["authorizeWith", "chargeWith", "authorizeMany"])
def test_dynamic_code_of_a_contract_account_counts_outside_batches(
    tael: Lockstep, verb: str
) -> None:
    terms = make_terms(
        tael, amount=STATIC + 1, merchant=tael.merchants[2], acquirer=SECOND_ACQUIRER
    )
    codes = [code(tael, terms, short=False)]
    if verb == "authorizeMany":
        open_refused(tael, verb, terms, "DynamicCodeSignatureInvalid", (terms.merchant,), codes)
    else:
        open_ok(tael, verb, terms, codes)


def test_batch_finds_each_code_by_its_number(tael: Lockstep) -> None:
    first, second = (
        make_terms(tael, amount=STATIC + 1, uetr=bytes([each]) * 16) for each in (1, 2)
    )
    codes = [code(tael, first), code(tael, second)]
    for number, error in (
        (0, "DynamicCodeMissing"),
        (2, "DynamicCodeSignatureInvalid"),
        (3, "DynamicCodeMissing"),
        (MAX_WORD, "DynamicCodeMissing"),
    ):
        done = tael.ok(
            ISSUER, tael.escrow, "authorizeMany", first.parties, [item(tael, first, number)], codes
        )
        assert done.events[0].arguments[1].error == error
    items = [item(tael, second, 2), item(tael, first, 1)]
    assert tael.ok(ISSUER, tael.escrow, "authorizeMany", first.parties, items, codes).returned == (
        2,
    )


# Who may


@pytest.mark.parametrize("verb", list(Verb))
def test_delegate_may_do_what_its_verbs_say(tael: Lockstep, verb: Verb) -> None:
    """Threat C29."""
    escrow, delegate = tael.escrow, DELEGATES[1].address
    for participant in (ISSUER, ACQUIRER):
        tael.ok(participant, escrow, "setDelegate", delegate, 127 - verb)
    paid = make_terms(tael, uetr=bytes([1]) * 16)
    authorize(tael, paid)
    at = identity(tael, paid)
    tael.ok(ACQUIRER, escrow, "capture", paid.parties, paid.packed, 100)
    new = make_terms(tael, uetr=bytes([2]) * 16)
    fresh = make_terms(tael, uetr=bytes([3]) * 16)
    key = DELEGATES[1]
    kinds: dict[Verb, list[tuple[str, str, tuple[Any, ...]]]] = {
        Verb.AUTHORIZE: [
            (ISSUER, "authorize", plain(tael, new)),
            (ISSUER, "authorizeWith", full(tael, new.but(amount=7))),
            (ISSUER, "authorizeMany", (fresh.parties, [item(tael, fresh)], [])),
            (
                ISSUER,
                "authorizeWith",
                full(tael, new.but(amount=8), [], [consent(tael, new.but(amount=8), key)]),
            ),
        ],
        Verb.CHARGE: [
            (ISSUER, "charge", plain(tael, new)),
            (ISSUER, "chargeWith", full(tael, fresh)),
            (
                ISSUER,
                "chargeWith",
                full(
                    tael,
                    new.but(amount=8),
                    [],
                    [consent(tael, new.but(amount=8), key, verb="charge")],
                ),
            ),
        ],
        Verb.CAPTURE: [
            (ACQUIRER, "capture", (paid.parties, paid.packed, 200)),
            (ACQUIRER, "captureMany", (paid.parties, [(paid.packed, 300)])),
        ],
        Verb.VOID: [(ACQUIRER, "void", (paid.parties, paid.packed, 10))],
        Verb.REFUND: [(ACQUIRER, "refund", (paid.parties, paid.packed, 10))],
        Verb.CARDS: [(ISSUER, "setCards", (ISSUER, []))],
        Verb.MERCHANTS: [
            (ACQUIRER, "setMerchant", (ACQUIRER, COMMITMENTS[0], TILLS[0].address, 1, HASH)),
            (ACQUIRER, "setAcceptances", (tael.merchants[0], [])),
        ],
    }
    for participant, name, call in kinds[verb]:
        for sender in (delegate, OUTSIDER, SECOND_ISSUER, SECOND_ACQUIRER):
            relayed = name.endswith("With") and bool(call[2][2])
            who = delegate if relayed else sender
            expected = ("NotPermitted", (who, participant, int(verb)))
            tael.refuse(*expected, sender, escrow, name, *call)
    for participant in (ISSUER, ACQUIRER):
        done = tael.ok(participant, escrow, "setDelegate", delegate, int(verb))
        assert done.events == (
            Event(escrow.address, "DelegateSet", (participant, delegate, int(verb))),
        )
    for _, name, call in kinds[verb]:
        tael.ok(delegate, escrow, name, *call)
    for each, rows in kinds.items():
        if each != verb and each not in (Verb.AUTHORIZE, Verb.CHARGE):
            participant, name, call = rows[0]
            expected = ("NotPermitted", (delegate, participant, int(each)))
            tael.refuse(*expected, delegate, escrow, name, *call)
    for participant in (ISSUER, ACQUIRER):
        tael.ok(participant, escrow, "setDelegate", delegate, 0)
    participant, name, call = kinds[verb][0]
    tael.refuse("NotPermitted", (delegate, participant, int(verb)), delegate, escrow, name, *call)
    assert at in escrow.payments


def test_acquirer_may_not_open_and_issuer_may_not_capture(tael: Lockstep) -> None:
    terms = make_terms(tael)
    tael.refuse(
        "NotPermitted",
        (ACQUIRER, ISSUER, 1),
        ACQUIRER,
        tael.escrow,
        "authorize",
        *plain(tael, terms),
    )
    tael.refuse(
        "NotPermitted", (ACQUIRER, ISSUER, 2), ACQUIRER, tael.escrow, "charge", *plain(tael, terms)
    )
    authorize(tael, terms)
    for name, verb in (("capture", 4), ("void", 8), ("refund", 16)):
        call = (terms.parties, terms.packed, 1)
        tael.refuse("NotPermitted", (ISSUER, ACQUIRER, verb), ISSUER, tael.escrow, name, *call)
    call_ = (terms.parties, [(terms.packed, 1)])
    tael.refuse("NotPermitted", (ISSUER, ACQUIRER, 4), ISSUER, tael.escrow, "captureMany", *call_)


@pytest.mark.parametrize("verb", ["authorize", "charge"])
def test_consent_lets_anyone_send_until_its_time(tael: Lockstep, verb: str) -> None:
    """Threats C03, C29."""
    name, other = f"{verb}With", "charge" if verb == "authorize" else "authorize"
    bit = int(Verb.AUTHORIZE if verb == "authorize" else Verb.CHARGE)
    now = tael.now
    terms = make_terms(tael)
    at = identity(tael, terms)

    def send(
        expected: tuple[str, tuple[Any, ...]] | None, given: Any, which: Terms = terms
    ) -> None:
        call = full(tael, which, [], given)
        if expected is None:
            tael.ok(OUTSIDER, tael.escrow, name, *call)
        else:
            tael.refuse(*expected, OUTSIDER, tael.escrow, name, *call)

    good = consent(tael, terms, BANKS[0], verb=verb)
    send(("NotPermitted", (OUTSIDER, ISSUER, bit)), [])
    send(("ConsentsTooMany", (0, 2)), [good, good])
    two = full(tael, terms, [code(tael, terms)] * 2, [good])
    tael.refuse("ConsentsTooMany", (2, 1), OUTSIDER, tael.escrow, name, *two)
    for before in (now, now - 1, 0):
        expired = [consent(tael, terms, BANKS[0], verb=verb, before=before)]
        send(("ConsentExpired", (at, now, before)), expired)
    send(("NotPermitted", (OUTSIDER, ISSUER, bit)), [consent(tael, terms, STRANGER, verb=verb)])
    invalid = ("ConsentSignatureInvalid", (at, ISSUER))
    send(invalid, [consent(tael, terms, BANKS[0], verb=other)])
    send(invalid, [consent(tael, terms.but(amount=1), BANKS[0], verb=verb)])
    send(invalid, [(ISSUER, now + 61, good[2])])
    send(invalid, [(*good[:2], STRANGER.sign(at))])
    send(None, [consent(tael, terms, BANKS[0], verb=verb, before=now + 1)])
    send(("PaymentExists", (at,)), [good])
    by_delegate = make_terms(tael, uetr=bytes(16))
    send(None, [consent(tael, by_delegate, DELEGATES[0], verb=verb)], by_delegate)
    tael.ok(ISSUER, tael.escrow, "setDelegate", DELEGATES[0].address, 127 - bit)
    late = make_terms(tael, uetr=bytes([5]) * 16)
    signed_ = [consent(tael, late, DELEGATES[0], verb=verb)]
    send(("NotPermitted", (DELEGATES[0].address, ISSUER, bit)), signed_, late)


def test_consent_of_a_contract_account_counts(tael: Lockstep) -> None:
    tael.ok(ISSUER, tael.escrow, "setDelegate", tael.wallet, int(Verb.AUTHORIZE))
    terms = make_terms(tael)
    digest = typed_data.authorize_consent_digest(
        tael.escrow.domain, identity(tael, terms), tael.now + 9
    )
    given = (tael.wallet, tael.now + 9, WALLET_OWNER.sign(digest))
    tael.ok(OUTSIDER, tael.escrow, "authorizeWith", *full(tael, terms, [], [given]))
