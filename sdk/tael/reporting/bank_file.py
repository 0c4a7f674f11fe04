"""A bank's own list of payments."""

from __future__ import annotations

import enum
import re
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tael.errors import InvalidInputError, TaelError
from tael.identifiers import check_reference
from tael.money import Money
from tael.reporting.cells import without_guard
from tael.reporting.csv_files import BadRow, read_csv

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tael.reporting.csv_files import CsvRow

__all__ = ["BadRow", "BankRow", "RowState", "read_bank_file"]

_UETR = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", re.ASCII)


class RowState(enum.Enum):
    """How a write stands, in one word; the amount beside it is what the word is about."""

    OPEN = "open"
    """Something is held. The amount is what was authorized."""
    CAPTURED = "captured"
    """Nothing is held, something was captured, and not all of it refunded: the captured total."""
    REFUNDED = "refunded"
    """All that was captured was refunded: the refunded total."""
    VOIDED = "voided"
    """Nothing was captured and nothing is held: what was authorized."""
    SETTLED = "settled"
    """A transfer or redemption took effect: its amount."""


_WORDS = {each.value: each for each in RowState} | {
    "authorized": RowState.OPEN,
    "overdue": RowState.OPEN,
    "reclaimed": RowState.VOIDED,
    "charged": RowState.CAPTURED,
}


@dataclass(frozen=True, slots=True)
class BankRow:
    """One row of the list.

    Args:
        line: Where it ends in the file, from 1 on.
        reference: The bank's own.
        amount: Of what the state is about.
        state: How it stands in the bank's books.
        uetr: 16 bytes; None if the list has none.
    """

    line: int
    reference: str
    amount: Money
    state: RowState
    uetr: bytes | None = None


def read_bank_file(path: str | Path) -> Iterator[BankRow | BadRow]:
    """Read a list, row by row.

    CSV, as `read_csv` reads it, with the columns `reference`, `amount`, `currency`, `state`, and
    `uetr` if there is one; others are ignored. Amounts are plain, in major units.

    Args:
        path: The file.

    Yields:
        Rows; bad ones too, so that all of them can be told at once.

    Raises:
        InvalidInputError: It cannot be read, is not a CSV file, or lacks a column.
    """
    for row in read_csv(path, ("reference", "amount", "currency", "state"), ("uetr",)):
        yield row if isinstance(row, BadRow) else _row(row)


def _row(row: CsvRow) -> BankRow | BadRow:
    reference, amount, currency, state, uetr = row.cells
    try:
        found = _WORDS.get(state.lower())
        if found is None:
            raise InvalidInputError(f"the state is one of {', '.join(_WORDS)}, not {state[:40]!r}")
        return BankRow(
            row.line,
            check_reference(without_guard(reference)),
            Money.parse(amount, currency),
            found,
            _uetr_of(uetr.lower()),
        )
    except TaelError as error:
        return BadRow(row.line, error.message)


def _uetr_of(text: str) -> bytes | None:
    if not text:
        return None
    if not _UETR.fullmatch(text):
        raise InvalidInputError(f"a UETR is a UUID of version 4, not {text[:40]!r}")
    return uuid.UUID(text).bytes
