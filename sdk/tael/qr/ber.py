"""BER-TLV as EMV uses it: tags of one to three bytes, definite lengths, bounded depth.

Kept as lists, never as mappings: a tag may stand there twice and both count.

Source: EMV Book 3, Annex B.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tael.errors import InvalidInputError
from tael.qr.findings import Findings, refuse

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["MAX_DEPTH", "BerObject", "decode", "encode"]

MAX_DEPTH = 5
_MAX_TAG_BYTES = 3
_MAX_LENGTH_BYTES = 2
_TAG = re.compile(r"(?:[0-9A-F]{2}){1,3}")


@dataclass(frozen=True)
class BerObject:
    """One data object.

    Args:
        tag: Upper-case hexadecimal, as ``9F26``.
        value: Bytes, or the objects inside when the tag says so (bit 6 of its first byte).
    """

    tag: str
    value: bytes | tuple[BerObject, ...]

    @property
    def raw(self) -> bytes:
        """The value as bytes, that of a template encoded again."""
        return self.value if isinstance(self.value, bytes) else encode(self.value)


def decode(data: bytes, findings: Findings, path: str = "", depth: int = 1) -> list[BerObject]:
    """Take bytes apart, templates included.

    Args:
        data: The content of a payload or of a template; each byte is looked at once per level.
        findings: Takes longer length forms than needed, and empty values, as defects.
        path: The template it is in, for messages.
        depth: How deep that is.

    Returns:
        The objects in order, repeated tags included.

    Raises:
        MalformedCodeError: Truncated, indefinite or oversized length, or nested too deeply.
        NonConformingCodeError: A defect, when strict.
    """
    if depth > MAX_DEPTH:
        raise refuse(path, f"templates nest deeper than {MAX_DEPTH} levels")
    found: list[BerObject] = []
    position = 0
    while position < len(data):
        tag, position = _decode_tag(data, position, path)
        here = f"{path}.{tag}" if path else tag
        length, position = _decode_length(data, position, here, findings)
        value = data[position : position + length]
        if len(value) < length:
            raise refuse(here, f"{length} bytes announced, {len(value)} are there")
        if length == 0:
            findings.defect("empty_value", here, "Has no value")
        position += length
        constructed = int(tag[:2], 16) & 0x20
        inner = tuple(decode(value, findings, here, depth + 1)) if constructed else value
        found.append(BerObject(tag, inner))
    return found


def encode(objects: Iterable[BerObject]) -> bytes:
    """Write objects one after the other with the shortest length form.

    Args:
        objects: What to write.

    Returns:
        Bytes.

    Raises:
        InvalidInputError: A tag is not one to three bytes of upper-case hexadecimal, does not fit
            its value, or a value exceeds 65535 bytes.
    """
    parts: list[bytes] = []
    for item in objects:
        if not _TAG.fullmatch(item.tag):
            raise InvalidInputError("A tag is one to three bytes in upper-case hexadecimal.")
        if bool(int(item.tag[:2], 16) & 0x20) == isinstance(item.value, bytes):
            raise InvalidInputError(f"Tag {item.tag} and its value disagree on being a template.")
        value = item.raw
        if len(value) > 0xFFFF:
            raise InvalidInputError(f"Tag {item.tag} holds more than 65535 bytes; shorten it.")
        parts.append(bytes.fromhex(item.tag) + _encode_length(len(value)) + value)
    return b"".join(parts)


def _decode_tag(data: bytes, position: int, path: str) -> tuple[str, int]:
    end = position + 1
    if data[position] & 0x1F == 0x1F:
        while end < len(data) and data[end] & 0x80:
            end += 1
        end += 1
    if end > len(data) or end - position > _MAX_TAG_BYTES:
        raise refuse(path, "a tag is cut off or longer than three bytes")
    return data[position:end].hex().upper(), end


def _decode_length(data: bytes, position: int, path: str, findings: Findings) -> tuple[int, int]:
    if position >= len(data):
        raise refuse(path, "the length is missing")
    first = data[position]
    if first < 0x80:
        return first, position + 1
    count = first & 0x7F
    end = position + 1 + count
    if not 1 <= count <= _MAX_LENGTH_BYTES or end > len(data):
        raise refuse(path, "the length is indefinite, cut off or longer than any code")
    length = int.from_bytes(data[position + 1 : end], "big")
    if len(_encode_length(length)) != 1 + count:
        findings.defect("long_length_form", path, "The length is written longer than needed")
    return length, end


def _encode_length(length: int) -> bytes:
    if length < 0x80:
        return bytes([length])
    digits = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes([0x80 | len(digits)]) + digits
