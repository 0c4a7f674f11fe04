"""Transactions as bytes: legacy with a chain id (EIP-155), and EIP-1559 without an access list.

`sign_plain` makes them and `read_plain` reads them back. These two kinds are all that is sent here,
and `eth_account` takes ten times as long for them, most of it spent on checking types. What is not
plainly one of them is left to it: other types, access lists, numbers or data in text, fields that
are missing or do not belong there. So it stays the one that refuses.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from tael.addresses import checksummed
from tael.hashing import keccak

SignRecoverable = Callable[[bytes], bytes]
"""Signs 32 bytes: 65 bytes of r, s and the parity (0 or 1)."""

_LEGACY = ("nonce", "gasPrice", "gas")
_DYNAMIC = ("chainId", "nonce", "maxPriorityFeePerGas", "maxFeePerGas", "gas")
_DYNAMIC_TYPE = 2

_OPTIONAL = frozenset({"to", "value", "data"})
_LEGACY_KEYS = frozenset(_LEGACY) | {"chainId"}
_DYNAMIC_KEYS = frozenset(_DYNAMIC)
_LEGACY_ALLOWED = _LEGACY_KEYS | _OPTIONAL
_DYNAMIC_ALLOWED = _DYNAMIC_KEYS | _OPTIONAL | {"type", "accessList"}

_MAX_NUMBER = 2**256 - 1


class _NotPlain(Exception):  # noqa: N818 - never leaves this module
    """A field is not what these two kinds have."""


def sign_plain(fields: Mapping[str, Any], sign: SignRecoverable) -> bytes | None:
    """Sign a transaction of one of the two plain kinds.

    Args:
        fields: As `eth_account` takes them.
        sign: Signs the hash.

    Returns:
        The bytes to broadcast, the same that `eth_account` gives; None if it is of neither kind.

    Source: EIP-155, EIP-1559, EIP-2718.
    """
    keys = fields.keys()
    try:
        if _DYNAMIC_KEYS <= keys <= _DYNAMIC_ALLOWED:
            return _sign_dynamic(fields, sign)
        if _LEGACY_KEYS <= keys <= _LEGACY_ALLOWED:
            return _sign_legacy(fields, sign)
    except _NotPlain:
        pass
    return None


def read_plain(raw: bytes) -> dict[str, Any] | None:
    """What a signed transaction of one of the two plain kinds says, without its signature.

    Args:
        raw: The signed bytes, our own: whose signature it is is not looked at.

    Returns:
        The fields by the names that `sign_plain` takes, with `data` as bytes, `to` checksummed and
        left out where a contract is created; None if it is of neither kind.

    Source: EIP-155, EIP-1559, EIP-2718.
    """
    import rlp  # it imports eth_utils, and little is read back

    is_dynamic = raw[:1] == bytes([_DYNAMIC_TYPE])
    names: tuple[str, ...] = _DYNAMIC if is_dynamic else _LEGACY
    try:
        *fields, _, _, _ = rlp.decode(raw[1:] if is_dynamic else raw)
        if is_dynamic and fields.pop():
            return None  # it has an access list
        *numbers, to, value, data = fields
        read: dict[str, Any] = {
            name: int.from_bytes(number, "big") for name, number in zip(names, numbers, strict=True)
        }
        if to:
            read["to"] = checksummed(to)
        return {**read, "value": int.from_bytes(value, "big"), "data": bytes(data)}
    except (rlp.DecodingError, ValueError, TypeError):
        return None


def _sign_dynamic(fields: Mapping[str, Any], sign: SignRecoverable) -> bytes:
    if _number(fields.get("type", _DYNAMIC_TYPE)) != b"\x02":
        raise _NotPlain
    if fields.get("accessList", ()) not in ((), []):
        raise _NotPlain
    body = b"".join([_number(fields[name]) for name in _DYNAMIC]) + _payload(fields) + b"\xc0"
    prefix = bytes([_DYNAMIC_TYPE])
    r, s, parity = _parts(sign(keccak(prefix + _list(body))))
    return prefix + _list(body + _number(parity) + r + s)


def _sign_legacy(fields: Mapping[str, Any], sign: SignRecoverable) -> bytes:
    chain_id = fields["chainId"]
    if chain_id == 0:
        raise _NotPlain  # no chain at all: anybody could repeat it on any other
    body = b"".join([_number(fields[name]) for name in _LEGACY]) + _payload(fields)
    r, s, parity = _parts(sign(keccak(_list(body + _number(chain_id) + b"\x80\x80"))))
    return _list(body + _number(35 + 2 * chain_id + parity) + r + s)


def _payload(fields: Mapping[str, Any]) -> bytes:
    """Recipient, value and data, which both kinds have in this order."""
    to = _address(fields["to"]) if "to" in fields else b"\x80"
    return to + _number(fields.get("value", 0)) + _text(_data(fields.get("data", b"")))


def _parts(signature: bytes) -> tuple[bytes, bytes, int]:
    # As numbers, so without the zeros they may begin with.
    r, s = signature[:32].lstrip(b"\0"), signature[32:64].lstrip(b"\0")
    return _text(r), _text(s), signature[64]


def _number(value: object) -> bytes:
    if type(value) is not int or not 0 <= value <= _MAX_NUMBER:
        raise _NotPlain
    if value == 0:
        return b"\x80"
    return _text(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def _data(value: object) -> bytes:
    if not isinstance(value, bytes | bytearray):
        raise _NotPlain
    return bytes(value)


def _address(value: object) -> bytes:
    if isinstance(value, str):
        return _checked(value)
    if isinstance(value, bytes) and len(value) == 20:
        return b"\x94" + value
    raise _NotPlain


@lru_cache(maxsize=1024)
def _checked(address: str) -> bytes:
    """An address with a right checksum (ERC-55): few are sent to, and checking costs a hash."""
    try:
        if checksummed(address) != address:
            raise _NotPlain
    except ValueError:
        raise _NotPlain from None
    return b"\x94" + bytes.fromhex(address[2:])


# Recursive length prefix (yellow paper, appendix B).


def _text(value: bytes) -> bytes:
    if len(value) == 1 and value[0] < 0x80:
        return value
    return _header(0x80, len(value)) + value


def _list(body: bytes) -> bytes:
    return _header(0xC0, len(body)) + body


def _header(offset: int, length: int) -> bytes:
    if length < 56:
        return bytes([offset + length])
    size = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes([offset + 55 + len(size)]) + size
