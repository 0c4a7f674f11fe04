"""`tael resolve`, `tael resume`: what became of what was sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from tael.cli.command import Needs, command, group
from tael.cli.failures import ExitCode, describe
from tael.cli.session import DEFAULT_WAIT, Session
from tael.cli.values import hexed, seconds, shown_time

if TYPE_CHECKING:
    from tael.models import Resolution

app = group("Outcomes.")

_STYLES = {"settled": "green", "pending": "yellow", "absent": "red"}
_CODES = {
    "settled": ExitCode.OK,
    "absent": ExitCode.REFUSED,
    "pending": ExitCode.OUTCOME_UNKNOWN,
}


@command(app, "resolve", needs=Needs.KEY)
def resolve(
    session: Session,
    reference: Annotated[str, typer.Argument(metavar="REFERENCE", help="Of the write.")],
) -> int:
    """Say what became of a write, by its reference, and what that rests on."""
    with session.output.working("asking journal and node"):
        found = session.client.resolve(reference)
    session.output.result(document(found), _shown(session, found), bare=found.state)
    return _CODES[found.state]


@command(app, "resume", needs=Needs.KEY)
def resume(
    session: Session,
    wait: Annotated[
        str, typer.Option(metavar="SPAN", help="How long to wait for blocks, as in 90s or 5m.")
    ] = DEFAULT_WAIT,
) -> int:
    """Finish what was in flight when a process ended, and say what became of it."""
    patience = seconds(wait, name="--wait")
    output = session.output
    with output.working("finishing what is in flight"):
        resolutions = session.client.resume(patience)
    if output.as_json or output.quiet:
        for each in resolutions:
            output.result(document(each), bare=f"{each.reference} {each.state}")
    elif resolutions:
        rows = [_row(session, each) for each in resolutions]
        output.result({}, output.table(["REFERENCE", "STATE", "STATUS", "BLOCK>", "WHY"], rows))
    else:
        output.note("nothing was in flight")
    states = {each.state for each in resolutions}
    return max((_CODES[state] for state in states), default=ExitCode.OK)


def document(found: Resolution) -> dict[str, Any]:
    """What became of a write, for programs."""
    evidence = found.evidence
    return {
        "reference": found.reference,
        "state": found.state,
        "status": found.status,
        "subject": hexed(found.subject),
        "why": evidence.why,
        "transaction_hashes": list(evidence.transaction_hashes),
        "block_number": evidence.block_number,
        "block_hash": evidence.block_hash,
        "log_index": evidence.log_index,
        "valid_before": evidence.valid_before,
        "refusal": None if found.refusal is None else describe(found.refusal).to_dict()["error"],
    }


def _shown(session: Session, found: Resolution) -> list[Any]:
    output, evidence = session.output, found.evidence
    status = "" if found.status is None else f", {found.status}"
    until = evidence.valid_before
    facts = [
        ("why", evidence.why),
        *(("transaction", each) for each in evidence.transaction_hashes),
        ("block", evidence.block_number),
        ("hash", evidence.block_hash),
        ("log", evidence.log_index),
        ("messages count until", None if until is None else shown_time(until)),
        ("subject", hexed(found.subject)),
        ("refused", None if found.refusal is None else found.refusal.message),
    ]
    title = f"{found.state}{status}: {found.reference}"
    return [output.styled(title, f"bold {_STYLES[found.state]}"), "", output.facts(facts)]


def _row(session: Session, found: Resolution) -> list[Any]:
    number = found.evidence.block_number
    return [
        found.reference,
        session.output.styled(found.state, _STYLES[found.state]),
        found.status or "",
        "" if number is None else number,
        found.evidence.why if found.refusal is None else found.refusal.message,
    ]
