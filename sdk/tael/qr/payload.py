"""What every reader does first: bound the size, find the characters, drop what scanners add."""

from __future__ import annotations

import re

from tael.errors import InvalidInputError, OversizeCodeError
from tael.qr.findings import Findings, refuse

__all__ = ["MAX_CHARACTERS", "MAX_RECOMMENDED_BYTES", "prepare"]

MAX_CHARACTERS = 2953
"""The most bytes a QR code can carry (version 40, level L): more was never in one."""

MAX_RECOMMENDED_BYTES = 512
"""EMVCo 4.1: payloads should not be longer, so that any camera can read them."""

_BYTE_ORDER_MARK = "\ufeff"
_SPACES = " \t\r\n"
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_SURROGATES = re.compile(r"[\ud800-\udfff]")


def prepare(source: str | bytes, findings: Findings) -> str:
    """Turn what a scanner delivered into the payload's text.

    Args:
        source: Text, or bytes in UTF-8.
        findings: Takes a byte order mark, surrounding spaces and excess length as defects.

    Returns:
        Text of at most 2953 UTF-8 bytes without control characters.

    Raises:
        InvalidInputError: Neither text nor bytes.
        OversizeCodeError: Longer than any QR code.
        MalformedCodeError: No valid UTF-8, half a character, or a control character inside.
        NonConformingCodeError: A defect, when strict.
    """
    if not isinstance(source, (str, bytes)):
        raise InvalidInputError("A code is text, or bytes in UTF-8; pass one of them.")
    # Before anything that looks at the characters: the work below is bounded by this.
    if len(source) > MAX_CHARACTERS + 16:
        raise _oversize(len(source))
    try:
        text = source.decode("utf-8") if isinstance(source, bytes) else source
    except UnicodeDecodeError as error:
        raise refuse("", "The bytes are not UTF-8") from error
    if _SURROGATES.search(text):
        raise refuse("", "The text has half a character in it")
    stripped = text.removeprefix(_BYTE_ORDER_MARK).strip(_SPACES)
    if stripped != text:
        findings.defect("surrounding_characters", "", "Spaces or a byte order mark around the code")
    if _CONTROLS.search(stripped):
        raise refuse("", "The text has a control character in it")
    size_bytes = len(stripped.encode())
    if size_bytes > MAX_CHARACTERS:
        raise _oversize(size_bytes)
    if size_bytes > MAX_RECOMMENDED_BYTES:
        findings.defect(
            "over_512_characters",
            "",
            f"{size_bytes} bytes where EMVCo recommends at most {MAX_RECOMMENDED_BYTES}",
        )
    return stripped


def _oversize(size: int) -> OversizeCodeError:
    return OversizeCodeError(
        f"{size} characters are more than a QR code can hold ({MAX_CHARACTERS}): not a code."
    )
