"""What PaymentEscrow must do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tael import typed_data

from ..messages import Terms, escrow_domain, payment_id
from .directory import Directory
from .values import (
    MAX_BATCH,
    MAX_HOLD_SECONDS,
    MAX_REFUND_SECONDS,
    ZERO,
    Entry,
    Payment,
    Refusal,
    Verb,
    require,
    share,
)
from .world import Governance, World

if TYPE_CHECKING:
    from collections.abc import Callable


class Escrow(Directory):
    """PaymentEscrow."""

    STATE = (*Directory.STATE, "payments")

    def __init__(
        self, world: World, address: str, governance: Governance, scheme: str, bps: int, cap: int
    ) -> None:
        super().__init__(world, address, governance, scheme)
        self.scheme_bps = bps
        self.interchange_cap_bps = cap
        self.domain = escrow_domain(address)
        self.payments: dict[bytes, Payment] = {}

    def identify(self, parties: tuple[str, ...], packed: tuple[bytes, ...]) -> tuple[bytes, Terms]:
        terms = Terms.unpack(parties, packed)
        if terms is None:
            raise Refusal("TermsNotCanonical")
        return payment_id(self.address, terms), terms

    # Opening

    def authorize(self, signature: Any, parties: Any, packed: Any) -> bytes:
        identity, terms = self.identify(parties, packed)
        self.only_permitted(self.sender, terms.issuer, Verb.AUTHORIZE)
        self._open_plain(identity, terms, signature, 0)
        self._hold(identity, terms)
        return identity

    def authorize_with(self, parties: Any, packed: Any, consents: Any) -> bytes:
        identity, terms = self.identify(parties, packed)
        self._consented(identity, terms, Verb.AUTHORIZE, consents[2])
        self._open_full(identity, terms, consents, 0)
        self._hold(identity, terms)
        return identity

    def charge(self, signature: Any, parties: Any, packed: Any) -> bytes:
        identity, terms = self.identify(parties, packed)
        self.only_permitted(self.sender, terms.issuer, Verb.CHARGE)
        self._open_plain(identity, terms, signature, terms.amount)
        self._pay(identity, terms)
        return identity

    def charge_with(self, parties: Any, packed: Any, consents: Any) -> bytes:
        identity, terms = self.identify(parties, packed)
        self._consented(identity, terms, Verb.CHARGE, consents[2])
        self._open_full(identity, terms, consents, terms.amount)
        self._pay(identity, terms)
        return identity

    def authorize_many(self, parties: Any, items: Any, codes: Any) -> int:
        issuer, acquirer, token = parties
        self.only_permitted(self.sender, issuer, Verb.AUTHORIZE)
        require(0 < len(items) <= MAX_BATCH, "BatchSizeInvalid", len(items), MAX_BATCH)
        require(token in self.tokens, "TokenNotAdmitted", token)
        available = self.token(token).account(issuer).available
        total = count = 0
        for packed, signature, code in items:
            identity, terms = self.identify(parties, packed)
            try:
                chosen = codes[code - 1 : code] if code else ()
                limit = self._review(identity, terms)
                self._coded(identity, terms, limit, chosen, self.world.signers.counts_key)
                left = available - total
                require(terms.amount <= left, "AvailableTooLow", identity, left, terms.amount)
                self._card_signed_plain(identity, terms, signature)
            except Refusal as refusal:
                self.emit("PaymentSkipped", identity, refusal.refused)
                continue
            self._open(identity, terms, 0)
            self.emit("PaymentAuthorized", identity, issuer, acquirer, token, packed)
            total += terms.amount
            count += 1
        if total:
            self._as_module(token, "hold_funds", issuer, total)
        return count

    def _open_plain(self, identity: bytes, terms: Terms, signature: Any, captured: int) -> None:
        limit = self._review(identity, terms)
        self._coded(identity, terms, limit, (), self.world.signers.counts)
        self._card_signed_plain(identity, terms, signature)
        self._open(identity, terms, captured)

    def _open_full(self, identity: bytes, terms: Terms, consents: Any, captured: int) -> None:
        lengths = (len(consents[1]), len(consents[2]))
        require(max(lengths) <= 1, "ConsentsTooMany", *lengths)
        limit = self._review(identity, terms)
        self._coded(identity, terms, limit, consents[1], self.world.signers.counts)
        signed = self.world.signers.counts(terms.card, identity, consents[0])
        require(signed, "CardSignatureInvalid", identity, terms.card)
        self._open(identity, terms, captured)

    def _card_signed_plain(self, identity: bytes, terms: Terms, signature: Any) -> None:
        signed = self.world.signers.counts_compact(terms.card, identity, *signature)
        require(signed, "CardSignatureInvalid", identity, terms.card)

    def _review(self, identity: bytes, terms: Terms) -> int:
        """Everything but codes and signatures; returns the merchant's static limit."""
        now, amount = self.world.now, terms.amount
        require(identity not in self.payments, "PaymentExists", identity)
        require(amount > 0, "AmountZero", identity)
        cap = self.interchange_cap_bps
        bps = terms.interchange_bps
        require(bps <= cap, "InterchangeTooHigh", identity, bps, cap)
        deadlines = (terms.authorize_before, terms.capture_before, terms.refund_before)
        require(now < deadlines[0], "AuthorizeTooLate", identity, now, deadlines[0])
        ordered = deadlines[0] <= deadlines[1] <= deadlines[2]
        near = deadlines[1] <= now + MAX_HOLD_SECONDS
        short = deadlines[2] <= deadlines[1] + MAX_REFUND_SECONDS
        require(ordered and near and short, "DeadlinesInvalid", identity, *deadlines)
        card = self.card(terms.issuer, terms.card, terms.token)
        active = card.status == Entry.ACTIVE
        require(active, "CardNotActive", identity, terms.card, card.status)
        limit = card.payment_limit
        require(amount <= limit, "CardPaymentLimitExceeded", identity, amount, limit)
        spent = self.spent_today(terms.issuer, terms.card, terms.token) + amount
        require(spent <= card.day_limit, "CardDayLimitExceeded", identity, spent, card.day_limit)
        entry = self.acceptances.get((terms.merchant, terms.token), (ZERO, 0, Entry.NONE))
        acquirer, static_limit, status = entry
        own = acquirer == terms.acquirer
        require(own, "MerchantNotOfAcquirer", identity, terms.merchant, terms.acquirer)
        open_ = status == Entry.ACTIVE
        require(open_, "MerchantNotActive", identity, terms.merchant, status)
        return static_limit

    def _coded(
        self,
        identity: bytes,
        terms: Terms,
        limit: int,
        codes: Any,
        counts: Callable[[str, bytes, bytes], bool],
    ) -> None:
        if terms.amount <= limit:
            return
        require(len(codes) > 0, "DynamicCodeMissing", identity, terms.amount, limit)
        amount, expires_at, signature = codes[0]
        now = self.world.now
        require(now < expires_at, "DynamicCodeExpired", identity, now, expires_at)
        covered = terms.amount >= amount
        require(covered, "DynamicCodeAmountAbove", identity, terms.amount, amount)
        digest = typed_data.dynamic_code(
            self.domain, terms.merchant, terms.token, amount, terms.uetr, expires_at
        ).digest
        signer = self.merchants[terms.merchant].signer
        signed = counts(signer, digest, signature)
        require(signed, "DynamicCodeSignatureInvalid", identity, terms.merchant)

    def _consented(self, identity: bytes, terms: Terms, verb: Verb, consents: Any) -> None:
        if not consents:
            self.only_permitted(self.sender, terms.issuer, verb)
            return
        signer, before, signature = consents[0]
        require(self.world.now < before, "ConsentExpired", identity, self.world.now, before)
        self.only_permitted(signer, terms.issuer, verb)
        kinds = {
            Verb.AUTHORIZE: typed_data.authorize_consent_digest,
            Verb.CHARGE: typed_data.charge_consent_digest,
        }
        digest = kinds[verb](self.domain, identity, before)
        signed = self.world.signers.counts(signer, digest, signature)
        require(signed, "ConsentSignatureInvalid", identity, signer)

    def _open(self, identity: bytes, terms: Terms, captured: int) -> None:
        today = self.world.today
        self.payments[identity] = Payment(terms, captured, 0, 0, today)
        key = (terms.issuer, terms.card, terms.token)
        spent = self.spent_today(*key) + terms.amount
        self.cards[key] = self.card(*key)._replace(spent=spent, day=today)

    def _hold(self, identity: bytes, terms: Terms) -> None:
        self.emit("PaymentAuthorized", identity, *terms.parties, terms.packed)
        self._as_module(terms.token, "hold_funds", terms.issuer, terms.amount)

    def _pay(self, identity: bytes, terms: Terms) -> None:
        self.emit("PaymentCharged", identity, *terms.parties, terms.packed)
        scheme, interchange = self.fees(terms, terms.amount)
        net = terms.amount - scheme - interchange
        parts = (terms.issuer, terms.acquirer, net, self.scheme, scheme)
        self._as_module(terms.token, "pay", *parts)

    def fees(self, terms: Terms, captured: int) -> tuple[int, int]:
        """Scheme fee and interchange of everything captured so far."""
        return share(captured, self.scheme_bps), share(captured, terms.interchange_bps)

    # What is open

    def find(self, identity: bytes) -> Payment:
        require(identity in self.payments, "PaymentUnknown", identity)
        return self.payments[identity]

    def capture(self, parties: Any, packed: Any, total: int) -> None:
        identity, terms = self.identify(parties, packed)
        self.only_permitted(self.sender, terms.acquirer, Verb.CAPTURE)
        self._execute(terms, self._capture(identity, total))

    def capture_many(self, parties: Any, items: Any) -> int:
        self.only_permitted(self.sender, parties[1], Verb.CAPTURE)
        require(0 < len(items) <= MAX_BATCH, "BatchSizeInvalid", len(items), MAX_BATCH)
        sums = (0, 0, 0)
        count = 0
        last = None
        for packed, total in items:
            identity, terms = self.identify(parties, packed)
            try:
                parts = self._capture(identity, total)
            except Refusal as refusal:
                self.emit("PaymentSkipped", identity, refusal.refused)
                continue
            sums = (sums[0] + parts[0], sums[1] + parts[1], sums[2] + parts[2])
            count += 1
            last = terms
        if last is not None:
            self._execute(last, sums)
        return count

    def _capture(self, identity: bytes, total: int) -> tuple[int, int, int]:
        payment = self.find(identity)
        now, before = self.world.now, payment.terms.capture_before
        require(now < before, "CaptureTooLate", identity, now, before)
        captured = payment.captured
        require(total > captured, "CaptureRepeated", identity, total, captured)
        limit = payment.terms.amount - payment.voided
        require(total <= limit, "CaptureTooLarge", identity, total, limit)
        gross = total - captured
        old, new = self.fees(payment.terms, captured), self.fees(payment.terms, total)
        added = (new[0] - old[0], new[1] - old[1])
        require(sum(added) <= gross, "CaptureBelowFees", identity, gross, sum(added))
        self.payments[identity] = payment._replace(captured=total)
        self.emit("PaymentCaptured", identity, total)
        return gross, *added

    def _execute(self, terms: Terms, parts: tuple[int, int, int]) -> None:
        gross, scheme, interchange = parts
        net = gross - scheme - interchange
        arguments = (terms.issuer, terms.acquirer, net, self.scheme, scheme, interchange)
        self._as_module(terms.token, "execute_hold", *arguments)

    def void(self, parties: Any, packed: Any, total: int) -> None:
        identity, terms = self.identify(parties, packed)
        self.only_permitted(self.sender, terms.acquirer, Verb.VOID)
        payment = self.find(identity)
        require(total > payment.voided, "VoidRepeated", identity, total, payment.voided)
        limit = terms.amount - payment.captured
        require(total <= limit, "VoidTooLarge", identity, total, limit)
        self.emit("PaymentVoided", identity, total)
        self._release(identity, payment, total)

    def reclaim(self, parties: Any, packed: Any) -> None:
        identity, terms = self.identify(parties, packed)
        payment = self.find(identity)
        now, before = self.world.now, terms.capture_before
        require(now >= before, "ReclaimTooEarly", identity, now, before)
        total = terms.amount - payment.captured
        require(total > payment.voided, "ReclaimEmpty", identity)
        self.emit("PaymentReclaimed", identity, total)
        self._release(identity, payment, total)

    def _release(self, identity: bytes, payment: Payment, total: int) -> None:
        terms = payment.terms
        amount = total - payment.voided
        self.payments[identity] = payment._replace(voided=total)
        if payment.day == self.world.today:
            key = (terms.issuer, terms.card, terms.token)
            card = self.card(*key)
            self.cards[key] = card._replace(spent=card.spent - amount)
        self._as_module(terms.token, "release_hold", terms.issuer, amount)

    def refund(self, parties: Any, packed: Any, total: int) -> None:
        identity, terms = self.identify(parties, packed)
        self.only_permitted(self.sender, terms.acquirer, Verb.REFUND)
        payment = self.find(identity)
        now, before = self.world.now, terms.refund_before
        require(now < before, "RefundTooLate", identity, now, before)
        refunded = payment.refunded
        require(total > refunded, "RefundRepeated", identity, total, refunded)
        captured = payment.captured
        require(total <= captured, "RefundTooLarge", identity, total, captured)
        self.payments[identity] = payment._replace(refunded=total)
        self.emit("PaymentRefunded", identity, total)
        bps = terms.interchange_bps
        kept = share(total, bps) - share(refunded, bps)
        parts = (terms.acquirer, terms.issuer, total - refunded - kept)
        self._as_module(terms.token, "pay_back", *parts)

    def _as_module(self, token: str, function: str, *arguments: Any) -> None:
        caller, self.world.sender = self.sender, self.address
        try:
            getattr(self.token(token), function)(*arguments)
        finally:
            self.world.sender = caller
