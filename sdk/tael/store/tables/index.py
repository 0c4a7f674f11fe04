"""The index: what the deployment's logs say, in tables that a fresh database rebuilds.

Everything follows from `receipts`. What a block added can be taken back exactly: rows are deleted
from one receipt on, and the rows that stay say what was before. Numbers count up in the order of
the chain, so that the last rows are the newest and writing is appending.

The rows of one deployment belong together and are written by one process at a time, under the lock
of its row in `deployments`; foreign keys would ask the database the same again for every row.
"""

from __future__ import annotations

import sqlalchemy as sa

from tael.store.tables.common import Address, Amount, Bytes32, Id, chains, metadata

deployments = sa.Table(
    "deployments",
    metadata,
    sa.Column("id", Id, primary_key=True),
    sa.Column("chain", sa.ForeignKey(chains.c.id), nullable=False),
    sa.Column("escrow", Address, nullable=False),
    sa.Column("first_block", sa.BigInteger, nullable=False),
    sa.Column("layout", sa.Integer, nullable=False, comment="of the rows; another one: rebuild"),
    sa.Column("block_number", sa.BigInteger, comment="the cursor; null before the first block"),
    sa.Column("block_hash", Bytes32),
    sa.Column("block_time", sa.BigInteger),
    sa.Column("final_number", sa.BigInteger, nullable=False, comment="nothing up to it changes"),
    sa.Column("next_block", sa.BigInteger, nullable=False),
    sa.Column("next_receipt", sa.BigInteger, nullable=False),
    sa.UniqueConstraint("chain", "escrow"),
    comment="What is indexed, and how far: whoever indexes locks its row.",
)

contracts = sa.Table(
    "contracts",
    metadata,
    sa.Column("deployment", sa.ForeignKey(deployments.c.id), primary_key=True),
    sa.Column("id", sa.SmallInteger, primary_key=True),
    sa.Column("kind", sa.SmallInteger, nullable=False, comment="tael.contracts.registry"),
    sa.Column("address", Address, nullable=False),
    sa.Column("currency", sa.String(3), comment="of a token"),
    sa.Column("constants", sa.Text, nullable=False, comment="what it says of itself, JSON"),
    comment="The contracts whose logs count.",
)

blocks = sa.Table(
    "blocks",
    metadata,
    sa.Column("deployment", Id, primary_key=True),
    sa.Column("id", sa.BigInteger, primary_key=True),
    sa.Column("number", sa.BigInteger, nullable=False),
    sa.Column("hash", Bytes32, nullable=False),
    sa.Column("parent", Bytes32, comment="null where only its logs were asked for"),
    sa.Column("time", sa.BigInteger, nullable=False),
    sa.Column("first_receipt", sa.BigInteger, nullable=False, comment="or the next block's"),
    sa.Column("receipts", sa.Integer, nullable=False),
    sa.Column("is_orphan", sa.Boolean, nullable=False, comment="the chain took it back"),
    sa.Index("ix_blocks_deployment_number", "deployment", "number"),
    sa.Index("ix_blocks_deployment_time", "deployment", "time"),
    comment="Every block with logs of ours, and the last ones without.",
    sqlite_with_rowid=False,
)

receipts = sa.Table(
    "receipts",
    metadata,
    sa.Column("deployment", Id, primary_key=True),
    sa.Column("id", sa.BigInteger, primary_key=True),
    sa.Column("block", sa.BigInteger, nullable=False, comment="blocks.id"),
    sa.Column("transaction_hash", Bytes32, nullable=False),
    sa.Column("logs", sa.LargeBinary, nullable=False, comment="tael.index.logs reads them"),
    sa.Column("status", sa.SmallInteger, nullable=False, comment="tael.index.ReceiptStatus"),
    comment="Logs by transaction; what the chain took back stays, and a notice follows.",
    sqlite_with_rowid=False,
)

balances = sa.Table(
    "balances",
    metadata,
    sa.Column("deployment", Id, primary_key=True),
    sa.Column("account", sa.Integer, primary_key=True),
    sa.Column("token", sa.SmallInteger, nullable=False, comment="contracts.id"),
    sa.Column("participant", Address, nullable=False),
    sa.Column("available", Amount, nullable=False),
    sa.Column("held", Amount, nullable=False),
    sa.Column("movements", sa.BigInteger, nullable=False, comment="how many"),
    sa.Column("first_receipt", sa.BigInteger, nullable=False, comment="that names it"),
    sa.UniqueConstraint("deployment", "token", "participant"),
    comment="What each participant has in each currency.",
)

holds = sa.Table(
    "holds",
    metadata,
    sa.Column("deployment", Id, primary_key=True),
    sa.Column("account", sa.Integer, primary_key=True),
    sa.Column("module", Address, primary_key=True, comment="an escrow, or another module"),
    sa.Column("amount", Amount, nullable=False),
    sa.Column("reserved", Amount, nullable=False, comment="of it, under the module's own name"),
    comment="Who holds what is held; where nothing is held, no row.",
)

payments = sa.Table(
    "payments",
    metadata,
    sa.Column("deployment", Id, primary_key=True),
    sa.Column("number", sa.BigInteger, primary_key=True),
    sa.Column("escrow", sa.SmallInteger, nullable=False, comment="contracts.id"),
    sa.Column("id", Bytes32, nullable=False),
    sa.Column("receipt", sa.BigInteger, nullable=False, comment="that opened it"),
    sa.Column("log_index", sa.Integer, nullable=False),
    sa.Column("is_charged", sa.Boolean, nullable=False),
    sa.Column("issuer", sa.Integer, nullable=False, comment="balances.account"),
    sa.Column("acquirer", sa.Integer, nullable=False, comment="balances.account"),
    sa.Column("amount", Amount, nullable=False),
    sa.Column("uetr", sa.LargeBinary(16), nullable=False),
    sa.Column("terms", sa.LargeBinary(128), nullable=False, comment="four words, PackedTerms"),
    sa.Column("captured", Amount, nullable=False),
    sa.Column("voided", Amount, nullable=False),
    sa.Column("refunded", Amount, nullable=False),
    sa.UniqueConstraint("deployment", "id"),
    comment="Every payment that was opened, and its totals.",
    sqlite_with_rowid=False,
)

movements = sa.Table(
    "movements",
    metadata,
    sa.Column("deployment", Id, primary_key=True),
    sa.Column("account", sa.Integer, primary_key=True),
    sa.Column("receipt", sa.BigInteger, primary_key=True),
    sa.Column("number", sa.BigInteger, primary_key=True, comment="of the account, from 1 on"),
    sa.Column("log_index", sa.Integer, nullable=False),
    sa.Column("kind", sa.SmallInteger, nullable=False, comment="tael.index.MovementKind"),
    sa.Column("counterparty", sa.Integer, comment="balances.account"),
    sa.Column("payment", sa.BigInteger, comment="payments.number"),
    sa.Column("subject", Bytes32, comment="nonce, bank reference or hash of the order, if any"),
    sa.Column("gross", Amount, comment="of a payment: by how much its total changed"),
    sa.Column("interchange", Amount, comment="the issuer's share of it"),
    sa.Column("available_change", Amount, nullable=False),
    sa.Column("held_change", Amount, nullable=False),
    sa.Column("available", Amount, nullable=False, comment="after it"),
    sa.Column("held", Amount, nullable=False, comment="after it"),
    comment="Every change of what a participant has available or held, in order.",
    sqlite_with_rowid=False,
)

subscriptions = sa.Table(
    "subscriptions",
    metadata,
    sa.Column("deployment", Id, primary_key=True),
    sa.Column("name", sa.String(64), primary_key=True),
    sa.Column("receipt", sa.BigInteger, nullable=False, comment="of the last event acknowledged"),
    sa.Column("log_index", sa.Integer, nullable=False),
    sa.Column("status", sa.SmallInteger, nullable=False),
    sa.Column("block_number", sa.BigInteger, nullable=False),
    sa.Column("block_hash", Bytes32, nullable=False, comment="finds the place after a rebuild"),
    sa.Column("final_only", sa.Boolean, nullable=False),
    comment="How far each reader of events has come.",
)

__all__ = [
    "balances",
    "blocks",
    "contracts",
    "deployments",
    "holds",
    "movements",
    "payments",
    "receipts",
    "subscriptions",
]
