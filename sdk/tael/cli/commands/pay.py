"""`tael pay`: from a scanned code to an authorized payment."""

from __future__ import annotations

import os
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tael.cli.command import Needs, YesOption, command, group
from tael.cli.commands.payments import document
from tael.cli.failures import ExitCode, UsageError
from tael.cli.session import KeySource, Session
from tael.cli.values import hexed, seconds, shown_time, to_money
from tael.errors import TaelError

if TYPE_CHECKING:
    from tael import qr
    from tael.models import PreparedPayment
    from tael.money import Money
    from tael.signers import Signer

app = group("Pay.")

CARD_KEY_VARIABLE = "TAEL_CARD_KEY"
HOLD_SPAN = "7d"
REFUND_SPAN = "180d"
_IMAGE_ENDINGS = (".png", ".jpg", ".jpeg")


class TransactionsPendingError(TaelError):
    """The account has sent something that is in no block yet: wait for it, then run again."""

    code = "transactions_pending"


@command(app, "pay", needs=Needs.REFERENCE)
def pay(
    session: Session,
    code: Annotated[
        str,
        typer.Argument(metavar="TEXT_OR_IMAGE", help="The scanned text, or a PNG or JPEG file."),
    ],
    amount: Annotated[
        str | None,
        typer.Option(help="In all, tip included, in major units; needed if the code says none."),
    ] = None,
    tip: Annotated[
        str | None, typer.Option(metavar="AMOUNT", help="On top of what the code says.")
    ] = None,
    currency: Annotated[
        str | None, typer.Option(help="ISO 4217 letters, for a code that names none.")
    ] = None,
    charge: Annotated[
        bool, typer.Option("--charge", help="Pay at once instead of authorizing.")
    ] = False,
    interchange_bps: Annotated[
        int, typer.Option(min=0, help="What stays with the issuer, in 1/10,000.")
    ] = 0,
    hold: Annotated[
        str, typer.Option(metavar="SPAN", help="Time to capture, with the time to authorize 31d.")
    ] = HOLD_SPAN,
    refund: Annotated[
        str, typer.Option(metavar="SPAN", help="Time to refund after that, at most 540d.")
    ] = REFUND_SPAN,
    card_key_env: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Variable with the card's key. [TAEL_CARD_KEY]"),
    ] = None,
    card_key_fd: Annotated[
        int | None, typer.Option(metavar="N", min=0, help="Descriptor to read the card's key from.")
    ] = None,
    card_keystore: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Encrypted keystore with the card's key.")
    ] = None,
    card_password_fd: Annotated[
        int | None, typer.Option(metavar="N", min=0, help="Descriptor to read its password from.")
    ] = None,
    yes: YesOption = False,
) -> int:
    """Scan a code, check it, sign as the card, authorize."""
    from tael.signers import require_usable

    reference = session.reference()
    if amount is not None and tip is not None:
        raise UsageError("Say the whole --amount, or a --tip on top of the code's, not both.")
    hold_seconds = seconds(hold, name="--hold")
    refund_seconds = seconds(refund, name="--refund")
    source = KeySource(card_key_env, card_key_fd, card_keystore, card_password_fd)
    client = session.client
    with session.output.working("checking the code against the chain"):
        verified = client.directory.verify_code(_text(code), currency=currency)
    card = session.signer_from(source if source.is_named else KeySource(CARD_KEY_VARIABLE))
    assert card is not None, "a source is named"  # noqa: S101
    require_usable(card, session.chain)
    money = _amount(session, verified, amount, tip, currency)
    verb = "charge" if charge else "authorize"
    prepared = _opened_before(session, reference, verified, card, money)
    if prepared is None:
        _require_nothing_pending(session)
        prepared = client.payments.prepare(
            reference=reference,
            card=card.address,
            amount=money,
            code=verified,
            interchange_bps=interchange_bps,
            hold_seconds=hold_seconds,
            refund_seconds=refund_seconds,
        )
    _show(session, verified, prepared)
    if not session.output.confirm(f"Pay {prepared.amount} to {verified.name}?", yes=yes):
        session.output.note("not paid; nothing was signed or sent")
        return ExitCode.REFUSED
    signed = client.payments.sign(prepared, card)
    with session.writing(f"{verb}: {prepared.amount}"):
        if charge:
            done = client.payments.charge(signed, reference=reference)
        else:
            done = client.payments.authorize(signed, reference=reference)
    status = client.payments.status(prepared.payment_id)
    said = "charged" if charge else "authorized"
    session.wrote(
        done,
        f"{said} {prepared.amount} for {verified.name}, payment {hexed(prepared.payment_id)}",
        {"verb": verb, "merchant_name": verified.name, **document(status)},
        bare=hexed(prepared.payment_id) or "",
    )
    return ExitCode.OK


def _text(code: str) -> str:
    from tael import qr

    if code.lower().endswith(_IMAGE_ENDINGS) and Path(code).is_file():
        return qr.read_image(code)
    return os.fsencode(code).decode("utf-8", errors="replace")


def _amount(
    session: Session,
    verified: qr.VerifiedCode,
    amount: str | None,
    tip: str | None,
    currency: str | None,
) -> Money:
    from tael.money import Money

    paid_in = verified.currency or currency
    if paid_in is None:
        raise UsageError("The code names no currency; say --currency and --amount.")
    if amount is not None:
        return to_money(amount, paid_in)
    if verified.amount_minor is None:
        raise UsageError("The code says no amount; say --amount.")
    asked = Money(paid_in, verified.amount_minor)
    if tip is not None:
        return asked + to_money(tip, paid_in)
    if verified.asks_for_tip:
        session.output.note("the merchant asks for a tip: --tip adds one")
    return asked


def _opened_before(
    session: Session, reference: str, verified: qr.VerifiedCode, card: Signer, money: Money
) -> PreparedPayment | None:
    """The payment this reference stands for, if it is the one that is meant.

    Terms made anew have new deadlines and so would be another payment; the terms on the chain are
    taken up again, and the repeat finds the first result.
    """
    from tael.models import PreparedPayment

    found = session.client.payments.find(reference)
    if found is None:
        return None
    terms = found.terms
    if (terms.merchant, terms.card, terms.amount_minor, found.amount.currency) != (
        verified.merchant_id,
        card.address,
        money.amount_minor,
        money.currency,
    ) or verified.uetr not in (None, terms.uetr):
        return None
    return PreparedPayment(found.payment_id, terms, found.amount, reference, verified.name)


def _require_nothing_pending(session: Session) -> None:
    """Refuse to make new terms while the fate of earlier ones may be open.

    A payment under this reference that is in no block yet cannot be found there, and a second one
    with other deadlines would not be refused.
    """
    from tael.chain.jsonrpc import quantity
    from tael.rpc import request_many

    chain, address = session.chain, session.signer.address
    asked = [("eth_getTransactionCount", [address, tag]) for tag in ("latest", "pending")]
    mined, ahead = (quantity(count) for count in request_many(chain, asked))
    if ahead > mined:
        raise TransactionsPendingError(
            f"{address} has sent transactions that are in no block yet; one of them may be this "
            "payment."
        )


def _show(session: Session, verified: qr.VerifiedCode, prepared: PreparedPayment) -> None:
    output, terms = session.output, prepared.terms
    if output.as_json or output.quiet:
        return
    over = prepared.amount.amount_minor - (verified.amount_minor or prepared.amount.amount_minor)
    amount = str(prepared.amount) + (f", {over} minor units of it a tip" if over else "")
    facts = output.facts(
        [
            ("to", output.styled(verified.name, "bold")),
            ("amount", output.styled(amount, "bold")),
            ("category", verified.category_code),
            ("merchant", hexed(verified.merchant_id)),
            ("acquirer", verified.acquirer),
            ("card", terms.card),
            ("uetr", uuid.UUID(bytes=terms.uetr)),
            ("code", "dynamic, for this payment" if verified.uetr else "static, for any payment"),
            ("authorize", f"before {shown_time(terms.authorize_before)}"),
            ("capture", f"before {shown_time(terms.capture_before)}"),
        ]
    )
    output.result({}, [facts])
    for warning in verified.warnings:
        output.warn(f"{warning.message} ({warning.code})")
