"""What listeners are told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Status = Literal["submitted", "included", "final", "refused", "pending"]


@dataclass(frozen=True, slots=True)
class Change:
    """A write that stands elsewhere than before.

    Args:
        write: Its row in the journal.
        status: `submitted`, `included`, `final`, `refused`, or `pending` again after a
            reorganisation undid it.
        transaction_hash: Of the transaction it is about.
        block_number: Of the block, if it is in one.
    """

    write: int
    status: Status
    transaction_hash: str
    block_number: int | None = None
