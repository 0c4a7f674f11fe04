"""`tael balance`, `attest`, `issue`, `redeem`, `transfer`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tael.cli.command import AmountArgument, CurrencyArgument, Needs, command, group
from tael.cli.failures import UsageError
from tael.cli.session import Session
from tael.cli.values import hexed, read_document, seconds, shown_time, to_money, when

if TYPE_CHECKING:
    from tael.models import Balance, Reserve, Written
    from tael.money import Money

app = group("Balances.")

RESERVE_SPAN = "30d"


@command(app, "balance", needs=Needs.KEY)
def balance(
    session: Session,
    participants: Annotated[
        list[str] | None,
        typer.Argument(metavar="ADDRESS...", help="Whose; yours if none is named."),
    ] = None,
    currencies: Annotated[
        list[str] | None,
        typer.Option("--currency", "-c", help="ISO 4217 letters; every currency if none is named."),
    ] = None,
    supply: Annotated[
        bool, typer.Option("--supply", help="Show what is issued and its reserve instead.")
    ] = False,
) -> None:
    """Show balances: available, held and in all."""
    output = session.output
    if supply and participants:
        raise UsageError("The supply is nobody's; name addresses or --supply, not both.")
    if supply:
        reserves = [session.reader.balances.reserve(each) for each in chosen(session, currencies)]
        table = output.table(
            ["CURRENCY", "ISSUED>", "RESERVE>", "VALID BEFORE"],
            [_reserve_row(each) for each in reserves],
        )
        _show_each([_reserve(each) for each in reserves], table, session)
        return
    people = participants or [session.own_address()]
    wanted = chosen(session, currencies)
    with output.working("reading balances"):
        found = [session.reader.balances.of(each, who) for who in people for each in wanted]
    table = output.table(
        ["PARTICIPANT", "CURRENCY", "AVAILABLE>", "HELD>", "TOTAL>"],
        [[each.participant, each.total.currency, *map(_number, _parts(each))] for each in found],
    )
    bare = [f"{_number(each.available)} {each.available.currency}" for each in found]
    _show_each([_balance(each) for each in found], table, session, bare)


@command(app, "attest", needs=Needs.REFERENCE)
def attest(
    session: Session,
    amount: AmountArgument,
    currency: CurrencyArgument,
    document: Annotated[
        Path,
        typer.Option(metavar="FILE", help="The attestation; only a hash of it goes on the chain."),
    ],
    valid_for: Annotated[
        str, typer.Option(metavar="SPAN", help="By the chain's clock, at most 35d.")
    ] = RESERVE_SPAN,
    valid_before: Annotated[
        str | None, typer.Option(metavar="TIME", help="Unix seconds or ISO 8601, instead.")
    ] = None,
) -> None:
    """Attest the reserve that issues are held against."""
    reserve = to_money(amount, currency)
    reference = session.reference()
    content = read_document(document)
    client = session.client
    until = (
        when(valid_before, name="--valid-before")
        if valid_before is not None
        else client.now() + seconds(valid_for, name="--valid-for")
    )
    with session.writing("attesting"):
        done = client.participants.attest(
            reserve, document=content, valid_before=until, reference=reference
        )
    session.wrote(
        done,
        f"a reserve of {reserve} is attested until {shown_time(until)}",
        {**_amount(reserve), "valid_before": until},
    )


@command(app, "issue", needs=Needs.REFERENCE)
def issue(
    session: Session,
    to: Annotated[str, typer.Argument(metavar="ADDRESS", help="The participant.")],
    amount: AmountArgument,
    currency: CurrencyArgument,
) -> None:
    """Issue money to a participant."""
    money, reference = to_money(amount, currency), session.reference()
    client = session.client
    with session.writing(f"issuing {money}"):
        done = client.balances.issue(to, money, reference=reference)
    _moved(session, done, money, f"issued {money} to {to}", {"to": to})


@command(app, "redeem", needs=Needs.REFERENCE)
def redeem(session: Session, amount: AmountArgument, currency: CurrencyArgument) -> None:
    """Give money back for reserve money."""
    money, reference = to_money(amount, currency), session.reference()
    client = session.client
    with session.writing(f"redeeming {money}"):
        done = client.balances.redeem(money, reference=reference)
    _moved(session, done, money, f"redeemed {money}", {"from": client.participant})


@command(app, "transfer", needs=Needs.REFERENCE)
def transfer(
    session: Session,
    to: Annotated[str, typer.Argument(metavar="ADDRESS", help="The payee.")],
    amount: AmountArgument,
    currency: CurrencyArgument,
) -> None:
    """Pay another participant."""
    money, reference = to_money(amount, currency), session.reference()
    client = session.client
    with session.writing(f"transferring {money}"):
        done = client.balances.transfer(to, money, reference=reference)
    parties = {"from": client.participant, "to": to}
    _moved(session, done, money, f"transferred {money} to {to}", parties)


def chosen(session: Session, currencies: list[str] | None) -> list[str]:
    """The currencies that were named, or all of the deployment."""
    return currencies or list(session.manifest.tokens)


def _moved(session: Session, done: Written, money: Money, what: str, more: dict[str, Any]) -> None:
    session.wrote(done, what, {**_amount(money), **more})


def _amount(money: Money) -> dict[str, Any]:
    return {"amount_minor": money.amount_minor, "currency": money.currency.alpha}


def _parts(each: Balance) -> tuple[Money, Money, Money]:
    return each.available, each.held, each.total


def _number(money: Money) -> str:
    """An amount without its currency, which has a column of its own."""
    return str(money).rsplit(" ", 1)[0]


def _balance(each: Balance) -> dict[str, Any]:
    return {
        "participant": each.participant,
        "currency": each.total.currency.alpha,
        "available_minor": each.available.amount_minor,
        "held_minor": each.held.amount_minor,
        "total_minor": each.total.amount_minor,
    }


def _reserve(each: Reserve) -> dict[str, Any]:
    return {
        "currency": each.supply.currency.alpha,
        "supply_minor": each.supply.amount_minor,
        "reserve_minor": each.amount.amount_minor,
        "valid_before": each.valid_before,
        "document_hash": hexed(each.document_hash),
        "stale": each.is_stale,
    }


def _reserve_row(each: Reserve) -> list[object]:
    until = "stale" if each.is_stale else shown_time(each.valid_before)
    return [each.supply.currency, _number(each.supply), _number(each.amount), until]


def _show_each(
    documents: list[dict[str, Any]], table: Any, session: Session, bare: list[str] | None = None
) -> None:
    if session.output.as_json:
        for each in documents:
            session.output.json(each)
    else:
        session.output.result({}, table, bare="\n".join(bare or []))
