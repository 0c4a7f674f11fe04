"""Both sides of the counter: a till writes a code, a payer's phone reads and checks it."""

from __future__ import annotations

from dataclasses import dataclass

from scripts.main_job.cast import Card, Shop
from scripts.main_job.stage import INTERCHANGE_BPS, DemoError, Stage
from tael import Client, EntryStatus, Money, SignedPayment, qr

CODE_SECONDS = 600
HOLD_SECONDS = 7 * 86_400
_IMAGE_SCALE = 6


@dataclass(frozen=True)
class Printed:
    """A code as a picture.

    Args:
        text: Its payload.
        picture: Its file, relative to the output.
    """

    text: str
    picture: str


def static_code(stage: Stage, shop: Shop, currency: str) -> str:
    """What the sticker on the counter says: any amount, any number of times, one currency."""
    return qr.write(_signed(stage, shop, _plain(shop, currency), None, None, None))


def dynamic_code(
    stage: Stage,
    shop: Shop,
    amount: Money,
    *,
    bill: str,
    asks_for_tip: bool = False,
    expires_at: int,
) -> str:
    """What the till's screen shows for one bill.

    Args:
        stage: Where.
        shop: Whose till.
        amount: Before a tip.
        bill: The till's own number, from which the payment's UETR derives.
        asks_for_tip: Whether the wallet shall ask for one.
        expires_at: Unix seconds by the chain's clock.
    """
    currency = amount.currency.alpha
    plain = _plain(shop, currency, amount=amount, bill=bill, asks_for_tip=asks_for_tip)
    uetr = shop.bank.client.uetr(f"{shop.reference}/{bill}")
    token = stage.manifest.token(currency)
    return qr.write(_signed(stage, shop, plain, token, uetr, expires_at))


def show_dynamic(
    stage: Stage, shop: Shop, amount: Money, *, bill: str, asks_for_tip: bool = False
) -> Printed:
    """A dynamic code for ten minutes, as a picture."""
    expires_at = stage.reader.now() + CODE_SECONDS
    text = dynamic_code(
        stage, shop, amount, bill=bill, asks_for_tip=asks_for_tip, expires_at=expires_at
    )
    return draw(stage, f"dynamic/{bill}", text)


def show_static(stage: Stage, shop: Shop, currency: str) -> Printed:
    """The sticker, as a picture."""
    return draw(stage, _sticker_name(shop, currency), static_code(stage, shop, currency))


def sticker(shop: Shop, currency: str) -> str:
    """The sticker's file, relative to the output."""
    return f"qr/{_sticker_name(shop, currency)}.png"


def draw(stage: Stage, name: str, text: str) -> Printed:
    """Write a code as a PNG file below `qr/`."""
    path = stage.folder / "qr" / f"{name}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    qr.write_image(path, text, scale=_IMAGE_SCALE)
    return Printed(text, str(path.relative_to(stage.folder)))


def scan(stage: Stage, picture: str) -> qr.VerifiedCode:
    """What a payer's phone does: read the picture, check it against the chain.

    Raises:
        QrError: The code must not be paid.
    """
    return stage.reader.directory.verify_code(qr.read_image(stage.folder / picture))


def look_up(client: Client, shop: Shop, currency: str) -> qr.MerchantEntry:
    """What the Directory says of a shop now, for as many of its codes as are scanned."""
    record = client.directory.merchant(shop.merchant_id)
    if record is None:
        raise DemoError(f"the Directory does not know {shop.row.name}")
    acceptance = client.directory.acceptance(shop.merchant_id, currency)
    return qr.MerchantEntry(
        acquirer=record.acquirer,
        signer=record.signer,
        name_hash=record.name_hash,
        category_code=f"{record.category_code:04d}",
        static_limit_minor=acceptance.static_limit.amount_minor,
        active=acceptance.status == EntryStatus.ACTIVE,
    )


def check(stage: Stage, text: str, entry: qr.MerchantEntry, *, at: int) -> qr.VerifiedCode:
    """Read a code and check it against what the Directory said of its merchant.

    Raises:
        QrError: The code must not be paid.
    """
    return qr.verify(
        qr.read(text),
        entry,
        chain_id=stage.chain.chain_id,
        escrow=stage.manifest.escrow,
        now=at,
        token_for_currency=dict(stage.manifest.tokens),
    )


def sign(
    card: Card,
    code: qr.VerifiedCode,
    amount: Money,
    *,
    reference: str,
    hold_seconds: int = HOLD_SECONDS,
    at: int | None = None,
) -> SignedPayment:
    """The issuer prepares the terms, the payer has seen name and amount, the card signs.

    Args:
        card: Whose.
        code: As scanned and checked.
        amount: What is paid, tip included.
        reference: The issuer's.
        hold_seconds: How long the acquirer may take to capture.
        at: The chain's time, Unix seconds, if it was just read; None asks again.
    """
    payments = card.bank.client.payments
    prepared = payments.prepare(
        reference=reference,
        card=card.address,
        code=code,
        amount=amount,
        interchange_bps=INTERCHANGE_BPS,
        at=at,
        hold_seconds=hold_seconds,
    )
    return payments.sign(prepared, card.signer)


def _sticker_name(shop: Shop, currency: str) -> str:
    return f"static/{shop.reference}-{currency}"


def _plain(
    shop: Shop,
    currency: str,
    *,
    amount: Money | None = None,
    bill: str | None = None,
    asks_for_tip: bool = False,
) -> qr.MerchantCode:
    row = shop.row
    local = None
    if row.local_name:
        local = qr.LanguageTemplate(language="ZH", name=row.local_name)
    extra = None
    if bill is not None:
        extra = qr.AdditionalData(bill_number=bill, terminal_label=f"TILL {row.number:02d}")
    return qr.MerchantCode(
        accounts=(),
        category_code=row.category_code,
        currency=currency,
        country=row.country,
        name=row.name,
        city=row.city,
        initiation=qr.Initiation.STATIC if amount is None else qr.Initiation.DYNAMIC,
        amount_minor=None if amount is None else amount.amount_minor,
        tip=qr.PromptedTip() if asks_for_tip else None,
        additional=extra,
        language=local,
    )


def _signed(
    stage: Stage,
    shop: Shop,
    plain: qr.MerchantCode,
    token: str | None,
    uetr: bytes | None,
    expires_at: int | None,
) -> qr.MerchantCode:
    return qr.sign(
        plain,
        shop.till,
        merchant_id=shop.merchant_id,
        chain_id=stage.chain.chain_id,
        escrow=stage.manifest.escrow,
        token=token,
        uetr=uetr,
        expires_at=expires_at,
    )
