"""What a participant calls what stands on the chain: its own references, from its journal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from tael.journal.records import WriteState
from tael.store.tables import chains, writes

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from tael.manifest import Manifest

__all__ = ["References"]

_CHUNK = 400
_OPENING = ("authorize", "charge")


class References:
    """Looks up a participant's references.

    The chain has only salted hashes of them. Where the journal is not in the same database, or
    knows nothing of a write, there is none.

    Args:
        manifest: Of the deployment.
        participant: Whose.
    """

    def __init__(self, manifest: Manifest, participant: str) -> None:
        self._manifest = manifest
        self._participant = participant

    def find(
        self, connection: sa.Connection, wanted: Collection[tuple[bytes, str]]
    ) -> Mapping[tuple[bytes, str], str]:
        """References of some writes.

        Args:
            connection: To read with.
            wanted: Key on the chain (payment id, nonce, bank reference) and transaction hash.

        Returns:
            The reference of the very write where the transaction is known, else the one that
            opened the payment; what has none is left out.
        """
        exact: dict[tuple[bytes, str], str] = {}
        opening: dict[bytes, str] = {}
        subjects = sorted({subject for subject, _ in wanted})
        for start in range(0, len(subjects), _CHUNK):
            for row in connection.execute(
                sa.select(
                    writes.c.subject, writes.c.reference, writes.c.verb, writes.c.transaction_hash
                )
                .join(chains, chains.c.id == writes.c.chain)
                .where(
                    chains.c.chain_id == self._manifest.chain_id,
                    chains.c.genesis_hash == self._manifest.genesis_hash,
                    writes.c.participant == self._participant,
                    writes.c.subject.in_(subjects[start : start + _CHUNK]),
                    writes.c.state != WriteState.REFUSED,
                )
                .order_by(writes.c.id)
            ):
                if row.transaction_hash is not None:
                    exact.setdefault((row.subject, row.transaction_hash), row.reference)
                if row.verb.startswith(_OPENING) or row.subject not in opening:
                    opening[row.subject] = row.reference
        found = {key: exact.get(key) or opening.get(key[0]) for key in wanted}
        return {key: reference for key, reference in found.items() if reference is not None}
