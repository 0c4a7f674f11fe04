"""The journal."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """The journal."""
    op.create_table(
        "chains",
        sa.Column("id", _ID, nullable=False),
        sa.Column("chain_id", sa.BigInteger(), nullable=False),
        sa.Column("genesis_hash", sa.String(length=66), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_chains")),
        sa.UniqueConstraint(
            "chain_id", "genesis_hash", name=op.f("uq_chains_chain_id_genesis_hash")
        ),
        comment="Which chains the other tables speak of: the number alone does not tell two apart.",
    )
    op.create_table(
        "keys",
        sa.Column("id", _ID, nullable=False),
        sa.Column("chain", _ID, nullable=False),
        sa.Column("address", sa.String(length=42), nullable=False),
        sa.Column("next_nonce", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["chain"], ["chains.id"], name=op.f("fk_keys_chain")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_keys")),
        sa.UniqueConstraint("chain", "address", name=op.f("uq_keys_chain_address")),
        comment="Keys that send; whoever allocates a nonce locks its row.",
    )
    op.create_table(
        "openings",
        sa.Column("chain", _ID, nullable=False),
        sa.Column("issuer", sa.String(length=42), nullable=False),
        sa.Column("reference_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("payment_id", sa.LargeBinary(length=32), nullable=False),
        sa.ForeignKeyConstraint(["chain"], ["chains.id"], name=op.f("fk_openings_chain")),
        sa.PrimaryKeyConstraint("chain", "issuer", "reference_hash", name=op.f("pk_openings")),
        comment="Which reference opened which payment, read from the chain, not from this journal.",
    )
    op.create_table(
        "scans",
        sa.Column("chain", _ID, nullable=False),
        sa.Column("contract", sa.String(length=42), nullable=False),
        sa.Column("issuer", sa.String(length=42), nullable=False),
        sa.Column("next_block", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["chain"], ["chains.id"], name=op.f("fk_scans_chain")),
        sa.PrimaryKeyConstraint("chain", "contract", "issuer", name=op.f("pk_scans")),
        comment="How far `openings` was read.",
    )
    op.create_table(
        "writes",
        sa.Column("id", _ID, nullable=False),
        sa.Column("chain", _ID, nullable=False),
        sa.Column("participant", sa.String(length=42), nullable=False),
        sa.Column("reference", sa.String(length=35), nullable=False),
        sa.Column(
            "part", sa.Integer(), nullable=False, comment="0, or a batch's transactions from 1 on"
        ),
        sa.Column("verb", sa.String(length=64), nullable=False),
        sa.Column("body_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("contract", sa.String(length=42), nullable=False),
        sa.Column("subject", sa.LargeBinary(length=32), nullable=True),
        sa.Column(
            "total_minor",
            sa.String(length=20),
            nullable=True,
            comment="of a capture, void or refund: 64 bits",
        ),
        sa.Column("carrier", _ID, nullable=True, comment="the batch it travels in"),
        sa.Column(
            "valid_before",
            sa.BigInteger(),
            nullable=True,
            comment="chain time from which on no signed message for it counts; null without one",
        ),
        sa.Column("state", sa.SmallInteger(), nullable=False, comment="tael.journal.State"),
        sa.Column("transaction_hash", sa.String(length=66), nullable=True),
        sa.Column("block_number", sa.BigInteger(), nullable=True),
        sa.Column("block_hash", sa.String(length=66), nullable=True),
        sa.Column("log_index", sa.Integer(), nullable=True),
        sa.Column("gas_used", sa.BigInteger(), nullable=True),
        sa.Column("repeated", sa.Boolean(), nullable=False),
        sa.Column(
            "refusal", sa.LargeBinary(), nullable=True, comment="the contract's error, encoded"
        ),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("changed_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["carrier"], ["writes.id"], name=op.f("fk_writes_carrier")),
        sa.ForeignKeyConstraint(["chain"], ["chains.id"], name=op.f("fk_writes_chain")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_writes")),
        sa.UniqueConstraint(
            "chain",
            "participant",
            "reference",
            "part",
            name=op.f("uq_writes_chain_participant_reference_part"),
        ),
        comment="One row per reference: the intent and its result.",
    )
    op.create_index("ix_writes_carrier", "writes", ["carrier"], unique=False)
    op.create_index(
        "ix_writes_open",
        "writes",
        ["chain", "id"],
        unique=False,
        sqlite_where=sa.text("state < 4"),
        postgresql_where=sa.text("state < 4"),
    )

    op.create_table(
        "transactions",
        sa.Column("id", _ID, nullable=False),
        sa.Column("key", _ID, nullable=False),
        sa.Column("nonce", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.String(length=66), nullable=False),
        sa.Column("raw", sa.LargeBinary(), nullable=False),
        sa.Column("write", _ID, nullable=True, comment="null: it only fills its nonce"),
        sa.Column("state", sa.SmallInteger(), nullable=False, comment="tael.journal.Fate"),
        sa.Column("block_number", sa.BigInteger(), nullable=True),
        sa.Column("block_hash", sa.String(length=66), nullable=True),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["key"], ["keys.id"], name=op.f("fk_transactions_key")),
        sa.ForeignKeyConstraint(["write"], ["writes.id"], name=op.f("fk_transactions_write")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_transactions")),
        sa.UniqueConstraint("key", "hash", name=op.f("uq_transactions_key_hash")),
        comment="Every transaction that was ever signed, written before anybody saw it.",
    )
    op.create_index("ix_transactions_key_nonce", "transactions", ["key", "nonce"], unique=False)
    op.create_index(
        "ix_transactions_open",
        "transactions",
        ["key", "state", "nonce"],
        unique=False,
        sqlite_where=sa.text("state < 2"),
        postgresql_where=sa.text("state < 2"),
    )
    op.create_index("ix_transactions_write", "transactions", ["write"], unique=False)


def downgrade() -> None:
    """Take it back."""
    op.drop_table("transactions")
    op.drop_table("writes")
    op.drop_table("scans")
    op.drop_table("openings")
    op.drop_table("keys")
    op.drop_table("chains")
