"""What to ask a node for next: long ranges far behind the head, block by block near it.

Far behind the head only the last header of a range counts: it is read before and after the logs,
with the one the range follows, so that a chain that moves meanwhile is noticed. Near it each header
is read and joined to the one before, and each block's logs are asked for by its hash.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from tael.errors import NodeUnavailableError, TooMuchError
from tael.index.replay import block_of, header_of, in_order
from tael.index.writing import KEPT_BLOCKS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tael.index.chain_reader import ChainReader
    from tael.index.rows import Header

__all__ = ["KEPT_BLOCKS", "Fetching", "Piece"]

FOLLOWED_BLOCKS = 64
"""Most blocks of one step near the head."""
FIRST_RANGE_BLOCKS = 64
MAX_RANGE_BLOCKS = 100_000
WANTED_LOGS = 20_000
"""How many logs a range should give; ranges grow and shrink towards it."""
MAX_LOGS = 40_000
"""Most logs of one transaction, but for a single block that has more."""


class Piece(NamedTuple):
    """Logs of whole blocks, for one transaction.

    Attributes:
        last: The block it ends with, with logs or without.
        logs: In order.
        positions: Of each.
        headers: By number, as far as they were read.
    """

    last: Header
    logs: Sequence[Mapping[str, Any]]
    positions: Sequence[int]
    headers: Mapping[int, Header]


class Fetching:
    """Reads logs in ranges that a node bears.

    Args:
        reader: Whom to ask.
    """

    def __init__(self, reader: ChainReader) -> None:
        self._reader = reader
        self._range_blocks = FIRST_RANGE_BLOCKS

    def next(self, first: int, head: int, before: Header | None) -> list[Piece]:
        """The next blocks.

        Args:
            first: The first block to read.
            head: The chain's latest.
            before: The block before the first, if it is in the index.

        Returns:
            Their logs, cut so that each piece fits one transaction; nothing if the chain moved
            meanwhile, or the node wants to be asked for less: then ask again.

        Raises:
            NodeUnavailableError: The node did not answer properly.
        """
        far = head - KEPT_BLOCKS
        is_far = first <= far
        blocks = self._range_blocks if is_far else min(self._range_blocks, FOLLOWED_BLOCKS)
        last = min(first + blocks - 1, far if is_far else head)
        try:
            pieces = (
                self._read_range(first, last, before)
                if is_far
                else self._read_followed(first, last, before)
            )
        except TooMuchError:
            if first == last:
                raise
            self._range_blocks = max(1, (last - first + 1) // 2)
            return []
        if pieces:
            logs = sum(len(piece.logs) for piece in pieces)
            fitting = blocks * WANTED_LOGS // max(logs, 1)
            self._range_blocks = max(1, min(fitting, 2 * blocks, MAX_RANGE_BLOCKS))
        return pieces

    def _read_range(self, first: int, last: int, before: Header | None) -> list[Piece]:
        end = self._reader.header(last)
        logs, positions = in_order(self._reader.logs(first, last))
        _require_within(positions, first, last)
        headers = self._reader.headers(_without_time(logs))
        ends = {last: end} if before is None else {before.number: before, last: end}
        found = self._reader.headers(list(ends))
        if end is None or any(_hash(found.get(each)) != _hash(ends[each]) for each in ends):
            return []
        return _pieces(logs, positions, {**headers, last: end}, end)

    def _read_followed(self, first: int, last: int, before: Header | None) -> list[Piece]:
        headers = self._reader.headers(range(first, last + 1))
        parent = None if before is None else before.hash
        for number in range(first, last + 1):
            header = headers.get(number)
            if header is None or (parent is not None and header.parent != parent):
                return []
            parent = header.hash
        logs, positions = in_order(self._reader.logs_of(headers.values()))
        _require_within(positions, first, last)
        # Ganache answers nothing for a block it does not have.
        if self._reader.header(last) != headers[last]:
            return []
        return _pieces(logs, positions, headers, headers[last])


def _hash(header: Header | None) -> bytes | None:
    return None if header is None else header.hash


def _pieces(
    logs: Sequence[Mapping[str, Any]],
    positions: Sequence[int],
    headers: Mapping[int, Header],
    end: Header,
) -> list[Piece]:
    """Cut logs into runs of whole blocks that each fit one transaction."""
    found: list[Piece] = []
    start = 0
    while len(logs) - start > MAX_LOGS:
        stop = start + MAX_LOGS
        number = block_of(positions[stop - 1])
        while stop < len(logs) and block_of(positions[stop]) == number:
            stop += 1
        if stop == len(logs):
            break
        last = headers.get(number) or header_of(logs[stop - 1])
        within = {each: header for each, header in headers.items() if each <= number}
        found.append(Piece(last, logs[start:stop], positions[start:stop], within))
        headers = {each: header for each, header in headers.items() if each > number}
        start = stop
    found.append(Piece(end, logs[start:], positions[start:], headers))
    return found


def _without_time(logs: Sequence[Mapping[str, Any]]) -> list[int]:
    return sorted({int(log["blockNumber"], 16) for log in logs if "blockTimestamp" not in log})


def _require_within(positions: Sequence[int], first: int, last: int) -> None:
    if positions and not first <= block_of(positions[0]) <= block_of(positions[-1]) <= last:
        raise NodeUnavailableError(
            f"the node gave logs outside of blocks {first} to {last}; read them again"
        )
