"""Rows of the journal's tables as records, and rows that must be there once."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from tael.journal.records import Fate, Record, SignedTransaction, WriteState
from tael.store.tables import chains, keys, transactions, writes

if TYPE_CHECKING:
    from tael.store import Store

_FIELDS = tuple(Record.__dataclass_fields__)
_TOTAL, _STATE = _FIELDS.index("total_minor"), _FIELDS.index("state")
RECORD = [writes.c[name] for name in _FIELDS]
SIGNED = [
    transactions.c.id,
    transactions.c.write,
    keys.c.address,
    transactions.c.nonce,
    transactions.c.hash,
    transactions.c.raw,
    transactions.c.state,
    transactions.c.block_number,
    transactions.c.block_hash,
    transactions.c.created_ms,
]
CHUNK = 500
"""Names in one question: SQLite takes about 32,000 values, PostgreSQL twice as many."""


def chain_row(store: Store, chain_id: int, genesis_hash: str) -> int:
    """The row of a chain, made if it is not there."""
    query = sa.select(chains.c.id).where(
        chains.c.chain_id == chain_id, chains.c.genesis_hash == genesis_hash
    )
    with store.read() as connection:
        row = connection.execute(query).scalar()
    if row is not None:
        return int(row)
    with store.write() as connection:
        return insert_once(
            connection,
            store,
            chains,
            {"chain_id": chain_id, "genesis_hash": genesis_hash},
            ["chain_id", "genesis_hash"],
            query,
        )


class KeyRows:
    """The rows of the keys that sign on one chain. Safe to use from many threads.

    A key's row never changes, so whichever thread or process finds it or makes it, it is the same.

    Args:
        store: The database.
        chain: The chain's row in it.
    """

    def __init__(self, store: Store, chain: int) -> None:
        self._store = store
        self._chain = chain
        self._rows: dict[str, int] = {}

    def row(self, address: str) -> int:
        """The row of a key, made if it is not there; never asked within a transaction."""
        if address not in self._rows:
            query = sa.select(keys.c.id).where(
                keys.c.chain == self._chain, keys.c.address == address
            )
            with self._store.write() as connection:
                row = connection.execute(query).scalar()
                if row is None:
                    values = {"chain": self._chain, "address": address, "next_nonce": 0}
                    unique = ["chain", "address"]
                    row = insert_once(connection, self._store, keys, values, unique, query)
            self._rows[address] = row
        return self._rows[address]


def insert_once(
    connection: sa.Connection,
    store: Store,
    table: sa.Table,
    values: dict[str, object],
    unique: list[str],
    query: sa.Select[Any],
) -> int:
    """Insert a row unless it is there; returns its id, which `query` finds."""
    connection.execute(
        store.insert(table).values(values).on_conflict_do_nothing(index_elements=unique)
    )
    return int(connection.execute(query).scalar_one())


def signed_query() -> sa.Select[Any]:
    """Signed transactions with the address that signed them."""
    return sa.select(*SIGNED).join(keys, keys.c.id == transactions.c.key)


def record_of(row: Any) -> Record:
    """A row of `RECORD` as a record."""
    # By place, not by name: a batch has hundreds of them.
    values = list(row)
    if values[_TOTAL] is not None:
        values[_TOTAL] = int(values[_TOTAL])
    values[_STATE] = WriteState(values[_STATE])
    return Record(*values)


def signed_of(row: Any) -> SignedTransaction:
    """A row of `signed_query` as a signed transaction."""
    values = tuple(row)
    return SignedTransaction(
        id=values[0],
        write=values[1],
        sender=values[2],
        nonce=values[3],
        hash=values[4],
        raw=values[5],
        fate=Fate(values[6]),
        block_number=values[7],
        block_hash=values[8],
        created_ms=values[9],
    )


def now_ms() -> int:
    """This machine's clock, for people to read; nothing is decided by it."""
    return time.time_ns() // 1_000_000
