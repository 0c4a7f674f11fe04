"""What every part of a store refers to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

if TYPE_CHECKING:
    from decimal import Decimal

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

Bytes32 = sa.LargeBinary(32)
"""What there is so much of that its digits would cost more than they help."""

MAX_INTEGER = 2**63 - 1
"""The largest whole number that SQLite keeps as one."""


class _Untyped(sa.types.UserDefinedType[Any]):
    """A column that keeps what it is given: no other one of SQLite lets large numbers be."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        return "BLOB"


class Amount(sa.types.TypeDecorator[int]):
    """Minor units, exact: a token can hold more than 64 bits count.

    In SQLite an integer, or its digits where it has more than 63 bits.
    """

    impl = sa.Numeric(38, 0)
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> sa.types.TypeEngine[Any]:
        """What the column is made of."""
        return dialect.type_descriptor(
            _Untyped() if dialect.name == "sqlite" else sa.Numeric(38, 0)
        )

    def process_bind_param(self, value: int | None, dialect: sa.Dialect) -> int | str | None:
        """What is stored for a number."""
        wide = value is not None and dialect.name == "sqlite" and abs(value) > MAX_INTEGER
        return str(value) if wide else value

    def process_result_value(
        self, value: int | str | Decimal | None, dialect: sa.Dialect
    ) -> int | None:
        """The number that was stored."""
        del dialect
        return None if value is None else int(value)


chains = sa.Table(
    "chains",
    metadata,
    sa.Column("id", Id, primary_key=True),
    sa.Column("chain_id", sa.BigInteger, nullable=False),
    sa.Column("genesis_hash", Hash, nullable=False),
    sa.UniqueConstraint("chain_id", "genesis_hash"),
    comment="Which chains the other tables speak of: the number alone does not tell two apart.",
)

__all__ = ["MAX_INTEGER", "Address", "Amount", "Bytes32", "Hash", "Id", "chains", "metadata"]
