"""Rows into the database, many at a time, and the cursor with them in one transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from tael.addresses import checksummed
from tael.index.accounts import holds_of
from tael.index.additions import MOVED_COLUMNS, PAID_COLUMNS
from tael.index.movement_kinds import ReceiptStatus
from tael.store.tables import (
    balances,
    blocks,
    deployments,
    holds,
    movements,
    payments,
    receipts,
)
from tael.store.tables.common import MAX_INTEGER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tael.index.accounts import Account, Accounts, Payment
    from tael.index.additions import Rows
    from tael.index.rows import Header

__all__ = ["insert", "put_accounts", "put_cursor", "put_rows"]

KEPT_BLOCKS = 256
"""How many of the last blocks are remembered although nothing happened in them."""

_COPY_ROWS = 5_000
_MANY_LOGS = 1_000
_CACHE_KIB = 65_536
_CHECKPOINT_PAGES = 16_384
_STANDS = int(ReceiptStatus.STANDS)


def put_rows(connection: sa.Connection, deployment: int, rows: Rows, *, wide: bool = False) -> None:
    """Add what logs made.

    Args:
        connection: In a transaction.
        deployment: `deployments.id`.
        rows: What to add.
        wide: Whether to look for numbers that SQLite cannot keep as such; it raises
            `OverflowError` if there are any and nobody looked.
    """
    if connection.dialect.name == "sqlite" and rows.logs >= _MANY_LOGS:
        # A payment's id lands anywhere in its index: pages that wait in memory for the next one of
        # theirs are written once instead of many times.
        connection.exec_driver_sql(f"PRAGMA cache_size = -{_CACHE_KIB}")
        connection.exec_driver_sql(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
    batches: list[tuple[sa.Table, Sequence[str], list[Any]]] = [
        (blocks, blocks.c.keys(), [tuple(each) for each in rows.blocks]),
        (receipts, receipts.c.keys(), [_receipt(each) for each in rows.receipts]),
        (payments, payments.c.keys(), [_payment(each) for each in rows.opened]),
        (movements, PAID_COLUMNS, rows.paid),
        (movements, MOVED_COLUMNS, rows.moved),
    ]
    for table, columns, values in batches:
        insert(connection, table, columns, _narrowed(values) if wide else values)
    new = {each.number for each in rows.opened}
    old = [each for number, each in rows.changed.items() if number not in new]
    _update_payments(connection, deployment, old)


def insert(
    connection: sa.Connection, table: sa.Table, columns: Sequence[str], rows: Sequence[Any]
) -> None:
    """Add rows by the fastest way the database has.

    Args:
        connection: In a transaction.
        table: Where to.
        columns: Which values a row has, in its order.
        rows: Integers, `bytearray` and None; SQLite's driver takes four times as long over `bytes`
            and booleans.
    """
    if not rows:
        return
    names = ", ".join(columns)
    if connection.dialect.name == "sqlite":
        places = ", ".join("?" * len(columns))
        connection.exec_driver_sql(f"INSERT INTO {table} ({names}) VALUES ({places})", rows)  # noqa: S608
        return
    _copy(connection, f"COPY {table} ({names}) FROM STDIN", rows)


def put_accounts(connection: sa.Connection, accounts: Accounts) -> list[Account]:
    """Bring balances and holds up to date.

    Returns:
        The accounts that had changed; mark them once the transaction is through.
    """
    changed = [each for each in accounts.numbered.values() if each.is_changed]
    if not changed:
        return []
    deployed = accounts.deployed
    keys = [{"deployment": deployed.id, "account": each.number} for each in changed]
    for table in (balances, holds):
        connection.execute(
            sa.delete(table).where(
                table.c.deployment == sa.bindparam("deployment"),
                table.c.account == sa.bindparam("account"),
            ),
            keys,
        )
    connection.execute(
        sa.insert(balances),
        [
            {
                "deployment": deployed.id,
                "account": each.number,
                "token": each.token,
                "participant": checksummed(each.participant),
                "available": each.available,
                "held": each.held,
                "movements": each.movements,
                "first_receipt": each.first_receipt,
            }
            for each in changed
        ],
    )
    held = [
        {
            "deployment": deployed.id,
            "account": each.number,
            "module": module,
            "amount": amount,
            "reserved": reserved,
        }
        for each in changed
        for module, amount, reserved in holds_of(each, deployed)
        if amount or reserved
    ]
    if held:
        connection.execute(sa.insert(holds), held)
    return changed


def put_cursor(
    connection: sa.Connection,
    deployment: int,
    before: int | None,
    cursor: Header | None,
    *,
    final_number: int,
    next_block: int,
    next_receipt: int,
) -> None:
    """Move the cursor, and forget the empty blocks that are far behind it.

    Args:
        connection: In a transaction that holds the lock of the deployment.
        deployment: `deployments.id`.
        before: The number of the block the cursor was on.
        cursor: Where it is now; None before the first block.
        final_number: The last block that cannot be taken back any more.
        next_block: Key of the next block.
        next_receipt: Key of the next receipt.
    """
    connection.execute(
        sa.update(deployments)
        .where(deployments.c.id == deployment)
        .values(
            block_number=None if cursor is None else cursor.number,
            block_hash=None if cursor is None else cursor.hash,
            block_time=None if cursor is None else cursor.time,
            final_number=final_number,
            next_block=next_block,
            next_receipt=next_receipt,
        )
    )
    if before is not None and cursor is not None:
        connection.execute(
            sa.delete(blocks).where(
                blocks.c.deployment == deployment,
                blocks.c.number.between(before - KEPT_BLOCKS, cursor.number - KEPT_BLOCKS - 1),
                blocks.c.receipts == 0,
            )
        )


def _receipt(row: tuple[int, int, int, bytes, list[bytes]]) -> tuple[Any, ...]:
    deployment, receipt, block, hash_, pieces = row
    return deployment, receipt, block, bytearray(hash_), bytearray(b"".join(pieces)), _STANDS


def _payment(payment: Payment) -> tuple[Any, ...]:
    return *payment.row, payment.captured, payment.voided, payment.refunded


def _update_payments(
    connection: sa.Connection, deployment: int, changed: Sequence[Payment]
) -> None:
    """Write the totals of payments that are in the table already."""
    if not changed:
        return
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(
            "UPDATE payments SET captured = ?, voided = ?, refunded = ? "
            "WHERE deployment = ? AND number = ?",
            [
                (
                    *(_kept(total) for total in (each.captured, each.voided, each.refunded)),
                    deployment,
                    each.number,
                )
                for each in changed
            ],
        )
        return
    connection.exec_driver_sql(
        "UPDATE payments SET captured = new.captured, voided = new.voided, "
        "refunded = new.refunded FROM unnest(%s::bigint[], %s::numeric[], %s::numeric[], "
        "%s::numeric[]) AS new (number, captured, voided, refunded) "
        "WHERE payments.deployment = %s AND payments.number = new.number",
        (
            [each.number for each in changed],
            [each.captured for each in changed],
            [each.voided for each in changed],
            [each.refunded for each in changed],
            deployment,
        ),
    )


def _copy(connection: sa.Connection, command: str, rows: Sequence[Any]) -> None:
    driver: Any = connection.connection.driver_connection
    numbers = "\t".join(["%d"] * len(rows[0])) + "\n"
    with driver.cursor() as cursor, cursor.copy(command) as copy:
        for start in range(0, len(rows), _COPY_ROWS):
            part = rows[start : start + _COPY_ROWS]
            try:
                # Most rows are numbers alone.
                text = "".join([numbers % row for row in part])
            except TypeError:
                text = "".join([_line(row) for row in part])
            copy.write(text)


def _line(row: Sequence[Any]) -> str:
    return "\t".join([_text(value) for value in row]) + "\n"


def _text(value: int | bytearray | bytes | None) -> str:
    if value is None:
        return r"\N"
    if isinstance(value, int):
        return str(value)
    return r"\\x" + value.hex()


def _narrowed(rows: Sequence[Any]) -> list[tuple[Any, ...]]:
    return [
        tuple(_kept(value) if isinstance(value, int) else value for value in row) for row in rows
    ]


def _kept(number: int) -> int | str:
    """A number as `Amount` keeps it in SQLite."""
    return number if -MAX_INTEGER <= number <= MAX_INTEGER else str(number)
