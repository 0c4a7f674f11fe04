"""Opening the database, bringing its tables up to date, and transactions on it.

One `Store` is one database: a SQLite file that the processes of one machine share, or a PostgreSQL
that any number of hosts share. The code on top is the same SQLAlchemy Core for both. What a
transaction wrote is on disk when `write` returns, and nothing of it is when `write` raises.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import sqlalchemy as sa
from platformdirs import user_state_path
from sqlalchemy.pool import StaticPool

from tael.errors import (
    ConfigurationError,
    MissingExtraError,
    StoreError,
    StoreUnsureError,
    StoreVersionError,
)
from tael.store.tables import metadata

if TYPE_CHECKING:
    from collections.abc import Iterator

BUSY_SECONDS = 30.0
"""How long a transaction waits for one of another process before it gives up."""
_RETRY_SECONDS = 0.01
"""Between two tries at what SQLite refuses at once instead of waiting for it."""


def default_store_path() -> Path:
    """Where the store is when nobody says: `tael/store.db` in the user's folder for state."""
    return user_state_path("tael") / "store.db"


class Store:
    """One database with current tables. Safe to use from many threads.

    Make it with `open` or `temporary`. After a fork, open it anew.

    Attributes:
        engine: SQLAlchemy's engine, for what `read` and `write` do not cover.
        dialect: Which of the two databases it is.
    """

    def __init__(self, engine: sa.Engine, *, upgrade: bool = True) -> None:
        self.engine = engine
        self.dialect: Literal["sqlite", "postgresql"] = (
            "sqlite" if engine.dialect.name == "sqlite" else "postgresql"
        )
        # SQLite has one writer; queueing here is cheaper than polling for its lock.
        self._writer = threading.Lock() if self.dialect == "sqlite" else contextlib.nullcontext()
        self._private = isinstance(engine.pool, StaticPool)
        if upgrade:
            with _typed_errors():
                _bring_up_to_date(engine)

    @classmethod
    def open(cls, where: str | Path | None = None) -> Store:
        """Open a database, creating the file or the tables if they are not there.

        Args:
            where: The path of a SQLite file, or a URL: `sqlite:///path`,
                `postgresql://user:password@host/database`. None is `default_store_path()`.

        Raises:
            ConfigurationError: The URL is none of these.
            MissingExtraError: PostgreSQL without `pip install tael[postgresql]`.
            StoreVersionError: A newer version of this package made its tables.
            StoreError: It cannot be reached or written.
        """
        target = default_store_path() if where is None else where
        if isinstance(target, str) and "://" in target:
            scheme, _, rest = target.partition("://")
            if scheme in ("postgresql", "postgres", "postgresql+psycopg"):
                return cls(_postgresql(rest))
            if scheme != "sqlite":
                raise ConfigurationError(
                    f"a store is a path, sqlite:///path or postgresql://…, not {scheme}://…"
                )
            with _usable_url():
                target = sa.make_url(target).database or ":memory:"
        if str(target) == ":memory:":
            return cls.temporary()
        return cls(_sqlite(Path(target).expanduser()))

    @classmethod
    def temporary(cls) -> Store:
        """A store in memory that ends with its object: for tests, and where nothing must last."""
        engine = sa.create_engine(
            "sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False}
        )
        _prepare_sqlite(engine, durable=False)
        metadata.create_all(engine)
        return cls(engine, upgrade=False)

    @contextlib.contextmanager
    def write(self) -> Iterator[sa.Connection]:
        """A transaction that is durable when the block ends, and void if it raises.

        Raises:
            StoreError: The database is full, locked for too long, or gone.
            StoreUnsureError: It went while it committed: it may have taken everything.
        """
        is_whole = False
        try:
            with self._writer, _typed_errors(), self.engine.begin() as connection:
                yield connection
                is_whole = True
        except StoreError as error:
            cause = error.__cause__
            if is_whole and isinstance(cause, sa.exc.DBAPIError) and cause.connection_invalidated:
                raise StoreUnsureError(
                    "The way to the store broke while it committed, so nobody knows whether it "
                    "took this. Make the same call again."
                ) from cause
            raise

    @contextlib.contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """A transaction that only reads.

        Raises:
            StoreError: The database is locked for too long, or gone.
        """
        # A store in memory has a single connection, which a reader must not share with a writer.
        turn = self._writer if self._private else contextlib.nullcontext()
        with turn, _typed_errors(), self.engine.connect() as connection:
            connection.execution_options(tael_reads=True)
            yield connection

    def insert(self, table: sa.Table) -> Any:
        """An INSERT of this database's dialect, which knows `on_conflict_do_update`."""
        if self.dialect == "sqlite":
            from sqlalchemy.dialects import sqlite

            return sqlite.insert(table)
        from sqlalchemy.dialects import postgresql

        return postgresql.insert(table)

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()

    def __repr__(self) -> str:
        return f"Store({self.engine.url.render_as_string(hide_password=True)})"


def is_busy(error: StoreError) -> bool:
    """Whether waiting may help: somebody else holds a lock, or the database is away."""
    words = str(error.__cause__).lower()
    return "locked" in words or "busy" in words or "connect" in words


def is_duplicate(error: StoreError) -> bool:
    """Whether a row of the same name is there already: another process was quicker."""
    return isinstance(error.__cause__, sa.exc.IntegrityError)


def _sqlite(path: Path) -> sa.Engine:
    try:
        # References and amounts are nobody else's business.
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.touch(mode=0o600)
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror or error}; nothing was sent") from error
    engine = sa.create_engine(
        sa.URL.create("sqlite", database=str(path)),
        connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False},
    )
    _prepare_sqlite(engine, durable=True)
    return engine


def _prepare_sqlite(engine: sa.Engine, *, durable: bool) -> None:
    @sa.event.listens_for(engine, "connect")
    def set_up(connection: Any, _record: Any) -> None:
        # SQLAlchemy begins transactions below; sqlite3's own would begin them too late.
        connection.isolation_level = None
        cursor = connection.cursor()
        if durable:
            _write_ahead(cursor)
            # WAL's usual NORMAL may lose the last transactions with the power.
            cursor.execute("PRAGMA synchronous = FULL")
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.close()

    @sa.event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        # A transaction that will write takes the lock at once: an upgrade in the middle would fail.
        reads = connection.get_execution_options().get("tael_reads", False)
        connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")


def _write_ahead(cursor: Any) -> None:
    """Switch a file to WAL, which SQLite refuses at once while another writes to a new file."""
    given_up = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            cursor.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() >= given_up:
                raise
            time.sleep(_RETRY_SECONDS)


def _postgresql(rest: str) -> sa.Engine:
    try:
        import psycopg  # noqa: F401
    except ImportError:
        raise MissingExtraError(
            "PostgreSQL needs a driver: pip install 'tael[postgresql]'"
        ) from None
    with _usable_url():
        return sa.create_engine(
            f"postgresql+psycopg://{rest}",
            pool_pre_ping=True,
            pool_size=4,
            max_overflow=16,
            connect_args={"options": f"-c lock_timeout={int(BUSY_SECONDS * 1000)}"},
        )


def _bring_up_to_date(engine: sa.Engine) -> None:
    # Alembic is heavy to import, and a store is nearly always current.
    from tael.store.revision import HEAD

    with engine.connect() as connection:
        # Looking takes no lock: a store that another process writes to can be opened meanwhile.
        connection.execution_options(tael_reads=True)
        found = (
            connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()
            if sa.inspect(connection).has_table("alembic_version")
            else None
        )
    if found == HEAD:
        return
    from tael.store.migrate import upgrade

    upgrade(engine)


@contextlib.contextmanager
def _typed_errors() -> Iterator[None]:
    try:
        yield
    except sa.exc.TimeoutError as error:
        raise StoreError("The store has no connection left; nothing was sent.") from error
    except sa.exc.SQLAlchemyError as error:
        words = str(error.orig if isinstance(error, sa.exc.DBAPIError) else error).strip()
        why = words.splitlines()[0] if words else "no reason given"
        raise StoreError(f"The store took nothing: {why}. Nothing was sent.") from error


@contextlib.contextmanager
def _usable_url() -> Iterator[None]:
    try:
        yield
    except (sa.exc.ArgumentError, ValueError):
        # Its own message may show the password.
        raise ConfigurationError(
            "The store's URL cannot be read: it is sqlite:///path or "
            "postgresql://user:password@host:port/database, special characters as %XX."
        ) from None


__all__ = ["Store", "StoreVersionError", "default_store_path", "is_busy", "is_duplicate"]
