"""Preparing payments: terms from a scanned code, the card's signature, the issuer's consent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tael import qr
from tael.errors import InvalidInputError
from tael.models import CodeProof, Consent, PreparedPayment, SignedPayment
from tael.services.gateway import MAX_PAYMENT_MINOR, require_money
from tael.signers import require_usable
from tael.terms import Terms
from tael.typed_data import authorize_consent_digest, charge_consent_digest

if TYPE_CHECKING:
    from typing import Literal

    from tael.money import Money
    from tael.services.directory import Directory
    from tael.services.gateway import Gateway
    from tael.services.identity import Identity
    from tael.signers import Signer

AUTHORIZE_SECONDS = 15 * 60
HOLD_SECONDS = 7 * 86_400
REFUND_SECONDS = 180 * 86_400
MAX_HOLD_SECONDS = 31 * 86_400
MAX_REFUND_SECONDS = 540 * 86_400


class Preparation:
    """Makes terms and signatures; sends nothing. `Payments` documents what it does.

    Args:
        gateway: The deployment.
        identity: The issuer, or who prepares for it.
        directory: Where merchants are looked up.
    """

    def __init__(self, gateway: Gateway, identity: Identity, directory: Directory) -> None:
        self._gateway = gateway
        self._identity = identity
        self._directory = directory

    def prepare(
        self,
        *,
        reference: str,
        card: str,
        amount: Money | None = None,
        code: qr.VerifiedCode | qr.MerchantCode | str | None = None,
        merchant_id: bytes | None = None,
        acquirer: str | None = None,
        issuer: str | None = None,
        interchange_bps: int = 0,
        at: int | None = None,
        authorize_seconds: int = AUTHORIZE_SECONDS,
        hold_seconds: int = HOLD_SECONDS,
        refund_seconds: int = REFUND_SECONDS,
    ) -> PreparedPayment:
        """See `Payments.prepare`."""
        gateway = self._gateway
        ids = self._identity.identifiers
        verified = self._verify(code, amount)
        if verified is not None:
            if merchant_id is not None or acquirer is not None:
                raise InvalidInputError("The code says merchant and acquirer; leave them out.")
            merchant_id, acquirer = verified.merchant_id, verified.acquirer
        elif merchant_id is None:
            raise InvalidInputError("Pass a code, or the merchant_id.")
        paid = _amount_of(verified, amount, gateway)
        now = gateway.now() if at is None else at
        authorize_before = now + authorize_seconds
        proof = None
        uetr = ids.uetr(reference)
        if verified is not None and verified.uetr is not None and verified.expires_at is not None:
            uetr = verified.uetr
            authorize_before = min(verified.expires_at, now + MAX_HOLD_SECONDS - hold_seconds)
            asked = verified.amount_minor or 0
            proof = CodeProof(asked, verified.expires_at, verified.signature)
        capture_before = authorize_before + hold_seconds
        terms = Terms(
            issuer=self._identity.participant
            if issuer is None
            else gateway.address(issuer, "issuer"),
            acquirer=acquirer or self._acquirer_of(merchant_id),
            token=gateway.token(paid.currency).address,
            merchant=merchant_id,
            card=gateway.address(card, "card"),
            amount_minor=paid.amount_minor,
            authorize_before=authorize_before,
            capture_before=capture_before,
            refund_before=capture_before + refund_seconds,
            interchange_bps=interchange_bps,
            uetr=uetr,
            reference_hash=ids.reference_hash(reference),
        )
        if capture_before > now + MAX_HOLD_SECONDS or refund_seconds > MAX_REFUND_SECONDS:
            raise InvalidInputError(
                "A hold lasts at most 31 days from now and refunds end at most 540 days after it; "
                "shorten hold_seconds or refund_seconds."
            )
        return PreparedPayment(
            payment_id=terms.payment_id(gateway.domain),
            terms=terms,
            amount=paid,
            reference=reference,
            merchant_name=None if verified is None else verified.name,
            proof=proof,
        )

    def sign(self, prepared: PreparedPayment, card: Signer) -> SignedPayment:
        """See `Payments.sign`."""
        if card.address != prepared.terms.card:
            raise InvalidInputError(
                f"The terms are for card {prepared.terms.card}, not for {card.address}."
            )
        require_usable(card, self._gateway.chain)
        return SignedPayment(prepared, card.sign_digest(prepared.payment_id))

    def consent(
        self,
        payment: SignedPayment | PreparedPayment,
        *,
        verb: Literal["authorize", "charge"] = "authorize",
        valid_seconds: int = AUTHORIZE_SECONDS,
    ) -> Consent:
        """See `Payments.consent`."""
        gateway = self._gateway
        valid_before = gateway.now() + valid_seconds
        build = authorize_consent_digest if verb == "authorize" else charge_consent_digest
        digest = build(gateway.domain, payment.payment_id, valid_before)
        signature = self._identity.signer.sign_digest(digest)
        return Consent(
            verb, payment.payment_id, self._identity.signer.address, valid_before, signature
        )

    # Internals

    def _verify(
        self, code: qr.VerifiedCode | qr.MerchantCode | str | None, amount: Money | None
    ) -> qr.VerifiedCode | None:
        if code is None or isinstance(code, qr.VerifiedCode):
            return code
        return self._directory.verify_code(
            code, currency=None if amount is None else amount.currency
        )

    def _acquirer_of(self, merchant_id: bytes) -> str:
        record = self._directory.merchant(merchant_id)
        if record is None:
            raise InvalidInputError("The Directory knows no such merchant.")
        return record.acquirer


def _amount_of(verified: qr.VerifiedCode | None, amount: Money | None, gateway: Gateway) -> Money:
    asked = None
    if verified is not None and verified.token is not None and verified.amount_minor is not None:
        asked = gateway.money(verified.token, verified.amount_minor)
    if amount is None and asked is None:
        raise InvalidInputError("Neither the code nor the caller says an amount; pass one.")
    paid = require_money(asked if amount is None else amount, most_minor=MAX_PAYMENT_MINOR)
    if asked is not None and paid < asked:
        raise InvalidInputError(f"The code asks for {asked}; {paid} is less.")
    return paid
