"""Logs cut into their values, all of an event of one contract at once.

The digits of all logs of a column become bytes in one go and are cut by one `struct`: a tenth of
what it costs to read each log by itself.
"""

from __future__ import annotations

import struct
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from tael.errors import UnknownEventError
from tael.events.declaring import declaration_of
from tael.index.handlers import handlers_of
from tael.index.logs import prefix_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from tael.events import Event
    from tael.index.entries import Entries
    from tael.index.handlers import ContractEvents, Values
    from tael.index.rows import IndexedContract

__all__ = ["LogColumn", "LogColumns"]


class _Cut(NamedTuple):
    """How the logs of an event are cut.

    Attributes:
        values: Cuts all of them; the first value is the topic's prefix.
        parts: Where the topics behind the first one and the data begin and end.
    """

    values: struct.Struct
    parts: Sequence[tuple[int, int]]


@cache
def _cut(layout: Sequence[str]) -> _Cut:
    # Each part has a byte of nothing before it: see `LogColumn.cut`.
    at, parts = 1 + 32, []
    for part in layout:
        end = at + 1 + struct.calcsize(">" + part)
        parts.append((at + 1, end))
        at = end
    return _Cut(struct.Struct(">x4s28x" + "".join("x" + part for part in layout)), parts)


class LogColumn:
    """The logs of one event of one contract among those that are read at once.

    Attributes:
        event: Their class.
        contract: `contracts.id` of the contract.
        prefix: First four bytes of their topic.
        handle: Applies the values of one of them; None if they have no effect.
        pieces: The digits of their topics and data, as a node gives them.
        values: Of each log, in order; the first is the prefix as bytes.
        next_values: Gives those of the next log.
        next_rest: Gives topics but the first, and data, of the next log.
    """

    __slots__ = (
        *("_cut", "contract", "event", "handle", "next_rest", "next_values"),
        *("pieces", "prefix", "topic", "values"),
    )

    def __init__(
        self,
        topic: str,
        event: type[Event],
        contract: int,
        handle: Callable[[Values], bytes | None] | None,
    ) -> None:
        layout = declaration_of(event).layout
        self.topic = topic
        self.event = event
        self.contract = contract
        self.prefix = prefix_of(topic)
        self.handle = handle
        self.pieces: list[str] = []
        self.values: list[Values] = []
        self.next_values: Callable[[], Values]
        self.next_rest: Callable[[], bytes]
        self._cut = None if layout is None else _cut(layout)

    def cut(self) -> None:
        """Make bytes of the digits, and cut them."""
        pieces, self.pieces = self.pieces, []
        if self._cut is None:
            self.next_rest = self._rests_one_by_one(pieces).__next__
            return
        # Replacing the x of each 0x costs a tenth of taking the prefixes away, and leaves a byte
        # of nothing in the place of each.
        raw = bytes.fromhex("".join(pieces).replace("x", "0"))
        self.values = list(self._cut.values.iter_unpack(raw))
        own = self.prefix.to_bytes(4, "big")
        if any(each[0] != own for each in self.values):
            raise ValueError(f"a log of {self.event.__name__} has another size than declared")
        self.next_values = iter(self.values).__next__
        self.next_rest = self._rests(raw, self._cut).__next__

    @staticmethod
    def _rests(raw: bytes, cut: _Cut) -> Iterator[bytes]:
        parts = cut.parts
        for at in range(0, len(raw), cut.values.size):
            yield b"".join([raw[at + start : at + end] for start, end in parts])

    def _rests_one_by_one(self, pieces: Sequence[str]) -> Iterator[bytes]:
        """Of logs whose data has any size, and which nothing handles."""
        count = declaration_of(self.event).topics + 1
        for at in range(0, len(pieces), count):
            topic, *rest = pieces[at : at + count]
            if topic != self.topic or any(len(each) != len(topic) for each in rest[:-1]):
                raise ValueError(f"a log of {self.event.__name__} has other topics than declared")
            yield bytes.fromhex("".join(rest).replace("0x", ""))


class LogColumns:
    """The logs of all contracts that are read at once, by contract and event.

    Args:
        contracts: Whose logs they are.
        entries: Where what they change is booked.
    """

    def __init__(self, contracts: Iterable[IndexedContract], entries: Entries) -> None:
        self._columns: dict[str, dict[str, LogColumn]] = {}
        self._emitters: dict[str, tuple[IndexedContract, ContractEvents]] = {}
        for contract in contracts:
            columns: dict[str, LogColumn] = {}
            emitter = contract, handlers_of(contract.kind).make(entries, contract)
            # Nodes write addresses in lower case, or with the check sum's capitals.
            for address in (contract.address, contract.address.lower()):
                self._columns[address], self._emitters[address] = columns, emitter

    def sort(self, logs: Sequence[Mapping[str, Any]]) -> list[LogColumn]:
        """Put logs into columns and cut them.

        Args:
            logs: As a node answers, in order.

        Returns:
            The column of each log.

        Raises:
            UnknownEventError: The kind of the contract neither handles such an event nor says that
                it has no effect.
            ValueError, KeyError, TypeError, IndexError, struct.error: They are not valid logs of
                these contracts.
        """
        order: list[LogColumn] = []
        columns = self._columns
        for log in logs:
            topics = log["topics"]
            column = columns[log["address"]].get(topics[0] if topics else "")
            if column is None:
                column = self._begin(log)
            order.append(column)
            pieces = column.pieces
            pieces += topics
            pieces.append(log["data"])
        for column in self._all():
            column.cut()
        return order

    def values_of(
        self, emitter: type[ContractEvents], events: Collection[type[Event]]
    ) -> Iterator[Values]:
        """The values of all logs of some events that this class handles."""
        for column in self._all():
            if column.event in events and isinstance(
                getattr(column.handle, "__self__", None), emitter
            ):
                yield from column.values

    def _all(self) -> Iterator[LogColumn]:
        for address, (contract, _) in self._emitters.items():
            if address == contract.address:
                yield from self._columns[address].values()

    def _begin(self, log: Mapping[str, Any]) -> LogColumn:
        topic = log["topics"][0] if log["topics"] else ""
        contract, emitter = self._emitters[log["address"]]
        found = handlers_of(contract.kind).by_topic.get(topic)
        if found is None:
            raise UnknownEventError.of(log)
        event, method = found
        handle = None if method is None else getattr(emitter, method)
        column = LogColumn(topic, event, contract.number, handle)
        self._columns[log["address"]][topic] = column
        return column
