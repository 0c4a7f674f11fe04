"""What is indexed, and the rows that logs make."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tael.index.books import Payment

__all__ = ["ESCROW", "MOVED_COLUMNS", "PAID_COLUMNS", "Deployed", "Header", "Rows"]

ESCROW = 0
"""`contracts.id` of the escrow."""

# Two shapes of movements, for writing a null takes as long as writing six numbers.
_BOTH = (
    *("deployment", "account", "receipt", "number", "log_index", "kind", "counterparty"),
    *("available_change", "held_change", "available", "held"),
)
PAID_COLUMNS = (*_BOTH, "payment", "gross", "interchange")
MOVED_COLUMNS = (*_BOTH, "subject")


class Deployed(NamedTuple):
    """What the index is of.

    Attributes:
        id: `deployments.id`.
        escrow: Its address, checksummed.
        tokens: Address of each token by `contracts.id`.
        scheme_account: Who earns the scheme fee, 20 bytes.
        scheme_bps: The fee, in 1/10,000 of what is captured.
    """

    id: int
    escrow: str
    tokens: Mapping[int, str]
    scheme_account: bytes
    scheme_bps: int


class Header(NamedTuple):
    """What the index keeps of a block.

    Attributes:
        number: Its number.
        hash: 32 bytes.
        parent: 32 bytes; None if nobody asked.
        time: Unix seconds.
    """

    number: int
    hash: bytes
    parent: bytes | None
    time: int


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
