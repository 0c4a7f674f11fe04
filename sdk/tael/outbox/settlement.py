"""Writing down what was included, and following it until it cannot be undone."""

from __future__ import annotations

import threading
from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tael.journal import Fate, Outcome, SignedTransaction, State
from tael.outbox.changes import Change, Status
from tael.outbox.flights import Flight
from tael.outbox.receipts import item_outcomes, receipt_of, refusal_data, refusal_of
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
        """
        chain = self._outbox.chain
        if chain.agreement == 1:
            return receipt
        agreed = chain.agree("eth_getTransactionReceipt", [hash_])
        return agreed if agreed and agreed.get("blockNumber") else None

    def _settle(self, found: Sequence[tuple[Flight, Any]]) -> None:
        """Write down what was included, then tell."""
        outbox = self._outbox
        outbox.on_step("included", len(found))
        is_final = outbox.finality.is_immediate
        outcomes: list[Outcome] = []
        fates: list[tuple[int, Fate, int | None, str | None]] = []
        refusals: dict[int, bytes] = {}
        for flight, receipt in found:
            number, block = int(receipt["blockNumber"], 16), receipt["blockHash"]
            for each in flight.transactions:
                won = each.hash == receipt["transactionHash"]
                fate = Fate.FINAL if is_final else Fate.INCLUDED
                fates.append(
                    (each.id, fate, number, block)
                    if won
                    else (each.id, Fate.DEAD if is_final else Fate.OPEN, None, None)
                )
            write = flight.newest.write
            if write is None:
                continue
            refusal = None
            if int(receipt["status"], 16) != 1:
                refusal = refusals[write] = refusal_data(outbox.chain, receipt)
            state = State.FINAL if is_final else State.INCLUDED
            outcomes.append(_outcome(write, receipt, state, refusal))
            if flight.has_items is not False:
                items = outbox.journal.items_of(write)
                outcomes += item_outcomes(items, receipt, state, refusal)
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
                ticket.future.set_exception(error)
            else:
                ticket.future.set_result(
                    receipt_of(receipt, ticket.order.reference, repeated=ticket.is_repeat)
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
            receipt = answer.result
            is_there = bool(receipt and receipt.get("blockNumber"))
            stands = is_there and receipt["blockHash"] == each.block_hash
            if stands and (each.block_number or 0) > final:
                continue
            receipt = self._agreed(each.hash, receipt if is_there else None)
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
        steps.final(self._outbox, settled, done)
        for each in settled:
            # That a refusal is final is no news to those who heard of it.
            if each.write in done:
                self._outbox.tell(Change(each.write, "final", each.hash, each.block_number))

    def _reopen(self, undone: Sequence[SignedTransaction]) -> None:
        """A reorganisation undid these: pending again, and the same bytes are sent again."""
        self._outbox.journal.reopen([each.id for each in undone])
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
