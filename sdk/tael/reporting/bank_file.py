"""A bank's own list of payments: CSV as spreadsheets and core-banking systems write it."""

from __future__ import annotations

import csv
import enum
import io
import re
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tael.errors import InvalidInputError, TaelError
from tael.identifiers import check_reference
from tael.money import Money

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["BadRow", "BankRow", "State", "read_bank_file"]

MAX_FILE_BYTES = 1024 * 1024 * 1024
MAX_CELL_CHARACTERS = 1_000

_REQUIRED = ("reference", "amount", "currency", "state")
_DELIMITERS = (",", ";", "\t", "|")
_DEFUSED = re.compile(r"'[=+\-@\t\r]")
_UETR = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", re.ASCII)


class State(enum.Enum):
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


_WORDS = {each.value: each for each in State} | {
    "authorized": State.OPEN,
    "overdue": State.OPEN,
    "reclaimed": State.VOIDED,
    "charged": State.CAPTURED,
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
    state: State
    uetr: bytes | None = None


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that cannot be compared, and why."""

    line: int
    problem: str


def read_bank_file(path: str | Path) -> Iterator[BankRow | BadRow]:
    """Read a list, row by row.

    UTF-8 with or without a byte order mark; lines end as they like; cells may be quoted; commas,
    semicolons, tabs or bars between them, as the first line has it. The first line names the
    columns: `reference`, `amount`, `currency`, `state`, and `uetr` if there is one; others are
    ignored. Amounts are plain, in major units.

    Args:
        path: The file.

    Yields:
        Rows; bad ones too, so that all of them can be told at once.

    Raises:
        InvalidInputError: It cannot be read, is no such list, or lacks a column.

    Source:
        RFC 4180.
    """
    file = Path(path)
    try:
        if file.stat().st_size > MAX_FILE_BYTES:
            raise InvalidInputError(f"{file} has more than {MAX_FILE_BYTES} bytes; split it")
        with file.open(encoding="utf-8-sig", newline="") as opened:
            yield from _rows(file, opened)
    except UnicodeDecodeError as error:
        raise InvalidInputError(f"{file} is not UTF-8 text; save it as CSV UTF-8") from error
    except csv.Error as error:
        raise InvalidInputError(f"{file} is no CSV: {error}") from error
    except OSError as error:
        raise InvalidInputError(f"{file}: {error.strerror or 'cannot be read'}") from error


def _rows(file: Path, opened: io.TextIOBase) -> Iterator[BankRow | BadRow]:
    first = opened.readline(MAX_CELL_CHARACTERS)
    delimiter = max(_DELIMITERS, key=first.count)
    opened.seek(0)
    reader = csv.reader(opened, delimiter=delimiter, strict=True)
    names = [name.strip(" \ufeff").lower() for name in next(reader, [])]
    missing = [name for name in _REQUIRED if names.count(name) != 1]
    if missing:
        raise InvalidInputError(
            f"{file}: the first line must name each of the columns {', '.join(_REQUIRED)} once; "
            f"look at {', '.join(missing)}"
        )
    places = [names.index(name) for name in _REQUIRED]
    uetr = names.index("uetr") if "uetr" in names else None
    for cells in reader:
        if not any(cells):
            continue
        yield _row(reader.line_num, cells, len(names), places, uetr)


def _row(
    line: int, cells: Sequence[str], width: int, places: Sequence[int], uetr: int | None
) -> BankRow | BadRow:
    if len(cells) != width:
        return BadRow(line, f"has {len(cells)} cells where the first line has {width}")
    if any(len(each) > MAX_CELL_CHARACTERS for each in cells):
        return BadRow(line, f"has a cell of more than {MAX_CELL_CHARACTERS} characters")
    reference, amount, currency, state = (cells[place].strip(" ") for place in places)
    try:
        found = _WORDS.get(state.lower())
        if found is None:
            raise InvalidInputError(f"the state is one of {', '.join(_WORDS)}, not {state[:40]!r}")
        return BankRow(
            line,
            check_reference(_plain(reference)),
            Money.parse(amount, currency),
            found,
            None if uetr is None else _uetr_of(cells[uetr].strip(" ").lower()),
        )
    except TaelError as error:
        return BadRow(line, error.message)


def _plain(text: str) -> str:
    """Text without the apostrophe that keeps a spreadsheet from taking it for a formula."""
    return text[1:] if _DEFUSED.match(text) else text


def _uetr_of(text: str) -> bytes | None:
    if not text:
        return None
    if not _UETR.fullmatch(text):
        raise InvalidInputError(f"a UETR is a UUID of version 4, not {text[:40]!r}")
    return uuid.UUID(text).bytes
