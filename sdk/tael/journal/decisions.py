"""What the journal says to orders: new, known already, or in conflict."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tael.errors import IdempotencyConflictError
from tael.journal.records import Name, Order, Record, SignedTransaction, WriteState, log_fields
from tael.telemetry import log_events

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True, slots=True)
class Decision:
    """What the journal says to an order.

    Args:
        record: The write as it stands now.
        signed: What was signed for it just now; None if something else happened.
        conflict: The reference stands for something else.
    """

    record: Record | None = None
    signed: SignedTransaction | None = None
    conflict: IdempotencyConflictError | None = None


@dataclass(frozen=True)
class Group:
    """What the journal has of orders that are signed together, under locks that keep it so.

    Args:
        records: Their writes, those inserted just now among them.
        fresh: The orders that were inserted just now.
        items: The writes of the payments in them.
        clashes: The batches in which a payment has a reference that stands for something else.
        bodies: By name: what is signed here already.
    """

    records: Mapping[Name, Record]
    fresh: frozenset[Name]
    items: Mapping[Name, Record]
    clashes: Mapping[Name, IdempotencyConflictError]
    bodies: dict[Name, bytes] = field(default_factory=dict)

    def decide(self, order: Order) -> Decision | None:
        """A decision about an order; None if it is to be signed."""
        name, clash = order.name, self.clashes.get(order.name)
        record = self.records.get(name)
        if record is None:
            return Decision(conflict=clash)
        known = None if name in self.fresh else decide(order, record)
        if known is not None:
            return known
        if clash is not None:
            return Decision(record, conflict=clash)
        if name in self.bodies:
            same = self.bodies[name] == order.body_hash
            return Decision(record, conflict=None if same else conflict(order.reference, record))
        self.bodies[name] = order.body_hash
        return None


def decide(order: Order, record: Record) -> Decision | None:
    """A decision about an order whose write is there; None if it may be signed."""
    if not record.stands_for(order.body_hash):
        return Decision(record, conflict=conflict(order.reference, record))
    if record.state in (WriteState.SIGNED, WriteState.INCLUDED, WriteState.FINAL):
        return Decision(record)
    return None


def clashes_in(
    orders: Sequence[Order], items: Mapping[Name, Record]
) -> dict[Name, IdempotencyConflictError]:
    """The batches in which a payment has a reference that stands for something else.

    Args:
        orders: The batches among them count.
        items: What the journal has of the payments in them.
    """
    clashes: dict[Name, IdempotencyConflictError] = {}
    # What is ordered at this moment stands in the journal a moment later.
    bodies = {order.name: order.body_hash for order in reversed(orders)}
    for order in orders:
        for item in order.items:
            name = item.name_of(order)
            record = items.get(name)
            other = record is not None and not record.stands_for(item.body_hash)
            if other or bodies.setdefault(name, item.body_hash) != item.body_hash:
                clashes[order.name] = conflict(item.reference, record)
    return clashes


def conflict(reference: str, record: Record | None) -> IdempotencyConflictError:
    """The refusal of a reference that stands for something else.

    Args:
        reference: Which.
        record: What it stands for; None if that is ordered at this very moment.
    """
    if record is not None:
        log_events.conflict({**log_fields(record), "reference": reference})
    what = "" if record is None else f", {record.verb},"
    return IdempotencyConflictError(
        f"The reference {reference!r} stands for another order{what} already; nothing "
        f"was sent for this one. `resolve({reference!r})` says what became of the first; use a "
        "new reference for a new order."
    )
