"""What the banks themselves write down while the job runs: their own books, beside the chain's.

Nothing here is read from the chain. Amounts are what a bank ordered and what the answers said, so
that comparing them with the chain at the end proves something.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tael import PreparedPayment, Written

BPS = 10_000


@dataclass
class PaymentRecord:
    """One payment as its banks have it; amounts in minor units, cumulative.

    Args:
        payment_id: 32 bytes.
        reference: The issuer's.
        issuer: Address.
        acquirer: Address.
        currency: ISO 4217 letters.
        amount_minor: Authorized or charged.
        interchange_bps: Share of each capture that stays with the issuer, in 1/10,000.
        merchant: Name, for the banks' own statements.
        uetr: 16 bytes.
        second: Of the busy day; None if it is not one of its payments.
    """

    payment_id: bytes
    reference: str
    issuer: str
    acquirer: str
    currency: str
    amount_minor: int
    interchange_bps: int
    merchant: str
    uetr: bytes
    second: int | None = None
    captured_minor: int = 0
    voided_minor: int = 0
    refunded_minor: int = 0

    @property
    def held_minor(self) -> int:
        """Still set aside."""
        return self.amount_minor - self.captured_minor - self.voided_minor

    @property
    def is_settled(self) -> bool:
        """Whether the merchant's bank was paid and nothing is set aside any more."""
        return self.captured_minor > 0 and self.held_minor == 0

    def interchange_of(self, total_minor: int) -> int:
        """What stays with the issuer of a captured or refunded total, rounded down."""
        return total_minor * self.interchange_bps // BPS

    def add_effects(self, books: dict[tuple[str, str], int], scheme: str, scheme_bps: int) -> None:
        """Change balances by address and currency as this payment does."""
        scheme_fee = self.captured_minor * scheme_bps // BPS
        paid = self.captured_minor - self.interchange_of(self.captured_minor)
        returned = self.refunded_minor - self.interchange_of(self.refunded_minor)
        for who, change in (
            (self.issuer, returned - paid),
            (self.acquirer, paid - scheme_fee - returned),
            (scheme, scheme_fee),
        ):
            books[who, self.currency] = books.get((who, self.currency), 0) + change


@dataclass(frozen=True)
class Write:
    """One transaction that went through.

    Args:
        verb: As the contract names it.
        written: The SDK's answer.
        items: How many payments or entries it carried.
    """

    verb: str
    written: Written
    items: int

    @property
    def gas_each(self) -> int:
        """Gas per payment or entry."""
        return self.written.gas_used // self.items


@dataclass(frozen=True)
class Refusal:
    """Something that was tried and refused, by the name that was expected.

    Args:
        title: What was tried.
        by: Who refused: the payer's wallet, the escrow, the token, the SDK.
        error: The exception's class.
        name: The error's name: the contract's, or the code of a wallet's refusal.
        message: What the caller is told.
        picture: The file of the code that was refused, relative to the output; None if it was none.
    """

    title: str
    by: str
    error: str
    name: str
    message: str
    picture: str | None = None


@dataclass(frozen=True)
class Step:
    """One thing that happened, by the chain's clock.

    Args:
        at: Unix seconds.
        who: A role, a bank or a person.
        what: In words.
        transaction: Its hash; None if nothing was sent.
    """

    at: int
    who: str
    what: str
    transaction: str | None = None


@dataclass
class Scene:
    """A payment story at a till, for the report.

    Args:
        title: In a few words.
        picture: The file of the code that was scanned, relative to the output; None without one.
        wallet: What the payer's side showed before the card signed: label and value.
        steps: What happened.
        outcome: How it ended.
    """

    title: str
    picture: str | None = None
    wallet: list[tuple[str, str]] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    outcome: str = ""


@dataclass(frozen=True)
class ForeignCode:
    """Another scheme's code and what a wallet makes of it.

    Args:
        title: What it is, in words.
        picture: Its file, relative to the output.
        scheme: As recognized.
        facts: Label and value.
        warnings: Codes of what a lenient reader let pass.
        verdict: Why Tael does not pay it.
        source: Where the payload comes from.
    """

    title: str
    picture: str
    scheme: str
    facts: list[tuple[str, str]]
    warnings: list[str]
    verdict: str
    source: str


@dataclass(frozen=True)
class Batch:
    """One round of the busy day between two banks.

    Args:
        window: 1 and up.
        issuer: Address.
        acquirer: Address.
        currency: ISO 4217 letters.
        payments: How many.
        amount_minor: Their sum.
    """

    window: int
    issuer: str
    acquirer: str
    currency: str
    payments: int
    amount_minor: int


class Record:
    """Everything that was written down. Several banks write at once."""

    def __init__(self) -> None:
        self.payments: dict[bytes, PaymentRecord] = {}
        self.writes: list[Write] = []
        self.refusals: list[Refusal] = []
        self.timeline: list[Step] = []
        self.scenes: list[Scene] = []
        self.foreign: list[ForeignCode] = []
        self.batches: list[Batch] = []
        self.moved: dict[tuple[str, str], int] = {}
        self._guard = threading.Lock()

    def opened(
        self, prepared: PreparedPayment, merchant: str, second: int | None = None
    ) -> PaymentRecord:
        """A payment that was authorized or charged."""
        terms = prepared.terms
        record = PaymentRecord(
            payment_id=prepared.payment_id,
            reference=prepared.reference,
            issuer=terms.issuer,
            acquirer=terms.acquirer,
            currency=prepared.amount.currency.alpha,
            amount_minor=terms.amount_minor,
            interchange_bps=terms.interchange_bps,
            merchant=merchant,
            uetr=terms.uetr,
            second=second,
        )
        with self._guard:
            self.payments[prepared.payment_id] = record
        return record

    def wrote(self, verb: str, written: Written, items: int = 1) -> None:
        """A transaction; a repeat that sent nothing is none."""
        if not written.repeated:
            with self._guard:
                self.writes.append(Write(verb, written, items))

    def move(self, who: str, currency: str, change_minor: int) -> None:
        """A bank's balance changed by something that is no payment."""
        with self._guard:
            self.moved[who, currency] = self.moved.get((who, currency), 0) + change_minor

    def add_batches(self, batches: Iterable[Batch]) -> None:
        """Rounds of the busy day."""
        with self._guard:
            self.batches.extend(batches)

    def settled(self) -> list[PaymentRecord]:
        """The payments that are over and paid."""
        return [payment for payment in self.payments.values() if payment.is_settled]

    def open(self) -> list[PaymentRecord]:
        """The payments for which something is still set aside."""
        return [payment for payment in self.payments.values() if payment.held_minor]

    def books(self, scheme: str, scheme_bps: int) -> dict[tuple[str, str], int]:
        """Balances by address and currency, as the banks' own records make them."""
        books = dict(self.moved)
        for payment in self.payments.values():
            payment.add_effects(books, scheme, scheme_bps)
        return books
