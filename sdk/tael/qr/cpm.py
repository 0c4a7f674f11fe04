"""Read and write EMVCo consumer-presented codes: a card or token shown on the payer's phone.

What stands in such a code is cardholder data: it is masked in every ``repr``; do not log it.

Source: EMVCo QRCPS Consumer-Presented Mode 1.1, chapters 5 and 6; EMV Book 3, Annex A.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass, field
from typing import Any

from tael.errors import InvalidInputError, NotPaymentCodeError
from tael.qr.ber import BerObject, decode, encode
from tael.qr.findings import CodeWarning, Findings, refuse
from tael.qr.payload import prepare

__all__ = [
    "ConsumerCode",
    "ConsumerData",
    "decode_consumer_fields",
    "read_consumer",
    "write_consumer",
]

FORMAT_TAG, APPLICATION_TAG, COMMON_TAG = "85", "61", "62"
FORMAT_VALUE = b"CPV01"
_BASE64 = re.compile(r"[A-Za-z0-9+/]+={0,2}")
_PAN = re.compile(r"[0-9]{1,19}F?")
_TRACK2 = re.compile(r"(?P<pan>[0-9]{1,19})D[0-9]{7,}F?")
_PRINTABLE = re.compile(rb"[ -~]*")

# tag: name, shortest and longest value in bytes, what it may consist of
_RULES: dict[str, tuple[str, int, int, str]] = {
    "4F": ("Application identifier", 5, 16, "b"),
    "50": ("Application label", 1, 16, "ans"),
    "57": ("Track 2 equivalent data", 1, 19, "track2"),
    "5A": ("Application PAN", 1, 10, "pan"),
    "5F20": ("Cardholder name", 2, 26, "ans"),
    "5F2D": ("Language preference", 2, 8, "ans"),
    "5F34": ("PAN sequence number", 1, 1, "n"),
    "5F50": ("Issuer URL", 1, 0xFFFF, "ans"),
    "9F08": ("Application version number", 2, 2, "b"),
    "9F19": ("Token requestor ID", 6, 6, "n"),
    "9F24": ("Payment account reference", 29, 29, "ans"),
    "9F25": ("Last four digits of PAN", 2, 2, "n"),
}


@dataclass(frozen=True, repr=False)
class ConsumerData:
    """One template 61 (an application) or 62 (data common to all).

    Args:
        objects: What it holds, in order.
    """

    objects: tuple[BerObject, ...]

    @classmethod
    def of(
        cls, *, transparent: tuple[str, tuple[BerObject, ...]] | None = None, **values: bytes
    ) -> ConsumerData:
        """Build a template.

        Args:
            transparent: Tag 63 (inside 61) or 64 (inside 62) and the objects it holds.
            values: Values by the names of this class's properties, as bytes.

        Returns:
            The template.

        Raises:
            InvalidInputError: A name that is no property of this class.
        """
        unknown = set(values) - set(_TAGS)
        if unknown:
            raise InvalidInputError(f"No such data: {', '.join(sorted(unknown))}.")
        objects = [BerObject(_TAGS[name], value) for name, value in values.items()]
        if transparent is not None:
            objects.append(BerObject(*transparent))
        return cls(tuple(objects))

    def get(self, tag: str) -> bytes | None:
        """The value of the first object with this tag as bytes, or None."""
        return next((item.raw for item in self.objects if item.tag == tag), None)

    @property
    def aid(self) -> str | None:
        """4F, the application identifier, as upper-case hexadecimal."""
        return _to_hex(self.get("4F"))

    @property
    def label(self) -> str | None:
        """50, what the payer knows the application by."""
        return _to_text(self.get("50"))

    @property
    def track2(self) -> str | None:
        """57, digits with D as separator; secret."""
        return _to_hex(self.get("57"))

    @property
    def pan(self) -> str | None:
        """The card or token number from 5A, else from 57; secret."""
        own = _to_hex(self.get("5A"))
        if own is not None:
            return own.rstrip("F")
        match = _TRACK2.fullmatch(self.track2 or "")
        return match["pan"] if match else None

    @property
    def cardholder_name(self) -> str | None:
        """5F20; personal data."""
        return _to_text(self.get("5F20"))

    @property
    def languages(self) -> tuple[str, ...]:
        """5F2D, up to four ISO 639 codes in the payer's order."""
        text = _to_text(self.get("5F2D")) or ""
        return tuple(text[i : i + 2] for i in range(0, len(text), 2))

    @property
    def issuer_url(self) -> str | None:
        """5F50; untrusted, never open it without asking."""
        return _to_text(self.get("5F50"))

    @property
    def application_version(self) -> str | None:
        """9F08 as hexadecimal."""
        return _to_hex(self.get("9F08"))

    @property
    def token_requestor_id(self) -> str | None:
        """9F19, 11 digits behind a padding zero."""
        return _to_hex(self.get("9F19"))

    @property
    def payment_account_reference(self) -> str | None:
        """9F24, 29 characters that stay the same across tokens of one account."""
        return _to_text(self.get("9F24"))

    @property
    def pan_last_four(self) -> str | None:
        """9F25."""
        return _to_hex(self.get("9F25"))

    @property
    def transparent(self) -> tuple[BerObject, ...]:
        """63 or 64: what goes to the issuer as it is, such as the cryptogram 9F26."""
        inner = next((item.value for item in self.objects if item.tag in {"63", "64"}), ())
        return inner if isinstance(inner, tuple) else ()

    def __repr__(self) -> str:
        pan = self.pan
        masked = None if pan is None else f"{pan[:6]}…{pan[-4:]}"
        return f"ConsumerData(aid={self.aid}, label={self.label!r}, pan={masked})"


_TAGS = {
    "aid": "4F",
    "label": "50",
    "track2": "57",
    "pan": "5A",
    "cardholder_name": "5F20",
    "languages": "5F2D",
    "issuer_url": "5F50",
    "application_version": "9F08",
    "token_requestor_id": "9F19",
    "payment_account_reference": "9F24",
    "pan_last_four": "9F25",
}


@dataclass(frozen=True)
class ConsumerCode:
    """A consumer-presented code.

    Args:
        applications: Templates 61 in order of the payer's preference, at least one.
        common: Template 62.
        reserved: Other objects beside them; only a lenient reader lets them in.
        text: The base64 it was read from; no part of equality, and secret.
        warnings: What a lenient reader let pass; no part of equality.
    """

    applications: tuple[ConsumerData, ...]
    common: ConsumerData | None = None
    reserved: tuple[BerObject, ...] = field(default=(), repr=False)
    text: str = field(default="", compare=False, repr=False)
    warnings: tuple[CodeWarning, ...] = field(default=(), compare=False)


def read_consumer(text: str | bytes, *, strict: bool = False) -> ConsumerCode:
    """Read a consumer-presented code.

    Args:
        text: The scanned base64.
        strict: Refuse what EMVCo makes mandatory or recommends.

    Returns:
        The code with its warnings.

    Raises:
        NotPaymentCodeError: No base64 of anything.
        OversizeCodeError: Longer than any QR code.
        NonConformingCodeError: Outside the rules, when strict.
        MalformedCodeError: The objects do not add up, or what is needed to charge is missing.

    Source:
        EMVCo QRCPS Consumer-Presented Mode, 5.1 and Tables 6.1 to 6.3.
    """
    findings = Findings(strict)
    payload = prepare(text, findings)
    objects = decode(_decode_base64(payload, findings), findings)
    if not objects or objects[0] != BerObject(FORMAT_TAG, FORMAT_VALUE):
        raise refuse(FORMAT_TAG, "has to come first and to be CPV01")
    applications = tuple(_as_data(item) for item in objects if item.tag == APPLICATION_TAG)
    commons = tuple(_as_data(item) for item in objects if item.tag == COMMON_TAG)
    if not applications:
        raise refuse(APPLICATION_TAG, "no application is offered")
    known = {FORMAT_TAG, APPLICATION_TAG, COMMON_TAG}
    reserved = tuple(item for item in objects if item.tag not in known)
    if len(commons) > 1 or sum(item.tag == FORMAT_TAG for item in objects) > 1:
        raise refuse("", "62 or 85 stands there twice")
    for item in reserved:
        findings.defect("reserved_for_future_use", item.tag, "Not defined at this place")
    if commons and [item.tag for item in objects if item.tag in known][-1] != COMMON_TAG:
        findings.defect("order", COMMON_TAG, "Has to follow the applications")
    common = commons[0] if commons else None
    for data in commons:
        _check_data(COMMON_TAG, data, findings)
    for data in applications:
        _check_data(APPLICATION_TAG, data, findings)
        if data.aid is None:
            raise refuse("61.4F", "an application without its identifier reaches no network")
        if data.pan is None and (common is None or common.pan is None):
            findings.defect("not_chargeable", APPLICATION_TAG, "Neither 57 nor 5A: no card number")
    return ConsumerCode(applications, common, reserved, payload, tuple(findings.warnings))


def write_consumer(code: ConsumerCode) -> str:
    """Write a consumer-presented code, strictly by EMVCo's rules.

    Args:
        code: Applications and common data.

    Returns:
        Base64 for a QR code; reading it gives an equal code.

    Raises:
        InvalidInputError: A tag does not fit its value, or stands where it has no meaning.
        QrError: The code would break a rule; the message names the object.
    """
    objects = [BerObject(FORMAT_TAG, FORMAT_VALUE)]
    objects += [BerObject(APPLICATION_TAG, data.objects) for data in code.applications]
    if code.common is not None:
        objects.append(BerObject(COMMON_TAG, code.common.objects))
    text = base64.b64encode(encode([*objects, *code.reserved])).decode()
    if read_consumer(text, strict=True) != code:
        raise InvalidInputError("The code would not read back as it was given; correct the tags.")
    return text


def decode_consumer_fields(code: ConsumerCode) -> list[list[Any]]:
    """The data objects as lists of tag and hexadecimal value, templates as lists again."""
    return _to_lists(decode(_decode_base64(code.text, Findings(False)), Findings(False)))


def _to_lists(objects: list[BerObject] | tuple[BerObject, ...]) -> list[list[Any]]:
    return [
        [i.tag, i.value.hex().upper() if isinstance(i.value, bytes) else _to_lists(i.value)]
        for i in objects
    ]


def _decode_base64(payload: str, findings: Findings) -> bytes:
    padded = payload + "=" * (-len(payload) % 4)
    try:
        if not _BASE64.fullmatch(payload):
            raise ValueError
        data = base64.b64decode(padded, validate=True)
        canonical = base64.b64encode(data).decode()
    except (ValueError, binascii.Error) as error:
        raise NotPaymentCodeError(
            "The text is neither a merchant's code nor base64 of a payer's code. Scan the code "
            "of the payment."
        ) from error
    if canonical != padded:
        raise refuse("", "the base64 has bits left over")
    if padded != payload:
        findings.defect("base64_padding", "", "The base64 padding is missing")
    return data


def _as_data(item: BerObject) -> ConsumerData:
    return ConsumerData(item.value if isinstance(item.value, tuple) else ())


def _check_data(parent: str, data: ConsumerData, findings: Findings) -> None:
    seen: set[str] = set()
    for item in data.objects:
        path = f"{parent}.{item.tag}"
        if item.tag in seen:
            raise refuse(path, "stands there twice")
        seen.add(item.tag)
        if item.tag in _RULES and isinstance(item.value, bytes):
            _check_value(path, item.value, _RULES[item.tag], findings)
        elif item.tag != {APPLICATION_TAG: "63", COMMON_TAG: "64"}[parent]:
            findings.note("unknown_tag", path, "Not defined at this place; kept as it is")


def _check_value(
    path: str, value: bytes, rule: tuple[str, int, int, str], findings: Findings
) -> None:
    name, shortest, longest, kind = rule
    if not shortest <= len(value) <= longest:
        raise refuse(path, f"{name} has {len(value)} bytes instead of {shortest} to {longest}")
    digits = value.hex().upper()
    if kind == "track2" and not _TRACK2.fullmatch(digits):
        raise refuse(path, f"{name} is not digits, D and digits")
    if kind == "pan" and not _PAN.fullmatch(digits):
        raise refuse(path, f"{name} is not up to 19 digits")
    if kind == "n" and not digits.isdecimal():
        raise refuse(path, f"{name} is not digits")
    if kind == "ans" and not _PRINTABLE.fullmatch(value):
        findings.defect("characters_outside_ans", path, f"{name} is not printable ASCII")


def _to_hex(value: bytes | None) -> str | None:
    return None if value is None else value.hex().upper()


def _to_text(value: bytes | None) -> str | None:
    return None if value is None else value.decode("utf-8", "replace")
