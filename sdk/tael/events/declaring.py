"""Events declare themselves: once, by their class and the fields that Solidity gives them."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, dataclass_transform

from tael.events.abi_types import DIGITS, AbiType, type_named
from tael.events.event import Event
from tael.hashing import keccak

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = [
    "Declaration",
    "canonical_signature",
    "declaration_of",
    "declared",
    "event",
    "found_by_prefix",
    "found_by_topic",
    "topic_of",
]

PREFIX_DIGITS = 8
"""How much of a topic the index keeps."""

_Kind = TypeVar("_Kind", bound=Event)


class Declaration(NamedTuple):
    """What follows from an event's declaration.

    Attributes:
        kind: Its class.
        signature: As the ABI hashes it.
        topic: The first topic of its logs, 64 digits.
        topics: How many its logs have.
        readers: Make each value of a log's topics and data, all of them digits.
        layout: Where the values are in each topic behind the first one and in the data, as
            `struct` writes it; None if the data's size varies.
    """

    kind: type[Event]
    signature: str
    topic: str
    topics: int
    readers: Sequence[Callable[[Sequence[str], str], Any]]
    layout: Sequence[str] | None


_BY_KIND: dict[type[Event], Declaration] = {}
_BY_TOPIC: dict[str, Declaration] = {}
_BY_PREFIX: dict[str, Declaration] = {}


@dataclass_transform(frozen_default=True)
def event(parameters: str = "") -> Callable[[type[_Kind]], type[_Kind]]:
    """Declare an event: its class has the Solidity event's name.

    The class becomes a frozen dataclass whose fields are the event's parameters, in order.

    Args:
        parameters: As Solidity declares them: ``address indexed owner, uint256 value``.

    Raises:
        ValueError: The fields do not fit, a type is not known, or another event has the topic: then
            that one is the event, whichever contract emits it.
    """

    def declare(cls: type[_Kind]) -> type[_Kind]:
        kind = dataclass(frozen=True, slots=True)(cls)
        kind.declaration = f"{kind.__name__}({parameters})"
        _register(_declaration(kind, parameters))
        return kind

    return declare


def declared() -> tuple[type[Event], ...]:
    """Every event that was declared, in that order."""
    return tuple(_BY_KIND)


def declaration_of(kind: type[Event]) -> Declaration:
    """What follows from an event's declaration."""
    return _BY_KIND[kind]


def found_by_topic(topic: str) -> Declaration | None:
    """The event with a first topic, 64 digits."""
    return _BY_TOPIC.get(topic)


def found_by_prefix(prefix: int) -> Declaration | None:
    """The event whose first topic begins with these four bytes."""
    return _BY_PREFIX.get(f"{prefix:0{PREFIX_DIGITS}x}")


def topic_of(kind: type[Event]) -> str:
    """The first topic of an event's logs, 0x and 64 digits, to filter by."""
    return "0x" + _BY_KIND[kind].topic


def canonical_signature(kind: type[Event]) -> str:
    """An event's signature as the ABI hashes it, for example ``Transfer(address,address,uint256)``.

    Source:
        Solidity ABI specification, "Events".
    """
    return _BY_KIND[kind].signature


def _register(found: Declaration) -> None:
    for known in (_BY_TOPIC.get(found.topic), _BY_PREFIX.get(found.topic[:PREFIX_DIGITS])):
        if known is None:
            continue
        if _full_name(known.kind) != _full_name(found.kind):
            raise ValueError(
                f"{_full_name(found.kind)} has the topic, or the first four bytes of the topic, of "
                f"{_full_name(known.kind)}: use that class"
            )
        # The same module, imported again.
        _BY_KIND.pop(known.kind, None)
    _BY_KIND[found.kind] = _BY_TOPIC[found.topic] = found
    _BY_PREFIX[found.topic[:PREFIX_DIGITS]] = found


def _full_name(kind: type[Event]) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def _declaration(kind: type[Event], parameters: str) -> Declaration:
    words = [each.split() for each in re.split(r",\s*", parameters) if each]
    types = [(type_named(each[0]), "indexed" in each[1:-1]) for each in words]
    # `at` is no parameter.
    if len(types) != len(fields(kind)) - 1:
        raise ValueError(f"{kind.__name__} has other fields than its declaration")
    signature = f"{kind.__name__}({','.join(each.canonical for each, _ in types)})"
    readers: list[Callable[[Sequence[str], str], Any]] = []
    topics, offset = 1, 0
    for found, is_indexed in types:
        if is_indexed:
            readers.append(_read_topic(topics, found))
            topics += 1
        else:
            readers.append((_read_words if found.layout else _read_dynamic)(offset, found))
            offset += found.words * DIGITS
    return Declaration(
        kind, signature, keccak(signature.encode()).hex(), topics, tuple(readers), _layout(types)
    )


def _layout(types: Sequence[tuple[AbiType, bool]]) -> Sequence[str] | None:
    data = [found.layout for found, is_indexed in types if not is_indexed]
    indexed = [found.layout for found, is_indexed in types if is_indexed]
    if None in data or None in indexed:
        return None
    return (*map(str, indexed), "".join(map(str, data)))


def _read_topic(index: int, found: AbiType) -> Callable[[Sequence[str], str], Any]:
    read = found.read
    return lambda topics, _: read(topics[index])


def _digits_at(data: str, offset: int, size: int) -> str:
    found = data[offset : offset + size]
    if len(found) != size:
        raise ValueError("the data is too short")
    return found


def _read_words(offset: int, found: AbiType) -> Callable[[Sequence[str], str], Any]:
    read, size = found.read, found.words * DIGITS
    return lambda _, data: read(_digits_at(data, offset, size))


def _read_dynamic(offset: int, found: AbiType) -> Callable[[Sequence[str], str], Any]:
    def read(_: Sequence[str], data: str) -> Any:
        start = 2 * int(_digits_at(data, offset, DIGITS), 16)
        size = 2 * int(_digits_at(data, start, DIGITS), 16)
        return found.read(_digits_at(data, start + DIGITS, size))

    return read
