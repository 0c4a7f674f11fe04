"""Follows what one key has in flight until it is final.

The chain is asked how many transactions of the key it has; what lies below is included, or was
overtaken. What waits too long is sent again if the node forgot it, or replaced by itself with a
higher fee. A nonce that nothing fills is filled. Nothing is given up: what a thread does not live
to see, the next process takes from the journal.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tael.chain.jsonrpc import quantity
from tael.errors import NodeUnavailableError, StoreError, TaelError
from tael.outbox.flights import Flight, FlightTable
from tael.outbox.inclusion import GROUP, Inclusion
from tael.outbox.nonces import Nonces
from tael.outbox.resending import Resending
from tael.outbox.tickets import unknown
from tael.rpc import request

if TYPE_CHECKING:
    from tael.outbox.environment import Environment
    from tael.outbox.signing import TransactionSigner
    from tael.outbox.tickets import Ticket

_log = logging.getLogger(__name__)

CONFIRM_SECONDS = 1.0
"""How often what is included is looked at until it is final."""
LONGEST_POLL_SECONDS = 1.0

_POLL_SECONDS = 0.005
_POLL_ANSWERS = 4
_BUSY_POLL_SECONDS = 0.1


class Watch:
    """One key's flights.

    Three kinds of threads meet here, in any number of processes:

    - the lane's and callers' call `follow`, `wake` and what asks; they wait for no node;
    - one thread of its own takes turns as long as something is in flight or not final yet. It
      begins with `wake` and ends by itself, both under `_ready`, so that there is never a second
      one, and never none after a `wake`;
    - callers of `look` take a turn in their own thread.

    Turns exclude each other by `_looking`; `Inclusion`, `Nonces` and `Resending` run within turns
    only, and need no lock of their own. What is in flight is in a `FlightTable` with its own lock,
    which is the innermost. Between processes only the journal decides: each writes down what it
    finds, and what is further stays.

    Args:
        environment: Of the outbox.
        signer: Makes the key's transactions.
    """

    def __init__(self, environment: Environment, signer: TransactionSigner) -> None:
        self._environment = environment
        self._address = signer.address
        self._flights = FlightTable()
        self._inclusion = Inclusion(environment, signer.address, self._flights, self.follow)
        self._nonces = Nonces(environment, signer, self._flights, self._inclusion, self.follow)
        self._resending = Resending(environment, signer, self._flights)
        # Held for a moment: whether there is a thread, and whether it is to look at once.
        self._ready = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closed = False
        self._woken = False
        # Held for a whole turn, and what only turns touch.
        self._looking = threading.Lock()
        self._confirmed_at = 0.0
        self._looked_at = 0.0
        self._answer_seconds = 0.0
        self._trouble = ""

    # What the lane and callers call

    def follow(self, flights: Sequence[Flight]) -> None:
        """Follow flights from now on; one for a nonce that is followed already joins it."""
        self._flights.join(flights)
        self.wake()

    def follow_later(self, flights: Sequence[Flight]) -> None:
        """Follow flights as soon as something wakes the thread, or it runs anyway."""
        self._flights.join(flights)

    def wake(self) -> None:
        """Look at the chain soon."""
        with self._ready:
            self._woken = True
            if self._thread is None and not self._closed:
                self._thread = threading.Thread(
                    target=self._run, name=f"tael-watch-{self._address[:10]}", daemon=True
                )
                self._thread.start()
            self._ready.notify()

    def look(self) -> None:
        """Look at the chain now, in this thread."""
        self._turn(confirm=True)

    def is_busy(self) -> bool:
        """Whether anything is in flight."""
        return bool(len(self._flights))

    def gas_in_flight(self) -> int:
        """The gas limits of all that is in flight."""
        return self._flights.gas()

    def wait_for_room(self) -> None:
        """Wait until something is included, or a moment."""
        self._flights.wait_for_room()

    def in_flight(self) -> int:
        """How many transactions are in flight."""
        return len(self._flights)

    def unwatched_seconds(self) -> float:
        """Since when nobody could look at what is in flight; 0 if nothing is."""
        return self._flights.waiting_seconds(self._looked_at)

    def leave(self) -> list[Ticket]:
        """Those who still wait; they are told nothing from here any more."""
        return self._flights.take_all()

    def close(self, wait_seconds: float) -> None:
        """End the thread."""
        with self._ready:
            self._closed = True
            thread = self._thread
            self._ready.notify()
        if thread is not None and thread is not threading.current_thread():
            thread.join(wait_seconds)

    # The thread

    def _run(self) -> None:
        poll = _POLL_SECONDS
        while True:
            with self._ready:
                if not self._woken and not self._closed:
                    self._ready.wait(poll)
                if self._woken:
                    poll = _POLL_SECONDS
                self._woken = False
                idle = not len(self._flights)
                if self._closed or (idle and not self._inclusion.has_unconfirmed):
                    self._thread = None
                    return
            progressed = self._turn(confirm=False)
            poll = _POLL_SECONDS if progressed else min(poll * 1.5, LONGEST_POLL_SECONDS)
            # A node that answers late is busy with what it is asked about.
            poll = max(poll, min(_POLL_ANSWERS * self._answer_seconds, _BUSY_POLL_SECONDS))
            if idle:
                poll = CONFIRM_SECONDS

    def _turn(self, *, confirm: bool) -> bool:
        with self._looking:
            try:
                progressed = self._follow_flights()
                now = time.monotonic()
                if confirm or now - self._confirmed_at >= CONFIRM_SECONDS:
                    self._confirmed_at = now
                    progressed = self._inclusion.confirm() or progressed
            except (NodeUnavailableError, StoreError) as error:
                # The node or the database is away; both are asked again at the next turn.
                self._note_trouble(error.message)
                return False
            except TaelError as error:
                self._fail_all(error)
                return False
            except Exception:  # noqa: BLE001 - logged; see below
                # Nobody else looks after what is in flight, so this goes on whatever happens.
                _log.exception("looking after %s failed; going on", self._address)
                return False
            self._trouble = ""
            self._looked_at = time.monotonic()
            return progressed

    def _note_trouble(self, why: str) -> None:
        """Log what keeps this from going on, once: who waits hears of nothing but a long wait."""
        if why != self._trouble:
            _log.warning("looking after %s has to wait: %s", self._address, why)
        self._trouble = why

    def _follow_flights(self) -> bool:
        flights = self._flights.in_order()
        if not flights:
            return False
        count = self._count()
        passed = [each for each in flights if each.nonce < count]
        progressed = False
        for start in range(0, len(passed), GROUP):
            some = passed[start : start + GROUP]
            progressed = self._inclusion.collect(some, self._nonces.check_overtaken) or progressed
        waiting = [each for each in flights if each.nonce >= count]
        if waiting:
            self._nonces.mend_gap(count, waiting[0].nonce)
            self._resending.look_after(waiting)
        return progressed

    def _count(self) -> int:
        """How many transactions of the key the chain has."""
        chain, asked = self._environment.chain, time.monotonic()
        count = quantity(request(chain, "eth_getTransactionCount", self._address, "latest"))
        self._answer_seconds = time.monotonic() - asked
        return count

    def _fail_all(self, error: TaelError) -> None:
        """Tell who waits that nobody knows: what they wait for is signed, whatever went wrong."""
        for ticket in self.leave():
            lost = unknown(ticket, error.message)
            lost.__cause__ = error
            ticket.fail(lost)
