"""Keccak and checksummed addresses are ours; eth_utils is the oracle over random input. S21."""

from __future__ import annotations

import pytest
from eth_utils import address as oracle
from eth_utils import keccak as their_keccak
from hypothesis import given
from hypothesis import strategies as st

from tael.addresses import address_bytes, checksummed, created_address, is_address
from tael.hashing import keccak

RAW = st.binary(min_size=20, max_size=20)
# As people write them: any digit in any case, a letter too many, no prefix.
WRITTEN = st.one_of(
    st.from_regex(r"\A0x[0-9a-fA-F]{40}\Z"),
    st.from_regex(r"\A0x[0-9a-f]{40}\Z"),
    st.from_regex(r"\A0x[0-9A-F]{40}\Z"),
    st.from_regex(r"\A0x[0-9a-g]{38,42}\Z"),
    st.text(max_size=44),
    RAW.map(oracle.to_checksum_address),
)


@given(st.binary(max_size=300))
def test_keccak_equals_eth_utils(data: bytes) -> None:
    assert keccak(data) == their_keccak(data)


@given(RAW)
def test_checksum_equals_eth_utils(raw: bytes) -> None:
    expected = oracle.to_checksum_address(raw)
    for written in (raw, "0x" + raw.hex(), "0x" + raw.hex().upper(), expected):
        assert checksummed(written) == expected
        if isinstance(written, str):
            assert address_bytes(written) == raw


@given(WRITTEN)
def test_what_is_an_address_equals_eth_utils(written: str) -> None:
    expected = oracle.is_hex_address(written) and (
        not oracle.is_checksum_formatted_address(written) or oracle.is_checksum_address(written)
    )
    # Without 0x it is none here: what cuts off the first two characters would cut off digits.
    assert is_address(written) == (expected and written[:2] == "0x")


@pytest.mark.parametrize("value", ["", "0x", "0x" + "g" * 40, "0X" + "1" * 40, "1" * 42, b"", b"1"])
def test_checksum_refuses_when_it_is_not_an_address(value: str | bytes) -> None:
    with pytest.raises(ValueError, match="is not an address"):
        checksummed(value)
    assert not is_address(value)
    with pytest.raises((ValueError, TypeError)):
        address_bytes(value)  # type: ignore[arg-type]


def test_created_address_is_that_of_the_yellow_paper() -> None:
    # Anvil's first account, its first contracts: known to every developer.
    sender = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
    assert created_address(sender, 0) == "0x5FbDB2315678afecb367f032d93F642f64180aa3"
    assert created_address(sender, 128) != created_address(sender, 127)
