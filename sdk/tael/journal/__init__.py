"""The journal: every write of a participant, written down before anything of it leaves."""

from __future__ import annotations

from tael.journal.journal import Decision, Journal
from tael.journal.records import (
    Fate,
    Item,
    Order,
    Outcome,
    Record,
    SignedTransaction,
    State,
    body_hash,
)

__all__ = [
    "Decision",
    "Fate",
    "Item",
    "Journal",
    "Order",
    "Outcome",
    "Record",
    "SignedTransaction",
    "State",
    "body_hash",
]
