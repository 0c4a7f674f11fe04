"""What an index says, by names that do not depend on when its rows were written."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from tael.index import ReceiptStatus
from tael.index.logs import restore, unpack
from tael.index.opening_logs import opening_logs
from tael.index.reading import Index
from tael.store.tables import balances, blocks, holds, receipts


def contents(index: Index) -> dict[str, Any]:
    """Everything but how it came about: two indexes of the same chain give the same."""
    mine = index.deployed.id
    with index.snapshot() as connection:
        names = {
            row.account: (row.participant, row.token)
            for row in connection.execute(sa.select(balances))
        }
        held = {
            (*names[row.account], row.module): row.amount
            for row in connection.execute(sa.select(holds).where(holds.c.deployment == mine))
        }
        logs = []
        for row in connection.execute(
            sa.select(receipts, blocks.c.hash, blocks.c.number, blocks.c.time)
            .join(
                blocks,
                sa.and_(
                    blocks.c.id == receipts.c.block, blocks.c.deployment == receipts.c.deployment
                ),
            )
            .where(receipts.c.deployment == mine, receipts.c.status == ReceiptStatus.STANDS)
            .order_by(receipts.c.id)
        ).all():
            numbers = [log.payment for log in unpack(row.logs) if log.payment is not None]
            rests = opening_logs(connection, index.deployed, numbers)
            whole = restore(row.logs, rests.__getitem__)
            logs.append((row.number, row.hash, row.time, row.transaction_hash, whole))
        moved = {
            (account.participant, account.currency): list(
                index.movements(account.participant, account.currency, connection=connection)
            )
            for account in index.balances(connection=connection)
            if account.participant not in index.manifest.addresses
        }
        return {
            "balances": index.balances(connection=connection),
            "holds": held,
            "logs": logs,
            "payments": list(index.payments(connection=connection)),
            "movements": moved,
            "status": (index.status(connection).block_number, index.status(connection).block_hash),
        }
