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
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tael.chain.jsonrpc import quantity
from tael.errors import NodeUnavailableError, StoreError, TaelError, TransactionRefusedError
from tael.journal import Fate
from tael.outbox.fees import FEE_FIELDS
from tael.outbox.flights import Flight
from tael.outbox.receipts import receipt_in, receipt_of
from tael.outbox.settlement import GROUP, Settlement
from tael.outbox.tickets import unknown
from tael.raw_transaction import read_plain
from tael.rpc import exchange, request
from tael.telemetry import steps

if TYPE_CHECKING:
    from tael.journal import Record, SignedTransaction
    from tael.outbox.lane import Lane
    from tael.outbox.tickets import Ticket

_log = logging.getLogger(__name__)

CONFIRM_SECONDS = 1.0
"""How often what is included is looked at until it is final."""
GAP_SECONDS = 1.0
"""How long a nonce that nothing fills may be a delay of the node's."""
OVERTAKEN_SECONDS = 2.0
TRANSFER_GAS = 21_000

_POLL_SECONDS = 0.005
_LONGEST_POLL_SECONDS = 1.0
_POLL_ANSWERS = 4
_BUSY_POLL_SECONDS = 0.1
_LONGEST_RESEND_SECONDS = 5.0


class Watch(Settlement):
    """One key's flights.

    Args:
        lane: Whose they are.
    """

    def __init__(self, lane: Lane) -> None:
        super().__init__(lane)
        self._looking = threading.Lock()
        self._thread: threading.Thread | None = None
        self._closed = False
        self._woken = False
        self._gap_since: float | None = None
        self._confirmed_at = 0.0
        self._looked_at = 0.0
        self._answer_seconds = 0.0
        self._trouble = ""

    # What the lane calls

    def follow(self, flights: Sequence[Flight], *, wake: bool = True) -> None:
        """Follow flights from now on; one for a nonce that is followed already joins it."""
        with self._ready:
            if not self._flights:
                self._looked_at = time.monotonic()
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
                hashes = {each.hash for each in known.transactions}
                known.transactions += [each for each in alive if each.hash not in hashes]
                # Whoever asks again wants it sent again.
                known.refused = ""
                known.sent_at = 0.0
        if wake:
            self.wake()

    def wake(self) -> None:
        """Look at the chain soon."""
        with self._ready:
            self._woken = True
            if self._thread is None and not self._closed:
                self._thread = threading.Thread(
                    target=self._run, name=f"tael-watch-{self._lane.address[:10]}", daemon=True
                )
                self._thread.start()
            self._ready.notify()

    def look(self) -> None:
        """Look at the chain now, in this thread."""
        self._turn(confirm=True)

    def is_busy(self) -> bool:
        """Whether anything is in flight."""
        with self._ready:
            return bool(self._flights)

    def gas_in_flight(self) -> int:
        """The gas limits of all that is in flight."""
        with self._ready:
            return sum(flight.gas for flight in self._flights.values())

    def wait_for_room(self) -> None:
        """Wait until something is included, or a moment."""
        with self._landed:
            self._landed.wait(_LONGEST_POLL_SECONDS)

    def in_flight(self) -> int:
        """How many transactions are in flight."""
        return len(self._flights)

    def unwatched_seconds(self) -> float:
        """Since when nobody could look at what is in flight; 0 if nothing is."""
        with self._ready:
            return time.monotonic() - self._looked_at if self._flights else 0.0

    def leave(self) -> list[Ticket]:
        """Those who still wait; they are told nothing from here any more."""
        with self._ready:
            tickets = [ticket for flight in self._flights.values() for ticket in flight.tickets]
            for flight in self._flights.values():
                flight.tickets = []
        return tickets

    def close(self, wait_seconds: float) -> None:
        """End the thread."""
        with self._ready:
            self._closed = True
            thread = self._thread
            self._ready.notify()
        if thread is not None and thread is not threading.current_thread():
            thread.join(wait_seconds)

    def answer(self, flight: Flight, record: Record) -> None:
        """Tell who waits for something that is included already."""
        receipt = None
        if record.transaction_hash is not None:
            try:
                # Of a batch, it says what became of each payment.
                raw = self._outbox.chain.agree(
                    "eth_getTransactionReceipt", [record.transaction_hash]
                )
                raw = receipt_in(raw, record.transaction_hash)
                receipt = receipt_of(raw, record.reference, repeated=True) if raw else None
            except NodeUnavailableError:
                receipt = None
        for ticket in flight.tickets:
            if receipt is None:
                ticket.fail(
                    NodeUnavailableError(
                        f"{record.reference!r} is done, but the node does not give its receipt; "
                        f"resolve({record.reference!r}) says what the journal knows"
                    )
                )
            else:
                ticket.tell(receipt)

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
                if self._closed or not (self._flights or self._has_unconfirmed):
                    self._thread = None
                    return
                idle = not self._flights
            progressed = self._turn(confirm=False)
            poll = _POLL_SECONDS if progressed else min(poll * 1.5, _LONGEST_POLL_SECONDS)
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
                    progressed = self._confirm() or progressed
            except (NodeUnavailableError, StoreError) as error:
                # The node or the database is away; both are asked again at the next turn.
                self._note_trouble(error.message)
                return False
            except TaelError as error:
                self._fail_all(error)
                return False
            except Exception:  # noqa: BLE001 - logged; see below
                # Nobody else looks after what is in flight, so this goes on whatever happens.
                _log.exception("looking after %s failed; going on", self._lane.address)
                return False
            self._trouble = ""
            self._looked_at = time.monotonic()
            return progressed

    def _note_trouble(self, why: str) -> None:
        """Log what keeps this from going on, once: who waits hears of nothing but a long wait."""
        if why != self._trouble:
            _log.warning("looking after %s has to wait: %s", self._lane.address, why)
        self._trouble = why

    def _follow_flights(self) -> bool:
        with self._ready:
            flights = sorted(self._flights.values(), key=lambda flight: flight.nonce)
        if not flights:
            return False
        count = self._count()
        passed = [each for each in flights if each.nonce < count]
        progressed = False
        for start in range(0, len(passed), GROUP):
            progressed = self._collect(passed[start : start + GROUP]) or progressed
        waiting = [each for each in flights if each.nonce >= count and not each.sending]
        if waiting:
            self._mend_gap(count, waiting[0].nonce)
            self._look_after(waiting)
        return progressed

    def _count(self, block: str = "latest") -> int:
        chain, asked = self._outbox.chain, time.monotonic()
        count = quantity(request(chain, "eth_getTransactionCount", self._lane.address, block))
        self._answer_seconds = time.monotonic() - asked
        return count

    # What is included

    def _collect(self, flights: Sequence[Flight]) -> bool:
        """Take in receipts; True if there was any."""
        hashes = [each.hash for flight in flights for each in flight.transactions]
        answers = exchange(
            self._outbox.chain, [("eth_getTransactionReceipt", [each]) for each in hashes]
        )
        said = {
            hash_: answer.result
            for hash_, answer in zip(hashes, answers, strict=True)
            if answer.error is None and answer.result
        }
        found: list[tuple[Flight, Any]] = []
        trouble: NodeUnavailableError | None = None
        for flight in flights:
            try:
                receipt = self._included_of(flight, said)
                if receipt is None:
                    self._check_overtaken(flight)
                else:
                    found.append((flight, receipt))
            except NodeUnavailableError as error:
                trouble = error
                if self._outbox.chain.agreement > 1:
                    break  # nodes that do not agree take their time each time they are asked
        if found:
            self._settle(found)
        if trouble is not None:
            raise trouble
        return bool(found)

    def _included_of(self, flight: Flight, said: Mapping[str, Any]) -> Any:
        """The receipt of that of a flight's transactions which is included; None if none is.

        Args:
            flight: Which.
            said: By hash: what the node that was asked first says.
        """
        for each in flight.transactions:
            if each.hash in said:
                receipt = self._agreed(each.hash, said[each.hash])
                if receipt is not None:
                    return receipt
        return None

    def _check_overtaken(self, flight: Flight) -> None:
        """The nonce is used, and by nothing of ours: believed when it is final."""
        now = time.monotonic()
        if flight.missing_since is None:
            flight.missing_since = now
        if now - flight.missing_since < OVERTAKEN_SECONDS:
            return
        # Another process may have replaced it: that is in the journal, and counts as ours.
        journal, address, nonce = self._outbox.journal, self._lane.address, flight.nonce
        ours = journal.transactions_between(address, nonce, nonce + 1)
        if any(each.fate is Fate.FINAL for each in ours):
            why = "another process has written down what became of it"
            self._drop(flight, lambda ticket: unknown(ticket, why))
            return
        self.follow([Flight([each], sent=False) for each in ours], wake=False)
        if not self._is_overtaken(nonce, [each.hash for each in ours]):
            return
        journal.kill(address, nonce)
        steps.overtaken(self._outbox, flight.newest)
        words = (
            f"nonce {nonce} of {address} went to another transaction, so this one can never be "
            "included; call again"
        )
        hash_ = flight.newest.hash
        self._drop(flight, lambda _: TransactionRefusedError(words, transaction_hash=hash_))

    def _drop(self, flight: Flight, error_of: Callable[[Ticket], TaelError]) -> None:
        """Follow a flight no longer, and tell who waits for it."""
        with self._ready:
            self._flights.pop(flight.nonce, None)
            tickets, flight.tickets = flight.tickets, []
        for ticket in tickets:
            ticket.fail(error_of(ticket))

    def _is_overtaken(self, nonce: int, hashes: Sequence[str]) -> bool:
        """Whether a nonce is used in a final block, and by none of these transactions."""
        chain = self._outbox.chain
        block = hex(max(0, self._outbox.finality.final_number(chain)))
        calls: list[tuple[str, list[Any]]] = [
            ("eth_getTransactionCount", [self._lane.address, block]),
            *(("eth_getTransactionReceipt", [each]) for each in hashes),
        ]
        # In one request: a node that is behind another would know the nonce of neither, and what
        # the one says of the nonce must not go with what the other does not know yet.
        answers = exchange(chain, calls)
        if any(each.error is not None for each in answers) or any(
            each.result for each in answers[1:]
        ):
            return False
        if quantity(answers[0].result) <= nonce:
            return False
        if chain.agreement == 1:
            return True
        count, *receipts = (chain.agree(method, params) for method, params in calls)
        return quantity(count) > nonce and not any(receipts)

    # What waits

    def _look_after(self, waiting: Sequence[Flight]) -> None:
        now = time.monotonic()
        due = [each for each in waiting if now - each.sent_at >= each.resend_after][:GROUP]
        if not due:
            return
        answers = exchange(
            self._outbox.chain,
            [("eth_getTransactionByHash", [each.newest.hash]) for each in due],
        )
        patience = self._outbox.fees.patience_seconds(is_local=self._outbox.chain.is_local)
        lost, stuck = [], []
        for flight, answer in zip(due, answers, strict=True):
            flight.sent_at = now
            flight.resend_after = min(flight.resend_after * 2, _LONGEST_RESEND_SECONDS)
            if answer.error is not None:
                continue
            if not isinstance(answer.result, dict):
                flight.known_since = None
                lost.append(flight)
            elif not answer.result.get("blockNumber"):
                flight.refused = ""
                since = flight.known_since = flight.known_since or now
                if now - since >= patience:
                    stuck.append(flight)
        self.tell_refused([each for each in lost if each.refused], final=True)
        if lost:
            self._lane.broadcast([each.newest for each in lost], lost)
        self._bump_all(stuck, [each for each in lost if each.refused])

    def tell_refused(self, flights: Sequence[Flight], *, final: bool = False) -> None:
        """Tell who waits that the node does not take it; it stays written down."""
        if not final:
            for flight in flights:
                if flight.refused:
                    # A node may report the failure of what it has included: looked up at once.
                    flight.sent_at = 0.0
            return
        for flight in flights:
            tickets, flight.tickets = flight.tickets, []
            for ticket in tickets:
                ticket.fail(
                    TransactionRefusedError(
                        f"the node refused it: {flight.refused}. Mend that and call again with the "
                        "same reference: the same bytes are sent",
                        transaction_hash=flight.newest.hash,
                    )
                )

    def _bump_all(self, stuck: Sequence[Flight], refused: Sequence[Flight]) -> None:
        """Replace what is stuck, and what no pool takes because it offers less than is asked."""
        if not (stuck or refused):
            return
        try:
            now = self._lane.fees()
        except TransactionRefusedError:
            return  # dearer than the policy allows: what is offered already has to do
        for flight in stuck:
            self._bump(flight, now)
        for flight in refused:
            self._bump(flight, now, only_if_dearer=True)

    def _bump(
        self, flight: Flight, now: Mapping[str, int], *, only_if_dearer: bool = False
    ) -> None:
        """Replace a transaction by itself for a higher fee.

        What is signed again is read from the journal's own bytes. A node that was asked for it
        could have anything at all signed.

        Args:
            flight: Which.
            now: What a transaction offers at present.
            only_if_dearer: Leave one be that offers as much.
        """
        old = read_plain(flight.newest.raw)
        if old is None:
            return
        offered = {name: old.pop(name) for name in FEE_FIELDS if name in old}
        if only_if_dearer and all(offered.get(name, fee) >= fee for name, fee in now.items()):
            return
        fees = self._outbox.fees.bump(offered, now)
        if fees is None:
            return
        fields = {**old, **fees}
        new = self._outbox.journal.replace(
            flight.newest, lambda: self._lane.sign_fields(fields, flight.nonce)
        )
        if new is None:
            return
        steps.replaced(self._outbox, flight.newest, new)
        flight.transactions.append(new)
        flight.known_since = None
        for ticket in flight.tickets:
            ticket.transaction_hash = new.hash
        self._lane.broadcast([new], [flight])

    def _mend_gap(self, count: int, lowest: int) -> None:
        """Fill nonces below the lowest one in flight that nothing is known of."""
        now = time.monotonic()
        if lowest <= count:
            self._gap_since = None
            return
        if self._gap_since is None:
            self._gap_since = now
        if now - self._gap_since < GAP_SECONDS:
            return
        self._gap_since = None
        journal, address = self._outbox.journal, self._lane.address
        # Whatever the node claims, a bounded part of it is mended at a time.
        lowest = min(lowest, count + GROUP)
        known = journal.transactions_between(address, count, lowest)
        undone = [each for each in known if self._is_undone(each)]
        if undone:
            self._reopen(undone)
        self.follow([Flight([each], sent=False) for each in known if each.fate is Fate.OPEN])
        missing = sorted(set(range(count, lowest)) - {each.nonce for each in known})
        if missing:
            fees = self._lane.fees()
            fields = {"to": address, "data": b"", "value": 0, "gas": TRANSFER_GAS, **fees}
            filled = journal.fill(
                address, missing, lambda nonce: self._lane.sign_fields(fields, nonce)
            )
            steps.gap_filled(self._outbox, filled)
            self.follow([Flight([each], sent=False) for each in filled])

    def _is_undone(self, signed: SignedTransaction) -> bool:
        """Whether what was included is in no block any more; final is final on a real chain."""
        is_simulated = self._outbox.finality.kind == "simulated"
        if not (signed.fate is Fate.INCLUDED or (signed.fate is Fate.FINAL and is_simulated)):
            return False
        chain = self._outbox.chain
        raw = chain.agree("eth_getTransactionReceipt", [signed.hash])
        return receipt_in(raw, signed.hash) is None

    def _fail_all(self, error: TaelError) -> None:
        """Tell who waits that nobody knows: what they wait for is signed, whatever went wrong."""
        for ticket in self.leave():
            lost = unknown(ticket, error.message)
            lost.__cause__ = error
            ticket.fail(lost)
