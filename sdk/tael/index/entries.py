"""Movements as they are booked: an account changes, and a row says so."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tael.errors import LedgerError
from tael.index.books import checksummed

if TYPE_CHECKING:
    from tael.index.books import Account, Books
    from tael.index.rows import Deployed, Rows

__all__ = ["Entries"]


class Entries:
    """Books movements, one after the other.

    Attributes:
        deployed: What they are of.
        books: Whose accounts change. After an error they are worth nothing.
        rows: Where the movements are collected.
        receipt: The key of the receipt at hand.
        log_index: Of the log at hand.
        transaction_hash: Of the transaction at hand.
        owed: What payments of the transaction at hand have still to move, by debtor and creditor.
        fees: What they have still to pay to the scheme, by debtor.
    """

    def __init__(self, deployed: Deployed, books: Books, rows: Rows) -> None:
        self.deployed = deployed
        self.books = books
        self.rows = rows
        self.receipt = 0
        self.log_index = 0
        self.transaction_hash = b""
        self.owed: dict[tuple[Account, Account], int] = {}
        self.fees: dict[Account, int] = {}
        self._id = deployed.id
        self._paid = rows.paid

    def pay(
        self,
        account: Account,
        kind: int,
        counterparty: Account,
        available_change: int,
        held_change: int,
        payment: int,
        gross: int,
        interchange: int,
    ) -> None:
        """Book what a payment changes. The hottest lines of the index: they share nothing."""
        account.available = available = account.available + available_change
        account.held = held = account.held + held_change
        account.movements = number = account.movements + 1
        account.is_changed = True
        if available < 0 or held < 0:
            raise self._overdrawn(account)
        self._paid.append(
            (
                self._id,
                account.number,
                self.receipt,
                number,
                self.log_index,
                kind,
                counterparty.number,
                available_change,
                held_change,
                available,
                held,
                payment,
                gross,
                interchange,
            )
        )

    def move(
        self,
        account: Account,
        kind: int,
        counterparty: Account | None,
        available_change: int,
        held_change: int = 0,
        subject: bytearray | None = None,
    ) -> None:
        """Book what anything else changes."""
        account.available += available_change
        account.held += held_change
        account.movements += 1
        account.is_changed = True
        if account.available < 0 or account.held < 0:
            raise self._overdrawn(account)
        self.rows.moved.append(
            (
                self._id,
                account.number,
                self.receipt,
                account.movements,
                self.log_index,
                kind,
                None if counterparty is None else counterparty.number,
                available_change,
                held_change,
                account.available,
                account.held,
                subject,
            )
        )

    def account(self, token: int, participant: bytes) -> Account:
        """An account, made if nobody named it before."""
        return self.books.account(token, participant, self.receipt)

    def contradiction(self, what: str) -> LedgerError:
        """The error to raise when events do not fit together."""
        transaction = f"transaction 0x{self.transaction_hash.hex()}"
        return LedgerError(
            f"In {transaction}, at log {self.log_index} or before it: {what}. Check that the "
            "manifest has every contract, then run `tael index rebuild`."
        )

    def _overdrawn(self, account: Account) -> LedgerError:
        return self.contradiction(
            f"{checksummed(account.participant)} would have {account.available} available and "
            f"{account.held} held"
        )
