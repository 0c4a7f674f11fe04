"""CSV with named columns, as spreadsheets and core-banking systems write it."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tael.errors import InvalidInputError

if TYPE_CHECKING:
    import io
    from collections.abc import Iterator, Sequence

__all__ = ["BadRow", "CsvRow", "read_csv"]

MAX_FILE_BYTES = 1024 * 1024 * 1024
MAX_CELL_CHARACTERS = 1_000

_DELIMITERS = (",", ";", "\t", "|")


class CsvRow(NamedTuple):
    """A row: the line where it ends in the file, from 1 on, and the cells that were asked for."""

    line: int
    cells: list[str]


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that cannot be used, and why."""

    line: int
    problem: str


def read_csv(
    path: str | Path, required: Sequence[str], optional: Sequence[str] = ()
) -> Iterator[CsvRow | BadRow]:
    """Read a file, row by row.

    UTF-8 with or without a byte order mark; lines end as they like; cells may be quoted; commas,
    semicolons, tabs or bars between them, as the first line has it. The first line names the
    columns, in any order and case.

    Args:
        path: The file.
        required: Columns that must be there once.
        optional: Columns that may be there; their cells are empty if they are not.

    Yields:
        Rows that are not empty: the cells of these columns in this order, without spaces around.

    Raises:
        InvalidInputError: It cannot be read, is not a CSV file, or lacks a column.

    Source:
        RFC 4180.
    """
    file = Path(path)
    try:
        if file.stat().st_size > MAX_FILE_BYTES:
            raise InvalidInputError(f"{file} has more than {MAX_FILE_BYTES} bytes; split it")
        with file.open(encoding="utf-8-sig", newline="") as opened:
            yield from _rows(file, opened, required, optional)
    except UnicodeDecodeError as error:
        raise InvalidInputError(f"{file} is not UTF-8 text; save it as CSV UTF-8") from error
    except csv.Error as error:
        raise InvalidInputError(f"{file} is not a valid CSV file: {error}") from error
    except OSError as error:
        raise InvalidInputError(f"{file}: {error.strerror or 'cannot be read'}") from error


def _rows(
    file: Path, opened: io.TextIOBase, required: Sequence[str], optional: Sequence[str]
) -> Iterator[CsvRow | BadRow]:
    first = opened.readline(MAX_CELL_CHARACTERS)
    delimiter = max(_DELIMITERS, key=first.count)
    opened.seek(0)
    reader = csv.reader(opened, delimiter=delimiter, strict=True)
    names = [name.strip(" \ufeff").lower() for name in next(reader, [])]
    missing = [name for name in required if names.count(name) != 1]
    if missing:
        raise InvalidInputError(
            f"{file}: the first line must name each of the columns {', '.join(required)} once; "
            f"look at {', '.join(missing)}"
        )
    places = [names.index(name) if name in names else None for name in (*required, *optional)]
    for cells in reader:
        if not any(cells):
            continue
        if len(cells) != len(names):
            problem = f"has {len(cells)} cells where the first line has {len(names)}"
            yield BadRow(reader.line_num, problem)
        elif any(len(each) > MAX_CELL_CHARACTERS for each in cells):
            problem = f"has a cell of more than {MAX_CELL_CHARACTERS} characters"
            yield BadRow(reader.line_num, problem)
        else:
            wanted = ["" if place is None else cells[place].strip(" ") for place in places]
            yield CsvRow(reader.line_num, wanted)
