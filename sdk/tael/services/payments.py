"""Payments: preparing, signing, opening, capturing, giving back, and how they stand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tael import qr
from tael.errors import (
    AlreadyDoneError,
    ContractRevertedError,
    InvalidInputError,
    PaymentUnknownError,
    ReferenceConflictError,
)
from tael.events import (
    PaymentAuthorized,
    PaymentCaptured,
    PaymentCharged,
    PaymentOpened,
    PaymentReclaimed,
    PaymentRefunded,
    PaymentVoided,
    decode_all,
    topic_of,
)
from tael.models import (
    BatchOutcome,
    CodeProof,
    Consent,
    PaymentStatus,
    PreparedPayment,
    SignedPayment,
    Written,
)
from tael.rpc import request
from tael.services.batches import Batches
from tael.services.cards import compact, is_signed_by
from tael.services.gateway import MAX_PAYMENT_MINOR, require_money
from tael.services.openings import Openings
from tael.terms import Terms
from tael.typed_data import authorize_consent_digest, charge_consent_digest

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Literal

    from tael.events import Event
    from tael.money import Money
    from tael.services.directory import Directory
    from tael.services.gateway import Gateway
    from tael.signers import Signer

    Payment = Terms | PreparedPayment | SignedPayment | PaymentStatus | bytes | str

AUTHORIZE_SECONDS = 15 * 60
HOLD_SECONDS = 7 * 86_400
REFUND_SECONDS = 180 * 86_400
MAX_HOLD_SECONDS = 31 * 86_400
MAX_REFUND_SECONDS = 540 * 86_400


class Payments:
    """Card and QR payments through the escrow.

    A payment can be named by its id (32 bytes, or 0x and 64 digits), by its terms, or by what
    `prepare`, `sign` and `status` return. From an id alone, the terms are read from the event that
    opened the payment.
    """

    def __init__(self, gateway: Gateway, directory: Directory) -> None:
        self._gateway = gateway
        self._directory = directory
        self._openings = Openings(gateway)
        self._batches = Batches(gateway, self._openings)

    # Before the chain

    def prepare(
        self,
        *,
        reference: str,
        card: str,
        amount: Money | None = None,
        code: qr.VerifiedCode | qr.MerchantCode | str | None = None,
        merchant_id: bytes | None = None,
        acquirer: str | None = None,
        issuer: str | None = None,
        interchange_bps: int = 0,
        authorize_seconds: int = AUTHORIZE_SECONDS,
        hold_seconds: int = HOLD_SECONDS,
        refund_seconds: int = REFUND_SECONDS,
    ) -> PreparedPayment:
        """Make the terms that a card signs, from a scanned code or from explicit values.

        All deadlines are measured by the chain's clock. A dynamic code fixes the UETR and the last
        moment to authorize, so preparing the same code again with the same reference gives the
        same terms and the same payment.

        Args:
            reference: The issuer's reference; only its salted hash is in the terms.
            card: The payer's key, an address.
            amount: What is paid, tip included. May be left out if the code says it; more than
                the code says is a tip.
            code: A scanned code: its text, as read, or as verified by `directory.verify_code`.
            merchant_id: Without a code: the merchant's id.
            acquirer: Without a code: the merchant's bank; None asks the Directory.
            issuer: The payer's bank; None is the client's participant.
            interchange_bps: Share of each capture that stays with the issuer, in 1/10,000.
            authorize_seconds: Time to authorize, where no dynamic code sets it.
            hold_seconds: Time to capture after that, at most 31 days from now.
            refund_seconds: Time to refund after that, at most 540 days.

        Returns:
            The payment, ready to be shown to the payer and signed by the card.

        Raises:
            QrError: The code must not be paid.
            InvalidInputError: Values are missing or do not go together.
            AmountTypeError: The amount is no `Money`.

        Source: `IPaymentEscrow.Terms`.
        """
        gateway = self._gateway
        ids = gateway.identifiers
        verified = self._verify(code, amount)
        if verified is not None:
            if merchant_id is not None or acquirer is not None:
                raise InvalidInputError("The code says merchant and acquirer; leave them out.")
            merchant_id, acquirer = verified.merchant_id, verified.acquirer
        elif merchant_id is None:
            raise InvalidInputError("Pass a code, or the merchant_id.")
        paid = _amount_of(verified, amount, gateway)
        now = gateway.now()
        authorize_before = now + authorize_seconds
        proof = None
        uetr = ids.uetr(reference)
        if verified is not None and verified.uetr is not None and verified.expires_at is not None:
            uetr = verified.uetr
            authorize_before = min(verified.expires_at, now + MAX_HOLD_SECONDS - hold_seconds)
            asked = verified.amount_minor or 0
            proof = CodeProof(asked, verified.expires_at, verified.signature)
        capture_before = authorize_before + hold_seconds
        terms = Terms(
            issuer=gateway.participant if issuer is None else gateway.address(issuer, "issuer"),
            acquirer=acquirer or self._acquirer_of(merchant_id),
            token=gateway.token(paid.currency).address,
            merchant=merchant_id,
            card=gateway.address(card, "card"),
            amount_minor=paid.amount_minor,
            authorize_before=authorize_before,
            capture_before=capture_before,
            refund_before=capture_before + refund_seconds,
            interchange_bps=interchange_bps,
            uetr=uetr,
            reference_hash=ids.reference_hash(reference),
        )
        if capture_before > now + MAX_HOLD_SECONDS or refund_seconds > MAX_REFUND_SECONDS:
            raise InvalidInputError(
                "A hold lasts at most 31 days from now and refunds end at most 540 days after it; "
                "shorten hold_seconds or refund_seconds."
            )
        return PreparedPayment(
            payment_id=terms.payment_id(gateway.domain),
            terms=terms,
            amount=paid,
            reference=reference,
            merchant_name=None if verified is None else verified.name,
            proof=proof,
        )

    def sign(self, prepared: PreparedPayment, card: Signer) -> SignedPayment:
        """Have the card sign the payment's id. The payer must have seen name and amount.

        Raises:
            InvalidInputError: Another key than the terms name.
        """
        if card.address != prepared.terms.card:
            raise InvalidInputError(
                f"The terms are for card {prepared.terms.card}, not for {card.address}."
            )
        return SignedPayment(prepared, card.sign_digest(prepared.payment_id))

    def consent(
        self,
        payment: SignedPayment | PreparedPayment,
        *,
        verb: Literal["authorize", "charge"] = "authorize",
        valid_seconds: int = AUTHORIZE_SECONDS,
    ) -> Consent:
        """Sign, as the issuer or its delegate, that anyone may open this one payment.

        Args:
            payment: Which.
            verb: The consent counts for this verb alone.
            valid_seconds: How long, by the chain's clock.
        """
        gateway = self._gateway
        valid_before = gateway.now() + valid_seconds
        build = authorize_consent_digest if verb == "authorize" else charge_consent_digest
        digest = build(gateway.domain, payment.payment_id, valid_before)
        signature = gateway.signer.sign_digest(digest)
        return Consent(verb, payment.payment_id, gateway.signer.address, valid_before, signature)

    # Opening

    def authorize(
        self, payment: SignedPayment, *, reference: str, consent: Consent | None = None
    ) -> Written:
        """Set the amount aside for the acquirer.

        Sends the plain form where it suffices, and the full one with the merchant's dynamic code
        above its static limit, for a card that is a contract account, or with a consent.

        Args:
            payment: As signed by the card.
            reference: The issuer's reference that the terms commit to; a relayer's own.
            consent: The issuer's, if somebody else sends this.

        Returns:
            The write; `subject` is the payment id. The same payment again gives the first result.

        Raises:
            ReferenceConflictError: The reference stands for another payment, or this one was
                opened by `charge`.
            TermsRefusedError, LimitExceededError, WrongStateError, WrongTimeError,
            InsufficientFundsError, NotPermittedError: The contract refuses, by name.

        Source: `PaymentEscrow.authorize`, `authorizeWith`.
        """
        return self._open("authorize", payment, reference, consent)

    def charge(
        self, payment: SignedPayment, *, reference: str, consent: Consent | None = None
    ) -> Written:
        """Pay at once, in full, without a hold. Arguments and errors as in `authorize`.

        Source: `PaymentEscrow.charge`, `chargeWith`.
        """
        return self._open("charge", payment, reference, consent)

    def authorize_many(
        self, payments: Iterable[SignedPayment], *, reference: str
    ) -> list[BatchOutcome]:
        """Authorize many payments, at most 200 in one transaction.

        Payments are grouped by issuer, acquirer and token. One that is refused is left out and the
        others go on; what the chain has already counts as accepted.

        Args:
            payments: Each once. Cards must be ordinary keys.
            reference: The batch's reference, at most 29 characters; transactions count it up.

        Returns:
            One outcome a payment, in the order given.

        Raises:
            InvalidInputError: A payment stands there twice, or its signature has a wrong size.
            OutcomeUnknownError: Nobody knows whether a transaction is in a block. Call again with
                the same payments later: what went through counts as accepted.

        Source: `PaymentEscrow.authorizeMany`.
        """
        return self._batches.authorize(list(payments), reference)

    # Afterwards

    def capture(self, payment: Payment, total: Money, *, reference: str) -> Written:
        """Pay out of the hold, up to a new total.

        Args:
            payment: Which.
            total: How much shall be captured in all after this, not how much more: that is what
                makes a repeat harmless. `capture_more` computes it from a status.
            reference: The acquirer's reference.

        Returns:
            The write; the same total again gives the first result.

        Raises:
            AlreadyDoneError: As much or more is captured, and never stood at this total.
            WrongTimeError: Too late.
            LimitExceededError: More than is held.

        Source: `PaymentEscrow.capture`.
        """
        return self._raise_total("capture", PaymentCaptured, payment, total, reference)

    def capture_more(self, status: PaymentStatus, more: Money, *, reference: str) -> Written:
        """Capture this much more than a status says.

        Warning:
            Repeat it with the same status. A status read anew after an unknown outcome may already
            contain the first capture.
        """
        return self.capture(status, status.captured + require_money(more), reference=reference)

    def capture_many(
        self, totals: Sequence[tuple[Payment, Money]], *, reference: str
    ) -> list[BatchOutcome]:
        """Capture many payments, at most 200 in one transaction.

        Args:
            totals: Payment and new total of each, each payment once.
            reference: The batch's reference, at most 29 characters; transactions count it up.

        Returns:
            One outcome a payment, in the order given.

        Source: `PaymentEscrow.captureMany`.
        """
        terms = self._terms_of_many([payment for payment, _ in totals])
        items = [
            (each, self._total(each, total))
            for each, (_, total) in zip(terms, totals, strict=True)
        ]
        return self._batches.capture(items, reference)

    def void(self, payment: Payment, total: Money, *, reference: str) -> Written:
        """Give part or all of the hold back to the issuer, up to a new total.

        Args:
            payment: Which.
            total: How much shall be voided in all after this.
            reference: The acquirer's reference.

        Source: `PaymentEscrow.void`.
        """
        return self._raise_total("void", PaymentVoided, payment, total, reference)

    def void_rest(self, status: PaymentStatus, *, reference: str) -> Written:
        """Give back all that a status says is still held. Repeat it with the same status."""
        return self.void(status, status.voided + require_money(status.held), reference=reference)

    def refund(self, payment: Payment, total: Money, *, reference: str) -> Written:
        """Pay back out of the acquirer's available, up to a new total for the cardholder.

        Args:
            payment: Which.
            total: How much shall be refunded in all after this.
            reference: The acquirer's reference.

        Source: `PaymentEscrow.refund`.
        """
        return self._raise_total("refund", PaymentRefunded, payment, total, reference)

    def refund_more(self, status: PaymentStatus, more: Money, *, reference: str) -> Written:
        """Refund this much more than a status says. Repeat it with the same status."""
        return self.refund(status, status.refunded + require_money(more), reference=reference)

    def reclaim(self, payment: Payment, *, reference: str) -> Written:
        """Give back to the issuer what is still held after the time to capture. For anyone.

        Source: `PaymentEscrow.reclaim`.
        """
        terms = self.terms(payment)
        payment_id = self.id_of(payment)
        escrow = self._gateway.escrow
        return self._gateway.write_once(
            escrow,
            "reclaim",
            terms.parties,
            terms.packed,
            reference=reference,
            subject=payment_id,
            find_first=lambda: self._gateway.find_last(escrow, PaymentReclaimed, payment_id),
        )

    # Reading

    def status(self, payment: Payment) -> PaymentStatus:
        """How a payment stands, and what may be done with it until when.

        Raises:
            PaymentUnknownError: It was never opened.
        """
        gateway = self._gateway
        payment_id = self.id_of(payment)
        exists, captured, voided, refunded, day = gateway.read(
            gateway.escrow, "paymentOf", payment_id
        )
        if not exists:
            raise _unknown(payment_id)
        terms = self.terms(payment)
        now = gateway.now()
        held = terms.amount_minor - captured - voided
        can_capture = held > 0 and now < terms.capture_before
        can_refund = refunded < captured and now < terms.refund_before
        verbs = {
            "capture": can_capture,
            "void": held > 0,
            "reclaim": held > 0 and now >= terms.capture_before,
            "refund": can_refund,
        }

        def money(amount_minor: int) -> Money:
            return gateway.money(terms.token, amount_minor)

        return PaymentStatus(
            payment_id=payment_id,
            terms=terms,
            amount=money(terms.amount_minor),
            captured=money(captured),
            voided=money(voided),
            refunded=money(refunded),
            held=money(held),
            authorized_day=day,
            chain_time=now,
            may_capture_before=terms.capture_before if can_capture else None,
            may_void=held > 0,
            may_reclaim_from=terms.capture_before if held > 0 else None,
            may_refund_before=terms.refund_before if can_refund else None,
            verbs=tuple(verb for verb, possible in verbs.items() if possible),
        )

    def terms(self, payment: Payment) -> Terms:
        """The terms of a payment; from an id alone they are read from the event that opened it.

        Raises:
            PaymentUnknownError: It was never opened.
        """
        if isinstance(payment, Terms):
            return payment
        if not isinstance(payment, (bytes, str)):
            return payment.terms
        payment_id = self.id_of(payment)
        opened = self._openings.find(payment_id)
        if opened is None:
            raise _unknown(payment_id)
        return opened.terms

    def id_of(self, payment: Payment) -> bytes:
        """A payment's id, 32 bytes.

        Raises:
            InvalidInputError: Neither an id nor a payment.
        """
        if isinstance(payment, Terms):
            return payment.payment_id(self._gateway.domain)
        if not isinstance(payment, (bytes, str)):
            return payment.payment_id
        try:
            value = payment if isinstance(payment, bytes) else bytes.fromhex(payment[2:])
        except ValueError as error:
            raise InvalidInputError("A payment id is 0x and 64 hexadecimal digits.") from error
        if len(value) != 32 or (isinstance(payment, str) and payment[:2] != "0x"):
            raise InvalidInputError("A payment id is 32 bytes, or 0x and 64 hexadecimal digits.")
        return value

    def find(self, reference: str) -> PaymentStatus | None:
        """The payment that the client's participant opened as issuer under a reference, or None."""
        gateway = self._gateway
        payment_id = self._openings.find_by_reference(
            gateway.participant, gateway.identifiers.reference_hash(reference)
        )
        return None if payment_id is None else self.status(payment_id)

    # Internals

    def _verify(
        self, code: qr.VerifiedCode | qr.MerchantCode | str | None, amount: Money | None
    ) -> qr.VerifiedCode | None:
        if code is None or isinstance(code, qr.VerifiedCode):
            return code
        return self._directory.verify_code(
            code, currency=None if amount is None else amount.currency
        )

    def _acquirer_of(self, merchant_id: bytes) -> str:
        record = self._directory.merchant(merchant_id)
        if record is None:
            raise InvalidInputError("The Directory knows no such merchant.")
        return record.acquirer

    def _open(
        self,
        verb: Literal["authorize", "charge"],
        payment: SignedPayment,
        reference: str,
        consent: Consent | None,
    ) -> Written:
        gateway, terms, payment_id = self._gateway, payment.terms, payment.payment_id
        if payment_id != terms.payment_id(gateway.domain):
            raise InvalidInputError("The payment was prepared for another escrow or chain.")
        if consent is not None and (consent.verb, consent.payment_id) != (verb, payment_id):
            raise InvalidInputError(f"The consent is not one to {verb} this payment.")
        if consent is None and gateway.participant == terms.issuer:
            self._require_reference(terms, payment_id, reference)
        kind = PaymentAuthorized if verb == "authorize" else PaymentCharged
        if gateway.read(gateway.escrow, "paymentOf", payment_id)[0]:
            first = self._find_opening(kind, payment_id)
            if first is not None:
                return gateway.written_before(first, reference, payment_id)
        name, arguments = self._form(verb, payment, consent)
        return gateway.write_once(
            gateway.escrow,
            name,
            *arguments,
            reference=reference,
            subject=payment_id,
            find_first=lambda: self._find_opening(kind, payment_id),
        )

    def _form(
        self, verb: str, payment: SignedPayment, consent: Consent | None
    ) -> tuple[str, tuple[object, ...]]:
        terms, proof = payment.terms, payment.prepared.proof
        codes = []
        if proof is not None and self._is_above_static_limit(terms):
            codes.append((proof.amount_minor, proof.expires_at, proof.signature))
        if consent is None and not codes:
            plain = compact(payment.card_signature)
            if plain is not None and is_signed_by(terms.card, payment.payment_id, plain):
                return verb, (plain, terms.parties, terms.packed)
        consents = []
        if consent is not None:
            consents.append((consent.signer, consent.valid_before, consent.signature))
        full = (payment.card_signature, codes, consents)
        return f"{verb}With", (terms.parties, terms.packed, full)

    def _is_above_static_limit(self, terms: Terms) -> bool:
        _, limit, _ = self._gateway.read(
            self._gateway.escrow, "acceptanceOf", terms.merchant, terms.token
        )
        return terms.amount_minor > int(limit)

    def _require_reference(self, terms: Terms, payment_id: bytes, reference: str) -> None:
        if self._gateway.identifiers.reference_hash(reference) != terms.reference_hash:
            raise InvalidInputError(
                f"The terms commit to another reference than {reference!r}; pass the one the "
                "payment was prepared with."
            )
        other = self._openings.other_payment(terms, payment_id)
        if other is not None:
            raise ReferenceConflictError(
                f"The reference {reference!r} (UETR {terms.uetr.hex()}) already stands for payment "
                f"0x{other.hex()}. Nothing was sent; look at that payment, or use a new reference."
            )

    def _find_opening(self, kind: type[Event], payment_id: bytes) -> PaymentOpened | None:
        first = self._openings.find(payment_id)
        if first is not None and not isinstance(first, kind):
            raise ReferenceConflictError(
                f"Payment 0x{payment_id.hex()} was opened by the other verb "
                f"({type(first).__name__}); nothing was sent."
            )
        return first

    def _raise_total(
        self, verb: str, kind: type[Event], payment: Payment, total: Money, reference: str
    ) -> Written:
        gateway = self._gateway
        terms = self.terms(payment)
        payment_id = self.id_of(payment)
        total_minor = self._total(terms, total)

        def find_first() -> Event | None:
            events = gateway.history(gateway.escrow).events(
                topics=(topic_of(kind), "0x" + payment_id.hex()), with_times=False
            )
            same = [each for each in events if _total_of(each) == total_minor]
            if same:
                return same[0]
            if verb == "capture":
                charged = self._openings.find(payment_id)
                if isinstance(charged, PaymentCharged) and charged.amount_minor == total_minor:
                    return charged
            return None

        return gateway.write_once(
            gateway.escrow,
            verb,
            terms.parties,
            terms.packed,
            total_minor,
            reference=reference,
            subject=payment_id,
            find_first=find_first,
        )

    def _total(self, terms: Terms, total: Money) -> int:
        require_money(total, most_minor=MAX_PAYMENT_MINOR)
        currency = self._gateway.money(terms.token, 0).currency
        if total.currency != currency:
            raise InvalidInputError(f"The payment is in {currency}, not in {total.currency}.")
        return total.amount_minor

    def _terms_of_many(self, payments: list[Payment]) -> list[Terms]:
        unread = [self.id_of(each) for each in payments if isinstance(each, (bytes, str))]
        found = self._openings.find_many(unread) if unread else {}
        terms = []
        for payment in payments:
            if isinstance(payment, (bytes, str)):
                payment_id = self.id_of(payment)
                if payment_id not in found:
                    raise _unknown(payment_id)
                terms.append(found[payment_id].terms)
            else:
                terms.append(self.terms(payment))
        return terms


def _amount_of(
    verified: qr.VerifiedCode | None, amount: Money | None, gateway: Gateway
) -> Money:
    asked = None
    if verified is not None and verified.token is not None and verified.amount_minor is not None:
        asked = gateway.money(verified.token, verified.amount_minor)
    if amount is None and asked is None:
        raise InvalidInputError("Neither the code nor the caller says an amount; pass one.")
    paid = require_money(asked if amount is None else amount, most_minor=MAX_PAYMENT_MINOR)
    if asked is not None and paid < asked:
        raise InvalidInputError(f"The code asks for {asked}; {paid} is less.")
    return paid


def _total_of(event: Event) -> int | None:
    if isinstance(event, PaymentCaptured):
        return event.captured_total_minor
    if isinstance(event, PaymentVoided):
        return event.voided_total_minor
    if isinstance(event, PaymentRefunded):
        return event.refunded_total_minor
    return None


def _unknown(payment_id: bytes) -> PaymentUnknownError:
    return PaymentUnknownError(
        f"Payment 0x{payment_id.hex()} was never opened in this escrow. Check id, chain and "
        "manifest; if it was just sent, its outcome may still be open."
    )
