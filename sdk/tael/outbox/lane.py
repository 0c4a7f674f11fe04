"""One key's lane: takes orders in groups, journals, signs and sends them.

Two threads: this one sends, `tael.outbox.watch` follows what is in flight. Under load, orders that
arrive while a group is under way make up the next one, so that one request and one commit serve
many of them.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from tael.addresses import checksummed
from tael.chain.jsonrpc import split
from tael.errors import (
    ContractRevertedError,
    IdempotencyConflictError,
    NodeUnavailableError,
    StoreUnsureError,
    TaelError,
    TransactionRefusedError,
)
from tael.hashing import keccak
from tael.journal import Fate, Order, SignedTransaction, State
from tael.journal.journal import conflict
from tael.outbox.answers import is_momentary, is_revert, is_taken, words_of
from tael.outbox.changes import Change
from tael.outbox.flights import Flight
from tael.outbox.tickets import Ticket, unknown
from tael.outbox.view import View, look
from tael.outbox.watch import Watch
from tael.rpc import exchange
from tael.telemetry import steps

if TYPE_CHECKING:
    from tael.chain.jsonrpc import Call
    from tael.journal import Decision, Record
    from tael.outbox.outbox import Outbox
    from tael.rpc import RpcResponse
    from tael.signers import Signer

Step = Callable[[str, int], None]

GROUP = 200
"""Most orders in one request and one commit."""
GROUP_BYTES = 150_000
"""Most call data in one of them: the node works on a few batches while the next are signed."""
IDLE_SECONDS = 10.0
WINDOW_BLOCKS = 8
"""Blocks' worth of gas that one key has in flight at most. On a development chain it is one: Anvil
leaves behind what did not fit into a block until somebody sends again."""

MAX_PENDING = 10_000
"""How many transactions of the key a pool may have that the journal knows nothing of: a node that
claims more would have nonces skipped, and each of them has to be filled before anything goes on."""

_TRIES = 3


class Lane:
    """Sends one key's orders.

    Args:
        outbox: Whose lane it is.
        signer: The key.
    """

    def __init__(self, outbox: Outbox, signer: Signer) -> None:
        self.outbox = outbox
        self.signer = signer
        self.address = checksummed(signer.address)
        self.watch = Watch(self)
        self._ready = threading.Condition()
        self._waiting: list[Ticket] = []
        self._thread: threading.Thread | None = None
        self._closed = False
        self._busy = False
        self._adopted = False
        self._gas_limit = 30_000_000

    def put(self, tickets: Sequence[Ticket]) -> None:
        """Queue orders."""
        with self._ready:
            self._waiting += tickets
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, name=f"tael-send-{self.address[:10]}", daemon=True
                )
                self._thread.start()
            self._ready.notify()

    def adopt(self) -> None:
        """Take everything from the journal that this key has in flight."""
        self._adopted = True
        self.watch.follow(
            [Flight([each], sent=False) for each in self._journal.open_transactions(self.address)]
        )

    def rejoin(self, ticket: Ticket, record: Record) -> None:
        """Have a ticket told what becomes of a write that is in flight."""
        if not self._attach(ticket, record):
            # It was, a moment ago.
            ticket.fail(
                TransactionRefusedError(
                    f"nothing that was signed for {record.reference!r} is in flight any more; "
                    "call again"
                )
            )

    def look(self) -> None:
        """Look at the chain now."""
        if not self._adopted:
            self.adopt()
        self.watch.look()

    def is_busy(self) -> bool:
        """Whether anything waits or is in flight."""
        with self._ready:
            if self._waiting or self._busy:
                return True
        return self.watch.is_busy()

    def in_flight(self) -> int:
        """How many orders wait or are in flight."""
        return len(self._waiting) + self.watch.in_flight()

    def close(self, wait_seconds: float) -> None:
        """End both threads after the group under way."""
        with self._ready:
            self._closed = True
            thread = self._thread
            self._ready.notify()
        if thread is not None and thread is not threading.current_thread():
            thread.join(wait_seconds)
        self.watch.close(wait_seconds)
        for ticket in [*self._waiting, *self.watch.leave()]:
            if not (ticket.future.done() or ticket.is_given_up):
                ticket.fail(unknown(ticket, "the client was closed meanwhile"))

    @property
    def _journal(self) -> Any:
        return self.outbox.journal

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
                    self.watch.wait_for_room()
            except BaseException as error:  # noqa: BLE001 - told to whoever waits for the orders
                # What was signed before it broke is in the journal, and is taken up from there.
                self._adopted = False
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
            if room < 0 and (taken or self.watch.is_busy()):
                break
            if size > GROUP_BYTES and taken:
                break
            taken += 1
        return taken

    def _room(self) -> int:
        """How much gas may be sent now."""
        blocks = 1 if self.outbox.chain.is_local else WINDOW_BLOCKS
        return blocks * self._gas_limit - self.watch.gas_in_flight()

    def _process(self, group: list[Ticket]) -> None:
        step = self.outbox.on_step
        step("asked", len(group))
        if not self._adopted:
            self.adopt()
        group = self._answer_known(group)
        if not group:
            return
        try:
            view = self._view([ticket.order for ticket in group])
        except TaelError:
            self._write_down_shown(group)
            raise
        step("checked", len(group))
        group = self._within_window(self._refuse(group, view), view)
        if not group:
            return
        decisions = self._sign([ticket.order for ticket in group], view)
        step("journaled", len(group))
        flights = self._decide(group, decisions, view)
        steps.signed(flights)
        for flight in flights:
            self.outbox.tell(Change(flight.newest.write or 0, "submitted", flight.newest.hash))
        if flights:
            # Followed before they are sent: whatever happens now, the watch looks after them.
            self.watch.follow(flights, wake=False)
            self._broadcast(flights)
            steps.sent(flights)
            step("sent", len(flights))
        self.watch.wake()

    # Before signing

    def _answer_known(self, group: list[Ticket]) -> list[Ticket]:
        """Take out orders that the journal has an answer to, before the node is asked."""
        known = self._journal.find_many([ticket.order.name for ticket in group])
        remaining = []
        for ticket in group:
            record = known.get(ticket.order.name)
            if record is None or not self._attach(ticket, record):
                remaining.append(ticket)
        return remaining

    def _attach(self, ticket: Ticket, record: Record) -> bool:
        """Bind an order to what was done for it before; False if it may be signed."""
        if not record.stands_for(ticket.order.body_hash):
            ticket.fail(conflict(ticket.order.reference, record))
            return True
        write = record.id if record.carrier is None else record.carrier
        alive = [each for each in self._journal.transactions_of(write) if each.fate < Fate.FINAL]
        if not alive:
            # Read after the transactions: what became of them meanwhile is in it.
            record = self._journal.record(record.id)
        if record.state in (State.ACCEPTED, State.REFUSED):
            return False
        ticket.write = record.id
        ticket.is_repeat = True
        ticket.transaction_hash = record.transaction_hash or (alive[-1].hash if alive else "")
        flight = Flight(alive, [ticket], sent=False)
        if record.is_done:
            self.watch.answer(flight, record)
        elif alive:
            self.watch.follow([flight])
        else:
            # Another process is between two of its steps with it.
            ticket.fail(unknown(ticket, "another process is busy with it"))
        return True

    def _refuse(self, group: list[Ticket], view: View) -> list[Ticket]:
        """Take out orders that would be refused, and write them down as such."""
        refused = [
            (ticket, error)
            for ticket in group
            if isinstance(error := view.estimates.get(ticket.order.name), TaelError)
        ]
        if not refused:
            return group
        self._journal.refuse(
            [
                (ticket.order, error.data)
                for ticket, error in refused
                if isinstance(error, ContractRevertedError)
            ]
        )
        self._write_down_shown(
            [ticket for ticket, error in refused if not isinstance(error, ContractRevertedError)]
        )
        for ticket, error in refused:
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
                    self._journal.accept(ticket.order)

    def _gas(self, order: Order, view: View) -> int:
        """The gas limit an order's transaction gets."""
        estimate = view.estimates.get(order.name)
        gas = estimate if isinstance(estimate, int) else order.gas
        return view.gas_limit if gas is None or gas > view.gas_limit else gas

    def _within_window(self, group: list[Ticket], view: View) -> list[Ticket]:
        """Send no more at a time than blocks take; the rest waits for its turn."""
        self._gas_limit = view.gas_limit
        room, taken = self._room(), 0
        for ticket in group:
            room -= self._gas(ticket.order, view)
            if room < 0 and (taken or self.watch.is_busy()):
                break
            taken += 1
        if taken < len(group):
            with self._ready:
                self._waiting = group[taken:] + self._waiting
            if not taken:
                self.watch.wait_for_room()
        return group[:taken]

    # Signing

    def _sign(self, orders: Sequence[Order], view: View) -> list[Decision]:
        def sign(order: Order, nonce: int) -> tuple[str, bytes]:
            return self.sign_fields(
                {
                    "to": order.to,
                    "data": order.data,
                    "value": order.value,
                    "gas": self._gas(order, view),
                    **view.fees,
                },
                nonce,
            )

        def sign_all() -> list[Decision]:
            decisions: list[Decision] = self._journal.sign(
                self.address, orders, remote_nonce, lambda order, nonce: sign(order, nonce)
            )
            return decisions

        remote_nonce = self._remote_nonce(view)
        for _ in range(_TRIES - 1):
            try:
                return sign_all()
            except sa.exc.IntegrityError:
                # Another process wrote the same reference meanwhile: now it is found.
                continue
        return sign_all()

    def _remote_nonce(self, view: View) -> int:
        """The next nonce as the chain has it: where it is above the journal's, as enough nodes say.

        Raises:
            NodeUnavailableError: The node claims more than can be.
        """
        chain = self.outbox.chain
        if chain.agreement == 1 and view.nonce - view.mined <= MAX_PENDING:
            return view.nonce
        own: int = self._journal.next_nonce(self.address)
        if view.nonce <= own:
            return view.nonce
        if chain.agreement > 1:
            return chain.transaction_count(self.address)
        if view.nonce > max(own, view.mined) + MAX_PENDING:
            raise NodeUnavailableError(
                f"the node claims {view.nonce - view.mined} transactions of {self.address} that "
                "are in no block, and the journal has signed no such number; nothing was signed"
            )
        return view.nonce

    def _view(self, orders: Sequence[Order]) -> View:
        return look(self.outbox.chain, self.outbox.fees, self.address, orders)

    def fees(self) -> dict[str, int]:
        """What a transaction offers at present."""
        return self._view([]).fees

    def sign_fields(self, fields: Mapping[str, Any], nonce: int) -> tuple[str, bytes]:
        """Sign a transaction with these fields; returns its hash and bytes."""
        raw = bytes(
            self.signer.sign_transaction(
                {**fields, "chainId": self.outbox.chain.chain_id, "nonce": nonce}
            )
        )
        return "0x" + keccak(raw).hex(), raw

    def _decide(
        self, group: list[Ticket], decisions: Sequence[Decision], view: View
    ) -> list[Flight]:
        flights = []
        for ticket, decision in zip(group, decisions, strict=True):
            if decision.conflict is not None:
                ticket.fail(decision.conflict)
            elif decision.signed is not None:
                ticket.write = decision.signed.write
                ticket.transaction_hash = decision.signed.hash
                flights.append(
                    Flight(
                        [decision.signed],
                        [ticket],
                        has_items=bool(ticket.order.items),
                        gas=self._gas(ticket.order, view),
                    )
                )
            elif decision.record is not None:
                record = self._journal.record(decision.record.id)
                if not self._attach(ticket, record):
                    # Refused between two of our steps: its turn comes again.
                    self.put([ticket])
        return flights

    # Sending

    def _broadcast(self, flights: Sequence[Flight]) -> None:
        now = time.monotonic()
        for flight in flights:
            flight.sent_at = now
        self.broadcast([flight.newest for flight in flights], flights)

    def broadcast(
        self, transactions: Sequence[SignedTransaction], flights: Sequence[Flight]
    ) -> None:
        """Hand signed bytes to the node, once. What is not answered, the watch sends again."""
        calls: list[Call] = [
            ("eth_sendRawTransaction", ["0x" + each.raw.hex()]) for each in transactions
        ]
        begun = 0
        for run in split(calls):
            try:
                answers = exchange(self.outbox.chain, run)
            except NodeUnavailableError:
                return
            self._take_answers(flights[begun : begun + len(run)], answers)
            begun += len(run)
        self.watch.tell_refused(flights)

    def _take_answers(self, flights: Sequence[Flight], answers: Sequence[RpcResponse]) -> None:
        for flight, answer in zip(flights, answers, strict=True):
            problem = None if answer.error is None else words_of(answer)
            if problem is None or is_taken(problem) or is_momentary(answer) or is_revert(answer):
                flight.sent = problem is None or flight.sent
            else:
                flight.refused = problem


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


__all__ = ["Lane", "Step"]
