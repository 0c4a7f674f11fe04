"""Text for spreadsheets and pages: nothing in it runs, whoever wrote it."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from tael.qr.names import escape_html

__all__ = ["cell", "in_pieces", "utc", "without_guard"]

# What spreadsheets take for the beginning of a formula; a full-width sign is one to some of them.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
# Prose keeps its words whole; an account number in capitals is shorter than an address.
_LONG_WORD = re.compile(r"([^\s_-]{20,}|[^\sa-z_-]{12,})")
_GROUP = re.compile(r".{8}(?=.{4})|.+")


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
    characters; a name breaks between its words. What is copied from the page is whole.
    """
    parts = _LONG_WORD.split(text)
    pieces = (
        _split(part) if number % 2 else re.split(r"(?<=_)", part)
        for number, part in enumerate(parts)
    )
    return "".join("<wbr>".join(map(escape_html, each)) for each in pieces)


def _split(word: str) -> list[str]:
    names = re.split(r"(?<=[a-z])(?=[A-Z])", word) if word.isalpha() else [word]
    return names if len(names) > 1 else _GROUP.findall(word)


def utc(unix_seconds: int) -> str:
    """A time as ISO 8601 writes it, as in `2026-01-31T10:00:00Z`."""
    return f"{datetime.fromtimestamp(unix_seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"
