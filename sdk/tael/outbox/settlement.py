"""Writing down what was included, and following it until it cannot be undone."""

from __future__ import annotations

import threading
from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tael.errors import NodeUnavailableError
from tael.journal import Fate, Outcome, SignedTransaction, State
from tael.outbox.changes import Change, Status
from tael.outbox.flights import Flight
from tael.outbox.receipts import (
    created_in,
    item_outcomes,
    receipt_in,
    receipt_of,
    refusal_data,
    refusal_of,
)
from tael.rpc import exchange
from tael.telemetry import steps

if TYPE_CHECKING:
    from tael.outbox.lane import Lane

GROUP = 200
"""Most transactions asked about in one request."""


class Settlement:
    """The part of a watch that deals with what is in a block.

    Args:
        lane: Whose flights they are.
    """

    def __init__(self, lane: Lane) -> None:
        self._lane = lane
        self._outbox = lane.outbox
        self._ready = threading.Condition()
        self._landed = threading.Condition()
        self._flights: dict[int, Flight] = {}
        self._has_unconfirmed = True

    @abstractmethod
    def follow(self, flights: Sequence[Flight], *, wake: bool = True) -> None:
        """Follow flights from now on."""

    def _agreed(self, hash_: str, receipt: Any) -> Any:
        """A receipt as enough nodes give it, all of it; None where they say that there is none.

        Args:
            hash_: Of the transaction.
            receipt: What the node that was asked first says.

        Raises:
            NodeUnavailableError: Too few agree, or what they give is no receipt of it.
        """
        chain = self._outbox.chain
        if chain.agreement > 1:
            receipt = chain.agree("eth_getTransactionReceipt", [hash_])
        return receipt_in(receipt, hash_)

    def _settle(self, claimed: Sequence[tuple[Flight, Any]]) -> None:
        """Write down what was included, then tell.

        Raises:
            NodeUnavailableError: Of some of them the node does not say enough to be believed; the
                others are written down and told of first.
        """
        outbox = self._outbox
        outbox.on_step("included", len(claimed))
        is_final = outbox.finality.is_immediate
        found: list[tuple[Flight, Any]] = []
        outcomes: list[Outcome] = []
        fates: list[tuple[int, Fate, int | None, str | None]] = []
        refusals: dict[int, bytes] = {}
        trouble: NodeUnavailableError | None = None
        for flight, receipt in claimed:
            try:
                outcomes += self._outcomes_of(flight, receipt, refusals)
            except NodeUnavailableError as error:
                trouble = error
                continue
            found.append((flight, receipt))
            number, block = int(receipt["blockNumber"], 16), receipt["blockHash"]
            for each in flight.transactions:
                won = each.hash == receipt["transactionHash"]
                fate = Fate.FINAL if is_final else Fate.INCLUDED
                fates.append(
                    (each.id, fate, number, block)
                    if won
                    else (each.id, Fate.DEAD if is_final else Fate.OPEN, None, None)
                )
        outbox.journal.settle(outcomes, fates)
        self._has_unconfirmed = self._has_unconfirmed or not is_final
        with self._ready:
            for flight, _ in found:
                self._flights.pop(flight.nonce, None)
        with self._landed:
            self._landed.notify_all()
        outbox.on_step("recorded", len(found))
        steps.settled(outbox, found, refusals)
        by_write = {each.write: each for each in outcomes}
        for flight, receipt in found:
            self._tell(flight, receipt, by_write, refusals)
        if trouble is not None:
            raise trouble

    def _outcomes_of(
        self, flight: Flight, receipt: Any, refusals: dict[int, bytes]
    ) -> list[Outcome]:
        """What became of a flight's write and of what travels in it.

        Args:
            flight: Which.
            receipt: Of that of its transactions which is included.
            refusals: By write; a refusal is added.
        """
        outbox, write = self._outbox, flight.newest.write
        if receipt.get("contractAddress"):
            created_in(receipt, self._lane.address, flight.nonce)
        if write is None:
            return []
        refusal = None
        if int(receipt["status"], 16) != 1:
            hash_ = receipt["transactionHash"]
            signed = next(each for each in flight.transactions if each.hash == hash_)
            refusal = refusals[write] = refusal_data(outbox.chain, signed, receipt)
        state = State.FINAL if outbox.finality.is_immediate else State.INCLUDED
        outcomes = [_outcome(write, receipt, state, refusal)]
        if flight.has_items is not False:
            items = outbox.journal.items_of(write)
            outcomes += item_outcomes(items, receipt, state, refusal)
        return outcomes

    def _tell(
        self,
        flight: Flight,
        receipt: Any,
        outcomes: dict[int, Outcome],
        refusals: dict[int, bytes],
    ) -> None:
        write, hash_ = flight.newest.write, receipt["transactionHash"]
        refusal = None if write is None else refusals.get(write)
        for ticket in flight.tickets:
            own = None if ticket.write is None else outcomes.get(ticket.write)
            data = own.refusal if own is not None and own.state is State.REFUSED else refusal
            if data is not None:
                error = refusal_of(data, receipt)
                ticket.fail(error)
            else:
                order, created = ticket.order, None
                if order.to is None:
                    created = created_in(receipt, self._lane.address, flight.nonce)
                ticket.tell(
                    receipt_of(receipt, order.reference, created=created, repeated=ticket.is_repeat)
                )
        if write is not None:
            status: Status = "final" if self._outbox.finality.is_immediate else "included"
            if refusal is not None:
                status = "refused"
            number = int(receipt["blockNumber"], 16)
            self._outbox.tell(Change(write, status, hash_, number))

    # Until it is final

    def _confirm(self) -> bool:
        outbox = self._outbox
        if outbox.finality.is_immediate or not self._has_unconfirmed:
            self._has_unconfirmed = False
            return False
        included = outbox.journal.open_transactions(
            self._lane.address, fate=Fate.INCLUDED, limit=GROUP
        )
        self._has_unconfirmed = bool(included)
        if not included:
            return False
        final = outbox.finality.final_number(outbox.chain)
        answers = exchange(
            outbox.chain, [("eth_getTransactionReceipt", [each.hash]) for each in included]
        )
        gone, moved, settled = [], [], []
        for each, answer in zip(included, answers, strict=True):
            if answer.error is not None:
                continue
            if (each.block_number or 0) > final and _stands(each, answer.result):
                continue
            receipt = self._agreed(each.hash, answer.result)
            if receipt is None:
                gone.append(each)
            elif receipt["blockHash"] != each.block_hash:
                moved.append((Flight([each]), receipt))
            elif int(receipt["blockNumber"], 16) <= final:
                settled.append(each)
        if gone:
            self._reopen(gone)
        if moved:
            self._settle(moved)
        if settled:
            self._finalize(settled)
        return bool(gone or moved or settled)

    def _finalize(self, settled: Sequence[SignedTransaction]) -> None:
        done = self._outbox.journal.finalize([each.id for each in settled])
        # That a refusal is final is no news to those who heard of it.
        effective = [each for each in settled if each.id in done]
        steps.final(self._outbox, effective)
        for each in effective:
            if each.write is not None:
                self._outbox.tell(Change(each.write, "final", each.hash, each.block_number))

    def _reopen(self, undone: Sequence[SignedTransaction]) -> None:
        """A reorganisation undid these: pending again, and the same bytes are sent again."""
        opened = self._outbox.journal.reopen(
            [each.id for each in undone],
            also_final=self._outbox.finality.kind == "simulated",
        )
        undone = [each for each in undone if each.id in opened]
        steps.reorganised(self._outbox, undone)
        for each in undone:
            if each.write is not None:
                self._outbox.tell(Change(each.write, "pending", each.hash))
        reopened = [
            SignedTransaction(
                each.id, each.write, each.sender, each.nonce, each.hash, each.raw, Fate.OPEN
            )
            for each in undone
        ]
        self.follow([Flight([each], sent=False) for each in reopened])


def _stands(signed: SignedTransaction, receipt: Any) -> bool:
    """Whether a node has a transaction where it was."""
    return isinstance(receipt, dict) and receipt.get("blockHash") == signed.block_hash


def _outcome(write: int, receipt: Any, state: State, refusal: bytes | None) -> Outcome:
    logs = receipt["logs"]
    return Outcome(
        write,
        state if refusal is None else State.REFUSED,
        transaction_hash=receipt["transactionHash"],
        block_number=int(receipt["blockNumber"], 16),
        block_hash=receipt["blockHash"],
        log_index=int(logs[0]["logIndex"], 16) if logs else None,
        gas_used=int(receipt["gasUsed"], 16),
        refusal=refusal,
    )
