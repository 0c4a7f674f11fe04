"""Signatures of ordinary keys: their compact form, and whose they are."""

from __future__ import annotations

from eth_keys.datatypes import Signature
from eth_keys.exceptions import BadSignature
from eth_utils.crypto import keccak
from eth_utils.exceptions import ValidationError

from tael.signers import coincurve

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
    r, vs = signature
    word = int.from_bytes(vs, "big")
    s, parity = word & (2**255 - 1), word >> 255
    key = _recover(digest, r + s.to_bytes(32, "big") + bytes([parity]))
    return key is not None and keccak(key)[12:].hex() == address[2:].lower()


def _recover(digest: bytes, signature: bytes) -> bytes | None:
    """The 64 bytes of the public key that made a signature (r, s, parity); None if none did."""
    if coincurve is not None:
        try:
            found = coincurve.PublicKey.from_signature_and_message(signature, digest, hasher=None)
        except Exception:  # noqa: BLE001 - the library says no more than that it is no signature
            return None
        public: bytes = found.format(compressed=False)[1:]
        return public
    try:
        return bytes(Signature(signature).recover_public_key_from_msg_hash(digest).to_bytes())
    except (BadSignature, ValidationError):
        return None
