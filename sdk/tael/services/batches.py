"""Batches: many payments between the same two banks in one transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tael.chain import decode_revert
from tael.errors import (
    AlreadyDoneError,
    ContractRevertedError,
    InvalidInputError,
    NodeUnavailableError,
)
from tael.events import (
    PaymentAuthorized,
    PaymentCaptured,
    PaymentSkipped,
    decode_all,
    topic_of,
)
from tael.identifiers import check_reference
from tael.journal import Item
from tael.journal.journal import conflict as reference_conflict
from tael.models import BatchOutcome, Written
from tael.services.intents import Intent, opening_intent
from tael.services.openings import conflict
from tael.services.signatures import compact

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from tael.chain import Receipt
    from tael.events import Event
    from tael.journal import Order
    from tael.models import CodeProof, SignedPayment
    from tael.outbox import Ticket
    from tael.services.gateway import Gateway
    from tael.services.openings import Openings
    from tael.terms import Terms

MAX_ITEMS = 200

BATCH_GAS = 120_000
GAS_PER_PAYMENT = {"authorizeMany": 70_000, "captureMany": 45_000}
"""Bounds instead of an estimate, which takes a node longer than the batch itself. At most 42,200 a
payment was measured for authorizeMany with a dynamic code each, 35,200 for captureMany; a full
batch stays within half a block of 30,000,000."""

Parties = tuple[str, str, str]


class Batches:
    """Groups, chunks and sends; tells for every payment what became of it."""

    def __init__(self, gateway: Gateway, openings: Openings) -> None:
        self._gateway = gateway
        self._openings = openings

    def authorize(self, payments: Sequence[SignedPayment], reference: str) -> list[BatchOutcome]:
        """See `Payments.authorize_many`."""
        _require_reference(reference)
        ids = [payment.payment_id for payment in payments]
        _require_once(ids)
        signatures = [_signature(payment) for payment in payments]
        self._require_one_reference_each(payments)
        self._require_this_escrow(payments)
        parts = self._begin("authorizeMany", (ids,), reference)
        outcomes = self._known(payments, reference)
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
            for part, (parties, chunk) in enumerate(_chunks(groups), start=parts + 1):
                codes: list[tuple[int, int, bytes]] = []
                items = []
                for index in chunk:
                    terms, proof = payments[index].terms, payments[index].prepared.proof
                    code = 0
                    if proof and terms.amount_minor > limits[terms.merchant, terms.token]:
                        codes.append(_code(proof))
                        code = len(codes)
                    items.append((terms.packed, signatures[index], code))
                yield self._order(
                    "authorizeMany",
                    (parties, items, codes),
                    [ids[index] for index in chunk],
                    reference,
                    part,
                    [self._item(payments[index]) for index in chunk],
                )

        outcomes |= self._send(orders(), reference, PaymentAuthorized, self._find_opening)
        return [outcomes[id_] for id_ in ids]

    def capture(self, items: Sequence[tuple[Terms, int]], reference: str) -> list[BatchOutcome]:
        """See `Payments.capture_many`; each item is terms and new total in minor units."""
        _require_reference(reference)
        ids = [terms.payment_id(self._gateway.domain) for terms, _ in items]
        _require_once(ids)
        totals = {id_: total for id_, (_, total) in zip(ids, items, strict=True)}
        words = [(id_, totals[id_]) for id_ in ids]
        parts = self._begin("captureMany", (words,), reference)

        def find_capture(payment_id: bytes) -> Event | None:
            history = self._gateway.history(self._gateway.escrow)
            events = history.events(
                topics=(topic_of(PaymentCaptured), "0x" + payment_id.hex()), with_times=False
            )
            wanted = totals[payment_id]
            return next(
                (
                    event
                    for event in events
                    if isinstance(event, PaymentCaptured) and event.captured_total_minor == wanted
                ),
                None,
            )

        # A repeat would find each of them captured, and pay gas to hear so.
        outcomes = self._captured_before(words, reference, find_capture) if parts else {}
        groups: dict[Parties, list[int]] = {}
        for index, (terms, _) in enumerate(items):
            if ids[index] not in outcomes:
                groups.setdefault(terms.parties, []).append(index)
        orders = (
            self._order(
                "captureMany",
                (parties, [(items[index][0].packed, items[index][1]) for index in chunk]),
                [ids[index] for index in chunk],
                reference,
                part,
            )
            for part, (parties, chunk) in enumerate(_chunks(groups), start=parts + 1)
        )
        outcomes |= self._send(orders, reference, PaymentCaptured, find_capture)
        return [outcomes[id_] for id_ in ids]

    def _begin(self, verb: str, body: tuple[object, ...], reference: str) -> int:
        """Write the batch down, wait for what was sent for it before, and count that.

        Raises:
            IdempotencyConflictError: The reference stands for another batch.
            OutcomeUnknownError: What was sent for it before is still open.
        """
        gateway = self._gateway
        intent = Intent(verb, body)
        gateway.accept(gateway.escrow, intent, reference)
        return gateway.rejoin(reference)

    def _item(self, payment: SignedPayment) -> Item:
        intent = opening_intent("authorize", payment.terms, payment.payment_id)
        return Item(
            payment.prepared.reference,
            intent.verb,
            intent.body_hash(self._gateway.escrow),
            payment.payment_id,
            intent.valid_before,
        )

    def _order(
        self,
        verb: str,
        arguments: tuple[object, ...],
        ids: list[bytes],
        reference: str,
        part: int,
        items: Sequence[Item] = (),
    ) -> tuple[Order, list[bytes]]:
        gateway = self._gateway
        order = gateway.order(
            gateway.escrow,
            verb,
            *arguments,
            reference=reference,
            # The batch's own body says the rest, and a part has no other.
            intent=Intent(verb, (ids,)),
            part=part,
            gas=BATCH_GAS + GAS_PER_PAYMENT[verb] * len(ids),
            items=items,
        )
        return order, ids

    def _send(
        self,
        orders: Iterable[tuple[Order, list[bytes]]],
        reference: str,
        kind: type[Event],
        find_first: Callable[[bytes], Event | None],
    ) -> dict[bytes, BatchOutcome]:
        """Send a batch's transactions, all in flight at once, and take in what became of them."""
        gateway = self._gateway
        # Each is on its way while the next one is made: nothing in making them fails any more.
        sent = [(gateway.submit([order])[0], ids) for order, ids in orders]
        outcomes: dict[bytes, BatchOutcome] = {}
        for ticket, ids in sent:
            outcomes |= self._take_in(ticket, ids, reference, kind, find_first)
        return outcomes

    def _take_in(
        self,
        ticket: Ticket,
        ids: list[bytes],
        reference: str,
        kind: type[Event],
        find_first: Callable[[bytes], Event | None],
    ) -> dict[bytes, BatchOutcome]:
        gateway = self._gateway
        try:
            receipt = gateway.wait(ticket)
        except ContractRevertedError as refusal:
            # The transaction as a whole was refused, and with it each of its payments.
            return {id_: BatchOutcome(id_, None, refusal) for id_ in ids}
        refusals = self._refusals(receipt)
        said = {log["topics"][1] for log in self._logs_of(receipt, kind)}
        accepted = {id_ for id_ in ids if "0x" + id_.hex() in said}
        missing = next((id_ for id_ in ids if id_ not in accepted and id_ not in refusals), None)
        if missing is not None:
            raise NodeUnavailableError(
                f"the node's receipt of {receipt.transaction_hash} says nothing of payment "
                f"0x{missing.hex()}; make the call again"
            )
        written = gateway.written(receipt, reference)
        return {
            id_: BatchOutcome(id_, _with_subject(written, id_), None)
            if id_ in accepted
            else self._skipped(id_, refusals[id_], reference, find_first)
            for id_ in ids
        }

    def _skipped(
        self,
        payment_id: bytes,
        refusal: ContractRevertedError,
        reference: str,
        find_first: Callable[[bytes], Event | None],
    ) -> BatchOutcome:
        if isinstance(refusal, AlreadyDoneError) or refusal.name == "CaptureTooLate":
            # A repeat: what counts is whether this very thing was done before.
            first = find_first(payment_id)
            if first is not None:
                written = self._gateway.written_before(first, reference, payment_id)
                return BatchOutcome(payment_id, written, None)
        return BatchOutcome(payment_id, None, refusal)

    def _refusals(self, receipt: Receipt) -> dict[bytes, ContractRevertedError]:
        return {
            event.id: decode_revert(event.refusal, transaction_hash=receipt.transaction_hash)
            for event in decode_all(self._logs_of(receipt, PaymentSkipped))
            if isinstance(event, PaymentSkipped)
        }

    def _logs_of(self, receipt: Receipt, kind: type[Event]) -> list[Any]:
        topic, escrow = topic_of(kind), self._gateway.escrow.address.lower()
        logs: list[Any] = list(receipt.logs)
        return [
            log
            for log in logs
            if log["topics"][:1] == [topic]
            and len(log["topics"]) > 1
            and log["address"].lower() == escrow
        ]

    def _require_one_reference_each(self, payments: Sequence[SignedPayment]) -> None:
        seen = {(each.terms.issuer, each.terms.reference_hash) for each in payments}
        if len(seen) != len(payments):
            raise InvalidInputError("Two payments of the batch have the same reference.")

    def _require_this_escrow(self, payments: Sequence[SignedPayment]) -> None:
        for index, payment in enumerate(payments):
            if payment.payment_id != payment.terms.payment_id(self._gateway.domain):
                raise InvalidInputError(f"Payment {index} is for another escrow or chain.")

    def _known(
        self, payments: Sequence[SignedPayment], reference: str
    ) -> dict[bytes, BatchOutcome]:
        """What the journal says of payments that were ordered before, alone or in a batch."""
        gateway = self._gateway
        participant = gateway.participant
        names = {(participant, each.prepared.reference, 0): each for each in payments}
        outcomes: dict[bytes, BatchOutcome] = {}
        for name, record in gateway.journal.find_many(list(names)).items():
            payment_id = names[name].payment_id
            if not record.stands_for(self._item(names[name]).body_hash):
                refusal = reference_conflict(record.reference, record)
                outcomes[payment_id] = BatchOutcome(payment_id, None, refusal)
                continue
            done = gateway.await_open(record)
            if done.is_done:
                outcomes[payment_id] = BatchOutcome(
                    payment_id, gateway.written_down(done, reference), None
                )
        return outcomes

    def _opened_before(
        self, payments: Sequence[SignedPayment], reference: str
    ) -> dict[bytes, BatchOutcome]:
        """What the chain has of payments that this journal does not know, or of their references.

        What is missed here, since it was opened a moment ago, the contract refuses.
        """
        gateway, escrow = self._gateway, self._gateway.escrow
        participant = gateway.participant
        own = [
            (each.terms, each.payment_id) for each in payments if each.terms.issuer == participant
        ]
        standing = self._openings.under_references(own)
        outcomes = {
            id_: BatchOutcome(id_, None, conflict(id_, opened))
            for id_, opened in standing.items()
            if opened != id_
        }
        seen = {id_ for _, id_ in own} - standing.keys()
        ids = [
            each.payment_id
            for each in payments
            if each.payment_id not in outcomes and each.payment_id not in seen
        ]
        states = gateway.read_many([(escrow, "paymentOf", (id_,)) for id_ in ids])
        opened = [id_ for id_, state in zip(ids, states, strict=True) if state[0]]
        return outcomes | self._authorized_before(opened, reference)

    def _authorized_before(self, opened: list[bytes], reference: str) -> dict[bytes, BatchOutcome]:
        gateway = self._gateway
        if not opened:
            return {}
        found = self._openings.find_many(opened)
        written: dict[str, Written] = {}
        outcomes = {}
        for id_, event in found.items():
            if not isinstance(event, PaymentAuthorized):
                continue
            at = event.at.transaction_hash
            if at not in written:
                written[at] = gateway.written_before(event, reference, id_)
            outcomes[id_] = BatchOutcome(id_, _with_subject(written[at], id_), None)
        return outcomes

    def _find_opening(self, payment_id: bytes) -> Event | None:
        event = self._openings.find(payment_id)
        return event if isinstance(event, PaymentAuthorized) else None

    def _captured_before(
        self,
        words: Sequence[tuple[bytes, int]],
        reference: str,
        find_first: Callable[[bytes], Event | None],
    ) -> dict[bytes, BatchOutcome]:
        gateway = self._gateway
        escrow = gateway.escrow
        states = gateway.read_many([(escrow, "paymentOf", (id_,)) for id_, _ in words])
        outcomes = {}
        for (id_, total), state in zip(words, states, strict=True):
            event = find_first(id_) if int(state[1]) >= total else None
            if event is not None:
                outcomes[id_] = BatchOutcome(
                    id_, gateway.written_before(event, reference, id_), None
                )
        return outcomes

    def _static_limits(self, terms: list[Terms]) -> dict[tuple[bytes, str], int]:
        keys = sorted({(each.merchant, each.token) for each in terms})
        answers: list[Any] = self._gateway.read_many(
            [(self._gateway.escrow, "acceptanceOf", key) for key in keys]
        )
        return {key: int(answer[1]) for key, answer in zip(keys, answers, strict=True)}


def _chunks(groups: dict[Parties, list[int]]) -> Iterator[tuple[Parties, list[int]]]:
    for parties, indexes in groups.items():
        for start in range(0, len(indexes), MAX_ITEMS):
            yield parties, indexes[start : start + MAX_ITEMS]


def _signature(payment: SignedPayment) -> tuple[bytes, bytes]:
    words = compact(payment.card_signature)
    if words is None:
        raise InvalidInputError(
            f"The signature of payment 0x{payment.payment_id.hex()} is no ordinary key's; "
            "authorize it alone."
        )
    return words


def _code(proof: CodeProof) -> tuple[int, int, bytes]:
    return (proof.amount_minor, proof.expires_at, proof.signature)


def _with_subject(written: Written, subject: bytes) -> Written:
    return Written(
        reference=written.reference,
        transaction_hash=written.transaction_hash,
        block_number=written.block_number,
        gas_used=written.gas_used,
        repeated=written.repeated,
        subject=subject,
        status=written.status,
    )


def _require_reference(reference: str) -> None:
    check_reference(reference)


def _require_once(ids: list[bytes]) -> None:
    if not ids:
        raise InvalidInputError("The batch is empty.")
    if len(set(ids)) != len(ids):
        raise InvalidInputError("A payment stands in the batch twice; take it out.")
