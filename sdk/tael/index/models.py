"""What reading the index gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tael.index.movement_kinds import ModuleMovementKind, MovementKind
    from tael.terms import Terms

__all__ = ["AccountBalance", "IndexStatus", "IndexedPayment", "Movement"]


@dataclass(frozen=True, slots=True)
class IndexStatus:
    """How far an index has come.

    Args:
        block_number: The last block that is in it; None before the first.
        block_hash: 0x and 64 digits.
        block_time: Unix seconds.
        final_number: The last block that cannot be taken back any more; -1 if none is.
        payments: How many were opened.
        movements: How many there are.
        receipts: How many transactions were read, those that were taken back among them.
    """

    block_number: int | None
    block_hash: str | None
    block_time: int | None
    final_number: int
    payments: int
    movements: int
    receipts: int


@dataclass(frozen=True, slots=True)
class AccountBalance:
    """What a participant has in a currency, minor units."""

    participant: str
    currency: str
    available_minor: int
    held_minor: int
    movements: int


@dataclass(frozen=True, slots=True)
class IndexedPayment:
    """A payment as the index has it; amounts in minor units, cumulative.

    Args:
        payment_id: 32 bytes.
        escrow: Address of its escrow, checksummed.
        terms: What the card signed.
        currency: ISO 4217 letters.
        is_charged: Whether it was paid at once.
        captured_minor: Captured so far.
        voided_minor: Voided or reclaimed so far.
        refunded_minor: Refunded so far.
        opened_at: Unix seconds, the block's time.
        transaction_hash: Of the transaction that opened it, 0x and 64 digits.
        log_index: Of the event that opened it.
        block_number: Of its block.
        block_hash: Of its block, 0x and 64 digits.
    """

    payment_id: bytes
    escrow: str
    terms: Terms
    currency: str
    is_charged: bool
    captured_minor: int
    voided_minor: int
    refunded_minor: int
    opened_at: int
    transaction_hash: str
    log_index: int
    block_number: int
    block_hash: str

    @property
    def held_minor(self) -> int:
        """What is still set aside for it."""
        return self.terms.amount_minor - self.captured_minor - self.voided_minor


@dataclass(frozen=True, slots=True)
class Movement:
    """One change of what a participant has available or held; amounts in minor units, signed.

    Args:
        number: Its place among all movements of the account, from 1 on.
        kind: Why.
        at: Unix seconds, the block's time.
        counterparty: Checksummed; None for issues and redemptions.
        payment_id: 32 bytes; None if it is no payment's.
        uetr: 16 bytes; None if it is no payment's.
        reference_hash: Of the issuer's reference for the payment, 32 bytes.
        subject: ERC-3009 nonce, bank reference or hash of an order, 32 bytes; None without one.
        gross_minor: Of a payment: by how much its total changed; never negative.
        interchange_minor: Of it, the issuer's share.
        available_change_minor: What available changed by.
        held_change_minor: What held changed by.
        available_minor: Available after it.
        held_minor: Held after it.
        transaction_hash: 0x and 64 digits.
        log_index: Of the event it stands for.
        block_number: Of its block.
        block_hash: Of its block, 0x and 64 digits.
    """

    number: int
    kind: MovementKind | ModuleMovementKind
    at: int
    counterparty: str | None
    payment_id: bytes | None
    uetr: bytes | None
    reference_hash: bytes | None
    subject: bytes | None
    gross_minor: int
    interchange_minor: int
    available_change_minor: int
    held_change_minor: int
    available_minor: int
    held_minor: int
    transaction_hash: str
    log_index: int
    block_number: int
    block_hash: str

    @property
    def change_minor(self) -> int:
        """What the balance, available and held together, changed by."""
        return self.available_change_minor + self.held_change_minor

    @property
    def balance_minor(self) -> int:
        """The balance after it."""
        return self.available_minor + self.held_minor
