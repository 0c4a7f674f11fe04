"""Writing to the contracts: orders for the outbox, results from the journal."""

from __future__ import annotations

import contextlib
import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tael.contracts.registry import REGISTRY
from tael.errors import (
    ContractRevertedError,
    InvalidInputError,
    NodeUnavailableError,
    TransactionRefusedError,
)
from tael.events import decode, topic_of
from tael.identifiers import check_reference
from tael.journal import Order, Outcome, WriteState, conflict
from tael.models import Written
from tael.outbox.receipts import receipt_in
from tael.services.intents import Intent

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tael.chain import Chain, Receipt
    from tael.contracts.calls import Contract
    from tael.events import Event
    from tael.journal import Item, Journal, Name, Record
    from tael.outbox import Outbox, Ticket
    from tael.services.identity import Identity


@dataclass(frozen=True, slots=True)
class LookedUp:
    """What the journal had of a reference when it was asked: once for a write.

    Args:
        first: The first result, if the write is done.
        records: For the outbox, which then does not ask again before it signs.
    """

    first: Written | None
    records: Mapping[Name, Record]


class Writer:
    """Writes for one participant, through its outbox and journal.

    Args:
        chain: The chain.
        identity: Who signs, and for whom.
        outbox: Makes the outbox when it is first needed; a client that only reads has no store.
        simulate: Whether each write is tried on the node first, so that a refusal costs nothing.
    """

    def __init__(
        self, chain: Chain, identity: Identity, outbox: Callable[[], Outbox], *, simulate: bool
    ) -> None:
        self.chain = chain
        self.identity = identity
        self.simulate = simulate
        self._make_outbox = outbox
        self._outbox: Outbox | None = None
        self._making = threading.Lock()

    @property
    def participant(self) -> str:
        """Whose references these are."""
        return self.identity.participant

    @property
    def outbox(self) -> Outbox:
        """Sends what is journaled."""
        if self._outbox is None:
            # Many threads may begin at once, and a key has one lane.
            with self._making:
                if self._outbox is None:
                    self._outbox = self._make_outbox()
        return self._outbox

    @property
    def journal(self) -> Journal:
        """What this participant ordered, and what became of it."""
        return self.outbox.journal

    @property
    def is_open(self) -> bool:
        """Whether there is an outbox that must be closed."""
        return self._outbox is not None

    def order(
        self,
        contract: Contract,
        name: str,
        *arguments: object,
        reference: str,
        intent: Intent | None = None,
        part: int = 0,
        gas: int | None = None,
        items: Sequence[Item] = (),
    ) -> Order:
        """A call as the journal keeps it.

        Args:
            contract: Which contract.
            name: The function's name.
            arguments: Its arguments.
            reference: The caller's reference for this write.
            intent: What the call is to do, where that is more or less than its arguments say.
            part: Where one reference stands for several transactions: which of them.
            gas: A limit that is known to suffice; None estimates.
            items: The payments of a batch.
        """
        what = Intent(name, arguments) if intent is None else intent
        bound = REGISTRY.verb(contract.kind, name).gas
        # A list's bound grows with its entries, which only its service can count.
        if gas is None and bound is not None and not bound.each and not self.simulate:
            gas = bound.limit()
        return Order(
            participant=self.participant,
            reference=check_reference(reference),
            verb=what.verb,
            body_hash=what.body_hash(contract),
            to=contract.address,
            data=contract.function(name, len(arguments)).encode(*arguments),
            part=part,
            gas=gas,
            subject=what.subject,
            total_minor=what.total_minor,
            valid_before=what.valid_before,
            items=tuple(items),
        )

    def submit(
        self, orders: Sequence[Order], known: Mapping[Name, Record] | None = None
    ) -> list[Ticket]:
        """Hand orders to the outbox without waiting.

        Args:
            orders: In the order they are sent.
            known: What the journal had of them; None has the outbox ask it.
        """
        return self.outbox.submit(self.identity.signer, orders, known=known)

    def wait(self, ticket: Ticket) -> Receipt:
        """Wait until an order's transaction is in a block."""
        return ticket.result(self.outbox.wait_seconds)

    def write(
        self,
        contract: Contract,
        name: str,
        *arguments: object,
        reference: str,
        intent: Intent | None = None,
        part: int = 0,
        gas: int | None = None,
        known: LookedUp | None = None,
    ) -> Receipt:
        """Send a call and wait until it is in a block; arguments as in `order`.

        `known` is what `look_up` said of the reference; None has the outbox look it up.

        Raises:
            ContractRevertedError: The contract refused.
            IdempotencyConflictError: The reference stands for something else.
            OutcomeUnknownError: Nobody knows whether it is in a block.
        """
        order = self.order(
            contract, name, *arguments, reference=reference, intent=intent, part=part, gas=gas
        )
        records = None if known is None else known.records
        return self.outbox.send(self.identity.signer, order, known=records)

    def look_up(
        self, contract: Contract, intent: Intent, reference: str, *, part: int = 0
    ) -> LookedUp:
        """What the journal has of a reference, the first result if it is done; no node is asked.

        Hand it on to `write` or `write_once`. Whatever it says, the journal looks once more, under
        locks, in the transaction that signs.

        Raises:
            IdempotencyConflictError: The reference stands for something else.
        """
        name = (self.participant, check_reference(reference), part)
        found = self.journal.find_many([name])
        record = found.get(name)
        if record is None:
            return LookedUp(None, found)
        if not record.stands_for(intent.body_hash(contract)):
            raise conflict(reference, record)
        return LookedUp(self.written_down(record, reference) if record.is_done else None, found)

    def written_down(self, record: Record, reference: str) -> Written:
        """What the journal says of a write that is done."""
        return Written(
            reference=reference,
            transaction_hash=record.transaction_hash or "",
            block_number=record.block_number or 0,
            gas_used=record.gas_used or 0,
            repeated=True,
            subject=record.subject,
            status="final" if record.state is WriteState.FINAL else "included",
        )

    def await_open(self, record: Record) -> Record:
        """Wait for a write that is in flight; returns it as it stands then.

        Raises:
            OutcomeUnknownError: It is still open.
        """
        if record.state is not WriteState.SIGNED:
            return record
        with contextlib.suppress(ContractRevertedError, TransactionRefusedError):
            self.wait(self.outbox.rejoin(self.identity.signer, record))
        return self.journal.record(record.id)

    def written(self, receipt: Receipt, reference: str, subject: bytes | None = None) -> Written:
        """What a receipt says."""
        return Written(
            reference=reference,
            transaction_hash=receipt.transaction_hash,
            block_number=receipt.block_number,
            gas_used=receipt.gas_used,
            repeated=receipt.repeated,
            subject=subject,
            status="final" if self.outbox.finality.is_immediate else "included",
        )

    def written_before(self, event: Event, reference: str, subject: bytes | None = None) -> Written:
        """What an event of the past says: the first result of a write that was repeated.

        Raises:
            NodeUnavailableError: As `receipt_with`.
        """
        receipt = self.receipt_with(event)
        return Written(
            reference=reference,
            transaction_hash=event.at.transaction_hash,
            block_number=event.at.block_number,
            gas_used=int(receipt["gasUsed"], 16),
            repeated=True,
            subject=subject,
        )

    def receipt_with(self, event: Event) -> Any:
        """The receipt that shows an event, as enough nodes give it.

        Raises:
            NodeUnavailableError: It shows no such event, or too few nodes agree on it.
        """
        at = event.at
        raw = self.chain.agree("eth_getTransactionReceipt", [at.transaction_hash])
        receipt = receipt_in(raw, at.transaction_hash)
        if receipt is None or receipt["blockHash"] != at.block_hash or not _shows(receipt, event):
            raise NodeUnavailableError(
                f"the node showed a {type(event).__name__} in {at.transaction_hash}, and the "
                "transaction's receipt does not; try again later"
            )
        return receipt

    def is_final(self, event: Event) -> bool:
        """Whether an event is in a block that cannot be undone any more."""
        finality = self.outbox.finality
        if finality.is_immediate:
            return True
        return event.at.block_number <= finality.final_number(self.chain)

    def accept(
        self, contract: Contract, intent: Intent, reference: str, *, part: int = 0
    ) -> Record:
        """Write down what a reference stands for, before anything for it is signed.

        Raises:
            IdempotencyConflictError: It stands for something else.
        """
        return self.journal.accept(
            Order(
                participant=self.participant,
                reference=check_reference(reference),
                verb=intent.verb,
                body_hash=intent.body_hash(contract),
                to=contract.address,
                data=b"",
                part=part,
                subject=intent.subject,
                total_minor=intent.total_minor,
                valid_before=intent.valid_before,
            )
        )

    def rejoin(self, reference: str) -> int:
        """Wait for what was sent for a batch before; returns how many transactions that were.

        Raises:
            OutcomeUnknownError: One of them is still open.
        """
        parts = self.journal.parts(self.participant, reference)
        for record in parts:
            self.await_open(record)
        return max((record.part for record in parts), default=0)

    def note(
        self, contract: Contract, intent: Intent, event: Event, reference: str, *, part: int = 0
    ) -> Written:
        """Write down that the chain has this write already, and give its first result.

        Written down is what is final: a transaction that is none of ours is not followed until
        then, and a reorganisation that undid it would not be noticed.

        Raises:
            IdempotencyConflictError: The reference stands for something else.
        """
        written = self.written_before(event, reference, intent.subject)
        record = self.accept(contract, intent, reference, part=part)
        if self.is_final(event):
            if not record.is_done:
                self.journal.settle([found_elsewhere(record, event, written.gas_used)])
            return replace(written, status="final")
        return written

    def write_once(
        self,
        contract: Contract,
        name: str,
        *arguments: object,
        reference: str,
        intent: Intent,
        find_first: Callable[[], Event | None],
        part: int = 0,
        gas: int | None = None,
        known: LookedUp | None = None,
    ) -> Written:
        """Send a call that the chain takes once; if it is there already, give the first result.

        Whatever the refusal says, the chain is asked whether this very write is there: a repeat
        may be refused for another reason that is checked first, a pause or a deadline.

        Args:
            contract: Where to.
            name: Function.
            arguments: Its arguments.
            reference: The caller's reference.
            intent: What it is to do.
            find_first: Looks for the event of the same write; it raises `IdempotencyConflictError`
                if it finds one with another body.
            part: Where one reference stands for several transactions: which of them.
            gas: A limit that is known to suffice; None estimates.
            known: What `look_up` said of the reference; None looks it up.
        """
        known = known or self.look_up(contract, intent, reference, part=part)
        if known.first is not None:
            return known.first
        try:
            receipt = self.write(
                contract,
                name,
                *arguments,
                reference=reference,
                intent=intent,
                part=part,
                gas=gas,
                known=known,
            )
        except ContractRevertedError:
            event = find_first()
            if event is None:
                raise
            return self.note(contract, intent, event, reference, part=part)
        return self.written(receipt, reference, intent.subject)


def found_elsewhere(record: Record, event: Event, gas_used: int | None = None) -> Outcome:
    """What became of a write that another transaction than its own brought about, for good."""
    return Outcome(
        record.id,
        WriteState.FINAL,
        transaction_hash=event.at.transaction_hash,
        block_number=event.at.block_number,
        block_hash=event.at.block_hash,
        log_index=event.at.log_index,
        gas_used=gas_used,
        repeated=True,
    )


def _shows(receipt: Any, event: Event) -> bool:
    topic = topic_of(type(event))
    for log in receipt["logs"]:
        # Not by its index: Ganache's receipts count within the transaction.
        if log["topics"][:1] != [topic]:
            continue
        try:
            shown = decode({**log, "blockNumber": receipt["blockNumber"]})
        except (InvalidInputError, ValueError, KeyError):
            continue
        same_contract = shown is not None and shown.at.contract == event.at.contract
        if shown is not None and same_contract and replace(shown, at=event.at) == event:
            return True
    return False
