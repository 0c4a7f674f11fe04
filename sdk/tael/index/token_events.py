"""What a token's events change: money that moves, is made and destroyed, and holds of modules.

An escrow that a token admitted as an ordinary module has its holds announced by the token as well.
They are booked by its payments; here only what the token keeps under the escrow's name is counted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tael import events as ev
from tael.addresses import checksummed
from tael.contracts.escrow import PAYMENT_ESCROW
from tael.contracts.token import SETTLEMENT_TOKEN
from tael.index.entries import Announcement
from tael.index.handlers import ContractEvents, handles, register
from tael.index.movement_kinds import MovementKind

if TYPE_CHECKING:
    from tael.index.entries import Entries
    from tael.index.logs import Values
    from tael.index.rows import IndexedContract

__all__ = ["TokenEvents"]

_ZERO = bytes(20)
# The database takes an enumeration for something else than a number, and much longer.
_TRANSFER, _SCHEME_FEE = int(MovementKind.TRANSFER), int(MovementKind.SCHEME_FEE)


@register(
    SETTLEMENT_TOKEN,
    without_effect=(
        *(ev.AccountSuspended, ev.AccountReinstated, ev.AccountClosed, ev.Approval),
        *(ev.ReserveAttested, ev.AuthorizationCanceled, ev.Paused, ev.Unpaused),
        *(ev.EscrowAdmitted, ev.ModuleAdmitted, ev.ModuleCutOff),
        *(ev.AuthorityUpdated, ev.EIP712DomainChanged),
    ),
)
class TokenEvents(ContractEvents):
    """Applies a token's events."""

    def __init__(self, entries: Entries, contract: IndexedContract) -> None:
        super().__init__(entries, contract)
        self._token = contract.number
        self._escrows = {
            bytes.fromhex(each.address[2:]) for each in entries.deployed.of_kind(PAYMENT_ESCROW)
        }

    @handles(ev.Issued)
    def issued(self, values: Values) -> None:
        """Money is made by the transfer that follows."""
        _, reference, participant, amount = values
        self._announce(MovementKind.ISSUE, reference, _ZERO, participant, amount)

    @handles(ev.Redeemed)
    def redeemed(self, values: Values) -> None:
        """Money is destroyed by the transfer that follows."""
        _, reference, participant, amount = values
        self._announce(MovementKind.REDEEM, reference, participant, _ZERO, amount)

    @handles(ev.AuthorizationUsed)
    def authorization_used(self, values: Values) -> None:
        """The transfer that follows was signed."""
        _, authorizer, nonce = values
        self._announce(MovementKind.TRANSFER, nonce, authorizer, None, None)

    @handles(ev.TransferForced)
    def transfer_forced(self, values: Values) -> None:
        """The transfer that follows was ordered."""
        _, sender, recipient, amount, reason_hash = values
        self._announce(MovementKind.FORCE_TRANSFER, reason_hash, sender, recipient, amount)

    @handles(ev.Transfer)
    def transferred(self, values: Values) -> None:
        """Money moves."""
        _, sender, recipient, word = values
        entries, amount = self.entries, int.from_bytes(word, "big")
        if entries.announced:
            announced = entries.take_announced(self._token, ev.Transfer, values)
            self._move(sender, recipient, amount, announced.kind, announced.subject)
            return
        if (entries.owed or entries.fees) and self._settle(sender, recipient, amount):
            return
        if _ZERO in (sender, recipient):
            raise entries.contradiction("money was made or destroyed without a word")
        self._move(sender, recipient, amount, _TRANSFER, None)

    @handles(ev.HoldPlaced)
    def hold_placed(self, values: Values) -> None:
        """A module holds more."""
        amount = int.from_bytes(values[3], "big")
        self._reserve(ev.HoldPlaced, values, MovementKind.HOLD, amount)

    @handles(ev.HoldExecuted)
    def hold_executed(self, values: Values) -> None:
        """A module holds less; what is paid of it leaves available by the transfers that follow."""
        amount = int.from_bytes(values[3], "big")
        self._reserve(ev.HoldExecuted, values, MovementKind.EXECUTE_HOLD, -amount)

    @handles(ev.AccountAdmitted)
    def account_admitted(self, values: Values) -> None:
        """There is an account, with nothing in it."""
        self.entries.account(self._token, values[1])

    def _announce(self, kind: MovementKind, subject: bytes, *parameters: bytes | None) -> None:
        self.entries.announce(
            Announcement(int(kind), self._token, ev.Transfer, parameters, subject)
        )

    def _settle(self, sender: bytes, recipient: bytes, amount: int) -> bool:
        """Whether a transfer moves what payments owe; these have their movements already."""
        entries, token = self.entries, self._token
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
        fee = entries.fees.get((debtor, recipient))
        if fee is None:
            return False
        if amount != fee:
            raise entries.contradiction(f"{amount} was transferred where the scheme earned {fee}")
        del entries.fees[debtor, recipient]
        entries.move(creditor, _SCHEME_FEE, debtor, amount)
        return True

    def _move(
        self, sender: bytes, recipient: bytes, amount: int, kind: int, subject: bytes | None
    ) -> None:
        entries, token = self.entries, self._token
        debtor = None if sender == _ZERO else entries.account(token, sender)
        creditor = None if recipient == _ZERO else entries.account(token, recipient)
        if not amount:
            return
        if debtor is not None:
            entries.move(debtor, kind, creditor, -amount, subject=_named(subject))
        if creditor is not None:
            entries.move(creditor, kind, debtor, amount, subject=_named(subject))

    def _reserve(
        self, event: type[ev.Event], values: Values, kind: MovementKind, amount: int
    ) -> None:
        entries, module, name = self.entries, values[1], checksummed(values[1])
        account = entries.account(self._token, values[2])
        reserved = account.reserved.get(name, 0) + amount
        if reserved < 0:
            raise entries.contradiction(f"{name} would hold {reserved}")
        account.reserved[name] = reserved
        account.is_changed = True
        number, subject = int(kind), None
        if entries.announced:
            announced = entries.take_announced(self._token, event, values)
            number, subject = announced.kind, announced.subject
        if module in self._escrows:
            return
        holder = entries.account(self._token, module)
        if amount:
            entries.move(account, number, holder, -amount, amount, _named(subject))


def _named(subject: bytes | None) -> bytearray | None:
    # SQLite's driver takes four times as long over `bytes`.
    return None if subject is None else bytearray(subject)
