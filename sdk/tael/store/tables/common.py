"""What every part of a store refers to."""

from __future__ import annotations

import sqlalchemy as sa

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
"""SQLite counts up only columns of its own INTEGER type, which has 64 bits too."""

Address = sa.String(42)
"""Checksummed."""

Hash = sa.String(66)
"""0x and 64 digits."""

chains = sa.Table(
    "chains",
    metadata,
    sa.Column("id", Id, primary_key=True),
    sa.Column("chain_id", sa.BigInteger, nullable=False),
    sa.Column("genesis_hash", Hash, nullable=False),
    sa.UniqueConstraint("chain_id", "genesis_hash"),
    comment="Which chains the other tables speak of: the number alone does not tell two apart.",
)

__all__ = ["Address", "Hash", "Id", "chains", "metadata"]
