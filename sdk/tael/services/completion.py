"""Completing payments: capture, void, reclaim and refund, one or many."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tael.contracts.registry import REGISTRY
from tael.errors import InvalidInputError
from tael.events import PaymentCaptured
from tael.identifiers import check_reference
from tael.models import BatchOutcome
from tael.services.batches import Batches, chunks, require_once
from tael.services.gateway import MAX_PAYMENT_MINOR, require_money
from tael.services.intents import Intent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tael.events import Event
    from tael.models import Written
    from tael.money import Money
    from tael.services.batches import FindFirst, Parties
    from tael.services.gateway import Gateway
    from tael.services.payment_status import Payment, PaymentReader
    from tael.services.writer import Writer
    from tael.terms import Terms


class Completion:
    """Completes payments; `Payments` documents what it does.

    Args:
        gateway: The deployment.
        writer: The participant's.
        reader: Finds a payment's terms.
        batches: Sends many in one transaction.
    """

    def __init__(
        self, gateway: Gateway, writer: Writer, reader: PaymentReader, batches: Batches
    ) -> None:
        self._gateway = gateway
        self._writer = writer
        self._reader = reader
        self._batches = batches

    def up_to(self, verb: str, payment: Payment, total: Money, reference: str) -> Written:
        """Raise one of a payment's totals: see `Payments.capture`, `void` and `refund`."""
        terms = self._reader.terms(payment)
        payment_id = self._reader.id_of(payment)
        total_minor = self._minor(terms, total)
        return self._once(verb, terms, payment_id, reference, total_minor)

    def reclaim(self, payment: Payment, reference: str) -> Written:
        """See `Payments.reclaim`."""
        terms = self._reader.terms(payment)
        return self._once("reclaim", terms, self._reader.id_of(payment), reference)

    def capture_many(
        self, totals: Sequence[tuple[Payment, Money]], reference: str
    ) -> list[BatchOutcome]:
        """See `Payments.capture_many`."""
        found = self._reader.terms_of_many([payment for payment, _ in totals])
        items = [
            (terms, self._minor(terms, total))
            for terms, (_, total) in zip(found, totals, strict=True)
        ]
        check_reference(reference)
        ids = [terms.payment_id(self._gateway.domain) for terms, _ in items]
        require_once(ids)
        wanted = {id_: total for id_, (_, total) in zip(ids, items, strict=True)}
        words = list(wanted.items())
        parts = self._batches.begin("captureMany", (words,), reference)

        def find_first(payment_id: bytes) -> Event | None:
            return self._find("capture", payment_id, wanted[payment_id])

        # A repeat would find each of them captured, and pay gas to hear so.
        outcomes = self._captured_before(words, reference, find_first) if parts else {}
        groups: dict[Parties, list[int]] = {}
        for index, (terms, _) in enumerate(items):
            if ids[index] not in outcomes:
                groups.setdefault(terms.parties, []).append(index)
        orders = (
            self._batches.order(
                "captureMany",
                (parties, [(items[index][0].packed, items[index][1]) for index in chunk]),
                [ids[index] for index in chunk],
                reference,
                part,
            )
            for part, (parties, chunk) in enumerate(chunks(groups), start=parts + 1)
        )
        outcomes |= self._batches.send(orders, reference, PaymentCaptured, find_first)
        return [outcomes[id_] for id_ in ids]

    def _captured_before(
        self, words: Sequence[tuple[bytes, int]], reference: str, find_first: FindFirst
    ) -> dict[bytes, BatchOutcome]:
        escrow = self._gateway.escrow
        states = self._gateway.read_many([(escrow, "paymentOf", (id_,)) for id_, _ in words])
        outcomes = {}
        for (id_, total), state in zip(words, states, strict=True):
            event = find_first(id_) if int(state[1]) >= total else None
            if event is not None:
                written = self._writer.written_before(event, reference, id_)
                outcomes[id_] = BatchOutcome(id_, written, None)
        return outcomes

    def _once(
        self,
        verb: str,
        terms: Terms,
        payment_id: bytes,
        reference: str,
        total_minor: int | None = None,
    ) -> Written:
        total = () if total_minor is None else (total_minor,)
        return self._writer.write_once(
            self._gateway.escrow,
            verb,
            terms.parties,
            terms.packed,
            *total,
            reference=reference,
            intent=Intent(verb, (payment_id, *total), payment_id, total_minor),
            find_first=lambda: self._find(verb, payment_id, total_minor),
        )

    def _find(self, verb: str, payment_id: bytes, total_minor: int | None) -> Event | None:
        """The event of this very step, whoever sent it."""
        escrow = self._gateway.escrow
        row = REGISTRY.verb(escrow.kind, verb)
        event: Event | None = self._gateway.effect(
            escrow, row, payment_id, self._writer.participant, total_minor
        )
        return event

    def _minor(self, terms: Terms, total: Money) -> int:
        require_money(total, most_minor=MAX_PAYMENT_MINOR)
        currency = self._gateway.money(terms.token, 0).currency
        if total.currency != currency:
            raise InvalidInputError(f"The payment is in {currency}, not in {total.currency}.")
        return total.amount_minor
