"""The text format of merchant-presented codes: two digits of id, two of length, then the value.

Lengths count characters (Unicode code points), the check sum runs over UTF-8 bytes.

Source: EMVCo QRCPS Merchant-Presented Mode, 3.2, 4.3.1 and 4.7.3; ISO/IEC 13239 for the CRC.
"""

from __future__ import annotations

import binascii
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tael.errors import InvalidInputError, OversizeCodeError
from tael.qr.findings import refuse
from tael.qr.names import show

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["CRC_ID", "MAX_VALUE_CHARACTERS", "DataObject", "compute_crc", "join", "split"]

CRC_ID = "63"
MAX_VALUE_CHARACTERS = 99

# Not `str.isdigit`, which takes the digits of every script for digits.
_HEADER = re.compile(r"[0-9]{4}")
_ID = re.compile(r"[0-9]{2}")


@dataclass(frozen=True, order=True)
class DataObject:
    """One data object whose value is plain text.

    Args:
        id: Two ASCII digits.
        value: 1 to 99 characters.
    """

    id: str
    value: str


def compute_crc(text: str) -> str:
    """CRC-16/CCITT-FALSE of ``text`` as four upper-case hexadecimal digits.

    Args:
        text: The payload up to and including ``6304``.

    Returns:
        Four digits, leading zeros kept.

    Example:
        >>> compute_crc("123456789")
        '29B1'
    """
    return f"{binascii.crc_hqx(text.encode(), 0xFFFF):04X}"


def split(text: str, parent_id: str = "") -> tuple[DataObject, ...]:
    """Cut ``text`` into its data objects, in one pass and without descending into templates.

    Args:
        text: The content of a payload or of a template.
        parent_id: The template's id, for messages.

    Returns:
        The data objects in the order they stand in.

    Raises:
        MalformedCodeError: A header is not four ASCII digits, a value is empty or shorter than its
            length says, or an id appears twice (which of the two would count?).
    """
    found: list[DataObject] = []
    seen: set[str] = set()
    position = 0
    while position < len(text):
        header = text[position : position + 4]
        if not _HEADER.fullmatch(header):
            raise refuse(parent_id, f"id and length expected, found “{show(header)}”")
        object_id, length = header[:2], int(header[2:])
        path = f"{parent_id}.{object_id}" if parent_id else object_id
        value = text[position + 4 : position + 4 + length]
        if length == 0:
            raise refuse(path, "the length is zero")
        if len(value) < length:
            raise refuse(path, f"{length} characters announced, {len(value)} are there")
        if object_id in seen:
            raise refuse(path, "stands there twice")
        seen.add(object_id)
        found.append(DataObject(object_id, value))
        position += 4 + length
    return tuple(found)


def join(objects: Iterable[DataObject]) -> str:
    """Write data objects one after the other, in the order given.

    Args:
        objects: What to write.

    Returns:
        The text, without a check sum.

    Raises:
        InvalidInputError: An id is not two digits or a value is no text.
        OversizeCodeError: A value is longer than 99 characters.
    """
    parts: list[str] = []
    for item in objects:
        if not isinstance(item.id, str) or not _ID.fullmatch(item.id):
            raise InvalidInputError("A data object's id is two digits; correct it.")
        if not isinstance(item.value, str):
            raise InvalidInputError(f"Data object {item.id} takes text; convert the value first.")
        if len(item.value) > MAX_VALUE_CHARACTERS:
            raise OversizeCodeError(
                f"Data object {item.id} would have {len(item.value)} characters and may have "
                f"{MAX_VALUE_CHARACTERS}; shorten it."
            )
        parts.append(f"{item.id}{len(item.value):02d}{item.value}")
    return "".join(parts)
