"""What the reference ledger keeps: of one currency, one payment and one card."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tael.models import AccountStatus, EntryStatus

if TYPE_CHECKING:
    from tael import events as ev

__all__ = ["LedgerCard", "LedgerPayment", "LedgerToken"]


@dataclass(slots=True)
class LedgerToken:
    """One currency; amounts in minor units.

    Args:
        supply_minor: Issued less redeemed.
        balances: What each participant owns, by address.
        escrowed: Part of it that is held for whoever is the escrow, by issuer.
        reserved: Part of it that other modules hold, by module and participant.
        statuses: By participant.
        attestation: Amount, valid-before (Unix seconds) and document hash.
        escrow: The admitted escrow; None if none is.
        modules: Other admitted modules.
        issued: Bank references of issues.
        redeemed: Participant and bank reference of redemptions.
        consumed: Authorizer and nonce of ERC-3009 messages used or cancelled.
    """

    supply_minor: int = 0
    balances: dict[str, int] = field(default_factory=dict)
    escrowed: dict[str, int] = field(default_factory=dict)
    reserved: dict[tuple[str, str], int] = field(default_factory=dict)
    statuses: dict[str, AccountStatus] = field(default_factory=dict)
    attestation: tuple[int, int, bytes] = (0, 0, bytes(32))
    paused: bool = False
    escrow: str | None = None
    modules: set[str] = field(default_factory=set)
    issued: set[bytes] = field(default_factory=set)
    redeemed: set[tuple[str, bytes]] = field(default_factory=set)
    consumed: set[tuple[str, bytes]] = field(default_factory=set)

    def is_module(self, module: str) -> bool:
        """Whether it may place and execute holds; the escrow may."""
        return module == self.escrow or module in self.modules

    def held_for(self, module: str, participant: str) -> int:
        """What one module holds of a participant; a new escrow has its predecessor's holds."""
        if module == self.escrow:
            return self.escrowed.get(participant, 0)
        return self.reserved.get((module, participant), 0)

    def held_of(self, participant: str) -> int:
        """What all modules together hold of a participant."""
        others = sum(amount for (_, who), amount in self.reserved.items() if who == participant)
        return self.escrowed.get(participant, 0) + others

    def available_of(self, participant: str) -> int:
        """What a participant can spend."""
        return self.balances.get(participant, 0) - self.held_of(participant)


@dataclass(slots=True)
class LedgerPayment:
    """One payment; amounts in minor units, cumulative.

    Args:
        opened: The event that opened it.
        authorized_day: UTC days since 1970.
    """

    opened: ev.PaymentOpened
    authorized_day: int
    captured_minor: int = 0
    voided_minor: int = 0
    refunded_minor: int = 0

    @property
    def escrow(self) -> str:
        """The escrow it runs in."""
        return self.opened.at.contract

    @property
    def held_minor(self) -> int:
        """What is still set aside for it."""
        return self.opened.amount_minor - self.captured_minor - self.voided_minor


@dataclass(slots=True)
class LedgerCard:
    """A card's limits in one currency and what it spent on the last day it was used."""

    payment_limit_minor: int = 0
    day_limit_minor: int = 0
    status: EntryStatus = EntryStatus.NONE
    day: int = 0
    spent_minor: int = 0

    def spent_on(self, day: int) -> int:
        """What it spent on a UTC day, days since 1970; zero for any but its last."""
        return self.spent_minor if day == self.day else 0
