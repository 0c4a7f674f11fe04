"""What the escrow's events change: the holds and the money of payments.

The token says nothing of the escrow's holds, and pays many captures by one `Transfer`. So what a
payment moved is taken from these events and the payment's terms, and is owed until the transfers
that follow have come to the same, to the last unit: a log that is missing or altered is noticed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tael import events as ev
from tael.index.books import Payment, checksummed
from tael.index.kinds import Kind
from tael.index.logs import pack_number, prefix_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tael.index.entries import Entries

__all__ = ["PaymentEvents"]

BPS = 10_000

# The database takes an enumeration for something else than a number, and much longer.
_AUTHORIZE, _CHARGE, _CAPTURE = int(Kind.AUTHORIZE), int(Kind.CHARGE), int(Kind.CAPTURE)
_VOID, _RECLAIM, _REFUND = int(Kind.VOID), int(Kind.RECLAIM), int(Kind.REFUND)

Values = tuple[Any, ...]


class PaymentEvents:
    """Applies the escrow's events.

    Args:
        entries: Where what they change is booked.

    Attributes:
        acts: What to do with the values of an event, by its prefix; what is given back stands for
            the rest of the log.
    """

    def __init__(self, entries: Entries) -> None:
        self._entries = entries
        self._books = entries.books
        self._scheme_account = entries.deployed.scheme_account
        self._scheme_bps = entries.deployed.scheme_bps
        self._tokens = {
            bytes.fromhex(address[2:]): number
            for number, address in entries.deployed.tokens.items()
        }
        self.acts: Mapping[int, Callable[[Values, int], bytes | None]] = {
            prefix_of(ev.topic_of(kind)): act
            for kind, act in (
                (ev.PaymentAuthorized, self._authorized),
                (ev.PaymentCharged, self._charged),
                (ev.PaymentCaptured, self._captured),
                (ev.PaymentVoided, self._voided),
                (ev.PaymentReclaimed, self._reclaimed),
                (ev.PaymentRefunded, self._refunded),
            )
        }

    def _authorized(self, values: Values, _: int) -> bytes:
        payment = self._open(values, is_charged=False)
        amount, number = payment.amount, payment.number
        self._entries.pay(
            payment.issuer, _AUTHORIZE, payment.acquirer, -amount, amount, number, amount, 0
        )
        return pack_number(number)

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
            raise self._wrong_total("captured", total, id_, before)
        payment.captured = total
        self._entries.rows.changed[payment.number] = payment
        self._pay(payment, _CAPTURE, before, total)

    def _voided(self, values: Values, _: int) -> None:
        self._give_back(values, _VOID)

    def _reclaimed(self, values: Values, _: int) -> None:
        self._give_back(values, _RECLAIM)

    def _refunded(self, values: Values, _: int) -> None:
        _, id_, total = values
        payment, entries = self._find(id_), self._entries
        before, bps, number = payment.refunded, payment.interchange_bps, payment.number
        if not before < total <= payment.captured:
            raise self._wrong_total("refunded", total, id_, before)
        payment.refunded = total
        entries.rows.changed[number] = payment
        issuer, acquirer = payment.issuer, payment.acquirer
        gross = total - before
        interchange = total * bps // BPS - before * bps // BPS
        net = gross - interchange
        entries.pay(acquirer, _REFUND, issuer, -net, 0, number, gross, interchange)
        entries.pay(issuer, _REFUND, acquirer, net, 0, number, gross, interchange)
        if net:
            pair = (acquirer, issuer)
            entries.owed[pair] = entries.owed.get(pair, 0) + net

    def _open(self, values: Values, *, is_charged: bool) -> Payment:
        _, id_, issuer, acquirer, token, terms = values
        books, entries = self._books, self._entries
        if id_ in books.payments:
            raise entries.contradiction(f"payment 0x{id_.hex()} is opened twice")
        contract = self._tokens.get(token)
        if contract is None:
            raise entries.contradiction(f"token {checksummed(token)} is not in the manifest")
        number = books.next_payment
        books.next_payment = number + 1
        debtor, creditor = entries.account(contract, issuer), entries.account(contract, acquirer)
        amount = int.from_bytes(terms[84:92], "big")
        payment = Payment(number, debtor, creditor, amount, int.from_bytes(terms[92:94], "big"))
        payment.row = (
            entries.deployed.id,
            number,
            bytearray(id_),
            entries.receipt,
            entries.log_index,
            int(is_charged),
            debtor.number,
            creditor.number,
            amount,
            bytearray(terms[96:112]),
            bytearray(terms),
        )
        books.payments[id_] = payment
        entries.rows.opened.append(payment)
        return payment

    def _pay(self, payment: Payment, kind: int, before: int, total: int) -> None:
        """Move what a capture or charge adds; the fee is moved by its transfer."""
        issuer, acquirer, number = payment.issuer, payment.acquirer, payment.number
        entries, bps = self._entries, payment.interchange_bps
        gross = total - before
        interchange = total * bps // BPS - before * bps // BPS
        bps = self._scheme_bps
        fee = total * bps // BPS - before * bps // BPS
        net = gross - interchange - fee
        if kind == _CAPTURE:
            entries.pay(issuer, kind, acquirer, interchange, -gross, number, gross, interchange)
        else:
            entries.pay(issuer, kind, acquirer, interchange - gross, 0, number, gross, interchange)
        if acquirer.participant == self._scheme_account:
            # Its fee comes back to it, and the two transfers cannot be told apart.
            net, fee = net + fee, 0
        if net:
            entries.pay(acquirer, kind, issuer, net, 0, number, gross, interchange)
            owed, pair = entries.owed, (issuer, acquirer)
            owed[pair] = owed.get(pair, 0) + net
        if fee:
            entries.fees[issuer] = entries.fees.get(issuer, 0) + fee

    def _give_back(self, values: Values, kind: int) -> None:
        _, id_, total = values
        payment = self._find(id_)
        amount = total - payment.voided
        if not 0 < amount <= payment.amount - payment.captured - payment.voided:
            raise self._wrong_total("voided", total, id_, payment.voided)
        payment.voided = total
        number = payment.number
        self._entries.rows.changed[number] = payment
        self._entries.pay(
            payment.issuer, kind, payment.acquirer, amount, -amount, number, amount, 0
        )

    def _find(self, id_: bytes) -> Payment:
        payment = self._books.payments.get(id_)
        if payment is None:
            raise self._entries.contradiction(f"payment 0x{id_.hex()} was never opened")
        return payment

    def _wrong_total(self, what: str, total: int, id_: bytes, before: int) -> Exception:
        return self._entries.contradiction(
            f"{total} {what} of payment 0x{id_.hex()} after {before}"
        )
