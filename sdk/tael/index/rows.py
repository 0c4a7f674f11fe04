"""What is indexed, and the rows that logs make."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tael.contracts.kinds import ContractKind
    from tael.index.accounts import Payment

__all__ = ["MOVED_COLUMNS", "PAID_COLUMNS", "Deployed", "Header", "IndexedContract", "Rows"]

# Two shapes of movements, for writing a null takes as long as writing six numbers.
_BOTH = (
    *("deployment", "account", "receipt", "number", "log_index", "kind", "counterparty"),
    *("available_change", "held_change", "available", "held"),
)
PAID_COLUMNS = (*_BOTH, "payment", "gross", "interchange")
MOVED_COLUMNS = (*_BOTH, "subject")


class IndexedContract(NamedTuple):
    """A contract whose logs count.

    Attributes:
        number: `contracts.id`.
        kind: Its Solidity name.
        address: Checksummed.
        currency: Of a token; None of anything else.
        constants: What it says of itself and never changes, by function.
    """

    number: int
    kind: str
    address: str
    currency: str | None
    constants: Mapping[str, Any]


class Deployed(NamedTuple):
    """What the index is of.

    Attributes:
        id: `deployments.id`.
        contracts: Those whose logs count, by `contracts.id`.
    """

    id: int
    contracts: Mapping[int, IndexedContract]

    def of_kind(self, kind: ContractKind) -> list[IndexedContract]:
        """Its contracts of a kind."""
        return [each for each in self.contracts.values() if each.kind == kind.name]


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
