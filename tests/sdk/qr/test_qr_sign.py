"""Signed codes: every way to change, copy or redirect one is refused by its own name."""

# ruff: noqa: RUF001  (characters that imitate others are what is tested)

from __future__ import annotations

import uuid
from base64 import b85encode
from dataclasses import replace
from typing import Any

import pytest
from eth_abi import encode
from eth_account import Account
from eth_utils import keccak, to_checksum_address
from hypothesis import given, settings
from hypothesis import strategies as st

from tael import errors, qr
from tael.qr.tael_templates import GUID
from tael.signers import PrivateKeySigner
from tael.typed_data import dynamic_code, escrow_domain, static_code
from tests.sdk.qr.qr_cases import (
    CHAIN_ID,
    CNY_TOKEN,
    ESCROW,
    EXPIRES_AT,
    HKD_TOKEN,
    NOW,
    OTHER_CHAIN_ID,
    OTHER_ESCROW,
    Merchant,
    check,
    make_merchant,
    rewrite,
)


def change_template(code: qr.MerchantCode, object_id: str, value: str | None) -> str:
    """Replace (or drop) one part of whichever Tael template holds it."""

    def change(item: Any) -> Any:
        if not isinstance(item, qr.Template) or item.guid != GUID or item.get(object_id) is None:
            return item
        kept = [part for part in item.values if part.id != object_id]
        new = [] if value is None else [qr.DataObject(object_id, value)]
        return replace(item, values=(*kept, *new))

    return rewrite(
        code,
        accounts=tuple(map(change, code.accounts)),
        unreserved=tuple(map(change, code.unreserved)),
    )


def part(code: qr.MerchantCode, object_id: str) -> str:
    found = [t.get(object_id) for t in code.templates if t.guid == GUID and t.get(object_id)]
    assert found[0] is not None
    return found[0]


def test_verify_gives_signed_values_when_dynamic(merchant: Merchant) -> None:
    code = merchant.sign_dynamic()
    found = check(code, merchant.entry)
    assert found == qr.VerifiedCode(
        merchant_id=merchant.merchant_id,
        acquirer=to_checksum_address("0x" + "ac" * 20),
        name="BEST TRANSPORT",
        category_code="4111",
        currency="CNY",
        token=to_checksum_address(CNY_TOKEN),
        amount_minor=2372,
        asks_for_tip=False,
        uetr=uuid.UUID(int=7, version=4).bytes,
        expires_at=EXPIRES_AT,
        signature=found.signature,
        warnings=(),
    )
    assert len(found.signature) == 64
    assert all(
        len(t.guid or "") + sum(len(v.value) + 4 for v in t.values) + 4 <= 99
        for t in code.templates
    )
    assert qr.describe(qr.write(code))["scheme"] == "Tael"


def test_sign_hashes_as_the_contract_does(merchant: Merchant) -> None:
    """The digest made by hand from the type strings is the one the key signed."""
    domain = keccak(
        encode(
            ["bytes32", "bytes32", "bytes32", "uint256", "address"],
            [
                keccak(
                    text="EIP712Domain(string name,string version,uint256 chainId,"
                    "address verifyingContract)"
                ),
                keccak(text="Tael Payment Escrow"),
                keccak(text="1"),
                CHAIN_ID,
                ESCROW,
            ],
        )
    )
    uetr = uuid.UUID(int=7, version=4).bytes
    dynamic = keccak(
        encode(
            ["bytes32", "bytes32", "address", "uint64", "bytes16", "uint40"],
            [
                keccak(text=qr.DYNAMIC_CODE_TYPE),
                merchant.merchant_id,
                CNY_TOKEN,
                2372,
                uetr,
                EXPIRES_AT,
            ],
        )
    )
    static = keccak(
        encode(
            ["bytes32", "bytes32", "bytes32"],
            [keccak(text=qr.STATIC_CODE_TYPE), merchant.merchant_id, merchant.entry.name_hash],
        )
    )
    where = escrow_domain(CHAIN_ID, ESCROW)
    messages = [
        (
            dynamic_code(where, merchant.merchant_id, CNY_TOKEN, 2372, uetr, EXPIRES_AT),
            dynamic,
            merchant.sign_dynamic(),
        ),
        (
            static_code(where, merchant.merchant_id, merchant.entry.name_hash),
            static,
            merchant.sign_static(),
        ),
    ]
    for message, struct_hash, code in messages:
        digest = keccak(b"\x19\x01" + domain + struct_hash)
        assert message.digest == digest
        signature = check(code, merchant.entry).signature
        s = int.from_bytes(signature[32:], "big")
        vrs = (27 + (s >> 255), int.from_bytes(signature[:32], "big"), s & (2**255 - 1))
        assert Account._recover_hash(digest, vrs=vrs) == merchant.key.address


@pytest.mark.threat("Q02")
@pytest.mark.parametrize(
    "changes",
    [
        {"amount_minor": 2371},
        {"amount_minor": 1},
        {"currency": "HKD"},
        {"tip": qr.FixedFee(100)},
        {"tip": qr.PercentageFee(3000)},
        {"amount_minor": None},
    ],
)
def test_verify_refuses_when_amount_is_changed_and_crc_recomputed(
    merchant: Merchant, changes: dict[str, Any]
) -> None:
    """Q02: the check sum is no security; the signature is."""
    forged = rewrite(merchant.sign_dynamic(), **changes)
    assert qr.read(forged, strict=True)
    with pytest.raises(errors.SignatureMismatchError):
        check(forged, merchant.entry)


def test_verify_refuses_when_signed_part_of_a_template_is_changed(
    merchant: Merchant, other_merchant: Merchant
) -> None:
    code, other = merchant.sign_dynamic(), other_merchant.sign_dynamic()
    for object_id, value in [
        ("03", part(other, "03")),
        ("04", "00000000000000000009"),
        ("05", str(EXPIRES_AT + 86_400)),
        ("07", part(other, "07")),
    ]:
        with pytest.raises(errors.SignatureMismatchError):
            check(change_template(code, object_id, value), merchant.entry)


@pytest.mark.parametrize("kind", ["dynamic", "static"])
def test_verify_refuses_when_another_merchant_signed(
    merchant: Merchant, other_merchant: Merchant, kind: str
) -> None:
    impostor = replace(merchant, key=other_merchant.key)
    code = impostor.sign_dynamic() if kind == "dynamic" else impostor.sign_static()
    with pytest.raises(errors.WrongSignerError, match=other_merchant.key.address):
        check(code, merchant.entry)


@pytest.mark.threat("Q03")
def test_verify_gives_one_identifier_when_dynamic_code_is_scanned_twice(
    merchant: Merchant,
) -> None:
    """Q03: one intent has one UETR at every scan, and none after its expiry."""
    text = qr.write(merchant.sign_dynamic())
    first, second = (check(text, merchant.entry, now=now) for now in (NOW, EXPIRES_AT - 1))
    assert first == second
    assert first.uetr is not None
    for now in (EXPIRES_AT, EXPIRES_AT + 1):
        with pytest.raises(errors.CodeExpiredError):
            check(text, merchant.entry, now=now)


@pytest.mark.threat("Q04")
def test_verify_gives_no_identifier_when_static(merchant: Merchant) -> None:
    """Q04: a static code carries nothing a payment could reuse; the payer's bank makes it."""
    found = check(merchant.sign_static(), merchant.entry, now=2**40)
    assert (found.uetr, found.expires_at, found.amount_minor) == (None, None, None)
    assert found.token == to_checksum_address(CNY_TOKEN)


def test_verify_follows_static_limit_when_static_asks_for_an_amount(merchant: Merchant) -> None:
    limit = merchant.entry.static_limit_minor
    at_limit = merchant.sign_static(amount_minor=limit)
    assert check(at_limit, merchant.entry).amount_minor == limit
    for above in (
        merchant.sign_static(amount_minor=limit + 1),
        merchant.sign_static(amount_minor=limit, tip=qr.FixedFee(1)),
    ):
        with pytest.raises(errors.StaticLimitError):
            check(above, merchant.entry)


@pytest.mark.threat("Q05")
def test_verify_shows_the_vouched_name_when_sticker_is_swapped(
    merchant: Merchant, other_merchant: Merchant
) -> None:
    """Q05: a swapped sticker shows whose it is, and cannot carry the shop's name."""
    swapped = qr.write(other_merchant.sign_static())
    assert check(swapped, other_merchant.entry).name == "MOON BAKERY"
    for code in (other_merchant.sign_static(), other_merchant.sign_dynamic()):
        with pytest.raises(errors.NameNotVouchedError):
            check(rewrite(code, name=merchant.name), other_merchant.entry)


@pytest.mark.threat("Q05")
def test_verify_shows_own_language_when_directory_vouches_for_it(merchant: Merchant) -> None:
    """Q05: the unvouched one of two names is never shown."""
    language = qr.LanguageTemplate(language="ZH", name="最佳运输")
    entry = replace(
        merchant.entry, name_hash=qr.compute_name_hash(merchant.merchant_id, "最佳运输")
    )
    for code in (merchant.sign_dynamic(language=language), merchant.sign_static(language=language)):
        assert check(code, entry).name == "最佳运输"
        assert check(rewrite(code, name="SOMEBODY ELSE"), entry).name == "最佳运输"
    with_other = merchant.sign_dynamic(language=language)
    assert check(with_other, merchant.entry).name == "BEST TRANSPORT"


@pytest.mark.threat("Q06")
@pytest.mark.parametrize(
    "name",
    ["ВЕЅТ ТRАNЅРОRТ", "BEST\u200b TRANSPORT", "BEST\u202e TRANSPORT", "ＢEST TRANSPORT",
     "BEST TRANSPORT\u00ad", "BÉST TRANSPORT", "BEST  TRANSPORT", "BΕST TRANSPORT"],
)  # fmt: skip
def test_verify_refuses_when_name_looks_like_the_vouched_one(merchant: Merchant, name: str) -> None:
    """Q06: homoglyphs, mixed scripts, direction overrides, zero width, combining marks."""
    language = qr.LanguageTemplate(language="EN", name=name)
    text = rewrite(merchant.sign_dynamic(name="SOMETHING ELSE"), language=language)
    with pytest.raises(errors.LookAlikeNameError):
        check(text, merchant.entry)


@pytest.mark.threat("Q06")
def test_verify_refuses_when_name_looks_like_a_known_one(
    merchant: Merchant, other_merchant: Merchant
) -> None:
    """Q06: a vouched name that imitates another merchant's is refused too."""
    code = merchant.sign_dynamic()
    for known in ("BEST TRANSP0RT", "best transport"):
        with pytest.raises(errors.LookAlikeNameError):
            check(code, merchant.entry, known_names=[other_merchant.name, known])
    assert check(code, merchant.entry, known_names=[merchant.name, other_merchant.name])


@pytest.mark.threat("Q06")
def test_verify_refuses_when_whole_name_is_in_another_script(merchant: Merchant) -> None:
    """Q06: all Cyrillic is one script, yet reads as Latin."""
    entry = replace(merchant.entry, name_hash=qr.compute_name_hash(merchant.merchant_id, "COPE"))
    language = qr.LanguageTemplate(language="RU", name="СОРЕ")
    with pytest.raises(errors.LookAlikeNameError, match="imitates “COPE”"):
        check(merchant.sign_dynamic(name="X", language=language), entry)
    honest = qr.LanguageTemplate(language="RU", name="Кафе Ёлка")
    with pytest.raises(errors.NameNotVouchedError):
        check(merchant.sign_dynamic(name="X", language=honest), entry)


def test_verify_gives_no_token_when_static_names_no_currency(merchant: Merchant) -> None:
    code = merchant.sign_static(currency=None)
    found = qr.verify(
        code,
        merchant.entry,
        chain_id=CHAIN_ID,
        escrow=ESCROW,
        now=NOW,
        token_for_currency={},
    )
    assert (found.currency, found.token) == (None, None)


def test_verify_refuses_when_place_differs(merchant: Merchant) -> None:
    for code in (merchant.sign_dynamic(), merchant.sign_static()):
        with pytest.raises(errors.WrongChainError, match=str(OTHER_CHAIN_ID)):
            check(code, merchant.entry, chain_id=OTHER_CHAIN_ID)
        with pytest.raises(errors.WrongContractError):
            check(code, merchant.entry, escrow=OTHER_ESCROW)
        # Printing the wallet's own place over another one breaks the signature.
        moved = change_template(code, "01", str(OTHER_CHAIN_ID))
        with pytest.raises(errors.SignatureMismatchError):
            check(moved, merchant.entry, chain_id=OTHER_CHAIN_ID)


def test_verify_refuses_when_merchant_is_inactive(merchant: Merchant) -> None:
    with pytest.raises(errors.MerchantInactiveError):
        check(merchant.sign_dynamic(), replace(merchant.entry, active=False))


@pytest.mark.threat("Q11")
def test_verify_refuses_when_no_token_stands_for_the_currency(merchant: Merchant) -> None:
    """Q11: the code's currency has to be that of the token that settles it."""
    code = merchant.sign_dynamic()
    with pytest.raises(errors.CurrencyMismatchError):
        check(code, merchant.entry, token_for_currency={"HKD": HKD_TOKEN})
    with pytest.raises(errors.SignatureMismatchError):
        check(code, merchant.entry, token_for_currency={"CNY": HKD_TOKEN})


@pytest.mark.threat("Q13")
@pytest.mark.parametrize(
    ("tip", "amount_minor", "asks"),
    [
        (qr.PromptedTip(), 2372, True),
        (qr.FixedFee(500), 2872, False),
        (qr.PercentageFee(3000), 2443, False),
    ],
)
def test_verify_gives_total_when_tip(
    merchant: Merchant, tip: qr.Tip, amount_minor: int, asks: bool
) -> None:
    """Q13: a fixed or percentage fee is signed with the amount, a prompted tip comes on top."""
    code = merchant.sign_dynamic(tip=tip)
    found = check(code, merchant.entry)
    assert (found.amount_minor, found.asks_for_tip) == (amount_minor, asks)


def test_verify_warns_when_category_differs(merchant: Merchant) -> None:
    found = check(merchant.sign_dynamic(category_code="5812"), merchant.entry)
    assert found.category_code == "4111"
    assert [w.code for w in found.warnings] == ["category_differs"]


def test_verify_refuses_when_signature_cannot_be_one(merchant: Merchant) -> None:
    code = merchant.sign_dynamic()
    good = qr.read_templates(code).signature
    order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
    s = int.from_bytes(good[32:], "big") & (2**255 - 1)
    for bad in (
        bytes(64),
        b"\xff" * 64,
        b"\xff" * 32 + good[32:],
        good[:32] + bytes(32),
        good[:32] + (order - s & (2**255 - 1)).to_bytes(32, "big"),
        bytes([good[0] ^ 1]) + good[1:],
    ):
        with pytest.raises(errors.SignatureMismatchError):
            check(change_template(code, "07", b85encode(bad).decode()), merchant.entry)


def test_verify_refuses_when_s_is_in_the_upper_half(merchant: Merchant) -> None:
    """The contract refuses such a signature, so the wallet must, whoever it recovers to."""
    half = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141 // 2
    code = merchant.sign_static()
    where = escrow_domain(CHAIN_ID, ESCROW)
    digest = static_code(where, merchant.merchant_id, merchant.entry.name_hash).digest
    r = qr.read_templates(code).signature[:32]
    for s, accepted in ((half, True), (half + 1, False)):
        signer = Account._recover_hash(digest, vrs=(27, int.from_bytes(r, "big"), s))
        forged = change_template(code, "07", b85encode(r + s.to_bytes(32, "big")).decode())
        entry = replace(merchant.entry, signer=signer)
        if accepted:
            assert check(forged, entry).name == merchant.name
        else:
            with pytest.raises(errors.SignatureMismatchError):
                check(forged, entry)


@pytest.mark.parametrize(
    ("object_id", "value"),
    [
        ("01", "0"),
        ("01", "01"),
        ("01", "1e3"),
        ("01", None),
        ("02", None),
        ("02", "x" * 24),
        ("02", "~" * 25),
        ("03", "\\" * 40),
        ("03", "0" * 41),
        ("04", "0" * 19),
        ("04", "STATIC"),
        ("04", None),
        ("05", "-1"),
        ("05", str(2**40)),
        ("05", None),
        ("06", "0" * 4),
        ("06", None),
        ("07", "0" * 79),
        ("07", "~" * 80),
    ],
)
def test_verify_refuses_when_template_is_misspelt(
    merchant: Merchant, object_id: str, value: str | None
) -> None:
    with pytest.raises(errors.MalformedCodeError):
        check(change_template(merchant.sign_dynamic(), object_id, value), merchant.entry)


def test_verify_refuses_when_templates_are_missing_or_doubled(merchant: Merchant) -> None:
    code = merchant.sign_dynamic()
    plain = merchant.make_code(accounts=(qr.DataObject("04", "5123456789"),))
    for text in (qr.write(plain), rewrite(code, unreserved=code.unreserved[:1])):
        with pytest.raises(errors.NotTaelCodeError):
            check(text, merchant.entry)
    for doubled in (
        {"accounts": (*code.accounts, replace(code.accounts[0], id="27"))},
        {"unreserved": (code.unreserved[0], replace(code.unreserved[0], id="82"))},
        {"initiation": qr.Initiation.STATIC},
    ):
        with pytest.raises(errors.MalformedCodeError):
            check(rewrite(code, **doubled), merchant.entry)
    with pytest.raises(errors.MalformedCodeError):
        check(rewrite(merchant.sign_static(), initiation=qr.Initiation.DYNAMIC), merchant.entry)


@pytest.mark.parametrize(
    "changes",
    [
        {"token": None},
        {"uetr": None},
        {"expires_at": None},
        {"amount_minor": None},
        {"initiation": qr.Initiation.STATIC},
        {"merchant_id": b"short"},
        {"uetr": b"short"},
        {"escrow": "0x1234"},
        {"token": "nonsense"},
        {"chain_id": 10**10},
        {"chain_id": 0},
        {"expires_at": 2**40},
        {"expires_at": 0},
        {"name": None},
        {"name": "ВEST"},
    ],
    ids=str,
)
def test_sign_refuses_when_terms_are_wrong(merchant: Merchant, changes: dict[str, Any]) -> None:
    with pytest.raises(errors.InvalidInputError):
        merchant.sign_dynamic(**changes)


def test_sign_refuses_when_code_has_no_place_or_is_signed(merchant: Merchant) -> None:
    signed = merchant.sign_dynamic()
    with pytest.raises(errors.InvalidInputError, match="already"):
        merchant.sign_dynamic(accounts=signed.accounts)
    full = tuple(qr.Template.of(str(n), "g", {}) for n in range(26, 52))
    with pytest.raises(errors.InvalidInputError, match="free"):
        merchant.sign_dynamic(accounts=full)


class _ShownTheMessage:
    def __init__(self, address: str, signature: bytes) -> None:
        self.address, self.signature = address, signature

    def sign_typed_data(self, *_: object, **__: object) -> _ShownTheMessage:
        return self


class _GivenTheDigest:
    def __init__(self, address: str, signature: bytes) -> None:
        self.address, self.signature = address, signature

    def sign_digest(self, _digest: bytes) -> bytes:
        return self.signature


@pytest.mark.parametrize("kind", [_ShownTheMessage, _GivenTheDigest])
def test_sign_accepts_any_signer_when_signature_has_a_known_form(
    merchant: Merchant, kind: Any
) -> None:
    compact = qr.read_templates(merchant.sign_dynamic()).signature
    s = int.from_bytes(compact[32:], "big")
    parity, plain = s >> 255, compact[:32] + (s & (2**255 - 1)).to_bytes(32, "big")
    for signature in (compact, plain + bytes([parity]), plain + bytes([27 + parity])):
        code = replace(merchant, key=kind(merchant.key.address, signature)).sign_dynamic()
        assert check(code, merchant.entry).signature == compact
    for signature in (plain[:-1], plain + b"\x05", b""):
        bad = replace(merchant, key=kind(merchant.key.address, signature))
        with pytest.raises(errors.InvalidInputError):
            bad.sign_dynamic()


def test_sign_gives_one_code_when_the_key_signs_digests_or_messages(merchant: Merchant) -> None:
    """A `Signer` signs our digest, eth-account's key hashes the message itself."""
    signer: Any = PrivateKeySigner.from_key(bytes(merchant.key.key))
    ours = replace(merchant, key=signer)
    assert ours.sign_dynamic() == merchant.sign_dynamic()
    assert ours.sign_static() == merchant.sign_static()


@settings(max_examples=60)
@given(data=st.data())
def test_verify_refuses_when_any_signed_character_is_changed(data: st.DataObject) -> None:
    merchant = make_merchant(0x11, "BEST TRANSPORT")
    text = qr.write(merchant.sign_dynamic())
    position = data.draw(st.integers(0, len(text) - 9))
    other = data.draw(st.characters(min_codepoint=0x20, max_codepoint=0x7E))
    forged = text[:position] + other + text[position + 1 : -4]
    forged += qr.compute_crc(forged)
    genuine = check(text, merchant.entry)
    try:
        found = check(forged, merchant.entry)
    except errors.QrError:
        return
    # What is not signed (country, city, category) may differ, what is paid may not.
    assert replace(found, warnings=()) == genuine
