"""The part of the index that is kept in memory: every account, and the payments used last."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from tael.addresses import checksummed
from tael.store.tables import balances, holds, payments

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Account", "Books", "Payment", "checksummed"]

MAX_PAYMENTS = 50_000
"""How many payments stay in memory: most are captured soon after they were opened."""
_CHUNK = 500


class Account:
    """What one participant has in one currency; amounts in minor units.

    Attributes:
        number: `balances.account`.
        token: `contracts.id` of the currency's token.
        participant: 20 bytes.
        first_receipt: That names it.
        movements: How many it had.
        is_changed: Whether its row in the database is old.
        reserved: Part of `held` that modules other than the escrow hold, by module.
    """

    __slots__ = (
        "available",
        "first_receipt",
        "held",
        "is_changed",
        "movements",
        "number",
        "participant",
        "reserved",
        "token",
    )

    def __init__(self, number: int, token: int, participant: bytes, first_receipt: int) -> None:
        self.number = number
        self.token = token
        self.participant = participant
        self.first_receipt = first_receipt
        self.available = 0
        self.held = 0
        self.movements = 0
        self.is_changed = True
        self.reserved: dict[str, int] = {}


class Payment:
    """What later verbs need of a payment, and its totals; amounts in minor units.

    Attributes:
        number: `payments.number`.
        row: The rest of its row as long as it is not in the database.
    """

    __slots__ = (
        "acquirer",
        "amount",
        "captured",
        "interchange_bps",
        "issuer",
        "number",
        "refunded",
        "row",
        "voided",
    )

    def __init__(
        self, number: int, issuer: Account, acquirer: Account, amount: int, interchange_bps: int
    ) -> None:
        self.number = number
        self.issuer = issuer
        self.acquirer = acquirer
        self.amount = amount
        self.interchange_bps = interchange_bps
        self.captured = 0
        self.voided = 0
        self.refunded = 0
        self.row: tuple[object, ...] = ()


class Books:
    """Accounts and payments as they stand after the last receipt.

    Attributes:
        accounts: By token (`contracts.id`) and participant (20 bytes).
        numbered: The same by their number.
        payments: The ones used last, by id.
        next_payment: The number of the next payment.
    """

    def __init__(self, deployment: int, tokens: Iterable[int]) -> None:
        self.deployment = deployment
        self.accounts: dict[int, dict[bytes, Account]] = {token: {} for token in tokens}
        self.numbered: dict[int, Account] = {}
        self.payments: dict[bytes, Payment] = {}
        self.next_payment = 1

    @classmethod
    def load(
        cls, connection: sa.Connection, deployment: int, tokens: Iterable[int], escrow: str
    ) -> Books:
        """Read what the database has."""
        books = cls(deployment, tokens)
        for row in connection.execute(
            sa.select(balances).where(balances.c.deployment == deployment)
        ):
            account = Account(
                row.account, row.token, bytes.fromhex(row.participant[2:]), row.first_receipt
            )
            account.available, account.held = row.available, row.held
            account.movements, account.is_changed = row.movements, False
            books.accounts[row.token][account.participant] = account
            books.numbered[row.account] = account
        for hold in connection.execute(
            sa.select(holds).where(holds.c.deployment == deployment, holds.c.module != escrow)
        ):
            books.numbered[hold.account].reserved[hold.module] = hold.amount
        last = connection.execute(
            sa.select(sa.func.max(payments.c.number)).where(payments.c.deployment == deployment)
        ).scalar()
        books.next_payment = (last or 0) + 1
        return books

    def account(self, token: int, participant: bytes, receipt: int) -> Account:
        """An account, made if nobody named it before `receipt`."""
        of_token = self.accounts[token]
        found = of_token.get(participant)
        if found is None:
            number = len(self.numbered) + 1
            found = of_token[participant] = Account(number, token, participant, receipt)
            self.numbered[number] = found
        return found

    def fetch(self, connection: sa.Connection, ids: Iterable[bytes]) -> None:
        """Bring payments into memory; ids that nobody knows are left out."""
        wanted = list(ids)
        for start in range(0, len(wanted), _CHUNK):
            for row in connection.execute(
                sa.select(payments).where(
                    payments.c.deployment == self.deployment,
                    payments.c.id.in_(wanted[start : start + _CHUNK]),
                )
            ):
                payment = Payment(
                    row.number,
                    self.numbered[row.issuer],
                    self.numbered[row.acquirer],
                    row.amount,
                    int.from_bytes(row.terms[92:94], "big"),
                )
                payment.captured, payment.voided = row.captured, row.voided
                payment.refunded = row.refunded
                self.payments[row.id] = payment

    def forget_old_payments(self) -> None:
        """Keep the payments used last."""
        surplus = len(self.payments) - MAX_PAYMENTS
        if surplus > 0:
            for id_ in list(self.payments)[:surplus]:
                del self.payments[id_]
