"""Identifiers that derive from a participant and its own reference, so that a repeat is recognised.

The chain refuses a repeat by an identifier: a payment by its terms (with the UETR in them), a
transfer by its ERC-3009 nonce, an issue or redemption by its bank reference. Here each of them is
computed from the participant, the reference and a secret of the participant, so the same reference
gives the same identifier in every process and after any loss of data but the secret.

No reference is ever on the chain. Without the secret nobody can try references against what is
there, however guessable they are.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import uuid
from typing import TYPE_CHECKING, NoReturn

from tael.addresses import require_address
from tael.errors import InvalidInputError
from tael.hashing import keccak
from tael.secrets import Secret

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Identifiers", "check_reference", "merchant_id", "uetr_text"]

MIN_SECRET_BYTES = 32

# The basic Latin set that every ISO 20022 network carries, without a space at either end.
_REFERENCE = re.compile(
    r"[0-9A-Za-z?:().,'+/-](?:[0-9A-Za-z ?:().,'+/-]{0,33}[0-9A-Za-z?:().,'+/-])?"
)


def check_reference(reference: str) -> str:
    """Refuse a reference that an ISO 20022 message could not carry.

    Args:
        reference: The caller's own reference: 1 to 35 characters of A-Z, a-z, 0-9, space and
            ``/-?:().,'+``; no space at either end, no slash at either end, no two in a row.

    Returns:
        The reference.

    Raises:
        InvalidInputError: It is anything else.

    Source:
        ISO 20022 `Max35Text`; CBPR+ usage guidelines, restricted character set.
    """
    if (
        not isinstance(reference, str)
        or not _REFERENCE.fullmatch(reference)
        or reference[0] == "/"
        or reference[-1] == "/"
        or "//" in reference
    ):
        raise InvalidInputError(
            "A reference has 1 to 35 characters of A-Z, a-z, 0-9, space and /-?:().,'+, no space "
            "or slash at its ends and no two slashes in a row; correct it."
        )
    return reference


class Identifiers:
    """Derives one participant's identifiers.

    Keep the secret with the participant's keys, back it up, and give it to every process that
    writes for the participant. With another secret the same reference gives other identifiers, and
    the chain cannot recognise a repeat any more.

    Args:
        participant: The bank (or operator) whose references these are, a checksummed address.
        secret: At least 32 random bytes. It is in no `repr` and cannot be pickled.

    Raises:
        InvalidInputError: The secret is too short.
        AddressError: The participant is no address.

    Example:
        >>> ids = Identifiers("0x70997970C51812dc3A010C7d01b50e0d17dc79C8", bytes(32))
        >>> ids.uetr("INV-1").hex() == ids.uetr("INV-1").hex()
        True
    """

    __slots__ = ("_secret", "participant")

    def __init__(self, participant: str, secret: bytes) -> None:
        self.participant = require_address(participant, name="participant")
        if not isinstance(secret, bytes) or len(secret) < MIN_SECRET_BYTES:
            raise InvalidInputError(
                f"The reference secret has at least {MIN_SECRET_BYTES} bytes; make one with "
                "`python -c 'import secrets; print(secrets.token_hex(32))'` and keep it."
            )
        self._secret = Secret(secret.hex())

    def __repr__(self) -> str:
        return f"Identifiers(participant={self.participant!r})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("Identifiers hold a secret and cannot be pickled; build them where needed")

    @classmethod
    def from_signer(cls, participant: str, sign_digest: Callable[[bytes], bytes]) -> Identifiers:
        """Take the secret from a key that signs deterministically (RFC 6979).

        Convenient where one key lives as long as the participant. After a change of key the same
        reference gives other identifiers: prefer a secret of its own in production.

        Args:
            participant: The participant, a checksummed address.
            sign_digest: Signs 32 bytes and returns 65. What it signs here is no message of any
                contract and the signature leaves this function only as a hash.

        Raises:
            InvalidInputError: Two signatures over the same bytes differ.
        """
        message = keccak(b"Tael reference secret, version 1" + bytes.fromhex(participant[2:]))
        signature = sign_digest(message)
        if sign_digest(message) != signature:
            raise InvalidInputError(
                "This signer gives another signature each time, so no secret can be taken from it; "
                "pass a reference secret."
            )
        return cls(participant, keccak(signature))

    def uetr(self, reference: str) -> bytes:
        """The UETR of the payment with this reference: 16 bytes with UUIDv4's version and variant.

        Source:
            ISO 20022 `UUIDv4Identifier`; RFC 9562, section 5.4.
        """
        return uuid.UUID(bytes=self._derive(b"uetr", reference)[:16], version=4).bytes

    def reference_hash(self, reference: str) -> bytes:
        """What the terms of a payment carry instead of the issuer's reference, 32 bytes."""
        return self._commit(b"payment", reference)

    def transfer_nonce(self, reference: str) -> bytes:
        """The ERC-3009 nonce of the transfer with this reference, 32 bytes."""
        return self._commit(b"transfer", reference)

    def bank_reference(self, reference: str) -> bytes:
        """What an issue or a redemption carries instead of the reference, 32 bytes."""
        return self._commit(b"bank", reference)

    def merchant_commitment(self, reference: str) -> bytes:
        """What the Directory gets instead of the acquirer's reference for a merchant, 32 bytes."""
        return self._commit(b"merchant", reference)

    def merchant_id(self, reference: str) -> bytes:
        """The id of the merchant that this acquirer knows by `reference`, 32 bytes."""
        return merchant_id(self.participant, self.merchant_commitment(reference))

    def document_hash(self, reference: str, document: bytes) -> bytes:
        """What an order or attestation leaves on the chain, 32 bytes.

        Bound to the reference, so that the same document used twice leaves two hashes.

        Args:
            reference: The operator's reference for the act.
            document: The document itself.
        """
        return keccak(self._commit(b"document", reference) + keccak(document))

    def disclose(self, kind: str, reference: str) -> bytes:
        """The salt of one reference, to prove to an auditor what a hash on the chain stands for.

        ``keccak256(salt + reference)`` gives the hash; no other reference is disclosed by it.

        Args:
            kind: ``payment``, ``transfer``, ``bank``, ``merchant`` or ``document``.
            reference: The reference.

        Returns:
            The salt, 32 bytes.
        """
        return self._derive(kind.encode(), reference)

    def _commit(self, kind: bytes, reference: str) -> bytes:
        return keccak(self._derive(kind, reference) + reference.encode())

    def _derive(self, kind: bytes, reference: str) -> bytes:
        parts = (kind, bytes.fromhex(self.participant[2:]), check_reference(reference).encode())
        # The kinds hold no zero byte and an address has a fixed size, so no two inputs collide.
        return hmac.digest(bytes.fromhex(self._secret.reveal()), b"\0".join(parts), hashlib.sha256)


def merchant_id(acquirer: str, commitment: bytes) -> bytes:
    """The merchant id that terms and codes carry, 32 bytes.

    Args:
        acquirer: The participant that vouches for the merchant, a checksummed address.
        commitment: 32 bytes, of :meth:`Identifiers.merchant_commitment`.

    Source:
        `Directory.merchantId`.
    """
    return keccak(bytes(12) + bytes.fromhex(acquirer[2:]) + commitment)


def uetr_text(uetr: bytes) -> str:
    """A UETR as ISO 20022 messages write it, for 16 bytes: lower-case with hyphens."""
    return str(uuid.UUID(bytes=uetr))
