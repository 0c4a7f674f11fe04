"""Taking back what the chain took back: exactly, and with a notice for whoever was told of it."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from tael import events as ev
from tael.addresses import checksummed
from tael.contracts.token import SETTLEMENT_TOKEN
from tael.index.accounts import Accounts
from tael.index.logs import prefix_of, restore, unpack
from tael.index.movement_kinds import MovementKind, ReceiptStatus
from tael.index.opening_logs import opening_logs
from tael.index.writing import insert, put_accounts, put_cursor
from tael.store.tables import balances, blocks, holds, movements, payments, receipts

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tael.index.deployed import Cursor
    from tael.index.rows import Deployed, Header

__all__ = ["undo"]

_PAGE = 200

_TOTALS = {
    MovementKind.CAPTURE: "captured",
    MovementKind.VOID: "voided",
    MovementKind.RECLAIM: "voided",
    MovementKind.REFUND: "refunded",
}

_RESERVING = {
    prefix_of(ev.topic_of(ev.HoldPlaced)): 1,
    prefix_of(ev.topic_of(ev.HoldExecuted)): -1,
}
"""Which events say that a token keeps more, or less, under a module's name."""


def undo(
    connection: sa.Connection, deployed: Deployed, cursor: Cursor, ancestor: Header | None
) -> int:
    """Take the index back to a block that is still on the chain.

    Args:
        connection: In a transaction that holds the lock of the deployment.
        deployed: Whose index.
        cursor: Where it is.
        ancestor: Where to; None takes everything back.

    Returns:
        How many transactions were taken back.
    """
    number = -1 if ancestor is None else ancestor.number
    undone = (
        blocks.c.deployment == deployed.id,
        blocks.c.number > number,
        ~blocks.c.is_orphan,
    )
    first = connection.execute(sa.select(sa.func.min(blocks.c.first_receipt)).where(*undone))
    undoing = _Undoing(connection, deployed, first.scalar() or cursor.next_receipt)
    next_receipt = undoing.give_notice(cursor.next_receipt)
    undoing.take_back_movements()
    undoing.take_back_payments()
    connection.execute(sa.delete(blocks).where(*undone, blocks.c.receipts == 0))
    connection.execute(sa.update(blocks).where(*undone).values(is_orphan=True))
    put_cursor(
        connection,
        deployed.id,
        None,
        ancestor,
        final_number=min(cursor.final_number, number),
        next_block=cursor.next_block,
        next_receipt=next_receipt,
    )
    return next_receipt - cursor.next_receipt


class _Undoing:
    """What follows from the receipts from `first` on is taken back."""

    def __init__(self, connection: sa.Connection, deployed: Deployed, first: int) -> None:
        self._connection = connection
        self._deployed = deployed
        self._first = first
        self._first_payment: int | None = None
        # By how much totals of payments are to be lowered, by number.
        self._totals: dict[int, dict[str, int]] = {}
        self._seen: set[tuple[int, int]] = set()
        # By how much tokens kept more under a module's name, by token, participant and module.
        self._reserved: dict[tuple[int, bytes, str], int] = defaultdict(int)

    def give_notice(self, next_receipt: int) -> int:
        """Mark receipts as undone, and add a notice of each behind all others, the last one first.

        Returns:
            The key of the next receipt.
        """
        deployed, connection = self._deployed, self._connection
        last = next_receipt
        while rows := self._kept_before(last):
            last = rows[-1].id
            rest_of = self._opening_logs(rows)
            whole = {row.id: restore(row.logs, rest_of) for row in rows}
            for logs in whole.values():
                self._count_reserved(logs)
            connection.execute(
                sa.update(receipts)
                .where(
                    receipts.c.deployment == deployed.id, receipts.c.id == sa.bindparam("receipt")
                )
                .values(logs=sa.bindparam("whole"), status=int(ReceiptStatus.UNDONE)),
                [{"receipt": number, "whole": logs} for number, logs in whole.items()],
            )
            notices = [
                (
                    deployed.id,
                    next_receipt + place,
                    row.block,
                    bytearray(row.transaction_hash),
                    bytearray(whole[row.id]),
                    int(ReceiptStatus.NOTICE),
                )
                for place, row in enumerate(rows)
            ]
            insert(connection, receipts, receipts.c.keys(), notices)
            next_receipt += len(notices)
        return next_receipt

    def take_back_movements(self) -> None:
        """Delete movements; balances and holds are what the last ones left say."""
        deployed, connection = self._deployed, self._connection
        accounts = Accounts.load(connection, deployed)
        for (token, participant, module), change in self._reserved.items():
            account = accounts.by_token[token][participant]
            account.reserved[module] = account.reserved.get(module, 0) - change
            account.is_changed = True
        for account in accounts.numbered.values():
            mine = (movements.c.deployment == deployed.id, movements.c.account == account.number)
            undone = (*mine, movements.c.receipt >= self._first)
            rows = connection.execute(
                sa.select(movements, payments.c.escrow)
                .outerjoin(
                    payments,
                    sa.and_(
                        payments.c.deployment == movements.c.deployment,
                        payments.c.number == movements.c.payment,
                    ),
                )
                .where(*undone)
            ).all()
            if not rows:
                continue
            for row in rows:
                self._count(row)
                if row.escrow is not None and row.held_change:
                    before = account.escrowed.get(row.escrow, 0) - row.held_change
                    account.escrowed[row.escrow] = before
            connection.execute(sa.delete(movements).where(*undone))
            last = connection.execute(
                sa.select(movements)
                .where(*mine)
                .order_by(movements.c.receipt.desc(), movements.c.number.desc())
                .limit(1)
            ).first()
            account.available = 0 if last is None else last.available
            account.held = 0 if last is None else last.held
            account.movements = 0 if last is None else last.number
            account.is_changed = True
        put_accounts(connection, accounts)
        new = sa.select(balances.c.account).where(
            balances.c.deployment == deployed.id, balances.c.first_receipt >= self._first
        )
        for table in (holds, balances):
            connection.execute(
                sa.delete(table).where(table.c.deployment == deployed.id, table.c.account.in_(new))
            )

    def take_back_payments(self) -> None:
        """Delete payments that were opened, and lower the totals of older ones."""
        table = payments.c
        mine = table.deployment == self._deployed.id
        if self._first_payment is not None:
            self._connection.execute(
                sa.delete(payments).where(mine, table.number >= self._first_payment)
            )
        for number, lowered in self._totals.items():
            if self._first_payment is not None and number >= self._first_payment:
                continue
            row = self._connection.execute(
                sa.select(payments).where(mine, table.number == number)
            ).one()
            self._connection.execute(
                sa.update(payments)
                .where(mine, table.number == number)
                .values({name: getattr(row, name) - by for name, by in lowered.items()})
            )

    def _count(self, row: Any) -> None:
        # Both banks of a payment have a movement of the same event.
        place = (row.receipt, row.log_index)
        if row.kind in _TOTALS and place not in self._seen:
            self._seen.add(place)
            totals = self._totals.setdefault(row.payment, {})
            name = _TOTALS[MovementKind(row.kind)]
            totals[name] = totals.get(name, 0) + row.gross

    def _count_reserved(self, logs: bytes) -> None:
        for log in unpack(logs):
            if self._deployed.contracts[log.contract].kind != SETTLEMENT_TOKEN.name:
                continue
            sign = _RESERVING.get(log.prefix)
            if sign is not None:
                module, participant = log.rest[12:32], log.rest[44:64]
                amount = int.from_bytes(log.rest[64:96], "big")
                self._reserved[log.contract, participant, checksummed(module)] += sign * amount

    def _kept_before(self, last: int) -> Sequence[Any]:
        return self._connection.execute(
            sa.select(receipts)
            .where(
                receipts.c.deployment == self._deployed.id,
                receipts.c.id >= self._first,
                receipts.c.id < last,
                receipts.c.status == ReceiptStatus.STANDS,
            )
            .order_by(receipts.c.id.desc())
            .limit(_PAGE)
        ).all()

    def _opening_logs(self, rows: Sequence[Any]) -> Callable[[int], bytes]:
        """What gives the rest of the logs that opened payments, by the payment's number."""
        numbers = [
            log.payment for row in rows for log in unpack(row.logs) if log.payment is not None
        ]
        if numbers:
            lowest = min(numbers)
            self._first_payment = min(lowest, self._first_payment or lowest)
        return opening_logs(self._connection, self._deployed, numbers).__getitem__
