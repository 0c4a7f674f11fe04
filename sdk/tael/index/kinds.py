"""What kinds of movements there are, and how what was read stands."""

from __future__ import annotations

import enum

__all__ = ["LAYOUT", "Kind", "Standing"]

LAYOUT = 1
"""Of the index's rows and of what they mean; a new number makes old indexes ask for a rebuild."""


class Kind(enum.IntEnum):
    """Why a participant's available or held changed."""

    AUTHORIZE = 1
    CHARGE = 2
    CAPTURE = 3
    VOID = 4
    RECLAIM = 5
    REFUND = 6
    SCHEME_FEE = 7
    """What the scheme earns of one transaction's payments."""
    ISSUE = 8
    REDEEM = 9
    TRANSFER = 10
    FORCE_TRANSFER = 11
    HOLD = 12
    """A module other than the escrow set something aside."""
    EXECUTE_HOLD = 13
    """Such a module took something out of its hold; what it pays of it are transfers."""

    @property
    def word(self) -> str:
        """As documents write it: `scheme fee`."""
        return self.name.lower().replace("_", " ")


class Standing(enum.IntEnum):
    """How a transaction's logs stand."""

    STANDS = 0
    UNDONE = 1
    """The chain took it back."""
    NOTICE = 2
    """Tells that it was taken back; it comes after everything that was read before."""
