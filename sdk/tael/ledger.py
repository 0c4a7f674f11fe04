"""The reference ledger: what the contracts' state must be if their events are complete.

Replaying every event since the deployment gives balances, holds, statuses, payments, card
spending, merchants and delegates, without asking the contracts anything. That this equals what the
contracts say is the strongest single proof that the books are right (`tael.audit`), and the way to
rebuild them after a loss.

Pure: no network, integers only. It does not judge whether an event was allowed; where events
contradict each other it raises.
"""

from __future__ import annotations

from functools import singledispatchmethod
from typing import TYPE_CHECKING, TypeVar

from tael import events as ev
from tael.books import LedgerCard, LedgerPayment, LedgerToken
from tael.errors import LedgerError
from tael.models import AccountStatus, EntryStatus

if TYPE_CHECKING:
    from collections.abc import Iterable


__all__ = ["Ledger", "LedgerCard", "LedgerError", "LedgerPayment", "LedgerToken"]

SECONDS_PER_DAY = 86_400

_Key = TypeVar("_Key")

_ZERO_ADDRESS = "0x" + "0" * 40


class Ledger:
    """Books made from events alone.

    Attributes:
        tokens: By token address.
        payments: By payment id.
        cards: By escrow, issuer, card and token.
        merchants: The last `MerchantSet` by escrow and merchant id.
        acceptances: Static limit and status by escrow, merchant id and token.
        delegates: Verbs by escrow, participant and delegate.
        admitted_tokens: Escrow and token.
        position: Where the last applied event stands.

    Example:
        >>> Ledger.replay([]).payments
        {}
    """

    def __init__(self) -> None:
        self.tokens: dict[str, LedgerToken] = {}
        self.payments: dict[bytes, LedgerPayment] = {}
        self.cards: dict[tuple[str, str, str, str], LedgerCard] = {}
        self.merchants: dict[tuple[str, bytes], ev.MerchantSet] = {}
        self.acceptances: dict[tuple[str, bytes, str], tuple[int, EntryStatus]] = {}
        self.delegates: dict[tuple[str, str, str], int] = {}
        self.admitted_tokens: set[tuple[str, str]] = set()
        self.position: ev.Position | None = None

    @classmethod
    def replay(cls, events: Iterable[ev.Event]) -> Ledger:
        """Build the books from events in the order of the chain.

        Args:
            events: Of all tokens and the escrow, since their deployment, with the timestamp of the
                block at those that open, void or reclaim a payment.

        Raises:
            LedgerError: They contradict each other.
        """
        ledger = cls()
        for event in events:
            ledger.apply(event)
        return ledger

    def apply(self, event: ev.Event) -> None:
        """Apply the next event.

        Raises:
            LedgerError: It stands before the last one, or contradicts the books.
        """
        at = event.at
        if self.position is not None:
            last = (self.position.block_number, self.position.log_index)
            if (at.block_number, at.log_index) <= last:
                raise LedgerError(
                    f"Log {at.log_index} of block {at.block_number} comes after log {last[1]} of "
                    f"block {last[0]}; replay in the order of the chain, each event once."
                )
        self._apply(event)
        self.position = at

    def check(self) -> list[str]:
        """What does not add up inside the books, in words; empty when everything does.

        Supply is what was issued less what was redeemed, and the sum of the balances; nobody's
        available is negative.
        """
        findings = []
        for address, token in self.tokens.items():
            if token.issued_minor != token.supply_minor:
                findings.append(
                    f"{address}: supply {token.supply_minor}, issued {token.issued_minor}"
                )
            total = sum(token.balances.values())
            if total != token.supply_minor:
                findings.append(f"{address}: supply {token.supply_minor}, balances {total}")
            findings += [
                f"{address}: {participant} has available {token.available_of(participant)}"
                for participant in token.balances
                if token.available_of(participant) < 0
            ]
        return findings

    def open_payments(self) -> dict[bytes, LedgerPayment]:
        """The payments for which something is still set aside, by id."""
        return {id_: payment for id_, payment in self.payments.items() if payment.held_minor}

    @singledispatchmethod
    def _apply(self, event: ev.Event) -> None:
        """Events without a meaning for the books: approvals, governance, skipped payments."""

    # Accounts

    @_apply.register
    def _(self, event: ev.AccountAdmitted) -> None:
        self._token(event).statuses[event.participant] = AccountStatus.ACTIVE

    @_apply.register
    def _(self, event: ev.AccountSuspended) -> None:
        self._token(event).statuses[event.participant] = AccountStatus.SUSPENDED

    @_apply.register
    def _(self, event: ev.AccountReinstated) -> None:
        self._token(event).statuses[event.participant] = AccountStatus.ACTIVE

    @_apply.register
    def _(self, event: ev.AccountClosed) -> None:
        self._token(event).statuses[event.participant] = AccountStatus.CLOSED

    # Money

    @_apply.register
    def _(self, event: ev.Transfer) -> None:
        token = self._token(event)
        for participant, change in (
            (event.sender, -event.amount_minor),
            (event.recipient, event.amount_minor),
        ):
            if participant == _ZERO_ADDRESS:
                token.supply_minor -= change
                continue
            balance = token.balances.get(participant, 0) + change
            if balance < 0:
                raise LedgerError(f"{participant} would own {balance} after {event}")
            token.balances[participant] = balance

    @_apply.register
    def _(self, event: ev.ReserveAttested) -> None:
        values = (event.amount_minor, event.valid_before, event.document_hash)
        self._token(event).attestation = values

    @_apply.register
    def _(self, event: ev.Issued) -> None:
        token = self._token(event)
        token.issued_minor += event.amount_minor
        _add_once(token.issued, event.bank_reference, event)

    @_apply.register
    def _(self, event: ev.Redeemed) -> None:
        token = self._token(event)
        token.issued_minor -= event.amount_minor
        _add_once(token.redeemed, (event.participant, event.bank_reference), event)

    @_apply.register
    def _(self, event: ev.AuthorizationUsed) -> None:
        _add_once(self._token(event).consumed, (event.authorizer, event.nonce), event)

    @_apply.register
    def _(self, event: ev.AuthorizationCanceled) -> None:
        _add_once(self._token(event).consumed, (event.authorizer, event.nonce), event)

    # Stopping, modules

    @_apply.register
    def _(self, event: ev.Paused) -> None:
        self._token(event).paused = True

    @_apply.register
    def _(self, event: ev.Unpaused) -> None:
        self._token(event).paused = False

    @_apply.register
    def _(self, event: ev.EscrowAdmitted) -> None:
        self._token(event).escrow = event.escrow

    @_apply.register
    def _(self, event: ev.ModuleAdmitted) -> None:
        self._token(event).modules.add(event.module)

    @_apply.register
    def _(self, event: ev.ModuleCutOff) -> None:
        token = self._token(event)
        if token.escrow == event.module:
            token.escrow = None
        token.modules.discard(event.module)

    @_apply.register
    def _(self, event: ev.HoldPlaced) -> None:
        reserved = self._token(event).reserved
        key = (event.module, event.participant)
        reserved[key] = reserved.get(key, 0) + event.amount_minor

    @_apply.register
    def _(self, event: ev.HoldExecuted) -> None:
        reserved = self._token(event).reserved
        key = (event.module, event.participant)
        reserved[key] = reserved.get(key, 0) - event.amount_minor
        if reserved[key] < 0:
            raise LedgerError(f"{event.module} would hold {reserved[key]} after {event}")

    # Directory

    @_apply.register
    def _(self, event: ev.TokenAdmitted) -> None:
        self.admitted_tokens.add((event.at.contract, event.token))

    @_apply.register
    def _(self, event: ev.DelegateSet) -> None:
        self.delegates[event.at.contract, event.participant, event.delegate] = event.verbs

    @_apply.register
    def _(self, event: ev.MerchantSet) -> None:
        self.merchants[event.at.contract, event.merchant] = event

    @_apply.register
    def _(self, event: ev.AcceptanceSet) -> None:
        key = (event.at.contract, event.merchant, event.token)
        self.acceptances[key] = (event.static_limit_minor, event.status)

    @_apply.register
    def _(self, event: ev.CardSet) -> None:
        card = self._card(event.at.contract, event.issuer, event.card, event.token)
        card.payment_limit_minor = event.payment_limit_minor
        card.day_limit_minor = event.day_limit_minor
        card.status = event.status

    # Payments. The token says nothing of the escrow's holds; these events do.

    @_apply.register
    def _(self, event: ev.PaymentAuthorized) -> None:
        self._open(event, charged=False)
        escrowed = self._token_at(event.token).escrowed
        escrowed[event.issuer] = escrowed.get(event.issuer, 0) + event.amount_minor

    @_apply.register
    def _(self, event: ev.PaymentCharged) -> None:
        self._open(event, charged=True)

    @_apply.register
    def _(self, event: ev.PaymentCaptured) -> None:
        payment = self._payment(event.id)
        change = event.captured_total_minor - payment.captured_minor
        payment.captured_minor = event.captured_total_minor
        self._release(payment, change, event)

    @_apply.register
    def _(self, event: ev.PaymentVoided) -> None:
        self._give_back(event, event.id, event.voided_total_minor)

    @_apply.register
    def _(self, event: ev.PaymentReclaimed) -> None:
        self._give_back(event, event.id, event.voided_total_minor)

    @_apply.register
    def _(self, event: ev.PaymentRefunded) -> None:
        payment = self._payment(event.id)
        if not payment.refunded_minor < event.refunded_total_minor <= payment.captured_minor:
            raise LedgerError(f"{event} after {payment}")
        payment.refunded_minor = event.refunded_total_minor

    # Internals

    def _open(self, event: ev.PaymentOpened, *, charged: bool) -> None:
        if event.id in self.payments:
            raise LedgerError(f"the payment is opened twice: {event}")
        day, amount = _day_of(event), event.amount_minor
        payment = LedgerPayment(event, event.at.contract, charged, day)
        payment.captured_minor = amount if charged else 0
        self.payments[event.id] = payment
        card = self._card(event.at.contract, event.issuer, event.card, event.token)
        card.spent_minor, card.day = card.spent_on(day) + amount, day

    def _give_back(self, event: ev.Event, payment_id: bytes, voided_total_minor: int) -> None:
        payment = self._payment(payment_id)
        change = voided_total_minor - payment.voided_minor
        payment.voided_minor = voided_total_minor
        self._release(payment, change, event)
        if _day_of(event) == payment.authorized_day:
            opened = payment.opened
            card = self._card(payment.escrow, opened.issuer, opened.card, opened.token)
            card.spent_minor -= change

    def _release(self, payment: LedgerPayment, change: int, event: ev.Event) -> None:
        if change <= 0 or payment.held_minor < 0:
            raise LedgerError(f"{event} leaves {payment.held_minor} held of {payment.opened}")
        self._token_at(payment.opened.token).escrowed[payment.opened.issuer] -= change

    def _token(self, event: ev.Event) -> LedgerToken:
        return self._token_at(event.at.contract)

    def _token_at(self, address: str) -> LedgerToken:
        return self.tokens.setdefault(address, LedgerToken())

    def _card(self, escrow: str, issuer: str, card: str, token: str) -> LedgerCard:
        return self.cards.setdefault((escrow, issuer, card, token), LedgerCard())

    def _payment(self, payment_id: bytes) -> LedgerPayment:
        payment = self.payments.get(payment_id)
        if payment is None:
            raise LedgerError(f"payment 0x{payment_id.hex()} was never opened")
        return payment


def _day_of(event: ev.Event) -> int:
    if event.at.timestamp is None:
        raise LedgerError(f"the block's timestamp is missing at {event}")
    return event.at.timestamp // SECONDS_PER_DAY


def _add_once(seen: set[_Key], key: _Key, event: ev.Event) -> None:
    if key in seen:
        raise LedgerError(f"used twice: {event}")
    seen.add(key)
