"""The outbox: takes orders, keeps a lane for each key, and tells what became of them.

An order is written into the journal together with the signed transaction that carries it, and only
then sent. What is in flight is followed until it is final: sent again when a node forgets it,
replaced by itself with a higher fee when it is stuck, taken back to pending when a reorganisation
undoes it. Nothing new is ever signed for something whose fate is open.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from tael.journal import Order, WriteState
from tael.outbox import telling
from tael.outbox.environment import Environment
from tael.outbox.lane import Lane
from tael.outbox.tickets import Ticket
from tael.signers import require_usable
from tael.telemetry.counts import COUNTS, OutboxState

if TYPE_CHECKING:
    from tael.chain import Chain, Receipt
    from tael.journal import Journal, Name, Record
    from tael.outbox.changes import Change
    from tael.outbox.environment import SendingStep
    from tael.outbox.fees import FeePolicy
    from tael.outbox.finality import Finality
    from tael.signers import Signer

WAIT_SECONDS = 120.0


class Outbox:
    """Sends orders of any number of keys over one chain, many at a time.

    Any threads may call; `_guard` is held for a moment where lanes are found, made or listed, so
    that within this process a key has one lane. Other processes, or other outboxes, may send with
    the same key at the same time: they meet in the journal, whose transactions keep them apart, so
    they must share it.

    Args:
        chain: Where to send.
        journal: Where everything is written down first.
        wait_seconds: How long `send` waits for inclusion.
        fees: What is offered for gas.
        finality: When included is final; None takes what fits the chain.
        on_step: Called with the name of each step and how many orders take it, for tests that
            break off there.
    """

    def __init__(
        self,
        chain: Chain,
        journal: Journal,
        *,
        wait_seconds: float = WAIT_SECONDS,
        fees: FeePolicy | None = None,
        finality: Finality | None = None,
        on_step: SendingStep | None = None,
    ) -> None:
        self.chain = chain
        self.journal = journal
        self.wait_seconds = wait_seconds
        self._environment = Environment(chain, journal, fees, finality, on_step)
        self._guard = threading.Lock()
        self._lanes: dict[str, Lane] = {}
        COUNTS.note_outbox(self, is_open=True)

    @property
    def finality(self) -> Finality:
        """When included is final."""
        return self._environment.finality

    @property
    def on_step(self) -> SendingStep:
        """Called with the name of each step and how many orders take it."""
        return self._environment.on_step

    @on_step.setter
    def on_step(self, on_step: SendingStep) -> None:
        self._environment.on_step = on_step

    def submit(
        self,
        signer: Signer,
        orders: Sequence[Order],
        *,
        known: Mapping[Name, Record] | None = None,
    ) -> list[Ticket]:
        """Hand orders over; they are journaled, signed and sent in this order.

        What is done under an order's reference already is what its ticket tells; a reference that
        stands for another body is a conflict. Whatever was found before, it is looked up again
        where it decides: in the journal's transaction that signs, or that writes a refusal down.

        Args:
            signer: The key.
            orders: What to send.
            known: What the journal had of the orders when the caller asked, by name; then it is
                not asked again before they are signed. None has it asked.

        Raises:
            SigningKeyError: A well-known test key on a chain that is not local.
        """
        require_usable(signer, self.chain)
        if known is None:
            tickets = [Ticket(order) for order in orders]
        else:
            tickets = [
                Ticket(order, is_looked_up=True, known=known.get(order.name)) for order in orders
            ]
        telling.accepted(tickets)
        self._lane(signer).put(tickets)
        return tickets

    def send(
        self, signer: Signer, order: Order, *, known: Mapping[Name, Record] | None = None
    ) -> Receipt:
        """Submit one order and wait until it is included; arguments as in `submit`.

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
        return self.submit(signer, [order], known=known)[0].result(self.wait_seconds)

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
        return self._environment.listeners.add(listener)

    def telemetry(self) -> OutboxState:
        """How it stands, for those who scrape metrics."""
        with self._guard:
            lanes = list(self._lanes.values())
        url = self.journal.store.engine.url
        return OutboxState(
            chain_id=self.chain.chain_id,
            in_flight=sum(lane.in_flight() for lane in lanes),
            unwatched_seconds=max((lane.unwatched_seconds() for lane in lanes), default=0.0),
            # One in memory is nobody else's.
            journal=(url if url.database else id(self.journal.store), self.journal.chain_row),
            depth=self._depth,
        )

    def _depth(self) -> dict[str, int]:
        depth = self.journal.reader.depth()
        return {
            state.name.lower(): depth.get(state, 0)
            for state in WriteState
            if state < WriteState.FINAL
        }

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
                lane = self._lanes[signer.address] = Lane(self._environment, signer)
            return lane
