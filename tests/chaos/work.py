"""The work of the clients: orders, and how one is carried out through the SDK."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from eth_utils.address import to_checksum_address

from tael import CardEntry, Money
from tael.models import BatchOutcome, Written

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tael import Client
    from tael.models import SignedPayment

Verb = Literal[
    "transfer",
    "issue",
    "redeem",
    "authorize",
    "charge",
    "authorize_many",
    "authorize_each",
    "capture",
    "capture_many",
    "void",
    "refund",
    "set_cards",
]


@dataclass(frozen=True)
class Payment:
    """A payment that some orders are about."""

    reference: str
    issuer: str
    acquirer: str
    card: str
    currency: str
    amount_minor: int
    authorize_seconds: int


@dataclass(frozen=True)
class Order:
    """One reference and what it stands for.

    Args:
        verb: What is to be done.
        reference: The participant's.
        amount_minor: Of a transfer, issue or redemption; the new total of a capture, void, refund;
            the limit of a card.
        currency: Of the amount, where no payment says it.
        payee: Role of who gets it.
        payments: References of the payments it is about.
        fails: Whether the contract must refuse it, whatever happens.
        conflicts: Whether its reference stands for another body.
        lapses: Whether time may run out for it, so that it is refused in the end.
    """

    verb: Verb
    reference: str
    amount_minor: int = 0
    currency: str = ""
    payee: str = ""
    payments: tuple[str, ...] = ()
    fails: bool = False
    conflicts: bool = False
    lapses: bool = False


@dataclass(frozen=True)
class Sheet:
    """What orders refer to: addresses by role and the signed payments by reference."""

    addresses: Mapping[str, str]
    signed: Mapping[str, SignedPayment]
    amounts: Mapping[str, Money]


def perform(client: Client, order: Order, sheet: Sheet) -> list[Written | BatchOutcome]:
    """Carry out an order once; what it raises is the caller's to handle."""
    payments, balances, reference = client.payments, client.balances, order.reference
    signed = [sheet.signed[name] for name in order.payments]
    if order.verb == "authorize_many":
        return list(payments.authorize_many(signed, reference=reference))
    if order.verb == "authorize_each":
        return list(payments.authorize_each(signed))
    if order.verb == "capture_many":
        totals = [
            (each, sheet.amounts[name]) for name, each in zip(order.payments, signed, strict=True)
        ]
        return list(payments.capture_many(totals, reference=reference))
    if order.verb in ("authorize", "charge"):
        return [getattr(payments, order.verb)(signed[0], reference=reference)]
    if order.verb in ("capture", "void", "refund"):
        total = Money(sheet.amounts[order.payments[0]].currency, order.amount_minor)
        return [getattr(payments, order.verb)(signed[0], total, reference=reference)]
    amount = Money(order.currency, order.amount_minor)
    if order.verb == "redeem":
        return [balances.redeem(amount, reference=reference)]
    if order.verb == "set_cards":
        card = CardEntry(card_of(reference), amount, amount + amount)
        return [client.directory.set_cards([card], reference=reference)]
    return [
        getattr(balances, order.verb)(sheet.addresses[order.payee], amount, reference=reference)
    ]


def card_of(reference: str) -> str:
    """The card that an order for cards is about: one that nobody else sets."""
    return to_checksum_address(hashlib.sha256(reference.encode()).digest()[:20])


def references_of(order: Order) -> list[str]:
    """What an order's fate can be asked by: its own reference, and those of a batch's payments."""
    if order.verb == "authorize_each":
        return list(order.payments)
    return [order.reference, *(order.payments if order.verb == "authorize_many" else ())]
