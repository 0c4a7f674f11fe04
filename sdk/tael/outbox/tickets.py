"""What an order's caller holds until it is done."""

from __future__ import annotations

import concurrent.futures
import contextlib
import time
from typing import TYPE_CHECKING

from tael.errors import OutcomeUnknownError
from tael.journal import log_fields
from tael.telemetry import log_events

if TYPE_CHECKING:
    from tael.chain import Receipt
    from tael.journal import Order, Record


class Ticket:
    """What `Outbox.submit` gives back at once: a promise of the receipt.

    Its caller's thread makes it and waits. The lane's thread writes `write`, `is_repeat` and
    `transaction_hash` before the watch has it; afterwards only the watch changes the hash. Whoever
    tells first decides what `future` holds; what is told later is left out.

    Attributes:
        order: What was submitted.
        is_looked_up: Whether the journal was asked what it has of the order before it was
            submitted. What is signed is decided by another look, in the transaction that signs.
        known: What it had; None if nothing.
        future: Done when the order's transaction is included, or can be told to have failed.
        transaction_hash: Of the newest transaction signed for it; empty before.
        write: The journal's row; None before.
        is_given_up: Whether whoever waited was told that its outcome is unknown.
        is_repeat: Whether it was signed before it was submitted.
        submitted_at: When, by the monotonic clock.
    """

    __slots__ = (
        "future",
        "is_given_up",
        "is_looked_up",
        "is_repeat",
        "known",
        "order",
        "submitted_at",
        "transaction_hash",
        "write",
    )

    def __init__(
        self, order: Order, *, is_looked_up: bool = False, known: Record | None = None
    ) -> None:
        self.order = order
        self.is_looked_up = is_looked_up
        self.known = known
        self.future: concurrent.futures.Future[Receipt] = concurrent.futures.Future()
        self.transaction_hash = ""
        self.write: int | None = None
        self.is_given_up = False
        self.is_repeat = False
        self.submitted_at = time.monotonic()

    def log_fields(self) -> dict[str, str | int | None]:
        """What a log says of it."""
        return {**log_fields(self.order), "transaction_hash": self.transaction_hash or None}

    def tell(self, receipt: Receipt) -> None:
        """Give the receipt to whoever waits; told once, it stays."""
        with contextlib.suppress(concurrent.futures.InvalidStateError):
            self.future.set_result(receipt)

    def fail(self, error: BaseException) -> None:
        """Tell whoever waits what went wrong; told once, it stays."""
        with contextlib.suppress(concurrent.futures.InvalidStateError):
            self.future.set_exception(error)

    def result(self, wait_seconds: float) -> Receipt:
        """The receipt, or what went wrong.

        Raises:
            OutcomeUnknownError: It is not included yet. The outbox goes on with it.
            TaelError: Whatever the sending met.
        """
        try:
            return self.future.result(wait_seconds)
        except concurrent.futures.TimeoutError:
            if self.future.done():
                return self.future.result()
            self.is_given_up = True
            raise unknown(self, f"not included after {wait_seconds:.0f} s") from None


def unknown(ticket: Ticket, why: str) -> OutcomeUnknownError:
    """The error of an order whose fate is open."""
    log_events.unknown(ticket.log_fields(), why)
    what = ticket.transaction_hash or "what was ordered"
    return OutcomeUnknownError(
        f"the outcome of {what} is unknown: {why}. Repeat the call with the same reference, or "
        f"resolve({ticket.order.reference!r}); never send it under another reference",
        transaction_hash=ticket.transaction_hash,
        reference=ticket.order.reference,
    )
