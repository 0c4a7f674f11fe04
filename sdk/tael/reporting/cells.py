"""Text for spreadsheets and pages: nothing in it runs, whoever wrote it."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from tael.qr.names import escape_html

__all__ = ["cell", "in_pieces", "utc", "without_guard"]

# What spreadsheets take for the beginning of a formula; a full-width sign is one to some of them.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
_LONG_WORD = re.compile(r"([^\s-]{20,})")
_PIECE = re.compile(r".{8}(?=.{4})|.+")


def cell(text: str) -> str:
    """Text that no spreadsheet takes for a formula: an apostrophe stands before what one could.

    Numbers are written without it, so an amount may be negative.
    """
    return "'" + text if text.lstrip(" ").startswith(_FORMULA_STARTS) else text


def without_guard(text: str) -> str:
    """The text that `cell` was given."""
    return text[1:] if text.startswith("'") and cell(text[1:]) == text else text


def in_pieces(text: str) -> str:
    """HTML of a text: hidden characters are shown, and a long word may go on in the next line.

    An address or a hash breaks between groups of eight, so no line of it has fewer than four
    characters; what is copied from the page is whole.
    """
    pieces = (
        _PIECE.findall(part) if _LONG_WORD.fullmatch(part) else [part]
        for part in _LONG_WORD.split(text)
    )
    return "".join("<wbr>".join(map(escape_html, each)) for each in pieces)


def utc(unix_seconds: int) -> str:
    """A time as ISO 8601 writes it, as in `2026-01-31T10:00:00Z`."""
    return f"{datetime.fromtimestamp(unix_seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"
