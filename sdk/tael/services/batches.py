"""Batches: one verb for many payments between the same two banks in one transaction."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tael.chain import decode_revert
from tael.contracts.registry import REGISTRY
from tael.errors import (
    AlreadyDoneError,
    ContractRevertedError,
    InvalidInputError,
    NodeUnavailableError,
)
from tael.events import PaymentSkipped, decode_all, topic_of
from tael.models import BatchOutcome, Written
from tael.services.intents import Intent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from tael.chain import Receipt
    from tael.events import Event
    from tael.journal import Item, Order
    from tael.outbox import Ticket
    from tael.services.gateway import Gateway
    from tael.services.writer import Writer

    Parties = tuple[str, str, str]
    FindFirst = Callable[[bytes], Event | None]

MAX_ITEMS = 200


class Batches:
    """Sends a batch's transactions, and tells for every payment what became of it.

    Args:
        gateway: The deployment.
        writer: The participant's.
    """

    def __init__(self, gateway: Gateway, writer: Writer) -> None:
        self._gateway = gateway
        self._writer = writer

    def begin(self, function: str, body: tuple[object, ...], reference: str) -> int:
        """Write the batch down, wait for what was sent for it before, and count that.

        Raises:
            IdempotencyConflictError: The reference stands for another batch.
            OutcomeUnknownError: What was sent for it before is still open.
        """
        self._writer.accept(self._gateway.escrow, Intent(function, body), reference)
        return self._writer.rejoin(reference)

    def order(
        self,
        function: str,
        arguments: tuple[object, ...],
        ids: list[bytes],
        reference: str,
        part: int,
        items: Sequence[Item] = (),
    ) -> tuple[Order, list[bytes]]:
        """One transaction of a batch, and the payments in it.

        The bound on its gas is taken instead of an estimate, which takes a node longer than the
        batch itself.
        """
        escrow = self._gateway.escrow
        bound = REGISTRY.verb(escrow.kind, function).gas
        order = self._writer.order(
            escrow,
            function,
            *arguments,
            reference=reference,
            # The batch's own body says the rest, and a part has no other.
            intent=Intent(function, (ids,)),
            part=part,
            gas=None if bound is None else bound.limit(len(ids)),
            items=items,
        )
        return order, ids

    def send(
        self,
        orders: Iterable[tuple[Order, list[bytes]]],
        reference: str,
        kind: type[Event],
        find_first: FindFirst,
    ) -> dict[bytes, BatchOutcome]:
        """Send the transactions, all in flight at once, and take in what became of them.

        Args:
            orders: Each transaction with the payments in it.
            reference: The batch's.
            kind: The event that says that a payment was accepted.
            find_first: The event of an earlier time that a payment was accepted; None if none.
        """
        # Each is on its way while the next one is made: nothing in making them fails any more.
        sent = [(self._writer.submit([order])[0], ids) for order, ids in orders]
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
        find_first: FindFirst,
    ) -> dict[bytes, BatchOutcome]:
        try:
            receipt = self._writer.wait(ticket)
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
        written = self._writer.written(receipt, reference)
        return {
            id_: BatchOutcome(id_, with_subject(written, id_), None)
            if id_ in accepted
            else self._skipped(id_, refusals[id_], reference, find_first)
            for id_ in ids
        }

    def _skipped(
        self,
        payment_id: bytes,
        refusal: ContractRevertedError,
        reference: str,
        find_first: FindFirst,
    ) -> BatchOutcome:
        if isinstance(refusal, AlreadyDoneError) or refusal.name == "CaptureTooLate":
            # A repeat: what counts is whether this very thing was done before.
            first = find_first(payment_id)
            if first is not None:
                written = self._writer.written_before(first, reference, payment_id)
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


def chunks(groups: Mapping[Parties, list[int]]) -> Iterator[tuple[Parties, list[int]]]:
    """The transactions of a batch: parties, and the places in it of the payments between them."""
    for parties, indexes in groups.items():
        for start in range(0, len(indexes), MAX_ITEMS):
            yield parties, indexes[start : start + MAX_ITEMS]


def with_subject(written: Written, subject: bytes) -> Written:
    """The same write, as one of its payments has it."""
    return replace(written, subject=subject)


def require_once(ids: list[bytes]) -> None:
    """Refuse a batch without payments, or with one twice."""
    if not ids:
        raise InvalidInputError("The batch is empty.")
    if len(set(ids)) != len(ids):
        raise InvalidInputError("A payment stands in the batch twice; take it out.")
