"""Which reference opened which payment, as it was read from the chain."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from tael.store.tables import openings, scans

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tael.store import Store

_CHUNK = 500


class OpenedPaymentsTable:
    """The payments that were opened at one escrow, in a store.

    Args:
        store: The database.
        chain: The chain's row in it.
        contract: The escrow.
    """

    def __init__(self, store: Store, chain: int, contract: str) -> None:
        self._store = store
        self._chain = chain
        self._contract = contract

    def next_block(self, issuer: str) -> int | None:
        """The first block that was not read; None if none was."""
        query = sa.select(scans.c.next_block).where(*self._scan(issuer))
        with self._store.read() as connection:
            return connection.execute(query).scalar()

    def find(self, issuer: str, reference_hashes: Sequence[bytes]) -> dict[bytes, bytes]:
        """The payments that references opened."""
        found: dict[bytes, bytes] = {}
        with self._store.read() as connection:
            for start in range(0, len(reference_hashes), _CHUNK):
                query = sa.select(openings.c.reference_hash, openings.c.payment_id).where(
                    openings.c.chain == self._chain,
                    openings.c.issuer == issuer,
                    openings.c.reference_hash.in_(reference_hashes[start : start + _CHUNK]),
                )
                found |= {bytes(key): bytes(value) for key, value in connection.execute(query)}
        return found

    def put(self, issuer: str, found: Mapping[bytes, bytes], next_block: int) -> None:
        """Add what was read, and how far."""
        with self._store.write() as connection:
            rows = [
                {
                    "chain": self._chain,
                    "issuer": issuer,
                    "reference_hash": key,
                    "payment_id": value,
                }
                for key, value in found.items()
            ]
            if rows:
                insert = self._store.insert(openings)
                connection.execute(
                    insert.on_conflict_do_update(
                        index_elements=["chain", "issuer", "reference_hash"],
                        set_={"payment_id": insert.excluded.payment_id},
                    ),
                    rows,
                )
            insert = self._store.insert(scans)
            connection.execute(
                insert.values(
                    chain=self._chain,
                    contract=self._contract,
                    issuer=issuer,
                    next_block=next_block,
                ).on_conflict_do_update(
                    index_elements=["chain", "contract", "issuer"],
                    set_={"next_block": next_block},
                )
            )

    def _scan(self, issuer: str) -> tuple[Any, ...]:
        return (
            scans.c.chain == self._chain,
            scans.c.contract == self._contract,
            scans.c.issuer == issuer,
        )
