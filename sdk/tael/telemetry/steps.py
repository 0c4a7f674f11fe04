"""What the package calls at each step of a write: the step is counted, and logged if one listens.

Everything here returns whatever happens: no payment waits on a log. What must be looked up to name
a write, as after a restart, is looked up for a whole group at once.
"""

from __future__ import annotations

import functools
import logging
import time
from collections import Counter
from typing import TYPE_CHECKING, Any, ParamSpec

from tael.errors import (
    ContractRevertedError,
    IdempotencyConflictError,
    OutcomeUnknownError,
    TaelError,
    TransactionRefusedError,
)
from tael.telemetry.counts import COUNTS
from tael.telemetry.logs import StepLog

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from concurrent.futures import Future

    from tael.chain import Receipt
    from tael.journal import Order, Record, SignedTransaction
    from tael.outbox import Outbox, Ticket
    from tael.outbox.flights import Flight

_WRITES = StepLog("tael.outbox")
_NODES = StepLog("tael.nodes")
_log = logging.getLogger(__name__)

Arguments = ParamSpec("Arguments")


def _harmless(function: Callable[Arguments, None]) -> Callable[Arguments, None]:
    @functools.wraps(function)
    def run(*args: Arguments.args, **kwargs: Arguments.kwargs) -> None:
        try:
            function(*args, **kwargs)
        except Exception:  # noqa: BLE001 - whatever goes wrong with telling, payments go on
            _log.exception("telling of a step failed")

    return run


# Orders


@_harmless
def accepted(tickets: Sequence[Ticket]) -> None:
    """Orders were handed over; nothing of them is written down yet."""
    for ticket in tickets:
        ticket.future.add_done_callback(functools.partial(_answered, ticket))
    if _WRITES.is_on(logging.DEBUG):
        for ticket in tickets:
            _WRITES.tell(logging.DEBUG, "accepted", **_named(ticket.order))


@_harmless
def signed(flights: Sequence[Flight]) -> None:
    """Orders were signed and written down."""
    _tell_flights("signed", flights)


@_harmless
def sent(flights: Sequence[Flight]) -> None:
    """What was signed was handed to a node, which did not refuse it."""
    _tell_flights("sent", [each for each in flights if not each.refused])


@_harmless
def conflict(reference: str, record: Record) -> None:
    """A reference was given for another order than the one it stands for."""
    COUNTS.fail(IdempotencyConflictError.code)
    fields = {**_named(record), "reference": reference}
    _WRITES.tell(logging.WARNING, "conflict", code=IdempotencyConflictError.code, **fields)


@_harmless
def unknown(ticket: Ticket, why: str) -> None:
    """Somebody was told that nobody knows yet what became of an order."""
    COUNTS.fail(OutcomeUnknownError.code)
    _WRITES.tell(
        logging.WARNING,
        "outcome unknown",
        transaction_hash=ticket.transaction_hash or None,
        code=OutcomeUnknownError.code,
        why=why,
        **_named(ticket.order),
    )


@_harmless
def _answered(ticket: Ticket, future: Future[Receipt]) -> None:
    """An order's caller is told how it ended; what is told of elsewhere is not told again."""
    error = None if future.cancelled() else future.exception()
    if error is None or isinstance(error, (IdempotencyConflictError, OutcomeUnknownError)):
        return
    was_refused = isinstance(error, (ContractRevertedError, TransactionRefusedError))
    if isinstance(error, ContractRevertedError) and error.transaction_hash is not None:
        return
    code = error.code if isinstance(error, TaelError) else type(error).__name__
    COUNTS.fail(code)
    _WRITES.tell(
        logging.WARNING,
        "refused" if was_refused else "failed",
        transaction_hash=ticket.transaction_hash or None,
        code=code,
        name=error.name if isinstance(error, ContractRevertedError) else None,
        **_named(ticket.order),
    )


# Transactions


@_harmless
def settled(
    outbox: Outbox, found: Sequence[tuple[Flight, Any]], refusals: Mapping[int, bytes]
) -> None:
    """Transactions were found in blocks, and that was written down.

    Args:
        outbox: Whose.
        found: Flight and receipt of each.
        refusals: By write: why the contract refused it.
    """
    is_final = outbox.finality.is_immediate
    step, is_told = "final" if is_final else "included", _WRITES.is_on(logging.INFO)
    now, now_ms = time.monotonic(), time.time() * 1_000
    names = _names(outbox, [flight for flight, _ in found])
    confirmed: Counter[str] = Counter()
    taken = []
    for flight, receipt in found:
        write = flight.newest.write
        if write is None:
            continue
        fields = names.get(write, {})
        refusal = refusals.get(write)
        if refusal is not None:
            _tell_refusal(fields, flight, receipt, refusal)
            continue
        confirmed[str(fields.get("verb") or "unknown")] += 1
        taken.append(_age(flight, now, now_ms))
        if is_told:
            _WRITES.tell(logging.INFO, step, **fields, **_placed(flight, receipt))
    with COUNTS.lock:
        COUNTS.confirmed.update(confirmed)
        for seconds in taken:
            COUNTS.inclusion.add(seconds)
            if is_final:
                COUNTS.finality.add(seconds)


@_harmless
def final(outbox: Outbox, effective: Sequence[SignedTransaction]) -> None:
    """Transactions that took effect cannot be undone any more."""
    now_ms = time.time() * 1_000
    with COUNTS.lock:
        for each in effective:
            COUNTS.finality.add((now_ms - each.created_ms) / 1_000)
    _tell_transactions(outbox, logging.INFO, "final", effective)


@_harmless
def reorganised(outbox: Outbox, undone: Sequence[SignedTransaction]) -> None:
    """A reorganisation took transactions out of their blocks; the same bytes are sent again."""
    COUNTS.happen("reorganised", len(undone))
    _tell_transactions(outbox, logging.WARNING, "reorganised", undone)


@_harmless
def replaced(outbox: Outbox, old: SignedTransaction, new: SignedTransaction) -> None:
    """A transaction that was stuck is sent again for a higher fee, with the same nonce."""
    COUNTS.happen("replaced")
    _tell_transactions(outbox, logging.WARNING, "replaced", [new], replaced_hash=old.hash)


@_harmless
def overtaken(outbox: Outbox, lost: SignedTransaction) -> None:
    """A nonce went to a transaction that this journal does not know, for good."""
    COUNTS.happen("overtaken")
    _tell_transactions(outbox, logging.WARNING, "overtaken", [lost])


@_harmless
def gap_filled(outbox: Outbox, filled: Sequence[SignedTransaction]) -> None:
    """Nonces that nothing used were used for nothing."""
    COUNTS.happen("gap_filled", len(filled))
    _tell_transactions(outbox, logging.WARNING, "gap filled", filled)


# Nodes


@_harmless
def node_left_out(node: str, why: str) -> None:
    """A node is not asked for a while.

    Args:
        node: Its URL without secrets.
        why: What it did.
    """
    _NODES.tell(logging.WARNING, "node left out", node=node, why=why)


@_harmless
def node_in_use(node: str) -> None:
    """A node is asked from now on, or again."""
    _NODES.tell(logging.INFO, "node in use", node=node)


# Naming


def _named(write: Order | Record) -> dict[str, Any]:
    return {
        "reference": write.reference,
        "part": write.part or None,
        "verb": write.verb,
        "participant": write.participant,
    }


def _placed(flight: Flight, receipt: Any) -> dict[str, Any]:
    return {
        "sender": flight.newest.sender,
        "nonce": flight.nonce,
        "transaction_hash": receipt["transactionHash"],
        "block": int(receipt["blockNumber"], 16),
    }


def _names(outbox: Outbox, flights: Sequence[Flight]) -> dict[int, dict[str, Any]]:
    """What flights are about, by write: who waits for one knows, the journal knows the others."""
    names: dict[int, dict[str, Any]] = {}
    for flight in flights:
        write = flight.newest.write
        own = next((each for each in flight.tickets if each.write == write), None)
        if write is not None and own is not None:
            names[write] = _named(own.order)
    rest = [each.newest.write for each in flights if each.newest.write not in names]
    return names | _recorded(outbox, rest)


def _recorded(outbox: Outbox, writes: Sequence[int | None]) -> dict[int, dict[str, Any]]:
    wanted = [each for each in writes if each is not None]
    found = outbox.journal.records(wanted) if wanted else {}
    return {write: _named(record) for write, record in found.items()}


def _age(flight: Flight, now: float, now_ms: float) -> float:
    """How long ago a flight's order was handed over, or signed if nobody waits for it."""
    first = next((each for each in flight.tickets if not each.is_repeat), None)
    if first is not None:
        return now - first.submitted_at
    return (now_ms - flight.transactions[0].created_ms) / 1_000


def _tell_refusal(fields: Mapping[str, Any], flight: Flight, receipt: Any, refusal: bytes) -> None:
    from tael.outbox.receipts import refusal_of

    error = refusal_of(refusal, receipt)
    COUNTS.fail(error.code)
    where = _placed(flight, receipt)
    _WRITES.tell(logging.WARNING, "refused", code=error.code, name=error.name, **fields, **where)


def _tell_flights(step: str, flights: Sequence[Flight]) -> None:
    if not _WRITES.is_on(logging.DEBUG):
        return
    for flight in flights:
        named = _named(flight.tickets[0].order) if flight.tickets else {}
        _WRITES.tell(
            logging.DEBUG,
            step,
            sender=flight.newest.sender,
            nonce=flight.nonce,
            transaction_hash=flight.newest.hash,
            **named,
        )


def _tell_transactions(
    outbox: Outbox,
    level: int,
    step: str,
    transactions: Sequence[SignedTransaction],
    *,
    replaced_hash: str | None = None,
) -> None:
    if not (transactions and _WRITES.is_on(level)):
        return
    names = _recorded(outbox, [each.write for each in transactions])
    for each in transactions:
        _WRITES.tell(
            level,
            step,
            sender=each.sender,
            nonce=each.nonce,
            transaction_hash=each.hash,
            replaced_hash=replaced_hash,
            block=each.block_number,
            **names.get(each.write or 0, {}),
        )
