"""Contracts of a few bytes, written in EVM code, that fail exactly as a test wants."""

from __future__ import annotations

from tael.devnet import signers_of
from tael.testing.nodes import MNEMONIC


def creation(runtime: bytes) -> bytes:
    """Creation code that deploys `runtime` as it is."""
    size = len(runtime)
    return bytes([0x60, size, 0x60, 0x0C, 0x60, 0, 0x39, 0x60, size, 0x60, 0, 0xF3]) + runtime


# calldatacopy(0, 0, size); revert(0, size): reverts with whatever it is called with.
ECHO = bytes.fromhex("3660006000373660" + "00fd")

# Once: stores 1. From then on it reverts with `TokenPaused()`.
ONCE = bytes.fromhex("600054600c57600160005500" + "5b63" + "00000000" + "6000526004601cfd")

# Once: stores 1. From then on it runs until the gas is gone.
ONCE_THEN_FOREVER = bytes.fromhex("600054600c57600160005500" + "5b600c56")


def once(selector: bytes) -> bytes:
    return ONCE[:14] + selector + ONCE[18:]


def signer(index: int):
    """The node's unlocked account of that index, as a signer."""
    return signers_of(MNEMONIC, index + 1)[index]
