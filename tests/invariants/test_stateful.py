"""Random lives of the whole system: contracts and model must agree on every step (I-01 to I-14, I-23 to I-27, I-36).

Most steps are made to succeed, some to fail in one chosen way, many to land exactly on a limit or a deadline.
"""

from __future__ import annotations

from itertools import count
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
)
from .messages import Key, Terms, compact, halves, mirrored, payment_id, vrs
from .model import DAY, MAX_SUPPLY, MAX_WORD, ZERO, Entry, Source, Status

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .model import Token

KEYS = {key.address: key for key in (*BANKS, *CARDS, *TILLS, *DELEGATES, STRANGER)}
BANK_ADDRESSES = tuple(bank.address for bank in BANKS)
DATA = st.data()
_PERCENT = st.integers(0, 99)

UNREACHABLE = {
    "AccessManagedInvalidAuthority": "only when governance moves to another authority: scenarios",
    "AccessManagedRequiredDelay": "no role here has a delay: scenarios",
    "InvalidShortString": "OpenZeppelin's, in constructors only",
    "StringTooLong": "OpenZeppelin's, in constructors only",
    "InvalidAccountNonce": "OpenZeppelin's, never called: nonces are consumed, not given",
    "SchemeAccountInvalid": "constructor: scenarios",
    "SharesInvalid": "constructor: scenarios",
}
"""Errors of the ABIs that no random transaction can meet, and where they are tested instead."""

NOT_ACTIONS = frozenset({"setAuthority"})
"""Functions that only governance's own contract may call: scenarios."""


class Life(RuleBasedStateMachine):
    """One life of the system."""

    tael: ClassVar[Lockstep]

    def __init__(self) -> None:
        super().__init__()
        self.tael.start_over()
        self.numbers = count(1)
        self.escrow = self.tael.escrow
        self.terms: list[Terms] = []

    # Drawing

    def odds(self, data: Any, percent: int) -> bool:
        return data.draw(_PERCENT) >= 100 - percent

    def pick(self, data: Any, options: Sequence[Any]) -> Any:
        return options[data.draw(st.integers(0, len(options) - 1))]

    def token(self, data: Any) -> Token:
        return self.pick(data, self.tael.tokens)

    def bank(self, data: Any) -> str:
        return self.pick(data, BANK_ADDRESSES)

    def amount(self, data: Any, limit: int, most: int = MAX_WORD) -> int:
        """Mostly a small part of the limit, often just at it, seldom far beyond."""
        kind = data.draw(_PERCENT)
        if kind < 60:
            return data.draw(st.integers(1, max(1, min(limit // 8, 20_000))))
        options = (0, 1, limit - 1, limit, limit + 1, limit // 2, MAX_SUPPLY, most)
        return min(most, max(0, options[kind % 8]))

    def sender(self, data: Any, rightful: Sequence[str]) -> str:
        if self.odds(data, 6):
            return self.pick(data, (OUTSIDER, *BANK_ADDRESSES, DELEGATES[0].address, GUARDIAN))
        return self.pick(data, rightful)

    # Time

    @rule(data=DATA)
    def wait(self, data: Any) -> None:
        now = self.tael.now
        kind = data.draw(_PERCENT)
        if kind < 40:
            self.tael.wait(data.draw(st.integers(1, 7200)))
        elif kind < 65 and self.terms:
            terms = self.pick(data, self.terms[-12:])
            deadlines = (terms.authorize_before, terms.capture_before, terms.refund_before)
            at = self.pick(data, deadlines) + self.pick(data, (-1, 0, 1))
            if now < at < now + 12 * DAY:
                self.tael.set_time(at)
        elif kind < 80:
            self.tael.set_time((now // DAY + 1) * DAY + self.pick(data, (-1, 0, 1)))
        elif kind < 84:
            self.tael.wait(data.draw(st.integers(1, 9)) * DAY)
        self.tael.compare()

    # Opening payments

    def new_terms(self, data: Any) -> Terms:
        index = data.draw(st.integers(0, 2))
        issuer = self.pick(data, (ISSUER, SECOND_ISSUER))
        token = self.token(data)
        card = self.pick(data, (*CARDS, CARDS[0], CARDS[1])).address
        if self.odds(data, 12):
            card = self.tael.wallet
        now = self.tael.now
        authorize_before = now + self.pick(data, (1, 60, 3600, DAY))
        capture_before = authorize_before + self.pick(data, (0, 1, 3600, DAY, 6 * DAY))
        if self.odds(data, 5):
            capture_before = now + 31 * DAY
        refund_before = capture_before + self.pick(data, (0, 1, DAY, 30 * DAY, 540 * DAY))
        return Terms(
            issuer=issuer,
            acquirer=(ACQUIRER, ACQUIRER, SECOND_ACQUIRER)[index],
            token=token.address,
            merchant=self.tael.merchants[index],
            card=card,
            amount=self.payment_amount(data, issuer, card, token),
            authorize_before=authorize_before,
            capture_before=capture_before,
            refund_before=refund_before,
            interchange_bps=self.pick(data, (0, 1, 30, 150, 299, 300)),
            uetr=next(self.numbers).to_bytes(16, "big"),
            reference_hash=HASH,
        )

    def payment_amount(self, data: Any, issuer: str, card: str, token: Token) -> int:
        kind = data.draw(_PERCENT)
        if kind < 70:
            return data.draw(st.integers(1, 5_000))
        entry = self.escrow.card(issuer, card, token.address)
        left = entry.day_limit - self.escrow.spent_today(issuer, card, token.address)
        limits = (5_000, entry.payment_limit, left, token.account(issuer).available)
        exact = limits[kind % 4] + (kind // 4 % 3) - 1
        return min(2**64 - 1, max(0, exact))

    def spoil(self, data: Any, terms: Terms) -> Terms:
        """The terms with one fault."""
        now = self.tael.now
        index = data.draw(st.integers(0, 13))
        if index == 0 and self.terms:
            return self.pick(data, self.terms)
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

    def card_signature(self, data: Any, terms: Terms) -> bytes:
        """65 bytes, by the card that the terms name, or something else."""
        identity = payment_id(self.escrow.address, terms)
        signature = self.card_key(terms).sign(identity)
        if self.odds(data, 4):
            wrong = (STRANGER.sign(identity), mirrored(signature), self.card_key(terms).sign(HASH))
            return self.pick(data, wrong)
        return signature

    def code(self, data: Any, terms: Terms) -> tuple[int, int, bytes]:
        """The merchant's dynamic code for the terms, seldom a bad one."""
        index = self.tael.merchants.index(terms.merchant) if terms.merchant in self.tael.merchants else 0
        key = WALLET_OWNER if index == 2 else TILLS[index]
        amount, expires_at = max(0, terms.amount - self.pick(data, (0, 0, 7))), self.tael.now + 600
        fault = data.draw(_PERCENT)
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

    @rule(data=DATA)
    def open_plain(self, data: Any) -> None:
        terms = self.new_terms(data)
        if self.odds(data, 15):
            terms = self.spoil(data, terms)
        verb = self.pick(data, ("authorize", "authorize", "charge"))
        packed = terms.packed
        if self.odds(data, 2):
            packed = (*packed[:3], packed[3][:31] + b"\x01")
        caller = self.sender(data, (terms.issuer, DELEGATES[0].address))
        signature = halves(self.safe_signature(data, terms))
        self.remember(terms, self.tael.send(caller, self.escrow, verb, signature, terms.parties, packed))

    def safe_signature(self, data: Any, terms: Terms) -> bytes:
        return self.card_signature(data, terms)

    @rule(data=DATA)
    def open_full(self, data: Any) -> None:
        terms = self.new_terms(data)
        if self.odds(data, 12):
            terms = self.spoil(data, terms)
        verb = self.pick(data, ("authorizeWith", "authorizeWith", "chargeWith"))
        codes = [] if self.odds(data, 15) else [self.code(data, terms)]
        signature = self.card_signature(data, terms)
        if terms.card != self.tael.wallet and self.odds(data, 40):
            signature = compact(signature)
        consents: list[Any] = []
        caller = self.sender(data, (terms.issuer, DELEGATES[0].address))
        if self.odds(data, 45):
            consents = [self.consent(data, terms, verb)]
            caller = self.pick(data, (OUTSIDER, SUCCESSOR, terms.acquirer))
        full = (signature, codes, consents)
        outcome = self.tael.send(caller, self.escrow, verb, terms.parties, terms.packed, full)
        self.remember(terms, outcome)

    def consent(self, data: Any, terms: Terms, verb: str) -> tuple[str, int, bytes]:
        fault = data.draw(_PERCENT)
        signer = KEYS.get(terms.issuer, BANKS[0])
        if fault < 30:
            signer = DELEGATES[0]
        elif fault < 35:
            signer = DELEGATES[1]
        before = self.tael.now + (0 if fault >= 94 else self.pick(data, (1, 60)))
        kind = verb if fault < 90 else {"authorizeWith": "chargeWith"}.get(verb, "authorizeWith")
        digests = {
            "authorizeWith": typed_data.authorize_consent_digest,
            "chargeWith": typed_data.charge_consent_digest,
        }
        identity = payment_id(self.escrow.address, terms)
        return signer.address, before, signer.sign(digests[kind](self.escrow.domain, identity, before))

    @rule(data=DATA)
    def open_batch(self, data: Any) -> None:
        first = self.new_terms(data)
        items: list[Any] = []
        codes: list[Any] = []
        opened: list[Terms] = []
        for _ in range(data.draw(st.integers(0, 5))):
            terms = self.new_terms(data)
            if self.odds(data, 20):
                terms = self.spoil(data, terms)
            if opened and self.odds(data, 5):
                terms = opened[-1]
            # The batch says the parties once; a merchant of another acquirer stays as a bad item.
            terms = terms.but(issuer=first.issuer, acquirer=first.acquirer, token=first.token)
            index = 0
            if terms.amount > 5_000 and self.odds(data, 85):
                codes.append(self.code(data, terms))
                index = len(codes) if self.odds(data, 92) else len(codes) + 1
            signature = halves(self.card_signature(data, terms))
            items.append((terms.packed, signature, index))
            opened.append(terms)
        if items and self.odds(data, 3):
            items = items[:1] * 201
        caller = self.sender(data, (first.issuer, DELEGATES[0].address))
        outcome = self.tael.send(caller, self.escrow, "authorizeMany", first.parties, items, codes)
        if isinstance(outcome, Done):
            self.terms.extend(
                each
                for each in opened
                if payment_id(self.escrow.address, each) in self.escrow.payments
                and each not in self.terms
            )

    # What is open

    def known(self, data: Any, *, capturable: bool = False) -> Terms:
        """Terms of a payment, mostly a recent or still open one, seldom one that never was."""
        if not self.terms or self.odds(data, 3):
            return self.new_terms(data)
        options: Sequence[Terms] = self.terms[-15:]
        if capturable and self.odds(data, 85):
            now = self.tael.now
            open_ = [t for t in options if t.capture_before > now and self.payment(t).open > 0]
            options = open_ or options
        return self.pick(data, options)

    def payment(self, terms: Terms) -> Any:
        return self.escrow.payments[payment_id(self.escrow.address, terms)]

    def total(self, data: Any, terms: Terms, reached: int, limit: int) -> int:
        """A new cumulative total: mostly more than reached and within the limit."""
        kind = data.draw(_PERCENT)
        if kind < 45 and reached < limit:
            return data.draw(st.integers(reached + 1, limit))
        options = (limit, limit, limit + 1, reached, max(0, reached - 1), reached + 1, 0, 2**64 - 1)
        return min(2**64 - 1, options[kind % 8])

    @rule(data=DATA)
    def capture(self, data: Any) -> None:
        terms = self.known(data, capturable=True)
        payment = self.escrow.payments.get(payment_id(self.escrow.address, terms))
        reached, limit = (payment.captured, terms.amount - payment.voided) if payment else (0, 1)
        total = self.total(data, terms, reached, limit)
        caller = self.sender(data, (terms.acquirer, DELEGATES[1].address))
        self.tael.send(caller, self.escrow, "capture", terms.parties, terms.packed, total)

    @rule(data=DATA)
    def capture_batch(self, data: Any) -> None:
        first = self.known(data, capturable=True)
        same = [terms for terms in self.terms if terms.parties == first.parties]
        items = []
        for _ in range(data.draw(st.integers(0, 5))):
            terms = self.pick(data, same) if same else first
            if self.odds(data, 4):
                terms = self.new_terms(data)
            payment = self.escrow.payments.get(payment_id(self.escrow.address, terms))
            reached, limit = (payment.captured, terms.amount - payment.voided) if payment else (0, 1)
            items.append((terms.packed, self.total(data, terms, reached, limit)))
        if items and self.odds(data, 2):
            items = items[:1] * 201
        caller = self.sender(data, (first.acquirer, DELEGATES[1].address))
        self.tael.send(caller, self.escrow, "captureMany", first.parties, items)

    @rule(data=DATA)
    def void(self, data: Any) -> None:
        terms = self.known(data, capturable=self.odds(data, 60))
        payment = self.escrow.payments.get(payment_id(self.escrow.address, terms))
        reached, limit = (payment.voided, terms.amount - payment.captured) if payment else (0, 1)
        total = self.total(data, terms, reached, limit)
        caller = self.sender(data, (terms.acquirer, DELEGATES[1].address))
        self.tael.send(caller, self.escrow, "void", terms.parties, terms.packed, total)

    @rule(data=DATA)
    def reclaim(self, data: Any) -> None:
        terms = self.known(data)
        if self.odds(data, 70):
            now = self.tael.now
            due = [t for t in self.terms if t.capture_before <= now and self.payment(t).open > 0]
            terms = self.pick(data, due) if due else terms
        caller = self.pick(data, (OUTSIDER, terms.issuer, terms.acquirer))
        self.tael.send(caller, self.escrow, "reclaim", terms.parties, terms.packed)

    @rule(data=DATA)
    def refund(self, data: Any) -> None:
        terms = self.known(data)
        if self.odds(data, 75):
            now = self.tael.now
            paid = [t for t in self.terms if t.refund_before > now and self.payment(t).captured > 0]
            terms = self.pick(data, paid) if paid else terms
        payment = self.escrow.payments.get(payment_id(self.escrow.address, terms))
        reached, limit = (payment.refunded, payment.captured) if payment else (0, 1)
        total = self.total(data, terms, reached, limit)
        caller = self.sender(data, (terms.acquirer, DELEGATES[1].address))
        self.tael.send(caller, self.escrow, "refund", terms.parties, terms.packed, total)

    # Directory

    @rule(data=DATA)
    def change_directory(self, data: Any) -> None:
        kind = data.draw(st.integers(0, 5))
        token = self.token(data).address if self.odds(data, 95) else OUTSIDER
        if kind == 0:
            issuer = self.pick(data, (ISSUER, SECOND_ISSUER))
            card = self.pick(data, self.tael.cards) if self.odds(data, 95) else ZERO
            status = self.pick(data, (1, 1, 1, 1, 2, 0))
            limits = self.pick(data, ((20_000, 60_000), (20_000, 60_000), (9_000, 30_000), (0, 0)))
            entries = [(card, token, *limits, status)]
            if self.odds(data, 4):
                entries = entries * 257
            caller = self.sender(data, (issuer, DELEGATES[0].address))
            self.tael.send(caller, self.escrow, "setCards", issuer, entries)
        elif kind == 1:
            merchant = self.pick(data, self.tael.merchants) if self.odds(data, 92) else HASH
            owner = SECOND_ACQUIRER if merchant == self.tael.merchants[2] else ACQUIRER
            status = self.pick(data, (1, 1, 1, 1, 2, 0))
            entries_ = [(token, self.pick(data, (5_000, 5_000, 0, 2**64 - 1)), status)]
            if self.odds(data, 4):
                entries_ = entries_ * 257
            caller = self.sender(data, (owner,))
            self.tael.send(caller, self.escrow, "setAcceptances", merchant, entries_)
        elif kind == 2:
            index = data.draw(st.integers(0, 2))
            owner = (ACQUIRER, ACQUIRER, SECOND_ACQUIRER)[index]
            till = self.tael.wallet if index == 2 else TILLS[index].address
            signer = till if self.odds(data, 85) else ZERO
            caller = self.sender(data, (owner,))
            arguments = (owner, COMMITMENTS[index], signer, data.draw(st.integers(0, 9999)), HASH)
            self.tael.send(caller, self.escrow, "setMerchant", *arguments)
        elif kind == 3:
            delegate = self.pick(data, DELEGATES).address
            full = 127 if delegate == DELEGATES[0].address else 28
            verbs = full if self.odds(data, 70) else data.draw(st.integers(0, 130))
            self.tael.send(self.bank(data), self.escrow, "setDelegate", delegate, verbs)
        elif kind == 4:
            caller = self.sender(data, (GOVERNOR,))
            self.tael.send(caller, self.escrow, "admitToken", token)
        else:
            self.open_business_again(data)

    def open_business_again(self, data: Any) -> None:
        """What stopped goes on again, so that lives do not end in a standstill."""
        for token in self.tael.tokens:
            if token.paused and self.odds(data, 60):
                self.tael.send(GOVERNOR, token, "unpause")
            for bank in BANK_ADDRESSES:
                if token.account(bank).status == Status.SUSPENDED and self.odds(data, 70):
                    self.tael.send(GOVERNOR, token, "reinstate", bank)
            if token.escrow != self.escrow.address and self.odds(data, 70):
                self.tael.send(GOVERNOR, token, "admitEscrow", self.escrow.address)
        for key, card in list(self.escrow.cards.items()):
            if card.status == Entry.BLOCKED and self.odds(data, 70):
                issuer, address, token_ = key
                entries = [(address, token_, 20_000, 60_000, 1)]
                self.tael.send(issuer, self.escrow, "setCards", issuer, entries)

    # Token, as its participants use it

    @rule(data=DATA)
    def move(self, data: Any) -> None:
        token = self.token(data)
        owner = self.bank(data)
        available = token.account(owner).available
        to = self.pick(data, (*BANK_ADDRESSES, SCHEME, OUTSIDER, owner))
        kind = data.draw(st.integers(0, 4))
        if kind <= 1:
            caller = owner if self.odds(data, 95) else OUTSIDER
            self.tael.send(caller, token, "transfer", to, self.amount(data, available))
        elif kind == 2:
            spender = self.pick(data, (OUTSIDER, *BANK_ADDRESSES[:2], *([ZERO] if available % 5 == 0 else [])))
            value = MAX_WORD if self.odds(data, 20) else self.amount(data, available)
            self.tael.send(owner, token, "approve", spender, value)
        else:
            pairs = [key for key, value in token.allowances.items() if value]
            owner, spender = self.pick(data, pairs) if pairs else (owner, OUTSIDER)
            allowed = min(token.allowances.get((owner, spender), 0), token.account(owner).available)
            self.tael.send(spender, token, "transferFrom", owner, to, self.amount(data, allowed))

    @rule(data=DATA)
    def permit(self, data: Any) -> None:
        token = self.token(data)
        key = self.pick(data, BANKS)
        spender = self.pick(data, (OUTSIDER, ISSUER)) if self.odds(data, 95) else ZERO
        nonce = token.nonces.get(key.address, 0) - (1 if self.odds(data, 6) else 0)
        deadline = self.tael.now + self.pick(data, (0, 0, 1, 60, -1))
        value = self.amount(data, token.account(key.address).available)
        fields = (key.address, spender, value)
        digest = typed_data.permit_digest(token.domain, *fields, max(0, nonce), deadline)
        signer = key if self.odds(data, 95) else STRANGER
        self.tael.send(OUTSIDER, token, "permit", *fields, deadline, *vrs(signer.sign(digest)))

    @rule(data=DATA)
    def authorization(self, data: Any) -> None:
        token = self.token(data)
        key = self.pick(data, (*BANKS, STRANGER))
        nonce = self.pick(data, NONCES)
        kind = self.pick(data, ("transfer", "transfer", "receive", "receive", "cancel"))
        signer = key if self.odds(data, 95) else CARDS[0]
        short = self.odds(data, 50)
        if kind == "cancel":
            digest = typed_data.cancel_digest(token.domain, key.address, nonce)
            call: tuple[Any, ...] = (key.address, nonce)
            caller = OUTSIDER
        else:
            to = self.pick(data, BANK_ADDRESSES)
            now = self.tael.now
            after = now - self.pick(data, (1, 1, 1, 60, 0))
            before = now + self.pick(data, (1, 1, 1, 60, 0))
            value = self.amount(data, token.account(key.address).available)
            call = (key.address, to, value, after, before, nonce)
            hashes = {"transfer": typed_data.transfer_digest, "receive": typed_data.receive_digest}
            digest = hashes[kind](token.domain, *call)
            caller = self.sender(data, (to,)) if kind == "receive" else OUTSIDER
        signature = signer.sign(digest)
        form = (compact(signature),) if short else vrs(signature)
        name = "cancelAuthorization" if kind == "cancel" else f"{kind}WithAuthorization"
        self.tael.send(caller, token, name, *call, *form)

    @rule(data=DATA)
    def reserve(self, data: Any) -> None:
        token = self.token(data)
        kind = data.draw(st.integers(0, 3))
        reserve, before, _ = token.attested
        reference = self.pick(data, REFERENCES)
        if kind == 0:
            amount = self.pick(data, (10_000_000, token.supply, token.supply + 1_000, MAX_SUPPLY + 1))
            until = self.tael.now + self.pick(data, (1, DAY, 10 * DAY, 35 * DAY, 35 * DAY + 1, 0))
            self.tael.send(self.sender(data, (ATTESTOR,)), token, "attest", amount, HASH, until)
        elif kind == 1:
            amount = self.amount(data, max(0, reserve - token.supply))
            caller = self.sender(data, (DESK,))
            to = self.pick(data, (*BANK_ADDRESSES, OUTSIDER))
            self.tael.send(caller, token, "issue", to, amount, reference)
        elif kind == 2:
            owner = self.bank(data)
            amount = self.amount(data, token.account(owner).available)
            self.tael.send(owner, token, "redeem", amount, reference)
        elif before < self.tael.now + DAY:
            until = self.tael.now + 30 * DAY
            self.tael.send(ATTESTOR, token, "attest", 10_000_000, HASH, until)

    # Token, as the operator uses it

    @rule(data=DATA)
    def change_status(self, data: Any) -> None:
        token = self.token(data)
        kind = data.draw(st.integers(0, 7))
        # Banks are stopped seldom, or nothing would happen any more.
        whom = self.bank(data) if self.odds(data, 35) else self.pick(data, (OUTSIDER, QUEUE, SUCCESSOR))
        if kind == 0:
            whom = whom if self.odds(data, 90) else ZERO
            self.tael.send(self.sender(data, (REGISTRAR,)), token, "admit", whom)
        elif kind == 1:
            self.tael.send(self.sender(data, (GUARDIAN,)), token, "suspend", whom, HASH)
        elif kind <= 3:
            stopped = [a for a, entry in token.accounts.items() if entry.status == Status.SUSPENDED]
            whom = self.pick(data, stopped) if stopped and self.odds(data, 80) else whom
            self.tael.send(self.sender(data, (GOVERNOR,)), token, "reinstate", whom)
        elif kind == 4:
            if whom in BANK_ADDRESSES and token.account(whom).held == 0 and self.odds(data, 90):
                return
            self.tael.send(self.sender(data, (GOVERNOR,)), token, "close", whom)
        elif kind == 5:
            amount = self.amount(data, token.account(whom).available)
            to = self.pick(data, (*BANK_ADDRESSES, OUTSIDER, CLEARING))
            caller = self.sender(data, (GOVERNOR,))
            self.tael.send(caller, token, "forceTransfer", whom, to, amount, HASH)
        elif kind == 6 and self.odds(data, 40):
            self.tael.send(self.sender(data, (GUARDIAN,)), token, "pause")
        elif token.paused or self.odds(data, 30):
            self.tael.send(self.sender(data, (GOVERNOR,)), token, "unpause")

    @rule(data=DATA)
    def change_modules(self, data: Any) -> None:
        token = self.token(data)
        kind = data.draw(st.integers(0, 4))
        if kind == 0:
            module = self.pick(data, (CLEARING, QUEUE, QUEUE, SUCCESSOR, self.escrow.address, ZERO))
            if module == self.escrow.address and token.escrow != module:
                return  # Governance would hand our escrow's holds to nobody.
            self.tael.send(self.sender(data, (GOVERNOR,)), token, "admitModule", module)
        elif kind == 1:
            module = self.pick(data, (CLEARING, QUEUE, QUEUE, SUCCESSOR, self.escrow.address, OUTSIDER))
            self.tael.send(self.sender(data, (GUARDIAN,)), token, "cutOffModule", module)
        else:
            escrow = self.pick(data, (self.escrow.address, self.escrow.address, SUCCESSOR, ZERO))
            if escrow == SUCCESSOR and kind != 2:
                return
            self.tael.send(self.sender(data, (GOVERNOR,)), token, "admitEscrow", escrow)

    @rule(data=DATA)
    def use_module(self, data: Any) -> None:
        token = self.token(data)
        admitted = sorted(token.modules)
        if token.escrow == SUCCESSOR:
            admitted.append(SUCCESSOR)
        module = self.pick(data, admitted) if admitted else CLEARING
        if self.odds(data, 4):
            module = OUTSIDER
        debtor, creditor = self.bank(data), self.pick(data, (*BANK_ADDRESSES, SCHEME, OUTSIDER))
        account = token.account(debtor)
        held = token.held_for(module, debtor)
        most = 2**128 - 1
        kind = data.draw(st.integers(0, 8))
        if kind <= 2:
            amount = self.amount(data, account.available, most)
            self.tael.send(module, token, "holdFunds", debtor, amount)
        elif kind == 3:
            self.tael.send(module, token, "releaseHold", debtor, self.amount(data, held, most))
        elif kind <= 5:
            amount, fee, released = (self.amount(data, held // 2, most) for _ in range(3))
            if self.odds(data, 30):
                fee = 0
            if self.odds(data, 60):
                released = max(0, held - amount - fee)
            arguments = (debtor, creditor, amount, SCHEME, fee, released)
            self.tael.send(module, token, "executeHold", *arguments)
        elif kind == 6:
            amount = self.amount(data, account.available, most)
            fee = self.pick(data, (0, 1, max(0, account.available - amount)))
            fee = min(fee, most)
            self.tael.send(module, token, "pay", debtor, creditor, amount, SCHEME, fee)
        elif kind == 7:
            amount = self.amount(data, account.available, most)
            self.tael.send(module, token, "payBack", debtor, creditor, amount)
        else:
            self.settle_net(data, token, module)

    def settle_net(self, data: Any, token: Token, module: str) -> None:
        source = self.pick(data, tuple(Source))
        banks = sorted(BANK_ADDRESSES)[: data.draw(st.integers(2, 4))]
        changes = []
        for bank in banks[:-1]:
            limit = (
                token.account(bank).available
                if source == Source.AVAILABLE
                else token.held_for(module, bank)
            )
            change = self.pick(data, (-1, -1, 1, 0)) * min(2**200, self.amount(data, limit))
            changes.append(change)
        changes.append(-sum(changes))
        fault = data.draw(_PERCENT)
        if fault >= 97:
            changes[0] += 1
        elif fault >= 95:
            banks = banks[::-1]
        elif fault >= 93:
            changes = changes[:-1]
        elif fault >= 91:
            changes[-1] = -(2**255)
        elif fault >= 89:
            banks, changes = [OUTSIDER, SCHEME], [0, 0]
            banks.sort(reverse=fault == 90)
        self.tael.send(module, token, "settleNet", banks, changes, int(source))

    # Governance

    @rule(data=DATA)
    def govern(self, data: Any) -> None:
        governance = self.tael.governance
        admins = [each for each in (ADMIN, SECOND_ADMIN) if (0, each) in governance.members]
        caller = self.pick(data, admins) if self.odds(data, 90) else OUTSIDER
        other = self.pick(data, (ADMIN, SECOND_ADMIN))
        kind = data.draw(st.integers(0, 5))
        if kind <= 2:
            self.tael.send(caller, governance, "grantRole", 0, other, 0)
        elif kind == 3:
            self.tael.send(caller, governance, "revokeRole", 0, other)
        elif kind == 4:
            confirmed = caller if self.odds(data, 85) else other
            self.tael.send(caller, governance, "renounceRole", 0, confirmed)
        else:
            role = data.draw(st.integers(1, 5))
            verb = "grantRole" if self.odds(data, 50) else "revokeRole"
            rest = (0,) if verb == "grantRole" else ()
            self.tael.send(caller, governance, verb, role, QUEUE, *rest)

    # The end of every life

    def teardown(self) -> None:
        """Liveness (I-12): whatever happened, a stranger can give every open hold back once its time has come."""
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


@pytest.mark.slow
def test_contracts_follow_the_model_when_anything_happens(deployment: Lockstep) -> None:
    """Contracts and model agree on every step, and the steps reached everything there is to reach (I-36)."""
    deployment.succeeded.clear()
    deployment.refused.clear()
    Life.tael = deployment
    run_state_machine_as_test(Life)
    quiet = settings.default.max_examples < 50
    assert quiet or _not_reached(deployment) == []


def _not_reached(deployment: Lockstep) -> list[str]:
    """Every function that seldom or never succeeded and every error that was never met."""
    interfaces = deployment.chain.interfaces
    missing = []
    for kind in ("SettlementToken", "PaymentEscrow"):
        entries = deployment.chain.code[kind]["abi"]
        for entry in entries:
            name = entry.get("name", "")
            writes = entry["type"] == "function" and entry["stateMutability"] == "nonpayable"
            if writes and name not in NOT_ACTIONS and deployment.succeeded[name] < 10:
                missing.append(f"{kind}.{name}: {deployment.succeeded[name]} times")
        errors = {name for name, _ in interfaces[kind].errors.values()} - UNREACHABLE.keys()
        missing.extend(f"{kind}.{name} never" for name in sorted(errors) if not deployment.refused[name])
    expected = ("LastAdmin", "AccessManagerBadConfirmation", "AccessManagerUnauthorizedAccount", "Panic")
    missing.extend(f"{name} never" for name in expected if not deployment.refused[name])
    return missing


def test_unreachable_errors_are_declared_when_excused(deployment: Lockstep) -> None:
    declared = {name for name, _ in deployment.chain.errors.values()}
    assert declared >= UNREACHABLE.keys()
    assert actors.SCHEME_BPS + actors.INTERCHANGE_CAP_BPS <= 10_000
