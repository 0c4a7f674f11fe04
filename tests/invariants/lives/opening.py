"""Payments are opened: alone, in batches, in full, in due form and with faults."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis.stateful import rule

from tael import typed_data

from ..actors import (
    ACQUIRER,
    BANKS,
    CARDS,
    DELEGATES,
    HASH,
    ISSUER,
    OUTSIDER,
    SCHEME,
    SECOND_ACQUIRER,
    SECOND_ISSUER,
    STRANGER,
    SUCCESSOR,
    TILLS,
    WALLET_OWNER,
)
from ..messages import Key, Terms, compact, halves, mirrored, payment_id
from ..model import DAY
from .drawing import KEYS, SEEDS, Drawing

if TYPE_CHECKING:
    from random import Random

    from ..model import Token


class Opening(Drawing):
    """Authorize and charge, in all their forms."""

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
        digest = typed_data.dynamic_code(
            self.escrow.domain, terms.merchant, terms.token, amount, terms.uetr, expires_at
        ).digest
        signature = (STRANGER if fault < 5 else key).sign(digest)
        return amount, expires_at, signature if index == 2 else compact(signature)

    def remember(self, *tried: Terms) -> None:
        """Note which of these are the terms of a payment now."""
        for terms in tried:
            identity = payment_id(self.escrow.address, terms)
            if identity in self.escrow.payments and terms not in self.terms:
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
        self.tael.send(caller, self.escrow, verb, signature, terms.parties, packed)
        self.remember(terms)

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
        self.tael.send(caller, self.escrow, verb, terms.parties, terms.packed, full)
        self.remember(terms)

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
        self.tael.send(caller, self.escrow, "authorizeMany", first.parties, items, codes)
        self.remember(*opened)
