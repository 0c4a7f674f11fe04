"""The index: what the deployment's logs say, as tables, always in step with the chain.

:class:`Indexer` writes it, :class:`Index` reads it without a node, `verify` proves it against the
contracts, and :class:`Subscription` hands its events on.
"""

from __future__ import annotations

# These register themselves as handlers.
from tael.index import governance_events, payment_events, token_events  # noqa: F401
from tael.index.deployed import erase
from tael.index.event_documents import event_document
from tael.index.indexer import Indexer, IndexerStep, Progress
from tael.index.models import AccountBalance, IndexedPayment, IndexStatus, Movement
from tael.index.movement_kinds import ModuleMovementKind, MovementKind, ReceiptStatus
from tael.index.reading import Index
from tael.index.subscriptions import Delivery, Subscription
from tael.index.verifying import Verification, verify

__all__ = [
    # writing
    "Indexer",
    "Progress",
    "IndexerStep",
    "erase",
    # reading
    "Index",
    "IndexStatus",
    "AccountBalance",
    "IndexedPayment",
    "Movement",
    "MovementKind",
    "ModuleMovementKind",
    "ReceiptStatus",
    # handing on
    "Subscription",
    "Delivery",
    "event_document",
    # proving
    "verify",
    "Verification",
]
