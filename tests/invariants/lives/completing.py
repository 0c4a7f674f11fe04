"""Open payments are captured, voided, reclaimed and refunded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis.stateful import rule

from ..actors import DELEGATES, OUTSIDER
from ..messages import Terms, payment_id
from .drawing import SEEDS
from .opening import Opening

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random


class Completing(Opening):
    """Capture, void, reclaim and refund."""

    def known(self, chance: Random, *, capturable: bool = False) -> Terms:
        """Terms of a payment, mostly a recent or still open one, seldom one that never was."""
        if self.odds(chance, 3):
            return self.new_terms(chance)
        options: Sequence[Terms] = self.terms[-15:]
        if capturable and self.odds(chance, 85):
            now = self.tael.now
            open_ = [t for t in options if t.capture_before > now and self.payment(t).open > 0]
            options = open_ or options
        return self.pick(chance, options)

    def payment(self, terms: Terms) -> Any:
        return self.escrow.payments[payment_id(self.escrow.address, terms)]

    def total(self, chance: Random, terms: Terms, reached: int, limit: int) -> int:
        """A new cumulative total: mostly more than reached and within the limit."""
        kind = chance.randrange(100)
        if kind < 60 and reached < limit:
            return chance.randint(reached + 1, limit)
        options = (limit, limit, limit + 1, reached, max(0, reached - 1), reached + 1, 0, 2**64 - 1)
        return min(2**64 - 1, options[kind % 8])

    def capture_total(self, chance: Random, terms: Terms) -> int:
        payment = self.escrow.payments.get(payment_id(self.escrow.address, terms))
        reached, limit = (payment.captured, terms.amount - payment.voided) if payment else (0, 1)
        if self.odds(chance, 20):
            # At multiples of 400 both fees step up over one minor unit.
            return min(
                limit, reached + 1 if reached % 400 == 399 else reached - reached % 400 + 399
            )
        return self.total(chance, terms, reached, limit)

    @rule(seed=SEEDS)
    def capture(self, seed: int) -> None:
        chance = self.chance(seed)
        terms = self.known(chance, capturable=True)
        total = self.capture_total(chance, terms)
        caller = self.sender(chance, (terms.acquirer, DELEGATES[1].address))
        self.tael.send(caller, self.escrow, "capture", terms.parties, terms.packed, total)

    @rule(seed=SEEDS)
    def capture_batch(self, seed: int) -> None:
        chance = self.chance(seed)
        first = self.known(chance, capturable=True)
        same = [terms for terms in self.terms if terms.parties == first.parties]
        items = []
        for _ in range(0 if self.odds(chance, 2) else chance.randint(1, 5)):
            terms = self.pick(chance, same) if same else first
            if self.odds(chance, 4):
                terms = self.new_terms(chance)
            items.append((terms.packed, self.capture_total(chance, terms)))
        if items and self.odds(chance, 2):
            items = items[:1] * 201
        caller = self.sender(chance, (first.acquirer, DELEGATES[1].address))
        self.tael.send(caller, self.escrow, "captureMany", first.parties, items)

    @rule(seed=SEEDS)
    def void(self, seed: int) -> None:
        chance = self.chance(seed)
        terms = self.known(chance, capturable=self.odds(chance, 60))
        payment = self.escrow.payments.get(payment_id(self.escrow.address, terms))
        reached, limit = (payment.voided, terms.amount - payment.captured) if payment else (0, 1)
        total = self.total(chance, terms, reached, limit)
        caller = self.sender(chance, (terms.acquirer, DELEGATES[1].address))
        self.tael.send(caller, self.escrow, "void", terms.parties, terms.packed, total)

    @rule(seed=SEEDS)
    def reclaim(self, seed: int) -> None:
        chance = self.chance(seed)
        terms = self.known(chance)
        if self.odds(chance, 70):
            now = self.tael.now
            due = [t for t in self.terms if t.capture_before <= now and self.payment(t).open > 0]
            terms = self.pick(chance, due) if due else terms
        caller = self.pick(chance, (OUTSIDER, terms.issuer, terms.acquirer))
        self.tael.send(caller, self.escrow, "reclaim", terms.parties, terms.packed)

    @rule(seed=SEEDS)
    def refund(self, seed: int) -> None:
        chance = self.chance(seed)
        terms = self.known(chance)
        if self.odds(chance, 75):
            now = self.tael.now
            paid = [t for t in self.terms if t.refund_before > now and self.payment(t).captured > 0]
            terms = self.pick(chance, paid) if paid else terms
        payment = self.escrow.payments.get(payment_id(self.escrow.address, terms))
        reached, limit = (payment.refunded, payment.captured) if payment else (0, 1)
        total = self.total(chance, terms, reached, limit)
        caller = self.sender(chance, (terms.acquirer, DELEGATES[1].address))
        self.tael.send(caller, self.escrow, "refund", terms.parties, terms.packed, total)
