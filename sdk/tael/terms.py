"""The terms of a payment: what a cardholder signs, what travels, and the payment's id."""

from __future__ import annotations

from dataclasses import dataclass

from tael.addresses import checksummed, is_address_form
from tael.errors import InvalidTermsError
from tael.typed_data import TERMS_TYPE, Domain, digest, struct_hash

ZERO_WORD = bytes(32)

_UINT16_MAX = 2**16 - 1
_UINT40_MAX = 2**40 - 1
_UINT64_MAX = 2**64 - 1


@dataclass(frozen=True, slots=True)
class Terms:
    """What a cardholder signs, field for field the contract's `Terms`.

    Args:
        issuer: The payer's bank, a checksummed address.
        acquirer: The merchant's bank, a checksummed address.
        token: SettlementToken of the currency, a checksummed address.
        merchant: Merchant id in the Directory, 32 bytes.
        card: The payer's key, a checksummed address.
        amount_minor: Minor units, tip included; 1 to 2^64 - 1.
        authorize_before: Unix seconds; authorize or charge strictly before.
        capture_before: Unix seconds; capture strictly before, reclaim from then on.
        refund_before: Unix seconds; refund strictly before.
        interchange_bps: Share of each capture that stays with the issuer, in 1/10,000.
        uetr: ISO 20022 unique end-to-end transaction reference, 16 bytes.
        reference_hash: Salted hash of the issuer's own reference, 32 bytes.
        funding: Zero; this escrow settles without FX.

    Raises:
        InvalidTermsError: A value does not fit its field.

    Source: `contracts/interfaces/IPaymentEscrow.sol`, `Terms`.
    """

    issuer: str
    acquirer: str
    token: str
    merchant: bytes
    card: str
    amount_minor: int
    authorize_before: int
    capture_before: int
    refund_before: int
    interchange_bps: int
    uetr: bytes
    reference_hash: bytes
    funding: bytes = ZERO_WORD

    def __post_init__(self) -> None:
        for name in ("issuer", "acquirer", "token", "card"):
            address = getattr(self, name)
            if not is_address_form(address) or checksummed(address) != address:
                raise InvalidTermsError(f"{name} must be a checksummed address, not {address!r}")
        for name, size in (("merchant", 32), ("uetr", 16), ("reference_hash", 32), ("funding", 32)):
            value = getattr(self, name)
            if not isinstance(value, bytes) or len(value) != size:
                raise InvalidTermsError(f"{name} must be {size} bytes")
        _require_int("amount_minor", self.amount_minor, 1, _UINT64_MAX)
        _require_int("interchange_bps", self.interchange_bps, 0, _UINT16_MAX)
        for name in ("authorize_before", "capture_before", "refund_before"):
            _require_int(name, getattr(self, name), 0, _UINT40_MAX)
        if self.funding != ZERO_WORD:
            raise InvalidTermsError("funding must be zero: this escrow settles without FX")

    @property
    def parties(self) -> tuple[str, str, str]:
        """The contract's `Parties`: issuer, acquirer, token."""
        return (self.issuer, self.acquirer, self.token)

    @property
    def packed(self) -> tuple[bytes, bytes, bytes, bytes]:
        """The four words of the contract's `PackedTerms`."""
        card_and_amount = (
            bytes.fromhex(self.card[2:])
            + self.amount_minor.to_bytes(8, "big")
            + self.interchange_bps.to_bytes(2, "big")
            + bytes(2)
        )
        deadlines = (self.authorize_before, self.capture_before, self.refund_before)
        uetr_and_deadlines = (
            self.uetr + b"".join(at.to_bytes(5, "big") for at in deadlines) + bytes(1)
        )
        return (self.merchant, self.reference_hash, card_and_amount, uetr_and_deadlines)

    @classmethod
    def unpack(
        cls, parties: tuple[str, str, str], packed: tuple[bytes, bytes, bytes, bytes]
    ) -> Terms:
        """The terms that calls and opening events carry.

        Args:
            parties: Issuer, acquirer, token.
            packed: The four words of `PackedTerms`, 32 bytes each.

        Raises:
            InvalidTermsError: Bits that must be zero are not.
        """
        merchant, reference_hash, card_and_amount, uetr_and_deadlines = packed
        if any(card_and_amount[30:]) or uetr_and_deadlines[31]:
            raise InvalidTermsError("packed terms have bits set that belong to no term")
        issuer, acquirer, token = (checksummed(party) for party in parties)
        return cls(
            issuer=issuer,
            acquirer=acquirer,
            token=token,
            merchant=merchant,
            card=checksummed(card_and_amount[:20]),
            amount_minor=int.from_bytes(card_and_amount[20:28], "big"),
            authorize_before=int.from_bytes(uetr_and_deadlines[16:21], "big"),
            capture_before=int.from_bytes(uetr_and_deadlines[21:26], "big"),
            refund_before=int.from_bytes(uetr_and_deadlines[26:31], "big"),
            interchange_bps=int.from_bytes(card_and_amount[28:30], "big"),
            uetr=uetr_and_deadlines[:16],
            reference_hash=reference_hash,
        )

    @property
    def struct_hash(self) -> bytes:
        """EIP-712 hashStruct, 32 bytes."""
        return struct_hash(
            TERMS_TYPE,
            *self.parties,
            self.merchant,
            self.card,
            self.amount_minor,
            self.authorize_before,
            self.capture_before,
            self.refund_before,
            self.interchange_bps,
            self.uetr,
            self.reference_hash,
            self.funding,
        )

    def payment_id(self, domain: Domain) -> bytes:
        """The EIP-712 digest of the terms: the payment's id, and what the card signs; 32 bytes."""
        return digest(domain, self.struct_hash)


def _require_int(name: str, value: object, low: int, high: int) -> None:
    # bool is an int in Python, and never what a caller means here.
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise InvalidTermsError(f"{name} must be an integer from {low} to {high}, not {value!r}")
