"""The index tells kinds of contracts apart, and several escrows.

What an index of before has is of another layout and is made anew by `tael index rebuild`: only how
far subscriptions have come is kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from alembic import op

from tael.store.tables.common import Amount

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from alembic.operations import BatchOperations

revision = "0003"
down_revision = "0002"

_REBUILT = ("blocks", "receipts", "payments", "movements", "balances", "holds", "contracts")
_COMMENTS = {
    "contracts.id": ("0 is the escrow", None),
    "holds.module": ("the escrow, or another module", "an escrow, or another module"),
    "movements.kind": ("tael.index.Kind", "tael.index.MovementKind"),
    "writes.contract": (None, "empty: it creates one"),
    "receipts.status": ("tael.index.Standing", "tael.index.ReceiptStatus"),
}
"""What was said of columns, and is."""


def upgrade() -> None:
    """Kinds of contracts, and several escrows."""
    _empty()
    for table, columns in _added().items():
        with _changing(table) as batch_op:
            for column in columns:
                batch_op.add_column(column)
    with _changing("deployments") as batch_op:
        for column in _moved():
            batch_op.drop_column(column.name)
    _rename("standing", "status")
    _comment(1)


def downgrade() -> None:
    """Take it back."""
    _empty()
    # Whose scheme it was is known when the index is begun anew.
    op.execute("DELETE FROM deployments")
    _comment(0)
    for table, columns in _added().items():
        with _changing(table) as batch_op:
            for column in columns:
                batch_op.drop_column(column.name)
    with _changing("deployments") as batch_op:
        for column in _moved():
            batch_op.add_column(column)
    _rename("status", "standing")


def _added() -> dict[str, list[sa.Column[Any]]]:
    kind = "tael.contracts.registry"
    constants, reserved = "what it says of itself, JSON", "of it, under the module's own name"
    return {
        "contracts": [
            sa.Column("kind", sa.SmallInteger(), nullable=False, comment=kind),
            sa.Column("constants", sa.Text(), nullable=False, comment=constants),
        ],
        "payments": [
            sa.Column("escrow", sa.SmallInteger(), nullable=False, comment="contracts.id")
        ],
        "holds": [sa.Column("reserved", Amount(), nullable=False, comment=reserved)],
    }


def _moved() -> list[sa.Column[Any]]:
    return [
        sa.Column("scheme_account", sa.String(length=42), nullable=False),
        sa.Column("scheme_bps", sa.Integer(), nullable=False),
    ]


def _empty() -> None:
    for table in _REBUILT:
        op.execute(f"DELETE FROM {table}")  # noqa: S608 - names from above
    op.execute(
        "UPDATE deployments SET block_number = NULL, block_hash = NULL, block_time = NULL, "
        "final_number = -1, next_block = 1, next_receipt = 1"
    )


def _changing(table: str) -> AbstractContextManager[BatchOperations]:
    # What alembic copies a table to in SQLite does not know by itself that it has no row numbers.
    kwargs = {"sqlite_with_rowid": False} if table == "payments" else {}
    return op.batch_alter_table(table, schema=None, table_kwargs=kwargs)


def _rename(old: str, new: str) -> None:
    for table in ("receipts", "subscriptions"):
        op.execute(f"ALTER TABLE {table} RENAME COLUMN {old} TO {new}")


def _comment(which: int) -> None:
    if op.get_bind().dialect.name == "postgresql":
        for column, said in _COMMENTS.items():
            text = "NULL" if said[which] is None else f"'{said[which]}'"
            op.execute(f"COMMENT ON COLUMN {column} IS {text}")
