"""The statements that a transaction of the journal is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import sqlalchemy as sa

from tael.journal.reading import Reading
from tael.journal.records import Fate, Order, Outcome, Record, SignedTransaction, State
from tael.journal.rows import now_ms
from tael.store.tables import keys, transactions, writes


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
                changed_ms=now_ms(),
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
        now = now_ms()
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
        if rows:
            connection.execute(self._put_item, rows)

    @cached_property
    def _put_item(self) -> Any:
        # Made once: that takes longer than to carry it out.
        insert = self.store.insert(writes)
        return insert.on_conflict_do_update(
            index_elements=["chain", "participant", "reference", "part"],
            # What is done stays done; the rest travels anew.
            set_={"carrier": insert.excluded.carrier, "state": State.SIGNED},
            where=writes.c.state < State.INCLUDED,
        )

    def _lock_key(self, connection: sa.Connection, key: int) -> int:
        nonce: int = connection.execute(
            sa.select(keys.c.next_nonce).where(keys.c.id == key).with_for_update()
        ).scalar_one()
        return nonce


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
