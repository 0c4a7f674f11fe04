"""Movements as they are booked: an account changes, and a row says so."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from tael.addresses import checksummed
from tael.errors import LedgerError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tael.events import Event
    from tael.index.accounts import Account, Accounts
    from tael.index.additions import Rows
    from tael.index.logs import Values
    from tael.index.rows import Deployed

__all__ = ["Announcement", "Entries"]


class Announcement(NamedTuple):
    """What an event says of one that must follow it: of a token's `Transfer`, or of a hold.

    Attributes:
        kind: What the movement is, instead of what it would be without a word.
        token: `contracts.id` of the token.
        event: What must follow.
        parameters: Of it, as its log is cut; None for one that may be anything.
        subject: 32 bytes that name what it is for; None without one.
    """

    kind: int
    token: int
    event: type[Event]
    parameters: Sequence[bytes | None]
    subject: bytes | None = None


class Entries:
    """Books movements, one after the other.

    Attributes:
        deployed: What they are of.
        accounts: Which change. After an error they are worth nothing.
        rows: Where the movements are collected.
        receipt: The key of the receipt at hand.
        log_index: Of the log at hand.
        transaction_hash: Of the transaction at hand.
        owed: What payments of the transaction at hand have still to move, by debtor and creditor.
        fees: What they have still to pay to a scheme, by debtor and the scheme's account.
        announced: What must follow before anything else does, in this order.
    """

    def __init__(self, deployed: Deployed, accounts: Accounts, rows: Rows) -> None:
        self.deployed = deployed
        self.accounts = accounts
        self.rows = rows
        self.receipt = 0
        self.log_index = 0
        self.transaction_hash = b""
        self.owed: dict[tuple[Account, Account], int] = {}
        self.fees: dict[tuple[Account, bytes], int] = {}
        self.announced: deque[Announcement] = deque()
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
        return self.accounts.account(token, participant, self.receipt)

    def announce(self, *announcements: Announcement) -> None:
        """Say what must follow at once, in this order.

        Raises:
            LedgerError: Something else has to follow first.
        """
        self.require_settled()
        self.announced.extend(announcements)

    def take_announced(self, token: int, event: type[Event], values: Values) -> Announcement:
        """What was said of the event at hand; ask only if anything is announced.

        Raises:
            LedgerError: Another event was announced.
        """
        found = self.announced.popleft()
        if (found.token, found.event) != (token, event) or any(
            said not in (None, is_) for said, is_ in zip(found.parameters, values[1:], strict=True)
        ):
            raise self.contradiction(f"a {event.__name__} is not what was announced")
        return found

    def require_settled(self) -> None:
        """Make sure that everything moved that had to.

        Raises:
            LedgerError: A transfer is missing.
        """
        if self.owed or self.fees or self.announced:
            raise self.contradiction("a transfer that must have followed is missing")

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
