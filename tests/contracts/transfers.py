"""What the two ERC-3009 verbs that move value have in common."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from eth_utils import keccak

from tael.typed_data import cancel_digest, receive_digest, transfer_digest
from tests.contracts.chain import Refusal, refused
from tests.contracts.world import CLOSED, NONE, SUSPENDED, World

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.contracts.chain import Contract
    from tests.contracts.keys import Key

NONCE = keccak(text="an ERC-3009 nonce")
DIGESTS = {
    "transferWithAuthorization": transfer_digest,
    "receiveWithAuthorization": receive_digest,
}


@dataclass(frozen=True)
class Authorization:
    """What a participant signs."""

    verb: str
    token: Contract
    sender: Any
    to: Any
    value: int
    valid_after: int
    valid_before: int
    nonce: bytes = NONCE

    @property
    def fields(self) -> tuple[Any, ...]:
        return (
            self.sender,
            self.to,
            self.value,
            self.valid_after,
            self.valid_before,
            self.nonce,
        )

    def digest(self, w: World) -> bytes:
        domain = w.token_domain(self.token)
        sender, to = self.sender.address, self.to.address
        return DIGESTS[self.verb](domain, sender, to, *self.fields[2:])

    def arguments(self, w: World, form: str = "bytes65", signer: Key | None = None) -> Any:
        signature = (signer or self.sender).sign(self.digest(w))
        if form == "vrs":
            return (*self.fields, *signature.vrs)
        return (*self.fields, getattr(signature, form))


def authorization(w: World, verb: str, **changes: Any) -> Authorization:
    """The issuer pays the acquirer 5,000 within a minute."""
    usual = Authorization(verb, w.cny, w.issuer, w.acquirer, 5_000, w.now - 1, w.now + 60)
    return replace(usual, **changes)


def cancellation(
    w: World,
    form: str = "bytes65",
    *,
    signer: Key | None = None,
    token: Contract | None = None,
    authorizer: Any = None,
) -> tuple[Any, ...]:
    """The arguments of `cancelAuthorization`."""
    who = authorizer or w.issuer
    digest = cancel_digest(w.token_domain(token or w.cny), who.address, NONCE)
    signature = (signer or w.issuer).sign(digest)
    if form == "vrs":
        return (who, NONCE, *signature.vrs)
    return (who, NONCE, getattr(signature, form))


Case = tuple[Any, Refusal]
REFUSALS: dict[str, Callable[[World, str, str], Case]] = {}


def case(build: Callable[[World, str, str], Case]) -> Callable[[World, str, str], Case]:
    REFUSALS[build.__name__] = build
    return build


@case
def valid_after_is_now(w: World, verb: str, form: str) -> Case:
    asked = authorization(w, verb, valid_after=w.now)
    return asked.arguments(w, form), refused("AuthorizationNotYetValid", w.now, w.now)


@case
def valid_after_never(w: World, verb: str, form: str) -> Case:
    asked = authorization(w, verb, valid_after=2**256 - 1)
    return asked.arguments(w, form), refused("AuthorizationNotYetValid", w.now, 2**256 - 1)


@case
def valid_before_is_now(w: World, verb: str, form: str) -> Case:
    asked = authorization(w, verb, valid_before=w.now)
    return asked.arguments(w, form), refused("AuthorizationExpired", w.now, w.now)


@case
def valid_before_was_a_second_ago(w: World, verb: str, form: str) -> Case:
    arguments = authorization(w, verb).arguments(w, form)
    w.at(w.now + 61)
    return arguments, refused("AuthorizationExpired", w.now, w.now - 1)


@case
def signed_by_another(w: World, verb: str, form: str) -> Case:
    arguments = authorization(w, verb).arguments(w, form, w.acquirer)
    return arguments, refused("InvalidSignature", w.issuer)


@case
def signed_for_another_currency(w: World, verb: str, form: str) -> Case:
    arguments = authorization(w, verb, token=w.hkd).arguments(w, form)
    return arguments, refused("InvalidSignature", w.issuer)


@case
def signed_for_the_other_verb(w: World, verb: str, form: str) -> Case:
    other = next(each for each in DIGESTS if each != verb)
    return authorization(w, other).arguments(w, form), refused("InvalidSignature", w.issuer)


def _changed(position: int, name: str, change: Callable[[Any], Any]) -> None:
    def build(w: World, verb: str, form: str) -> Case:
        arguments = list(authorization(w, verb).arguments(w, form))
        arguments[position] = change(arguments[position])
        return tuple(arguments), refused("InvalidSignature", w.issuer)

    REFUSALS[f"{name}_changed"] = build


_changed(2, "value", lambda value: value + 1)
_changed(3, "valid_after", lambda value: value - 1)
_changed(4, "valid_before", lambda value: value + 1)
_changed(5, "nonce", lambda nonce: keccak(nonce))


@case
def currency_paused(w: World, verb: str, form: str) -> Case:
    w.cny.pause(by=w.operator)
    return authorization(w, verb).arguments(w, form), refused("TokenPaused")


@case
def used_before(w: World, verb: str, form: str) -> Case:
    arguments = authorization(w, verb).arguments(w, form)
    getattr(w.cny, verb)(*arguments, by=w.acquirer)
    return arguments, refused("AuthorizationConsumed", w.issuer, NONCE)


@case
def nonce_used_by_the_other_verb(w: World, verb: str, form: str) -> Case:
    other = next(each for each in DIGESTS if each != verb)
    getattr(w.cny, other)(*authorization(w, other).arguments(w, form), by=w.acquirer)
    arguments = authorization(w, verb).arguments(w, form)
    return arguments, refused("AuthorizationConsumed", w.issuer, NONCE)


@case
def sender_suspended(w: World, verb: str, form: str) -> Case:
    w.cny.suspend(w.issuer, bytes(32), by=w.operator)
    arguments = authorization(w, verb).arguments(w, form)
    return arguments, refused("AccountNotActive", w.issuer, SUSPENDED)


@case
def sender_no_participant(w: World, verb: str, form: str) -> Case:
    arguments = authorization(w, verb, sender=w.outsider).arguments(w, form)
    return arguments, refused("AccountNotActive", w.outsider, NONE)


@case
def receiver_closed(w: World, verb: str, form: str) -> Case:
    w.cny.close(w.acquirer, by=w.operator)
    arguments = authorization(w, verb).arguments(w, form)
    return arguments, refused("AccountCannotReceive", w.acquirer, CLOSED)


@case
def one_more_than_available(w: World, verb: str, form: str) -> Case:
    available = w.cny.availableOf(w.issuer)
    arguments = authorization(w, verb, value=available + 1).arguments(w, form)
    return arguments, refused("InsufficientAvailable", w.issuer, available, available + 1)


@case
def value_beyond_every_width(w: World, verb: str, form: str) -> Case:
    available = w.cny.availableOf(w.issuer)
    arguments = authorization(w, verb, value=2**256 - 1).arguments(w, form)
    return arguments, refused("InsufficientAvailable", w.issuer, available, 2**256 - 1)
