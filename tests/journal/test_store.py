"""The store: one schema on two databases, durable or not at all. S31."""

from __future__ import annotations

import stat
import threading
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from tael.errors import ConfigurationError, StoreError, StoreVersionError
from tael.store import Store, default_store_path
from tael.store.migrate import MIGRATIONS, downgrade, upgrade
from tael.store.revision import HEAD
from tael.store.tables import chains, metadata


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
