"""Opening payments: one, or many in flight at once."""

from __future__ import annotations

from collections import deque
from itertools import islice
from typing import TYPE_CHECKING

from tael.errors import ContractRevertedError, IdempotencyConflictError, InvalidInputError
from tael.events import PaymentAuthorized, PaymentCharged
from tael.journal.journal import conflict as reference_conflict
from tael.models import BatchOutcome
from tael.services.intents import opening_intent
from tael.services.openings import conflict
from tael.services.signatures import compact, is_signed_by

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import Literal

    from tael.errors import TaelError
    from tael.events import Event, PaymentOpened
    from tael.journal import Order
    from tael.models import Consent, SignedPayment, Written
    from tael.outbox import Ticket
    from tael.services.gateway import Gateway
    from tael.services.openings import Openings
    from tael.terms import Terms

GROUP = 200
"""Payments that are looked up and handed over together."""
GROUPS_IN_FLIGHT = 5


class Opening:
    """Opens payments; `Payments` documents what it does.

    Args:
        gateway: The participant's.
        openings: What the chain has of references.
    """

    def __init__(self, gateway: Gateway, openings: Openings) -> None:
        self._gateway = gateway
        self._openings = openings

    def one(
        self,
        verb: Literal["authorize", "charge"],
        payment: SignedPayment,
        reference: str,
        consent: Consent | None,
    ) -> Written:
        """See `Payments.authorize` and `charge`."""
        gateway, terms, payment_id = self._gateway, payment.terms, payment.payment_id
        self._require_this_escrow(payment)
        if consent is not None and (consent.verb, consent.payment_id) != (verb, payment_id):
            raise InvalidInputError(f"The consent is not one to {verb} this payment.")
        is_issuer = consent is None and gateway.participant == terms.issuer
        if is_issuer:
            self._require_own_reference(terms, reference)
        intent = opening_intent(verb, terms, payment_id)
        first = gateway.recall(gateway.escrow, intent, reference)
        if first is not None:
            return first
        if is_issuer:
            self._require_one_payment(terms, payment_id)
        kind = _kind(verb)
        if gateway.read(gateway.escrow, "paymentOf", payment_id)[0]:
            event = self._find_opening(kind, payment_id)
            if event is not None:
                return gateway.note(gateway.escrow, intent, event, reference)
        name, arguments = self._form(verb, payment, consent)
        return gateway.write_once(
            gateway.escrow,
            name,
            *arguments,
            reference=reference,
            intent=intent,
            find_first=lambda: self._find_opening(kind, payment_id),
            is_new=True,
        )

    def each(
        self, verb: Literal["authorize", "charge"], payments: Iterable[SignedPayment]
    ) -> Iterator[BatchOutcome]:
        """See `Payments.authorize_each` and `charge_each`."""
        source = iter(payments)
        waiting: deque[list[tuple[SignedPayment, Ticket | BatchOutcome]]] = deque()
        while group := list(islice(source, GROUP)):
            waiting.append(self._begin(verb, group))
            if len(waiting) > GROUPS_IN_FLIGHT:
                yield from self._finish(verb, waiting.popleft())
        while waiting:
            yield from self._finish(verb, waiting.popleft())

    def _begin(
        self, verb: Literal["authorize", "charge"], group: Sequence[SignedPayment]
    ) -> list[tuple[SignedPayment, Ticket | BatchOutcome]]:
        """Hand a group over; what needs no transaction has its outcome at once."""
        gateway = self._gateway
        outcomes = self._known(verb, group)
        rest = [each for each in group if each.payment_id not in outcomes]
        own = [each for each in rest if each.terms.issuer == gateway.participant]
        others = self._openings.other_payments([(each.terms, each.payment_id) for each in own])
        outcomes |= {
            id_: BatchOutcome(id_, None, conflict(id_, other)) for id_, other in others.items()
        }
        orders: list[Order] = []
        for payment in rest:
            if payment.payment_id in outcomes:
                continue
            try:
                orders.append(self._order(verb, payment))
            except InvalidInputError as error:
                outcomes[payment.payment_id] = BatchOutcome(payment.payment_id, None, error)
        tickets = {ticket.order.subject or b"": ticket for ticket in gateway.submit(orders)}
        return [(each, outcomes.get(each.payment_id) or tickets[each.payment_id]) for each in group]

    def _known(
        self, verb: Literal["authorize", "charge"], group: Sequence[SignedPayment]
    ) -> dict[bytes, BatchOutcome]:
        """What the journal has an answer to."""
        gateway = self._gateway
        names = {(gateway.participant, each.prepared.reference, 0): each for each in group}
        outcomes = {}
        for name, record in gateway.journal.find_many(list(names)).items():
            payment = names[name]
            id_ = payment.payment_id
            intent = opening_intent(verb, payment.terms, id_)
            if not record.stands_for(intent.body_hash(gateway.escrow)):
                outcomes[id_] = BatchOutcome(id_, None, reference_conflict(name[1], record))
            elif record.is_done:
                outcomes[id_] = BatchOutcome(id_, gateway.written_down(record, name[1]), None)
        return outcomes

    def _order(self, verb: Literal["authorize", "charge"], payment: SignedPayment) -> Order:
        gateway, terms, reference = self._gateway, payment.terms, payment.prepared.reference
        self._require_this_escrow(payment)
        if gateway.participant == terms.issuer:
            self._require_own_reference(terms, reference)
        name, arguments = self._form(verb, payment, None)
        intent = opening_intent(verb, terms, payment.payment_id)
        return gateway.order(gateway.escrow, name, *arguments, reference=reference, intent=intent)

    def _finish(
        self,
        verb: Literal["authorize", "charge"],
        group: Sequence[tuple[SignedPayment, Ticket | BatchOutcome]],
    ) -> Iterator[BatchOutcome]:
        gateway = self._gateway
        for payment, found in group:
            if isinstance(found, BatchOutcome):
                yield found
                continue
            id_, reference = payment.payment_id, payment.prepared.reference
            try:
                receipt = gateway.wait(found)
            except (ContractRevertedError, IdempotencyConflictError) as refusal:
                yield self._first_result(verb, payment, refusal)
            else:
                yield BatchOutcome(id_, gateway.written(receipt, reference, id_), None)

    def _first_result(
        self, verb: Literal["authorize", "charge"], payment: SignedPayment, refusal: TaelError
    ) -> BatchOutcome:
        """The chain may have refused it because it has it already."""
        gateway, id_ = self._gateway, payment.payment_id
        event = None
        if isinstance(refusal, ContractRevertedError):
            event = self._openings.find(id_)
        if event is None or not isinstance(event, _kind(verb)):
            return BatchOutcome(id_, None, refusal)
        intent = opening_intent(verb, payment.terms, id_)
        written = gateway.note(gateway.escrow, intent, event, payment.prepared.reference)
        return BatchOutcome(id_, written, None)

    # Both

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

    def _require_own_reference(self, terms: Terms, reference: str) -> None:
        if self._gateway.identifiers.reference_hash(reference) != terms.reference_hash:
            raise InvalidInputError(
                f"The terms commit to another reference than {reference!r}; pass the one the "
                "payment was prepared with."
            )

    def _require_one_payment(self, terms: Terms, payment_id: bytes) -> None:
        other = self._openings.other_payment(terms, payment_id)
        if other is not None:
            raise conflict(payment_id, other)

    def _find_opening(self, kind: type[Event], payment_id: bytes) -> PaymentOpened | None:
        first = self._openings.find(payment_id)
        if first is not None and not isinstance(first, kind):
            raise IdempotencyConflictError(
                f"Payment 0x{payment_id.hex()} was opened by the other verb "
                f"({type(first).__name__}); nothing was sent."
            )
        return first

    def _require_this_escrow(self, payment: SignedPayment) -> None:
        if payment.payment_id != payment.terms.payment_id(self._gateway.domain):
            raise InvalidInputError("The payment was prepared for another escrow or chain.")


def _kind(verb: str) -> type[PaymentOpened]:
    return PaymentAuthorized if verb == "authorize" else PaymentCharged
