"""The tables of a store. Each module is one part; alembic's migrations build the same."""

from __future__ import annotations

from tael.store.tables.common import chains, metadata
from tael.store.tables.index import (
    balances,
    blocks,
    contracts,
    deployments,
    holds,
    movements,
    payments,
    receipts,
    subscriptions,
)
from tael.store.tables.journal import keys, openings, scans, transactions, writes

__all__ = [
    "balances",
    "blocks",
    "chains",
    "contracts",
    "deployments",
    "holds",
    "keys",
    "metadata",
    "movements",
    "openings",
    "payments",
    "receipts",
    "scans",
    "subscriptions",
    "transactions",
    "writes",
]
