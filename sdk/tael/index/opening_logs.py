"""What is kept of the logs that opened payments: put together again from the payments' rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from tael.index.logs import opening_rest
from tael.store.tables import balances, payments

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tael.index.rows import Deployed

__all__ = ["opening_logs"]


def opening_logs(
    connection: sa.Connection, deployed: Deployed, numbers: Sequence[int]
) -> dict[int, bytes]:
    """The rest of the logs that opened payments, by the payment's number.

    Args:
        connection: To read with.
        deployed: Whose payments.
        numbers: Of the payments; those of one transaction lie beside each other.
    """
    if not numbers:
        return {}
    issuer, acquirer = balances.alias(), balances.alias()
    found = connection.execute(
        sa.select(
            payments.c.number,
            payments.c.id,
            payments.c.terms,
            issuer.c.participant.label("issuer"),
            issuer.c.token,
            acquirer.c.participant.label("acquirer"),
        )
        .join(
            issuer,
            sa.and_(
                issuer.c.deployment == payments.c.deployment,
                issuer.c.account == payments.c.issuer,
            ),
        )
        .join(
            acquirer,
            sa.and_(
                acquirer.c.deployment == payments.c.deployment,
                acquirer.c.account == payments.c.acquirer,
            ),
        )
        .where(
            payments.c.deployment == deployed.id,
            payments.c.number.between(min(numbers), max(numbers)),
        )
    )
    return {
        row.number: opening_rest(
            row.id,
            bytes.fromhex(row.issuer[2:]),
            bytes.fromhex(row.acquirer[2:]),
            bytes.fromhex(deployed.contracts[row.token].address[2:]),
            row.terms,
        )
        for row in found
    }
