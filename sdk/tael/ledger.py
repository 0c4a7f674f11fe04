"""The reference ledger: what the contracts' state must be if their events are complete.

Replaying every event since the deployment gives balances, holds, statuses, payments, card
spending, merchants and delegates, without asking the contracts anything. That this equals what the
contracts say is the strongest single proof that the state is right (`tael.audit`), and the way to
rebuild it after a loss. It is the oracle of the index and of the tests, and shares no code with
either.

Pure: no network, integers only. It does not judge whether an event was allowed; where events
contradict each other, or one is unknown, it raises.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from tael import events as ev
from tael.errors import LedgerError
from tael.ledger_state import LedgerCard, LedgerPayment, LedgerToken
from tael.models import AccountStatus, EntryStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    Effect = Callable[["Ledger", Any], None]

__all__ = [
    "EFFECTS",
    "Ledger",
    "contradiction",
    "no_effect",
]

SECONDS_PER_DAY = 86_400

_Key = TypeVar("_Key")

_ZERO_ADDRESS = "0x" + "0" * 40


class _Announcement(NamedTuple):
    """An event whose `Transfer` must be the next one, and what it says of it; None is anything."""

    event: ev.Event
    sender: str
    recipient: str | None = None
    amount_minor: int | None = None


class Ledger:
    """The state of a deployment made from events alone.

    Args:
        effects: What events of further contracts change, by class; adds to `EFFECTS`.

    Attributes:
        tokens: By token address.
        payments: By payment id, of all escrows; each knows its own.
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

    def __init__(self, effects: Mapping[type[ev.Event], Effect] | None = None) -> None:
        self.tokens: dict[str, LedgerToken] = {}
        self.payments: dict[bytes, LedgerPayment] = {}
        self.cards: dict[tuple[str, str, str, str], LedgerCard] = {}
        self.merchants: dict[tuple[str, bytes], ev.MerchantSet] = {}
        self.acceptances: dict[tuple[str, bytes, str], tuple[int, EntryStatus]] = {}
        self.delegates: dict[tuple[str, str, str], int] = {}
        self.admitted_tokens: set[tuple[str, str]] = set()
        self.position: ev.Position | None = None
        self._effects = {**EFFECTS, **(effects or {})}
        self._announced: _Announcement | None = None
        # Modules whose own events say what they hold, and by how much, within one transaction, that
        # differs from what the token says: by token, module and participant.
        self._explaining: set[str] = set()
        self._unexplained: defaultdict[tuple[str, str, str], int] = defaultdict(int)

    @classmethod
    def replay(
        cls, events: Iterable[ev.Event], effects: Mapping[type[ev.Event], Effect] | None = None
    ) -> Ledger:
        """Make the state from events in the order of the chain.

        Args:
            events: Of all tokens and escrows, since their deployment, with the timestamp of the
                block at those that open, void or reclaim a payment.
            effects: What events of further contracts change.

        Raises:
            LedgerError: They contradict each other, or one is unknown.
        """
        ledger = cls(effects)
        for event in events:
            ledger.apply(event)
        return ledger

    def apply(self, event: ev.Event) -> None:
        """Apply the next event.

        Raises:
            LedgerError: It does not come after the last one, contradicts the state, or is unknown.
                The ledger is worth nothing afterwards.
        """
        self._advance_to(event)
        effect = self._effects.get(type(event))
        if effect is None:
            raise contradiction(event, f"nothing says what it changes: {event}")
        if self._announced is not None and type(event) is not ev.Transfer:
            raise contradiction(event, _missing(self._announced))
        effect(self, event)

    def check(self) -> list[str]:
        """What does not add up after the last event, in words; empty when everything does.

        Nobody's available is negative, every announced transfer followed, and modules hold what
        their own events say.
        """
        findings = self._unfinished()
        for address, token in self.tokens.items():
            findings += [
                f"{address}: {participant} has available {token.available_of(participant)}"
                for participant in token.balances
                if token.available_of(participant) < 0
            ]
        return findings

    def explain_hold(self, event: ev.Event, token: str, participant: str, change: int) -> None:
        """For the effects of a module's own events: what they say of its holds.

        The token says it too, in the same transaction, and both must agree.

        Args:
            event: Emitted by the module.
            token: In which currency.
            participant: Whose money is held.
            change: Minor units; negative for what is executed or released.
        """
        self._explaining.add(event.at.contract)
        self._unexplained[token, event.at.contract, participant] -= change

    # Order and completeness

    def _advance_to(self, event: ev.Event) -> None:
        last, at = self.position, event.at
        if last is not None:
            if (at.block_number, at.log_index) <= (last.block_number, last.log_index):
                raise LedgerError(
                    f"Log {at.log_index} of block {at.block_number} comes after log "
                    f"{last.log_index} of block {last.block_number}; replay in the order of the "
                    "chain, each event once."
                )
            before = (last.block_number, last.transaction_hash)
            if (at.block_number, at.transaction_hash) != before:
                for finding in self._unfinished():
                    raise contradiction(event, finding)
                self._unexplained.clear()
        self.position = at

    def _unfinished(self) -> list[str]:
        """What the transaction of the last event still owes."""
        return ([_missing(self._announced)] if self._announced else []) + [
            f"what {module} holds of {participant} in {token} changed by {change} more than its "
            "own events say"
            for (token, module, participant), change in self._unexplained.items()
            if change and module in self._explaining
        ]

    # Accounts

    def _admitted(self, event: ev.AccountAdmitted) -> None:
        self._change_status(event, AccountStatus.ACTIVE, AccountStatus.NONE)

    def _suspended(self, event: ev.AccountSuspended) -> None:
        self._change_status(event, AccountStatus.SUSPENDED, AccountStatus.ACTIVE)

    def _reinstated(self, event: ev.AccountReinstated) -> None:
        self._change_status(event, AccountStatus.ACTIVE, AccountStatus.SUSPENDED)

    def _closed(self, event: ev.AccountClosed) -> None:
        before = (AccountStatus.ACTIVE, AccountStatus.SUSPENDED)
        self._change_status(event, AccountStatus.CLOSED, *before)

    def _change_status(self, event: Any, to: AccountStatus, *before: AccountStatus) -> None:
        statuses = self._token(event).statuses
        status = statuses.get(event.participant, AccountStatus.NONE)
        if status not in before:
            raise contradiction(event, f"{event.participant} is {status.name}")
        statuses[event.participant] = to

    # Money

    def _transferred(self, event: ev.Transfer) -> None:
        token, announced = self._token(event), self._announced
        self._announced = None
        if announced is not None:
            said = (announced.event.at.contract, *announced[1:])
            found = (event.at.contract, event.sender, event.recipient, event.amount_minor)
            if any(a is not None and a != b for a, b in zip(said, found, strict=True)):
                raise contradiction(event, _missing(announced))
        elif _ZERO_ADDRESS in (event.sender, event.recipient):
            raise contradiction(event, "money is made or destroyed, not issued or redeemed")
        for participant, change in (
            (event.sender, -event.amount_minor),
            (event.recipient, event.amount_minor),
        ):
            if participant == _ZERO_ADDRESS:
                token.supply_minor -= change
                continue
            balance = token.balances.get(participant, 0) + change
            if balance < 0:
                raise contradiction(event, f"{participant} would own {balance}")
            token.balances[participant] = balance

    def _transfer_forced(self, event: ev.TransferForced) -> None:
        self._announced = _Announcement(event, event.sender, event.recipient, event.amount_minor)

    def _reserve_attested(self, event: ev.ReserveAttested) -> None:
        values = (event.amount_minor, event.valid_before, event.document_hash)
        self._token(event).attestation = values

    def _issued(self, event: ev.Issued) -> None:
        _add_once(self._token(event).issued, event.bank_reference, event)
        parties = (_ZERO_ADDRESS, event.participant)
        self._announced = _Announcement(event, *parties, event.amount_minor)

    def _redeemed(self, event: ev.Redeemed) -> None:
        _add_once(self._token(event).redeemed, (event.participant, event.bank_reference), event)
        parties = (event.participant, _ZERO_ADDRESS)
        self._announced = _Announcement(event, *parties, event.amount_minor)

    def _authorization_used(self, event: ev.AuthorizationUsed) -> None:
        _add_once(self._token(event).consumed, (event.authorizer, event.nonce), event)
        self._announced = _Announcement(event, event.authorizer)

    def _authorization_canceled(self, event: ev.AuthorizationCanceled) -> None:
        _add_once(self._token(event).consumed, (event.authorizer, event.nonce), event)

    # Stopping, modules

    def _paused(self, event: ev.Paused) -> None:
        token = self._token(event)
        if token.paused:
            raise contradiction(event, "the token is paused already")
        token.paused = True

    def _unpaused(self, event: ev.Unpaused) -> None:
        token = self._token(event)
        if not token.paused:
            raise contradiction(event, "the token is not paused")
        token.paused = False

    def _escrow_admitted(self, event: ev.EscrowAdmitted) -> None:
        token = self._token(event)
        if token.escrow is not None or event.escrow in token.modules:
            raise contradiction(event, f"{token.escrow or event.escrow} was not cut off before")
        token.escrow = event.escrow

    def _module_admitted(self, event: ev.ModuleAdmitted) -> None:
        token = self._token(event)
        if token.is_module(event.module):
            raise contradiction(event, f"{event.module} is a module already")
        token.modules.add(event.module)

    def _module_cut_off(self, event: ev.ModuleCutOff) -> None:
        token = self._require_module(event, event.at.contract, event.module)
        if token.escrow == event.module:
            token.escrow = None
        token.modules.discard(event.module)

    def _hold_placed(self, event: ev.HoldPlaced) -> None:
        self._reserve(event, event.amount_minor)

    def _hold_executed(self, event: ev.HoldExecuted) -> None:
        self._reserve(event, -event.amount_minor)

    def _reserve(self, event: ev.HoldPlaced | ev.HoldExecuted, change: int) -> None:
        address, module, participant = event.at.contract, event.module, event.participant
        token = self._require_module(event, address, module)
        if token.escrow == module:
            raise contradiction(event, f"{module} is the escrow, whose own events tell its holds")
        held = token.reserved.get((module, participant), 0) + change
        if held < 0:
            raise contradiction(event, f"{module} would hold {held}")
        token.reserved[module, participant] = held
        self._unexplained[address, module, participant] += change

    # Directory

    def _token_admitted(self, event: ev.TokenAdmitted) -> None:
        self._explaining.add(event.at.contract)
        self.admitted_tokens.add((event.at.contract, event.token))

    def _delegate_set(self, event: ev.DelegateSet) -> None:
        self.delegates[event.at.contract, event.participant, event.delegate] = event.verbs

    def _merchant_set(self, event: ev.MerchantSet) -> None:
        self.merchants[event.at.contract, event.merchant] = event

    def _acceptance_set(self, event: ev.AcceptanceSet) -> None:
        if (event.at.contract, event.merchant) not in self.merchants:
            raise contradiction(event, f"merchant 0x{event.merchant.hex()} was never set")
        key = (event.at.contract, event.merchant, event.token)
        self.acceptances[key] = (event.static_limit_minor, event.status)

    def _card_set(self, event: ev.CardSet) -> None:
        key = (event.at.contract, event.issuer, event.card, event.token)
        card = self.cards.setdefault(key, LedgerCard())
        card.payment_limit_minor = event.payment_limit_minor
        card.day_limit_minor = event.day_limit_minor
        card.status = event.status

    # Payments. The token says nothing of the holds of the escrow; these events do.

    def _payment_authorized(self, event: ev.PaymentAuthorized) -> None:
        payment = self._open(event)
        self._hold(event, payment, event.amount_minor)

    def _payment_charged(self, event: ev.PaymentCharged) -> None:
        self._open(event).captured_minor = event.amount_minor

    def _payment_captured(self, event: ev.PaymentCaptured) -> None:
        payment = self._payment(event)
        change = event.captured_total_minor - payment.captured_minor
        payment.captured_minor = event.captured_total_minor
        self._take(event, payment, change)

    def _payment_given_back(self, event: ev.PaymentVoided | ev.PaymentReclaimed) -> None:
        payment = self._payment(event)
        change = event.voided_total_minor - payment.voided_minor
        payment.voided_minor = event.voided_total_minor
        self._take(event, payment, change)
        if _day_of(event) == payment.authorized_day:
            self._card_of(payment.opened).spent_minor -= change

    def _payment_refunded(self, event: ev.PaymentRefunded) -> None:
        payment = self._payment(event)
        if not payment.refunded_minor < event.refunded_total_minor <= payment.captured_minor:
            raise contradiction(
                event,
                f"{event.refunded_total_minor} would be refunded of {payment.captured_minor} "
                f"captured, after {payment.refunded_minor}",
            )
        payment.refunded_minor = event.refunded_total_minor

    def _open(self, event: ev.PaymentOpened) -> LedgerPayment:
        escrow = event.at.contract
        if event.id in self.payments:
            raise contradiction(event, f"payment 0x{event.id.hex()} was opened before")
        if (escrow, event.token) not in self.admitted_tokens:
            raise contradiction(event, f"{escrow} never admitted {event.token}")
        if (escrow, event.merchant, event.token) not in self.acceptances:
            raise contradiction(event, f"merchant 0x{event.merchant.hex()} never took the currency")
        self._require_module(event, event.token, escrow)
        day, card = _day_of(event), self._card_of(event)
        card.spent_minor, card.day = card.spent_on(day) + event.amount_minor, day
        payment = self.payments[event.id] = LedgerPayment(event, day)
        return payment

    def _take(self, event: ev.Event, payment: LedgerPayment, change: int) -> None:
        if change <= 0 or payment.held_minor < 0:
            raise contradiction(
                event,
                f"{change} is taken of payment 0x{payment.opened.id.hex()}, which leaves "
                f"{payment.held_minor} held",
            )
        self._hold(event, payment, -change)

    def _hold(self, event: ev.Event, payment: LedgerPayment, change: int) -> None:
        address, escrow, issuer = payment.opened.token, payment.escrow, payment.opened.issuer
        token = self._require_module(event, address, escrow)
        if token.escrow != escrow:
            # Then it is an ordinary module.
            self.explain_hold(event, address, issuer, change)
            return
        held = token.escrowed.get(issuer, 0) + change
        if held < 0:
            raise contradiction(event, f"{escrow} would hold {held} of {issuer}")
        token.escrowed[issuer] = held

    # Looking up

    def _token(self, event: ev.Event) -> LedgerToken:
        return self.tokens.setdefault(event.at.contract, LedgerToken())

    def _require_module(self, event: ev.Event, token: str, module: str) -> LedgerToken:
        found = self.tokens.get(token, LedgerToken())
        if not found.is_module(module):
            raise contradiction(event, f"{module} is not a module of {token}")
        return found

    def _card_of(self, opened: ev.PaymentOpened) -> LedgerCard:
        card = self.cards.get((opened.at.contract, opened.issuer, opened.card, opened.token))
        if card is None:
            raise contradiction(opened, f"{opened.issuer} never vouched for card {opened.card}")
        return card

    def _payment(self, event: Any) -> LedgerPayment:
        payment = self.payments.get(event.id)
        if payment is None or payment.escrow != event.at.contract:
            raise contradiction(event, f"payment 0x{event.id.hex()} was never opened there")
        return payment


def no_effect(_ledger: Ledger, _event: ev.Event) -> None:
    """For an event that changes nothing that the ledger keeps."""


def contradiction(event: ev.Event, why: str) -> LedgerError:
    """What an effect raises when an event does not fit those before it."""
    at = event.at
    return LedgerError(
        f"{type(event).__name__} of {at.contract}, log {at.log_index} of block {at.block_number}: "
        f"{why}."
    )


EFFECTS: dict[type[ev.Event], Effect] = {
    ev.AccountAdmitted: Ledger._admitted,
    ev.AccountSuspended: Ledger._suspended,
    ev.AccountReinstated: Ledger._reinstated,
    ev.AccountClosed: Ledger._closed,
    ev.Transfer: Ledger._transferred,
    ev.TransferForced: Ledger._transfer_forced,
    ev.ReserveAttested: Ledger._reserve_attested,
    ev.Issued: Ledger._issued,
    ev.Redeemed: Ledger._redeemed,
    ev.AuthorizationUsed: Ledger._authorization_used,
    ev.AuthorizationCanceled: Ledger._authorization_canceled,
    ev.Paused: Ledger._paused,
    ev.Unpaused: Ledger._unpaused,
    ev.EscrowAdmitted: Ledger._escrow_admitted,
    ev.ModuleAdmitted: Ledger._module_admitted,
    ev.ModuleCutOff: Ledger._module_cut_off,
    ev.HoldPlaced: Ledger._hold_placed,
    ev.HoldExecuted: Ledger._hold_executed,
    ev.TokenAdmitted: Ledger._token_admitted,
    ev.DelegateSet: Ledger._delegate_set,
    ev.MerchantSet: Ledger._merchant_set,
    ev.AcceptanceSet: Ledger._acceptance_set,
    ev.CardSet: Ledger._card_set,
    ev.PaymentAuthorized: Ledger._payment_authorized,
    ev.PaymentCharged: Ledger._payment_charged,
    ev.PaymentCaptured: Ledger._payment_captured,
    ev.PaymentVoided: Ledger._payment_given_back,
    ev.PaymentReclaimed: Ledger._payment_given_back,
    ev.PaymentRefunded: Ledger._payment_refunded,
    # What is spent of an allowance leaves no event, so allowances cannot be replayed.
    ev.Approval: no_effect,
    ev.PaymentSkipped: no_effect,
    ev.AuthorityUpdated: no_effect,
    ev.EIP712DomainChanged: no_effect,
    ev.OperationScheduled: no_effect,
    ev.OperationExecuted: no_effect,
    ev.OperationCanceled: no_effect,
}
"""What each event changes; one that is in no such table is refused by name."""


def _missing(announced: _Announcement) -> str:
    at = announced.event.at
    return (
        f"the transfer that {type(announced.event).__name__} announces in log {at.log_index} of "
        f"block {at.block_number} is missing"
    )


def _day_of(event: ev.Event) -> int:
    if event.at.timestamp is None:
        raise contradiction(event, "the timestamp of its block is missing")
    return event.at.timestamp // SECONDS_PER_DAY


def _add_once(seen: set[_Key], key: _Key, event: ev.Event) -> None:
    if key in seen:
        raise contradiction(event, "the same was used before")
    seen.add(key)
