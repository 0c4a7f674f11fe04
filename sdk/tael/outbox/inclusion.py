"""What receipts say of one key's flights: written down, told, and followed until it is final."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tael.errors import NodeUnavailableError
from tael.journal import Fate, Outcome, SignedTransaction, WriteState
from tael.outbox import telling
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

if TYPE_CHECKING:
    from tael.journal.fates import FoundFate
    from tael.outbox.environment import Environment
    from tael.outbox.flights import FlightTable

GROUP = 200
"""Most transactions asked about in one request."""


class Inclusion:
    """Deals with what is in a block. Only the watch uses it, one turn at a time.

    Other processes may find the same at the same moment: the journal keeps what is further.

    Args:
        environment: Of the outbox.
        address: The key's.
        flights: What is in flight.
        follow: Has flights followed.

    Attributes:
        has_unconfirmed: Whether something may be included and not final yet.
    """

    def __init__(
        self,
        environment: Environment,
        address: str,
        flights: FlightTable,
        follow: Callable[[Sequence[Flight]], None],
    ) -> None:
        self._environment = environment
        self._address = address
        self._flights = flights
        self._follow = follow
        self.has_unconfirmed = True

    def collect(self, flights: Sequence[Flight], on_missing: Callable[[Flight], None]) -> bool:
        """Take in receipts.

        Args:
            flights: Whose nonces the chain has used.
            on_missing: What to do about one that has no receipt.

        Returns:
            Whether there was any.

        Raises:
            NodeUnavailableError: The node does not say enough of some; the others are dealt with.
        """
        chain = self._environment.chain
        hashes = [each.hash for flight in flights for each in flight.transactions]
        answers = exchange(chain, [("eth_getTransactionReceipt", [each]) for each in hashes])
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
                    on_missing(flight)
                else:
                    found.append((flight, receipt))
            except NodeUnavailableError as error:
                trouble = error
                if chain.agreement > 1:
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

    def _agreed(self, hash_: str, receipt: Any) -> Any:
        """A receipt as enough nodes give it, all of it; None where they say that there is none.

        Args:
            hash_: Of the transaction.
            receipt: What the node that was asked first says.

        Raises:
            NodeUnavailableError: Too few agree, or what they give is no receipt of it.
        """
        chain = self._environment.chain
        if chain.agreement > 1:
            receipt = chain.agree("eth_getTransactionReceipt", [hash_])
        return receipt_in(receipt, hash_)

    def _settle(self, claimed: Sequence[tuple[Flight, Any]]) -> None:
        """Write down what was included, then tell.

        Raises:
            NodeUnavailableError: Of some of them the node does not say enough to be believed; the
                others are written down and told of first.
        """
        environment, journal = self._environment, self._environment.journal
        environment.on_step("included", len(claimed))
        is_final = environment.finality.is_immediate
        found: list[tuple[Flight, Any]] = []
        outcomes: list[Outcome] = []
        fates: list[FoundFate] = []
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
        journal.settle(outcomes, fates)
        self.has_unconfirmed = self.has_unconfirmed or not is_final
        # From here on nobody joins these flights any more.
        self._flights.remove([flight for flight, _ in found])
        environment.on_step("recorded", len(found))
        telling.settled(journal, found, refusals, is_final=is_final)
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
        environment, write = self._environment, flight.newest.write
        if receipt.get("contractAddress"):
            created_in(receipt, self._address, flight.nonce)
        if write is None:
            return []
        refusal = None
        if int(receipt["status"], 16) != 1:
            hash_ = receipt["transactionHash"]
            signed = next(each for each in flight.transactions if each.hash == hash_)
            refusal = refusals[write] = refusal_data(environment.chain, signed, receipt)
        state = WriteState.FINAL if environment.finality.is_immediate else WriteState.INCLUDED
        outcomes = [_outcome(write, receipt, state, refusal)]
        if flight.has_items is not False:
            items = environment.journal.reader.items_of(write)
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
            data = own.refusal if own is not None and own.state is WriteState.REFUSED else refusal
            if data is not None:
                error = refusal_of(data, receipt)
                ticket.fail(error)
            else:
                order, created = ticket.order, None
                if order.to is None:
                    created = created_in(receipt, self._address, flight.nonce)
                ticket.tell(
                    receipt_of(receipt, order.reference, created=created, repeated=ticket.is_repeat)
                )
        if write is not None:
            status: Status = "final" if self._environment.finality.is_immediate else "included"
            if refusal is not None:
                status = "refused"
            number = int(receipt["blockNumber"], 16)
            self._environment.listeners.tell(Change(write, status, hash_, number))

    # Until it is final

    def confirm(self) -> bool:
        """Look at what is included and not final; returns whether anything became of it."""
        environment, chain = self._environment, self._environment.chain
        if environment.finality.is_immediate or not self.has_unconfirmed:
            self.has_unconfirmed = False
            return False
        included = environment.journal.reader.open_transactions(
            self._address, fate=Fate.INCLUDED, limit=GROUP
        )
        self.has_unconfirmed = bool(included)
        if not included:
            return False
        final = environment.finality.final_number(chain)
        answers = exchange(chain, [("eth_getTransactionReceipt", [each.hash]) for each in included])
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
            self.reopen(gone)
        if moved:
            self._settle(moved)
        if settled:
            self._finalize(settled)
        return bool(gone or moved or settled)

    def _finalize(self, settled: Sequence[SignedTransaction]) -> None:
        done = self._environment.journal.finalize([each.id for each in settled])
        # That a refusal is final is no news to those who heard of it.
        effective = [each for each in settled if each.id in done]
        telling.final(self._environment.journal, effective)
        for each in effective:
            if each.write is not None:
                self._environment.listeners.tell(
                    Change(each.write, "final", each.hash, each.block_number)
                )

    def reopen(self, undone: Sequence[SignedTransaction]) -> None:
        """A reorganisation undid these: pending again, and the same bytes are sent again."""
        journal = self._environment.journal
        also_final = self._environment.finality.kind == "simulated"
        opened = journal.reopen([each.id for each in undone], also_final=also_final)
        undone = [each for each in undone if each.id in opened]
        telling.reorganised(journal, undone)
        for each in undone:
            if each.write is not None:
                self._environment.listeners.tell(Change(each.write, "pending", each.hash))
        reopened = [
            SignedTransaction(
                each.id, each.write, each.sender, each.nonce, each.hash, each.raw, Fate.OPEN
            )
            for each in undone
        ]
        self._follow([Flight([each], sent=False) for each in reopened])

    def is_undone(self, signed: SignedTransaction) -> bool:
        """Whether what was included is in no block any more; final is final on a real chain."""
        is_simulated = self._environment.finality.kind == "simulated"
        if not (signed.fate is Fate.INCLUDED or (signed.fate is Fate.FINAL and is_simulated)):
            return False
        raw = self._environment.chain.agree("eth_getTransactionReceipt", [signed.hash])
        return receipt_in(raw, signed.hash) is None


def _stands(signed: SignedTransaction, receipt: Any) -> bool:
    """Whether a node has a transaction where it was."""
    return isinstance(receipt, dict) and receipt.get("blockHash") == signed.block_hash


def _outcome(write: int, receipt: Any, state: WriteState, refusal: bytes | None) -> Outcome:
    logs = receipt["logs"]
    return Outcome(
        write,
        state if refusal is None else WriteState.REFUSED,
        transaction_hash=receipt["transactionHash"],
        block_number=int(receipt["blockNumber"], 16),
        block_hash=receipt["blockHash"],
        log_index=int(logs[0]["logIndex"], 16) if logs else None,
        gas_used=int(receipt["gasUsed"], 16),
        refusal=refusal,
    )
