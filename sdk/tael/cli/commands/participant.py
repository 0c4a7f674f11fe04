"""`tael participant`: who takes part, and how it stands."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tael.cli.command import Needs, YesOption, command, group
from tael.cli.failures import ExitCode
from tael.cli.session import Session
from tael.cli.values import read_document

if TYPE_CHECKING:
    from rich.console import RenderableType

    from tael.models import ParticipantStatus, ScheduledOperation, Written

app = group("Admit banks, suspend, reinstate and close them.")

_Address = Annotated[str, typer.Argument(metavar="ADDRESS", help="The participant's account.")]
_Currencies = Annotated[
    list[str] | None,
    typer.Option("--currency", "-c", help="ISO 4217 letters; every currency if none is named."),
]
_STYLES = {"active": "green", "suspended": "yellow", "closed": "red", "none": "dim"}


@command(app, "admit", needs=Needs.REFERENCE)
def admit(session: Session, address: _Address, currencies: _Currencies = None) -> None:
    """Open accounts for a participant. For the registrar."""

    def act(currency: str) -> Written:
        reference = session.state_reference(_default("admit", currency, address))
        return session.client.participants.admit(address, currency, reference=reference)

    _each(session, currencies, address, "admitting", "admitted", act)


@command(app, "status", needs=Needs.SETTINGS)
def status(session: Session, address: _Address, currencies: _Currencies = None) -> None:
    """Show how a participant stands in each currency."""
    _show(session, [address], currencies)


@command(app, "suspend", needs=Needs.REFERENCE)
def suspend(
    session: Session,
    address: _Address,
    document: Annotated[
        Path,
        typer.Option(metavar="FILE", help="Says why; only a hash of it goes on the chain."),
    ],
    currencies: _Currencies = None,
) -> None:
    """Stop a participant at once: no new holds, no spending. For the guardian."""
    content = read_document(document)

    def act(currency: str) -> Written:
        reference = session.state_reference(_default("suspend", currency, address))
        return session.client.participants.suspend(
            address, currency, document=content, reference=reference
        )

    _each(session, currencies, address, "suspending", "suspended", act)


@command(app, "reinstate", needs=Needs.REFERENCE)
def reinstate(session: Session, address: _Address, currencies: _Currencies = None) -> None:
    """Make a suspended participant active again: announced first, then made."""

    def act(currency: str) -> Written | ScheduledOperation:
        reference = session.state_reference(_default("reinstate", currency, address))
        return session.client.participants.reinstate(address, currency, reference=reference)

    _each(session, currencies, address, "reinstating", "reinstated", act)


@command(app, "close", needs=Needs.REFERENCE)
def close(
    session: Session, address: _Address, currencies: _Currencies = None, yes: YesOption = False
) -> int:
    """Close a participant's accounts for ever: announced first, then made."""
    if not session.output.confirm(f"{address} can never be opened again. Close it?", yes=yes):
        session.output.note("nothing was done")
        return ExitCode.REFUSED

    def act(currency: str) -> Written | ScheduledOperation:
        reference = session.state_reference(_default("close", currency, address))
        return session.client.participants.close(address, currency, reference=reference)

    _each(session, currencies, address, "closing", "closed", act)
    return ExitCode.OK


@command(app, "list", needs=Needs.SETTINGS)
def list_(session: Session, currencies: _Currencies = None) -> None:
    """Show everybody who was ever admitted."""
    from tael.events import AccountAdmitted, topic_of

    admitted: dict[str, None] = {}
    with session.output.working("reading events"):
        topics = [topic_of(AccountAdmitted)]
        for event in session.reader.history().events(topics=topics, with_times=False):
            if isinstance(event, AccountAdmitted):
                admitted[event.participant] = None
    _show(session, list(admitted), currencies)


def _show(session: Session, addresses: list[str], currencies: list[str] | None) -> None:
    from tael.chain import require_address

    output, reader = session.output, session.reader
    wanted = currencies or list(session.manifest.tokens)
    for who in addresses:
        require_address(who, name="the participant")
    with output.working("reading"):
        found = [
            reader.participants.status(currency, who) for who in addresses for currency in wanted
        ]
    if output.as_json:
        for each in found:
            output.json(_document(each))
        return
    bare = "\n".join(f"{each.participant} {each.currency} {_word(each)}" for each in found)
    table = output.table(
        ["PARTICIPANT", "CURRENCY", "STATUS", "AVAILABLE>", "HELD>"],
        [_row(session, each) for each in found],
    )
    output.result({}, table, bare=bare)


def _each(
    session: Session,
    currencies: list[str] | None,
    address: str,
    doing: str,
    done: str,
    act: Callable[[str], Written | ScheduledOperation],
) -> None:
    for currency in currencies or list(session.manifest.tokens):
        _ = session.client
        with session.writing(f"{doing} in {currency}"):
            result = act(currency)
        session.wrote_or_scheduled(
            result,
            f"{done} {address} in {currency}",
            {"participant": address, "currency": currency},
        )


def _default(verb: str, currency: str, address: str) -> str:
    return f"{verb}-{currency}-{address[2:14]}"


def _word(each: ParticipantStatus) -> str:
    return each.status.name.lower()


def _row(session: Session, each: ParticipantStatus) -> list[object]:
    word = _word(each)
    status_cell: RenderableType = session.output.styled(word, _STYLES[word])
    available, held = (
        str(money).rsplit(" ", 1)[0] for money in (each.balance.available, each.balance.held)
    )
    return [each.participant, each.currency, status_cell, available, held]


def _document(each: ParticipantStatus) -> dict[str, Any]:
    return {
        "participant": each.participant,
        "currency": each.currency,
        "status": _word(each),
        "available_minor": each.balance.available.amount_minor,
        "held_minor": each.balance.held.amount_minor,
        "total_minor": each.balance.total.amount_minor,
    }
