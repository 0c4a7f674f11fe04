"""Our encoding against eth_abi's, over random values of every type that our contracts have."""

from __future__ import annotations

import eth_abi
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tael.abi import decode, encode
from tael.contracts.artifacts import load
from tael.contracts.calls import _types
from tael.contracts.registry import REGISTRY

ADDRESS = st.binary(min_size=20, max_size=20).map(lambda raw: "0x" + raw.hex())


def values_of(type_: str) -> st.SearchStrategy:
    if type_.endswith("[]"):
        return st.lists(values_of(type_[:-2]), max_size=3)
    if type_.startswith("("):
        return st.tuples(*(values_of(each) for each in members(type_)))
    if type_ == "address":
        return ADDRESS
    if type_ == "bool":
        return st.booleans()
    if type_ == "string":
        return st.text(max_size=40)
    if type_ == "bytes":
        return st.binary(max_size=70)
    if type_.startswith("bytes"):
        size = int(type_[5:])
        return st.binary(min_size=size, max_size=size)
    return st.integers(0, 2 ** int(type_[4:]) - 1)


def members(type_: str) -> tuple[str, ...]:
    found, depth, word = [], 0, ""
    for character in type_[1:-1]:
        depth += {"(": 1, ")": -1}.get(character, 0)
        if character == "," and depth == 0:
            found.append(word)
            word = ""
        else:
            word += character
    return (*found, word)


FUNCTIONS = sorted(
    {
        (entry["name"], _types(entry["inputs"]), _types(entry["outputs"]))
        for kind in REGISTRY.names
        for entry in load(kind).abi
        if entry["type"] == "function"
    }
)


@pytest.mark.parametrize(("name", "inputs", "outputs"), FUNCTIONS)
def test_encoding_equals_eth_abi(
    name: str, inputs: tuple[str, ...], outputs: tuple[str, ...]
) -> None:
    @settings(deadline=None)
    @given(st.tuples(*map(values_of, inputs)), st.tuples(*map(values_of, outputs)))
    def check(arguments: tuple, results: tuple) -> None:
        assert encode(inputs, arguments) == eth_abi.encode(inputs, arguments)
        encoded = eth_abi.encode(outputs, results)
        assert decode(outputs, encoded) == eth_abi.decode(outputs, encoded)

    check()


RAW = (
    ("string",),
    ("bytes[]",),
    ("(uint8,bytes)[]", "bool"),
    ("int256[]", "bytes4", "address"),
    ("int16", "uint40"),
)


@pytest.mark.threat("S20")
@pytest.mark.parametrize("types", RAW)
def test_decoding_any_bytes_equals_eth_abi(types: tuple[str, ...]) -> None:
    """What eth_abi refuses is refused; what it reads, we read alike."""
    words = st.one_of(
        st.integers(0, 5).map(lambda number: (32 * number).to_bytes(32, "big")),
        st.integers(0, 40).map(lambda number: number.to_bytes(32, "big")),
        st.binary(min_size=32, max_size=32),
        st.binary(max_size=31),
    )

    @given(st.lists(words, max_size=9).map(b"".join))
    def check(data: bytes) -> None:
        try:
            expected = eth_abi.decode(types, data)
        except (eth_abi.exceptions.DecodingError, UnicodeDecodeError, OverflowError):
            with pytest.raises(ValueError):  # noqa: PT011 - whatever it says
                decode(types, data)
        else:
            assert decode(types, data) == expected

    check()


def test_a_type_that_is_not_known_is_refused() -> None:
    for type_ in ("fixed128x18", "uint8[3]", "function", "(uint8,weird)"):
        with pytest.raises(ValueError, match="not a type"):
            encode((type_,), (1,) if type_[0] != "(" else ((1, 2),))
        with pytest.raises(ValueError, match=r"not a type|fit|fewer"):
            decode((type_,), bytes(320))


@pytest.mark.threat("S20")
@pytest.mark.parametrize(
    ("type_", "value"),
    [
        ("uint64", 2**64),
        ("uint64", -1),
        ("uint64", True),
        ("uint64", 1.0),
        ("uint8", "1"),
        ("bytes32", b"x" * 33),
        ("bytes32", b"x" * 31),
        ("bytes32", "0x"),
        ("bool", 1),
        ("address", "0x12"),
        ("address", "e5" * 20),
        ("address", 5),
        ("address", "0x" + "zz" * 20),
        ("bytes", "text"),
        ("string", b"bytes"),
        ("(uint8,uint8)", (1,)),
        ("(uint8,uint8)[]", [(1, 2), (1, 256)]),
        ("(uint8,bytes)", (1, b"", 2)),
    ],
)
def test_encoding_refuses_what_does_not_fit(type_: str, value: object) -> None:
    with pytest.raises((ValueError, TypeError, OverflowError)):
        encode((type_,), (value,))


@pytest.mark.parametrize(
    ("types", "data"),
    [
        (("uint64",), b""),
        (("uint64", "bool"), bytes(63)),
        (("uint8",), (256).to_bytes(32, "big")),
        (("bool",), (2).to_bytes(32, "big")),
        (("address",), b"\xff" * 32),
    ],
)
def test_decoding_refuses_what_does_not_fit(types: tuple[str, ...], data: bytes) -> None:
    with pytest.raises(ValueError, match=r"fit|fewer"):
        decode(types, data)
