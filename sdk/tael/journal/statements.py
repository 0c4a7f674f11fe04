"""The statements that a transaction of the journal is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from tael.errors import IdempotencyConflictError
from tael.journal.reading import Reading
from tael.journal.records import Fate, Item, Order, Outcome, Record, SignedTransaction, State
from tael.journal.rows import now_ms
from tael.store.tables import keys, transactions, writes
from tael.telemetry import steps

# Made once: that takes longer than to carry them out.
_PUT_ITEM = sa.insert(writes)
_PUT_ITEM_AGAIN = (
    sa.update(writes)
    # What is done stays done; the rest travels anew.
    .where(writes.c.id == sa.bindparam("row"), writes.c.state < State.INCLUDED)
    .values(
        carrier=sa.bindparam("new_carrier"),
        verb=sa.bindparam("new_verb"),
        body_hash=sa.bindparam("new_body_hash"),
        contract=sa.bindparam("new_contract"),
        subject=sa.bindparam("new_subject"),
        valid_before=sa.bindparam("new_valid_before"),
        state=State.SIGNED,
    )
)


class Statements(Reading):
    """Inserting and updating, within a transaction that the caller has begun."""

    def _insert(
        self, connection: sa.Connection, orders: Sequence[Order], state: State
    ) -> list[Record]:
        if not orders:
            return []
        now = now_ms()
        rows = [
            {
                "chain": self._chain,
                "participant": order.participant,
                "reference": order.reference,
                "part": order.part,
                "verb": order.verb,
                "body_hash": order.body_hash,
                "contract": order.contract,
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
                contract=order.contract,
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
        known: dict[tuple[str, str, int], Record],
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
        self._put_items(connection, signed, {**known, **found})
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
                changed_ms=now_ms(),
            ),
            [
                {
                    "row": record.id,
                    "new_verb": order.verb,
                    "new_body_hash": order.body_hash,
                    "new_contract": order.contract,
                    "new_subject": order.subject,
                    "new_total_minor": None
                    if order.total_minor is None
                    else str(order.total_minor),
                    "new_valid_before": _longest(record, order),
                }
                for record, order in pairs
            ],
        )

    def _put_items(
        self,
        connection: sa.Connection,
        signed: list[tuple[Order, SignedTransaction]],
        known: dict[tuple[str, str, int], Record],
    ) -> None:
        now = now_ms()
        new: dict[tuple[str, str, int], dict[str, Any]] = {}
        again: list[dict[str, Any]] = []
        for order, each in signed:
            for item in order.items:
                name = item.name_of(order)
                record = known.get(name)
                if record is not None:
                    again.append(_travelling(record, item, order, each))
                    continue
                new[name] = {
                    "chain": self._chain,
                    "participant": order.participant,
                    "reference": item.reference,
                    "part": 0,
                    "verb": item.verb,
                    "body_hash": item.body_hash,
                    "contract": order.contract,
                    "subject": item.subject,
                    "valid_before": item.valid_before,
                    "carrier": each.write,
                    "state": State.SIGNED,
                    "repeated": False,
                    "created_ms": now,
                    "changed_ms": now,
                }
        if new:
            connection.execute(_PUT_ITEM, list(new.values()))
        if again:
            connection.execute(_PUT_ITEM_AGAIN, again)

    def _look_at_items(
        self,
        connection: sa.Connection,
        orders: Sequence[Order],
    ) -> tuple[
        dict[tuple[str, str, int], Record],
        dict[tuple[str, str, int], IdempotencyConflictError],
    ]:
        """What the journal has of payments in batches, and the batches in which one clashes.

        Args:
            connection: In whose transaction.
            orders: The batches among them count.
        """
        names = [(order, item, item.name_of(order)) for order in orders for item in order.items]
        clashes: dict[tuple[str, str, int], IdempotencyConflictError] = {}
        if not names:
            return {}, clashes
        known = self._find(connection, [name for _, _, name in names], lock=True)
        # What is ordered at this moment stands in the journal a moment later.
        bodies = {order.name: order.body_hash for order in reversed(orders)}
        for order, item, name in names:
            record = known.get(name)
            other = record is not None and not record.stands_for(item.body_hash)
            if other or bodies.setdefault(name, item.body_hash) != item.body_hash:
                clashes[order.name] = conflict(item.reference, record)
        return known, clashes

    def _lock_key(self, connection: sa.Connection, key: int) -> int:
        nonce: int = connection.execute(
            sa.select(keys.c.next_nonce).where(keys.c.id == key).with_for_update()
        ).scalar_one()
        return nonce


def conflict(reference: str, record: Record | None) -> IdempotencyConflictError:
    """The refusal of a reference that stands for something else.

    Args:
        reference: Which.
        record: What it stands for; None if that is ordered at this very moment.
    """
    if record is not None:
        steps.conflict(reference, record)
    what = "" if record is None else f", {record.verb},"
    return IdempotencyConflictError(
        f"The reference {reference!r} stands for another order{what} already; nothing "
        f"was sent for this one. `resolve({reference!r})` says what became of the first; use a "
        "new reference for a new order."
    )


def _travelling(
    record: Record, item: Item, order: Order, signed: SignedTransaction
) -> dict[str, Any]:
    """A payment that is there already, and travels in a batch from now on."""
    return {
        "row": record.id,
        "new_carrier": signed.write,
        "new_verb": item.verb,
        "new_body_hash": item.body_hash,
        "new_contract": order.contract,
        "new_subject": item.subject,
        "new_valid_before": _longest(record, item),
    }


def _longest(record: Record, now: Order | Item) -> int | None:
    """What was signed before may count longer than what is signed now."""
    return max((each for each in (record.valid_before, now.valid_before) if each), default=None)


def put_outcomes(connection: sa.Connection, outcomes: Sequence[Outcome]) -> None:
    """Write down what became of writes."""
    now = now_ms()
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
        .where(writes.c.id == sa.bindparam("row"), writes.c.state < State.FINAL)
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


def move(
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
    return bool(connection.execute(update.values(state=new, changed_ms=now_ms())).rowcount)
