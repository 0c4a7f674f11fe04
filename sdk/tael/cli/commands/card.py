"""`tael card`: the keys an issuer lets pay."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tael.cli.command import CurrencyArgument, Needs, command, group
from tael.cli.commands.merchant import NotThereError
from tael.cli.session import Session
from tael.cli.values import to_money

if TYPE_CHECKING:
    from tael.models import CardEntry

app = group("Open, limit and block cards.")

_Card = Annotated[str, typer.Argument(metavar="ADDRESS", help="The card's key.")]


@command(app, "add", needs=Needs.REFERENCE)
def add(
    session: Session,
    card: _Card,
    currency: CurrencyArgument,
    payment_limit: Annotated[str, typer.Option(metavar="AMOUNT", help="The most per payment.")],
    day_limit: Annotated[str, typer.Option(metavar="AMOUNT", help="The most per UTC day.")],
) -> None:
    """Open a card in a currency, or change its limits. For its issuer."""
    from tael.models import CardEntry

    entry = CardEntry(card, to_money(payment_limit, currency), to_money(day_limit, currency))
    _set(session, entry, f"card-{currency}-{card[2:14]}", "opening the card", "is open")


@command(app, "show", needs=Needs.KEY)
def show(
    session: Session,
    card: _Card,
    currencies: Annotated[
        list[str] | None,
        typer.Option("--currency", "-c", help="ISO 4217 letters; every currency if none is named."),
    ] = None,
    issuer: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Whose card; yours if nobody is named.")
    ] = None,
) -> None:
    """Show a card's limits, its status and what it spent today."""
    from tael.chain import require_address

    whose = require_address(issuer or session.own_address(), name="the issuer")
    require_address(card, name="the card")
    entries = [
        session.reader.directory.card(card, each, issuer=whose)
        for each in currencies or list(session.manifest.tokens)
    ]
    output = session.output
    if output.as_json:
        for each in entries:
            output.json(_document(each, whose))
        return
    rows = [
        [
            each.payment_limit.currency,
            each.status.name.lower(),
            *(
                str(money).rsplit(" ", 1)[0]
                for money in (each.payment_limit, each.day_limit, each.spent_today)
            ),
        ]
        for each in entries
    ]
    titles = ["CURRENCY", "STATUS", "PER PAYMENT>", "PER DAY>", "SPENT TODAY>"]
    output.result(
        {},
        [output.facts([("card", card), ("issuer", whose)]), "", output.table(titles, rows)],
        bare="\n".join(f"{row[0]} {row[1]}" for row in rows),
    )


@command(app, "block", needs=Needs.REFERENCE)
def block(session: Session, card: _Card, currency: CurrencyArgument) -> None:
    """Let a card open no payments any more; its limits stay."""
    from tael.chain import require_address
    from tael.models import EntryStatus

    require_address(card, name="the card")
    now = session.client.directory.card(card, currency)
    if now.status is EntryStatus.NONE:
        raise NotThereError(f"{session.client.participant} has no card {card} in {currency}.")
    entry = replace(now, status=EntryStatus.BLOCKED, spent_today=None)
    _set(session, entry, f"block-{currency}-{card[2:14]}", "blocking the card", "is blocked")


def _set(session: Session, entry: CardEntry, default: str, doing: str, said: str) -> None:
    reference = session.state_reference(default)
    client = session.client
    with session.writing(doing):
        done = client.directory.set_cards([entry], reference=reference)
    currency = entry.payment_limit.currency
    session.wrote(
        done, f"card {entry.card} {said} in {currency}", _document(entry, client.participant)
    )


def _document(entry: CardEntry, issuer: str) -> dict[str, Any]:
    spent = entry.spent_today
    return {
        "card": entry.card,
        "issuer": issuer,
        "currency": entry.payment_limit.currency.alpha,
        "card_status": entry.status.name.lower(),
        "payment_limit_minor": entry.payment_limit.amount_minor,
        "day_limit_minor": entry.day_limit.amount_minor,
        "spent_today_minor": None if spent is None else spent.amount_minor,
    }
