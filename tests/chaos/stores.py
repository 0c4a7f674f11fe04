"""The clients' databases, and what happens to them."""

from __future__ import annotations

import contextlib
import multiprocessing
import sqlite3
import time
import uuid
from collections.abc import Iterator
from multiprocessing.context import ForkProcess
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from tests.chaos.child import settle_in
from tests.chaos.plan import Plan

_fork = multiprocessing.get_context("fork")


class Stores:
    """The stores of one seed.

    Args:
        plan: Which there are.
        folder: Where SQLite files go.
        postgresql: URL of a server; a store there is a database of its own.
    """

    def __init__(self, plan: Plan, folder: Path, postgresql: str | None) -> None:
        self._plan = plan
        self._folder = folder
        self._server = postgresql
        self._holders: list[ForkProcess] = []
        self._databases: dict[str, str] = {}

    def __enter__(self) -> Stores:
        for name, kind in self._plan.stores.items():
            if kind == "postgresql":
                self._databases[name] = f"chaos_{uuid.uuid4().hex[:12]}"
                self._command(f'CREATE DATABASE "{self._databases[name]}"')
        return self

    def __exit__(self, *_error: object) -> None:
        self.unlock()
        for database in self._databases.values():
            self._command(f'DROP DATABASE IF EXISTS "{database}" WITH (FORCE)')

    def url(self, name: str) -> str:
        """Path or URL, as a client takes it."""
        if name in self._databases:
            assert self._server is not None
            url = sa.make_url(self._server).set(database=self._databases[name])
            return url.render_as_string(hide_password=False)
        return str(self._folder / f"{name}.db")

    def file(self, name: str) -> Path | None:
        """A SQLite store's file; None of PostgreSQL."""
        return None if name in self._databases else self._folder / f"{name}.db"

    def names(self) -> list[str]:
        """All of them."""
        return list(self._plan.stores)

    # What happens to them

    def lock(self, name: str, seconds: float) -> None:
        """Hold the write lock for a while, as a backup or another program does."""
        file = self.file(name)
        if file is not None and file.exists():
            # In a process of its own: SQLite's locks are nothing to fork with.
            holder = _fork.Process(target=_hold, args=(file, seconds))
            holder.start()
            self._holders.append(holder)

    def unlock(self) -> None:
        """Let go of all locks."""
        for holder in self._holders:
            holder.kill()
            holder.join()
        self._holders.clear()

    def kick(self, name: str) -> None:
        """Cut all connections to a PostgreSQL store, as a failover does."""
        self._command(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "  # noqa: S608 - our own name
            f"WHERE datname = '{self._databases[name]}'"
        )

    def copy(self, name: str) -> None:
        """Back a store up while it is in use."""
        file = self.file(name)
        assert file is not None
        if not file.exists():
            return
        with (
            contextlib.closing(sqlite3.connect(file, timeout=2)) as source,
            contextlib.closing(sqlite3.connect(f"{file}.backup")) as target,
            contextlib.suppress(sqlite3.OperationalError),
        ):
            source.backup(target)

    def restore(self, name: str) -> bool:
        """Put a store back to its backup; nobody has it open."""
        file = self.file(name)
        assert file is not None
        backup = Path(f"{file}.backup")
        if not backup.exists():
            return False
        for each in (file, Path(f"{file}-wal"), Path(f"{file}-shm")):
            each.unlink(missing_ok=True)
        backup.rename(file)
        (self._folder / f"{name}.restored").touch()
        return True

    def was_restored(self, name: str) -> bool:
        """Whether it was put back."""
        return (self._folder / f"{name}.restored").exists()

    # Reading them in the end

    def rows(self, name: str, query: str) -> list[dict[str, Any]]:
        """What a query gives, without the SDK; nothing if nobody lived to make the tables."""
        engine = sa.create_engine(_plain_url(self.url(name)))
        try:
            if not sa.inspect(engine).has_table("transactions"):
                return []
            with engine.connect() as connection:
                return [dict(row._mapping) for row in connection.execute(sa.text(query))]
        finally:
            engine.dispose()

    def bytes_of(self, name: str) -> Iterator[tuple[str, bytes]]:
        """Everything a store has on disk, to look for secrets in."""
        file = self.file(name)
        if file is not None:
            for each in file.parent.glob(f"{file.name}*"):
                yield each.name, each.read_bytes()
            return
        for table in ("chains", "keys", "writes", "transactions", "openings", "scans"):
            for row in self.rows(name, f"SELECT * FROM {table}"):  # noqa: S608 - names of ours
                for column, value in row.items():
                    yield f"{table}.{column}", _as_bytes(value)

    def _command(self, text: str) -> None:
        assert self._server is not None, "the plan wants PostgreSQL, and there is none"
        engine = sa.create_engine(_plain_url(self._server), isolation_level="AUTOCOMMIT")
        try:
            with engine.connect() as connection:
                connection.execute(sa.text(text))
        finally:
            engine.dispose()


def _hold(file: Path, seconds: float) -> None:
    settle_in()
    connection = sqlite3.connect(file, timeout=0.5, isolation_level=None)
    with contextlib.suppress(sqlite3.OperationalError):
        connection.execute("BEGIN IMMEDIATE")
        time.sleep(seconds)
    # Ends with the process, as the lock does.


def _plain_url(url: str) -> str:
    if "://" not in url:
        return f"sqlite:///{url}"
    return url.replace("postgresql://", "postgresql+psycopg://")


def _as_bytes(value: object) -> bytes:
    return bytes(value) if isinstance(value, (bytes, memoryview)) else str(value).encode()
