"""What is told of tickets, flights and transactions, in the plain values that telemetry takes.

What must be looked up to name a write, as after a restart, is looked up for a whole group at once,
and only if somebody listens or counts.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tael.journal import log_fields
from tael.outbox.receipts import refusal_of
from tael.telemetry import log_events
from tael.telemetry.log_events import harmless

if TYPE_CHECKING:
    from concurrent.futures import Future

    from tael.chain import Receipt
    from tael.journal import Journal, SignedTransaction
    from tael.outbox.flights import Flight
    from tael.outbox.tickets import Ticket

Fields = dict[str, str | int | None]


@harmless
def accepted(tickets: Sequence[Ticket]) -> None:
    """Orders were handed over; nothing of them is written down yet."""
    for ticket in tickets:
        ticket.future.add_done_callback(functools.partial(_answered, ticket))
    log_events.accepted(log_fields(ticket.order) for ticket in tickets)


@harmless
def _answered(ticket: Ticket, future: Future[Receipt]) -> None:
    error = None if future.cancelled() else future.exception()
    if error is not None:
        log_events.failed(ticket.log_fields(), error)


@harmless
def signed(flights: Sequence[Flight]) -> None:
    """Orders were signed and written down."""
    log_events.signed(_under_way(each) for each in flights)


@harmless
def sent(flights: Sequence[Flight]) -> None:
    """What was signed was handed to a node, which did not refuse it."""
    log_events.sent(_under_way(each) for each in flights if not each.refused)


@harmless
def settled(
    journal: Journal,
    found: Sequence[tuple[Flight, Any]],
    refusals: Mapping[int, bytes],
    *,
    is_final: bool,
) -> None:
    """Transactions were found in blocks, and that was written down.

    Args:
        journal: Names those that nobody here waits for.
        found: Flight and receipt of each.
        refusals: By write: why the contract refused it.
        is_final: Whether it cannot be undone any more.
    """
    now, now_ms = time.monotonic(), time.time() * 1_000
    is_told = log_events.is_included_told()
    names = _names(journal, [flight for flight, _ in found])
    confirmed: list[tuple[Fields, float]] = []
    for flight, receipt in found:
        write = flight.newest.write
        if write is None:
            continue
        fields = names.get(write, {})
        refusal = refusals.get(write)
        if refusal is not None:
            placed = fields | _placed(flight, receipt)
            log_events.refused(placed, refusal_of(refusal, receipt))
            continue
        if is_told:
            fields = fields | _placed(flight, receipt)
        confirmed.append((fields, _age(flight, now, now_ms)))
    log_events.confirmed(confirmed, is_final=is_final)


@harmless
def final(journal: Journal, effective: Sequence[SignedTransaction]) -> None:
    """Transactions that took effect cannot be undone any more."""
    now_ms = time.time() * 1_000
    seconds = [(now_ms - each.created_ms) / 1_000 for each in effective]
    log_events.final(seconds, _named(journal, effective))


@harmless
def reorganised(journal: Journal, undone: Sequence[SignedTransaction]) -> None:
    """A reorganisation took transactions out of their blocks; the same bytes are sent again."""
    log_events.reorganised(len(undone), _named(journal, undone))


@harmless
def replaced(journal: Journal, old: SignedTransaction, new: SignedTransaction) -> None:
    """A transaction that was stuck is sent again for a higher fee, with the same nonce."""
    log_events.replaced(old.hash, _named(journal, [new]))


@harmless
def overtaken(journal: Journal, lost: SignedTransaction) -> None:
    """A nonce went to a transaction that this journal does not know, for good."""
    log_events.overtaken(_named(journal, [lost]))


@harmless
def gap_filled(journal: Journal, filled: Sequence[SignedTransaction]) -> None:
    """Nonces that nothing used were used for nothing."""
    log_events.gap_filled(len(filled), _named(journal, filled))


def _under_way(flight: Flight) -> Fields:
    named = log_fields(flight.tickets[0].order) if flight.tickets else {}
    return named | {
        "sender": flight.newest.sender,
        "nonce": flight.nonce,
        "transaction_hash": flight.newest.hash,
    }


def _placed(flight: Flight, receipt: Any) -> Fields:
    return {
        "sender": flight.newest.sender,
        "nonce": flight.nonce,
        "transaction_hash": receipt["transactionHash"],
        "block": int(receipt["blockNumber"], 16),
    }


def _names(journal: Journal, flights: Sequence[Flight]) -> dict[int, Fields]:
    """What flights are about, by write: who waits for one knows, the journal knows the others."""
    names: dict[int, Fields] = {}
    for flight in flights:
        write = flight.newest.write
        own = next((each for each in flight.tickets if each.write == write), None)
        if write is not None and own is not None:
            names[write] = log_fields(own.order)
    rest = [each.newest.write for each in flights if each.newest.write not in names]
    return names | _recorded(journal, rest)


def _recorded(journal: Journal, writes: Sequence[int | None]) -> dict[int, Fields]:
    wanted = [each for each in writes if each is not None]
    found = journal.reader.records(wanted) if wanted else {}
    return {write: log_fields(record) for write, record in found.items()}


def _named(journal: Journal, transactions: Sequence[SignedTransaction]) -> Iterator[Fields]:
    names = _recorded(journal, [each.write for each in transactions])
    for each in transactions:
        yield names.get(each.write or 0, {}) | {
            "sender": each.sender,
            "nonce": each.nonce,
            "transaction_hash": each.hash,
            "block": each.block_number,
        }


def _age(flight: Flight, now: float, now_ms: float) -> float:
    """How long ago a flight's order was handed over, or signed if nobody waits for it."""
    first = next((each for each in flight.tickets if not each.is_repeat), None)
    if first is not None:
        return now - first.submitted_at
    return (now_ms - flight.transactions[0].created_ms) / 1_000
