"""What is signed, and whether a signature counts: the reference model's side of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

from coincurve import PrivateKey, PublicKey
from eth_abi import encode
from eth_utils import keccak

from tael import typed_data

from .chain import CHAIN_ID

if TYPE_CHECKING:
    from collections.abc import Mapping

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
_TERMS_TYPES = (
    "bytes32", "address", "address", "address", "bytes32", "address", "uint64", "uint40", "uint40",
    "uint40", "uint16", "bytes16", "bytes32", "bytes32",
)  # fmt: skip
_TERMS_TYPEHASH = keccak(text=typed_data.TERMS_TYPE)


@dataclass(frozen=True)
class Terms:
    """The terms of a payment, valid or not: the package's own class refuses to build invalid
    ones."""

    issuer: str
    acquirer: str
    token: str
    merchant: bytes
    card: str
    amount: int
    authorize_before: int
    capture_before: int
    refund_before: int
    interchange_bps: int
    uetr: bytes
    reference_hash: bytes

    @property
    def parties(self) -> tuple[str, str, str]:
        return (self.issuer, self.acquirer, self.token)

    @property
    def packed(self) -> tuple[bytes, bytes, bytes, bytes]:
        card_and_amount = (
            bytes.fromhex(self.card[2:])
            + self.amount.to_bytes(8, "big")
            + self.interchange_bps.to_bytes(2, "big")
            + bytes(2)
        )
        deadlines = (self.authorize_before, self.capture_before, self.refund_before)
        times = b"".join(each.to_bytes(5, "big") for each in deadlines)
        return (self.merchant, self.reference_hash, card_and_amount, self.uetr + times + bytes(1))

    @classmethod
    def unpack(cls, parties: tuple[str, ...], packed: tuple[bytes, ...]) -> Terms | None:
        """The terms of a call, or nothing when bits that must be zero are not."""
        merchant, reference_hash, low, high = packed
        if any(low[30:]) or high[31]:
            return None
        return cls(
            issuer=parties[0],
            acquirer=parties[1],
            token=parties[2],
            merchant=merchant,
            card="0x" + low[:20].hex(),
            amount=int.from_bytes(low[20:28], "big"),
            authorize_before=int.from_bytes(high[16:21], "big"),
            capture_before=int.from_bytes(high[21:26], "big"),
            refund_before=int.from_bytes(high[26:31], "big"),
            interchange_bps=int.from_bytes(low[28:30], "big"),
            uetr=high[:16],
            reference_hash=reference_hash,
        )

    def but(self, **changes: object) -> Terms:
        return replace(self, **changes)  # type: ignore[arg-type]


@lru_cache(maxsize=4096)
def payment_id(escrow: str, terms: Terms, chain_id: int = CHAIN_ID) -> bytes:
    """The EIP-712 digest of the terms, put together with the ABI coder alone."""
    words = encode(
        _TERMS_TYPES,
        (
            _TERMS_TYPEHASH,
            terms.issuer,
            terms.acquirer,
            terms.token,
            terms.merchant,
            terms.card,
            terms.amount,
            terms.authorize_before,
            terms.capture_before,
            terms.refund_before,
            terms.interchange_bps,
            terms.uetr,
            terms.reference_hash,
            bytes(32),
        ),
    )
    return typed_data.digest(typed_data.escrow_domain(chain_id, escrow), keccak(words))


@lru_cache(maxsize=16)
def escrow_domain(escrow: str) -> typed_data.Domain:
    return typed_data.escrow_domain(CHAIN_ID, escrow)


@dataclass(frozen=True)
class Key:
    """A private key by number: tests name their actors, never their keys."""

    number: int

    @property
    def address(self) -> str:
        return _address(self.number)

    def sign(self, digest: bytes) -> bytes:
        """65 bytes: r, s, v."""
        return _sign(self.number, digest)


@lru_cache(maxsize=256)
def _private(number: int) -> PrivateKey:
    return PrivateKey(number.to_bytes(32, "big"))


@lru_cache(maxsize=256)
def _address(number: int) -> str:
    public = _private(number).public_key.format(compressed=False)
    return "0x" + keccak(public[1:])[-20:].hex()


@lru_cache(maxsize=8192)
def _sign(number: int, digest: bytes) -> bytes:
    signature = _private(number).sign_recoverable(digest, hasher=None)
    return signature[:64] + bytes([27 + signature[64]])


def compact(signature: bytes) -> bytes:
    """The 64 bytes of ERC-2098."""
    vs = int.from_bytes(signature[32:64], "big") | (signature[64] - 27) << 255
    return signature[:32] + vs.to_bytes(32, "big")


def halves(signature: bytes) -> tuple[bytes, bytes]:
    """r and vs of ERC-2098."""
    short = compact(signature)
    return short[:32], short[32:]


def vrs(signature: bytes) -> tuple[int, bytes, bytes]:
    return signature[64], signature[:32], signature[32:64]


def mirrored(signature: bytes) -> bytes:
    """The other signature of the same key over the same digest, with a high s."""
    s = ORDER - int.from_bytes(signature[32:64], "big")
    return signature[:32] + s.to_bytes(32, "big") + bytes([55 - signature[64]])


@lru_cache(maxsize=8192)
def recover(digest: bytes, v: int, r: bytes, s: bytes) -> str | None:
    """Whose key made this signature; nobody's when it is not canonical."""
    if v not in (27, 28) or int.from_bytes(s, "big") > ORDER // 2:
        return None
    try:
        key = PublicKey.from_signature_and_message(
            r + s + bytes([v - 27]), digest, hasher=None
        ).format(compressed=False)
    except Exception:  # noqa: BLE001 - coincurve raises plain Exception when nothing can be recovered
        return None
    return "0x" + keccak(key[1:])[-20:].hex()


class Signers:
    """Decides as the contracts must: ordinary keys first, then contract wallets.

    Args:
        wallets: Owner key of each honest contract wallet; a wallet that gives any other answer
        than the
            magic word says no, and so does every address without code.
    """

    def __init__(self, wallets: Mapping[str, str], agreeable: frozenset[str] = frozenset()) -> None:
        self._wallets = wallets
        self._agreeable = agreeable

    def counts_vrs(self, signer: str, digest: bytes, v: int, r: bytes, s: bytes) -> bool:
        if recover(digest, v, r, s) == signer:
            return True
        return self._wallet(signer, digest, r + s + bytes([v]))

    def counts_compact(self, signer: str, digest: bytes, r: bytes, vs: bytes) -> bool:
        """Ordinary keys only."""
        word = int.from_bytes(vs, "big")
        s = (word & (2**255 - 1)).to_bytes(32, "big")
        return recover(digest, 27 + (word >> 255), r, s) == signer

    def counts_key(self, signer: str, digest: bytes, signature: bytes) -> bool:
        """Ordinary keys only, 64 or 65 bytes."""
        if len(signature) == 64:
            return self.counts_compact(signer, digest, signature[:32], signature[32:])
        if len(signature) == 65:
            return recover(digest, signature[64], signature[:32], signature[32:64]) == signer
        return False

    def counts(self, signer: str, digest: bytes, signature: bytes) -> bool:
        return self.counts_key(signer, digest, signature) or self._wallet(signer, digest, signature)

    def _wallet(self, signer: str, digest: bytes, signature: bytes) -> bool:
        if signer in self._agreeable:
            return True
        owner = self._wallets.get(signer)
        if owner is None or len(signature) != 65:
            return False
        r, s, v = signature[:32], signature[32:64], signature[64]
        # The wallet of the tests asks the precompile alone, which takes a high s too.
        value = int.from_bytes(s, "big")
        if value > ORDER // 2:
            s, v = (ORDER - value).to_bytes(32, "big"), 55 - v
        return recover(digest, v, r, s) == owner
