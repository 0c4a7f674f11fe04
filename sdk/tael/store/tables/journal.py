"""The journal: what was asked for, what was signed for it, and what became of it."""

from __future__ import annotations

import sqlalchemy as sa

from tael.store.tables.common import Address, Hash, Id, chains, metadata

keys = sa.Table(
    "keys",
    metadata,
    sa.Column("id", Id, primary_key=True),
    sa.Column("chain", sa.ForeignKey(chains.c.id), nullable=False),
    sa.Column("address", Address, nullable=False),
    sa.Column("next_nonce", sa.BigInteger, nullable=False),
    sa.UniqueConstraint("chain", "address"),
    comment="Keys that send; whoever allocates a nonce locks its row.",
)

writes = sa.Table(
    "writes",
    metadata,
    sa.Column("id", Id, primary_key=True),
    sa.Column("chain", sa.ForeignKey(chains.c.id), nullable=False),
    sa.Column("participant", Address, nullable=False),
    sa.Column("reference", sa.String(35), nullable=False),
    sa.Column("part", sa.Integer, nullable=False, comment="0, or a batch's transactions from 1 on"),
    sa.Column("verb", sa.String(64), nullable=False),
    sa.Column("body_hash", sa.LargeBinary(32), nullable=False),
    sa.Column("contract", Address, nullable=False, comment="empty: it creates one"),
    sa.Column("subject", sa.LargeBinary(32)),
    sa.Column("total_minor", sa.String(20), comment="of a capture, void or refund: 64 bits"),
    sa.Column("carrier", sa.ForeignKey("writes.id"), comment="the batch it travels in"),
    sa.Column(
        "valid_before",
        sa.BigInteger,
        comment="chain time from which on no signed message for it counts; null without one",
    ),
    sa.Column("state", sa.SmallInteger, nullable=False, comment="tael.journal.State"),
    sa.Column("transaction_hash", Hash),
    sa.Column("block_number", sa.BigInteger),
    sa.Column("block_hash", Hash),
    sa.Column("log_index", sa.Integer),
    sa.Column("gas_used", sa.BigInteger),
    sa.Column("repeated", sa.Boolean, nullable=False, default=False),
    sa.Column("refusal", sa.LargeBinary, comment="the contract's error, encoded"),
    sa.Column("created_ms", sa.BigInteger, nullable=False),
    sa.Column("changed_ms", sa.BigInteger, nullable=False),
    sa.UniqueConstraint("chain", "participant", "reference", "part"),
    # What is not final is little and looked for often.
    sa.Index(
        "ix_writes_open",
        "chain",
        "id",
        sqlite_where=sa.text("state < 4"),
        postgresql_where=sa.text("state < 4"),
    ),
    sa.Index("ix_writes_carrier", "carrier"),
    # What stands on the chain is found again by its key there: for statements and reconciliation.
    sa.Index("ix_writes_chain_participant_subject", "chain", "participant", "subject"),
    comment="One row per reference: the intent and its result.",
)

transactions = sa.Table(
    "transactions",
    metadata,
    sa.Column("id", Id, primary_key=True),
    sa.Column("key", sa.ForeignKey(keys.c.id), nullable=False),
    sa.Column("nonce", sa.BigInteger, nullable=False),
    sa.Column("hash", Hash, nullable=False),
    sa.Column("raw", sa.LargeBinary, nullable=False),
    sa.Column("write", sa.ForeignKey(writes.c.id), comment="null: it only fills its nonce"),
    sa.Column("state", sa.SmallInteger, nullable=False, comment="tael.journal.Fate"),
    sa.Column("block_number", sa.BigInteger),
    sa.Column("block_hash", Hash),
    sa.Column("created_ms", sa.BigInteger, nullable=False),
    sa.UniqueConstraint("key", "hash"),
    sa.Index("ix_transactions_key_nonce", "key", "nonce"),
    sa.Index("ix_transactions_write", "write"),
    sa.Index(
        "ix_transactions_open",
        "key",
        "state",
        "nonce",
        sqlite_where=sa.text("state < 2"),
        postgresql_where=sa.text("state < 2"),
    ),
    comment="Every transaction that was ever signed, written before anybody saw it.",
)

openings = sa.Table(
    "openings",
    metadata,
    sa.Column("chain", sa.ForeignKey(chains.c.id), primary_key=True),
    sa.Column("issuer", Address, primary_key=True),
    sa.Column("reference_hash", sa.LargeBinary(32), primary_key=True),
    sa.Column("payment_id", sa.LargeBinary(32), nullable=False),
    comment="Which reference opened which payment, read from the chain, not from this journal.",
)

scans = sa.Table(
    "scans",
    metadata,
    sa.Column("chain", sa.ForeignKey(chains.c.id), primary_key=True),
    sa.Column("contract", Address, primary_key=True),
    sa.Column("issuer", Address, primary_key=True),
    sa.Column("next_block", sa.BigInteger, nullable=False),
    comment="How far `openings` was read.",
)

__all__ = ["keys", "openings", "scans", "transactions", "writes"]
