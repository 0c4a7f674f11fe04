"""PaymentEscrow: what it was made with, and the one form that terms have."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from .actors import (
    ACQUIRER,
    COMMITMENTS,
    INTERCHANGE_CAP_BPS,
    ISSUER,
    OUTSIDER,
    SCHEME,
    SCHEME_BPS,
    SECOND_ACQUIRER,
)
from .chain import EMPTY_REVERT, Chain, DeploymentRefused, Refused
from .lockstep import Lockstep
from .messages import Terms, payment_id
from .model import MAX_WORD, ZERO, merchant_id
from .scenario import (
    MOST,
    calldata,
    identity,
    make_terms,
    signed,
)


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


def test_what_was_signed_counts_on_one_side_when_the_chain_forks(
    tael: Lockstep, code: dict[str, dict[str, Any]]
) -> None:
    terms, at = make_terms(tael), tael.escrow.address
    fork = Chain(code, chain_id=1338)
    fork.set_code(at, tael.chain.evm.get_code(at))
    fork.kinds[at] = tael.chain.kinds[at]
    question = "paymentId", terms.parties, terms.packed
    assert tael.chain.read(at, *question) == identity(tael, terms)
    assert fork.read(at, *question) == payment_id(at, terms, 1338) != identity(tael, terms)


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
