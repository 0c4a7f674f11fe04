"""Signatures of ordinary keys: their compact form, and whose they are."""

from __future__ import annotations

import contextlib
import importlib
from typing import Any

from tael.hashing import keccak

# Absent where it has no wheel (pyproject.toml); eth-keys does the same there, far slower.
coincurve: Any = None
with contextlib.suppress(ImportError):
    coincurve = importlib.import_module("coincurve")

_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


def compact(signature: bytes) -> tuple[bytes, bytes] | None:
    """A signature as two words, r and vs.

    Args:
        signature: 65 bytes (r, s, v) or 64 (r, vs).

    Returns:
        The words; None if it has no such form, as a contract account's signature.

    Source:
        ERC-2098.
    """
    if len(signature) == 64:
        return signature[:32], signature[32:]
    if len(signature) != 65 or signature[64] not in (0, 1, 27, 28):
        return None
    s = int.from_bytes(signature[32:64], "big")
    if s > _ORDER // 2:
        # The bit that says v is taken, and the contracts refuse such signatures anyway.
        return None
    parity = signature[64] % 27
    return signature[:32], (s | parity << 255).to_bytes(32, "big")


def is_signed_by(address: str, digest: bytes, signature: tuple[bytes, bytes]) -> bool:
    """Whether an ordinary key made a compact signature over 32 bytes."""
    found = recover(digest, signature)
    return found is not None and found.hex() == address[2:].lower()


def recover(digest: bytes, signature: tuple[bytes, bytes]) -> bytes | None:
    """Whose key made a compact signature over 32 bytes.

    Returns:
        The key's address, 20 bytes; None if nobody can have made it, or s is in the upper half,
        which the contracts refuse.
    """
    r, vs = signature
    word = int.from_bytes(vs, "big")
    s, parity = word & (2**255 - 1), word >> 255
    if not 0 < s <= _ORDER // 2:
        return None
    public = _public_key(digest, r + s.to_bytes(32, "big") + bytes([parity]))
    return None if public is None else keccak(public)[12:]


def _public_key(digest: bytes, signature: bytes) -> bytes | None:
    """The 64 bytes of the public key that made a signature (r, s, parity); None if none did."""
    try:
        if coincurve is None:
            keys = importlib.import_module("eth_keys.datatypes")
            made = keys.Signature(signature).recover_public_key_from_msg_hash(digest)
            return bytes(made.to_bytes())
        found = coincurve.PublicKey.from_signature_and_message(signature, digest, hasher=None)
        return bytes(found.format(compressed=False)[1:])
    except Exception:  # noqa: BLE001 - these libraries say no more than that it is no signature
        return None
