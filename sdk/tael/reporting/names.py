"""What participants are called: the chain has only their addresses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tael.addresses import require_address
from tael.errors import InvalidInputError
from tael.reporting.cells import without_guard
from tael.reporting.csv_files import BadRow, read_csv

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["read_names"]


def read_names(path: str | Path) -> dict[str, str]:
    """Read names from a CSV file with the columns `address` and `name`; others are ignored.

    Args:
        path: The file, as `read_bank_file` takes it.

    Returns:
        Names by checksummed address, as `statement` takes them.

    Raises:
        InvalidInputError: It cannot be read, or an address has two names or none.
        AddressError: Something in it is not an address.
    """
    names: dict[str, str] = {}
    for row in read_csv(path, ("address", "name")):
        if isinstance(row, BadRow):
            raise InvalidInputError(f"{path}: line {row.line} {row.problem}")
        address = require_address(row.cells[0], name=f"the address in line {row.line} of {path}")
        name = without_guard(row.cells[1])
        if not name or names.setdefault(address, name) != name:
            raise InvalidInputError(
                f"{path}: line {row.line} gives {address} {'another' if name else 'no'} name"
            )
    return names
