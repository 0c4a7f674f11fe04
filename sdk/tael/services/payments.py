"""Payments: preparing, signing, opening, capturing, giving back, and how they stand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tael.errors import (
    InvalidInputError,
)
from tael.events import (
    PaymentCaptured,
    PaymentOpened,
    PaymentReclaimed,
    PaymentRefunded,
    PaymentVoided,
    topic_of,
)
from tael.models import (
    BatchOutcome,
    Consent,
    PaymentStatus,
    SignedPayment,
    Written,
)
from tael.services.batches import Batches
from tael.services.gateway import MAX_PAYMENT_MINOR, require_money
from tael.services.intents import Intent
from tael.services.opening import Opening
from tael.services.openings import Openings
from tael.services.preparing import Preparation
from tael.services.standing import Standing
from tael.terms import Terms

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from tael.events import Event
    from tael.money import Money
    from tael.services.directory import Directory
    from tael.services.gateway import Gateway
    from tael.services.standing import Payment


class Payments(Preparation, Standing):
    """Card and QR payments through the escrow.

    A payment can be named by its id (32 bytes, or 0x and 64 digits), by its terms, or by what
    `prepare`, `sign` and `status` return. From an id alone, the terms are read from the event that
    opened the payment.
    """

    def __init__(self, gateway: Gateway, directory: Directory) -> None:
        openings = Openings(gateway)
        Preparation.__init__(self, gateway, directory)
        Standing.__init__(self, gateway, openings)
        self._batches = Batches(gateway, openings)
        self._opening = Opening(gateway, openings)

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
            reference: The batch's reference.

        Returns:
            One outcome a payment, in the order given.

        Source: `PaymentEscrow.captureMany`.
        """
        terms = self._terms_of_many([payment for payment, _ in totals])
        items = [
            (each, self._total(each, total)) for each, (_, total) in zip(terms, totals, strict=True)
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
            intent=Intent("reclaim", (payment_id,), payment_id),
            find_first=lambda: self._gateway.find_last(escrow, PaymentReclaimed, payment_id),
        )

    # For resolving

    def opening(self, payment_id: bytes) -> PaymentOpened | None:
        """The event that opened a payment; None if none did."""
        return self._openings.find(payment_id)

    def find_opening(self, issuer: str, reference_hash: bytes) -> PaymentOpened | None:
        """The event that opened an issuer's payment under a reference; None if none did."""
        payment_id = self._openings.find_by_reference(issuer, reference_hash)
        found = None if payment_id is None else self._openings.find(payment_id)
        # The terms are in the event: what was noted of the reference is not taken on trust.
        if found is None or (found.terms.issuer, found.reference_hash) != (issuer, reference_hash):
            return None
        return found

    # Internals

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
            return next((each for each in events if _total_of(each) == total_minor), None)

        return gateway.write_once(
            gateway.escrow,
            verb,
            terms.parties,
            terms.packed,
            total_minor,
            reference=reference,
            intent=Intent(verb, (payment_id, total_minor), payment_id, total_minor),
            find_first=find_first,
        )

    def _total(self, terms: Terms, total: Money) -> int:
        require_money(total, most_minor=MAX_PAYMENT_MINOR)
        currency = self._gateway.money(terms.token, 0).currency
        if total.currency != currency:
            raise InvalidInputError(f"The payment is in {currency}, not in {total.currency}.")
        return total.amount_minor


def _total_of(event: Event) -> int | None:
    if isinstance(event, PaymentCaptured):
        return event.captured_total_minor
    if isinstance(event, PaymentVoided):
        return event.voided_total_minor
    if isinstance(event, PaymentRefunded):
        return event.refunded_total_minor
    return None
