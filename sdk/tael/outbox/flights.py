"""What is in flight for one nonce, and the table of all that one key has in flight."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tael.journal import Fate

if TYPE_CHECKING:
    from tael.journal import SignedTransaction
    from tael.outbox.tickets import Ticket

FIRST_RESEND_SECONDS = 0.5
ROOM_SECONDS = 1.0


@dataclass(eq=False)
class Flight:
    """What was signed for one nonce, and who waits for it.

    `transactions` and `tickets` change under the lock of the table it is in. The rest is how
    sending it goes: the lane writes it when it hands the bytes to a node, from then on the watch.

    Args:
        transactions: Newest last; all do the same, for different fees.
        tickets: Who is told.
        sent: Whether the node said that it has it.
        has_items: Whether it is a batch; None if that is not known.
        gas: Its gas limit; 0 if that is not known.
        sent_at: When it was last handed to a node, by the monotonic clock.
    """

    transactions: list[SignedTransaction]
    tickets: list[Ticket] = field(default_factory=list)
    sent: bool = True
    has_items: bool | None = None
    gas: int = 0
    sent_at: float = 0.0
    refused: str = ""
    resend_after: float = FIRST_RESEND_SECONDS
    known_since: float | None = None
    missing_since: float | None = None

    @property
    def newest(self) -> SignedTransaction:
        """The one to send."""
        return self.transactions[-1]

    @property
    def nonce(self) -> int:
        """Which nonce."""
        return self.newest.nonce


class FlightTable:
    """All that one key has in flight, by nonce.

    The lane and callers that join a write put flights in; the watch, or a caller that looks, takes
    them out; anybody asks how many there are. Each method holds the one lock, asks nobody and
    calls nothing meanwhile, so it may be called under any other lock. A ticket that joins a flight
    before it is taken out is told with it; one that comes later begins a flight anew, which the
    watch finds in its block.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._flights: dict[int, Flight] = {}
        self._begun_at = 0.0

    def join(self, flights: Sequence[Flight]) -> None:
        """Put flights in; one for a nonce that has one already joins it."""
        with self._changed:
            if not self._flights:
                self._begun_at = time.monotonic()
            for flight in flights:
                # An attempt before it, refused under another nonce, is no part of it.
                alive = [
                    each
                    for each in flight.transactions
                    if each.fate < Fate.FINAL and each.nonce == flight.nonce
                ]
                if not alive:
                    continue
                known = self._flights.get(alive[-1].nonce)
                if known is None:
                    flight.transactions = alive
                    self._flights[flight.nonce] = flight
                    continue
                known.tickets += flight.tickets
                _add(known, alive)
                # Whoever asks again wants it sent again.
                known.refused = ""
                known.sent_at = 0.0

    def add(self, flight: Flight, signed: SignedTransaction) -> None:
        """Have a flight carried by another transaction from now on."""
        with self._changed:
            _add(flight, [signed])
            for ticket in flight.tickets:
                ticket.transaction_hash = signed.hash

    def remove(self, flights: Sequence[Flight]) -> None:
        """Take flights out, and wake who waits for room."""
        with self._changed:
            for flight in flights:
                self._flights.pop(flight.nonce, None)
            self._changed.notify_all()

    def drop(self, flight: Flight) -> list[Ticket]:
        """Take a flight out together with those who wait for it."""
        with self._changed:
            self._flights.pop(flight.nonce, None)
            return _take(flight)

    def take_refused(self, flight: Flight) -> tuple[list[Ticket], str]:
        """Those who wait for a flight that no node takes, and why; they are told nothing later."""
        with self._changed:
            return (_take(flight), flight.refused) if flight.refused else ([], "")

    def take_all(self) -> list[Ticket]:
        """Those who wait for anything; they are told nothing from here any more."""
        with self._changed:
            return [ticket for flight in self._flights.values() for ticket in _take(flight)]

    def in_order(self) -> list[Flight]:
        """All flights, lowest nonce first."""
        with self._changed:
            return sorted(self._flights.values(), key=lambda flight: flight.nonce)

    def __len__(self) -> int:
        return len(self._flights)

    def gas(self) -> int:
        """The gas limits of all of them."""
        with self._changed:
            return sum(flight.gas for flight in self._flights.values())

    def waiting_seconds(self, looked_at: float) -> float:
        """Since when nobody has looked at them; 0 if there are none.

        Args:
            looked_at: When somebody last did, by the monotonic clock.
        """
        with self._changed:
            return time.monotonic() - max(looked_at, self._begun_at) if self._flights else 0.0

    def wait_for_room(self) -> None:
        """Wait until something is taken out, or a moment."""
        with self._changed:
            self._changed.wait(ROOM_SECONDS)


def _add(flight: Flight, transactions: Sequence[SignedTransaction]) -> None:
    hashes = {each.hash for each in flight.transactions}
    flight.transactions += [each for each in transactions if each.hash not in hashes]


def _take(flight: Flight) -> list[Ticket]:
    tickets, flight.tickets = flight.tickets, []
    return tickets
