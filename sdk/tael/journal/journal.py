"""The journal's tables, as the sender and the client use them.

Every change is one transaction of the store. A nonce is allocated and the bytes that use it are
written in the same one, under a lock on the key's row: whichever process dies, no nonce is skipped,
and none is used for two things.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from tael.errors import IdempotencyConflictError
from tael.journal.records import Fate, Order, Outcome, Record, SignedTransaction, State
from tael.store.tables import chains, keys, transactions, writes
from tael.telemetry import steps

if TYPE_CHECKING:
    from tael.store import Store

Sign = Callable[[Order, int], tuple[str, bytes]]
"""Signs an order with a nonce; returns hash and bytes."""

_RECORD = [writes.c[name] for name in Record.__dataclass_fields__]
_SIGNED = [
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
_CHUNK = 500
"""Names in one question: SQLite takes about 32,000 values, PostgreSQL twice as many."""


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


class Journal:
    """One chain's part of a store's journal. Safe to use from many threads.

    Args:
        store: The database.
        chain_id: EIP-155 chain id.
        genesis_hash: Of block 0: a chain that began anew is another chain.
    """

    def __init__(self, store: Store, chain_id: int, genesis_hash: str) -> None:
        self.store = store
        self.chain_id = chain_id
        self._chain = _chain_row(store, chain_id, genesis_hash)
        self._keys: dict[str, int] = {}

    @property
    def chain_row(self) -> int:
        """The chain's row in the store."""
        return self._chain

    # Finding

    def find(self, participant: str, reference: str, part: int = 0) -> Record | None:
        """The write that a reference stands for."""
        return self.find_many([(participant, reference, part)]).get((participant, reference, part))

    def find_many(
        self, names: Sequence[tuple[str, str, int]]
    ) -> dict[tuple[str, str, int], Record]:
        """The writes that references stand for, by participant, reference and part."""
        with self.store.read() as connection:
            return self._find(connection, names)

    def parts(self, participant: str, reference: str) -> list[Record]:
        """A batch's transactions, in order."""
        query = (
            sa.select(*_RECORD)
            .where(
                writes.c.chain == self._chain,
                writes.c.participant == participant,
                writes.c.reference == reference,
                writes.c.part > 0,
            )
            .order_by(writes.c.part)
        )
        with self.store.read() as connection:
            return [_record(row) for row in connection.execute(query)]

    def record(self, write: int) -> Record:
        """A write by its row."""
        with self.store.read() as connection:
            return _record(
                connection.execute(sa.select(*_RECORD).where(writes.c.id == write)).one()
            )

    def records(self, rows: Sequence[int]) -> dict[int, Record]:
        """Writes by their rows."""
        found = {}
        with self.store.read() as connection:
            for start in range(0, len(rows), _CHUNK):
                query = sa.select(*_RECORD).where(writes.c.id.in_(rows[start : start + _CHUNK]))
                for row in connection.execute(query):
                    record = _record(row)
                    found[record.id] = record
        return found

    def transactions_of(self, write: int) -> list[SignedTransaction]:
        """Everything that was ever signed for a write, oldest first."""
        query = _signed_query().where(transactions.c.write == write).order_by(transactions.c.id)
        with self.store.read() as connection:
            return [_signed(row) for row in connection.execute(query)]

    def items_of(self, write: int) -> list[Record]:
        """The payments that travel in a batch's transaction."""
        query = sa.select(*_RECORD).where(writes.c.carrier == write).order_by(writes.c.id)
        with self.store.read() as connection:
            return [_record(row) for row in connection.execute(query)]

    def open_writes(self, participant: str) -> Iterator[Record]:
        """The writes of a participant that are not final and have something signed, in order."""
        last = 0
        while True:
            query = (
                sa.select(*_RECORD)
                .where(
                    writes.c.chain == self._chain,
                    writes.c.state < State.FINAL,
                    writes.c.id > last,
                    writes.c.participant == participant,
                    writes.c.state.in_((State.SIGNED, State.INCLUDED)),
                )
                .order_by(writes.c.id)
                .limit(_CHUNK)
            )
            with self.store.read() as connection:
                rows = [_record(row) for row in connection.execute(query)]
            yield from rows
            if len(rows) < _CHUNK:
                return
            last = rows[-1].id

    def open_transactions(
        self, address: str, *, first_nonce: int = 0, fate: Fate = Fate.OPEN, limit: int = 10_000
    ) -> list[SignedTransaction]:
        """A key's transactions whose fate is as given, by nonce and age."""
        query = (
            _signed_query()
            .where(
                transactions.c.key == self._key(address),
                transactions.c.state == fate,
                transactions.c.state < Fate.FINAL,
                transactions.c.nonce >= first_nonce,
            )
            .order_by(transactions.c.nonce, transactions.c.id)
            .limit(limit)
        )
        with self.store.read() as connection:
            return [_signed(row) for row in connection.execute(query)]

    def transactions_between(self, address: str, first: int, end: int) -> list[SignedTransaction]:
        """A key's transactions with nonces from `first` to before `end` that are not dead."""
        query = (
            _signed_query()
            .where(
                transactions.c.key == self._key(address),
                transactions.c.nonce >= first,
                transactions.c.nonce < end,
                transactions.c.state != Fate.DEAD,
            )
            .order_by(transactions.c.nonce, transactions.c.id)
            .limit(_CHUNK)
        )
        with self.store.read() as connection:
            return [_signed(row) for row in connection.execute(query)]

    def depth(self) -> dict[State, int]:
        """How many writes are not final, by state."""
        query = (
            sa.select(writes.c.state, sa.func.count())
            .where(writes.c.chain == self._chain, writes.c.state < State.FINAL)
            .group_by(writes.c.state)
        )
        with self.store.read() as connection:
            return {State(state): count for state, count in connection.execute(query)}

    # Writing down

    def accept(self, order: Order) -> Record:
        """Write down an order for which something is signed that is no transaction.

        Raises:
            IdempotencyConflictError: The reference stands for something else.
        """
        with self.store.write() as connection:
            found = self._find(connection, [order.name]).get(order.name)
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
        decisions = []
        with self.store.write() as connection:
            found = self._find(connection, [order.name for order, _ in refusals])
            for order, refusal in refusals:
                known = found.get(order.name)
                if known is None:
                    known = self._insert(connection, [order], State.REFUSED)[0]
                decision = _judge(order, known)
                if decision is None:
                    decision = Decision(known)
                    # An attempt that is in a block says more than one that was not sent.
                    if known.state is State.REFUSED and known.transaction_hash is None:
                        outcome = Outcome(known.id, State.REFUSED, refusal=refusal)
                        _put_outcomes(connection, [outcome])
                decisions.append(decision)
        return decisions

    def sign(
        self, address: str, orders: Sequence[Order], remote_nonce: int, sign: Sign
    ) -> list[Decision]:
        """Write down orders with the signed transaction of each, all in one transaction.

        What an order's reference stands for already is not signed again, unless nothing of it is
        alive and the body is the same.

        Args:
            address: The key that signs.
            orders: What to sign.
            remote_nonce: The next nonce as the chain has it.
            sign: Signs one; what it raises leaves nothing behind.

        Returns:
            A decision for each order, in order.
        """
        now = _now_ms()
        key = self._key(address)
        with self.store.write() as connection:
            nonce = max(self._lock_key(connection, key), remote_nonce)
            found = self._find(connection, [order.name for order in orders])
            new = [order for order in _once(orders) if order.name not in found]
            found |= {
                record_name(each): each for each in self._insert(connection, new, State.SIGNED)
            }
            fresh = {order.name for order in new}
            decisions: list[Decision | None] = []
            signed: list[tuple[Order, SignedTransaction]] = []
            taken: dict[tuple[str, str, int], bytes] = {}
            for order in orders:
                record = found[order.name]
                decision = None if order.name in fresh else _judge(order, record)
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
            written = iter(self._put_signed(connection, key, signed, found, fresh))
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
        now = _now_ms()
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
        now = _now_ms()
        filled = []
        with self.store.write() as connection:
            key = self._key(address)
            self._lock_key(connection, key)
            for nonce in nonces:
                used = connection.execute(
                    sa.select(transactions.c.id).where(
                        transactions.c.key == key, transactions.c.nonce == nonce
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

        Args:
            outcomes: Of the writes.
            fates: Row, fate, block number and block hash of transactions.
        """
        if not outcomes and not fates:
            return
        with self.store.write() as connection:
            _put_outcomes(connection, outcomes)
            if fates:
                connection.execute(
                    sa.update(transactions)
                    .where(transactions.c.id == sa.bindparam("row"))
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

        Returns:
            The writes that took effect; one that was refused is final without.
        """
        done = set()
        with self.store.write() as connection:
            for row in rows:
                key, nonce, write, hash_ = connection.execute(
                    sa.update(transactions)
                    .where(transactions.c.id == row)
                    .values(state=Fate.FINAL)
                    .returning(
                        transactions.c.key,
                        transactions.c.nonce,
                        transactions.c.write,
                        transactions.c.hash,
                    )
                ).one()
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
                if write is not None and _move(
                    connection, write, State.INCLUDED, State.FINAL, by=hash_
                ):
                    done.add(write)
        return done

    def reopen(self, rows: Sequence[int]) -> None:
        """A reorganisation undid these transactions: their fate is open again."""
        with self.store.write() as connection:
            for row in rows:
                write = connection.execute(
                    sa.update(transactions)
                    .where(transactions.c.id == row)
                    .values(state=Fate.OPEN, block_number=None, block_hash=None)
                    .returning(transactions.c.write)
                ).scalar_one()
                if write is not None:
                    for state in (State.INCLUDED, State.FINAL, State.REFUSED):
                        _move(connection, write, state, State.SIGNED)

    def kill(self, address: str, nonce: int) -> list[int]:
        """Mark what was signed for a nonce as dead, for another transaction has used it for good.

        Returns:
            The writes that have nothing alive any more.
        """
        key = self._key(address)
        with self.store.write() as connection:
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
                _move(connection, write, State.SIGNED, State.ACCEPTED)
        return touched

    # Internals

    def _find(
        self, connection: sa.Connection, names: Sequence[tuple[str, str, int]]
    ) -> dict[tuple[str, str, int], Record]:
        found: dict[tuple[str, str, int], Record] = {}
        by_owner: dict[tuple[str, int], list[str]] = {}
        for participant, reference, part in names:
            by_owner.setdefault((participant, part), []).append(reference)
        for (participant, part), references in by_owner.items():
            for start in range(0, len(references), _CHUNK):
                query = sa.select(*_RECORD).where(
                    writes.c.chain == self._chain,
                    writes.c.participant == participant,
                    writes.c.part == part,
                    writes.c.reference.in_(references[start : start + _CHUNK]),
                )
                for row in connection.execute(query):
                    record = _record(row)
                    found[record_name(record)] = record
        return found

    def _insert(
        self, connection: sa.Connection, orders: Sequence[Order], state: State
    ) -> list[Record]:
        if not orders:
            return []
        now = _now_ms()
        rows = [
            {
                "chain": self._chain,
                "participant": order.participant,
                "reference": order.reference,
                "part": order.part,
                "verb": order.verb,
                "body_hash": order.body_hash,
                "contract": order.to,
                "subject": order.subject,
                "total_minor": None if order.total_minor is None else str(order.total_minor),
                "valid_before": order.valid_before,
                "state": state,
                "repeated": False,
                "created_ms": now,
                "changed_ms": now,
            }
            for order in orders
        ]
        ids = connection.execute(
            sa.insert(writes).returning(writes.c.id, sort_by_parameter_order=True), rows
        ).scalars()
        return [
            Record(
                id=row,
                participant=order.participant,
                reference=order.reference,
                part=order.part,
                verb=order.verb,
                body_hash=order.body_hash,
                contract=order.to,
                subject=order.subject,
                total_minor=order.total_minor,
                carrier=None,
                valid_before=order.valid_before,
                state=state,
                transaction_hash=None,
                block_number=None,
                block_hash=None,
                log_index=None,
                gas_used=None,
                repeated=False,
                refusal=None,
            )
            for row, order in zip(ids, orders, strict=True)
        ]

    def _put_signed(
        self,
        connection: sa.Connection,
        key: int,
        signed: list[tuple[Order, SignedTransaction]],
        found: dict[tuple[str, str, int], Record],
        fresh: set[tuple[str, str, int]],
    ) -> list[SignedTransaction]:
        if not signed:
            return []
        rows = connection.execute(
            sa.insert(transactions).returning(transactions.c.id, sort_by_parameter_order=True),
            [
                {
                    "key": key,
                    "nonce": each.nonce,
                    "hash": each.hash,
                    "raw": each.raw,
                    "write": each.write,
                    "state": Fate.OPEN,
                    "created_ms": each.created_ms,
                }
                for _, each in signed
            ],
        ).scalars()
        self._bind(
            connection,
            [(found[order.name], order) for order, _ in signed if order.name not in fresh],
        )
        self._put_items(connection, signed)
        return [replace(each, id=row) for row, (_, each) in zip(rows, signed, strict=True)]

    def _bind(self, connection: sa.Connection, pairs: Sequence[tuple[Record, Order]]) -> None:
        """Sign writes that are there already: for this body from now on, if they were free."""
        if not pairs:
            return
        connection.execute(
            sa.update(writes)
            .where(writes.c.id == sa.bindparam("row"))
            .values(
                state=State.SIGNED,
                verb=sa.bindparam("new_verb"),
                body_hash=sa.bindparam("new_body_hash"),
                contract=sa.bindparam("new_contract"),
                subject=sa.bindparam("new_subject"),
                total_minor=sa.bindparam("new_total_minor"),
                valid_before=sa.bindparam("new_valid_before"),
                refusal=None,
                changed_ms=_now_ms(),
            ),
            [
                {
                    "row": record.id,
                    "new_verb": order.verb,
                    "new_body_hash": order.body_hash,
                    "new_contract": order.to,
                    "new_subject": order.subject,
                    "new_total_minor": None
                    if order.total_minor is None
                    else str(order.total_minor),
                    # What was signed before may count longer than what is signed now.
                    "new_valid_before": max(
                        (each for each in (record.valid_before, order.valid_before) if each),
                        default=None,
                    ),
                }
                for record, order in pairs
            ],
        )

    def _put_items(
        self, connection: sa.Connection, signed: list[tuple[Order, SignedTransaction]]
    ) -> None:
        now = _now_ms()
        rows = [
            {
                "chain": self._chain,
                "participant": order.participant,
                "reference": item.reference,
                "part": 0,
                "verb": item.verb,
                "body_hash": item.body_hash,
                "contract": order.to,
                "subject": item.subject,
                "valid_before": item.valid_before,
                "carrier": each.write,
                "state": State.SIGNED,
                "repeated": False,
                "created_ms": now,
                "changed_ms": now,
            }
            for order, each in signed
            for item in order.items
        ]
        if not rows:
            return
        insert = self.store.insert(writes)
        connection.execute(
            insert.on_conflict_do_update(
                index_elements=["chain", "participant", "reference", "part"],
                # What is done stays done; the rest travels anew.
                set_={"carrier": insert.excluded.carrier, "state": State.SIGNED},
                where=writes.c.state < State.INCLUDED,
            ),
            rows,
        )

    def _key(self, address: str) -> int:
        if address not in self._keys:
            with self.store.write() as connection:
                query = sa.select(keys.c.id).where(
                    keys.c.chain == self._chain, keys.c.address == address
                )
                row = connection.execute(query).scalar()
                if row is None:
                    row = _insert_once(
                        connection,
                        self.store,
                        keys,
                        {"chain": self._chain, "address": address, "next_nonce": 0},
                        ["chain", "address"],
                        query,
                    )
            self._keys[address] = row
        return self._keys[address]

    def _lock_key(self, connection: sa.Connection, key: int) -> int:
        nonce: int = connection.execute(
            sa.select(keys.c.next_nonce).where(keys.c.id == key).with_for_update()
        ).scalar_one()
        return nonce


def record_name(record: Record) -> tuple[str, str, int]:
    """What stands for a write in the journal."""
    return (record.participant, record.reference, record.part)


def conflict(reference: str, record: Record) -> IdempotencyConflictError:
    """The refusal of a reference that stands for something else."""
    steps.conflict(reference, record)
    return IdempotencyConflictError(
        f"The reference {reference!r} stands for another order, {record.verb}, already; nothing "
        f"was sent for this one. `resolve({reference!r})` says what became of the first; use a "
        "new reference for a new order."
    )


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


def _put_outcomes(connection: sa.Connection, outcomes: Sequence[Outcome]) -> None:
    now = _now_ms()
    fields = (
        "state",
        "transaction_hash",
        "block_number",
        "block_hash",
        "log_index",
        "gas_used",
        "repeated",
        "refusal",
    )
    update = (
        sa.update(writes)
        .where(writes.c.id == sa.bindparam("row"))
        .values({name: sa.bindparam(f"new_{name}") for name in fields} | {"changed_ms": now})
    )
    # After a reorganisation an attempt that had been refused may come first and take effect, and
    # the one that had worked be refused: a refusal never covers the effect of another transaction.
    covering = update.where(
        sa.or_(
            writes.c.state < State.INCLUDED,
            writes.c.transaction_hash.is_(None),
            writes.c.transaction_hash == sa.bindparam("new_transaction_hash"),
        )
    )
    for statement, is_refusal in ((update, False), (covering, True)):
        rows = [
            {"row": each.write} | {f"new_{name}": getattr(each, name) for name in fields}
            for each in outcomes
            if (each.state is State.REFUSED) is is_refusal
        ]
        if rows:
            connection.execute(statement, rows)


def _move(
    connection: sa.Connection, write: int, old: State, new: State, *, by: str | None = None
) -> bool:
    """Move a write, and what travels in it, from one state to another.

    Args:
        connection: In whose transaction.
        write: Its row.
        old: What is in another state stays there.
        new: Where to.
        by: Only what this transaction, a hash, brought there.

    Returns:
        Whether anything was moved.
    """
    update = sa.update(writes).where(
        sa.or_(writes.c.id == write, writes.c.carrier == write), writes.c.state == old
    )
    if by is not None:
        update = update.where(writes.c.transaction_hash == by)
    return bool(connection.execute(update.values(state=new, changed_ms=_now_ms())).rowcount)


def _chain_row(store: Store, chain_id: int, genesis_hash: str) -> int:
    query = sa.select(chains.c.id).where(
        chains.c.chain_id == chain_id, chains.c.genesis_hash == genesis_hash
    )
    with store.read() as connection:
        row = connection.execute(query).scalar()
    if row is not None:
        return int(row)
    with store.write() as connection:
        return _insert_once(
            connection,
            store,
            chains,
            {"chain_id": chain_id, "genesis_hash": genesis_hash},
            ["chain_id", "genesis_hash"],
            query,
        )


def _insert_once(
    connection: sa.Connection,
    store: Store,
    table: sa.Table,
    values: dict[str, object],
    unique: list[str],
    query: sa.Select[Any],
) -> int:
    connection.execute(
        store.insert(table).values(values).on_conflict_do_nothing(index_elements=unique)
    )
    return int(connection.execute(query).scalar_one())


def _signed_query() -> sa.Select[Any]:
    return sa.select(*_SIGNED).join(keys, keys.c.id == transactions.c.key)


def _record(row: Any) -> Record:
    values = dict(row._mapping)
    total = values["total_minor"]
    values["total_minor"] = None if total is None else int(total)
    values["state"] = State(values["state"])
    return Record(**values)


def _signed(row: Any) -> SignedTransaction:
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


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


__all__ = ["Decision", "Journal", "conflict", "record_name"]
