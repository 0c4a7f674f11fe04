"""Orders that the journal has an answer to: bound to what was done for them before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tael.errors import NodeUnavailableError
from tael.journal import Fate, WriteState, conflict
from tael.outbox.flights import Flight
from tael.outbox.receipts import created_in, receipt_in, receipt_of
from tael.outbox.tickets import unknown

if TYPE_CHECKING:
    from tael.journal import Record
    from tael.outbox.environment import Environment
    from tael.outbox.tickets import Ticket
    from tael.outbox.watch import Watch


class Repeats:
    """Binds orders of one key to what is in flight or done. Any thread may use it.

    What it reads may be old by the time it is used: another process may be signing the very same.
    So it only ever joins an order to something signed; whether something is signed for it anew, the
    journal decides under its locks.

    Args:
        environment: Of the outbox.
        watch: Follows what the key has in flight.
    """

    def __init__(self, environment: Environment, watch: Watch) -> None:
        self._chain = environment.chain
        self._journal = environment.journal
        self._watch = watch

    def take_out(self, tickets: Sequence[Ticket]) -> list[Ticket]:
        """Answer those that the journal has an answer to, before a node is asked; return the rest.

        The journal is asked only about those whose caller has not asked it.
        """
        names = [each.order.name for each in tickets if not each.is_looked_up]
        found = self._journal.find_many(names) if names else {}
        remaining = []
        for ticket in tickets:
            known = ticket.known if ticket.is_looked_up else found.get(ticket.order.name)
            if known is None or not self.attach(ticket, known):
                remaining.append(ticket)
        return remaining

    def attach(self, ticket: Ticket, record: Record) -> bool:
        """Bind an order to what was done for it before; False if it may be signed."""
        if not record.stands_for(ticket.order.body_hash):
            ticket.fail(conflict(ticket.order.reference, record))
            return True
        write = record.id if record.carrier is None else record.carrier
        alive = [each for each in self._journal.transactions_of(write) if each.fate < Fate.FINAL]
        if not alive:
            # Read after the transactions: what became of them meanwhile is in it.
            record = self._journal.record(record.id)
        if record.state in (WriteState.ACCEPTED, WriteState.REFUSED):
            return False
        ticket.write = record.id
        ticket.is_repeat = True
        ticket.transaction_hash = record.transaction_hash or (alive[-1].hash if alive else "")
        if record.is_done:
            self._answer(ticket, record)
        elif alive:
            self._watch.follow([Flight(alive, [ticket], sent=False)])
        else:
            # Another process is between two of its steps with it.
            ticket.fail(unknown(ticket, "another process is busy with it"))
        return True

    def _answer(self, ticket: Ticket, record: Record) -> None:
        """Tell who waits for something that is included already."""
        receipt = None
        if record.transaction_hash is not None:
            try:
                # Of a batch, it says what became of each payment.
                raw = self._chain.agree("eth_getTransactionReceipt", [record.transaction_hash])
                raw = receipt_in(raw, record.transaction_hash)
                if raw is not None:
                    created = None if record.contract else self._created_by(record, raw)
                    receipt = receipt_of(raw, record.reference, created=created, repeated=True)
            except NodeUnavailableError:
                receipt = None
        if receipt is not None:
            ticket.tell(receipt)
            return
        ticket.fail(
            NodeUnavailableError(
                f"{record.reference!r} is done, but the node does not give its receipt; "
                f"resolve({record.reference!r}) says what the journal knows"
            )
        )

    def _created_by(self, record: Record, receipt: Any) -> str:
        """The contract that a write created, by the key and nonce that it was signed with."""
        signed = next(
            each
            for each in self._journal.transactions_of(record.id)
            if each.hash == record.transaction_hash
        )
        return created_in(receipt, signed.sender, signed.nonce)
