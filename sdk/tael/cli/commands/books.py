"""`tael statement` and `tael reconcile`: the books on paper, and against the bank's own."""

from __future__ import annotations

import errno
import os
import re
import sys
import tempfile
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tael.cli.command import Needs, command, group
from tael.cli.commands.index import StoreOption, open_store
from tael.cli.failures import ExitCode
from tael.cli.session import Session
from tael.cli.values import hexed, when
from tael.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tael.index import Index
    from tael.reporting.bank_file import BankRow
    from tael.reporting.reconciliation import ChainEntry, Reconciliation, Tally

app = group("Books.")

SHOWN_FINDINGS = 20
_WRONG_PLACE = (errno.ENOENT, errno.EACCES, errno.EPERM, errno.EISDIR, errno.ENOTDIR, errno.EROFS)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)

SinceOption = Annotated[
    str | None,
    typer.Option("--from", metavar="TIME", help="By the chain's clock: a date (UTC), or a time."),
]
BeforeOption = Annotated[
    str | None, typer.Option("--to", metavar="TIME", help="The end, which does not belong to it.")
]


class Format(StrEnum):
    """What a statement is written as."""

    JSON = "json"
    CSV = "csv"
    HTML = "html"


class Side(StrEnum):
    """Whose payments a list is of."""

    ISSUER = "issuer"
    ACQUIRER = "acquirer"


@command(app, "statement", needs=Needs.KEY)
def statement(
    session: Session,
    currency: Annotated[str, typer.Option("--currency", "-c", help="ISO 4217 letters.")],
    participant: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Whose; yours if nobody is named.")
    ] = None,
    since: SinceOption = None,
    before: BeforeOption = None,
    written_as: Annotated[
        Format, typer.Option("--format", "-f", help="What to write.", case_sensitive=False)
    ] = Format.CSV,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE", help="Write it there.")
    ] = None,
    names: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="What banks are called: CSV of address and name."),
    ] = None,
    store: StoreOption = None,
) -> None:
    """Write a statement whose every line proves itself.

    Opening and closing balance, and every movement with reference, UETR, counterparty, transaction,
    log and block.
    """
    from tael.reporting import as_csv, as_html, as_json, read_names, statement

    who = participant or session.own_address()
    writers = {Format.JSON: as_json, Format.CSV: as_csv, Format.HTML: as_html}
    form = Format.JSON if session.output.as_json else written_as
    period = (_time(since, name="--from"), _time(before, name="--to"))
    with statement(
        _index(session, store),
        who,
        currency,
        since=period[0],
        before=period[1],
        names={} if names is None else read_names(names),
    ) as made:
        write(out, writers[form](made))
        if out is not None:
            session.output.note(f"{made.movements:,} movements in {out}")
        if not made.is_final:
            session.output.warn("the last lines are in blocks that can still be undone")
        if made.before is not None and not made.is_complete:
            session.output.warn("the period is not over yet by the chain's clock")


@command(app, "reconcile", needs=Needs.KEY)
def reconcile(
    session: Session,
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", help="CSV with the columns reference, amount, currency, state."
        ),
    ],
    side: Annotated[
        Side, typer.Option(help="Whether you issued these payments or acquired them.")
    ] = Side.ISSUER,
    transfers: Annotated[
        bool, typer.Option("--transfers", help="Compare transfers and redemptions too.")
    ] = False,
    since: SinceOption = None,
    before: BeforeOption = None,
    store: StoreOption = None,
) -> int:
    """Compare your own list of payments with the chain.

    Exits with 1 if anything is missing on either side, differs, or cannot be read.
    """
    from tael.reporting import read_bank_file, reconcile

    period = (_time(since, name="--from"), _time(before, name="--to"))
    index, identifiers = _index(session, store), session.identifiers()
    with session.output.working("comparing"):
        found = reconcile(
            index,
            read_bank_file(file),
            identifiers,
            side="issuer" if side is Side.ISSUER else "acquirer",
            transfers=transfers,
            since=period[0],
            before=period[1],
        )
    session.output.result(_document(found), _human(session, found), bare=str(found.breaks))
    return ExitCode.REFUSED if found.breaks else ExitCode.OK


def write(out: Path | None, parts: Iterable[str]) -> None:
    """Write text to a file, all of it or nothing, or to standard output.

    Raises:
        InvalidInputError: Nothing can be written there.
        OSError: There is no room for all of it.
    """
    if out is None:
        for part in parts:
            sys.stdout.write(part)
        sys.stdout.flush()
        return
    with _replacing(out) as opened:
        for part in parts:
            opened.write(part)


@contextmanager
def _replacing(out: Path) -> Iterator[Any]:
    try:
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", newline="", dir=out.parent, prefix=f".{out.name}.", delete=False
        ) as temporary:
            try:
                yield temporary
                temporary.flush()
                os.fsync(temporary.fileno())
                Path(temporary.name).replace(out)
            except BaseException:
                Path(temporary.name).unlink(missing_ok=True)
                raise
    except OSError as error:
        if error.errno in _WRONG_PLACE:
            raise InvalidInputError(f"{out}: {error.strerror}; name another file") from error
        raise


def _index(session: Session, store: str | None) -> Index:
    from tael.index import Index

    return Index(open_store(session, store), session.manifest)


def _time(text: str | None, *, name: str) -> int | None:
    if text is None:
        return None
    if _DATE.fullmatch(text):
        try:
            return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())
        except ValueError:
            pass
    return when(text, name=name)


def _document(found: Reconciliation) -> dict[str, Any]:
    return {
        "participant": found.participant,
        "side": found.side,
        "block_number": found.block_number,
        "block_hash": found.block_hash,
        "rows": found.rows,
        "matched": found.matched,
        "breaks": found.breaks,
        "missing_here": _counted(found.missing_here, [_entry(e) for e in found.missing_here.kept]),
        "missing_there": _counted(found.missing_there, [_row(e) for e in found.missing_there.kept]),
        "differing": _counted(
            found.differing,
            [{**_row(each.row), "chain": _entry(each.entry)} for each in found.differing.kept],
        ),
        "bad": _counted(
            found.bad, [{"line": each.line, "problem": each.problem} for each in found.bad.kept]
        ),
    }


def _counted(tally: Tally[Any], kept: list[dict[str, Any]]) -> dict[str, Any]:
    return {"count": tally.count, "first": kept}


def _row(row: BankRow) -> dict[str, Any]:
    return {
        "line": row.line,
        "reference": row.reference,
        "amount_minor": row.amount.amount_minor,
        "currency": row.amount.currency.alpha,
        "state": row.state.value,
    }


def _entry(entry: ChainEntry) -> dict[str, Any]:
    return {
        "kind": entry.kind,
        "key": hexed(entry.key),
        "reference": entry.reference,
        "amount_minor": entry.amount.amount_minor,
        "currency": entry.amount.currency.alpha,
        "state": entry.state.value,
        "transaction_hash": entry.transaction_hash,
    }


def _human(session: Session, found: Reconciliation) -> list[Any]:
    output = session.output
    clean = not found.breaks
    verdict = (
        f"✓ {found.matched:,} of {found.rows:,} rows match, up to block {found.block_number}"
        if clean
        else f"✗ {found.breaks:,} breaks; {found.matched:,} of {found.rows:,} rows match"
    )
    counts = [
        ["matched", found.matched, "in both, and the same"],
        ["missing here", found.missing_here.count, "on the chain, not in your list"],
        ["missing there", found.missing_there.count, "in your list, not on the chain"],
        ["differing", found.differing.count, "in both, and not the same"],
        ["bad rows", found.bad.count, "could not be compared"],
    ]
    parts: list[Any] = [
        output.styled(verdict, "green" if clean else "bold red"),
        output.table(["", "ROWS>", ""], [[name, f"{n:,}", what] for name, n, what in counts]),
    ]
    if found.differing.count:
        rows = [
            [each.row.line, each.row.reference, _said(each.row), _said(each.entry)]
            for each in found.differing.kept[:SHOWN_FINDINGS]
        ]
        parts.append(output.table(["LINE>", "REFERENCE", "YOUR LIST", "THE CHAIN"], rows))
    if found.missing_there.count:
        rows = [
            [each.line, each.reference, _said(each)]
            for each in found.missing_there.kept[:SHOWN_FINDINGS]
        ]
        parts.append(output.table(["LINE>", "REFERENCE", "NOT ON THE CHAIN"], rows))
    if found.missing_here.count:
        rows = [
            [each.kind, each.reference or hexed(each.key), _said(each), each.transaction_hash]
            for each in found.missing_here.kept[:SHOWN_FINDINGS]
        ]
        parts.append(output.table(["", "REFERENCE OR KEY", "NOT IN YOUR LIST", "SINCE"], rows))
    if found.bad.count:
        rows = [[each.line, each.problem] for each in found.bad.kept[:SHOWN_FINDINGS]]
        parts.append(output.table(["LINE>", "BAD ROW"], rows))
    return parts


def _said(each: BankRow | ChainEntry) -> str:
    return f"{each.amount} {each.state.value}"
