"""The rows that logs add to the tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tael.index.accounts import Payment

__all__ = ["MOVED_COLUMNS", "PAID_COLUMNS", "Rows"]

# Two shapes of movements, for writing a null takes as long as writing six numbers.
_BOTH = (
    *("deployment", "account", "receipt", "number", "log_index", "kind", "counterparty"),
    *("available_change", "held_change", "available", "held"),
)
PAID_COLUMNS = (*_BOTH, "payment", "gross", "interchange")
MOVED_COLUMNS = (*_BOTH, "subject")


class Rows:
    """What logs add to the tables.

    Attributes:
        logs: How many there were.
        blocks: Whole rows.
        receipts: Whole rows, their logs still in pieces.
        paid: Movements of payments, in the order of `PAID_COLUMNS`.
        moved: Other movements, in the order of `MOVED_COLUMNS`.
        opened: Payments that are new.
        changed: Payments whose totals changed, by number.
    """

    def __init__(self) -> None:
        self.logs = 0
        self.blocks: list[list[Any]] = []
        self.receipts: list[tuple[int, int, int, bytes, list[bytes]]] = []
        self.paid: list[tuple[int, ...]] = []
        self.moved: list[tuple[Any, ...]] = []
        self.opened: list[Payment] = []
        self.changed: dict[int, Payment] = {}
