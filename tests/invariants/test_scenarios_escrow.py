"""PaymentEscrow and its Directory at their limits: every refusal with its arguments, every
boundary on both sides."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from tael import typed_data

from .chain import EMPTY_REVERT, DeploymentRefused, Done, Event, Refused, address
from .lockstep import (
    ACQUIRER,
    ATTESTOR,
    BANKS,
    CARDS,
    COMMITMENTS,
    DELEGATES,
    DESK,
    GOVERNOR,
    GUARDIAN,
    HASH,
    INTERCHANGE_CAP_BPS,
    ISSUER,
    OUTSIDER,
    REFERENCES,
    REGISTRAR,
    SCHEME,
    SCHEME_BPS,
    SECOND_ACQUIRER,
    SECOND_ISSUER,
    STRANGER,
    TILLS,
    WALLET_OWNER,
    Lockstep,
)
from .messages import Terms, compact, halves, mirrored
from .model import DAY, MAX_SUPPLY, MAX_WORD, ZERO, Entry, Status, Verb, merchant_id
from .scenario import (
    authorize,
    available,
    balance,
    calldata,
    code,
    consent,
    full,
    identity,
    item,
    make_terms,
    plain,
    signed,
)

FUNDS = 1_000_000
STATIC, PAYMENT, DAY_LIMIT = 5_000, 20_000, 60_000
MOST = 2**64 - 1


# What it was made with


def test_escrow_says_what_it_was_made_with(tael: Lockstep) -> None:
    read, at = tael.chain.read, tael.escrow.address
    assert read(at, "schemeAccount") == SCHEME
    assert read(at, "schemeBps") == SCHEME_BPS
    assert read(at, "interchangeCapBps") == INTERCHANGE_CAP_BPS
    assert read(at, "authority") == tael.governance.address
    fields = (b"\x0f", "Tael Payment Escrow", "1", 1337, at, bytes(32), ())
    assert read(at, "eip712Domain") == fields
    for merchant, owner, commitment in zip(
        tael.merchants, (ACQUIRER, ACQUIRER, SECOND_ACQUIRER), COMMITMENTS, strict=True
    ):
        assert (
            read(at, "merchantId", owner, commitment) == merchant == merchant_id(owner, commitment)
        )


@pytest.mark.parametrize(
    ("scheme", "bps", "cap", "error"),
    [
        (ZERO, 0, 0, Refused("SchemeAccountInvalid", ())),
        (SCHEME, 10_001, 0, Refused("SharesInvalid", (10_001, 0))),
        (SCHEME, 0, 10_001, Refused("SharesInvalid", (0, 10_001))),
        (SCHEME, 5_000, 5_001, Refused("SharesInvalid", (5_000, 5_001))),
        (SCHEME, MAX_WORD, 1, Refused("SharesInvalid", (MAX_WORD, 1))),
        (SCHEME, 1, MAX_WORD, Refused("SharesInvalid", (1, MAX_WORD))),
        (SCHEME, 5_000, 5_000, None),
        (SCHEME, 10_000, 0, None),
        (SCHEME, 0, 10_000, None),
    ],
)
def test_escrow_is_deployed_only_when_the_shares_fit(
    tael: Lockstep, scheme: str, bps: int, cap: int, error: Refused | None
) -> None:
    arguments = ("PaymentEscrow", OUTSIDER, tael.governance.address, scheme, bps, cap)
    if error is None:
        at = tael.chain.deploy(*arguments)
        assert tael.chain.read(at, "schemeBps") == bps
        return
    with pytest.raises(DeploymentRefused) as caught:
        tael.chain.deploy(*arguments)
    assert caught.value.refusal == error


def test_payment_id_and_terms_are_what_the_package_computes(tael: Lockstep) -> None:
    from eth_utils import to_checksum_address

    from tael.terms import Terms as PackageTerms

    random = Random(7)
    read, at = tael.chain.read, tael.escrow.address
    for _ in range(60):
        who = [to_checksum_address(random.randbytes(20)) for _ in range(4)]
        times = [random.choice((0, 1, 2**40 - 1, random.randrange(2**40))) for _ in range(3)]
        amount = random.choice((1, MOST, random.randrange(1, 2**64)))
        bps = random.choice((0, 2**16 - 1, random.randrange(2**16)))
        merchant, uetr, reference = (random.randbytes(size) for size in (32, 16, 32))
        terms = PackageTerms(
            *who[:3], merchant, who[3], amount, times[0], times[1], times[2], bps, uetr, reference
        )
        own = Terms(
            *(each.lower() for each in who[:3]),
            merchant,
            who[3].lower(),
            amount,
            *times,
            bps,
            uetr,
            reference,
        )
        assert terms.packed == own.packed
        expected = terms.payment_id(tael.escrow.domain)
        assert read(at, "paymentId", terms.parties, terms.packed) == expected == identity(tael, own)
        fields = (*own.parties, merchant, own.card, amount, *times, bps, uetr, reference, bytes(32))
        assert read(at, "termsOf", terms.parties, terms.packed) == fields


def test_every_verb_is_refused_when_bits_belong_to_no_term(tael: Lockstep) -> None:
    terms = make_terms(tael)
    bits = [(2, 30, 0x80), (2, 31, 0x01), (3, 31, 0x01), (3, 31, 0x80)]
    for word, byte, bit in bits:
        packed = list(terms.packed)
        changed = bytearray(packed[word])
        changed[byte] |= bit
        packed[word] = bytes(changed)
        dirty = tuple(packed)
        consents = (b"", [], [])
        for sender, name, call in (
            (ISSUER, "authorize", (signed(tael, terms), terms.parties, dirty)),
            (ISSUER, "charge", (signed(tael, terms), terms.parties, dirty)),
            (ISSUER, "authorizeWith", (terms.parties, dirty, consents)),
            (ISSUER, "chargeWith", (terms.parties, dirty, consents)),
            (ISSUER, "authorizeMany", (terms.parties, [(dirty, signed(tael, terms), 0)], [])),
            (ACQUIRER, "capture", (terms.parties, dirty, 1)),
            (ACQUIRER, "captureMany", (terms.parties, [(dirty, 1)])),
            (ACQUIRER, "void", (terms.parties, dirty, 1)),
            (ACQUIRER, "refund", (terms.parties, dirty, 1)),
            (OUTSIDER, "reclaim", (terms.parties, dirty)),
        ):
            tael.refuse("TermsNotCanonical", (), sender, tael.escrow, name, *call)


def test_every_party_is_refused_when_its_high_bits_are_set(tael: Lockstep) -> None:
    terms = make_terms(tael)
    data = calldata(tael, tael.escrow, "reclaim", terms.parties, terms.packed)
    for party in range(3):
        for byte, bit in ((0, 0x80), (11, 0x01)):
            dirty = data.copy()
            dirty[4 + 32 * party + byte] = bit
            outcome = tael.chain.send_raw(OUTSIDER, tael.escrow.address, bytes(dirty))
            assert outcome in (Refused("TermsNotCanonical", ()), EMPTY_REVERT)


# Authorize and charge


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


OPENING = ("authorize", "authorizeWith", "authorizeMany", "charge", "chargeWith")


def open_refused(
    tael: Lockstep,
    verb: str,
    terms: Terms,
    error: str,
    values: tuple[Any, ...],
    codes: list[Any] | None = None,
) -> None:
    """The same refusal from every way to open a payment; a batch reports it."""
    at = identity(tael, terms)
    if verb == "authorizeMany":
        call: tuple[Any, ...] = (terms.parties, [item(tael, terms, 1 if codes else 0)], codes or [])
        done = tael.ok(terms.issuer, tael.escrow, verb, *call)
        skipped = Event(tael.escrow.address, "PaymentSkipped", (at, Refused(error, (at, *values))))
        assert done == Done((0,), (skipped,))
        return
    call = full(tael, terms, codes) if verb.endswith("With") else plain(tael, terms)
    tael.refuse(error, (at, *values), terms.issuer, tael.escrow, verb, *call)


def open_ok(tael: Lockstep, verb: str, terms: Terms, codes: list[Any] | None = None) -> None:
    if verb == "authorizeMany":
        items = [item(tael, terms, 1 if codes else 0)]
        done = tael.ok(terms.issuer, tael.escrow, verb, terms.parties, items, codes or [])
        assert done.returned == (1,)
        return
    call = full(tael, terms, codes) if verb.endswith("With") else plain(tael, terms)
    tael.ok(terms.issuer, tael.escrow, verb, *call)


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


# Money that is not there, and a token that is stopped


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


# Directory


def test_token_is_admitted_once_and_with_a_scheme_account(tael: Lockstep) -> None:
    at, escrow = tael.bhd.address, tael.escrow
    tael.refuse("AccessManagedUnauthorized", (ISSUER,), ISSUER, escrow, "admitToken", at)
    tael.refuse("SchemeAccountMissing", (at, SCHEME), GOVERNOR, escrow, "admitToken", at)
    tael.ok(REGISTRAR, tael.bhd, "admit", SCHEME)
    done = tael.ok(GOVERNOR, escrow, "admitToken", at)
    assert done.events == (Event(escrow.address, "TokenAdmitted", (at,)),)
    tael.refuse("TokenAlreadyAdmitted", (at,), GOVERNOR, escrow, "admitToken", at)
    assert tael.send(GOVERNOR, escrow, "admitToken", OUTSIDER) == EMPTY_REVERT


def test_delegate_is_refused_when_the_verbs_do_not_exist(tael: Lockstep) -> None:
    for verbs in (128, 255, MAX_WORD):
        tael.refuse("VerbsInvalid", (verbs,), ISSUER, tael.escrow, "setDelegate", OUTSIDER, verbs)
    tael.ok(ISSUER, tael.escrow, "setDelegate", OUTSIDER, 127)
    assert tael.chain.read(tael.escrow.address, "verbsOf", ISSUER, OUTSIDER) == 127


def test_merchant_is_set_by_its_acquirer(tael: Lockstep) -> None:
    escrow, merchant = tael.escrow, tael.merchants[0]
    call = (ACQUIRER, COMMITMENTS[0], CARDS[2].address, 2**16 - 1, bytes(32))
    tael.refuse(
        "NotPermitted",
        (SECOND_ACQUIRER, ACQUIRER, 64),
        SECOND_ACQUIRER,
        escrow,
        "setMerchant",
        *call,
    )
    zero = (*call[:2], ZERO, *call[3:])
    tael.refuse("MerchantSignerInvalid", (merchant,), ACQUIRER, escrow, "setMerchant", *zero)
    done = tael.ok(ACQUIRER, escrow, "setMerchant", *call)
    event = Event(
        escrow.address, "MerchantSet", (merchant, ACQUIRER, CARDS[2].address, 2**16 - 1, bytes(32))
    )
    assert done == Done((merchant,), (event,))
    # The same commitment of another acquirer is another merchant.
    done = tael.ok(OUTSIDER, escrow, "setMerchant", OUTSIDER, *call[1:])
    assert done.returned[0] not in tael.merchants


@pytest.mark.parametrize("count", [256, 257])
def test_entries_are_refused_when_there_are_too_many(tael: Lockstep, count: int) -> None:
    card = (CARDS[0].address, tael.cny.address, 1, 2, int(Entry.ACTIVE))
    acceptance = (tael.cny.address, 1, int(Entry.ACTIVE))
    for sender, name, first, entry in (
        (ISSUER, "setCards", ISSUER, card),
        (ACQUIRER, "setAcceptances", tael.merchants[0], acceptance),
    ):
        if count == 257:
            tael.refuse(
                "EntriesTooMany", (257, 256), sender, tael.escrow, name, first, [entry] * count
            )
        else:
            done = tael.ok(sender, tael.escrow, name, first, [entry] * count)
            assert len(done.events) == 256


@pytest.mark.parametrize("kind", ["card", "acceptance"])
def test_entry_is_refused_when_it_cannot_be(tael: Lockstep, kind: str) -> None:
    escrow = tael.escrow

    def send(
        sender: str, token: str, status: int, error: str = "", values: tuple[Any, ...] = ()
    ) -> None:
        owner = ISSUER if kind == "card" else ACQUIRER
        call: tuple[Any, ...] = (ISSUER, [(CARDS[0].address, token, 7, 9, status)])
        name = "setCards"
        if kind == "acceptance":
            call, name = (tael.merchants[0], [(token, 7, status)]), "setAcceptances"
        if error:
            tael.refuse(error, values, sender, escrow, name, *call)
            return
        done = tael.ok(sender, escrow, name, *call)
        fields: tuple[Any, ...] = (ISSUER, CARDS[0].address, token, 7, 9, status)
        if kind == "acceptance":
            fields = (tael.merchants[0], token, 7, status)
        event = "CardSet" if kind == "card" else "AcceptanceSet"
        assert done.events == (Event(escrow.address, event, fields),)
        assert owner in tael.cny.accounts

    owner, verb = (ISSUER, 32) if kind == "card" else (ACQUIRER, 64)
    token = tael.cny.address
    send(OUTSIDER, token, 1, "NotPermitted", (OUTSIDER, owner, verb))
    send(owner, token, 0, "StatusInvalid", ())
    send(owner, OUTSIDER, 1, "TokenNotAdmitted", (OUTSIDER,))
    send(owner, OUTSIDER, 2, "TokenNotAdmitted", (OUTSIDER,))
    send(owner, token, 1)
    send(owner, token, 2)
    tael.ok(GUARDIAN, tael.cny, "suspend", owner, HASH)
    send(owner, token, 1, "ParticipantNotActive", (owner, token))
    send(owner, token, 2)
    send(owner, tael.jpy.address, 1)
    if kind == "card":
        entries = [(ZERO, token, 7, 9, 1)]
        tael.refuse("CardInvalid", (), ISSUER, escrow, "setCards", ISSUER, entries)
    else:
        tael.refuse("MerchantUnknown", (HASH,), ACQUIRER, escrow, "setAcceptances", HASH, [])
    name = "setCards" if kind == "card" else "setAcceptances"
    call: tuple[Any, ...] = (ISSUER, [(CARDS[0].address, token, 7, 9, 2)])
    if kind == "acceptance":
        call = (tael.merchants[0], [(token, 7, 2)])
    data = calldata(tael, escrow, name, *call)
    data[-1] = 3
    assert isinstance(tael.chain.send_raw(owner, escrow.address, bytes(data)), Refused)


def test_largest_entries_fit_every_field(tael: Lockstep) -> None:
    escrow, token = tael.escrow, tael.cny.address
    for payment, day, status in ((MOST, MOST, 2), (MOST, 0, 1), (0, MOST, 1), (0, 0, 2)):
        entries = [(CARDS[0].address, token, payment, day, status)]
        tael.ok(ISSUER, escrow, "setCards", ISSUER, entries)
        found = tael.chain.read(escrow.address, "cardOf", ISSUER, CARDS[0].address, token)
        assert found == (CARDS[0].address, token, payment, day, status)
    for limit, status in ((MOST, 2), (MOST, 1), (0, 2)):
        tael.ok(ACQUIRER, escrow, "setAcceptances", tael.merchants[0], [(token, limit, status)])
        found = tael.chain.read(escrow.address, "acceptanceOf", tael.merchants[0], token)
        assert found == (token, limit, status)
    assert address(1) not in escrow.tokens
    assert SECOND_ISSUER in tael.cny.accounts
