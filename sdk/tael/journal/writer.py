"""Inserting and updating writes, within a transaction that somebody else has begun."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from tael.journal.records import (
    Fate,
    Item,
    Name,
    Order,
    Record,
    SignedTransaction,
    WriteState,
)
from tael.journal.rows import now_ms
from tael.store.tables import transactions, writes

# Made once: that takes longer than to carry them out.
_PUT_ITEM = sa.insert(writes)
_PUT_ITEM_AGAIN = (
    sa.update(writes)
    # What is done stays done; the rest travels anew.
    .where(writes.c.id == sa.bindparam("row"), writes.c.state < WriteState.INCLUDED)
    .values(
        carrier=sa.bindparam("new_carrier"),
        verb=sa.bindparam("new_verb"),
        body_hash=sa.bindparam("new_body_hash"),
        contract=sa.bindparam("new_contract"),
        subject=sa.bindparam("new_subject"),
        valid_before=sa.bindparam("new_valid_before"),
        state=WriteState.SIGNED,
    )
)


class JournalWriter:
    """Inserts and updates; the caller has begun the transaction, and holds the locks it takes.

    Args:
        chain: The chain's row in the store.
    """

    def __init__(self, chain: int) -> None:
        self._chain = chain

    def insert(
        self, connection: sa.Connection, orders: Sequence[Order], state: WriteState
    ) -> list[Record]:
        """Insert orders that are in no row yet."""
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

    def put_signed(
        self,
        connection: sa.Connection,
        key: int,
        signed: Sequence[tuple[Order, SignedTransaction]],
        known: Mapping[Name, Record],
        fresh: Set[Name],
    ) -> list[SignedTransaction]:
        """Insert what was signed, and bind the orders and the payments in them to it.

        Args:
            connection: In whose transaction.
            key: The row of the key that signed.
            signed: Orders with the transaction of each.
            known: What the journal has of them and of their payments.
            fresh: The orders that were inserted just now.
        """
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
            [(known[order.name], order) for order, _ in signed if order.name not in fresh],
        )
        self._put_items(connection, signed, known)
        return [replace(each, id=row) for row, (_, each) in zip(rows, signed, strict=True)]

    def _bind(self, connection: sa.Connection, pairs: Sequence[tuple[Record, Order]]) -> None:
        """Sign writes that are there already: for this body from now on, if they were free."""
        if not pairs:
            return
        connection.execute(
            sa.update(writes)
            .where(writes.c.id == sa.bindparam("row"))
            .values(
                state=WriteState.SIGNED,
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
        signed: Sequence[tuple[Order, SignedTransaction]],
        known: Mapping[Name, Record],
    ) -> None:
        now = now_ms()
        new: dict[Name, dict[str, Any]] = {}
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
                    "state": WriteState.SIGNED,
                    "repeated": False,
                    "created_ms": now,
                    "changed_ms": now,
                }
        if new:
            connection.execute(_PUT_ITEM, list(new.values()))
        if again:
            connection.execute(_PUT_ITEM_AGAIN, again)


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
