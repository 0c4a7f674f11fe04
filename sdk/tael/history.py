"""Reads the contracts' past: events in bounded ranges, each with its block's time.

Where several nodes must agree, they must agree on the logs as well: what became of a payment is
read from them, and that it never happened from their absence.

Nodes limit how much one answer may hold, in blocks, in logs or in bytes, and each words it
differently. So a range that is refused is halved until it passes, and grows again afterwards.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tael.chain.jsonrpc import quantity
from tael.errors import InvalidInputError, NodeUnavailableError, TooMuchError
from tael.events import Event, PaymentOpened, PaymentReclaimed, PaymentVoided, decode_all
from tael.rpc import request, request_many

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tael.chain import Chain

__all__ = ["History"]

DEFAULT_RANGE_BLOCKS = 2_000
FIRST_RANGE_BLOCKS = 5
MANY_LOGS = 5_000
"""After an answer with more than this, fewer blocks are asked for."""

# For these the day counts, and a log alone does not always tell it.
_DATED = (PaymentOpened, PaymentVoided, PaymentReclaimed)


class History:
    """The past of some contracts on one chain.

    Args:
        chain: The chain.
        contracts: Addresses whose events count.
        first_block: Where they begin; the manifest knows the block of the deployment.
        range_blocks: How many blocks to ask for at once, at most.
    """

    def __init__(
        self,
        chain: Chain,
        contracts: Sequence[str],
        *,
        first_block: int = 0,
        range_blocks: int = DEFAULT_RANGE_BLOCKS,
    ) -> None:
        self._chain = chain
        self._contracts = list(contracts)
        self._emitters = {each.lower() for each in contracts}
        self.first_block = first_block
        self._range_blocks = range_blocks

    def head(self) -> int:
        """The latest block's number, as far as enough nodes are."""
        if self._chain.agreement > 1:
            return self._chain.height()
        return quantity(request(self._chain, "eth_blockNumber"))

    def events(
        self,
        *,
        first: int | None = None,
        last: int | None = None,
        topics: Sequence[str | Sequence[str] | None] = (),
        with_times: bool = True,
    ) -> Iterator[Event]:
        """Events in the order of the chain.

        Args:
            first: The first block; None is where the contracts begin.
            last: The last block; None is the latest when the reading begins.
            topics: As `eth_getLogs` filters them; empty is every event.
            with_times: Whether events for which the day counts carry their block's time.

        Raises:
            NodeUnavailableError: The node refuses even a single block.
        """
        for logs in self.logs(first=first, last=last, topics=topics):
            events = _decoded(logs)
            yield from self._dated(events) if with_times else events

    def logs(
        self,
        *,
        first: int | None = None,
        last: int | None = None,
        topics: Sequence[str | Sequence[str] | None] = (),
    ) -> Iterator[list[dict[str, Any]]]:
        """The logs behind the events, as the node gives them, some blocks at a time.

        Arguments and errors as in `events`.
        """
        block = self.first_block if first is None else first
        end = self.head() if last is None else last
        size = min(FIRST_RANGE_BLOCKS, self._range_blocks)
        while block <= end:
            stop = min(block + size - 1, end)
            try:
                logs = self._logs(block, stop, topics)
            except TooMuchError:
                if stop == block:
                    raise
                size = max(1, (stop - block + 1) // 2)
                continue
            yield logs
            # How much is in a block differs a thousandfold, and all of an answer is in memory.
            size = size // 2 if len(logs) > MANY_LOGS else min(2 * size, self._range_blocks)
            block, size = stop + 1, max(1, size)

    def find_last(self, *topics: str | Sequence[str] | None) -> Event | None:
        """The latest event that fits, or None; looks back from the latest block.

        Args:
            topics: As `eth_getLogs` filters them.
        """
        end, size = self.head(), self._range_blocks
        while end >= self.first_block:
            start = max(self.first_block, end - size + 1)
            try:
                events = _decoded(self._logs(start, end, topics))
            except TooMuchError:
                if start == end:
                    raise
                size = max(1, (end - start + 1) // 2)
                continue
            if events:
                return events[-1]
            end, size = start - 1, min(2 * size, self._range_blocks)
        return None

    def _logs(
        self, first: int, last: int, topics: Sequence[str | Sequence[str] | None]
    ) -> list[dict[str, Any]]:
        query: dict[str, Any] = {
            "fromBlock": hex(first),
            "toBlock": hex(last),
            "address": self._contracts,
        }
        if topics:
            query["topics"] = list(topics)
        if self._chain.agreement > 1:
            logs: list[dict[str, Any]] = self._chain.agree("eth_getLogs", [query])
        else:
            logs = request(self._chain, "eth_getLogs", query)
        self._require_asked_for(logs, first, last, topics)
        return logs

    def _require_asked_for(
        self, logs: Any, first: int, last: int, topics: Sequence[str | Sequence[str] | None]
    ) -> None:
        wanted = [
            (place, frozenset([each] if isinstance(each, str) else each))
            for place, each in enumerate(topics)
            if each is not None
        ]
        emitters = self._emitters
        try:
            for log in logs:
                found = log["topics"]
                if (
                    log["address"].lower() in emitters
                    and first <= int(log["blockNumber"], 16) <= last
                    and all([found[place] in each for place, each in wanted])  # noqa: C419
                ):
                    continue
                raise ValueError("one of another contract, block or topic")
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            raise NodeUnavailableError(
                f"the node gives other logs of blocks {first} to {last} than it was asked for "
                f"({error}); try again later"
            ) from error

    def _dated(self, events: list[Event]) -> list[Event]:
        blocks = sorted(
            {
                event.at.block_number
                for event in events
                if event.at.timestamp is None and isinstance(event, _DATED)
            }
        )
        if not blocks:
            return events
        answers = request_many(
            self._chain, [("eth_getBlockByNumber", [hex(number), False]) for number in blocks]
        )
        times = {
            number: int(answer["timestamp"], 16)
            for number, answer in zip(blocks, answers, strict=True)
        }
        return [
            replace(event, at=replace(event.at, timestamp=times[event.at.block_number]))
            if event.at.block_number in times
            else event
            for event in events
        ]


def _decoded(logs: Sequence[dict[str, Any]]) -> list[Event]:
    try:
        return decode_all(logs)
    except (InvalidInputError, LookupError, TypeError, ValueError) as error:
        raise NodeUnavailableError(
            f"the node gives what is not a valid log: {error}; try again later"
        ) from error
