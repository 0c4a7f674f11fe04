"""The events of PaymentEscrow and its Directory. Amounts are minor units."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tael.addresses import checksummed
from tael.errors import InvalidInputError
from tael.events.abi_types import AbiType, add_enumeration, add_type
from tael.events.declaring import event
from tael.events.event import Event
from tael.models import EntryStatus
from tael.terms import Terms

PackedTerms = tuple[bytes, bytes, bytes, bytes]


def _packed(digits: str) -> PackedTerms:
    raw = bytes.fromhex(digits)
    return raw[:32], raw[32:64], raw[64:96], raw[96:]


add_type("PackedTerms", AbiType("(bytes32,bytes32,bytes32,bytes32)", "128s", _packed, words=4))
add_enumeration(EntryStatus)


# Directory


@event("address indexed token")
class TokenAdmitted(Event):
    """Payments may run in a currency."""

    token: str


@event("address indexed participant, address indexed delegate, uint256 verbs")
class DelegateSet(Event):
    """A participant's delegate has these verbs now and no other; `verbs` is a sum of `Verb`."""

    participant: str
    delegate: str
    verbs: int


@event(
    "bytes32 indexed merchant, address indexed acquirer, address signer, uint16 categoryCode, "
    "bytes32 nameHash"
)
class MerchantSet(Event):
    """A merchant was registered or changed."""

    merchant: bytes
    acquirer: str
    signer: str
    category_code: int
    name_hash: bytes


@event("bytes32 indexed merchant, address indexed token, uint256 staticLimit, EntryStatus status")
class AcceptanceSet(Event):
    """A merchant takes a currency on these terms now."""

    merchant: bytes
    token: str
    static_limit_minor: int
    status: EntryStatus


@event(
    "address indexed issuer, address indexed card, address indexed token, uint256 paymentLimit, "
    "uint256 dayLimit, EntryStatus status"
)
class CardSet(Event):
    """A card may spend this much now."""

    issuer: str
    card: str
    token: str
    payment_limit_minor: int
    day_limit_minor: int
    status: EntryStatus


# Payments

_OPENING = (
    "bytes32 indexed id, address indexed issuer, address indexed acquirer, address token, "
    "PackedTerms terms"
)


@dataclass(frozen=True, slots=True)
class PaymentOpened(Event):
    """What the two events that open a payment share."""

    id: bytes
    issuer: str
    acquirer: str
    token: str
    packed: PackedTerms

    @property
    def terms(self) -> Terms:
        """The terms of the payment."""
        return Terms.unpack((self.issuer, self.acquirer, self.token), self.packed)

    @property
    def merchant(self) -> bytes:
        """Merchant id, 32 bytes."""
        return self.packed[0]

    @property
    def reference_hash(self) -> bytes:
        """Salted hash of the issuer's reference, 32 bytes."""
        return self.packed[1]

    @property
    def card(self) -> str:
        """The payer's key, checksummed."""
        return checksummed(self.packed[2][:20])

    @property
    def amount_minor(self) -> int:
        """What was authorized or charged, minor units."""
        return int.from_bytes(self.packed[2][20:28], "big")

    @property
    def uetr(self) -> bytes:
        """UETR, 16 bytes."""
        return self.packed[3][:16]

    @property
    def capture_before(self) -> int:
        """Unix seconds; reclaim from then on."""
        return int.from_bytes(self.packed[3][21:26], "big")


def opened_in(log: Mapping[str, Any]) -> tuple[bytes, bytes]:
    """The payment id and the reference hash of a log of `PaymentOpened`, cut out of it undecoded.

    Args:
        log: As a node gives it.

    Raises:
        InvalidInputError: It is no such log.
    """
    try:
        # After the token and the merchant, a word each.
        names = bytes.fromhex(log["topics"][1][2:]), bytes.fromhex(log["data"][130:194])
    except (LookupError, TypeError, ValueError) as error:
        raise InvalidInputError(f"Not a valid log of a payment: {error}.") from error
    if [len(name) for name in names] != [32, 32]:
        raise InvalidInputError("A log of a payment is too short.")
    return names


@event(_OPENING)
class PaymentAuthorized(PaymentOpened):
    """A payment's amount was set aside."""


@event(_OPENING)
class PaymentCharged(PaymentOpened):
    """A payment was paid at once, in full."""


@event("bytes32 indexed id, uint256 capturedTotal")
class PaymentCaptured(Event):
    """Captured so far, now that more was captured."""

    id: bytes
    captured_total_minor: int


@event("bytes32 indexed id, uint256 voidedTotal")
class PaymentVoided(Event):
    """Voided so far, now that more was voided."""

    id: bytes
    voided_total_minor: int


@event("bytes32 indexed id, uint256 voidedTotal")
class PaymentReclaimed(Event):
    """Voided so far, now that the rest was reclaimed."""

    id: bytes
    voided_total_minor: int


@event("bytes32 indexed id, uint256 refundedTotal")
class PaymentRefunded(Event):
    """Refunded so far, now that more was refunded."""

    id: bytes
    refunded_total_minor: int


@event("bytes32 indexed id, bytes refusal")
class PaymentSkipped(Event):
    """A payment of a batch was refused and left out; `refusal` is the ABI-encoded error."""

    id: bytes
    refusal: bytes
