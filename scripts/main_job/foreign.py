"""Codes of other schemes, read as a wallet would: what they are, and why Tael does not pay them."""

from __future__ import annotations

import json

from scripts.main_job import tills
from scripts.main_job.day import FOLDER
from scripts.main_job.record import ForeignCode
from scripts.main_job.stage import DemoError, Stage
from tael import Money, qr
from tael.errors import NotTaelCodeError


def read_all(stage: Stage) -> None:
    """Draw each payload, read the picture, recognize it."""
    rows = json.loads((FOLDER / "foreign_codes.json").read_text(encoding="utf-8"))
    for row in rows:
        printed = tills.draw(stage, f"foreign/{row['id']}", row["payload"])
        text = qr.read_image(stage.folder / printed.picture)
        if text != row["payload"]:
            raise DemoError(f"{printed.picture} reads as something else than was written")
        said = qr.describe(text)
        if not said["accepted"]:
            raise DemoError(f"{row['title']} was refused: {said['error']}")
        code = qr.recognize(text)
        facts = _facts(code)
        stage.record.foreign.append(
            ForeignCode(
                title=row["title"],
                picture=printed.picture,
                scheme=said["scheme"],
                facts=facts,
                warnings=sorted({warning["code"] for warning in said["warnings"]}),
                verdict=_why_not(code),
                source=row["source"],
            )
        )
        shown = ", ".join(value for _, value in facts[:3])
        stage.show.line(f"{row['title']}: {said['scheme']}, {shown}")


def _facts(code: qr.PaymentCode) -> list[tuple[str, str]]:
    """What a wallet shows; numbers of cards are masked."""
    if isinstance(code, qr.UnionPayLink):
        return [("Kind", "link for the payer's app"), ("Host", code.host), ("Issuer", code.issuer)]
    if isinstance(code, qr.ConsumerBarcode):
        return [("Kind", "payer's bar code")]
    if isinstance(code, qr.ConsumerCode):
        first = code.applications[0]
        pan = first.pan or ""
        masked = f"{pan[:6]}…{pan[-4:]}" if len(pan) > 10 else "none"
        return [("Kind", "payer's code"), ("Card", masked), ("Application", first.aid or "none")]
    facts = []
    if code.name:
        facts.append(("Name", code.name))
    if code.language is not None:
        facts.append((f"Name ({code.language.language})", code.language.name))
    if code.currency is not None:
        amount = code.amount_minor
        facts.append(("Amount", "open" if amount is None else str(Money(code.currency, amount))))
    where = ", ".join(part for part in (code.city, code.country) if part)
    if where:
        facts.append(("Where", where))
    if code.category_code:
        facts.append(("Category", code.category_code))
    kind = "one payment" if code.initiation is qr.Initiation.DYNAMIC else "any number of payments"
    facts.append(("Good for", kind))
    account = code.unionpay
    if account is not None:
        facts.append(("UnionPay", f"{account.acquirer_iin} / {account.merchant_id}"))
    facts += [("Account", template.guid) for template in code.templates[:2] if template.guid]
    return facts


def _why_not(code: qr.PaymentCode) -> str:
    if not isinstance(code, qr.MerchantCode):
        return "Recognized; for the scheme's own system, never opened here"
    try:
        qr.read_templates(code)
    except NotTaelCodeError as error:
        return f"{error.code}: {error.message}"
    raise DemoError("another scheme's code must not pass for one of ours")
