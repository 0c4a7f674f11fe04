"""Addresses as they come in: checksummed, not zero, and not one that must not be meant."""

from __future__ import annotations

import re
from collections.abc import Iterable

import rlp
from eth_utils import keccak, to_checksum_address

from tael.errors import AddressError

ZERO_ADDRESS = "0x" + "0" * 40

_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}", re.ASCII)


def require_address(value: object, *, name: str = "address", other_than: Iterable[str] = ()) -> str:
    """Check an address before anything is signed for it.

    Only the mixed-case form with a right checksum passes: one wrong character in an all-lower-case
    address would pass unseen. Names (ENS) are never resolved.

    Args:
        value: What was given.
        name: What to call it in the refusal.
        other_than: Addresses that must not be meant, the system's own contracts for example.

    Returns:
        The checksummed address.

    Raises:
        AddressError: No address, a wrong or missing checksum, zero, or one of `other_than`.

    Source: ERC-55.
    """
    if not isinstance(value, str) or not _ADDRESS.fullmatch(value):
        raise AddressError(
            f"{name} must be an address, 0x and 40 hexadecimal digits: {value!r:.60}"
        )
    if value == ZERO_ADDRESS:
        raise AddressError(f"{name} must not be the zero address")
    if to_checksum_address(value) != value:
        raise AddressError(f"{name} has no valid checksum (ERC-55): {value}")
    if value in other_than:
        raise AddressError(f"{name} must not be {value}, one of the system's own contracts")
    return value


def created_address(sender: str, nonce: int) -> str:
    """The address that a contract gets, checksummed.

    Args:
        sender: Who creates it.
        nonce: Of the transaction that does.

    Source: yellow paper, section 7.
    """
    return to_checksum_address(keccak(rlp.encode([bytes.fromhex(sender[2:]), nonce]))[12:])
