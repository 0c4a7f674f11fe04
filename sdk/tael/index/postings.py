"""What each event changes, and for whom.

The token says nothing of the escrow's holds, and pays many captures by one `Transfer`. So what a
payment moved is taken from the escrow's events and the payment's terms, and the transfers that
follow must come to the same, to the last unit: a log that is missing or altered is noticed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from tael import events as ev
from tael.errors import LedgerError
from tael.index.books import Payment, checksummed
from tael.index.kinds import Kind
from tael.index.logs import pack_number, prefix_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tael.index.books import Account, Books
    from tael.index.rows import Deployed, Rows

__all__ = ["Postings"]

BPS = 10_000

_ZERO = bytes(20)
# The database takes an enumeration for something else than a number, and much longer.
_AUTHORIZE, _CHARGE, _CAPTURE = int(Kind.AUTHORIZE), int(Kind.CHARGE), int(Kind.CAPTURE)
_VOID, _RECLAIM, _REFUND = int(Kind.VOID), int(Kind.RECLAIM), int(Kind.REFUND)
_TRANSFER, _SCHEME_FEE = int(Kind.TRANSFER), int(Kind.SCHEME_FEE)
_HOLD, _EXECUTE_HOLD = int(Kind.HOLD), int(Kind.EXECUTE_HOLD)

Values = tuple[Any, ...]


class _Announcement(NamedTuple):
    """What an event says of the `Transfer` that must follow it at once."""

    kind: Kind
    token: int
    subject: bytes
    sender: bytes
    recipient: bytes | None
    amount: bytes | None


class Postings:
    """Applies events to the books, one after the other, and collects their movements.

    Args:
        deployed: What the events are of.
        books: As they stand before the first event. After an error they are worth nothing.
        rows: Where movements and payments are collected.

    Attributes:
        acts: What to do with the values of an event, by its prefix; what is given back stands for
            the rest of the log.
        receipt: The key of the receipt at hand.
        log_index: Of the log at hand.
        transaction_hash: Of the transaction at hand.
    """

    def __init__(self, deployed: Deployed, books: Books, rows: Rows) -> None:
        self.deployed = deployed
        self.books = books
        self.rows = rows
        self.receipt = 0
        self.log_index = 0
        self.transaction_hash = b""
        self._tokens = {
            bytes.fromhex(address[2:]): number for number, address in deployed.tokens.items()
        }
        # What the payments of the transaction at hand have still to move: between two accounts,
        # and of scheme fees out of one.
        self._owed: dict[tuple[Account, Account], int] = {}
        self._fees: dict[Account, int] = {}
        self._announced: _Announcement | None = None
        self.acts: Mapping[int, Callable[[Values, int], bytes | None]] = {
            prefix_of(ev.topic_of(kind)): act
            for kind, act in (
                (ev.PaymentAuthorized, self._authorized),
                (ev.PaymentCharged, self._charged),
                (ev.PaymentCaptured, self._captured),
                (ev.PaymentVoided, self._voided),
                (ev.PaymentReclaimed, self._reclaimed),
                (ev.PaymentRefunded, self._refunded),
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
        if self._owed or self._fees or self._announced is not None:
            raise self._contradiction("a transfer that must have followed is missing")

    def _contradiction(self, what: str) -> LedgerError:
        transaction = f"transaction 0x{self.transaction_hash.hex()}"
        return LedgerError(
            f"In {transaction}, at log {self.log_index} or before it: {what}. Check that the "
            "manifest has every contract, then run `tael index rebuild`."
        )

    def _change(
        self,
        account: Account,
        kind: int,
        counterparty: Account | None,
        available_change: int,
        held_change: int,
    ) -> tuple[Any, ...]:
        """Change an account, and give what all rows of movements begin with."""
        account.available = available = account.available + available_change
        account.held = held = account.held + held_change
        account.movements = number = account.movements + 1
        account.is_changed = True
        if available < 0 or held < 0:
            raise self._contradiction(
                f"{checksummed(account.participant)} would have {available} available and {held} "
                "held"
            )
        return (
            self.deployed.id,
            account.number,
            self.receipt,
            number,
            self.log_index,
            kind,
            None if counterparty is None else counterparty.number,
            available_change,
            held_change,
            available,
            held,
        )

    # Payments

    def _open(self, values: Values, *, is_charged: bool) -> Payment:
        _, id_, issuer, acquirer, token, terms = values
        books, receipt = self.books, self.receipt
        if id_ in books.payments:
            raise self._contradiction(f"payment 0x{id_.hex()} is opened twice")
        contract = self._tokens.get(token)
        if contract is None:
            raise self._contradiction(f"token {checksummed(token)} is not in the manifest")
        number = books.next_payment
        books.next_payment = number + 1
        debtor = books.account(contract, issuer, receipt)
        creditor = books.account(contract, acquirer, receipt)
        amount = int.from_bytes(terms[84:92], "big")
        payment = Payment(number, debtor, creditor, amount, int.from_bytes(terms[92:94], "big"))
        payment.row = (
            self.deployed.id,
            number,
            bytearray(id_),
            receipt,
            self.log_index,
            int(is_charged),
            debtor.number,
            creditor.number,
            amount,
            bytearray(terms[96:112]),
            bytearray(terms),
        )
        books.payments[id_] = payment
        self.rows.opened.append(payment)
        return payment

    def _authorized(self, values: Values, _: int) -> bytes:
        payment = self._open(values, is_charged=False)
        amount = payment.amount
        self.rows.paid.append(
            (
                *self._change(payment.issuer, _AUTHORIZE, payment.acquirer, -amount, amount),
                payment.number,
                amount,
                0,
            )
        )
        return pack_number(payment.number)

    def _charged(self, values: Values, _: int) -> bytes:
        payment = self._open(values, is_charged=True)
        payment.captured = payment.amount
        self._pay(payment, _CHARGE, 0, payment.amount)
        return pack_number(payment.number)

    def _captured(self, values: Values, _: int) -> None:
        _, id_, total = values
        payment = self._find(id_)
        before = payment.captured
        if not before < total <= payment.amount - payment.voided:
            raise self._contradiction(f"{total} captured of payment 0x{id_.hex()} after {before}")
        payment.captured = total
        self.rows.changed[payment.number] = payment
        self._pay(payment, _CAPTURE, before, total)

    def _pay(self, payment: Payment, kind: int, before: int, total: int) -> None:
        """Move what a capture or charge adds; the fee is moved by its transfer."""
        issuer, acquirer, number = payment.issuer, payment.acquirer, payment.number
        bps = payment.interchange_bps
        gross = total - before
        interchange = total * bps // BPS - before * bps // BPS
        bps = self.deployed.scheme_bps
        fee = total * bps // BPS - before * bps // BPS
        net = gross - interchange - fee
        from_hold = gross if kind == _CAPTURE else 0
        paid = self.rows.paid
        paid.append(
            (
                *self._change(issuer, kind, acquirer, interchange - gross + from_hold, -from_hold),
                number,
                gross,
                interchange,
            )
        )
        if acquirer.participant == self.deployed.scheme_account:
            # Its fee comes back to it, and the two transfers cannot be told apart.
            net, fee = net + fee, 0
        if net:
            paid.append((*self._change(acquirer, kind, issuer, net, 0), number, gross, interchange))
            owed, pair = self._owed, (issuer, acquirer)
            owed[pair] = owed.get(pair, 0) + net
        if fee:
            self._fees[issuer] = self._fees.get(issuer, 0) + fee

    def _voided(self, values: Values, _: int) -> None:
        self._give_back(values, _VOID)

    def _reclaimed(self, values: Values, _: int) -> None:
        self._give_back(values, _RECLAIM)

    def _give_back(self, values: Values, kind: int) -> None:
        _, id_, total = values
        payment = self._find(id_)
        amount = total - payment.voided
        if not 0 < amount <= payment.amount - payment.captured - payment.voided:
            raise self._contradiction(
                f"{total} voided of payment 0x{id_.hex()} after {payment.voided}"
            )
        payment.voided = total
        self.rows.changed[payment.number] = payment
        change = self._change(payment.issuer, kind, payment.acquirer, amount, -amount)
        self.rows.paid.append((*change, payment.number, amount, 0))

    def _refunded(self, values: Values, _: int) -> None:
        _, id_, total = values
        payment = self._find(id_)
        before, bps, number = payment.refunded, payment.interchange_bps, payment.number
        if not before < total <= payment.captured:
            raise self._contradiction(f"{total} refunded of payment 0x{id_.hex()} after {before}")
        payment.refunded = total
        self.rows.changed[number] = payment
        issuer, acquirer = payment.issuer, payment.acquirer
        interchange = total * bps // BPS - before * bps // BPS
        net = total - before - interchange
        more = (number, total - before, interchange)
        self.rows.paid.append((*self._change(acquirer, _REFUND, issuer, -net, 0), *more))
        self.rows.paid.append((*self._change(issuer, _REFUND, acquirer, net, 0), *more))
        if net:
            pair = (acquirer, issuer)
            self._owed[pair] = self._owed.get(pair, 0) + net

    def _find(self, id_: bytes) -> Payment:
        payment = self.books.payments.get(id_)
        if payment is None:
            raise self._contradiction(f"payment 0x{id_.hex()} was never opened")
        return payment

    # Money

    def _issued(self, values: Values, token: int) -> None:
        _, reference, participant, amount = values
        self._announce(Kind.ISSUE, token, reference, _ZERO, participant, amount)

    def _redeemed(self, values: Values, token: int) -> None:
        _, reference, participant, amount = values
        self._announce(Kind.REDEEM, token, reference, participant, _ZERO, amount)

    def _authorization_used(self, values: Values, token: int) -> None:
        _, authorizer, nonce = values
        self._announce(Kind.TRANSFER, token, nonce, authorizer, None, None)

    def _transfer_forced(self, values: Values, token: int) -> None:
        _, sender, recipient, amount, reason_hash = values
        self._announce(Kind.FORCE_TRANSFER, token, reason_hash, sender, recipient, amount)

    def _announce(
        self,
        kind: Kind,
        token: int,
        subject: bytes,
        sender: bytes,
        recipient: bytes | None,
        amount: bytes | None,
    ) -> None:
        self.end_transaction()
        self._announced = _Announcement(kind, token, subject, sender, recipient, amount)

    def _transferred(self, values: Values, token: int) -> None:
        _, sender, recipient, word = values
        amount = int.from_bytes(word, "big")
        announced = self._announced
        if announced is None and self._settle(token, sender, recipient, amount):
            return
        kind, subject = _TRANSFER, None
        if announced is not None:
            self._announced = None
            if announced[1] != token or any(
                said is not None and said != found
                for said, found in zip(announced[3:], (sender, recipient, word), strict=True)
            ):
                raise self._contradiction("a transfer is not the one that was announced")
            kind, subject = int(announced.kind), bytearray(announced.subject)
        elif _ZERO in (sender, recipient):
            raise self._contradiction("money was made or destroyed without a word")
        self._move(token, sender, recipient, amount, kind, subject)

    def _settle(self, token: int, sender: bytes, recipient: bytes, amount: int) -> bool:
        """Whether a transfer moves what payments owe: their movements are there already."""
        if not self._owed and not self._fees:
            return False
        accounts = self.books.accounts[token]
        debtor = accounts.get(sender)
        creditor = (
            self.books.account(token, recipient, self.receipt)
            if recipient == self.deployed.scheme_account
            else accounts.get(recipient)
        )
        if debtor is None or creditor is None:
            return False
        pair = (debtor, creditor)
        owed = self._owed.get(pair)
        if owed is not None:
            if amount > owed:
                raise self._contradiction(f"{amount} was transferred where {owed} was owed")
            if amount == owed:
                del self._owed[pair]
            else:
                self._owed[pair] = owed - amount
            return True
        fee = self._fees.get(debtor)
        if fee is None or recipient != self.deployed.scheme_account:
            return False
        if amount != fee:
            raise self._contradiction(f"{amount} was transferred where the scheme earned {fee}")
        del self._fees[debtor]
        change = self._change(creditor, _SCHEME_FEE, debtor, amount, 0)
        self.rows.moved.append((*change, None))
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
        debtor, creditor = (
            None if each == _ZERO else self.books.account(token, each, self.receipt)
            for each in (sender, recipient)
        )
        for account, other, change in ((debtor, creditor, -amount), (creditor, debtor, amount)):
            if account is not None and change:
                self.rows.moved.append((*self._change(account, kind, other, change, 0), subject))

    # Other modules

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
        books, name = self.books, checksummed(module)
        account = books.account(token, participant, self.receipt)
        holder = books.account(token, module, self.receipt)
        reserved = account.reserved.get(name, 0) + amount
        if reserved < 0:
            raise self._contradiction(f"{name} would hold {reserved}")
        account.reserved[name] = reserved
        if amount:
            change = self._change(account, kind, holder, -amount, amount)
            self.rows.moved.append((*change, None))

    def _account_admitted(self, values: Values, token: int) -> None:
        self.books.account(token, values[1], self.receipt)
