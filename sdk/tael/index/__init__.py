"""The index: what the deployment's logs say, as tables, always in step with the chain.

:class:`Indexer` writes it, :class:`Index` reads it without a node, `verify` proves it against the
contracts, and :class:`Subscription` hands its events on.
"""

from __future__ import annotations

from tael.index.deployed import erase
from tael.index.event_documents import event_document
from tael.index.indexer import Indexer, Progress, Step
from tael.index.kinds import Kind, Standing
from tael.index.models import AccountBalance, IndexedPayment, IndexStatus, Movement
from tael.index.reading import Index
from tael.index.subscriptions import Delivery, Subscription
from tael.index.verifying import Verification, verify

__all__ = [
    # writing
    "Indexer",
    "Progress",
    "Step",
    "erase",
    # reading
    "Index",
    "IndexStatus",
    "AccountBalance",
    "IndexedPayment",
    "Movement",
    "Kind",
    "Standing",
    # handing on
    "Subscription",
    "Delivery",
    "event_document",
    # proving
    "verify",
    "Verification",
]
