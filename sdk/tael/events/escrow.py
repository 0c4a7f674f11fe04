"""The events of PaymentEscrow and its Directory. Amounts are minor units."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from tael.addresses import checksummed
from tael.errors import InvalidInputError
from tael.events.event import Event
from tael.terms import Terms

if TYPE_CHECKING:
    from tael.models import EntryStatus

PackedTerms = tuple[bytes, bytes, bytes, bytes]


# Directory


@dataclass(frozen=True, slots=True)
class TokenAdmitted(Event):
    """Payments may run in a currency."""

    declaration: ClassVar[str] = "TokenAdmitted(address indexed token)"
    token: str


@dataclass(frozen=True, slots=True)
class DelegateSet(Event):
    """A participant's delegate has these verbs now and no other; `verbs` is a sum of `Verb`."""

    declaration: ClassVar[str] = (
        "DelegateSet(address indexed participant, address indexed delegate, uint256 verbs)"
    )
    participant: str
    delegate: str
    verbs: int


@dataclass(frozen=True, slots=True)
class MerchantSet(Event):
    """A merchant was registered or changed."""

    declaration: ClassVar[str] = (
        "MerchantSet(bytes32 indexed merchant, address indexed acquirer, address signer,"
        " uint16 categoryCode, bytes32 nameHash)"
    )
    merchant: bytes
    acquirer: str
    signer: str
    category_code: int
    name_hash: bytes


@dataclass(frozen=True, slots=True)
class AcceptanceSet(Event):
    """A merchant takes a currency on these terms now."""

    declaration: ClassVar[str] = (
        "AcceptanceSet(bytes32 indexed merchant, address indexed token, uint256 staticLimit,"
        " EntryStatus status)"
    )
    merchant: bytes
    token: str
    static_limit_minor: int
    status: EntryStatus


@dataclass(frozen=True, slots=True)
class CardSet(Event):
    """A card may spend this much now."""

    declaration: ClassVar[str] = (
        "CardSet(address indexed issuer, address indexed card, address indexed token,"
        " uint256 paymentLimit, uint256 dayLimit, EntryStatus status)"
    )
    issuer: str
    card: str
    token: str
    payment_limit_minor: int
    day_limit_minor: int
    status: EntryStatus


# Payments


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
        raise InvalidInputError(f"A log of a payment that is none: {error}.") from error
    if [len(name) for name in names] != [32, 32]:
        raise InvalidInputError("A log of a payment is too short.")
    return names


@dataclass(frozen=True, slots=True)
class PaymentAuthorized(PaymentOpened):
    """A payment's amount was set aside."""

    declaration: ClassVar[str] = (
        "PaymentAuthorized(bytes32 indexed id, address indexed issuer, address indexed acquirer,"
        " address token, PackedTerms terms)"
    )


@dataclass(frozen=True, slots=True)
class PaymentCharged(PaymentOpened):
    """A payment was paid at once, in full."""

    declaration: ClassVar[str] = (
        "PaymentCharged(bytes32 indexed id, address indexed issuer, address indexed acquirer,"
        " address token, PackedTerms terms)"
    )


@dataclass(frozen=True, slots=True)
class PaymentCaptured(Event):
    """Captured so far, now that more was captured."""

    declaration: ClassVar[str] = "PaymentCaptured(bytes32 indexed id, uint256 capturedTotal)"
    id: bytes
    captured_total_minor: int


@dataclass(frozen=True, slots=True)
class PaymentVoided(Event):
    """Voided so far, now that more was voided."""

    declaration: ClassVar[str] = "PaymentVoided(bytes32 indexed id, uint256 voidedTotal)"
    id: bytes
    voided_total_minor: int


@dataclass(frozen=True, slots=True)
class PaymentReclaimed(Event):
    """Voided so far, now that the rest was reclaimed."""

    declaration: ClassVar[str] = "PaymentReclaimed(bytes32 indexed id, uint256 voidedTotal)"
    id: bytes
    voided_total_minor: int


@dataclass(frozen=True, slots=True)
class PaymentRefunded(Event):
    """Refunded so far, now that more was refunded."""

    declaration: ClassVar[str] = "PaymentRefunded(bytes32 indexed id, uint256 refundedTotal)"
    id: bytes
    refunded_total_minor: int


@dataclass(frozen=True, slots=True)
class PaymentSkipped(Event):
    """A payment of a batch was refused and left out; `refusal` is the ABI-encoded error."""

    declaration: ClassVar[str] = "PaymentSkipped(bytes32 indexed id, bytes refusal)"
    id: bytes
    refusal: bytes
