"""UnionPay's own forms: the merchant account in object 15 or 16, links, and consumer bar codes.

Source: EMVCo QRCPS Merchant-Presented Mode, Table 4.1 (who owns ids 15 and 16); the layout of 31
characters as UnionPay's international merchant codes carry it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from tael.errors import InvalidInputError, NotPaymentCodeError
from tael.qr.tlv import DataObject

__all__ = [
    "ConsumerBarcode",
    "UnionPayAccount",
    "UnionPayLink",
    "decode_account",
    "encode_account",
    "is_barcode",
    "read_barcode",
    "read_link",
]

ACCOUNT_IDS = ("15", "16")
_ACCOUNT = re.compile(r"(?P<acquirer>[0-9]{8})(?P<forwarding>[0-9]{8})(?P<merchant>[!-~ ]{15})")
_BARCODE = re.compile(r"62[0-9]{17}")
# The whole link is matched, so that no user part, port, query or fragment can hide in it. Scheme
# and host are case-insensitive: QR's compact mode has upper-case letters only.
_LINK = re.compile(
    r"(?i:https://qr\.95516\.com)/(?P<issuer>[0-9]{8})/(?P<token>[0-9A-Za-z_-]{1,128})"
)


@dataclass(frozen=True)
class UnionPayAccount:
    """A merchant as UnionPay's network addresses it.

    Args:
        acquirer_iin: Acquirer's institution number, 8 digits.
        forwarding_iin: Forwarding institution's number, 8 digits.
        merchant_id: 15 characters.
        id: The data object it stands in, 15 or 16.
    """

    acquirer_iin: str
    forwarding_iin: str
    merchant_id: str
    id: str = "15"


@dataclass(frozen=True)
class UnionPayLink:
    """A domestic UnionPay code: a link that only UnionPay's own system can resolve.

    Args:
        text: The link as scanned.
        host: Always ``qr.95516.com``.
        issuer: The institution that made it, 8 digits.
        token: What the institution will look up.
    """

    text: str
    host: str
    issuer: str
    token: str


@dataclass(frozen=True)
class ConsumerBarcode:
    """The 19 digits a UnionPay wallet shows as a bar code beside its QR code.

    Args:
        text: 19 digits beginning with 62; they stand for a card, so treat them as one.
    """

    text: str

    def __repr__(self) -> str:
        return f"ConsumerBarcode({self.text[:6]}…{self.text[-4:]})"


def decode_account(item: DataObject) -> UnionPayAccount | None:
    """Take object 15 or 16 apart.

    Args:
        item: The data object.

    Returns:
        The account, or None when the value has another layout than UnionPay's.
    """
    match = _ACCOUNT.fullmatch(item.value)
    if item.id not in ACCOUNT_IDS or match is None:
        return None
    return UnionPayAccount(match["acquirer"], match["forwarding"], match["merchant"], item.id)


def encode_account(account: UnionPayAccount) -> DataObject:
    """Put a UnionPay account into its data object.

    Args:
        account: The account.

    Returns:
        The data object for :attr:`MerchantCode.accounts`.

    Raises:
        InvalidInputError: A part has the wrong length or characters.
    """
    value = f"{account.acquirer_iin}{account.forwarding_iin}{account.merchant_id}"
    item = DataObject(account.id, value)
    if decode_account(item) != account:
        raise InvalidInputError(
            "A UnionPay account is two numbers of 8 digits and a merchant id of 15 characters in "
            "object 15 or 16; correct it."
        )
    return item


def is_barcode(text: str) -> bool:
    """Whether the text has the form of a UnionPay consumer bar code."""
    return _BARCODE.fullmatch(text) is not None


def read_barcode(text: str) -> ConsumerBarcode:
    """Read a UnionPay consumer bar code.

    Raises:
        NotPaymentCodeError: Not 19 digits beginning with 62.
    """
    if not is_barcode(text):
        raise NotPaymentCodeError(
            "A UnionPay consumer bar code has 19 digits beginning with 62; scan the code itself."
        )
    return ConsumerBarcode(text)


def read_link(text: str) -> UnionPayLink | None:
    """Recognize a domestic UnionPay link; None for every other text, look-alike hosts included."""
    match = _LINK.fullmatch(text)
    if match is None:
        return None
    return UnionPayLink(text, "qr.95516.com", match["issuer"], match["token"])
