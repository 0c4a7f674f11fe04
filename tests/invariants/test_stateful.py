"""Random lives of the whole system: contracts and model must agree on every step (I-01 to I-14,
I-23 to I-27, I-36).

Most steps are made to succeed, some to fail in one chosen way, many to land exactly on a limit or
a deadline.
"""

from __future__ import annotations

from itertools import count
from random import Random
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from tael import typed_data

from . import lockstep as actors
from .chain import Done
from .lockstep import (
    ACQUIRER,
    ADMIN,
    ATTESTOR,
    BANKS,
    CARDS,
    CLEARING,
    COMMITMENTS,
    DELEGATES,
    DESK,
    GOVERNOR,
    GUARDIAN,
    HASH,
    ISSUER,
    NONCES,
    OUTSIDER,
    QUEUE,
    REFERENCES,
    REGISTRAR,
    SCHEME,
    SECOND_ACQUIRER,
    SECOND_ADMIN,
    SECOND_ISSUER,
    STRANGER,
    SUCCESSOR,
    TILLS,
    WALLET_OWNER,
    Lockstep,
    fresh,
)
from .messages import Key, Terms, compact, halves, mirrored, payment_id, vrs
from .model import DAY, MAX_SUPPLY, MAX_WORD, ZERO, Entry, Source, Status

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .model import Token

KEYS = {key.address: key for key in (*BANKS, *CARDS, *TILLS, *DELEGATES, STRANGER)}
BANK_ADDRESSES = tuple(bank.address for bank in BANKS)
SEEDS = st.integers(0, 2**32 - 1)

UNREACHABLE = {
    "AccessManagedInvalidAuthority": "only when governance moves to another authority: scenarios",
    "AccessManagedRequiredDelay": "OpenZeppelin's, never raised: such a call is `not scheduled`",
    "InvalidShortString": "OpenZeppelin's, in constructors only",
    "StringTooLong": "OpenZeppelin's, in constructors only",
    "InvalidAccountNonce": "OpenZeppelin's, never called: nonces are consumed, not given",
    "SchemeAccountInvalid": "constructor: scenarios",
    "SharesInvalid": "constructor: scenarios",
}
"""Errors of the ABIs that no random transaction can meet, and where they are tested instead."""

MINIMUM = 5
"""How often each function must have succeeded."""

NOT_ACTIONS = frozenset({"setAuthority"})
"""Functions that only governance's own contract may call: scenarios."""


class Life(RuleBasedStateMachine):
    """One life of the system."""

    tael: ClassVar[Lockstep]
    first_payments: ClassVar[list[Terms]]
    """What is open when a life begins: two banks on each side, both currencies."""

    def __init__(self) -> None:
        super().__init__()
        self.tael.start_over()
        self.numbers = count(1)
        self.steps = 0
        self.escrow = self.tael.escrow
        self.terms: list[Terms] = list(self.first_payments)

    # Drawing

    def chance(self, seed: int) -> Random:
        """What is left to chance in one step.

        One seed a step, because Hypothesis's own draws lean towards repeats and zeros so much that
        deep states are seldom reached; mixed with the step's number, so that equal seeds do
        different things.
        """
        self.steps += 1
        return Random(seed << 16 | self.steps)

    def odds(self, chance: Random, percent: int) -> bool:
        return chance.randrange(100) >= 100 - percent

    def pick(self, chance: Random, options: Sequence[Any]) -> Any:
        return chance.choice(options)

    def token(self, chance: Random) -> Token:
        return self.pick(chance, self.tael.tokens)

    def bank(self, chance: Random) -> str:
        return self.pick(chance, BANK_ADDRESSES)

    def amount(self, chance: Random, limit: int, most: int = MAX_WORD) -> int:
        """Mostly a small part of the limit, often just at it, seldom far beyond."""
        kind = chance.randrange(100)
        if kind < 60:
            return chance.randint(1, max(1, min(limit // 8, 20_000)))
        options = (0, 1, limit - 1, limit, limit + 1, limit // 2, MAX_SUPPLY, most)
        return min(most, max(0, options[kind % 8]))

    def sender(self, chance: Random, rightful: Sequence[str]) -> str:
        if self.odds(chance, 6):
            return self.pick(chance, (OUTSIDER, *BANK_ADDRESSES, DELEGATES[0].address, GUARDIAN))
        return self.pick(chance, rightful)

    # Time

    @rule(seed=SEEDS)
    def wait(self, seed: int) -> None:
        chance = self.chance(seed)
        now = self.tael.now
        kind = chance.randrange(100)
        if kind < 40:
            self.tael.wait(chance.randint(1, 7200))
        elif kind < 65 and self.terms:
            terms = self.pick(chance, self.terms[-12:])
            deadlines = (terms.authorize_before, terms.capture_before, terms.refund_before)
            at = self.pick(chance, deadlines) + self.pick(chance, (-1, 0, 1))
            if now < at < now + 12 * DAY:
                self.tael.set_time(at)
        elif kind < 70:
            at = self.token(chance).attested[1] + self.pick(chance, (-1, 0, 1))
            if now < at < now + (12 if self.odds(chance, 80) else 40) * DAY:
                self.tael.set_time(at)
        elif kind < 82:
            self.tael.set_time((now // DAY + 1) * DAY + self.pick(chance, (-1, 0, 1)))
        elif kind < 86:
            self.tael.wait(chance.randint(1, 9) * DAY)
        self.tael.compare()

    # Opening payments

    def new_terms(self, chance: Random, like: Terms | None = None) -> Terms:
        """Terms that should be fine, between the parties of others if given."""
        index = chance.randint(0, 2)
        issuer = self.pick(chance, (ISSUER, SECOND_ISSUER))
        token = self.token(chance)
        if like is not None:
            index = 2 if like.acquirer == SECOND_ACQUIRER else chance.randint(0, 1)
            issuer = like.issuer
            token = self.tael.cny if like.token == self.tael.cny.address else self.tael.jpy
        card = self.pick(chance, (*CARDS, CARDS[0], CARDS[1])).address
        if self.odds(chance, 12):
            card = self.tael.wallet
        now = self.tael.now
        authorize_before = now + self.pick(chance, (1, 60, 3600, DAY))
        capture_before = authorize_before + self.pick(chance, (0, 1, 3600, DAY, 6 * DAY))
        if self.odds(chance, 5):
            capture_before = now + 31 * DAY
        refund_before = capture_before + self.pick(chance, (0, 1, DAY, 30 * DAY, 540 * DAY))
        return Terms(
            issuer=issuer,
            acquirer=(ACQUIRER, ACQUIRER, SECOND_ACQUIRER)[index],
            token=token.address,
            merchant=self.tael.merchants[index],
            card=card,
            amount=self.payment_amount(chance, issuer, card, token),
            authorize_before=authorize_before,
            capture_before=capture_before,
            refund_before=refund_before,
            interchange_bps=self.pick(chance, (0, 1, 30, 150, 299, 300)),
            uetr=next(self.numbers).to_bytes(16, "big"),
            reference_hash=HASH,
        )

    def payment_amount(self, chance: Random, issuer: str, card: str, token: Token) -> int:
        kind = chance.randrange(100)
        if kind < 60:
            return chance.randint(1, 5_000)
        if kind < 80:
            return chance.randint(5_001, 20_000)
        entry = self.escrow.card(issuer, card, token.address)
        left = entry.day_limit - self.escrow.spent_today(issuer, card, token.address)
        left, available = min(left, 20_001), min(token.account(issuer).available, 20_001)
        limits = (5_000, entry.payment_limit, left, available)
        exact = limits[kind % 4] + (kind // 4 % 3) - 1
        return min(2**64 - 1, max(0, exact))

    def spoil(self, chance: Random, terms: Terms) -> Terms:
        """The terms with one fault."""
        now = self.tael.now
        index = chance.randint(0, 13)
        if index == 0 and self.terms:
            return self.pick(chance, self.terms)
        changes: dict[str, Any] = {
            1: {"amount": 0},
            2: {"interchange_bps": 301},
            3: {"authorize_before": now},
            4: {"authorize_before": terms.capture_before + 1},
            5: {"refund_before": terms.capture_before - 1},
            6: {"capture_before": now + 31 * DAY + 1, "refund_before": now + 31 * DAY + 1},
            7: {"refund_before": terms.capture_before + 540 * DAY + 1},
            8: {"card": OUTSIDER},
            9: {"acquirer": ISSUER},
            10: {"merchant": bytes([7]) * 32},
            11: {"token": SCHEME},
            12: {"amount": 20_001},
            13: {"amount": 2**64 - 1},
        }.get(index, {"amount": 20_000})
        return terms.but(**changes)

    def card_key(self, terms: Terms) -> Key:
        if terms.card == self.tael.wallet:
            return WALLET_OWNER
        return KEYS[terms.card]

    def card_signature(self, chance: Random, terms: Terms) -> bytes:
        """65 bytes, by the card that the terms name, or something else."""
        identity = payment_id(self.escrow.address, terms)
        signature = self.card_key(terms).sign(identity)
        if self.odds(chance, 4):
            wrong = (STRANGER.sign(identity), mirrored(signature), self.card_key(terms).sign(HASH))
            return self.pick(chance, wrong)
        return signature

    def code(self, chance: Random, terms: Terms) -> tuple[int, int, bytes]:
        """The merchant's dynamic code for the terms, seldom a bad one."""
        index = (
            self.tael.merchants.index(terms.merchant)
            if terms.merchant in self.tael.merchants
            else 0
        )
        key = WALLET_OWNER if index == 2 else TILLS[index]
        amount, expires_at = (
            max(0, terms.amount - self.pick(chance, (0, 0, 7))),
            self.tael.now + 600,
        )
        fault = chance.randrange(100)
        if fault >= 95:
            amount = min(2**64 - 1, terms.amount + 1)
        elif fault >= 90:
            expires_at = self.tael.now
        elif fault >= 87:
            expires_at = self.tael.now + 1
        digest = typed_data.dynamic_code_digest(
            self.escrow.domain, terms.merchant, terms.token, amount, terms.uetr, expires_at
        )
        signature = (STRANGER if fault < 5 else key).sign(digest)
        return amount, expires_at, signature if index == 2 else compact(signature)

    def remember(self, terms: Terms, outcome: Any) -> None:
        if isinstance(outcome, Done) and terms not in self.terms:
            self.terms.append(terms)

    @rule(seed=SEEDS)
    def open_plain(self, seed: int) -> None:
        chance = self.chance(seed)
        terms = self.new_terms(chance)
        if self.odds(chance, 15):
            terms = self.spoil(chance, terms)
        verb = self.pick(chance, ("authorize", "authorize", "charge"))
        packed = terms.packed
        if self.odds(chance, 2):
            packed = (*packed[:3], packed[3][:31] + b"\x01")
        caller = self.sender(chance, (terms.issuer, DELEGATES[0].address))
        signature = halves(self.card_signature(chance, terms))
        self.remember(
            terms, self.tael.send(caller, self.escrow, verb, signature, terms.parties, packed)
        )

    @rule(seed=SEEDS)
    def spend_a_days_limit(self, seed: int) -> None:
        """A limit set close to what the card has spent today is passed by one, then met."""
        chance = self.chance(seed)
        terms = self.new_terms(chance)
        left = chance.randint(1, 4_000)
        spent = self.escrow.spent_today(terms.issuer, terms.card, terms.token)
        entries = [(terms.card, terms.token, 4_001, spent + left, 1)]
        self.tael.send(terms.issuer, self.escrow, "setCards", terms.issuer, entries)
        for amount in (left + 1, left):
            tried = terms.but(amount=amount)
            signature = halves(self.card_signature(chance, tried))
            call = (signature, tried.parties, tried.packed)
            self.remember(tried, self.tael.send(terms.issuer, self.escrow, "authorize", *call))
        entries = [(terms.card, terms.token, 20_000, 60_000, 1)]
        self.tael.send(terms.issuer, self.escrow, "setCards", terms.issuer, entries)

    @rule(seed=SEEDS)
    def open_full(self, seed: int) -> None:
        chance = self.chance(seed)
        terms = self.new_terms(chance)
        if self.odds(chance, 12):
            terms = self.spoil(chance, terms)
        verb = self.pick(chance, ("authorizeWith", "authorizeWith", "chargeWith"))
        codes = [] if self.odds(chance, 15) else [self.code(chance, terms)]
        signature = self.card_signature(chance, terms)
        if terms.card != self.tael.wallet and self.odds(chance, 40):
            signature = compact(signature)
        consents: list[Any] = []
        caller = self.sender(chance, (terms.issuer, DELEGATES[0].address))
        if self.odds(chance, 45):
            consents = [self.consent(chance, terms, verb)] * (2 if self.odds(chance, 4) else 1)
            caller = self.pick(chance, (OUTSIDER, SUCCESSOR, terms.acquirer))
        full = (signature, codes, consents)
        outcome = self.tael.send(caller, self.escrow, verb, terms.parties, terms.packed, full)
        self.remember(terms, outcome)

    def consent(self, chance: Random, terms: Terms, verb: str) -> tuple[str, int, bytes]:
        fault = chance.randrange(100)
        signer = KEYS.get(terms.issuer, BANKS[0])
        if fault < 30:
            signer = DELEGATES[0]
        elif fault < 35:
            signer = DELEGATES[1]
        before = self.tael.now + (0 if fault >= 94 else self.pick(chance, (1, 60)))
        kind = verb if fault < 90 else {"authorizeWith": "chargeWith"}.get(verb, "authorizeWith")
        digests = {
            "authorizeWith": typed_data.authorize_consent_digest,
            "chargeWith": typed_data.charge_consent_digest,
        }
        identity = payment_id(self.escrow.address, terms)
        return (
            signer.address,
            before,
            signer.sign(digests[kind](self.escrow.domain, identity, before)),
        )

    @rule(seed=SEEDS)
    def open_batch(self, seed: int) -> None:
        chance = self.chance(seed)
        first = self.new_terms(chance)
        items: list[Any] = []
        codes: list[Any] = []
        opened: list[Terms] = []
        for _ in range(0 if self.odds(chance, 2) else chance.randint(1, 5)):
            terms = self.new_terms(chance, None if self.odds(chance, 5) else first)
            if self.odds(chance, 20):
                terms = self.spoil(chance, terms)
            if opened and self.odds(chance, 5):
                terms = opened[-1]
            # The batch says the parties once; a merchant of another acquirer stays as a bad item.
            terms = terms.but(issuer=first.issuer, acquirer=first.acquirer, token=first.token)
            index = 0
            if terms.amount > 5_000 and self.odds(chance, 85):
                codes.append(self.code(chance, terms))
                index = len(codes) if self.odds(chance, 92) else len(codes) + 1
            signature = halves(self.card_signature(chance, terms))
            items.append((terms.packed, signature, index))
            opened.append(terms)
        if items and self.odds(chance, 3):
            items = items[:1] * 201
        caller = self.sender(chance, (first.issuer, DELEGATES[0].address))
        outcome = self.tael.send(caller, self.escrow, "authorizeMany", first.parties, items, codes)
        if isinstance(outcome, Done):
            self.terms.extend(
                each
                for each in opened
                if payment_id(self.escrow.address, each) in self.escrow.payments
                and each not in self.terms
            )

    # What is open

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

    # Directory

    @rule(seed=SEEDS)
    def change_directory(self, seed: int) -> None:
        chance = self.chance(seed)
        kind = chance.randint(0, 5)
        token = self.token(chance).address if self.odds(chance, 95) else OUTSIDER
        if kind == 0:
            issuer = self.pick(chance, (ISSUER, SECOND_ISSUER))
            stopped = [
                (each, entry.address)
                for entry in self.tael.tokens
                for each in (ISSUER, SECOND_ISSUER)
                if entry.account(each).status == Status.SUSPENDED
            ]
            if stopped and self.odds(chance, 60):
                issuer, token = self.pick(chance, stopped)
            elif self.odds(chance, 6):
                issuer = OUTSIDER
            card = self.pick(chance, self.tael.cards) if self.odds(chance, 95) else ZERO
            status = self.pick(chance, (1, 1, 1, 1, 2, 0))
            limits = self.pick(chance, ((20_000, 60_000), (20_000, 60_000), (9_000, 30_000)))
            if self.odds(chance, 6):
                limits = (0, 0)
            entries = [(card, token, *limits, status)]
            if self.odds(chance, 4):
                entries = entries * 257
            caller = self.sender(chance, (issuer, DELEGATES[0].address))
            self.tael.send(caller, self.escrow, "setCards", issuer, entries)
        elif kind == 1:
            merchant = self.pick(chance, self.tael.merchants) if self.odds(chance, 92) else HASH
            owner = SECOND_ACQUIRER if merchant == self.tael.merchants[2] else ACQUIRER
            status = self.pick(chance, (1, 1, 1, 1, 2, 0))
            entries_ = [(token, self.pick(chance, (5_000, 5_000, 0, 2**64 - 1)), status)]
            if self.odds(chance, 4):
                entries_ = entries_ * 257
            caller = self.sender(chance, (owner,))
            self.tael.send(caller, self.escrow, "setAcceptances", merchant, entries_)
        elif kind == 2:
            index = chance.randint(0, 2)
            owner = (ACQUIRER, ACQUIRER, SECOND_ACQUIRER)[index]
            till = self.tael.wallet if index == 2 else TILLS[index].address
            signer = till if self.odds(chance, 85) else ZERO
            caller = self.sender(chance, (owner,))
            arguments = (owner, COMMITMENTS[index], signer, chance.randint(0, 9999), HASH)
            self.tael.send(caller, self.escrow, "setMerchant", *arguments)
        elif kind == 3:
            delegate = self.pick(chance, DELEGATES).address
            full = 127 if delegate == DELEGATES[0].address else 28
            verbs = (
                full
                if self.odds(chance, 70)
                else self.pick(chance, (0, 1, 2, 3, 4, 8, 16, 31, 96, 128))
            )
            self.tael.send(self.bank(chance), self.escrow, "setDelegate", delegate, verbs)
        elif kind == 4:
            third = self.tael.bhd
            if self.odds(chance, 60):
                self.tael.send(REGISTRAR, third, "admit", SCHEME)
            caller = self.sender(chance, (GOVERNOR,))
            at = third.address if self.odds(chance, 90) else token
            self.tael.send(caller, self.escrow, "admitToken", at)
        else:
            self.open_business_again(chance)

    def open_business_again(self, chance: Random) -> None:
        """What stopped goes on again, so that lives do not end in a standstill."""
        for token in self.tael.tokens:
            if token.paused and self.odds(chance, 60):
                self.tael.send(GOVERNOR, token, "unpause")
            for bank in BANK_ADDRESSES:
                if token.account(bank).status == Status.SUSPENDED and self.odds(chance, 70):
                    self.tael.send(GOVERNOR, token, "reinstate", bank)
            if token.escrow != self.escrow.address and self.odds(chance, 70):
                self.tael.send(GOVERNOR, token, "admitEscrow", self.escrow.address)
        for key, card in list(self.escrow.cards.items()):
            if (card.status == Entry.BLOCKED or card.payment_limit == 0) and self.odds(chance, 70):
                issuer, address, token_ = key
                entries = [(address, token_, 20_000, 60_000, 1)]
                self.tael.send(issuer, self.escrow, "setCards", issuer, entries)

    # Token, as its participants use it

    @rule(seed=SEEDS)
    def move(self, seed: int) -> None:
        chance = self.chance(seed)
        token = self.token(chance)
        owner = self.bank(chance)
        available = token.account(owner).available
        to = self.pick(chance, (*BANK_ADDRESSES, SCHEME, OUTSIDER, owner))
        kind = chance.randint(0, 4)
        if kind <= 1:
            caller = owner if self.odds(chance, 95) else OUTSIDER
            self.tael.send(caller, token, "transfer", to, self.amount(chance, available))
        elif kind == 2:
            spender = self.pick(
                chance, (OUTSIDER, *BANK_ADDRESSES[:2], *([ZERO] if available % 5 == 0 else []))
            )
            value = MAX_WORD if self.odds(chance, 20) else self.amount(chance, available)
            self.tael.send(owner, token, "approve", spender, value)
        else:
            pairs = [key for key, value in token.allowances.items() if value]
            owner, spender = self.pick(chance, pairs) if pairs else (owner, OUTSIDER)
            allowed = min(token.allowances.get((owner, spender), 0), token.account(owner).available)
            self.tael.send(spender, token, "transferFrom", owner, to, self.amount(chance, allowed))

    @rule(seed=SEEDS)
    def permit(self, seed: int) -> None:
        chance = self.chance(seed)
        token = self.token(chance)
        key = self.pick(chance, BANKS)
        spender = self.pick(chance, (OUTSIDER, ISSUER)) if self.odds(chance, 95) else ZERO
        nonce = token.nonces.get(key.address, 0) - (1 if self.odds(chance, 6) else 0)
        deadline = self.tael.now + self.pick(chance, (0, 0, 1, 60, -1))
        value = self.amount(chance, token.account(key.address).available)
        fields = (key.address, spender, value)
        digest = typed_data.permit_digest(token.domain, *fields, max(0, nonce), deadline)
        signer = key if self.odds(chance, 95) else STRANGER
        self.tael.send(OUTSIDER, token, "permit", *fields, deadline, *vrs(signer.sign(digest)))

    @rule(seed=SEEDS)
    def authorization(self, seed: int) -> None:
        chance = self.chance(seed)
        token = self.token(chance)
        key = self.pick(chance, (*BANKS, STRANGER))
        nonce = self.pick(chance, NONCES)
        kind = self.pick(chance, ("transfer", "transfer", "receive", "receive", "cancel"))
        signer = key if self.odds(chance, 95) else CARDS[0]
        short = self.odds(chance, 50)
        if kind == "cancel":
            digest = typed_data.cancel_digest(token.domain, key.address, nonce)
            call: tuple[Any, ...] = (key.address, nonce)
            caller = OUTSIDER
        else:
            to = self.pick(chance, BANK_ADDRESSES)
            now = self.tael.now
            after = now - self.pick(chance, (1, 1, 1, 60, 0))
            before = now + self.pick(chance, (1, 1, 1, 60, 0))
            value = self.amount(chance, token.account(key.address).available)
            call = (key.address, to, value, after, before, nonce)
            hashes = {"transfer": typed_data.transfer_digest, "receive": typed_data.receive_digest}
            digest = hashes[kind](token.domain, *call)
            caller = self.sender(chance, (to,)) if kind == "receive" else OUTSIDER
        signature = signer.sign(digest)
        form = (compact(signature),) if short else vrs(signature)
        name = "cancelAuthorization" if kind == "cancel" else f"{kind}WithAuthorization"
        self.tael.send(caller, token, name, *call, *form)

    @rule(seed=SEEDS)
    def reserve(self, seed: int) -> None:
        chance = self.chance(seed)
        token = self.token(chance)
        kind = chance.randint(0, 3)
        reserve, before, _ = token.attested
        reference = self.pick(chance, REFERENCES)
        if self.odds(chance, 12):
            used = sorted(token.issued | {each for _, each in token.redeemed})
            reference = self.pick(chance, used)
        if kind == 0:
            amount = self.pick(
                chance, (10_000_000, token.supply, token.supply + 1_000, MAX_SUPPLY + 1)
            )
            until = self.tael.now + self.pick(chance, (DAY, 10 * DAY, 35 * DAY, 35 * DAY + 1, 0, 1))
            self.tael.send(self.sender(chance, (ATTESTOR,)), token, "attest", amount, HASH, until)
        elif kind == 1:
            amount = self.amount(chance, max(0, reserve - token.supply))
            caller = self.sender(chance, (DESK,))
            to = self.pick(chance, (*BANK_ADDRESSES, OUTSIDER))
            self.tael.send(caller, token, "issue", to, amount, reference)
        elif kind == 2:
            owner = self.bank(chance)
            amount = self.amount(chance, token.account(owner).available)
            self.tael.send(owner, token, "redeem", amount, reference)
        elif before < self.tael.now + DAY:
            until = self.tael.now + 30 * DAY
            self.tael.send(ATTESTOR, token, "attest", 10_000_000, HASH, until)

    # Token, as the operator uses it

    @rule(seed=SEEDS)
    def change_status(self, seed: int) -> None:
        chance = self.chance(seed)
        token = self.token(chance)
        kind = chance.randint(0, 7)
        if token.paused and self.odds(chance, 60):
            kind = 7
        # Banks are stopped seldom, or nothing would happen any more.
        whom = self.pick(chance, (OUTSIDER, QUEUE, SUCCESSOR, OUTSIDER, QUEUE, *BANK_ADDRESSES))
        if kind == 0:
            new = [each for each in self.tael.participants if each not in token.accounts]
            whom = self.pick(chance, new) if self.odds(chance, 70) else whom
            self.tael.send(self.sender(chance, (REGISTRAR,)), token, "admit", whom)
        elif kind == 1:
            active = [
                each for each, entry in token.accounts.items() if entry.status == Status.ACTIVE
            ]
            whom = self.pick(chance, active) if self.odds(chance, 40) else whom
            self.tael.send(self.sender(chance, (GUARDIAN,)), token, "suspend", whom, HASH)
        elif kind <= 3:
            stopped = [a for a, entry in token.accounts.items() if entry.status == Status.SUSPENDED]
            whom = self.pick(chance, stopped) if stopped and self.odds(chance, 80) else whom
            self.tael.send(self.sender(chance, (GOVERNOR,)), token, "reinstate", whom)
        elif kind == 4:
            leaving = [
                each
                for each, entry in token.accounts.items()
                if entry.status in (Status.ACTIVE, Status.SUSPENDED)
                and (each not in (*BANK_ADDRESSES, SCHEME) or entry.held)
            ]
            strangers = [each for each in leaving if each not in BANK_ADDRESSES]
            leaving = strangers if self.odds(chance, 85) else leaving
            whom = self.pick(chance, leaving) if leaving else whom
            if whom in BANK_ADDRESSES and token.account(whom).held == 0 and self.odds(chance, 95):
                whom = OUTSIDER
            self.tael.send(self.sender(chance, (GOVERNOR,)), token, "close", whom)
        elif kind == 5:
            amount = self.amount(chance, token.account(whom).available)
            to = self.pick(chance, (*BANK_ADDRESSES, OUTSIDER, CLEARING))
            caller = self.sender(chance, (GOVERNOR,))
            self.tael.send(caller, token, "forceTransfer", whom, to, amount, HASH)
        elif kind == 6 and self.odds(chance, 60):
            self.tael.send(self.sender(chance, (GUARDIAN,)), token, "pause")
        elif token.paused or self.odds(chance, 20):
            self.tael.send(self.sender(chance, (GOVERNOR,)), token, "unpause")

    @rule(seed=SEEDS)
    def change_modules(self, seed: int) -> None:
        chance = self.chance(seed)
        token = self.token(chance)
        kind = chance.randint(0, 4)
        if kind == 0:
            module = self.pick(chance, (QUEUE, SUCCESSOR, CLEARING, self.escrow.address, ZERO))
            if module == self.escrow.address and token.escrow != module:
                return  # Governance would hand our escrow's holds to nobody.
            self.tael.send(self.sender(chance, (GOVERNOR,)), token, "admitModule", module)
        elif kind == 1:
            module = self.pick(chance, (QUEUE, SUCCESSOR, CLEARING, self.escrow.address, OUTSIDER))
            self.tael.send(self.sender(chance, (GUARDIAN,)), token, "cutOffModule", module)
        else:
            escrow = self.escrow.address
            if self.odds(chance, 15):
                escrow = self.pick(chance, (SUCCESSOR, ZERO))
            self.tael.send(self.sender(chance, (GOVERNOR,)), token, "admitEscrow", escrow)

    @rule(seed=SEEDS)
    def use_module(self, seed: int) -> None:
        chance = self.chance(seed)
        token = self.token(chance)
        admitted = sorted(token.modules)
        if token.escrow == SUCCESSOR:
            admitted.append(SUCCESSOR)
        module = self.pick(chance, admitted) if admitted else CLEARING
        if self.odds(chance, 4):
            module = OUTSIDER
        debtor, creditor = self.bank(chance), self.pick(chance, (*BANK_ADDRESSES, SCHEME, OUTSIDER))
        account = token.account(debtor)
        most = 2**128 - 1
        kind = chance.randint(0, 11)
        holding = [bank for bank in BANK_ADDRESSES if token.held_for(module, bank)]
        if 3 <= kind <= 5 and holding and self.odds(chance, 85):
            debtor = self.pick(chance, holding)
        held = token.held_for(module, debtor)
        if kind <= 2:
            amount = self.amount(chance, account.available, most)
            self.tael.send(module, token, "holdFunds", debtor, amount)
        elif kind == 3:
            self.tael.send(module, token, "releaseHold", debtor, self.amount(chance, held, most))
        elif kind <= 5:
            amount, fee, released = (self.amount(chance, held // 2, most) for _ in range(3))
            if self.odds(chance, 30):
                fee = 0
            if self.odds(chance, 60):
                released = max(0, held - amount - fee)
            arguments = (debtor, creditor, amount, SCHEME, fee, released)
            self.tael.send(module, token, "executeHold", *arguments)
        elif kind == 6:
            amount = self.amount(chance, account.available, most)
            fee = self.pick(chance, (0, 1, max(0, account.available - amount)))
            fee = min(fee, most)
            self.tael.send(module, token, "pay", debtor, creditor, amount, SCHEME, fee)
        elif kind == 7:
            amount = self.amount(chance, account.available, most)
            self.tael.send(module, token, "payBack", debtor, creditor, amount)
        else:
            self.settle_net(chance, token, module)

    def settle_net(self, chance: Random, token: Token, module: str) -> None:
        source = self.pick(chance, tuple(Source))
        banks = sorted(BANK_ADDRESSES)[: chance.randint(2, 4)]
        changes = []
        for bank in banks[:-1]:
            limit = (
                token.account(bank).available
                if source == Source.AVAILABLE
                else token.held_for(module, bank)
            )
            change = self.pick(chance, (-1, -1, 1, 0)) * min(2**200, self.amount(chance, limit))
            changes.append(change)
        changes.append(-sum(changes))
        fault = chance.randrange(100)
        if fault >= 94:
            changes[0] += 1
        elif fault >= 88:
            banks = banks[::-1]
        elif fault >= 82:
            changes = changes[:-1]
        elif fault >= 76:
            changes[-1] = -(2**255)
        elif fault >= 70:
            banks, changes = [OUTSIDER, SCHEME], [0, 0]
            banks.sort(reverse=fault % 2 == 0)
        self.tael.send(module, token, "settleNet", banks, changes, int(source))

    # Governance

    @rule(seed=SEEDS)
    def govern(self, seed: int) -> None:
        chance = self.chance(seed)
        governance = self.tael.governance
        admins = [each for each in (ADMIN, SECOND_ADMIN) if (0, each) in governance.members]
        caller = self.pick(chance, admins) if self.odds(chance, 90) else OUTSIDER
        other = self.pick(chance, (ADMIN, SECOND_ADMIN))
        kind = chance.randint(0, 5)
        if kind <= 2:
            self.tael.send(caller, governance, "grantRole", 0, other, 0)
        elif kind == 3:
            self.tael.send(caller, governance, "revokeRole", 0, other)
        elif kind == 4:
            confirmed = caller if self.odds(chance, 85) else other
            self.tael.send(caller, governance, "renounceRole", 0, confirmed)
        else:
            role = chance.randint(1, 5)
            verb = "grantRole" if self.odds(chance, 50) else "revokeRole"
            rest = (0,) if verb == "grantRole" else ()
            self.tael.send(caller, governance, verb, role, QUEUE, *rest)

    # The end of every life

    def teardown(self) -> None:
        """Liveness (I-12): whatever happened, a stranger can give every open hold back once its
        time has come."""
        tael = self.tael
        touched = {token for (token, _), amount in tael.foreign.items() if amount}
        waiting = [t for t in self.terms if self.payment(t).open > 0 and t.token not in touched]
        for token in tael.tokens:
            if token.escrow != self.escrow.address:
                tael.ok(GOVERNOR, token, "admitEscrow", self.escrow.address)
        if waiting:
            tael.set_time(max(tael.now, *(terms.capture_before for terms in waiting)))
        for terms in waiting:
            tael.ok(OUTSIDER, self.escrow, "reclaim", terms.parties, terms.packed)
        for token in tael.tokens:
            if token.address not in touched:
                assert not any(account.escrowed for account in token.accounts.values())
        tael.compare_ledger()


@pytest.mark.slow
def test_contracts_follow_the_model_when_anything_happens(
    code: dict[str, dict[str, Any]],
) -> None:
    """Contracts and model agree on every step, and the steps reached everything there is to reach
    (I-36)."""
    Life.tael, Life.first_payments = _in_business(code)
    deployment = Life.tael
    run_state_machine_as_test(Life)
    examples = settings.default.max_examples
    if examples >= 50:
        assert _seldom_succeeded(deployment) == []
    if examples >= 500:
        # Fewer lives may miss a rare refusal; the scenarios meet each of them by name every time.
        assert _never_refused(deployment) == []


def _in_business(code: dict[str, dict[str, Any]]) -> tuple[Lockstep, list[Terms]]:
    """A deployment with payments open between two banks on each side, in both currencies."""
    tael = fresh(code)
    opened = []
    for index in range(8):
        merchant = index % 3
        terms = Terms(
            issuer=(ISSUER, SECOND_ISSUER)[index // 2 % 2],
            acquirer=(ACQUIRER, ACQUIRER, SECOND_ACQUIRER)[merchant],
            token=tael.tokens[index // 4].address,
            merchant=tael.merchants[merchant],
            card=CARDS[index % 3].address,
            amount=1_000 + 777 * index,
            authorize_before=tael.now + 60,
            capture_before=tael.now + (1 + index) * DAY // 2,
            refund_before=tael.now + (3 + index) * DAY,
            interchange_bps=(150, 299, 0, 300)[index % 4],
            uetr=bytes([0xFF]) * 15 + bytes([index]),
            reference_hash=HASH,
        )
        identity = payment_id(tael.escrow.address, terms)
        signature = CARDS[index % 3].sign(identity)
        code_ = typed_data.dynamic_code_digest(
            tael.escrow.domain, terms.merchant, terms.token, terms.amount, terms.uetr, tael.now + 60
        )
        key = WALLET_OWNER if merchant == 2 else TILLS[merchant]
        full = (signature, [(terms.amount, tael.now + 60, key.sign(code_))], [])
        tael.ok(terms.issuer, tael.escrow, "authorizeWith", terms.parties, terms.packed, full)
        opened.append(terms)
    tael.keep()
    return tael, opened


def _seldom_succeeded(deployment: Lockstep) -> list[str]:
    """Every function that seldom or never succeeded."""
    return [
        f"{kind}.{entry['name']}: {deployment.succeeded[entry['name']]} times"
        for kind in ("SettlementToken", "PaymentEscrow")
        for entry in deployment.chain.code[kind]["abi"]
        if entry["type"] == "function"
        and entry["stateMutability"] == "nonpayable"
        and entry["name"] not in NOT_ACTIONS
        and deployment.succeeded[entry["name"]] < MINIMUM
    ]


def _never_refused(deployment: Lockstep) -> list[str]:
    """Every error that was never met."""
    interfaces = deployment.chain.interfaces
    kinds = ("SettlementToken", "PaymentEscrow")
    errors = {name for kind in kinds for name, _ in interfaces[kind].errors.values()}
    errors -= UNREACHABLE.keys()
    errors |= {"LastAdmin", "AccessManagerBadConfirmation", "AccessManagerUnauthorizedAccount"}
    return sorted(name for name in errors if not deployment.refused[name])


def test_unreachable_errors_are_declared_when_excused(deployment: Lockstep) -> None:
    declared = {name for name, _ in deployment.chain.errors.values()}
    assert declared >= UNREACHABLE.keys()
    assert actors.SCHEME_BPS + actors.INTERCHANGE_CAP_BPS <= 10_000
