"""What kinds of movements there are, and how what was read stands."""

from __future__ import annotations

import enum

from tael.errors import IndexStateError

__all__ = ["LAYOUT", "ModuleMovementKind", "MovementKind", "ReceiptStatus", "movement_kind"]

LAYOUT = 2
"""Of the index's rows and of what they mean; a new number makes old indexes ask for a rebuild."""


class MovementKind(enum.IntEnum):
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
    """A module other than the escrows set something aside."""
    EXECUTE_HOLD = 13
    """Such a module took something out of its hold; what it pays of it are transfers."""

    @property
    def word(self) -> str:
        """As documents write it: `scheme fee`."""
        return self.name.lower().replace("_", " ")


class ModuleMovementKind(int):
    """Why a participant's available or held changed, in the words of a module of its own.

    Making one makes it known, so that statements have its word.

    Args:
        number: What the index stores, 100 to 32,767; never used again for another one.
        word: As documents write it.

    Raises:
        ValueError: The number or the word is taken, or the number is out of range.
    """

    word: str

    def __new__(cls, number: int, word: str) -> ModuleMovementKind:
        """A number with a word."""
        known = _OF_MODULES.get(number)
        if known is not None and known.word == word:
            return known
        words = {each.word for each in (*MovementKind, *_OF_MODULES.values())}
        if known is not None or word in words or not 100 <= number < 2**15:
            raise ValueError(f"movement kind {number}, {word!r}: taken, or not from 100 to 32,767")
        made = super().__new__(cls, number)
        made.word = word
        _OF_MODULES[number] = made
        return made


_OF_MODULES: dict[int, ModuleMovementKind] = {}


def movement_kind(number: int) -> MovementKind | ModuleMovementKind:
    """The kind that the index stores as a number.

    Raises:
        IndexStateError: This version does not know it.
    """
    found = _OF_MODULES.get(number)
    if found is not None:
        return found
    try:
        return MovementKind(number)
    except ValueError:
        raise IndexStateError(
            f"the index has movements of kind {number}, which this version of tael does not know: "
            "install the version that made it"
        ) from None


class ReceiptStatus(enum.IntEnum):
    """How a transaction's logs stand."""

    STANDS = 0
    UNDONE = 1
    """The chain took it back."""
    NOTICE = 2
    """Tells that it was taken back; it comes after everything that was read before."""
