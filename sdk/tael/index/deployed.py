"""Which deployment an index is of: found by its manifest, or set up."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

import sqlalchemy as sa

from tael.contracts.calls import Contract
from tael.contracts.kinds import KEY_SEPARATOR
from tael.contracts.token import SETTLEMENT_TOKEN
from tael.errors import IndexStateError
from tael.index.handlers import handlers_of, handlers_of_number
from tael.index.movement_kinds import LAYOUT
from tael.index.rows import Deployed, Header, IndexedContract
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
        each.id: IndexedContract(
            each.id,
            handlers_of_number(each.kind).kind.name,
            each.address,
            each.currency,
            json.loads(each.constants),
        )
        for each in connection.execute(sa.select(contracts).where(contracts.c.deployment == row.id))
    }
    if not known:
        # Erased, and not begun again.
        return None
    if {(each.kind, each.address, each.currency) for each in known.values()} != set(
        _read_contracts(manifest)
    ):
        raise IndexStateError(
            "the manifest has other contracts than the index was made for: run `tael index rebuild`"
        )
    return Deployed(row.id, known)


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
    rows = _contract_rows(client)
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
            layout=LAYOUT,
            **_EMPTY,
        )
        connection.execute(
            store.insert(contracts).on_conflict_do_nothing(index_elements=["deployment", "id"]),
            [{"deployment": deployment, **each} for each in rows],
        )
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


def _read_contracts(manifest: Manifest) -> list[tuple[str, str, str | None]]:
    """Kind, address and currency of each contract whose logs count.

    Raises:
        IndexStateError: The index knows nothing of such a contract.
    """
    return [
        (each.contract, each.address, key.partition(KEY_SEPARATOR)[2] if is_token else None)
        for key, each in manifest.contracts.items()
        if handlers_of(each.contract).is_read
        for is_token in [each.contract == SETTLEMENT_TOKEN.name]
    ]


def _contract_rows(client: Client) -> list[dict[str, Any]]:
    found = _read_contracts(client.manifest)
    asked = [
        (number, Contract(kind, address), name)
        for number, (kind, address, _) in enumerate(found)
        for name in handlers_of(kind).constants
    ]
    answers = client.read_many([(contract, name, ()) for _, contract, name in asked])
    constants: list[dict[str, Any]] = [{} for _ in found]
    for (number, _, name), answer in zip(asked, answers, strict=True):
        constants[number][name] = answer
    return [
        {
            "id": number,
            "kind": handlers_of(kind).kind.number,
            "address": address,
            "currency": currency,
            "constants": json.dumps(constants[number]),
        }
        for number, (kind, address, currency) in enumerate(found)
    ]
