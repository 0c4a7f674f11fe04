"""What every event has: its declaration and where its log stands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class Position:
    """Where a log stands.

    Args:
        contract: Address of the contract that emitted it, checksummed.
        block_number: Of the block it is in.
        block_hash: Of that block, 0x and 64 digits.
        transaction_hash: Of the transaction, 0x and 64 digits.
        log_index: Within the block.
        timestamp: Of the block, Unix seconds; None if the node did not tell and nobody asked.
    """

    contract: str
    block_number: int
    block_hash: str
    transaction_hash: str
    log_index: int
    timestamp: int | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """What every event has. `at` is where its log stands."""

    declaration: ClassVar[str] = ""
    at: Position
