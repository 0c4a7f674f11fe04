"""Addresses: their checksum (ERC-55), and what must not be meant by one that comes in."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from tael.errors import AddressError
from tael.hashing import keccak

ZERO_ADDRESS = "0x" + "0" * 40

_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}", re.ASCII)


@lru_cache(maxsize=65_536)
def checksummed(address: str | bytes) -> str:
    """An address with its checksum, whatever case its digits are in.

    The same few addresses are met again and again, and each takes a hash.

    Args:
        address: 0x and 40 digits, or 20 bytes.

    Raises:
        ValueError: It is not an address.

    Source: ERC-55.
    """
    text = "0x" + address.hex() if isinstance(address, bytes) else address
    if not is_address_form(text):
        raise ValueError(f"{address!r:.60} is not an address")
    digits = text[2:].lower()
    marks = keccak(digits.encode()).hex()
    return "0x" + "".join(
        [digit.upper() if mark > "7" else digit for digit, mark in zip(digits, marks)]  # noqa: B905
    )


def is_address_form(value: object) -> bool:
    """Whether something is 0x and 40 hexadecimal digits; their case is not looked at."""
    return isinstance(value, str) and _ADDRESS.fullmatch(value) is not None


def is_address(value: object) -> bool:
    """Whether something is an address whose checksum is right, if its case says one.

    Source: ERC-55.
    """
    if not isinstance(value, str) or not _ADDRESS.fullmatch(value):
        return False
    digits = value[2:]
    return digits in (digits.lower(), digits.upper()) or checksummed(value) == value


def address_bytes(address: str) -> bytes:
    """The 20 bytes of an address.

    Raises:
        ValueError: It is not an address.
    """
    if not is_address_form(address):
        raise ValueError(f"{address!r:.60} is not an address")
    return bytes.fromhex(address[2:])


def any_case_address(value: object, *, name: str = "address") -> str:
    """An address from somewhere where case means nothing, checksummed.

    Args:
        value: What was given.
        name: What to call it in the refusal.

    Raises:
        AddressError: It is not an address.
    """
    if not isinstance(value, str) or not _ADDRESS.fullmatch(value):
        raise AddressError(
            f"{name} must be an address, 0x and 40 hexadecimal digits: {value!r:.60}"
        )
    return checksummed(value)


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
    address = any_case_address(value, name=name)
    if value == ZERO_ADDRESS:
        raise AddressError(f"{name} must not be the zero address")
    if address != value:
        raise AddressError(f"{name} has no valid checksum (ERC-55): {value}")
    if value in other_than:
        raise AddressError(f"{name} must not be {value}, one of the system's own contracts")
    return address


def created_address(sender: str, nonce: int) -> str:
    """The address that a contract gets, checksummed.

    Args:
        sender: Who creates it.
        nonce: Of the transaction that does.

    Source: yellow paper, section 7.
    """
    import rlp  # it imports eth_utils

    return checksummed(keccak(rlp.encode([address_bytes(sender), nonce]))[12:])
