"""The tables of a store. Each module is one part; alembic's migrations build the same."""

from __future__ import annotations

from tael.store.tables.common import chains, metadata
from tael.store.tables.journal import keys, openings, scans, transactions, writes

__all__ = ["chains", "keys", "metadata", "openings", "scans", "transactions", "writes"]
