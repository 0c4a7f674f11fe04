"""Which deployment an index is of: found by its manifest, or set up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import sqlalchemy as sa

from tael.addresses import checksummed
from tael.errors import IndexStateError
from tael.index.kinds import LAYOUT
from tael.index.rows import ESCROW, Deployed, Header
from tael.store.tables import (
    balances,
    blocks,
    chains,
    contracts,
    deployments,
    holds,
    movements,
    payments,
    receipts,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tael.client import Client
    from tael.manifest import Manifest
    from tael.store import Store

__all__ = ["Cursor", "erase", "find", "read_cursor", "set_up"]

_EMPTY = {"final_number": -1, "next_block": 1, "next_receipt": 1}
_REBUILT = (blocks, receipts, payments, movements, balances, holds, contracts)


class Cursor(NamedTuple):
    """How far an index has come.

    Attributes:
        block: The last block that is in it; None before the first.
        final_number: The last block that cannot be taken back any more; -1 if none is.
        next_block: Key of the next block.
        next_receipt: Key of the next receipt.
    """

    block: Header | None
    final_number: int
    next_block: int
    next_receipt: int


def find(connection: sa.Connection, manifest: Manifest) -> Deployed | None:
    """The index of a deployment; None if nobody began one.

    Raises:
        IndexStateError: It is of another version, or of other contracts.
    """
    row = connection.execute(_query(manifest)).first()
    if row is None:
        return None
    if row.layout != LAYOUT:
        raise IndexStateError(
            f"the index was made by another version (layout {row.layout}, not {LAYOUT}): run "
            "`tael index rebuild`"
        )
    known = {
        each.id: (each.currency, each.address)
        for each in connection.execute(sa.select(contracts).where(contracts.c.deployment == row.id))
    }
    tokens = {number: address for number, (_, address) in known.items() if number != ESCROW}
    if {known[number] for number in tokens} != set(manifest.tokens.items()):
        raise IndexStateError(
            "the manifest has other currencies than the index was made for: run "
            "`tael index rebuild`"
        )
    return Deployed(
        row.id, row.escrow, tokens, bytes.fromhex(row.scheme_account[2:]), row.scheme_bps
    )


def set_up(store: Store, client: Client) -> Deployed:
    """Begin the index of a client's deployment, or find it.

    Raises:
        IndexStateError: There is one already, of another version or of other contracts.
        NodeUnavailableError: The node did not answer properly.
    """
    manifest = client.manifest
    with store.read() as connection:
        found = find(connection, manifest)
    if found is not None:
        return found
    escrow = client.contract("PaymentEscrow")
    scheme_account, scheme_bps = client.read_many(
        [(escrow, "schemeAccount", ()), (escrow, "schemeBps", ())]
    )
    with store.write() as connection:
        chain = _put(
            store,
            connection,
            chains,
            {"chain_id": manifest.chain_id, "genesis_hash": manifest.genesis_hash},
        )
        deployment = _put(
            store,
            connection,
            deployments,
            {"chain": chain, "escrow": manifest.escrow},
            first_block=manifest.first_block,
            scheme_account=checksummed(scheme_account),
            scheme_bps=scheme_bps,
            layout=LAYOUT,
            **_EMPTY,
        )
        _put_contracts(store, connection, deployment, manifest)
        found = find(connection, manifest)
    if found is None:
        raise IndexStateError("the index was taken away while it was begun; begin again")
    return found


def erase(store: Store, manifest: Manifest) -> bool:
    """Forget everything the index of a deployment has; subscriptions stay.

    Returns:
        Whether there was one.
    """
    with store.write() as connection:
        row = connection.execute(_query(manifest)).first()
        if row is None:
            return False
        for table in _REBUILT:
            connection.execute(sa.delete(table).where(table.c.deployment == row.id))
        connection.execute(
            sa.update(deployments)
            .where(deployments.c.id == row.id)
            .values(layout=LAYOUT, block_number=None, block_hash=None, block_time=None, **_EMPTY)
        )
        _put_contracts(store, connection, row.id, manifest)
    return True


def read_cursor(connection: sa.Connection, deployment: int, *, lock: bool = False) -> Cursor:
    """How far an index has come.

    Args:
        connection: In a transaction.
        deployment: `deployments.id`.
        lock: Whether nobody else may move it until the transaction ends.
    """
    query = sa.select(deployments).where(deployments.c.id == deployment)
    row = connection.execute(query.with_for_update() if lock else query).one()
    block = (
        None
        if row.block_number is None
        else Header(row.block_number, row.block_hash, None, row.block_time)
    )
    return Cursor(block, row.final_number, row.next_block, row.next_receipt)


def _query(manifest: Manifest) -> sa.Select[Any]:
    return (
        sa.select(deployments)
        .join(chains, chains.c.id == deployments.c.chain)
        .where(
            chains.c.chain_id == manifest.chain_id,
            chains.c.genesis_hash == manifest.genesis_hash,
            deployments.c.escrow == manifest.escrow,
        )
    )


def _put(
    store: Store,
    connection: sa.Connection,
    table: sa.Table,
    key: Mapping[str, Any],
    **more: Any,
) -> int:
    """The id of a row, added if it is not there."""
    connection.execute(
        store.insert(table).values(**key, **more).on_conflict_do_nothing(index_elements=list(key))
    )
    query = sa.select(table.c.id).where(*(table.c[name] == value for name, value in key.items()))
    return int(connection.execute(query).scalar_one())


def _put_contracts(
    store: Store, connection: sa.Connection, deployment: int, manifest: Manifest
) -> None:
    connection.execute(
        store.insert(contracts).on_conflict_do_nothing(index_elements=["deployment", "id"]),
        [
            {"deployment": deployment, "id": number, "address": address, "currency": currency}
            for number, (currency, address) in enumerate(
                [(None, manifest.escrow), *manifest.tokens.items()]
            )
        ],
    )
