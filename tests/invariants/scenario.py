"""Payments for the scenarios: terms that are fine, and who signs what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tael import typed_data

from .actors import (
    ACQUIRER,
    BANKS,
    CARDS,
    GOVERNOR,
    GUARDIAN,
    HASH,
    ISSUER,
    NONCES,
    OUTSIDER,
    TILLS,
    WALLET_OWNER,
)
from .chain import Done, Event, Refused
from .lockstep import Lockstep
from .messages import Key, Terms, compact, halves, payment_id, vrs
from .model import DAY

if TYPE_CHECKING:
    from .model import Contract

FUNDS = 1_000_000
"""What each bank has in each currency."""

STATIC, PAYMENT, DAY_LIMIT = 5_000, 20_000, 60_000
"""The merchants' static limit, the cards' limits."""

MOST = 2**64 - 1
OPENING = ("authorize", "authorizeWith", "authorizeMany", "charge", "chargeWith")
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
    digest = typed_data.dynamic_code(
        tael.escrow.domain, terms.merchant, terms.token, amount, terms.uetr, expires_at
    ).digest
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


def open_refused(
    tael: Lockstep,
    verb: str,
    terms: Terms,
    error: str,
    values: tuple[Any, ...],
    codes: list[Any] | None = None,
) -> None:
    """The same refusal from every way to open a payment; a batch reports it."""
    at = identity(tael, terms)
    if verb == "authorizeMany":
        call: tuple[Any, ...] = (terms.parties, [item(tael, terms, 1 if codes else 0)], codes or [])
        done = tael.ok(terms.issuer, tael.escrow, verb, *call)
        skipped = Event(tael.escrow.address, "PaymentSkipped", (at, Refused(error, (at, *values))))
        assert done == Done((0,), (skipped,))
        return
    call = full(tael, terms, codes) if verb.endswith("With") else plain(tael, terms)
    tael.refuse(error, (at, *values), terms.issuer, tael.escrow, verb, *call)


def open_ok(tael: Lockstep, verb: str, terms: Terms, codes: list[Any] | None = None) -> None:
    if verb == "authorizeMany":
        items = [item(tael, terms, 1 if codes else 0)]
        done = tael.ok(terms.issuer, tael.escrow, verb, terms.parties, items, codes or [])
        assert done.returned == (1,)
        return
    call = full(tael, terms, codes) if verb.endswith("With") else plain(tael, terms)
    tael.ok(terms.issuer, tael.escrow, verb, *call)


def suspended(tael: Lockstep, participant: str) -> str:
    tael.ok(GUARDIAN, tael.cny, "suspend", participant, HASH)
    return participant


def closed(tael: Lockstep, participant: str) -> str:
    tael.ok(GOVERNOR, tael.cny, "close", participant)
    return participant


def permit(
    tael: Lockstep, key: Key, nonce: int, deadline: int, spender: str = OUTSIDER
) -> tuple[Any, ...]:
    fields = (key.address, spender, 5)
    digest = typed_data.permit_digest(tael.cny.domain, *fields, nonce, deadline)
    return (*fields, deadline, *vrs(key.sign(digest)))


def owner_of(tael: Lockstep, form: str) -> tuple[str, Key]:
    return (tael.wallet, WALLET_OWNER) if form.startswith("wallet") else (ISSUER, BANKS[0])


def authorization(
    tael: Lockstep,
    kind: str,
    form: str,
    *,
    after: int = -1,
    before: int = 1,
    nonce: bytes = NONCES[0],
) -> tuple[str, tuple[Any, ...]]:
    """The function and its arguments; times relative to now."""
    owner, key = owner_of(tael, form)
    call: tuple[Any, ...] = (owner, nonce)
    if kind != "cancel":
        call = (owner, ACQUIRER, 10, tael.now + after, tael.now + before, nonce)
    digest = {
        "transfer": typed_data.transfer_digest,
        "receive": typed_data.receive_digest,
        "cancel": typed_data.cancel_digest,
    }[kind](tael.cny.domain, *call)
    signature = key.sign(digest)
    last = compact(signature) if form == "64" else signature
    name = "cancelAuthorization" if kind == "cancel" else f"{kind}WithAuthorization"
    return name, (*call, *(vrs(signature) if form.endswith("vrs") else (last,)))
