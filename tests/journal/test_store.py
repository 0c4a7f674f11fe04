"""The store: one schema on two databases, durable or not at all. S31."""

from __future__ import annotations

import contextlib
import sqlite3
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from tael.errors import (
    ConfigurationError,
    OutcomeUnknownError,
    StoreError,
    StoreUnsureError,
    StoreVersionError,
)
from tael.journal import WriteState
from tael.store import Store, default_store_path
from tael.store.migrate import MIGRATIONS, downgrade, upgrade
from tael.store.revision import HEAD
from tael.store.tables import chains, metadata
from tests.support.bank import client, held_of, received, record, transfer
from tests.support.world import World


def put(store: Store, chain_id: int) -> None:
    with store.write() as connection:
        connection.execute(sa.insert(chains).values(chain_id=chain_id, genesis_hash="0x"))


def numbers(store: Store) -> list[int]:
    with store.read() as connection:
        return list(connection.execute(sa.select(chains.c.chain_id)).scalars())


def test_migrations_build_the_tables_that_the_code_works_on(store: Store) -> None:
    with store.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
        assert context.get_current_revision() == HEAD
    assert ScriptDirectory(str(MIGRATIONS)).get_current_head() == HEAD


def test_migrations_can_be_taken_back_and_made_again(store: Store) -> None:
    downgrade(store.engine, "base")
    with store.engine.connect() as connection:
        assert set(sa.inspect(connection).get_table_names()) <= {"alembic_version"}
    upgrade(store.engine)
    put(store, 1)
    assert numbers(store) == [1]


def test_open_keeps_what_is_there(database: str) -> None:
    first = Store.open(database)
    put(first, 7)
    first.close()
    again = Store.open(database)
    assert numbers(again) == [7]
    again.close()


def test_open_refuses_tables_of_a_newer_version(database: str) -> None:
    store = Store.open(database)
    with store.write() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    store.close()
    with pytest.raises(StoreVersionError, match="9999"):
        Store.open(database)


def test_open_together_upgrades_once(database: str) -> None:
    failures: list[BaseException] = []

    def open_it() -> None:
        try:
            Store.open(database).close()
        except BaseException as error:  # noqa: BLE001 - reported below
            failures.append(error)

    threads = [threading.Thread(target=open_it) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_open_waits_while_another_makes_the_same_file(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    let_go = threading.Event()

    def end() -> None:
        let_go.set()
        other.rollback()

    done = threading.Timer(0.3, end)
    done.start()
    store = Store.open(path)
    assert let_go.is_set()
    put(store, 7)
    assert numbers(store) == [7]
    store.close()
    done.join()
    other.close()


def test_write_leaves_nothing_when_it_raises(store: Store) -> None:
    def half() -> None:
        with store.write() as connection:
            connection.execute(sa.insert(chains).values(chain_id=1, genesis_hash="0x"))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        half()
    assert numbers(store) == []


def test_sqlite_is_private_durable_and_shared(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "store.db"
    store = Store.open(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with store.read() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
    other = Store.open(f"sqlite:///{path}")
    put(other, 3)
    assert numbers(store) == [3]
    store.close()
    other.close()


@pytest.mark.threat("S31")
def test_write_takes_nothing_when_the_disk_is_full(tmp_path: Path) -> None:
    store = Store.open(tmp_path / "store.db")

    @sa.event.listens_for(store.engine, "begin")
    def limit(connection: sa.Connection) -> None:
        connection.exec_driver_sql("PRAGMA max_page_count = 1")

    def put_much() -> None:
        for number in range(1_000):
            rows = [{"chain_id": number, "genesis_hash": f"0x{i:064x}"} for i in range(100)]
            with store.write() as connection:
                connection.execute(sa.insert(chains), rows)

    with pytest.raises(StoreError, match="full"):
        put_much()
    with store.read() as connection:
        counts = connection.execute(
            sa.select(sa.func.count(chains.c.id)).group_by(chains.c.chain_id)
        ).scalars()
        assert set(counts) <= {100}
    store.close()


@pytest.mark.threat("S31")
def test_write_gives_up_when_the_database_stays_locked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tael.store.database.BUSY_SECONDS", 0.1)
    store, other = Store.open(tmp_path / "store.db"), Store.open(tmp_path / "store.db")
    with other.write():
        with pytest.raises(StoreError, match="locked"):
            put(store, 1)
        assert numbers(store) == []
    put(store, 1)
    assert numbers(store) == [1]
    store.close()
    other.close()


def test_open_says_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="mysql"):
        Store.open("mysql://localhost/tael")
    (tmp_path / "file").touch()
    with pytest.raises(StoreError):
        Store.open(tmp_path / "file" / "store.db")
    with pytest.raises(StoreError):
        Store.open("postgresql://nobody@127.0.0.1:1/none?connect_timeout=1")
    (tmp_path / "text").write_text("no database at all, but long enough to be taken for one" * 20)
    with pytest.raises(StoreError):
        Store.open(tmp_path / "text")


def test_repr_shows_no_password() -> None:
    store = Store.temporary()
    assert "memory" in repr(store) or "sqlite" in repr(store)
    store.close()


def test_default_path_is_the_users_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert default_store_path() == tmp_path / "tael" / "store.db"
    Store.open().close()
    assert default_store_path().exists()


@contextlib.contextmanager
def cut_after_commit(store: Store) -> Iterator[None]:
    """The next commit is done, and then the connection is gone before it is answered."""
    armed = [True]

    def cut(connection: sa.Connection) -> None:
        if not armed or connection.get_execution_options().get("tael_reads"):
            return
        armed.clear()
        own = connection.connection.dbapi_connection
        assert own is not None
        own.commit()
        own.close()

    sa.event.listen(store.engine, "commit", cut)
    yield
    sa.event.remove(store.engine, "commit", cut)


@pytest.mark.threat("S31")
@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_write_is_unsure_when_the_way_breaks_while_it_commits(store: Store) -> None:
    values = {"chain_id": 1, "genesis_hash": "0x" + "22" * 32}
    with (
        cut_after_commit(store),
        pytest.raises(StoreUnsureError, match="same call again"),
        store.write() as connection,
    ):
        connection.execute(sa.insert(chains).values(values))
    with store.read() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(chains)).scalar() == 1
    # Before the commit, nothing was taken, and that is what is said.
    with contextlib.ExitStack() as stack:
        refused = stack.enter_context(pytest.raises(StoreError))
        connection = stack.enter_context(store.write())
        own = connection.connection.dbapi_connection
        assert own is not None
        own.close()
        connection.execute(sa.select(1))
    assert not isinstance(refused.value, StoreUnsureError)


@pytest.mark.threat("S31")
@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_an_order_is_unknown_when_the_way_breaks_while_it_is_written_down(
    world: World, store: Store
) -> None:
    before = held_of(world)
    bank = client(world, store=store)
    transfer(bank, world, "T-1")
    with contextlib.ExitStack() as stack:

        def arm(step: str, _count: int) -> None:
            if step == "checked":
                stack.enter_context(cut_after_commit(store))

        bank._writer.outbox.on_step = arm
        with pytest.raises(OutcomeUnknownError, match="T-2"):
            transfer(bank, world, "T-2")
        bank._writer.outbox.on_step = lambda _name, _count: None
    assert record(bank, "T-2").state is WriteState.SIGNED
    assert transfer(bank, world, "T-2").block_number
    assert received(world, before) == 200
    bank.close()
