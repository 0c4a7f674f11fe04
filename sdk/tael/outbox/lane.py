"""One key's lane: takes orders in groups, journals, signs and sends them.

Under load, orders that arrive while a group is under way make up the next one, so that one request
and one commit serve many of them.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tael.errors import (
    ContractRevertedError,
    IdempotencyConflictError,
    StoreUnsureError,
    TaelError,
    TransactionRefusedError,
)
from tael.journal import WriteState
from tael.outbox import telling
from tael.outbox.broadcasting import broadcast
from tael.outbox.changes import Change
from tael.outbox.flights import Flight
from tael.outbox.repeats import Repeats
from tael.outbox.signing import TransactionSigner
from tael.outbox.tickets import Ticket, unknown
from tael.outbox.watch import Watch

if TYPE_CHECKING:
    from tael.journal import Decision, Record
    from tael.outbox.environment import Environment
    from tael.outbox.view import View
    from tael.signers import Signer

GROUP = 200
"""Most orders in one request and one commit."""
GROUP_BYTES = 150_000
"""Most call data in one of them: the node works on a few batches while the next are signed."""
IDLE_SECONDS = 10.0
WINDOW_BLOCKS = 8
"""Blocks' worth of gas that one key has in flight at most. On a development chain it is one: Anvil
leaves behind what did not fit into a block until somebody sends again."""


class Lane:
    """Sends one key's orders.

    Callers' threads queue orders and ask how it stands; one thread of its own works on them, a
    group at a time; the watch's follows what that sent. `_ready` is held for a moment, never while
    the node or the journal is asked, and guards the queue, whether there is a thread, and whether
    it is at work: the thread ends only where the queue is empty under it, and who queues starts
    one where there is none, so no order is left behind. Within this process the one thread keeps a
    key's orders in order. Against other processes, and other lanes of the same key, nothing here
    does: what is signed and with which nonce is decided in `Journal.sign`, under the key's lock.

    Args:
        environment: Of the outbox.
        signer: The key.
    """

    def __init__(self, environment: Environment, signer: Signer) -> None:
        self._environment = environment
        self._signer = TransactionSigner(environment, signer)
        self._watch = Watch(environment, self._signer)
        self._repeats = Repeats(environment, self._watch)
        self._ready = threading.Condition()
        self._waiting: list[Ticket] = []
        self._thread: threading.Thread | None = None
        self._closed = False
        self._busy = False
        # How often a group broke off, counted by the lane's thread, and how often it had when the
        # journal was last read, by any: to read it twice is harmless, to miss a break is not.
        self._breaks = 0
        self._adopted_breaks = -1
        self._gas_limit = 30_000_000

    def put(self, tickets: Sequence[Ticket], *, first: bool = False) -> None:
        """Queue orders, behind the others or before them."""
        with self._ready:
            if not self._closed:
                at = 0 if first else len(self._waiting)
                self._waiting[at:at] = tickets
                if self._thread is None:
                    self._thread = threading.Thread(
                        target=self._run,
                        name=f"tael-send-{self._signer.address[:10]}",
                        daemon=True,
                    )
                    self._thread.start()
                self._ready.notify()
                return
        _tell_closed(tickets)

    def adopt(self) -> None:
        """Take everything from the journal that this key has in flight."""
        breaks = self._breaks
        signed = self._environment.journal.reader.open_transactions(self._signer.address)
        self._watch.follow([Flight([each], sent=False) for each in signed])
        # Not before: who could not read the journal has to try again.
        self._adopted_breaks = breaks

    def _adopt_once(self) -> None:
        if self._adopted_breaks != self._breaks:
            self.adopt()

    def rejoin(self, ticket: Ticket, record: Record) -> None:
        """Have a ticket told what becomes of a write that is in flight."""
        if not self._repeats.attach(ticket, record):
            # It was, a moment ago.
            ticket.fail(
                TransactionRefusedError(
                    f"nothing that was signed for {record.reference!r} is in flight any more; "
                    "call again"
                )
            )

    def look(self) -> None:
        """Look at the chain now."""
        self._adopt_once()
        self._watch.look()

    def is_busy(self) -> bool:
        """Whether anything waits or is in flight."""
        with self._ready:
            if self._waiting or self._busy:
                return True
        return self._watch.is_busy()

    def in_flight(self) -> int:
        """How many orders wait or are in flight."""
        return len(self._waiting) + self._watch.in_flight()

    def unwatched_seconds(self) -> float:
        """Since when nobody could look at what is in flight; 0 if nothing is."""
        return self._watch.unwatched_seconds()

    def close(self, wait_seconds: float) -> None:
        """End both threads after the group under way."""
        with self._ready:
            self._closed = True
            thread = self._thread
            self._ready.notify()
        if thread is not None and thread is not threading.current_thread():
            thread.join(wait_seconds)
        self._watch.close(wait_seconds)
        with self._ready:
            waiting, self._waiting = self._waiting, []
        _tell_closed([*waiting, *self._watch.leave()])

    def _run(self) -> None:
        while True:
            with self._ready:
                if not self._waiting and not self._closed:
                    self._ready.wait(IDLE_SECONDS)
                if self._closed or not self._waiting:
                    self._thread = None
                    return
                group = self._waiting[: self._fitting()]
                self._waiting = self._waiting[len(group) :]
                self._busy = True
            try:
                if group:
                    self._process(group)
                else:
                    self._watch.wait_for_room()
            except BaseException as error:  # noqa: BLE001 - told to whoever waits for the orders
                # What was signed before it broke is in the journal, and is taken up from there.
                self._breaks += 1
                with self._ready:
                    # What waits for its turn again was not part of it, and will be sent.
                    queued = {id(ticket) for ticket in self._waiting}
                _fail([ticket for ticket in group if id(ticket) not in queued], error)
            finally:
                with self._ready:
                    self._busy = False

    def _fitting(self) -> int:
        """How many of the waiting orders fit the window, as far as their gas is known."""
        room, size, taken = self._room(), 0, 0
        for ticket in self._waiting[:GROUP]:
            room -= ticket.order.gas or 0
            size += len(ticket.order.data)
            if room < 0 and (taken or self._watch.is_busy()):
                break
            if size > GROUP_BYTES and taken:
                break
            taken += 1
        return taken

    def _room(self) -> int:
        """How much gas may be sent now."""
        blocks = 1 if self._environment.chain.is_local else WINDOW_BLOCKS
        return blocks * self._gas_limit - self._watch.gas_in_flight()

    def _process(self, group: list[Ticket]) -> None:
        step = self._environment.on_step
        step("asked", len(group))
        self._adopt_once()
        group = self._repeats.take_out(group)
        if not group:
            return
        try:
            view = self._signer.look([ticket.order for ticket in group])
        except TaelError:
            self._write_down_shown(group)
            raise
        step("checked", len(group))
        group = self._within_window(self._refuse(group, view), view)
        if not group:
            return
        decisions = self._signer.sign_orders([ticket.order for ticket in group], view)
        step("journaled", len(group))
        flights = self._decide(group, decisions, view)
        telling.signed(flights)
        for flight in flights:
            self._environment.listeners.tell(
                Change(flight.newest.write or 0, "submitted", flight.newest.hash)
            )
        if flights:
            # Followed before they are sent: whatever happens now, the watch looks after them.
            self._watch.follow_later(flights)
            try:
                broadcast(self._environment.chain, flights)
                telling.sent(flights)
                step("sent", len(flights))
            finally:
                self._watch.wake()

    def _refuse(self, group: list[Ticket], view: View) -> list[Ticket]:
        """Take out orders that would be refused, and write them down as such."""
        refused = [
            (ticket, error)
            for ticket in group
            if isinstance(error := view.estimates.get(ticket.order.name), TaelError)
        ]
        if not refused:
            return group
        reverted = [
            (ticket, error) for ticket, error in refused if isinstance(error, ContractRevertedError)
        ]
        decisions = self._environment.journal.refuse(
            [(ticket.order, error.data) for ticket, error in reverted]
        )
        # Signed by another process meanwhile, it may be refused because it took effect.
        joined = {
            id(ticket)
            for (ticket, _), decision in zip(reverted, decisions, strict=True)
            if self._join(ticket, decision)
        }
        self._write_down_shown(
            [ticket for ticket, error in refused if not isinstance(error, ContractRevertedError)]
        )
        for ticket, error in refused:
            if id(ticket) not in joined:
                ticket.fail(error)
        out = {id(ticket) for ticket, _ in refused}
        return [ticket for ticket in group if id(ticket) not in out]

    def _write_down_shown(self, tickets: Sequence[Ticket]) -> None:
        """Write down what a node was shown to estimate: it may have had a signed message in it.

        The message counts whatever the node answered, and whoever has it can send it.
        """
        for ticket in tickets:
            if ticket.order.gas is None and ticket.order.valid_before is not None:
                with contextlib.suppress(IdempotencyConflictError):
                    self._environment.journal.accept(ticket.order)

    def _within_window(self, group: list[Ticket], view: View) -> list[Ticket]:
        """Send no more at a time than blocks take; the rest waits for its turn."""
        self._gas_limit = view.gas_limit
        room, taken = self._room(), 0
        for ticket in group:
            room -= view.gas_of(ticket.order)
            if room < 0 and (taken or self._watch.is_busy()):
                break
            taken += 1
        if taken < len(group):
            self.put(group[taken:], first=True)
            if not taken:
                self._watch.wait_for_room()
        return group[:taken]

    def _decide(
        self, group: list[Ticket], decisions: Sequence[Decision], view: View
    ) -> list[Flight]:
        flights = []
        now = time.monotonic()
        for ticket, decision in zip(group, decisions, strict=True):
            if decision.signed is not None:
                ticket.write = decision.signed.write
                ticket.transaction_hash = decision.signed.hash
                flights.append(
                    Flight(
                        [decision.signed],
                        [ticket],
                        has_items=bool(ticket.order.items),
                        gas=view.gas_of(ticket.order),
                        sent_at=now,
                    )
                )
            elif not self._join(ticket, decision):
                # Refused between two of our steps: its turn comes again.
                self.put([ticket])
        return flights

    def _join(self, ticket: Ticket, decision: Decision) -> bool:
        """Bind an order to what its reference stands for; False if nothing is signed for that."""
        if decision.conflict is not None:
            ticket.fail(decision.conflict)
            return True
        record = decision.record
        if record is None or record.state in (WriteState.ACCEPTED, WriteState.REFUSED):
            return False
        return self._repeats.attach(ticket, record)


def _fail(group: Sequence[Ticket], error: BaseException) -> None:
    for ticket in group:
        if ticket.future.done():
            continue
        if ticket.transaction_hash or isinstance(error, StoreUnsureError):
            # Whatever went wrong: that nothing was sent is not true of it any more.
            what = error.message if isinstance(error, TaelError) else type(error).__name__
            lost = unknown(ticket, f"after it was signed: {what}")
            lost.__cause__ = error
            ticket.fail(lost)
        else:
            ticket.fail(error)


def _tell_closed(tickets: Sequence[Ticket]) -> None:
    for ticket in tickets:
        if not (ticket.future.done() or ticket.is_given_up):
            ticket.fail(unknown(ticket, "the client was closed meanwhile"))
