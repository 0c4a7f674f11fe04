"""Encoding calls and decoding results, ten times as fast as checking every value generically.

Only what our contracts use is known here; any other type goes through `eth_abi`, which a test
compares every encoding with. Values are checked: one that does not fit raises, as there.

Source: Solidity, "Contract ABI Specification".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cache, lru_cache
from typing import Any

import eth_abi
from eth_utils.address import is_address

__all__ = ["decode", "encode"]

_INTEGER = re.compile(r"uint(\d+)")
_BYTES = re.compile(r"bytes(\d+)")

Encoder = Callable[[Any], bytes]
Reader = Callable[[bytes, int], Any]


def encode(types: tuple[str, ...], values: Sequence[Any]) -> bytes:
    """Encode arguments.

    Args:
        types: Canonical ABI types, as in `("address", "(bytes32,uint256)[]")`.
        values: One for each.

    Raises:
        ValueError, TypeError, OverflowError: A value does not fit its type.
    """
    encoder, _ = _sequence(types)
    return eth_abi.encode(types, values) if encoder is None else encoder(values)


def decode(types: tuple[str, ...], data: bytes) -> tuple[Any, ...]:
    """Decode results; addresses come as lower-case text, as from `eth_abi`.

    Raises:
        ValueError: The data is too short, or a value does not fit its type.
    """
    reader = _reader(f"({','.join(types)})")
    if reader is None:
        return eth_abi.decode(types, data)
    size, read = reader
    if len(data) < size:
        raise ValueError(f"{len(data)} bytes are fewer than the {size} expected")
    values: tuple[Any, ...] = read(data, 0)
    return values


@cache
def _sequence(types: tuple[str, ...]) -> tuple[Encoder | None, bool]:
    """An encoder of a tuple, and whether its size depends on the values."""
    parts = [_encoder(each) for each in types]
    if any(encoder is None for encoder, _ in parts):
        return None, False
    encoders = [encoder for encoder, _ in parts if encoder is not None]
    dynamic = [is_dynamic for _, is_dynamic in parts]
    if not any(dynamic):

        def static(values: Any) -> bytes:
            if len(values) != len(encoders):
                raise ValueError(f"{len(encoders)} values are expected, not {len(values)}")
            return b"".join([encode_(value) for encode_, value in zip(encoders, values)])  # noqa: B905

        return static, False
    head_size = sum(32 if each else _static_size(type_) for type_, each in zip(types, dynamic))  # noqa: B905

    def encode_all(values: Any) -> bytes:
        if len(values) != len(encoders):
            raise ValueError(f"{len(encoders)} values are expected, not {len(values)}")
        head, tail, offset = [], [], head_size
        for encode_, is_dynamic, value in zip(encoders, dynamic, values):  # noqa: B905
            encoded = encode_(value)
            if is_dynamic:
                head.append(offset.to_bytes(32, "big"))
                tail.append(encoded)
                offset += len(encoded)
            else:
                head.append(encoded)
        return b"".join(head + tail)

    return encode_all, True


@cache
def _encoder(type_: str) -> tuple[Encoder | None, bool]:
    if type_.endswith("[]"):
        return _array(type_[:-2])
    if type_.startswith("("):
        return _sequence(_members(type_))
    if type_ == "address":
        return _address, False
    if type_ == "bool":
        return _bool, False
    if type_ in ("bytes", "string"):
        return (_blob if type_ == "bytes" else _text), True
    if match := _INTEGER.fullmatch(type_):
        return _unsigned(int(match[1])), False
    if match := _BYTES.fullmatch(type_):
        return _fixed(int(match[1])), False
    return None, False


def _array(element: str) -> tuple[Encoder | None, bool]:
    encoder, is_dynamic = _encoder(element)
    if encoder is None:
        return None, True

    def static(values: Any) -> bytes:
        return len(values).to_bytes(32, "big") + b"".join([encoder(value) for value in values])

    def dynamic(values: Any) -> bytes:
        parts = [encoder(value) for value in values]
        offset, offsets = 32 * len(parts), []
        for part in parts:
            offsets.append(offset.to_bytes(32, "big"))
            offset += len(part)
        return b"".join([len(parts).to_bytes(32, "big"), *offsets, *parts])

    return (dynamic if is_dynamic else static), True


def _members(type_: str) -> tuple[str, ...]:
    """The members of a tuple type, `(address,(uint8,bool)[])` for example."""
    members, depth, start = [], 0, 1
    for index, character in enumerate(type_[1:-1], start=1):
        depth += (character == "(") - (character == ")")
        if character == "," and depth == 0:
            members.append(type_[start:index])
            start = index + 1
    return (*members, type_[start:-1]) if len(type_) > 2 else ()


def _static_size(type_: str) -> int:
    return sum(map(_static_size, _members(type_))) if type_.startswith("(") else 32


@lru_cache(maxsize=4096)
def _checked(value: str) -> bytes:
    # Few addresses are used often, and checking the sum of one takes a hash.
    if value[:2] != "0x" or not is_address(value):
        raise ValueError(f"{value!r} is no address")
    return bytes.fromhex(value[2:]).rjust(32, b"\0")


def _address(value: Any) -> bytes:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no address")
    return _checked(value)


def _bool(value: Any) -> bytes:
    if not isinstance(value, bool):
        raise TypeError(f"{value!r} is neither true nor false")
    return value.to_bytes(32, "big")


def _unsigned(bits: int) -> Encoder:
    limit = 1 << bits

    def encode_(value: Any) -> bytes:
        if not isinstance(value, int) or isinstance(value, bool):
            raise TypeError(f"{value!r} is no integer")
        if not 0 <= value < limit:
            raise OverflowError(f"{value} does not fit {bits} bits")
        return value.to_bytes(32, "big")

    return encode_


def _fixed(size: int) -> Encoder:
    def encode_(value: Any) -> bytes:
        if not isinstance(value, bytes):
            raise TypeError(f"{value!r} is no bytes")
        # A shorter one would be padded: another value than was meant, if it was cut off somewhere.
        if len(value) != size:
            raise ValueError(f"{size} bytes are expected, not {len(value)}")
        return value.ljust(32, b"\0")

    return encode_


def _blob(value: Any) -> bytes:
    if not isinstance(value, bytes):
        raise TypeError(f"{value!r} is no bytes")
    return len(value).to_bytes(32, "big") + value.ljust(-(-len(value) // 32) * 32, b"\0")


def _text(value: Any) -> bytes:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return _blob(value.encode())


@cache
def _reader(type_: str) -> tuple[int, Reader] | None:
    """How many bytes a static type takes, and what reads it at an offset; None for the others."""
    if type_.startswith("(") and not type_.endswith("]"):
        found = [_reader(each) for each in _members(type_)]
        readers = [each for each in found if each is not None]
        return _tuple_reader(readers) if len(readers) == len(found) else None
    if type_ == "address":
        return 32, lambda data, at: "0x" + _below(data, at, 160).to_bytes(20, "big").hex()
    if type_ == "bool":
        return 32, lambda data, at: bool(_below(data, at, 1))
    if type_ == "bytes32":
        return 32, lambda data, at: data[at : at + 32]
    if match := _INTEGER.fullmatch(type_):
        bits = int(match[1])
        return 32, lambda data, at: _below(data, at, bits)
    return None


def _tuple_reader(readers: Sequence[tuple[int, Reader]]) -> tuple[int, Reader]:
    offsets = [sum(size for size, _ in readers[:index]) for index in range(len(readers))]
    placed = [(offset, read) for offset, (_, read) in zip(offsets, readers, strict=True)]
    return sum(size for size, _ in readers), lambda data, at: tuple(
        [read(data, at + offset) for offset, read in placed]
    )


def _below(data: bytes, at: int, bits: int) -> int:
    value = int.from_bytes(data[at : at + 32], "big")
    if value >> bits:
        raise ValueError(f"{value} does not fit {bits} bits")
    return value
