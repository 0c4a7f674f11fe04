"""Payments: preparing, signing, opening, capturing, giving back, and how they stand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tael.services.batches import Batches
from tael.services.completion import Completion
from tael.services.gateway import require_money
from tael.services.opened_payments import OpenedPayments
from tael.services.opening import Opening
from tael.services.payment_status import PaymentReader
from tael.services.preparation import (
    AUTHORIZE_SECONDS,
    HOLD_SECONDS,
    REFUND_SECONDS,
    Preparation,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import Literal

    from tael import qr
    from tael.events import PaymentOpened
    from tael.models import (
        BatchOutcome,
        Consent,
        PaymentStatus,
        PreparedPayment,
        SignedPayment,
        Written,
    )
    from tael.money import Money
    from tael.services.directory import Directory
    from tael.services.gateway import Gateway
    from tael.services.payment_status import Payment
    from tael.services.writer import Writer
    from tael.signers import Signer
    from tael.terms import Terms


class Payments:
    """Card and QR payments through the escrow.

    A payment can be named by its id (32 bytes, or 0x and 64 digits), by its terms, or by what
    `prepare`, `sign` and `status` return. From an id alone, the terms are read from the event that
    opened the payment.
    """

    def __init__(self, gateway: Gateway, writer: Writer, directory: Directory) -> None:
        batches = Batches(gateway, writer)
        self._opened = OpenedPayments(gateway, writer)
        self._reader = PaymentReader(gateway, writer.identity, self._opened)
        self._preparation = Preparation(gateway, writer.identity, directory)
        self._opening = Opening(gateway, writer, self._opened, batches)
        self._completion = Completion(gateway, writer, self._reader, batches)

    # Before

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
        at: int | None = None,
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
            at: The chain's time the deadlines are measured from, Unix seconds, where many payments
                are prepared at once; None asks the chain.
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
        return self._preparation.prepare(
            reference=reference,
            card=card,
            amount=amount,
            code=code,
            merchant_id=merchant_id,
            acquirer=acquirer,
            issuer=issuer,
            interchange_bps=interchange_bps,
            at=at,
            authorize_seconds=authorize_seconds,
            hold_seconds=hold_seconds,
            refund_seconds=refund_seconds,
        )

    def sign(self, prepared: PreparedPayment, card: Signer) -> SignedPayment:
        """Have the card sign the payment's id. The payer must have seen name and amount.

        Raises:
            InvalidInputError: Another key than the terms name.
        """
        return self._preparation.sign(prepared, card)

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
        return self._preparation.consent(payment, verb=verb, valid_seconds=valid_seconds)

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
            IdempotencyConflictError: The reference stands for another payment, or this one was
                opened by `charge`.
            TermsRefusedError, LimitExceededError, WrongStateError, WrongTimeError,
            InsufficientFundsError, NotPermittedError: The contract refuses, by name.

        Source: `PaymentEscrow.authorize`, `authorizeWith`.
        """
        return self._opening.one("authorize", payment, reference, consent)

    def authorize_each(self, payments: Iterable[SignedPayment]) -> Iterator[BatchOutcome]:
        """Authorize payments one by one, each in a transaction of its own, many in flight at once.

        For a stream of payments that shall not wait for one another: what the first ones became is
        told while later ones are still taken. Memory stays the same however many there are.

        Args:
            payments: As signed by their cards; each counts under the reference it was prepared
                with.

        Yields:
            One outcome a payment, in the order given. The same payment again gives its first
            result.

        Raises:
            OutcomeUnknownError: Nobody knows whether a payment is in a block. Call again with the
                same payments: each is paid once.

        Source: `PaymentEscrow.authorize`, `authorizeWith`.
        """
        return self._opening.each("authorize", payments)

    def charge(
        self, payment: SignedPayment, *, reference: str, consent: Consent | None = None
    ) -> Written:
        """Pay at once, in full, without a hold. Arguments and errors as in `authorize`.

        Source: `PaymentEscrow.charge`, `chargeWith`.
        """
        return self._opening.one("charge", payment, reference, consent)

    def charge_each(self, payments: Iterable[SignedPayment]) -> Iterator[BatchOutcome]:
        """Pay many at once, as `authorize_each` authorizes them."""
        return self._opening.each("charge", payments)

    def authorize_many(
        self, payments: Iterable[SignedPayment], *, reference: str
    ) -> list[BatchOutcome]:
        """Authorize many payments, at most 200 in one transaction.

        Payments are grouped by issuer, acquirer and token. One that is refused is left out and the
        others go on; what the chain has already counts as accepted.

        Args:
            payments: Each once. Cards must be ordinary keys.
            reference: The batch's reference.

        Returns:
            One outcome a payment, in the order given.

        Raises:
            InvalidInputError: A payment stands there twice, or its signature has a wrong size.
            OutcomeUnknownError: Nobody knows whether a transaction is in a block. Call again with
                the same payments later: what went through counts as accepted.

        Source: `PaymentEscrow.authorizeMany`.
        """
        return self._opening.many(list(payments), reference)

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
        return self._completion.up_to("capture", payment, total, reference)

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
            reference: The batch's reference.

        Returns:
            One outcome a payment, in the order given.

        Source: `PaymentEscrow.captureMany`.
        """
        return self._completion.capture_many(totals, reference)

    def void(self, payment: Payment, total: Money, *, reference: str) -> Written:
        """Give part or all of the hold back to the issuer, up to a new total.

        Args:
            payment: Which.
            total: How much shall be voided in all after this.
            reference: The acquirer's reference.

        Source: `PaymentEscrow.void`.
        """
        return self._completion.up_to("void", payment, total, reference)

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
        return self._completion.up_to("refund", payment, total, reference)

    def refund_more(self, status: PaymentStatus, more: Money, *, reference: str) -> Written:
        """Refund this much more than a status says. Repeat it with the same status."""
        return self.refund(status, status.refunded + require_money(more), reference=reference)

    def reclaim(self, payment: Payment, *, reference: str) -> Written:
        """Give back to the issuer what is still held after the time to capture. For anyone.

        Source: `PaymentEscrow.reclaim`.
        """
        return self._completion.reclaim(payment, reference)

    # How they stand

    def status(self, payment: Payment) -> PaymentStatus:
        """How a payment stands, and what may be done with it until when.

        Raises:
            WrongStateError: It was never opened.
        """
        return self._reader.status(payment)

    def terms(self, payment: Payment) -> Terms:
        """The terms of a payment; from an id alone they are read from the event that opened it.

        Raises:
            WrongStateError: It was never opened.
        """
        return self._reader.terms(payment)

    def id_of(self, payment: Payment) -> bytes:
        """A payment's id, 32 bytes.

        Raises:
            InvalidInputError: Neither an id nor a payment.
        """
        return self._reader.id_of(payment)

    def find(self, reference: str) -> PaymentStatus | None:
        """The payment that the client's participant opened as issuer under a reference, or None."""
        return self._reader.find(reference)

    # For resolving

    def opening(self, payment_id: bytes) -> PaymentOpened | None:
        """The event that opened a payment; None if none did."""
        return self._opened.find(payment_id)

    def find_opening(self, issuer: str, reference_hash: bytes) -> PaymentOpened | None:
        """The event that opened an issuer's payment under a reference; None if none did."""
        payment_id = self._opened.find_by_reference(issuer, reference_hash)
        found = None if payment_id is None else self._opened.find(payment_id)
        # The terms are in the event: what was noted of the reference is not taken on trust.
        if found is None or (found.terms.issuer, found.reference_hash) != (issuer, reference_hash):
            return None
        return found
