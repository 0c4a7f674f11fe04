"""Merchants' codes against the chain: signing them for a deployment, checking them as a payer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from tael import qr
from tael.models import EntryStatus
from tael.signers import require_usable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tael.models import Acceptance, MerchantRecord
    from tael.money import Currency
    from tael.services.gateway import Gateway
    from tael.signers import Signer


class MerchantLookup(Protocol):
    """Where merchants are looked up; the `Directory` service is one."""

    def merchant(self, merchant_id: bytes) -> MerchantRecord | None:
        """Who a merchant is; None if it is not known."""

    def acceptance(self, merchant_id: bytes, currency: str | Currency) -> Acceptance:
        """On what terms it takes a currency."""


def verify_code(
    gateway: Gateway,
    merchants: MerchantLookup,
    code: qr.MerchantCode | str,
    currency: str | Currency | None,
    known_names: Iterable[str],
) -> qr.VerifiedCode:
    """See `Directory.verify_code`."""
    read = qr.read(code) if isinstance(code, str) else code
    merchant_id = qr.read_templates(read).merchant_id
    record = merchants.merchant(merchant_id)
    paid_in = read.currency or (None if currency is None else str(currency))
    known = {item.alpha for item in gateway.currencies()}
    acceptance = merchants.acceptance(merchant_id, paid_in) if paid_in in known else None
    entry = qr.MerchantEntry(
        acquirer=record.acquirer if record else gateway.escrow.address,
        signer=record.signer if record else gateway.escrow.address,
        name_hash=record.name_hash if record else bytes(32),
        category_code=f"{record.category_code if record else 0:04d}",
        static_limit_minor=acceptance.static_limit.amount_minor if acceptance else 0,
        # Without a currency there is nothing yet that could be closed: the escrow decides.
        active=record is not None
        and (acceptance is None or acceptance.status == EntryStatus.ACTIVE),
    )
    return qr.verify(
        read,
        entry,
        chain_id=gateway.chain.chain_id,
        escrow=gateway.escrow.address,
        now=gateway.now(),
        token_for_currency=dict(gateway.manifest.tokens),
        known_names=known_names,
    )


def sign_code(
    gateway: Gateway,
    code: qr.MerchantCode,
    signer: Signer,
    merchant_id: bytes,
    uetr: bytes | None,
    expires_at: int | None,
) -> qr.MerchantCode:
    """See `Directory.sign_code`."""
    require_usable(signer, gateway.chain)
    token = None
    if uetr is not None and code.currency is not None:
        token = gateway.token(code.currency).address
    return qr.sign(
        code,
        signer,
        merchant_id=merchant_id,
        chain_id=gateway.chain.chain_id,
        escrow=gateway.escrow.address,
        token=token,
        uetr=uetr,
        expires_at=expires_at,
    )
