"""The state as the events alone tell it: what an indexer that has seen every log would know
(I-27)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from .messages import Terms
from .model import DAY, ZERO, Account, Card, Entry, Payment, Status

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .chain import Event
    from .lockstep import Lockstep

_STATUSES = {
    "AccountAdmitted": Status.ACTIVE,
    "AccountReinstated": Status.ACTIVE,
    "AccountSuspended": Status.SUSPENDED,
    "AccountClosed": Status.CLOSED,
}


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)([A-Z])", r"_\1", name).lower()


class Replay:
    """Balances, holds, statuses, modules, cards and payments out of events and block times.

    The holds of the escrow are told by the escrow's events, those of other modules by the token's.
    A successor in the escrow's place that is no PaymentEscrow is taken at its word: `foreign`
    collects what it did.
    """

    _FIELDS = (
        "balances", "statuses", "reserved", "escrows", "modules", "paused", "supplies", "cards",
        "payments", "verbs", "merchants", "acceptances", "allowances", "consumed",
    )  # fmt: skip

    def __init__(self, tokens: Iterable[str], escrow: str) -> None:
        self.tokens = frozenset(tokens)
        self.escrow = escrow
        self.balances: dict[tuple[str, str], int] = {}
        self.statuses: dict[tuple[str, str], Status] = {}
        self.reserved: dict[tuple[str, str, str], int] = {}
        self.escrows: dict[str, str] = {}
        self.modules: set[tuple[str, str]] = set()
        self.paused: set[str] = set()
        self.supplies: dict[str, int] = {}
        self.cards: dict[tuple[str, str, str], Card] = {}
        self.payments: dict[bytes, Payment] = {}
        self.verbs: dict[tuple[str, str], int] = {}
        self.merchants: dict[bytes, tuple[Any, ...]] = {}
        self.acceptances: dict[tuple[bytes, str], tuple[int, int]] = {}
        self.allowances: dict[tuple[str, str, str], int] = {}
        self.consumed: set[tuple[str, str, bytes]] = set()

    def save(self) -> dict[str, Any]:
        return {name: getattr(self, name).copy() for name in self._FIELDS}

    def load(self, saved: dict[str, Any]) -> None:
        for name, value in saved.items():
            setattr(self, name, value.copy())

    def apply(self, events: Iterable[Event], now: int) -> None:
        for event in events:
            handler = getattr(self, f"_on_{_snake(event.name)}", None)
            if event.name in _STATUSES:
                self.statuses[event.emitter, event.arguments[0]] = _STATUSES[event.name]
            elif handler is not None:
                handler(event.emitter, now, *event.arguments)

    # Token

    def _on_transfer(self, token: str, now: int, owner: str, to: str, amount: int) -> None:
        for account, change in ((owner, -amount), (to, amount)):
            if account != ZERO:
                self.balances[token, account] = self.balances.get((token, account), 0) + change
                # Never short, not even between two events of one transaction.
                assert self.balances[token, account] >= 0, (token, account)

    def _on_issued(self, token: str, now: int, reference: bytes, to: str, amount: int) -> None:
        self.supplies[token] = self.supplies.get(token, 0) + amount

    def _on_redeemed(self, token: str, now: int, reference: bytes, by: str, amount: int) -> None:
        self.supplies[token] -= amount

    def _on_hold_placed(
        self, token: str, now: int, module: str, participant: str, amount: int
    ) -> None:
        key = (token, module, participant)
        self.reserved[key] = self.reserved.get(key, 0) + amount

    def _on_hold_executed(
        self, token: str, now: int, module: str, participant: str, amount: int, released: int
    ) -> None:
        key = (token, module, participant)
        self.reserved[key] = self.reserved.get(key, 0) - amount

    def _on_paused(self, token: str, now: int, by: str) -> None:
        self.paused.add(token)

    def _on_unpaused(self, token: str, now: int, by: str) -> None:
        self.paused.discard(token)

    def _on_escrow_admitted(self, token: str, now: int, escrow: str) -> None:
        self.escrows[token] = escrow
        self.modules.add((token, escrow))

    def _on_module_admitted(self, token: str, now: int, module: str) -> None:
        self.modules.add((token, module))

    def _on_module_cut_off(self, token: str, now: int, module: str) -> None:
        if self.escrows.get(token) == module:
            self.escrows[token] = ZERO
        self.modules.remove((token, module))

    def _on_authorization_used(self, token: str, now: int, authorizer: str, nonce: bytes) -> None:
        self.consumed.add((token, authorizer, nonce))

    _on_authorization_canceled = _on_authorization_used

    # Directory

    def _on_delegate_set(
        self, escrow: str, now: int, participant: str, delegate: str, verbs: int
    ) -> None:
        self.verbs[participant, delegate] = verbs

    def _on_merchant_set(
        self,
        escrow: str,
        now: int,
        merchant: bytes,
        acquirer: str,
        signer: str,
        category: int,
        name: bytes,
    ) -> None:
        self.merchants[merchant] = (acquirer, category, signer, name)

    def _on_acceptance_set(
        self, escrow: str, now: int, merchant: bytes, token: str, limit: int, status: int
    ) -> None:
        self.acceptances[merchant, token] = (limit, status)

    def _on_card_set(
        self,
        escrow: str,
        now: int,
        issuer: str,
        card: str,
        token: str,
        payment: int,
        day: int,
        status: int,
    ) -> None:
        old = self.cards.get((issuer, card, token), Card())
        self.cards[issuer, card, token] = Card(payment, day, Entry(status), old.spent, old.day)

    # Payments

    def _on_payment_authorized(
        self,
        escrow: str,
        now: int,
        identity: bytes,
        issuer: str,
        acquirer: str,
        token: str,
        packed: Any,
    ) -> None:
        self._open(now, identity, (issuer, acquirer, token), packed, charged=False)

    def _on_payment_charged(
        self,
        escrow: str,
        now: int,
        identity: bytes,
        issuer: str,
        acquirer: str,
        token: str,
        packed: Any,
    ) -> None:
        self._open(now, identity, (issuer, acquirer, token), packed, charged=True)

    def _open(
        self,
        now: int,
        identity: bytes,
        parties: tuple[str, str, str],
        packed: Any,
        *,
        charged: bool,
    ) -> None:
        assert identity not in self.payments, "a payment was opened twice"
        terms = Terms.unpack(parties, packed)
        assert terms is not None
        day = now // DAY
        self.payments[identity] = Payment(terms, terms.amount if charged else 0, 0, 0, day)
        self._spend(terms, day, terms.amount)

    def _spend(self, terms: Terms, day: int, amount: int) -> None:
        key = (terms.issuer, terms.card, terms.token)
        card = self.cards[key]
        spent = card.spent if card.day == day else 0
        self.cards[key] = card._replace(spent=spent + amount, day=day)

    def _on_payment_captured(self, escrow: str, now: int, identity: bytes, total: int) -> None:
        self.payments[identity] = self.payments[identity]._replace(captured=total)

    def _on_payment_voided(self, escrow: str, now: int, identity: bytes, total: int) -> None:
        payment = self.payments[identity]
        self.payments[identity] = payment._replace(voided=total)
        if payment.day == now // DAY:
            self._spend(payment.terms, payment.day, payment.voided - total)

    _on_payment_reclaimed = _on_payment_voided

    def _on_payment_refunded(self, escrow: str, now: int, identity: bytes, total: int) -> None:
        self.payments[identity] = self.payments[identity]._replace(refunded=total)

    # Comparing

    def compare(self, lockstep: Lockstep) -> None:
        """Everything that the events tell equals the state."""
        escrow = lockstep.escrow
        assert self.payments == escrow.payments
        assert self.cards == escrow.cards
        assert {k: v for k, v in self.verbs.items() if v} == {
            k: v for k, v in escrow.verbs.items() if v
        }
        assert self.merchants == escrow.merchants
        assert self.acceptances == {key: entry[1:] for key, entry in escrow.acceptances.items()}
        for token in lockstep.tokens:
            at = token.address
            assert self.supplies.get(at, 0) == token.supply
            assert (at in self.paused) == token.paused
            assert self.escrows.get(at, ZERO) == token.escrow
            rightful = token.modules | ({token.escrow} - {ZERO})
            assert {m for t, m in self.modules if t == at} == rightful
            assert {(a, n) for t, a, n in self.consumed if t == at} == token.consumed
            for participant in lockstep.participants:
                account = token.accounts.get(participant, Account())
                assert self.balances.get((at, participant), 0) == account.balance
                assert self.statuses.get((at, participant), Status.NONE) == account.status
                reserved = sum(
                    amount
                    for (t, _, p), amount in self.reserved.items()
                    if (t, p) == (at, participant)
                )
                assert reserved == account.reserved
