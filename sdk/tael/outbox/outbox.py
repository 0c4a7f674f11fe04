"""The outbox: takes orders, keeps a lane for each key, and tells what became of them.

An order is written into the journal together with the signed transaction that carries it, and only
then sent. What is in flight is followed until it is final: sent again when a node forgets it,
replaced by itself with a higher fee when it is stuck, taken back to pending when a reorganisation
undoes it. Nothing new is ever signed for something whose fate is open.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from tael.journal import Order
from tael.outbox.changes import Change
from tael.outbox.fees import FeePolicy
from tael.outbox.finality import Finality
from tael.outbox.lane import Lane
from tael.outbox.tickets import Ticket
from tael.signers import require_usable
from tael.telemetry import steps
from tael.telemetry.counts import COUNTS

if TYPE_CHECKING:
    from tael.chain import Chain, Receipt
    from tael.journal import Journal, Record
    from tael.outbox.lane import Step
    from tael.signers import Signer

WAIT_SECONDS = 120.0

_log = logging.getLogger(__name__)


class Outbox:
    """Sends orders of any number of keys over one chain, many at a time.

    Args:
        chain: Where to send.
        journal: Where everything is written down first.
        wait_seconds: How long `send` waits for inclusion.
        fees: What is offered for gas.
        finality: When included is final; None takes what fits the chain.
        on_step: Called with the name of each step and how many orders take it, for tests that
            break off there.

    Attributes:
        finality: The rule in force.
    """

    def __init__(
        self,
        chain: Chain,
        journal: Journal,
        *,
        wait_seconds: float = WAIT_SECONDS,
        fees: FeePolicy | None = None,
        finality: Finality | None = None,
        on_step: Step | None = None,
    ) -> None:
        self.chain = chain
        self.journal = journal
        self.wait_seconds = wait_seconds
        self.fees = FeePolicy() if fees is None else fees
        self._finality = finality
        self.on_step: Step = on_step or (lambda _name, _count: None)
        self._guard = threading.Lock()
        self._lanes: dict[str, Lane] = {}
        self._listeners: list[Callable[[Change], None]] = []
        COUNTS.note_outbox(self, is_open=True)

    @property
    def finality(self) -> Finality:
        """When included is final."""
        if self._finality is None:
            self._finality = Finality.of(self.chain)
        return self._finality

    def submit(self, signer: Signer, orders: Sequence[Order]) -> list[Ticket]:
        """Hand orders over; they are journaled, signed and sent in this order.

        Raises:
            SigningKeyError: A well-known test key on a chain that is not local.
        """
        require_usable(signer, self.chain)
        tickets = [Ticket(order) for order in orders]
        steps.accepted(tickets)
        self._lane(signer).put(tickets)
        return tickets

    def send(self, signer: Signer, order: Order) -> Receipt:
        """Submit one order and wait until it is included.

        Raises:
            ContractRevertedError: The contract refuses. Without `transaction_hash` nothing was
                sent; with it the refusal was included.
            IdempotencyConflictError: The reference stands for something else.
            SigningKeyError: A well-known test key on a chain that is not local; nothing was signed.
            NetworkMismatchError: The node serves another chain by now; nothing was signed.
            NodeUnavailableError: The node failed before anything was signed.
            StoreError: The journal took nothing; nothing was sent.
            TransactionRefusedError: The node refuses what was signed. A repeat sends it again.
            OutcomeUnknownError: It was sent and its fate is open: repeat it, or `resolve` it.
        """
        return self.submit(signer, [order])[0].result(self.wait_seconds)

    def rejoin(self, signer: Signer, record: Record) -> Ticket:
        """A ticket for a write that is in flight already."""
        ticket = Ticket(
            Order(
                participant=record.participant,
                reference=record.reference,
                verb=record.verb,
                body_hash=record.body_hash,
                to=record.contract or None,
                data=b"",
                part=record.part,
            )
        )
        self._lane(signer).rejoin(ticket, record)
        return ticket

    def resume(self, signer: Signer, wait_seconds: float | None = None) -> bool:
        """Go on with everything a key has in flight, also what another process signed.

        Returns:
            Whether all of it is included or refused in the time given.
        """
        lane = self._lane(signer)
        lane.adopt()
        deadline = time.monotonic() + (self.wait_seconds if wait_seconds is None else wait_seconds)
        while lane.is_busy():
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.01)
        return True

    def look(self, signer: Signer | None) -> None:
        """Look once, now, at what a key has in flight, instead of at the next turn."""
        if signer is not None:
            self._lane(signer).look()

    def listen(self, listener: Callable[[Change], None]) -> Callable[[], None]:
        """Have a function called for every change, from a thread of the outbox.

        Returns:
            A function that ends it.
        """
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def tell(self, change: Change) -> None:
        """Call the listeners. What one raises is logged, for payments do not wait on it."""
        for listener in list(self._listeners):
            try:
                listener(change)
            except Exception:  # noqa: BLE001 - whatever a listener does, payments go on
                _log.exception("a listener failed at %s", change)

    def in_flight(self) -> int:
        """How many orders of this process are in no block yet."""
        with self._guard:
            return sum(lane.in_flight() for lane in self._lanes.values())

    def unwatched_seconds(self) -> float:
        """Since when the longest nobody could look at what a key has in flight; 0 if nothing is."""
        with self._guard:
            return max((lane.watch.unwatched_seconds() for lane in self._lanes.values()), default=0)

    def close(self, wait_seconds: float = 10.0) -> None:
        """End the threads. What is in flight stays in the journal for `resume`.

        Whoever still waits for it is told that its outcome is unknown.
        """
        COUNTS.note_outbox(self, is_open=False)
        with self._guard:
            lanes, self._lanes = list(self._lanes.values()), {}
        for lane in lanes:
            lane.close(wait_seconds)

    def _lane(self, signer: Signer) -> Lane:
        with self._guard:
            lane = self._lanes.get(signer.address)
            if lane is None:
                lane = self._lanes[signer.address] = Lane(self, signer)
            return lane
