"""`tael merchant`: whom acquirers vouch for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from tael.cli.command import CurrencyArgument, Needs, command, group
from tael.cli.failures import UsageError
from tael.cli.session import Session
from tael.cli.values import bytes32, hexed, to_money
from tael.errors import TaelError

if TYPE_CHECKING:
    from tael.models import Acceptance

app = group("Register merchants and set what they accept.")

_Id = Annotated[
    str, typer.Argument(metavar="ID", help="The merchant's id in the Directory, 32 bytes.")
]


class NotThereError(TaelError):
    """The Directory has no such entry: check the id."""

    code = "not_there"


@command(app, "add", needs=Needs.REFERENCE)
def add(
    session: Session,
    merchant: Annotated[
        str, typer.Argument(metavar="YOUR_REFERENCE", help="Your own reference for the merchant.")
    ],
    name: Annotated[str, typer.Option(help="As its codes spell it; the chain gets a hash.")],
    category: Annotated[str, typer.Option(help="ISO 18245, four digits, as in 5411.")],
    signer: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Address of the key that signs its codes.")
    ],
    accept: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CURRENCY:LIMIT",
            help="Take a currency, up to this much without a dynamic code, as in CNY:200.00.",
        ),
    ] = None,
) -> None:
    """Register a merchant, or change its key, name or category. For its acquirer."""
    acceptances = [_acceptance(each) for each in accept or []]
    reference = session.state_reference(f"merchant-{merchant}")
    client = session.client
    with session.writing("registering the merchant"):
        done = client.directory.set_merchant(
            merchant, signer=signer, name=name, category_code=category, reference=reference
        )
    merchant_id = done.subject or client.merchant_id(merchant)
    if acceptances:
        with session.writing("setting what it accepts"):
            client.directory.accept(
                merchant_id, acceptances, reference=f"{reference[:28].rstrip(' /')}-accept"
            )
    limits = ", ".join(str(each.static_limit) for each in acceptances)
    said = f"merchant {hexed(merchant_id)} is registered"
    session.wrote(
        done,
        said + (f"; without a dynamic code it takes up to {limits}" if limits else ""),
        {"merchant_id": hexed(merchant_id), "acquirer": client.participant, "signer": signer},
        bare=hexed(merchant_id) or "",
    )


@command(app, "accept", needs=Needs.REFERENCE)
def accept(
    session: Session,
    merchant: _Id,
    currency: CurrencyArgument,
    limit: Annotated[
        str | None,
        typer.Argument(metavar="LIMIT", help="The most without a dynamic code, as in 200.00."),
    ] = None,
    block: Annotated[bool, typer.Option("--block", help="Take no payments any more.")] = False,
) -> None:
    """Let a merchant take a currency, change its limit, or block it."""
    from tael.models import Acceptance, EntryStatus

    merchant_id = bytes32(merchant, name="the merchant's id")
    if limit is None and not block:
        raise UsageError("Say the limit, or --block.")
    client = session.client
    money = (
        to_money(limit, currency)
        if limit is not None
        else client.directory.acceptance(merchant_id, currency).static_limit
    )
    status = EntryStatus.BLOCKED if block else EntryStatus.ACTIVE
    reference = session.state_reference(f"accept-{currency}-{merchant[2:14]}")
    with session.writing("setting what it accepts"):
        done = client.directory.accept(
            merchant_id, [Acceptance(money, status)], reference=reference
        )
    said = (
        f"takes no payments in {currency}"
        if block
        else f"takes up to {money} without a dynamic code"
    )
    session.wrote(
        done,
        f"merchant {merchant[:10]}… {said}",
        {"merchant_id": merchant, "acceptance": _document(currency, Acceptance(money, status))},
    )


@command(app, "show", needs=Needs.SETTINGS)
def show(session: Session, merchant: _Id) -> None:
    """Show what the Directory says of a merchant."""
    merchant_id = bytes32(merchant, name="the merchant's id")
    directory = session.reader.directory
    record = directory.merchant(merchant_id)
    if record is None:
        raise NotThereError(f"The Directory knows no merchant {merchant}.")
    taken = {
        currency: directory.acceptance(merchant_id, currency)
        for currency in session.manifest.tokens
    }
    output = session.output
    document = {
        "merchant_id": hexed(record.merchant_id),
        "acquirer": record.acquirer,
        "signer": record.signer,
        "category_code": f"{record.category_code:04d}",
        "name_hash": hexed(record.name_hash),
        "acceptances": [_document(currency, each) for currency, each in taken.items()],
    }
    facts = output.facts(
        [
            ("merchant", document["merchant_id"]),
            ("acquirer", record.acquirer),
            ("signer", record.signer),
            ("category", document["category_code"]),
            ("name hash", document["name_hash"]),
        ]
    )
    rows = [
        [currency, each.status.name.lower(), str(each.static_limit).rsplit(" ", 1)[0]]
        for currency, each in taken.items()
    ]
    output.result(
        document,
        [facts, "", output.table(["CURRENCY", "STATUS", "STATIC LIMIT>"], rows)],
        bare=record.acquirer,
    )


def _acceptance(text: str) -> Acceptance:
    from tael.models import Acceptance

    currency, colon, limit = text.partition(":")
    if not colon:
        raise UsageError(f"--accept is CURRENCY:LIMIT, as in CNY:200.00, not {text!r}.")
    return Acceptance(to_money(limit, currency))


def _document(currency: str, each: Acceptance) -> dict[str, Any]:
    return {
        "currency": currency,
        "status": each.status.name.lower(),
        "static_limit_minor": each.static_limit.amount_minor,
    }
