"""Payments refused in the ways that chance alone meets too seldom.

Each step makes calls fail on purpose, in whatever state the life is in; the model says, as ever,
which refusal comes out. What was changed for it is put back, so that lives go on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis.stateful import rule

from .. import scenario
from ..actors import CARDS, HASH, OUTSIDER, STRANGER
from ..model import MAX_BATCH, Entry
from .drawing import KEYS, SEEDS
from .opening import Opening

if TYPE_CHECKING:
    from random import Random

    from ..messages import Terms

MAX_AMOUNT = 2**64 - 1


class RefusedPayments(Opening):
    """One case a step."""

    @rule(seed=SEEDS)
    def refuse_a_payment(self, seed: int) -> None:
        chance = self.chance(seed)
        case = self.pick(
            chance,
            (
                self._past_the_days_limit,
                self._on_a_bad_consent,
                self._on_a_bad_code,
                self._at_a_blocked_merchant,
                self._when_nothing_is_left,
                self._below_its_fees,
                self._in_a_bad_batch,
                self._beyond_the_available,
            ),
        )
        case(chance, self._easy_terms(chance))

    def _past_the_days_limit(self, chance: Random, terms: Terms) -> None:
        """A limit set close to what the card has spent today is passed by one, then met."""
        left = chance.randint(1, 4_000)
        spent = self.escrow.spent_today(terms.issuer, terms.card, terms.token)
        self._set_card(terms, 4_001, spent + left)
        for amount in (left + 1, left):
            self._open(terms.but(amount=amount))
        self._set_card(terms, 20_000, 60_000)

    def _on_a_bad_consent(self, chance: Random, terms: Terms) -> None:
        """Too late, by the wrong key, for the other verb, two of them; then a good one."""
        issuer = KEYS[terms.issuer]
        good = scenario.consent(self.tael, terms, issuer)
        late = scenario.consent(self.tael, terms, issuer, before=self.tael.now)
        other = scenario.consent(self.tael, terms, issuer, verb="charge")
        forged = (issuer.address, good[1], STRANGER.sign(HASH))
        for consents in ([late], [forged], [other], [good, good], [good]):
            full = scenario.full(self.tael, terms, consents=consents)
            self.tael.send(OUTSIDER, self.escrow, "authorizeWith", *full)
        self.remember(terms)

    def _on_a_bad_code(self, chance: Random, terms: Terms) -> None:
        """None, one expired, one for more, one signed by another; then a good one."""
        terms = terms.but(amount=6_000)
        late = scenario.code(self.tael, terms, expires_at=self.tael.now)
        above = scenario.code(self.tael, terms, amount=6_001)
        forged = scenario.code(self.tael, terms, key=STRANGER)
        good = scenario.code(self.tael, terms, short=False)
        for codes in ([], [late], [above], [forged], [good]):
            full = scenario.full(self.tael, terms, codes)
            self.tael.send(terms.issuer, self.escrow, "authorizeWith", *full)
        self.remember(terms)

    def _at_a_blocked_merchant(self, chance: Random, terms: Terms) -> None:
        self._accept(terms, Entry.BLOCKED)
        self._open(terms)
        self._accept(terms, Entry.ACTIVE)

    def _when_nothing_is_left(self, chance: Random, terms: Terms) -> None:
        """What was paid at once cannot be reclaimed, nor refunded when it is too late."""
        soon = self.tael.now + 1
        terms = terms.but(authorize_before=soon, capture_before=soon, refund_before=soon)
        self._open(terms, "charge")
        self.tael.wait(1)
        form = (terms.parties, terms.packed)
        self.tael.send(OUTSIDER, self.escrow, "reclaim", *form)
        self.tael.send(terms.acquirer, self.escrow, "refund", *form, 1)

    def _below_its_fees(self, chance: Random, terms: Terms) -> None:
        """At 400 both shares step up over one minor unit."""
        later = self.tael.now + 60
        terms = terms.but(amount=900, capture_before=later, refund_before=later)
        terms = terms.but(authorize_before=later, interchange_bps=150)
        self._open(terms)
        for total in (399, 400, 900):
            call = (terms.parties, terms.packed, total)
            self.tael.send(terms.acquirer, self.escrow, "capture", *call)

    def _in_a_bad_batch(self, chance: Random, terms: Terms) -> None:
        """Empty, too long, in a currency not admitted, or with bits that belong to no term."""
        item = scenario.item(self.tael, terms)
        dirty = ((*item[0][:3], item[0][3][:31] + b"\x01"), *item[1:])
        for items in ([], [item] * (MAX_BATCH + 1), [dirty]):
            call = (terms.parties, items, [])
            self.tael.send(terms.issuer, self.escrow, "authorizeMany", *call)
        elsewhere = terms.but(token=OUTSIDER)
        call = (elsewhere.parties, [item], [])
        self.tael.send(terms.issuer, self.escrow, "authorizeMany", *call)

    def _beyond_the_available(self, chance: Random, terms: Terms) -> None:
        """One item of a batch asks for more than there is, alone as well; another goes through."""
        token = self.tael.cny if terms.token == self.tael.cny.address else self.tael.jpy
        beyond = terms.but(amount=token.account(terms.issuer).available + 1, uetr=bytes(16))
        self._set_card(terms, MAX_AMOUNT, MAX_AMOUNT)
        self._accept(terms, Entry.ACTIVE, MAX_AMOUNT)
        items = [scenario.item(self.tael, each) for each in (beyond, terms)]
        call = (terms.parties, items, [])
        self.tael.send(terms.issuer, self.escrow, "authorizeMany", *call)
        self._open(beyond)
        self._set_card(terms, 20_000, 60_000)
        self._accept(terms, Entry.ACTIVE)
        self.remember(terms)

    # What the cases share

    def _easy_terms(self, chance: Random) -> Terms:
        """Terms of a small payment whose card is open and whose merchant takes the currency."""
        terms = self.new_terms(chance)
        terms = terms.but(card=self.pick(chance, CARDS).address, amount=chance.randint(1, 900))
        self._set_card(terms, 20_000, 60_000)
        self._accept(terms, Entry.ACTIVE)
        return terms

    def _set_card(self, terms: Terms, payment_limit: int, day_limit: int) -> None:
        entries = [(terms.card, terms.token, payment_limit, day_limit, int(Entry.ACTIVE))]
        self.tael.send(terms.issuer, self.escrow, "setCards", terms.issuer, entries)

    def _accept(self, terms: Terms, status: Entry, static_limit: int = 5_000) -> None:
        entries = [(terms.token, static_limit, int(status))]
        self.tael.send(terms.acquirer, self.escrow, "setAcceptances", terms.merchant, entries)

    def _open(self, terms: Terms, verb: str = "authorize") -> None:
        plain = scenario.plain(self.tael, terms)
        self.tael.send(terms.issuer, self.escrow, verb, *plain)
        self.remember(terms)
