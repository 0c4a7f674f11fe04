"""Text for spreadsheets and pages: nothing in it runs, whoever wrote it."""

from __future__ import annotations

from datetime import UTC, datetime

__all__ = ["cell", "utc"]

# What spreadsheets take for the beginning of a formula; a full-width sign is one to some of them.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def cell(text: str) -> str:
    """Text that no spreadsheet takes for a formula: an apostrophe stands before what one could.

    Numbers are written without it, so an amount may be negative.
    """
    return "'" + text if text.lstrip(" ").startswith(_FORMULA_STARTS) else text


def utc(unix_seconds: int) -> str:
    """A time as ISO 8601 writes it, as in `2026-01-31T10:00:00Z`."""
    return f"{datetime.fromtimestamp(unix_seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"
