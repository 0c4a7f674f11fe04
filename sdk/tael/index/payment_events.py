"""What the escrow's events change: the holds and the money of payments.

The token says nothing of the escrow's holds, and pays many captures by one `Transfer`. So what a
payment moved is taken from these events and the payment's terms, and is owed until the transfers
that follow have come to the same, to the last unit: a log that is missing or altered is noticed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tael import events as ev
from tael.addresses import checksummed
from tael.contracts.escrow import PAYMENT_ESCROW
from tael.contracts.token import SETTLEMENT_TOKEN
from tael.index.accounts import Payment
from tael.index.handlers import ContractEvents, handles, register
from tael.index.logs import pack_number
from tael.index.movement_kinds import MovementKind

if TYPE_CHECKING:
    from tael.index.entries import Entries
    from tael.index.logs import Values
    from tael.index.rows import IndexedContract

__all__ = ["LATER", "OPENING", "PaymentEvents"]

OPENING = (ev.PaymentAuthorized, ev.PaymentCharged)
LATER = (ev.PaymentCaptured, ev.PaymentVoided, ev.PaymentReclaimed, ev.PaymentRefunded)
"""The events of payments that were opened before."""

BPS = 10_000

# The database takes an enumeration for something else than a number, and much longer.
_AUTHORIZE, _CHARGE, _CAPTURE = (
    int(MovementKind.AUTHORIZE),
    int(MovementKind.CHARGE),
    int(MovementKind.CAPTURE),
)
_VOID, _RECLAIM, _REFUND = (
    int(MovementKind.VOID),
    int(MovementKind.RECLAIM),
    int(MovementKind.REFUND),
)


@register(
    PAYMENT_ESCROW,
    constants=("schemeAccount", "schemeBps"),
    without_effect=(
        *(ev.TokenAdmitted, ev.DelegateSet, ev.MerchantSet, ev.AcceptanceSet, ev.CardSet),
        *(ev.PaymentSkipped, ev.AuthorityUpdated, ev.EIP712DomainChanged),
    ),
)
class PaymentEvents(ContractEvents):
    """Applies an escrow's events."""

    def __init__(self, entries: Entries, contract: IndexedContract) -> None:
        super().__init__(entries, contract)
        self._accounts = entries.accounts
        self._escrow = contract.number
        self._scheme_account = bytes.fromhex(contract.constants["schemeAccount"][2:])
        self._scheme_bps = int(contract.constants["schemeBps"])
        self._tokens = {
            bytes.fromhex(token.address[2:]): token.number
            for token in entries.deployed.of_kind(SETTLEMENT_TOKEN)
        }

    @handles(ev.PaymentAuthorized)
    def authorized(self, values: Values) -> bytes:
        """An amount is held for a payment."""
        payment = self._open(values, is_charged=False)
        amount, number = payment.amount, payment.number
        held, own = payment.issuer.escrowed, self._escrow
        held[own] = held.get(own, 0) + amount
        self.entries.pay(
            payment.issuer, _AUTHORIZE, payment.acquirer, -amount, amount, number, amount, 0
        )
        return pack_number(number)

    @handles(ev.PaymentCharged)
    def charged(self, values: Values) -> bytes:
        """A payment is paid at once."""
        payment = self._open(values, is_charged=True)
        payment.captured = payment.amount
        self._pay(payment, _CHARGE, 0, payment.amount)
        return pack_number(payment.number)

    @handles(ev.PaymentCaptured)
    def captured(self, values: Values) -> None:
        """More of a payment is paid out of its hold."""
        _, id_, word = values
        payment, total = self._find(id_), int.from_bytes(word, "big")
        before = payment.captured
        if not before < total <= payment.amount - payment.voided:
            raise self._wrong_total("captured", total, id_, before)
        payment.captured = total
        self.entries.rows.changed[payment.number] = payment
        self._pay(payment, _CAPTURE, before, total)

    @handles(ev.PaymentVoided)
    def voided(self, values: Values) -> None:
        """More of a payment's hold is given back."""
        self._give_back(values, _VOID)

    @handles(ev.PaymentReclaimed)
    def reclaimed(self, values: Values) -> None:
        """The rest of a payment's hold is given back."""
        self._give_back(values, _RECLAIM)

    @handles(ev.PaymentRefunded)
    def refunded(self, values: Values) -> None:
        """More of a payment is paid back."""
        _, id_, word = values
        payment, entries, total = self._find(id_), self.entries, int.from_bytes(word, "big")
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
        accounts, entries = self._accounts, self.entries
        if id_ in accounts.payments:
            raise entries.contradiction(f"payment 0x{id_.hex()} is opened twice")
        contract = self._tokens.get(token)
        if contract is None:
            raise entries.contradiction(f"token {checksummed(token)} is not in the manifest")
        number = accounts.next_payment
        accounts.next_payment = number + 1
        debtor, creditor = entries.account(contract, issuer), entries.account(contract, acquirer)
        amount = int.from_bytes(terms[84:92], "big")
        payment = Payment(
            number, self._escrow, debtor, creditor, amount, int.from_bytes(terms[92:94], "big")
        )
        payment.row = (
            entries.deployed.id,
            number,
            self._escrow,
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
        accounts.payments[id_] = payment
        entries.rows.opened.append(payment)
        return payment

    def _pay(self, payment: Payment, kind: int, before: int, total: int) -> None:
        """Move what a capture or charge adds; the fee is moved by its transfer."""
        issuer, acquirer, number = payment.issuer, payment.acquirer, payment.number
        entries, bps = self.entries, payment.interchange_bps
        gross = total - before
        interchange = total * bps // BPS - before * bps // BPS
        bps = self._scheme_bps
        fee = total * bps // BPS - before * bps // BPS
        net = gross - interchange - fee
        if kind == _CAPTURE:
            issuer.escrowed[self._escrow] -= gross
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
            fees, earned = entries.fees, (issuer, self._scheme_account)
            fees[earned] = fees.get(earned, 0) + fee

    def _give_back(self, values: Values, kind: int) -> None:
        _, id_, word = values
        payment, total = self._find(id_), int.from_bytes(word, "big")
        amount = total - payment.voided
        if not 0 < amount <= payment.amount - payment.captured - payment.voided:
            raise self._wrong_total("voided", total, id_, payment.voided)
        payment.voided = total
        number = payment.number
        self.entries.rows.changed[number] = payment
        payment.issuer.escrowed[self._escrow] -= amount
        self.entries.pay(payment.issuer, kind, payment.acquirer, amount, -amount, number, amount, 0)

    def _find(self, id_: bytes) -> Payment:
        payment = self._accounts.payments.get(id_)
        if payment is None or payment.escrow != self._escrow:
            raise self.entries.contradiction(
                f"payment 0x{id_.hex()} was never opened in escrow {self.contract.address}"
            )
        return payment

    def _wrong_total(self, what: str, total: int, id_: bytes, before: int) -> Exception:
        return self.entries.contradiction(f"{total} {what} of payment 0x{id_.hex()} after {before}")
