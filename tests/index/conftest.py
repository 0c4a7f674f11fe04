"""Databases to index into, on top of deployments on real nodes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from tael.store import Store
from tests.support.certificates import authority
from tests.support.cli_runner import tael
from tests.support.databases import database, new_database, postgresql, store
from tests.support.worlds import any_world, manual, world, worlds


@pytest.fixture(scope="session")
def node_arguments() -> Mapping[str, Sequence[str]]:
    # Anvil keeps 500 states in memory and goes back to nothing where it has moved one to the disk.
    return {"anvil": ("--prune-history", "100000")}


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[Store]:
    opened = Store.open(tmp_path / "store.db")
    yield opened
    opened.close()


@pytest.fixture
def other_store(database: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """A second empty database of the same kind."""
    is_sqlite = "://" not in database
    opened = Store.open(
        tmp_path / "other.db" if is_sqlite else new_database(request.getfixturevalue("postgresql"))
    )
    yield opened
    opened.close()


__all__ = [
    "any_world",
    "authority",
    "database",
    "manual",
    "postgresql",
    "store",
    "tael",
    "world",
    "worlds",
]
