"""The journal's tables, as the sender and the client use them.

Every change is one transaction of the store. A nonce is allocated and the bytes that use it are
written in the same one, under a lock on the key's row: whichever process dies, no nonce is skipped,
and none is used for two things.

Any threads of any processes may call at once; the store's transactions keep them apart. On SQLite
one writes at a time. On PostgreSQL a transaction locks the key's row first, where it signs, and
then the rows of the references it looked up, in the order of their ids, so that no two wait for
each other; who inserts a reference that another inserts at the same moment loses, begins anew and
finds it. Nothing read outside such a transaction decides what is signed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, TypeVar

import sqlalchemy as sa

from tael.errors import StoreError
from tael.journal import fates
from tael.journal.decisions import Decision, Group, clashes_in, conflict, decide
from tael.journal.reader import JournalReader
from tael.journal.records import (
    Fate,
    Name,
    Order,
    Outcome,
    Record,
    SignedTransaction,
    WriteState,
)
from tael.journal.rows import KeyRows, chain_row, now_ms
from tael.journal.writer import JournalWriter
from tael.store import is_duplicate
from tael.store.tables import keys, transactions, writes

if TYPE_CHECKING:
    from tael.store import Store

Sign = Callable[[Order, int], tuple[str, bytes]]
"""Signs an order with a nonce; returns hash and bytes."""

Result = TypeVar("Result")

_TRIES = 3


class Journal:
    """One chain's part of a store's journal. Safe to use from many threads.

    Args:
        store: The database.
        chain_id: EIP-155 chain id.
        genesis_hash: Of block 0: a chain that began anew is another chain.

    Attributes:
        chain_row: The chain's row in the store.
        reader: Finds what the journal has.
    """

    def __init__(self, store: Store, chain_id: int, genesis_hash: str) -> None:
        self.store = store
        self.chain_id = chain_id
        self.chain_row = chain_row(store, chain_id, genesis_hash)
        self._keys = KeyRows(store, self.chain_row)
        self.reader = JournalReader(store, self.chain_row, self._keys)
        self._writer = JournalWriter(self.chain_row)

    # Finding

    def find(self, participant: str, reference: str, part: int = 0) -> Record | None:
        """The write that a reference stands for."""
        return self.reader.find(participant, reference, part)

    def find_many(self, names: Sequence[Name]) -> dict[Name, Record]:
        """The writes that references stand for, by participant, reference and part."""
        return self.reader.find_many(names)

    def parts(self, participant: str, reference: str) -> list[Record]:
        """A batch's transactions, in order."""
        return self.reader.parts(participant, reference)

    def record(self, write: int) -> Record:
        """A write by its row."""
        return self.reader.record(write)

    def transactions_of(self, write: int) -> list[SignedTransaction]:
        """Everything that was ever signed for a write, oldest first."""
        return self.reader.transactions_of(write)

    def open_writes(self, participant: str) -> Iterator[Record]:
        """The writes of a participant that are not final and have something signed, in order."""
        return self.reader.open_writes(participant)

    # Before it is sent

    def accept(self, order: Order) -> Record:
        """Write down an order for which something is signed that is no transaction.

        Raises:
            IdempotencyConflictError: The reference stands for something else.
        """
        return _repeated(lambda: self._accept(order))

    def _accept(self, order: Order) -> Record:
        with self.store.write() as connection:
            found = self.reader.find_in(connection, [order.name], lock=True).get(order.name)
            if found is None:
                found = self._writer.insert(connection, [order], WriteState.ACCEPTED)[0]
            elif not found.stands_for(order.body_hash):
                raise conflict(order.reference, found)
            elif (order.valid_before or 0) > (found.valid_before or 0):
                connection.execute(
                    sa.update(writes)
                    .where(writes.c.id == found.id)
                    .values(valid_before=order.valid_before)
                )
        return found

    def refuse(self, refusals: Sequence[tuple[Order, bytes]]) -> list[Decision]:
        """Write down orders that the contract refuses before anything is signed.

        Returns:
            A decision for each, in order: where its record is `REFUSED`, it is refused; else what
            its reference stands for has been signed meanwhile, or is another body.
        """
        return _repeated(lambda: self._refuse(refusals)) if refusals else []

    def _refuse(self, refusals: Sequence[tuple[Order, bytes]]) -> list[Decision]:
        decisions = []
        with self.store.write() as connection:
            names = [order.name for order, _ in refusals]
            found = self.reader.find_in(connection, names, lock=True)
            for order, refusal in refusals:
                known = found.get(order.name)
                if known is None:
                    known = self._writer.insert(connection, [order], WriteState.REFUSED)[0]
                    # The same reference may be in the group twice.
                    found[order.name] = known
                decision = decide(order, known)
                if decision is None:
                    decision = Decision(known)
                    # An attempt that is in a block says more than one that was not sent.
                    if known.state is WriteState.REFUSED and known.transaction_hash is None:
                        outcome = Outcome(known.id, WriteState.REFUSED, refusal=refusal)
                        fates.put_outcomes(connection, [outcome])
                decisions.append(decision)
        return decisions

    def sign(
        self, address: str, orders: Sequence[Order], remote_nonce: int, sign: Sign
    ) -> list[Decision]:
        """Write down orders with the signed transaction of each, all in one transaction.

        What an order's reference stands for already is not signed again, unless nothing of it is
        alive and the body is the same. A batch is not signed where a payment in it has a reference
        that stands for something else. This look-up is the one that decides: it is made under
        locks, in the transaction that signs.

        Args:
            address: The key that signs.
            orders: What to sign.
            remote_nonce: The next nonce as the chain has it.
            sign: Signs one; what it raises leaves nothing behind.

        Returns:
            A decision for each order, in order.
        """
        return _repeated(lambda: self._sign(address, orders, remote_nonce, sign))

    def _sign(
        self, address: str, orders: Sequence[Order], remote_nonce: int, sign: Sign
    ) -> list[Decision]:
        now = now_ms()
        key = self._keys.row(address)
        with self.store.write() as connection:
            nonce = max(_lock_key(connection, key), remote_nonce)
            group = self._insert_new(connection, orders)
            decisions = [group.decide(order) for order in orders]
            signed: list[tuple[Order, SignedTransaction]] = []
            for order, decision in zip(orders, decisions, strict=True):
                if decision is not None:
                    continue
                hash_, raw = sign(order, nonce)
                write = group.records[order.name].id
                signed.append(
                    (
                        order,
                        SignedTransaction(0, write, address, nonce, hash_, raw, created_ms=now),
                    )
                )
                nonce += 1
            known = {**group.items, **group.records}
            written = iter(self._writer.put_signed(connection, key, signed, known, group.fresh))
            connection.execute(sa.update(keys).where(keys.c.id == key).values(next_nonce=nonce))
        return [
            Decision(group.records[order.name], signed=next(written))
            if decision is None
            else decision
            for order, decision in zip(orders, decisions, strict=True)
        ]

    def _insert_new(self, connection: sa.Connection, orders: Sequence[Order]) -> Group:
        """Look orders up and insert those that are new and can be signed."""
        names = [order.name for order in orders]
        found = self.reader.find_in(connection, names, lock=True)
        travelling = [item.name_of(order) for order in orders for item in order.items]
        items = self.reader.find_in(connection, travelling, lock=True) if travelling else {}
        clashes = clashes_in(orders, items) if travelling else {}
        new: dict[Name, Order] = {}
        for order in orders:
            if order.name not in found and order.name not in clashes:
                new.setdefault(order.name, order)
        inserted = self._writer.insert(connection, list(new.values()), WriteState.SIGNED)
        found |= {each.name: each for each in inserted}
        return Group(found, frozenset(new), items, clashes)

    def replace(
        self, old: SignedTransaction, make: Callable[[], tuple[str, bytes]]
    ) -> SignedTransaction | None:
        """Write down another transaction with the same nonce and payload, for a higher fee.

        Returns:
            The new one; None if another process was quicker.
        """
        key = self._keys.row(old.sender)
        with self.store.write() as connection:
            _lock_key(connection, key)
            newest = connection.execute(
                sa.select(sa.func.max(transactions.c.id)).where(
                    transactions.c.key == key, transactions.c.nonce == old.nonce
                )
            ).scalar()
            if newest != old.id:
                return None
            return _insert_signed(connection, key, old.write, old.sender, old.nonce, make())

    def fill(
        self, address: str, nonces: Sequence[int], make: Callable[[int], tuple[str, bytes]]
    ) -> list[SignedTransaction]:
        """Write down transactions that do nothing but use up nonces nothing else will use."""
        key = self._keys.row(address)
        filled = []
        with self.store.write() as connection:
            _lock_key(connection, key)
            for nonce in nonces:
                # What was given up as dead may have been so by a node's word alone.
                used = connection.execute(
                    sa.select(transactions.c.id).where(
                        transactions.c.key == key,
                        transactions.c.nonce == nonce,
                        transactions.c.state != Fate.DEAD,
                    )
                ).first()
                if used is None:
                    filled.append(
                        _insert_signed(connection, key, None, address, nonce, make(nonce))
                    )
        return filled

    # What became of it

    def settle(self, outcomes: Sequence[Outcome], found: Sequence[fates.FoundFate] = ()) -> None:
        """Write down what became of writes and transactions, all in one transaction.

        What is final already, as another process found out, stays so.

        Args:
            outcomes: Of the writes.
            found: Row, fate, block number and block hash of transactions.
        """
        if not outcomes and not found:
            return
        with self.store.write() as connection:
            fates.put_outcomes(connection, outcomes)
            fates.put_fates(connection, found)

    def finalize(self, rows: Sequence[int]) -> set[int]:
        """Mark transactions as final, and with them what they did; their rivals are dead.

        One that is not included any more, as another process found out, stays as it is.

        Returns:
            The transactions whose writes took effect in them; a refusal is final without.
        """
        with self.store.write() as connection:
            return {row for row in rows if fates.finalize(connection, row)}

    def reopen(self, rows: Sequence[int], *, also_final: bool = False) -> set[int]:
        """A reorganisation undid these transactions: their fate is open again.

        Args:
            rows: The transactions.
            also_final: Whether what is final can be undone, as on a development chain.

        Returns:
            Those whose fate is open; one that is final, as another process found out, stays so.
        """
        undone = (Fate.OPEN, Fate.INCLUDED, *((Fate.FINAL,) if also_final else ()))
        with self.store.write() as connection:
            return {row for row in rows if fates.reopen(connection, row, undone)}

    def kill(self, address: str, nonce: int) -> list[int]:
        """Mark what was signed for a nonce as dead, for another transaction has used it for good.

        Returns:
            The writes that have nothing alive any more.
        """
        key = self._keys.row(address)
        with self.store.write() as connection:
            _lock_key(connection, key)
            touched = sorted(fates.kill(connection, key, nonce))
            return [write for write in touched if fates.free(connection, write)]


def _lock_key(connection: sa.Connection, key: int) -> int:
    """Lock a key's row until the transaction ends; returns its next nonce."""
    nonce: int = connection.execute(
        sa.select(keys.c.next_nonce).where(keys.c.id == key).with_for_update()
    ).scalar_one()
    return nonce


def _insert_signed(
    connection: sa.Connection,
    key: int,
    write: int | None,
    sender: str,
    nonce: int,
    made: tuple[str, bytes],
) -> SignedTransaction:
    now, (hash_, raw) = now_ms(), made
    row = connection.execute(
        sa.insert(transactions)
        .values(
            key=key,
            nonce=nonce,
            hash=hash_,
            raw=raw,
            write=write,
            state=Fate.OPEN,
            created_ms=now,
        )
        .returning(transactions.c.id)
    ).scalar_one()
    return SignedTransaction(row, write, sender, nonce, hash_, raw, created_ms=now)


def _repeated(act: Callable[[], Result]) -> Result:
    """Do something again where another process wrote the same reference first: now it is found."""
    for _ in range(_TRIES - 1):
        try:
            return act()
        except StoreError as error:
            if not is_duplicate(error):
                raise
    return act()
