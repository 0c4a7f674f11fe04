"""What the tokens' events change: money that moves, is made and destroyed, and other holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from tael import events as ev
from tael.index.books import checksummed
from tael.index.kinds import Kind
from tael.index.logs import prefix_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tael.index.entries import Entries

__all__ = ["TokenEvents"]

_ZERO = bytes(20)
# The database takes an enumeration for something else than a number, and much longer.
_TRANSFER, _SCHEME_FEE = int(Kind.TRANSFER), int(Kind.SCHEME_FEE)
_HOLD, _EXECUTE_HOLD = int(Kind.HOLD), int(Kind.EXECUTE_HOLD)

Values = tuple[Any, ...]


class _Announcement(NamedTuple):
    """What an event says of the `Transfer` that must follow it at once."""

    kind: int
    token: int
    subject: bytes
    sender: bytes
    recipient: bytes | None = None
    amount: bytes | None = None


class TokenEvents:
    """Applies the tokens' events.

    Args:
        entries: Where what they change is booked.

    Attributes:
        acts: What to do with the values of an event, by its prefix.
    """

    def __init__(self, entries: Entries) -> None:
        self._entries = entries
        self._announced: _Announcement | None = None
        self.acts: Mapping[int, Callable[[Values, int], None]] = {
            prefix_of(ev.topic_of(kind)): act
            for kind, act in (
                (ev.Transfer, self._transferred),
                (ev.AuthorizationUsed, self._authorization_used),
                (ev.Issued, self._issued),
                (ev.Redeemed, self._redeemed),
                (ev.TransferForced, self._transfer_forced),
                (ev.HoldPlaced, self._hold_placed),
                (ev.HoldExecuted, self._hold_executed),
                (ev.AccountAdmitted, self._account_admitted),
            )
        }

    def end_transaction(self) -> None:
        """Make sure that everything moved that had to.

        Raises:
            LedgerError: A transfer is missing.
        """
        if self._entries.owed or self._entries.fees or self._announced is not None:
            raise self._entries.contradiction("a transfer that must have followed is missing")

    def _issued(self, values: Values, token: int) -> None:
        _, reference, participant, amount = values
        self._announce(Kind.ISSUE, token, reference, _ZERO, participant, amount)

    def _redeemed(self, values: Values, token: int) -> None:
        _, reference, participant, amount = values
        self._announce(Kind.REDEEM, token, reference, participant, _ZERO, amount)

    def _authorization_used(self, values: Values, token: int) -> None:
        _, authorizer, nonce = values
        self._announce(Kind.TRANSFER, token, nonce, authorizer)

    def _transfer_forced(self, values: Values, token: int) -> None:
        _, sender, recipient, amount, reason_hash = values
        self._announce(Kind.FORCE_TRANSFER, token, reason_hash, sender, recipient, amount)

    def _announce(self, kind: Kind, *about: Any) -> None:
        self.end_transaction()
        self._announced = _Announcement(int(kind), *about)

    def _transferred(self, values: Values, token: int) -> None:
        _, sender, recipient, word = values
        announced, entries = self._announced, self._entries
        amount = int.from_bytes(word, "big")
        if announced is None:
            if (entries.owed or entries.fees) and self._settle(token, sender, recipient, amount):
                return
            if _ZERO in (sender, recipient):
                raise entries.contradiction("money was made or destroyed without a word")
            self._move(token, sender, recipient, amount, _TRANSFER, None)
            return
        self._announced = None
        if announced.token != token or any(
            said is not None and said != found
            for said, found in zip(announced[3:], (sender, recipient, word), strict=True)
        ):
            raise entries.contradiction("a transfer is not the one that was announced")
        self._move(token, sender, recipient, amount, announced.kind, bytearray(announced.subject))

    def _settle(self, token: int, sender: bytes, recipient: bytes, amount: int) -> bool:
        """Whether a transfer moves what payments owe; these have their movements already."""
        entries = self._entries
        debtor = entries.account(token, sender)
        creditor = entries.account(token, recipient)
        pair = (debtor, creditor)
        owed = entries.owed.get(pair)
        if owed is not None:
            if amount > owed:
                raise entries.contradiction(f"{amount} was transferred where {owed} was owed")
            if amount == owed:
                del entries.owed[pair]
            else:
                entries.owed[pair] = owed - amount
            return True
        fee = entries.fees.get(debtor)
        if fee is None or recipient != entries.deployed.scheme_account:
            return False
        if amount != fee:
            raise entries.contradiction(f"{amount} was transferred where the scheme earned {fee}")
        del entries.fees[debtor]
        entries.move(creditor, _SCHEME_FEE, debtor, amount)
        return True

    def _move(
        self,
        token: int,
        sender: bytes,
        recipient: bytes,
        amount: int,
        kind: int,
        subject: bytearray | None,
    ) -> None:
        entries = self._entries
        debtor = None if sender == _ZERO else entries.account(token, sender)
        creditor = None if recipient == _ZERO else entries.account(token, recipient)
        if not amount:
            return
        if debtor is not None:
            entries.move(debtor, kind, creditor, -amount, subject=subject)
        if creditor is not None:
            entries.move(creditor, kind, debtor, amount, subject=subject)

    def _hold_placed(self, values: Values, token: int) -> None:
        _, module, participant, word = values
        self._reserve(token, module, participant, _HOLD, int.from_bytes(word, "big"))

    def _hold_executed(self, values: Values, token: int) -> None:
        # What is paid of it leaves available again by the transfers that follow.
        _, module, participant, word, _released = values
        self._reserve(token, module, participant, _EXECUTE_HOLD, -int.from_bytes(word, "big"))

    def _reserve(
        self, token: int, module: bytes, participant: bytes, kind: int, amount: int
    ) -> None:
        entries, name = self._entries, checksummed(module)
        account = entries.account(token, participant)
        holder = entries.account(token, module)
        reserved = account.reserved.get(name, 0) + amount
        if reserved < 0:
            raise entries.contradiction(f"{name} would hold {reserved}")
        account.reserved[name] = reserved
        if amount:
            entries.move(account, kind, holder, -amount, amount)

    def _account_admitted(self, values: Values, token: int) -> None:
        self._entries.account(token, values[1])
