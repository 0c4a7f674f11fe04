"""Payments for the scenarios: terms that are fine, and who signs what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tael import typed_data

from .lockstep import ACQUIRER, CARDS, HASH, ISSUER, TILLS, WALLET_OWNER, Lockstep
from .messages import Key, Terms, compact, halves, payment_id
from .model import DAY

if TYPE_CHECKING:
    from .model import Contract

KEYS = {card.address: card for card in CARDS}


def make_terms(tael: Lockstep, **changes: Any) -> Terms:
    """Terms of a payment that goes through, with the changes asked for."""
    terms = Terms(
        issuer=ISSUER,
        acquirer=ACQUIRER,
        token=tael.cny.address,
        merchant=tael.merchants[0],
        card=CARDS[0].address,
        amount=1_000,
        authorize_before=tael.now + 60,
        capture_before=tael.now + 5 * DAY,
        refund_before=tael.now + 30 * DAY,
        interchange_bps=150,
        uetr=bytes(range(16)),
        reference_hash=HASH,
    )
    return terms.but(**changes)


def identity(tael: Lockstep, terms: Terms) -> bytes:
    return payment_id(tael.escrow.address, terms)


def card_key(tael: Lockstep, terms: Terms) -> Key:
    return WALLET_OWNER if terms.card == tael.wallet else KEYS.get(terms.card, CARDS[0])


def signed(tael: Lockstep, terms: Terms) -> tuple[bytes, bytes]:
    """The card's signature as the plain verbs take it."""
    return halves(card_key(tael, terms).sign(identity(tael, terms)))


def plain(tael: Lockstep, terms: Terms) -> tuple[Any, ...]:
    """The arguments of authorize and charge."""
    return signed(tael, terms), terms.parties, terms.packed


def full(
    tael: Lockstep, terms: Terms, codes: list[Any] | None = None, consents: list[Any] | None = None
) -> tuple[Any, ...]:
    """The arguments of authorizeWith and chargeWith."""
    signature = card_key(tael, terms).sign(identity(tael, terms))
    return terms.parties, terms.packed, (signature, codes or [], consents or [])


def code(
    tael: Lockstep,
    terms: Terms,
    *,
    amount: int | None = None,
    expires_at: int | None = None,
    key: Key | None = None,
    short: bool = True,
) -> tuple[int, int, bytes]:
    """The merchant's dynamic code for the terms."""
    amount = terms.amount if amount is None else amount
    expires_at = tael.now + 60 if expires_at is None else expires_at
    index = tael.merchants.index(terms.merchant)
    signer = key or (WALLET_OWNER if index == 2 else TILLS[index])
    digest = typed_data.dynamic_code_digest(
        tael.escrow.domain, terms.merchant, terms.token, amount, terms.uetr, expires_at
    )
    signature = signer.sign(digest)
    return amount, expires_at, compact(signature) if short else signature


def consent(
    tael: Lockstep, terms: Terms, key: Key, *, verb: str = "authorize", before: int | None = None
) -> tuple[str, int, bytes]:
    """A signature that lets anyone send the verb."""
    before = tael.now + 60 if before is None else before
    digests = {
        "authorize": typed_data.authorize_consent_digest,
        "charge": typed_data.charge_consent_digest,
    }
    digest = digests[verb](tael.escrow.domain, identity(tael, terms), before)
    return key.address, before, key.sign(digest)


def item(tael: Lockstep, terms: Terms, index: int = 0) -> tuple[Any, ...]:
    """One payment of authorizeMany."""
    return terms.packed, signed(tael, terms), index


def authorize(tael: Lockstep, terms: Terms) -> bytes:
    tael.ok(terms.issuer, tael.escrow, "authorize", *plain(tael, terms))
    return identity(tael, terms)


def available(tael: Lockstep, participant: str) -> int:
    """Read from the contract."""
    found: int = tael.chain.read(tael.cny.address, "availableOf", participant)
    return found


def balance(tael: Lockstep, participant: str) -> int:
    """Read from the contract."""
    found: int = tael.chain.read(tael.cny.address, "balanceOf", participant)
    return found


def calldata(tael: Lockstep, to: Contract, name: str, *arguments: Any) -> bytearray:
    interface = tael.chain.interfaces[tael.chain.kinds[to.address]]
    return bytearray(interface.calldata(name, *arguments))
