"""Identifiers derive from participant and reference alone, and give neither away."""

from __future__ import annotations

import copy
import pickle
import re
import uuid

import pytest
from eth_utils.crypto import keccak
from hypothesis import given
from hypothesis import strategies as st

from tael.errors import AddressError, InvalidInputError
from tael.identifiers import (
    Identifiers,
    check_reference,
    merchant_id,
    uetr_text,
)
from tael.signers import PrivateKeySigner

BANK = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
OTHER_BANK = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"
SECRET = bytes(range(32))

CHARACTERS = "ABCxyz0189 /-?:().,'+"
REFERENCES = (
    st.text(CHARACTERS, min_size=1, max_size=35)
    .map(lambda text: re.sub("/+", "/", text).strip(" /"))
    .map(lambda text: text or "X")
    .filter(lambda text: text == text.strip(" /"))
)
DERIVATIONS = ("uetr", "reference_hash", "transfer_nonce", "bank_reference", "merchant_commitment")


@given(REFERENCES)
def test_derive_gives_the_same_when_asked_again(reference: str) -> None:
    one, two = Identifiers(BANK, SECRET), Identifiers(BANK, bytes(SECRET))
    for name in DERIVATIONS:
        assert getattr(one, name)(reference) == getattr(two, name)(reference)


def test_derive_differs_when_kind_reference_participant_or_secret_differ() -> None:
    sources = [
        Identifiers(BANK, SECRET),
        Identifiers(OTHER_BANK, SECRET),
        Identifiers(BANK, SECRET[::-1]),
    ]
    made = [
        getattr(source, name)(reference)[:16]
        for source in sources
        for name in DERIVATIONS
        for reference in ("INV-1", "INV-2", "INV-11")
    ]
    assert len(set(made)) == len(made) == 45


@given(REFERENCES)
def test_uetr_is_a_uuid4_when_parsed(reference: str) -> None:
    uetr = Identifiers(BANK, SECRET).uetr(reference)
    parsed = uuid.UUID(bytes=uetr)
    assert (parsed.version, parsed.variant) == (4, uuid.RFC_4122)
    assert uetr_text(uetr) == str(parsed)


def test_derive_gives_known_values_when_version_is_1() -> None:
    # These are on chains for ever: a change here makes repeats unrecognisable.
    ids = Identifiers(BANK, SECRET)
    assert ids.uetr("INV-1").hex() == "836e0b5e1a724d06bd05cea9d2574637"
    assert ids.reference_hash("INV-1").hex() == (
        "2443d7a5bbaef2d1cb2ec0a5936104fd55bf429dc9dc308a0cadb1760e23162e"
    )


def test_merchant_id_equals_the_contract_formula_when_computed() -> None:
    ids = Identifiers(BANK, SECRET)
    commitment = ids.merchant_commitment("SHOP-7")
    expected = keccak(bytes.fromhex(BANK[2:]).rjust(32, b"\0") + commitment)
    assert ids.merchant_id("SHOP-7") == merchant_id(BANK, commitment) == expected


def test_disclose_proves_one_hash_when_shown_to_an_auditor() -> None:
    ids = Identifiers(BANK, SECRET)
    salt = ids.disclose("payment", "INV-1")
    assert keccak(salt + b"INV-1") == ids.reference_hash("INV-1")
    assert keccak(salt + b"INV-2") != ids.reference_hash("INV-2")


def test_document_hash_differs_when_the_same_document_serves_twice() -> None:
    ids = Identifiers(BANK, SECRET)
    assert ids.document_hash("A-1", b"order") != ids.document_hash("A-2", b"order")
    assert ids.document_hash("A-1", b"order") != ids.document_hash("A-1", b"other")


@pytest.mark.threat("S22")
def test_secret_stays_hidden_when_shown_or_pickled() -> None:
    ids = Identifiers(BANK, SECRET)
    assert SECRET.hex() not in repr(ids)
    for action in (pickle.dumps, copy.deepcopy):
        with pytest.raises(TypeError):
            action(ids)


@pytest.mark.parametrize("secret", [b"", bytes(31), "00" * 32])
def test_secret_is_refused_when_too_short_or_no_bytes(secret: bytes) -> None:
    with pytest.raises(InvalidInputError):
        Identifiers(BANK, secret)


@pytest.mark.parametrize(
    "reference",
    # A full-width letter and an Arabic digit are among them.
    [
        "",
        " ",
        " A",
        "A ",
        "A" * 36,
        "/A",
        "A/",
        "A//B",
        "A_B",
        "A\n",
        "é",
        "\uff21",
        "\u0663",
        "A\0",
        None,
        7,
    ],
)
def test_reference_is_refused_when_iso_20022_cannot_carry_it(reference: str) -> None:
    with pytest.raises(InvalidInputError):
        check_reference(reference)


@pytest.mark.parametrize("reference", ["A", "A" * 35, "INV/2025 (7)", "a-b?c:d.e,f'g+h"])
def test_reference_is_taken_when_iso_20022_carries_it(reference: str) -> None:
    assert check_reference(reference) == reference


@pytest.mark.threat("S21")
def test_identifiers_are_refused_when_the_participant_is_mistyped() -> None:
    with pytest.raises(AddressError):
        Identifiers(BANK.lower(), SECRET)


def test_from_signer_gives_the_same_when_the_signer_is_deterministic() -> None:
    signer = PrivateKeySigner.from_key("11" * 32)
    one = Identifiers.from_signer(signer.address, signer.sign_digest)
    two = Identifiers.from_signer(signer.address, signer.sign_digest)
    assert one.uetr("INV-1") == two.uetr("INV-1")
    assert one.uetr("INV-1") != Identifiers(signer.address, SECRET).uetr("INV-1")


def test_from_signer_is_refused_when_signatures_differ() -> None:
    answers = iter((bytes(65), bytes(64) + b"\1"))
    with pytest.raises(InvalidInputError, match="reference secret"):
        Identifiers.from_signer(BANK, lambda _: next(answers))
