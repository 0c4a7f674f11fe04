"""How values stand in an event's log: one row for each type that a declaration may name."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Any, NamedTuple

from tael.addresses import checksummed

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["AbiType", "add_enumeration", "add_type", "type_named"]

DIGITS = 64
"""Of a word."""


class AbiType(NamedTuple):
    """A type.

    Attributes:
        canonical: Its name in an event's signature.
        layout: Where the value is in its words, as `struct` writes it; None if its size varies.
        read: Makes the value of the digits of its words, or of its bytes if its size varies.
        words: How many words of the data it takes up.
    """

    canonical: str
    layout: str | None
    read: Callable[[str], Any]
    words: int = 1


def _number(digits: str) -> int:
    return int(digits, 16)


def type_named(name: str) -> AbiType:
    """A type by the name it has in Solidity.

    Raises:
        ValueError: There is none, or nobody added it.
    """
    try:
        return _TYPES[name]
    except KeyError:
        raise ValueError(f"{name} is not a type that events are known to have") from None


def add_type(name: str, found: AbiType) -> None:
    """Know one more type: a structure of a contract's own."""
    _TYPES[name] = found


def add_enumeration(values: type[enum.IntEnum]) -> None:
    """Know an enumeration of a contract's own, by the name of its class."""
    add_type(values.__name__, AbiType("uint8", "24xQ", lambda digits: values(int(digits, 16))))


_TYPES = {
    "address": AbiType("address", "12x20s", lambda digits: checksummed("0x" + digits[24:])),
    "bool": AbiType("bool", "24xQ", lambda digits: int(digits, 16) != 0),
    "bytes4": AbiType("bytes4", "4s28x", lambda digits: bytes.fromhex(digits[:8])),
    "bytes32": AbiType("bytes32", "32s", bytes.fromhex),
    "bytes": AbiType("bytes", None, bytes.fromhex),
    "string": AbiType("string", None, lambda digits: bytes.fromhex(digits).decode()),
    **{f"uint{bits}": AbiType(f"uint{bits}", "24xQ", _number) for bits in range(8, 65, 8)},
    # More than struct has numbers for.
    **{f"uint{bits}": AbiType(f"uint{bits}", "32s", _number) for bits in range(72, 257, 8)},
}
