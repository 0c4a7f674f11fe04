"""Opening payments: one, many in flight at once, or many in one transaction."""

from __future__ import annotations

from collections import deque
from itertools import islice
from typing import TYPE_CHECKING, Any

from tael.errors import ContractRevertedError, IdempotencyConflictError, InvalidInputError
from tael.events import PaymentAuthorized, PaymentCharged
from tael.identifiers import check_reference
from tael.journal import Item
from tael.journal.journal import conflict as reference_conflict
from tael.models import BatchOutcome
from tael.services.batches import Batches, chunks, require_once, with_subject
from tael.services.intents import opening_intent
from tael.services.opened_payments import conflict
from tael.signatures import compact, is_signed_by

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import Literal

    from tael.errors import TaelError
    from tael.events import Event, PaymentOpened
    from tael.journal import Order
    from tael.models import CodeProof, Consent, SignedPayment, Written
    from tael.outbox import Ticket
    from tael.services.batches import Parties
    from tael.services.gateway import Gateway
    from tael.services.opened_payments import OpenedPayments
    from tael.services.writer import Writer
    from tael.terms import Terms

    OpeningVerb = Literal["authorize", "charge"]
    Outcomes = dict[bytes, BatchOutcome]

GROUP = 200
"""Payments that are looked up and handed over together."""
GROUPS_IN_FLIGHT = 5


class Opening:
    """Opens payments; `Payments` documents what it does.

    Args:
        gateway: The deployment.
        writer: The participant's.
        opened: What the chain has of references.
        batches: Sends many in one transaction.
    """

    def __init__(
        self, gateway: Gateway, writer: Writer, opened: OpenedPayments, batches: Batches
    ) -> None:
        self._gateway = gateway
        self._writer = writer
        self._opened = opened
        self._batches = batches

    # One

    def one(
        self, verb: OpeningVerb, payment: SignedPayment, reference: str, consent: Consent | None
    ) -> Written:
        """See `Payments.authorize` and `charge`."""
        gateway, writer = self._gateway, self._writer
        terms, payment_id = payment.terms, payment.payment_id
        self._require_this_escrow(payment)
        if consent is not None and (consent.verb, consent.payment_id) != (verb, payment_id):
            raise InvalidInputError(f"The consent is not one to {verb} this payment.")
        is_issuer = consent is None and writer.participant == terms.issuer
        if is_issuer:
            self._require_own_reference(terms, reference)
        intent = opening_intent(verb, terms, payment_id)
        first = writer.recall(gateway.escrow, intent, reference)
        if first is not None:
            return first
        if is_issuer:
            other = self._opened.other_payment(terms, payment_id)
            if other is not None:
                raise conflict(payment_id, other)
        kind = _kind(verb)
        if gateway.read(gateway.escrow, "paymentOf", payment_id)[0]:
            event = self._find_opening(kind, payment_id)
            if event is not None:
                return writer.note(gateway.escrow, intent, event, reference)
        name, arguments = self._form(verb, payment, consent)
        return writer.write_once(
            gateway.escrow,
            name,
            *arguments,
            reference=reference,
            intent=intent,
            find_first=lambda: self._find_opening(kind, payment_id),
            is_new=True,
        )

    def _find_opening(self, kind: type[Event], payment_id: bytes) -> PaymentOpened | None:
        first = self._opened.find(payment_id)
        if first is not None and not isinstance(first, kind):
            raise IdempotencyConflictError(
                f"Payment 0x{payment_id.hex()} was opened by the other verb "
                f"({type(first).__name__}); nothing was sent."
            )
        return first

    # Many in flight

    def each(self, verb: OpeningVerb, payments: Iterable[SignedPayment]) -> Iterator[BatchOutcome]:
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
        self, verb: OpeningVerb, group: Sequence[SignedPayment]
    ) -> list[tuple[SignedPayment, Ticket | BatchOutcome]]:
        """Hand a group over; what needs no transaction has its outcome at once."""
        outcomes = self._known(verb, group)
        rest = [each for each in group if each.payment_id not in outcomes]
        outcomes |= self._under_other_payments(self._own(rest))
        orders: list[Order] = []
        for payment in rest:
            if payment.payment_id in outcomes:
                continue
            try:
                orders.append(self._order(verb, payment))
            except InvalidInputError as error:
                outcomes[payment.payment_id] = BatchOutcome(payment.payment_id, None, error)
        tickets = {ticket.order.subject or b"": ticket for ticket in self._writer.submit(orders)}
        return [(each, outcomes.get(each.payment_id) or tickets[each.payment_id]) for each in group]

    def _order(self, verb: OpeningVerb, payment: SignedPayment) -> Order:
        terms, reference = payment.terms, payment.prepared.reference
        self._require_this_escrow(payment)
        if self._writer.participant == terms.issuer:
            self._require_own_reference(terms, reference)
        name, arguments = self._form(verb, payment, None)
        intent = opening_intent(verb, terms, payment.payment_id)
        escrow = self._gateway.escrow
        return self._writer.order(escrow, name, *arguments, reference=reference, intent=intent)

    def _finish(
        self, verb: OpeningVerb, group: Sequence[tuple[SignedPayment, Ticket | BatchOutcome]]
    ) -> Iterator[BatchOutcome]:
        for payment, found in group:
            if isinstance(found, BatchOutcome):
                yield found
                continue
            id_, reference = payment.payment_id, payment.prepared.reference
            try:
                receipt = self._writer.wait(found)
            except (ContractRevertedError, IdempotencyConflictError) as refusal:
                yield self._first_result(verb, payment, refusal)
            else:
                yield BatchOutcome(id_, self._writer.written(receipt, reference, id_), None)

    def _first_result(
        self, verb: OpeningVerb, payment: SignedPayment, refusal: TaelError
    ) -> BatchOutcome:
        """The chain may have refused it because it has it already."""
        id_ = payment.payment_id
        event = self._opened.find(id_) if isinstance(refusal, ContractRevertedError) else None
        if event is None or not isinstance(event, _kind(verb)):
            return BatchOutcome(id_, None, refusal)
        intent = opening_intent(verb, payment.terms, id_)
        escrow = self._gateway.escrow
        written = self._writer.note(escrow, intent, event, payment.prepared.reference)
        return BatchOutcome(id_, written, None)

    # Many in one transaction

    def many(self, payments: Sequence[SignedPayment], reference: str) -> list[BatchOutcome]:
        """See `Payments.authorize_many`."""
        check_reference(reference)
        ids = [payment.payment_id for payment in payments]
        require_once(ids)
        signatures = [_ordinary_signature(payment) for payment in payments]
        if len({(each.terms.issuer, each.terms.reference_hash) for each in payments}) != len(ids):
            raise InvalidInputError("Two payments of the batch have the same reference.")
        for index, payment in enumerate(payments):
            if payment.payment_id != payment.terms.payment_id(self._gateway.domain):
                raise InvalidInputError(f"Payment {index} is for another escrow or chain.")
        parts = self._batches.begin("authorizeMany", (ids,), reference)
        outcomes = self._known("authorize", payments, batch=reference)
        outcomes |= self._opened_before(
            [each for each in payments if each.payment_id not in outcomes], reference
        )
        groups: dict[Parties, list[int]] = {}
        for index, payment in enumerate(payments):
            if ids[index] not in outcomes:
                groups.setdefault(payment.terms.parties, []).append(index)
        limits = self._static_limits(
            [payments[i].terms for group in groups.values() for i in group]
        )

        def orders() -> Iterator[tuple[Order, list[bytes]]]:
            for part, (parties, chunk) in enumerate(chunks(groups), start=parts + 1):
                codes: list[tuple[int, int, bytes]] = []
                items = []
                for index in chunk:
                    terms, proof = payments[index].terms, payments[index].prepared.proof
                    code = 0
                    if proof and terms.amount_minor > limits[terms.merchant, terms.token]:
                        codes.append(_code(proof))
                        code = len(codes)
                    items.append((terms.packed, signatures[index], code))
                yield self._batches.order(
                    "authorizeMany",
                    (parties, items, codes),
                    [ids[index] for index in chunk],
                    reference,
                    part,
                    [self._item(payments[index]) for index in chunk],
                )

        def find_first(payment_id: bytes) -> Event | None:
            event = self._opened.find(payment_id)
            return event if isinstance(event, PaymentAuthorized) else None

        outcomes |= self._batches.send(orders(), reference, PaymentAuthorized, find_first)
        return [outcomes[id_] for id_ in ids]

    def _item(self, payment: SignedPayment) -> Item:
        intent = opening_intent("authorize", payment.terms, payment.payment_id)
        return Item(
            payment.prepared.reference,
            intent.verb,
            intent.body_hash(self._gateway.escrow),
            payment.payment_id,
            intent.valid_before,
        )

    def _opened_before(self, payments: Sequence[SignedPayment], reference: str) -> Outcomes:
        """What the chain has of payments that this journal does not know, or of their references.

        What is missed here, since it was opened a moment ago, the contract refuses.
        """
        own = self._own(payments)
        standing = self._opened.under_references(own)
        outcomes = _conflicts(standing)
        # An own payment whose reference stands for nothing was not opened.
        unopened = {id_ for _, id_ in own} - standing.keys()
        ids = [
            each.payment_id
            for each in payments
            if each.payment_id not in outcomes and each.payment_id not in unopened
        ]
        escrow = self._gateway.escrow
        states = self._gateway.read_many([(escrow, "paymentOf", (id_,)) for id_ in ids])
        opened = [id_ for id_, state in zip(ids, states, strict=True) if state[0]]
        return outcomes | self._authorized_before(opened, reference)

    def _authorized_before(self, opened: list[bytes], reference: str) -> Outcomes:
        if not opened:
            return {}
        written: dict[str, Written] = {}
        outcomes = {}
        for id_, event in self._opened.find_many(opened).items():
            if not isinstance(event, PaymentAuthorized):
                continue
            at = event.at.transaction_hash
            if at not in written:
                written[at] = self._writer.written_before(event, reference, id_)
            outcomes[id_] = BatchOutcome(id_, with_subject(written[at], id_), None)
        return outcomes

    def _static_limits(self, terms: list[Terms]) -> dict[tuple[bytes, str], int]:
        keys = sorted({(each.merchant, each.token) for each in terms})
        answers: list[Any] = self._gateway.read_many(
            [(self._gateway.escrow, "acceptanceOf", key) for key in keys]
        )
        return {key: int(answer[1]) for key, answer in zip(keys, answers, strict=True)}

    # All of these

    def _known(
        self, verb: OpeningVerb, payments: Sequence[SignedPayment], *, batch: str | None = None
    ) -> Outcomes:
        """What the journal has an answer to, whether ordered alone or in a batch.

        Args:
            verb: What shall be done.
            payments: To which.
            batch: The reference of a batch, which waits for what is in flight; None leaves that
                to the outbox.
        """
        writer, escrow = self._writer, self._gateway.escrow
        names = {(writer.participant, each.prepared.reference, 0): each for each in payments}
        outcomes = {}
        for name, record in writer.journal.find_many(list(names)).items():
            payment = names[name]
            id_ = payment.payment_id
            intent = opening_intent(verb, payment.terms, id_)
            if not record.stands_for(intent.body_hash(escrow)):
                outcomes[id_] = BatchOutcome(id_, None, reference_conflict(name[1], record))
                continue
            known = record if batch is None else writer.await_open(record)
            if known.is_done:
                reference = name[1] if batch is None else batch
                outcomes[id_] = BatchOutcome(id_, writer.written_down(known, reference), None)
        return outcomes

    def _own(self, payments: Sequence[SignedPayment]) -> list[tuple[Terms, bytes]]:
        participant = self._writer.participant
        return [
            (each.terms, each.payment_id) for each in payments if each.terms.issuer == participant
        ]

    def _under_other_payments(self, payments: Sequence[tuple[Terms, bytes]]) -> Outcomes:
        """Refusals of payments whose reference stands for another one on the chain."""
        return _conflicts(self._opened.under_references(payments))

    def _form(
        self, verb: str, payment: SignedPayment, consent: Consent | None
    ) -> tuple[str, tuple[object, ...]]:
        terms, proof = payment.terms, payment.prepared.proof
        codes = []
        if proof is not None and self._is_above_static_limit(terms):
            codes.append(_code(proof))
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
        return terms.amount_minor > self._static_limits([terms])[terms.merchant, terms.token]

    def _require_own_reference(self, terms: Terms, reference: str) -> None:
        identifiers = self._writer.identity.identifiers
        if identifiers.reference_hash(reference) != terms.reference_hash:
            raise InvalidInputError(
                f"The terms commit to another reference than {reference!r}; pass the one the "
                "payment was prepared with."
            )

    def _require_this_escrow(self, payment: SignedPayment) -> None:
        if payment.payment_id != payment.terms.payment_id(self._gateway.domain):
            raise InvalidInputError("The payment was prepared for another escrow or chain.")


def _kind(verb: str) -> type[PaymentOpened]:
    return PaymentAuthorized if verb == "authorize" else PaymentCharged


def _conflicts(opened: dict[bytes, bytes]) -> Outcomes:
    return {
        id_: BatchOutcome(id_, None, conflict(id_, other))
        for id_, other in opened.items()
        if other != id_
    }


def _ordinary_signature(payment: SignedPayment) -> tuple[bytes, bytes]:
    words = compact(payment.card_signature)
    if words is None:
        raise InvalidInputError(
            f"The signature of payment 0x{payment.payment_id.hex()} is not an ordinary key's; "
            "authorize it alone."
        )
    return words


def _code(proof: CodeProof) -> tuple[int, int, bytes]:
    return (proof.amount_minor, proof.expires_at, proof.signature)
