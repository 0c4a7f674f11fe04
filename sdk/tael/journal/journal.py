"""The journal's tables, as the sender and the client use them.

Every change is one transaction of the store. A nonce is allocated and the bytes that use it are
written in the same one, under a lock on the key's row: whichever process dies, no nonce is skipped,
and none is used for two things.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import sqlalchemy as sa

from tael.errors import IdempotencyConflictError
from tael.journal.records import Fate, Order, Outcome, Record, SignedTransaction, State
from tael.journal.rows import now_ms, record_name
from tael.journal.statements import Statements, conflict, move, put_outcomes
from tael.store.tables import keys, transactions, writes

Sign = Callable[[Order, int], tuple[str, bytes]]
"""Signs an order with a nonce; returns hash and bytes."""

Result = TypeVar("Result")

_TRIES = 3


@dataclass(frozen=True, slots=True)
class Decision:
    """What the journal says to an order.

    Args:
        record: The write as it stands now.
        signed: What was signed for it just now; None if something else happened.
        conflict: The reference stands for something else.
    """

    record: Record | None = None
    signed: SignedTransaction | None = None
    conflict: IdempotencyConflictError | None = None


class Journal(Statements):
    """One chain's part of a store's journal. Safe to use from many threads.

    Args:
        store: The database.
        chain_id: EIP-155 chain id.
        genesis_hash: Of block 0: a chain that began anew is another chain.
    """

    def accept(self, order: Order) -> Record:
        """Write down an order for which something is signed that is no transaction.

        Raises:
            IdempotencyConflictError: The reference stands for something else.
        """
        return _repeated(lambda: self._accept(order))

    def _accept(self, order: Order) -> Record:
        with self.store.write() as connection:
            found = self._find(connection, [order.name], lock=True).get(order.name)
            if found is None:
                found = self._insert(connection, [order], State.ACCEPTED)[0]
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
        """Write down orders that the contract refuses before anything is signed."""
        return _repeated(lambda: self._refuse(refusals))

    def _refuse(self, refusals: Sequence[tuple[Order, bytes]]) -> list[Decision]:
        decisions = []
        with self.store.write() as connection:
            found = self._find(connection, [order.name for order, _ in refusals], lock=True)
            for order, refusal in refusals:
                known = found.get(order.name)
                if known is None:
                    known = self._insert(connection, [order], State.REFUSED)[0]
                    # The same reference may be in the group twice.
                    found[order.name] = known
                decision = _judge(order, known)
                if decision is None:
                    decision = Decision(known)
                    # An attempt that is in a block says more than one that was not sent.
                    if known.state is State.REFUSED and known.transaction_hash is None:
                        outcome = Outcome(known.id, State.REFUSED, refusal=refusal)
                        put_outcomes(connection, [outcome])
                decisions.append(decision)
        return decisions

    def sign(
        self, address: str, orders: Sequence[Order], remote_nonce: int, sign: Sign
    ) -> list[Decision]:
        """Write down orders with the signed transaction of each, all in one transaction.

        What an order's reference stands for already is not signed again, unless nothing of it is
        alive and the body is the same. A batch is not signed where a payment in it has a reference
        that stands for something else.

        Args:
            address: The key that signs.
            orders: What to sign.
            remote_nonce: The next nonce as the chain has it.
            sign: Signs one; what it raises leaves nothing behind.

        Returns:
            A decision for each order, in order.
        """
        now = now_ms()
        key = self._key(address)
        with self.store.write() as connection:
            nonce = max(self._lock_key(connection, key), remote_nonce)
            found = self._find(connection, [order.name for order in orders], lock=True)
            known, clashes = self._look_at_items(connection, orders)
            new = [
                order
                for order in _once(orders)
                if order.name not in found and order.name not in clashes
            ]
            found |= {
                record_name(each): each for each in self._insert(connection, new, State.SIGNED)
            }
            fresh = {order.name for order in new}
            decisions: list[Decision | None] = []
            signed: list[tuple[Order, SignedTransaction]] = []
            taken: dict[tuple[str, str, int], bytes] = {}
            for order in orders:
                if order.name in clashes and order.name not in found:
                    decisions.append(Decision(conflict=clashes[order.name]))
                    continue
                record = found[order.name]
                decision = None if order.name in fresh else _judge(order, record)
                if decision is None and order.name in clashes:
                    decision = Decision(record, conflict=clashes[order.name])
                if decision is None and order.name in taken:
                    same = taken[order.name] == order.body_hash
                    decision = Decision(
                        record, conflict=None if same else conflict(order.reference, record)
                    )
                if decision is None:
                    taken[order.name] = order.body_hash
                    hash_, raw = sign(order, nonce)
                    signed.append(
                        (
                            order,
                            SignedTransaction(
                                0, record.id, address, nonce, hash_, raw, created_ms=now
                            ),
                        )
                    )
                    nonce += 1
                decisions.append(decision)
            written = iter(self._put_signed(connection, key, signed, found, fresh, known))
            connection.execute(sa.update(keys).where(keys.c.id == key).values(next_nonce=nonce))
        return [
            Decision(found[order.name], signed=next(written)) if decision is None else decision
            for order, decision in zip(orders, decisions, strict=True)
        ]

    def replace(self, old: SignedTransaction, make: Callable[[], tuple[str, bytes]]) -> Any:
        """Write down another transaction with the same nonce and payload, for a higher fee.

        Returns:
            The new one; None if another process was quicker.
        """
        now = now_ms()
        with self.store.write() as connection:
            key = self._key(old.sender)
            self._lock_key(connection, key)
            newest = connection.execute(
                sa.select(sa.func.max(transactions.c.id)).where(
                    transactions.c.key == key, transactions.c.nonce == old.nonce
                )
            ).scalar()
            if newest != old.id:
                return None
            hash_, raw = make()
            row = connection.execute(
                sa.insert(transactions)
                .values(
                    key=key,
                    nonce=old.nonce,
                    hash=hash_,
                    raw=raw,
                    write=old.write,
                    state=Fate.OPEN,
                    created_ms=now,
                )
                .returning(transactions.c.id)
            ).scalar_one()
        return SignedTransaction(row, old.write, old.sender, old.nonce, hash_, raw, created_ms=now)

    def fill(
        self, address: str, nonces: Sequence[int], make: Callable[[int], tuple[str, bytes]]
    ) -> list[SignedTransaction]:
        """Write down transactions that do nothing but use up nonces nothing else will use."""
        now = now_ms()
        filled = []
        with self.store.write() as connection:
            key = self._key(address)
            self._lock_key(connection, key)
            for nonce in nonces:
                # What was given up as dead may have been so by a node's word alone.
                used = connection.execute(
                    sa.select(transactions.c.id).where(
                        transactions.c.key == key,
                        transactions.c.nonce == nonce,
                        transactions.c.state != Fate.DEAD,
                    )
                ).first()
                if used is not None:
                    continue
                hash_, raw = make(nonce)
                row = connection.execute(
                    sa.insert(transactions)
                    .values(
                        key=key, nonce=nonce, hash=hash_, raw=raw, state=Fate.OPEN, created_ms=now
                    )
                    .returning(transactions.c.id)
                ).scalar_one()
                filled.append(
                    SignedTransaction(row, None, address, nonce, hash_, raw, created_ms=now)
                )
        return filled

    def settle(
        self,
        outcomes: Sequence[Outcome],
        fates: Sequence[tuple[int, Fate, int | None, str | None]] = (),
    ) -> None:
        """Write down what became of writes and transactions, all in one transaction.

        What is final already, as another process found out, stays so.

        Args:
            outcomes: Of the writes.
            fates: Row, fate, block number and block hash of transactions.
        """
        if not outcomes and not fates:
            return
        with self.store.write() as connection:
            put_outcomes(connection, outcomes)
            if fates:
                connection.execute(
                    sa.update(transactions)
                    .where(
                        transactions.c.id == sa.bindparam("row"),
                        sa.or_(
                            transactions.c.state < Fate.FINAL,
                            sa.and_(
                                transactions.c.state == Fate.DEAD,
                                sa.bindparam("fate", type_=sa.SmallInteger) != Fate.OPEN,
                            ),
                        ),
                    )
                    .values(
                        state=sa.bindparam("fate"),
                        block_number=sa.bindparam("number"),
                        block_hash=sa.bindparam("block"),
                    ),
                    [
                        {"row": row, "fate": fate, "number": number, "block": block}
                        for row, fate, number, block in fates
                    ],
                )

    def finalize(self, rows: Sequence[int]) -> set[int]:
        """Mark transactions as final, and with them what they did; their rivals are dead.

        One that is not included any more, as another process found out, stays as it is.

        Returns:
            The transactions whose writes took effect in them; a refusal is final without.
        """
        done = set()
        with self.store.write() as connection:
            for row in rows:
                changed = connection.execute(
                    sa.update(transactions)
                    .where(transactions.c.id == row, transactions.c.state == Fate.INCLUDED)
                    .values(state=Fate.FINAL)
                    .returning(
                        transactions.c.key,
                        transactions.c.nonce,
                        transactions.c.write,
                        transactions.c.hash,
                    )
                ).first()
                if changed is None:
                    continue
                key, nonce, write, hash_ = changed
                connection.execute(
                    sa.update(transactions)
                    .where(
                        transactions.c.key == key,
                        transactions.c.nonce == nonce,
                        transactions.c.state == Fate.OPEN,
                    )
                    .values(state=Fate.DEAD)
                )
                # An earlier attempt that was refused is final before the one that took effect.
                if write is not None and move(
                    connection, write, State.INCLUDED, State.FINAL, by=hash_
                ):
                    done.add(row)
        return done

    def reopen(self, rows: Sequence[int], *, also_final: bool = False) -> set[int]:
        """A reorganisation undid these transactions: their fate is open again.

        Args:
            rows: The transactions.
            also_final: Whether what is final can be undone, as on a development chain.

        Returns:
            Those whose fate is open; one that is final, as another process found out, stays so.
        """
        undone = (Fate.OPEN, Fate.INCLUDED, *((Fate.FINAL,) if also_final else ()))
        opened = set()
        with self.store.write() as connection:
            for row in rows:
                changed = connection.execute(
                    sa.update(transactions)
                    .where(transactions.c.id == row, transactions.c.state.in_(undone))
                    .values(state=Fate.OPEN, block_number=None, block_hash=None)
                    .returning(transactions.c.write, transactions.c.hash)
                ).first()
                if changed is None:
                    continue
                opened.add(row)
                write, hash_ = changed
                if write is not None:
                    # What another attempt brought about is not undone with this one.
                    for state in (State.INCLUDED, State.FINAL, State.REFUSED):
                        move(connection, write, state, State.SIGNED, by=hash_)
        return opened

    def kill(self, address: str, nonce: int) -> list[int]:
        """Mark what was signed for a nonce as dead, for another transaction has used it for good.

        Returns:
            The writes that have nothing alive any more.
        """
        key = self._key(address)
        freed = []
        with self.store.write() as connection:
            self._lock_key(connection, key)
            rows = connection.execute(
                sa.update(transactions)
                .where(
                    transactions.c.key == key,
                    transactions.c.nonce == nonce,
                    transactions.c.state == Fate.OPEN,
                )
                .values(state=Fate.DEAD)
                .returning(transactions.c.write)
            ).all()
            touched = sorted({row[0] for row in rows if row[0] is not None})
            for write in touched:
                # Another attempt under another nonce may be under way: then nothing is signed.
                alive = connection.execute(
                    sa.select(transactions.c.id)
                    .where(transactions.c.write == write, transactions.c.state == Fate.OPEN)
                    .limit(1)
                ).first()
                if alive is None:
                    move(connection, write, State.SIGNED, State.ACCEPTED)
                    freed.append(write)
        return freed


def _repeated(act: Callable[[], Result]) -> Result:
    """Do something again where another process wrote the same reference first: now it is found."""
    for _ in range(_TRIES - 1):
        try:
            return act()
        except sa.exc.IntegrityError:
            continue
    return act()


def _judge(order: Order, record: Record) -> Decision | None:
    """A decision about an order whose write is there; None if it may be signed again."""
    if not record.stands_for(order.body_hash):
        return Decision(record, conflict=conflict(order.reference, record))
    if record.state in (State.SIGNED, State.INCLUDED, State.FINAL):
        return Decision(record)
    return None


def _once(orders: Sequence[Order]) -> list[Order]:
    seen: dict[tuple[str, str, int], Order] = {}
    for order in orders:
        seen.setdefault(order.name, order)
    return list(seen.values())


__all__ = ["Decision", "Journal", "conflict", "record_name"]
