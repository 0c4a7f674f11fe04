"""Keys that sign, and every wire form of what they sign."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from eth_keys import keys as eth_keys
from eth_utils import keccak

if TYPE_CHECKING:
    from collections.abc import Iterator

CURVE_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


@dataclass(frozen=True)
class Signature:
    """An ECDSA signature; `v` is 27 or 28 unless a test made it wrong on purpose."""

    v: int
    r: int
    s: int

    @property
    def vrs(self) -> tuple[int, bytes, bytes]:
        return (self.v, self.r.to_bytes(32, "big"), self.s.to_bytes(32, "big"))

    @property
    def bytes65(self) -> bytes:
        return self.r.to_bytes(32, "big") + self.s.to_bytes(32, "big") + bytes([self.v])

    @property
    def compact(self) -> tuple[bytes, bytes]:
        """ERC-2098: r, and s with the parity in its top bit."""
        vs = (self.s | ((self.v - 27) << 255)) % 2**256
        return (self.r.to_bytes(32, "big"), vs.to_bytes(32, "big"))

    @property
    def bytes64(self) -> bytes:
        return b"".join(self.compact)

    def mirrored(self) -> Signature:
        """The other signature of the same message and key: s above half the order."""
        return Signature(55 - self.v, self.r, CURVE_ORDER - self.s)


class Key:
    """A private key known by a name; the same name always gives the same key."""

    def __init__(self, name: str, private: bytes | None = None) -> None:
        self.name = name
        self._key = eth_keys.PrivateKey(private or keccak(text=f"tael test key {name}"))
        self.address = self._key.public_key.to_checksum_address()

    @property
    def private(self) -> bytes:
        return self._key.to_bytes()

    def sign(self, digest: bytes) -> Signature:
        signed = self._key.sign_msg_hash(digest)
        return Signature(signed.v + 27, signed.r, signed.s)

    def __repr__(self) -> str:
        return f"<{self.name} {self.address}>"


def spoiled(good: Signature) -> Iterator[tuple[str, Signature]]:
    """A valid signature made wrong in every way an edge of ECDSA allows."""
    yield "high s", good.mirrored()
    yield "high s, v kept", Signature(good.v, good.r, CURVE_ORDER - good.s)
    yield "other v", Signature(55 - good.v, good.r, good.s)
    yield "v 0", Signature(0, good.r, good.s)
    yield "v 1", Signature(1, good.r, good.s)
    yield "v 26", Signature(26, good.r, good.s)
    yield "v 29", Signature(29, good.r, good.s)
    yield "v 255", Signature(255, good.r, good.s)
    yield "r 0", Signature(good.v, 0, good.s)
    yield "s 0", Signature(good.v, good.r, 0)
    yield "r and s 0", Signature(27, 0, 0)
    yield "r is the order", Signature(good.v, CURVE_ORDER, good.s)
    yield "r above the order", Signature(good.v, 2**256 - 1, good.s)
    yield "s is the order", Signature(good.v, good.r, CURVE_ORDER)
