"""The journal: every write of a participant, written down before anything of it leaves."""

from __future__ import annotations

from tael.journal.decisions import Decision, conflict
from tael.journal.journal import Journal
from tael.journal.records import (
    Fate,
    Item,
    Name,
    Order,
    Outcome,
    Record,
    SignedTransaction,
    WriteState,
    body_hash,
    log_fields,
)

__all__ = [
    "Decision",
    "Fate",
    "Item",
    "Journal",
    "Name",
    "Order",
    "Outcome",
    "Record",
    "SignedTransaction",
    "WriteState",
    "body_hash",
    "conflict",
    "log_fields",
]
