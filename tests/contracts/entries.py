"""Every place where a contract takes a signature: what must be signed there, and how it says no."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from eth_utils import keccak

from tael.typed_data import (
    authorize_consent_digest,
    cancel_digest,
    charge_consent_digest,
    dynamic_code,
    permit_digest,
    receive_digest,
    static_code,
    transfer_digest,
)
from tests.contracts.chain import Refusal, refused
from tests.contracts.world import CHARGE, STATIC_LIMIT, Payment, World

if TYPE_CHECKING:
    from collections.abc import Callable

    from tael.typed_data import Domain
    from tests.contracts.chain import Function
    from tests.contracts.keys import Signature

NONCE = keccak(text="the nonce of the matrix")


@dataclass
class Scene:
    """One signer in every role at once: participant, issuer, card, till and delegate.

    Attributes:
        world: The world it is played in.
        signer: Whose signature is asked for everywhere; a key or a contract account.
        payment: A payment above the static limit, so that a dynamic code is asked for.
        until: When everything that expires does.
    """

    world: World
    signer: Any
    payment: Payment
    until: int

    def digests(self, domain: Domain) -> dict[str, bytes]:
        """What there is to sign, for one contract, with the same values as far as they go."""
        w, payment, terms = self.world, self.payment, self.payment.terms
        transfer = (self.signer.address, w.acquirer.address, 5, w.now - 1, self.until, NONCE)
        return {
            "Terms": terms.payment_id(domain),
            "DynamicCode": dynamic_code(
                domain, terms.merchant, terms.token, payment.amount, terms.uetr, self.until
            ).digest,
            "StaticCode": static_code(domain, terms.merchant, bytes(32)).digest,
            "AuthorizeConsent": authorize_consent_digest(domain, payment.id, self.until),
            "ChargeConsent": charge_consent_digest(domain, payment.id, self.until),
            "TransferWithAuthorization": transfer_digest(domain, *transfer),
            "ReceiveWithAuthorization": receive_digest(domain, *transfer),
            "CancelAuthorization": cancel_digest(domain, self.signer.address, NONCE),
            "Permit": permit_digest(
                domain, self.signer.address, w.outsider.address, 5, 0, self.until
            ),
        }

    def domains(self) -> dict[str, Domain]:
        w = self.world
        return {
            "escrow": w.domain,
            "CNY": w.token_domain(w.cny),
            "HKD": w.token_domain(w.hkd),
        }


def stage(w: World, signer: Any) -> Scene:
    """Give a signer every role and all the money it needs."""
    w.cny.admit(signer, by=w.operator)
    w.cny.transfer(signer, 1_000_000, by=w.other_issuer)
    w.participants.append(signer)
    w.escrow.setDelegate(signer, CHARGE | 1, by=w.issuer)
    w.set_card(w.issuer, signer)
    shop = w.new_merchant(w.acquirer, "shop of the signer", signer=signer)
    payment = w.new_payment("staged", amount=STATIC_LIMIT + 1, card=signer, merchant=shop)
    return Scene(w, signer, payment, w.now + 60)


@dataclass(frozen=True)
class Entry:
    """A place that takes a signature.

    Attributes:
        name: Which one, in words.
        signed: The type that must be signed there.
        domain: For which contract.
        form: `vrs`, `compact` or `bytes`.
        call: Function, arguments and sender, from a scene, the signature in question (in the
            entry's form) and the good ones for every other place (as bytes of the signer).
        refusal: How the entry says no.
        skipped: Whether it says so in an event.
        asks_contracts: Whether a contract account may sign.
    """

    name: str
    signed: str
    domain: str
    form: str
    call: Callable[[Scene, Any, Callable[[str], bytes]], tuple[Function, tuple[Any, ...], Any]]
    refusal: Callable[[Scene], Refusal]
    skipped: bool = False
    asks_contracts: bool = True


def _card_refusal(scene: Scene) -> Refusal:
    return refused("CardSignatureInvalid", scene.payment.id, scene.signer)


def _code_refusal(scene: Scene) -> Refusal:
    return refused("DynamicCodeSignatureInvalid", scene.payment.id, scene.payment.terms.merchant)


def _consent_refusal(scene: Scene) -> Refusal:
    return refused("ConsentSignatureInvalid", scene.payment.id, scene.signer)


def _token_refusal(scene: Scene) -> Refusal:
    return refused("InvalidSignature", scene.signer)


def _plain(verb: str) -> Callable[..., Any]:
    def call(scene: Scene, signature: Any, _good: Callable[[str], bytes]) -> Any:
        w, payment = scene.world, scene.payment
        w.escrow.setAcceptances(payment.terms.merchant, [(w.cny, payment.amount, 1)], by=w.acquirer)
        arguments = (signature, payment.parties, payment.packed)
        return getattr(w.escrow, verb), arguments, w.issuer

    return call


def _full(verb: str, place: str) -> Callable[..., Any]:
    consent_type = "AuthorizeConsent" if verb == "authorizeWith" else "ChargeConsent"

    def call(scene: Scene, signature: bytes, good: Callable[[str], bytes]) -> Any:
        w, payment = scene.world, scene.payment
        card = signature if place == "card" else good("Terms")
        code = signature if place == "code" else good("DynamicCode")
        consent = signature if place == "consent" else good(consent_type)
        consents = (
            card,
            [(payment.amount, scene.until, code)],
            [(scene.signer, scene.until, consent)],
        )
        arguments = (payment.parties, payment.packed, consents)
        return getattr(w.escrow, verb), arguments, w.outsider

    return call


def _many(place: str) -> Callable[..., Any]:
    def call(scene: Scene, signature: Any, good: Callable[[str], bytes]) -> Any:
        w, payment = scene.world, scene.payment
        if place == "card":
            card, code = signature, good("DynamicCode")
        else:
            terms = good("Terms")
            vs = int.from_bytes(terms[32:64], "big") | ((terms[64] - 27) << 255)
            card, code = (terms[:32], vs.to_bytes(32, "big")), signature
        item = (payment.packed, card, 1)
        codes = [(payment.amount, scene.until, code)]
        return w.escrow.authorizeMany, (payment.parties, [item], codes), w.issuer

    return call


def _transfer(verb: str) -> Callable[..., Any]:
    def call(scene: Scene, signature: Any, _good: Callable[[str], bytes]) -> Any:
        w = scene.world
        fields = (scene.signer, w.acquirer, 5, w.now - 1, scene.until, NONCE)
        tail = signature if isinstance(signature, tuple) else (signature,)
        return getattr(w.cny, verb), (*fields, *tail), w.acquirer

    return call


def _cancel(scene: Scene, signature: Any, _good: Callable[[str], bytes]) -> Any:
    tail = signature if isinstance(signature, tuple) else (signature,)
    w = scene.world
    return w.cny.cancelAuthorization, (scene.signer, NONCE, *tail), w.outsider


def _permit(scene: Scene, signature: Any, _good: Callable[[str], bytes]) -> Any:
    w = scene.world
    return w.cny.permit, (scene.signer, w.outsider, 5, scene.until, *signature), w.outsider


def _entries() -> list[Entry]:
    found = [
        Entry(verb, "Terms", "escrow", "compact", _plain(verb), _card_refusal, False, False)
        for verb in ("authorize", "charge")
    ]
    for verb, consent in (("authorizeWith", "AuthorizeConsent"), ("chargeWith", "ChargeConsent")):
        for place, signed, refusal in (
            ("card", "Terms", _card_refusal),
            ("code", "DynamicCode", _code_refusal),
            ("consent", consent, _consent_refusal),
        ):
            call = _full(verb, place)
            found.append(Entry(f"{verb} {place}", signed, "escrow", "bytes", call, refusal))
    found += [
        Entry(
            "authorizeMany card", "Terms", "escrow", "compact", _many("card"), _card_refusal,
            True, False,
        ),
        Entry(
            "authorizeMany code", "DynamicCode", "escrow", "bytes", _many("code"), _code_refusal,
            True, False,
        ),
    ]  # fmt: skip
    for verb, signed in (
        ("transferWithAuthorization", "TransferWithAuthorization"),
        ("receiveWithAuthorization", "ReceiveWithAuthorization"),
    ):
        for form in ("vrs", "bytes"):
            call = _transfer(verb)
            found.append(Entry(f"{verb} {form}", signed, "CNY", form, call, _token_refusal))
    for form in ("vrs", "bytes"):
        found.append(
            Entry(
                f"cancelAuthorization {form}", "CancelAuthorization", "CNY", form, _cancel,
                _token_refusal,
            )
        )  # fmt: skip
    found.append(Entry("permit", "Permit", "CNY", "vrs", _permit, _token_refusal, False, False))
    return found


ENTRIES = {entry.name: entry for entry in _entries()}


def in_form(entry: Entry, signature: Signature) -> Any:
    """A signature as the entry takes it."""
    if entry.form == "vrs":
        return signature.vrs
    return signature.compact if entry.form == "compact" else signature.bytes65


def present(
    scene: Scene, entry: Entry, signature: Any, good: Callable[[str], bytes]
) -> Refusal | None:
    """Try a signature at an entry; None if it is accepted."""
    function, arguments, by = entry.call(scene, signature, good)
    chain = scene.world.chain
    if not entry.skipped:
        try:
            return function.refusal(*arguments, by=by)
        except AssertionError:
            return None
    if function.read(*arguments, by=by) == 1:
        return None
    snapshot = scene.world.node.snapshot()
    receipt = function(*arguments, by=by)
    scene.world.node.revert(snapshot)
    return chain.decode_refusal(receipt.events[0].fields["refusal"])
