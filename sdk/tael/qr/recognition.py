"""Anything scanned, sorted out: what kind of code it is, what it says, or why it is none.

Source: EMVCo QRCPS Merchant-Presented and Consumer-Presented Mode.
"""

from __future__ import annotations

import hashlib
import os
import re
from typing import Any

from tael.errors import InvalidInputError, NotPaymentCodeError, TaelError
from tael.qr.cpm import ConsumerCode, decode_consumer_fields, read_consumer
from tael.qr.findings import CodeWarning, Findings
from tael.qr.image import is_image, read_image
from tael.qr.model import MerchantCode
from tael.qr.mpm import decode_fields, read
from tael.qr.names import show
from tael.qr.payload import prepare
from tael.qr.schemes import list_profile_warnings, recognize_schemes
from tael.qr.unionpay import ConsumerBarcode, UnionPayLink, is_barcode, read_barcode, read_link

__all__ = ["PaymentCode", "describe", "recognize"]

PaymentCode = MerchantCode | ConsumerCode | ConsumerBarcode | UnionPayLink

_URI = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]{0,31}):")
_MERCHANT_PRESENTED = re.compile(r"[0-9]{4}")
_ONLY_DIGITS = re.compile(r"[0-9]+")
_BASE64 = re.compile(r"[A-Za-z0-9+/]{8,}={0,2}")
_IMAGE_ENDINGS = (".png", ".jpg", ".jpeg")


def recognize(text: str | bytes, *, strict: bool = False) -> PaymentCode:
    """Read a scanned text of any kind this package knows.

    Links are never followed, whatever their scheme: a link is recognized only in the one exact
    form of UnionPay's domestic codes, and is refused by name otherwise.

    Args:
        text: The scanned text, or its bytes in UTF-8.
        strict: Refuse what EMVCo makes mandatory or recommends.

    Returns:
        A merchant's code, a payer's code, a UnionPay bar code, or a UnionPay link.

    Raises:
        NotPaymentCodeError: A link, a number, or plain text.
        QrError: A payment code that is refused; the subclass says why.
    """
    findings = Findings(strict)
    payload = prepare(text, findings)
    if is_barcode(payload):
        return read_barcode(payload)
    link = read_link(payload)
    if link is not None:
        return link
    uri = _URI.match(payload)
    if uri is not None:
        raise NotPaymentCodeError(
            f"This is a link ({show(uri['scheme'].lower())}:), no payment code. It was not opened; "
            "ask for the code of the payment."
        )
    if _ONLY_DIGITS.fullmatch(payload) and not payload.startswith("00"):
        raise NotPaymentCodeError(
            f"This is a number of {len(payload)} digits, no payment code. Scan the code itself."
        )
    if _MERCHANT_PRESENTED.match(payload):
        return read(text, strict=strict)
    if _BASE64.fullmatch(payload):
        return read_consumer(text, strict=strict)
    raise NotPaymentCodeError(
        f"“{show(payload)}” is not a payment code. Scan the code of the payment."
    )


def describe(source: str | bytes | os.PathLike[str], *, strict: bool = False) -> dict[str, Any]:
    """Say what a scanned text or a picture is, in a shape ready for JSON; refusals included.

    Args:
        source: Text; bytes of a text or of a PNG or JPEG file; or the path of such a file (any
            path object, or a text with the ending ``.png``, ``.jpg`` or ``.jpeg``).
        strict: Refuse what EMVCo makes mandatory or recommends.

    Returns:
        ``accepted``; ``scheme`` (None when refused); ``fields``: data objects by id for merchants'
        codes, with ``unionpay`` and KHQR's ``md5`` beside them where they apply, pairs of tag and
        value for payers' codes; ``warnings``, each with ``code``, ``object`` and ``message``; and
        ``error`` with ``code`` and ``message``, or None.

    Example:
        >>> describe("https://example.com")["error"]["code"]
        'qr_not_payment'
    """
    try:
        code = recognize(_load(source), strict=strict)
    except TaelError as error:
        return {
            "accepted": False,
            "scheme": None,
            "fields": {},
            "warnings": [],
            "error": {"code": error.code, "message": error.message},
        }
    scheme, fields, warnings = _describe_code(code)
    return {
        "accepted": True,
        "scheme": scheme,
        "fields": fields,
        "warnings": [
            {"code": w.code, "object": w.object_id, "message": w.message} for w in warnings
        ],
        "error": None,
    }


def _load(source: str | bytes | os.PathLike[str]) -> str | bytes:
    if isinstance(source, bytes):
        return read_image(source) if is_image(source) else source
    if isinstance(source, str):
        # No payload ends so: a merchant's code ends with its check sum, base64 has no dot.
        return read_image(source) if source.lower().endswith(_IMAGE_ENDINGS) else source
    if isinstance(source, os.PathLike):
        return read_image(source)
    raise InvalidInputError("A code is text, bytes or a path to a picture; pass one of them.")


def _describe_code(code: PaymentCode) -> tuple[str, Any, tuple[CodeWarning, ...]]:
    if isinstance(code, UnionPayLink):
        link = {"host": code.host, "issuer": code.issuer, "token": code.token}
        return "UnionPay", link, ()
    if isinstance(code, ConsumerBarcode):
        return "UnionPay", {"barcode": code.text}, ()
    scheme = recognize_schemes(code)[0]
    if isinstance(code, ConsumerCode):
        return scheme, decode_consumer_fields(code), code.warnings
    fields = decode_fields(code.text)
    account = code.unionpay
    if account is not None:
        fields["unionpay"] = {
            "acquirerIIN": account.acquirer_iin,
            "fwdIIN": account.forwarding_iin,
            "mid": account.merchant_id,
        }
    if scheme == "KHQR":
        # The National Bank's API knows a payment by this digest; it protects nothing.
        fields["md5"] = hashlib.md5(code.text.encode(), usedforsecurity=False).hexdigest()
    return scheme, fields, (*code.warnings, *list_profile_warnings(code))
