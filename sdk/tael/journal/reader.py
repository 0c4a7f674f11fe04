"""Finding what the journal has."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import sqlalchemy as sa

from tael.errors import InvalidInputError
from tael.journal.records import Fate, Name, Record, SignedTransaction, WriteState
from tael.journal.rows import CHUNK, RECORD, record_of, signed_of, signed_query
from tael.store.tables import keys, transactions, writes

if TYPE_CHECKING:
    from tael.journal.rows import KeyRows
    from tael.store import Store


class JournalReader:
    """Finds what the journal has; changes nothing.

    Args:
        store: The database.
        chain: The chain's row in it.
        keys: The rows of the keys that sign there.
    """

    def __init__(self, store: Store, chain: int, keys: KeyRows) -> None:
        self._store = store
        self._chain = chain
        self._keys = keys

    def find(self, participant: str, reference: str, part: int = 0) -> Record | None:
        """The write that a reference stands for."""
        return self.find_many([(participant, reference, part)]).get((participant, reference, part))

    def find_many(self, names: Sequence[Name]) -> dict[Name, Record]:
        """The writes that references stand for, by participant, reference and part."""
        with self._store.read() as connection:
            return self.find_in(connection, names)

    def parts(self, participant: str, reference: str) -> list[Record]:
        """A batch's transactions, in order."""
        query = (
            sa.select(*RECORD)
            .where(
                writes.c.chain == self._chain,
                writes.c.participant == participant,
                writes.c.reference == reference,
                writes.c.part > 0,
            )
            .order_by(writes.c.part)
        )
        with self._store.read() as connection:
            return [record_of(row) for row in connection.execute(query)]

    def record(self, write: int) -> Record:
        """A write by its row.

        Raises:
            InvalidInputError: There is none; the row is from another store.
        """
        found = self.records([write]).get(write)
        if found is None:
            raise InvalidInputError(f"this store has no write {write}: it is from another one")
        return found

    def records(self, rows: Sequence[int]) -> dict[int, Record]:
        """Writes by their rows."""
        found = {}
        with self._store.read() as connection:
            for start in range(0, len(rows), CHUNK):
                query = sa.select(*RECORD).where(writes.c.id.in_(rows[start : start + CHUNK]))
                for row in connection.execute(query):
                    record = record_of(row)
                    found[record.id] = record
        return found

    def transactions_of(self, write: int) -> list[SignedTransaction]:
        """Everything that was ever signed for a write, oldest first."""
        query = signed_query().where(transactions.c.write == write).order_by(transactions.c.id)
        with self._store.read() as connection:
            return [signed_of(row) for row in connection.execute(query)]

    def items_of(self, write: int) -> list[Record]:
        """The payments that travel in a batch's transaction."""
        query = sa.select(*RECORD).where(writes.c.carrier == write).order_by(writes.c.id)
        with self._store.read() as connection:
            return [record_of(row) for row in connection.execute(query)]

    def open_writes(self, participant: str) -> Iterator[Record]:
        """The writes of a participant that are not final and have something signed, in order."""
        last = 0
        while True:
            query = (
                sa.select(*RECORD)
                .where(
                    writes.c.chain == self._chain,
                    writes.c.state < WriteState.FINAL,
                    writes.c.id > last,
                    writes.c.participant == participant,
                    writes.c.state.in_((WriteState.SIGNED, WriteState.INCLUDED)),
                )
                .order_by(writes.c.id)
                .limit(CHUNK)
            )
            with self._store.read() as connection:
                rows = [record_of(row) for row in connection.execute(query)]
            yield from rows
            if len(rows) < CHUNK:
                return
            last = rows[-1].id

    def next_nonce(self, address: str) -> int:
        """The nonce after the last one that this journal gave out for a key."""
        query = sa.select(keys.c.next_nonce).where(keys.c.id == self._keys.row(address))
        with self._store.read() as connection:
            return int(connection.execute(query).scalar_one())

    def open_transactions(
        self, address: str, *, first_nonce: int = 0, fate: Fate = Fate.OPEN, limit: int = 10_000
    ) -> list[SignedTransaction]:
        """A key's transactions whose fate is as given, by nonce and age."""
        query = (
            signed_query()
            .where(
                transactions.c.key == self._keys.row(address),
                transactions.c.state == fate,
                transactions.c.state < Fate.FINAL,
                transactions.c.nonce >= first_nonce,
            )
            .order_by(transactions.c.nonce, transactions.c.id)
            .limit(limit)
        )
        with self._store.read() as connection:
            return [signed_of(row) for row in connection.execute(query)]

    def transactions_between(self, address: str, first: int, end: int) -> list[SignedTransaction]:
        """A key's transactions with nonces from `first` to before `end` that are not dead."""
        query = (
            signed_query()
            .where(
                transactions.c.key == self._keys.row(address),
                transactions.c.nonce >= first,
                transactions.c.nonce < end,
                transactions.c.state != Fate.DEAD,
            )
            .order_by(transactions.c.nonce, transactions.c.id)
            .limit(CHUNK)
        )
        with self._store.read() as connection:
            return [signed_of(row) for row in connection.execute(query)]

    def depth(self) -> dict[WriteState, int]:
        """How many writes are not final, by state."""
        query = (
            sa.select(writes.c.state, sa.func.count())
            .where(writes.c.chain == self._chain, writes.c.state < WriteState.FINAL)
            .group_by(writes.c.state)
        )
        with self._store.read() as connection:
            return {WriteState(state): count for state, count in connection.execute(query)}

    def find_in(
        self, connection: sa.Connection, names: Sequence[Name], *, lock: bool = False
    ) -> dict[Name, Record]:
        """Writes by name, in a transaction; locked, they stay as they are until it ends."""
        wanted = set(names)
        found: dict[Name, Record] = {}
        by_owner: dict[str, dict[str, None]] = {}
        for participant, reference, _ in names:
            by_owner.setdefault(participant, {})[reference] = None
        parts = sorted({part for _, _, part in names})
        for participant, named in by_owner.items():
            references = list(named)
            for start in range(0, len(references), CHUNK):
                query = sa.select(*RECORD).where(
                    writes.c.chain == self._chain,
                    writes.c.participant == participant,
                    writes.c.reference.in_(references[start : start + CHUNK]),
                    writes.c.part.in_(parts),
                )
                if lock:
                    # In one order: two that lock the same ones must not wait for each other.
                    query = query.order_by(writes.c.id).with_for_update()
                for row in connection.execute(query):
                    record = record_of(row)
                    if record.name in wanted:
                        found[record.name] = record
        return found
