"""The index."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from tael.store.tables.common import Amount

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """The index."""
    op.create_table(
        "balances",
        sa.Column(
            "deployment", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("account", sa.Integer(), nullable=False),
        sa.Column("token", sa.SmallInteger(), nullable=False, comment="contracts.id"),
        sa.Column("participant", sa.String(length=42), nullable=False),
        sa.Column("available", Amount(), nullable=False),
        sa.Column("held", Amount(), nullable=False),
        sa.Column("movements", sa.BigInteger(), nullable=False, comment="how many"),
        sa.Column("first_receipt", sa.BigInteger(), nullable=False, comment="that names it"),
        sa.PrimaryKeyConstraint("deployment", "account", name=op.f("pk_balances")),
        sa.UniqueConstraint(
            "deployment",
            "token",
            "participant",
            name=op.f("uq_balances_deployment_token_participant"),
        ),
        comment="What each participant has in each currency.",
    )
    op.create_table(
        "blocks",
        sa.Column(
            "deployment", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column(
            "parent",
            sa.LargeBinary(length=32),
            nullable=True,
            comment="null where only its logs were asked for",
        ),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.Column("first_receipt", sa.BigInteger(), nullable=False, comment="or the next block's"),
        sa.Column("receipts", sa.Integer(), nullable=False),
        sa.Column("is_orphan", sa.Boolean(), nullable=False, comment="the chain took it back"),
        sa.PrimaryKeyConstraint("deployment", "id", name=op.f("pk_blocks")),
        comment="Every block with logs of ours, and the last ones without.",
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("blocks", schema=None) as batch_op:
        batch_op.create_index("ix_blocks_deployment_number", ["deployment", "number"], unique=False)
        batch_op.create_index("ix_blocks_deployment_time", ["deployment", "time"], unique=False)

    op.create_table(
        "holds",
        sa.Column(
            "deployment", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("account", sa.Integer(), nullable=False),
        sa.Column(
            "module", sa.String(length=42), nullable=False, comment="the escrow, or another module"
        ),
        sa.Column("amount", Amount(), nullable=False),
        sa.PrimaryKeyConstraint("deployment", "account", "module", name=op.f("pk_holds")),
        comment="Who holds what is held; where nothing is held, no row.",
    )
    op.create_table(
        "movements",
        sa.Column(
            "deployment", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("account", sa.Integer(), nullable=False),
        sa.Column("receipt", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False, comment="of the account, from 1 on"),
        sa.Column("log_index", sa.Integer(), nullable=False),
        sa.Column("kind", sa.SmallInteger(), nullable=False, comment="tael.index.Kind"),
        sa.Column("counterparty", sa.Integer(), nullable=True, comment="balances.account"),
        sa.Column("payment", sa.BigInteger(), nullable=True, comment="payments.number"),
        sa.Column(
            "subject",
            sa.LargeBinary(length=32),
            nullable=True,
            comment="nonce, bank reference or hash of the order, if any",
        ),
        sa.Column(
            "gross", Amount(), nullable=True, comment="of a payment: by how much its total changed"
        ),
        sa.Column("interchange", Amount(), nullable=True, comment="the issuer's share of it"),
        sa.Column("available_change", Amount(), nullable=False),
        sa.Column("held_change", Amount(), nullable=False),
        sa.Column("available", Amount(), nullable=False, comment="after it"),
        sa.Column("held", Amount(), nullable=False, comment="after it"),
        sa.PrimaryKeyConstraint(
            "deployment", "account", "receipt", "number", name=op.f("pk_movements")
        ),
        comment="Every change of what a participant has available or held, in order.",
        sqlite_with_rowid=False,
    )
    op.create_table(
        "payments",
        sa.Column(
            "deployment", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.LargeBinary(length=32), nullable=False),
        sa.Column("receipt", sa.BigInteger(), nullable=False, comment="that opened it"),
        sa.Column("log_index", sa.Integer(), nullable=False),
        sa.Column("is_charged", sa.Boolean(), nullable=False),
        sa.Column("issuer", sa.Integer(), nullable=False, comment="balances.account"),
        sa.Column("acquirer", sa.Integer(), nullable=False, comment="balances.account"),
        sa.Column("amount", Amount(), nullable=False),
        sa.Column("uetr", sa.LargeBinary(length=16), nullable=False),
        sa.Column(
            "terms", sa.LargeBinary(length=128), nullable=False, comment="four words, PackedTerms"
        ),
        sa.Column("captured", Amount(), nullable=False),
        sa.Column("voided", Amount(), nullable=False),
        sa.Column("refunded", Amount(), nullable=False),
        sa.PrimaryKeyConstraint("deployment", "number", name=op.f("pk_payments")),
        sa.UniqueConstraint("deployment", "id", name=op.f("uq_payments_deployment_id")),
        comment="Every payment that was opened, and its totals.",
        sqlite_with_rowid=False,
    )
    op.create_table(
        "receipts",
        sa.Column(
            "deployment", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("block", sa.BigInteger(), nullable=False, comment="blocks.id"),
        sa.Column("transaction_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("logs", sa.LargeBinary(), nullable=False, comment="tael.index.logs reads them"),
        sa.Column("standing", sa.SmallInteger(), nullable=False, comment="tael.index.Standing"),
        sa.PrimaryKeyConstraint("deployment", "id", name=op.f("pk_receipts")),
        comment="Logs by transaction; what the chain took back stays, and a notice follows.",
        sqlite_with_rowid=False,
    )
    op.create_table(
        "subscriptions",
        sa.Column(
            "deployment", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column(
            "receipt", sa.BigInteger(), nullable=False, comment="of the last event acknowledged"
        ),
        sa.Column("log_index", sa.Integer(), nullable=False),
        sa.Column("standing", sa.SmallInteger(), nullable=False),
        sa.Column("block_number", sa.BigInteger(), nullable=False),
        sa.Column(
            "block_hash",
            sa.LargeBinary(length=32),
            nullable=False,
            comment="finds the place after a rebuild",
        ),
        sa.Column("final_only", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("deployment", "name", name=op.f("pk_subscriptions")),
        comment="How far each reader of events has come.",
    )
    op.create_table(
        "deployments",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("chain", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("escrow", sa.String(length=42), nullable=False),
        sa.Column("first_block", sa.BigInteger(), nullable=False),
        sa.Column("scheme_account", sa.String(length=42), nullable=False),
        sa.Column("scheme_bps", sa.Integer(), nullable=False),
        sa.Column(
            "layout", sa.Integer(), nullable=False, comment="of the rows; another one: rebuild"
        ),
        sa.Column(
            "block_number",
            sa.BigInteger(),
            nullable=True,
            comment="the cursor; null before the first block",
        ),
        sa.Column("block_hash", sa.LargeBinary(length=32), nullable=True),
        sa.Column("block_time", sa.BigInteger(), nullable=True),
        sa.Column(
            "final_number", sa.BigInteger(), nullable=False, comment="nothing up to it changes"
        ),
        sa.Column("next_block", sa.BigInteger(), nullable=False),
        sa.Column("next_receipt", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["chain"], ["chains.id"], name=op.f("fk_deployments_chain")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deployments")),
        sa.UniqueConstraint("chain", "escrow", name=op.f("uq_deployments_chain_escrow")),
        comment="What is indexed, and how far: whoever indexes locks its row.",
    )
    op.create_table(
        "contracts",
        sa.Column(
            "deployment", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("id", sa.SmallInteger(), nullable=False, comment="0 is the escrow"),
        sa.Column("address", sa.String(length=42), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=True, comment="of a token"),
        sa.ForeignKeyConstraint(
            ["deployment"], ["deployments.id"], name=op.f("fk_contracts_deployment")
        ),
        sa.PrimaryKeyConstraint("deployment", "id", name=op.f("pk_contracts")),
        comment="The contracts whose logs count.",
    )
    with op.batch_alter_table("writes", schema=None) as batch_op:
        batch_op.create_index(
            "ix_writes_chain_participant_subject", ["chain", "participant", "subject"], unique=False
        )


def downgrade() -> None:
    """Take it back."""
    with op.batch_alter_table("writes", schema=None) as batch_op:
        batch_op.drop_index("ix_writes_chain_participant_subject")

    op.drop_table("contracts")
    op.drop_table("deployments")
    op.drop_table("subscriptions")
    op.drop_table("receipts")
    op.drop_table("payments")
    op.drop_table("movements")
    op.drop_table("holds")
    with op.batch_alter_table("blocks", schema=None) as batch_op:
        batch_op.drop_index("ix_blocks_deployment_time")
        batch_op.drop_index("ix_blocks_deployment_number")

    op.drop_table("blocks")
    op.drop_table("balances")
