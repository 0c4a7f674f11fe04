"""Every test of the store runs on SQLite and on a real PostgreSQL."""

from __future__ import annotations

from tests.support.databases import database, postgresql, store
from tests.support.worlds import any_world, manual, node_arguments, world, worlds

__all__ = [
    "any_world",
    "database",
    "manual",
    "node_arguments",
    "postgresql",
    "store",
    "world",
    "worlds",
]
