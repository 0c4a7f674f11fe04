"""The database of the journal and the index: SQLite, or PostgreSQL where many share it."""

from __future__ import annotations

from tael.store.database import Store, default_store_path, is_busy, is_duplicate

__all__ = ["Store", "default_store_path", "is_busy", "is_duplicate"]
