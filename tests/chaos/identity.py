"""What stands for a reference on the chain, worked out here once more, apart from the SDK."""

from __future__ import annotations

import hashlib
import hmac
import uuid

from eth_utils.crypto import keccak


class Identity:
    """One participant's identifiers.

    Args:
        participant: Its address.
        secret: Its reference secret.
    """

    def __init__(self, participant: str, secret: bytes) -> None:
        self._participant = bytes.fromhex(participant[2:])
        self._secret = secret

    def uetr(self, reference: str) -> bytes:
        """A payment's UETR, 16 bytes."""
        return uuid.UUID(bytes=self._salt("uetr", reference)[:16], version=4).bytes

    def commitment(self, kind: str, reference: str) -> bytes:
        """The hash that stands for a reference; kinds are `payment`, `transfer` and `bank`."""
        return keccak(self._salt(kind, reference) + reference.encode())

    def _salt(self, kind: str, reference: str) -> bytes:
        words = b"\0".join((kind.encode(), self._participant, reference.encode()))
        return hmac.digest(self._secret, words, hashlib.sha256)
