"""What services return: typed, frozen, with money in minor units and times in Unix seconds."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from tael.errors import InvalidInputError

if TYPE_CHECKING:
    from tael.errors import TaelError
    from tael.money import Money
    from tael.terms import Terms

__all__ = [
    "AccountStatus",
    "Balance",
    "BatchOutcome",
    "CardEntry",
    "CodeProof",
    "Consent",
    "EntryStatus",
    "Evidence",
    "MerchantRecord",
    "Acceptance",
    "ParticipantStatus",
    "PaymentStatus",
    "PreparedPayment",
    "Reserve",
    "Resolution",
    "ScheduledOperation",
    "SignedPayment",
    "Verb",
    "Written",
]


class AccountStatus(enum.IntEnum):
    """What a participant's account may do, per currency.

    Source: `ISettlementToken.AccountStatus`.
    """

    NONE = 0
    ACTIVE = 1
    SUSPENDED = 2
    CLOSED = 3


class EntryStatus(enum.IntEnum):
    """Whether a merchant or a card counts, per currency.

    Source: `IDirectory.EntryStatus`.
    """

    NONE = 0
    ACTIVE = 1
    BLOCKED = 2


class Verb(enum.IntFlag):
    """What a delegate may do for its participant.

    Source: `contracts/libraries/Verbs.sol`.
    """

    AUTHORIZE = 1
    CHARGE = 2
    CAPTURE = 4
    VOID = 8
    REFUND = 16
    CARDS = 32
    MERCHANTS = 64


@dataclass(frozen=True, slots=True)
class Written:
    """A write that is in a block.

    Args:
        reference: The caller's reference.
        transaction_hash: Of the transaction that had the effect, 0x and 64 digits.
        block_number: The block it is in.
        gas_used: By the whole transaction.
        repeated: True if the chain had it before this call: nothing new happened, and the values
            are those of the first time.
        subject: What the write made or changed, if it has a key: a payment id, merchant id, bank
            reference or nonce; 32 bytes.
        status: ``included`` in a block that a reorganisation may still undo, or ``final``.
    """

    reference: str
    transaction_hash: str
    block_number: int
    gas_used: int
    repeated: bool = False
    subject: bytes | None = None
    status: Literal["included", "final"] = "included"


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a resolution rests on.

    Args:
        why: In words, for a person.
        transaction_hashes: Everything that was signed for it, or that had the effect.
        block_number: The block with the effect.
        block_hash: That block's hash.
        log_index: The effect's first log in that block.
        valid_before: Chain time from which on no signed message for it can take effect.
    """

    why: str
    transaction_hashes: tuple[str, ...] = ()
    block_number: int | None = None
    block_hash: str | None = None
    log_index: int | None = None
    valid_before: int | None = None


@dataclass(frozen=True, slots=True)
class Resolution:
    """What became of a write.

    Args:
        reference: The caller's.
        state: ``settled``: it has taken effect. ``pending``: it may still. ``absent``: it has not
            and never will.
        status: Of a settled one: ``included`` in a block that can still be undone, or ``final``.
            Of a pending one: ``submitted`` if something was signed. Of an absent one: ``final``.
        evidence: What that rests on.
        subject: What it made or changed, if that has a key.
        refusal: Why the contract refused the last attempt, if it did.
    """

    reference: str
    state: Literal["settled", "pending", "absent"]
    status: Literal["submitted", "included", "final"] | None
    evidence: Evidence
    subject: bytes | None = None
    refusal: TaelError | None = None


@dataclass(frozen=True, slots=True)
class Balance:
    """A participant's balance in one currency; ``total`` is ``available`` and ``held`` together."""

    participant: str
    total: Money
    available: Money
    held: Money


@dataclass(frozen=True, slots=True)
class Reserve:
    """The attested reserve of a currency.

    Args:
        amount: The supply may not be raised above it.
        supply: What is issued now.
        valid_before: Unix seconds; from then on nothing can be issued on it.
        document_hash: 32 bytes.
        is_stale: Whether `valid_before` has passed on the chain.
    """

    amount: Money
    supply: Money
    valid_before: int
    document_hash: bytes
    is_stale: bool


@dataclass(frozen=True, slots=True)
class ParticipantStatus:
    """Where a participant stands in one currency."""

    participant: str
    currency: str
    status: AccountStatus
    balance: Balance


@dataclass(frozen=True, slots=True)
class ScheduledOperation:
    """A governance operation that waits for its delay to pass.

    Args:
        operation_id: 32 bytes, of the AccessManager.
        caller: Who scheduled it and alone may execute it.
        target: The contract it is for.
        data: The call, ABI-encoded.
        verb: The contract function's name.
        ready_at: Unix seconds; from then on it can be executed.
        expires_at: Unix seconds; from then on it must be scheduled again.
        state: ``waiting`` or ``ready`` by the chain's clock when it was read.
        written: The transaction that scheduled it, if this call did.
    """

    operation_id: bytes
    caller: str
    target: str
    data: bytes
    verb: str
    ready_at: int
    expires_at: int
    state: Literal["waiting", "ready"]
    written: Written | None = None


@dataclass(frozen=True, slots=True)
class MerchantRecord:
    """What the Directory says of a merchant; `name_hash` stands for a name that is not there."""

    merchant_id: bytes
    acquirer: str
    signer: str
    category_code: int
    name_hash: bytes


@dataclass(frozen=True, slots=True)
class Acceptance:
    """On what terms a merchant takes a currency.

    Args:
        static_limit: The most a payment may be without the merchant's dynamic code.
        status: Whether payments may be opened.
    """

    static_limit: Money
    status: EntryStatus = EntryStatus.ACTIVE


@dataclass(frozen=True, slots=True)
class CardEntry:
    """What an issuer lets a card spend in one currency.

    Args:
        card: The payer's key, a checksummed address.
        payment_limit: The most per payment.
        day_limit: The most per UTC day, in the currency of `payment_limit`.
        status: Whether payments may be opened.
        spent_today: Of `day_limit`, in the chain's UTC day; None in what is written.
    """

    card: str
    payment_limit: Money
    day_limit: Money
    status: EntryStatus = EntryStatus.ACTIVE
    spent_today: Money | None = None


@dataclass(frozen=True, slots=True)
class CodeProof:
    """A merchant's signature over its dynamic code: what a payment above the static limit needs.

    Args:
        amount_minor: What the merchant asked for, before a tip, in minor units.
        expires_at: Unix seconds; it counts strictly before.
        signature: 64 bytes (ERC-2098), 65, or what a contract account takes.

    Raises:
        InvalidInputError: A value does not fit its field.

    Source: `contracts/interfaces/IPaymentEscrow.sol`, `DynamicCode`.
    """

    amount_minor: int
    expires_at: int
    signature: bytes

    def __post_init__(self) -> None:
        for name, value, bits in (
            ("amount_minor", self.amount_minor, 64),
            ("expires_at", self.expires_at, 40),
        ):
            if type(value) is not int or not 0 <= value < 2**bits:
                raise InvalidInputError(f"{name} must be an integer of {bits} bits, not {value!r}")
        if not isinstance(self.signature, bytes):
            raise InvalidInputError("signature must be bytes")


@dataclass(frozen=True, slots=True)
class Consent:
    """An issuer's signature that lets anyone open one payment for it.

    Args:
        verb: ``authorize`` or ``charge``; it counts for no other.
        payment_id: 32 bytes.
        signer: The issuer, or a delegate that has the verb when the consent is included.
        valid_before: Unix seconds; it counts strictly before.
        signature: Over the consent's EIP-712 digest.
    """

    verb: Literal["authorize", "charge"]
    payment_id: bytes
    signer: str
    valid_before: int
    signature: bytes


@dataclass(frozen=True, slots=True)
class PreparedPayment:
    """Terms that a card can sign, with what its holder should see first.

    Keep it until the payment is over: the same prepared payment can be sent again and never pays
    twice, while preparing anew makes another payment.

    Args:
        payment_id: 32 bytes: what the card signs.
        terms: The terms.
        amount: The amount, tip included.
        reference: The issuer's reference that the terms commit to.
        merchant_name: As the code spells it and the Directory vouches for; None without a code.
        proof: The merchant's signature over its dynamic code, if the payment came from one.
    """

    payment_id: bytes
    terms: Terms
    amount: Money
    reference: str
    merchant_name: str | None = None
    proof: CodeProof | None = None


@dataclass(frozen=True, slots=True)
class SignedPayment:
    """A prepared payment and the card's signature over its id."""

    prepared: PreparedPayment
    card_signature: bytes

    @property
    def terms(self) -> Terms:
        """The terms."""
        return self.prepared.terms

    @property
    def payment_id(self) -> bytes:
        """The payment's id, 32 bytes."""
        return self.prepared.payment_id


@dataclass(frozen=True, slots=True)
class BatchOutcome:
    """What became of one payment of a batch.

    Args:
        payment_id: 32 bytes.
        written: The transaction that has it; None if it was refused.
        refusal: Why it was left out, as the verb alone would have raised it; None if it went
            through.
    """

    payment_id: bytes
    written: Written | None
    refusal: TaelError | None

    @property
    def accepted(self) -> bool:
        """Whether the payment went through, now or before."""
        return self.written is not None


@dataclass(frozen=True, slots=True)
class PaymentStatus:
    """A payment as the chain has it, and what may be done with it now.

    Args:
        payment_id: 32 bytes.
        terms: As the event that opened it tells them.
        amount: What was authorized or charged.
        captured: Of it, paid out so far.
        voided: Of it, given back to the issuer's available so far (voided or reclaimed).
        refunded: Of what was captured, given back to the cardholder so far.
        held: Still set aside: amount less captured less voided.
        authorized_day: UTC days since 1970 on which it counts against the card's limit.
        chain_time: Unix seconds; the chain's clock this was judged by.
        may_capture_before: Unix seconds; None if nothing can be captured any more.
        may_void: Whether something is left to void. Voiding has no deadline.
        may_reclaim_from: Unix seconds from which anyone may reclaim; None if nothing is held.
        may_refund_before: Unix seconds; None if nothing can be refunded any more.
    """

    payment_id: bytes
    terms: Terms
    amount: Money
    captured: Money
    voided: Money
    refunded: Money
    held: Money
    authorized_day: int
    chain_time: int
    may_capture_before: int | None
    may_void: bool
    may_reclaim_from: int | None
    may_refund_before: int | None
    verbs: tuple[str, ...] = field(default=())
    """The verbs that would be accepted at `chain_time`, of capture, void, reclaim, refund."""
