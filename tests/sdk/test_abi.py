"""Our encoding against eth_abi's, over random values of every type that our contracts have."""

from __future__ import annotations

import eth_abi
import pytest
from hypothesis import given
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
    @given(st.tuples(*map(values_of, inputs)), st.tuples(*map(values_of, outputs)))
    def check(arguments: tuple, results: tuple) -> None:
        assert encode(inputs, arguments) == eth_abi.encode(inputs, arguments)
        encoded = eth_abi.encode(outputs, results)
        assert decode(outputs, encoded) == eth_abi.decode(outputs, encoded)

    check()


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
        ("bytes32", "0x"),
        ("bool", 1),
        ("address", "0x12"),
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
