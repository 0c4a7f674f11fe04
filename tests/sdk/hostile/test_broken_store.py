"""Whatever becomes of the database, what comes out is the package's own error. S31."""

from __future__ import annotations

import contextlib
import socket
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from tael import Chain
from tael.errors import StoreError, TaelError
from tael.store import Store
from tests.sdk.hostile.subjects import CASES_OF_STORE, Case, Stage
from tests.support.databases import new_database
from tests.support.world import World

Broken = Callable[[Path], AbstractContextManager[None]]


@contextmanager
def locked(file: Path) -> Iterator[None]:
    with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


@contextmanager
def overwritten(file: Path) -> Iterator[None]:
    file.write_bytes(b"this is not a database any more; " * 1_000)
    for ending in ("-wal", "-shm"):
        Path(f"{file}{ending}").unlink(missing_ok=True)
    yield


@contextmanager
def emptied(file: Path) -> Iterator[None]:
    with contextlib.closing(sqlite3.connect(file)) as other:
        other.execute("PRAGMA foreign_keys = OFF")
        for (table,) in other.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        ).fetchall():
            other.execute(f'DROP TABLE "{table}"')
        other.commit()
    yield


class Way:
    """A way over TCP to a PostgreSQL server that listens on a socket of the file system."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._socket = f"{parse_qs(parts.query)['host'][0]}/.s.PGSQL.5432"
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        port = self._listener.getsockname()[1]
        self.url = f"postgresql://postgres@127.0.0.1:{port}{parts.path}?connect_timeout=2"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """The server is gone: nothing listens, and what was open is cut."""
        for each in (self._listener, *self._open):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                here, _ = self._listener.accept()
                there = socket.socket(socket.AF_UNIX)
                there.connect(self._socket)
                self._open += [here, there]
                for one, other in ((here, there), (there, here)):
                    threading.Thread(target=self._carry, args=(one, other), daemon=True).start()

    @staticmethod
    def _carry(one: socket.socket, other: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := one.recv(65_536):
                other.sendall(data)


def outcomes(stage: Stage) -> tuple[set[str], dict[str, str]]:
    """Which methods said that the store took nothing, and what else came out that must not."""
    typed: set[str] = set()
    wrong: dict[str, str] = {}

    def call(case: Case) -> None:
        try:
            case.call(stage)
        except StoreError:
            typed.add(case.name)
        except TaelError:
            pass
        except Exception as error:  # noqa: BLE001 - that none comes is what is tested
            wrong[case.name] = repr(error)

    for case in CASES_OF_STORE:
        call(case)
    return typed, wrong


def staged(world: World, store: Store) -> Stage:
    chain = Chain.connect(world.node.url, retry_seconds=0.0)
    made = Stage(world, chain, store, clients_store=store)
    for role in ("issuer", "acquirer", "operator", "guardian", "outsider"):
        made.client(role).resume(0.0)  # what a client does first, it has done
    return made


def nonces(world: World) -> list[int]:
    return [world.chain.transaction_count(signer.address) for signer in world.signers.values()]


WRITES = {
    "Balances.issue",
    "Balances.transfer",
    "Directory.set_cards",
    "Participants.admit",
    "Payments.authorize",
    "Payments.authorize_many",
    "Payments.capture",
    "Payments.refund",
}
READS_OF_A_STORE = {"Index.balances", "Index.status", "Subscription.read"}


@pytest.mark.threat("S31")
@pytest.mark.parametrize("broken", [locked, overwritten, emptied], ids=lambda each: each.__name__)
def test_only_errors_of_the_package_come_out_when_the_file_is_broken(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: Broken
) -> None:
    monkeypatch.setattr("tael.store.database.BUSY_SECONDS", 0.02)
    file = tmp_path / "store.db"
    store = Store.open(file)
    stage = staged(world, store)
    before = nonces(world)
    if broken is not locked:
        store.engine.dispose()  # what is open goes on with the file that it opened
    with broken(file):
        typed, wrong = outcomes(stage)
    assert wrong == {}
    assert typed >= (WRITES if broken is locked else WRITES | READS_OF_A_STORE)
    assert nonces(world) == before
    stage.close()
    store.close()


@pytest.mark.threat("S31")
def test_only_errors_of_the_package_come_out_when_postgresql_is_gone(
    world: World, postgresql: str
) -> None:
    way = Way(new_database(postgresql))
    store = Store.open(way.url)
    stage = staged(world, store)
    way.close()
    typed, wrong = outcomes(stage)
    assert wrong == {}
    assert typed >= WRITES | READS_OF_A_STORE
    stage.close()
    store.close()
