"""`tael index`: run, status, verify, rebuild."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit

import typer

from tael.cli.command import YesOption, command, group
from tael.cli.failures import ExitCode, InterruptionError, UsageError
from tael.cli.session import Session
from tael.cli.stopping import stopping
from tael.cli.values import seconds, shown_time
from tael.cli.watching import MetricsOption, metrics_served
from tael.errors import NodeUnavailableError, StoreError
from tael.telemetry import set_index_lag

if TYPE_CHECKING:
    from tael.audit import Difference
    from tael.index import Indexer, Progress
    from tael.store import Store

app = group("Index the events into a database, and prove it.")

SHOWN_DIFFERENCES = 20

StoreOption = Annotated[
    str | None,
    typer.Option(
        metavar="PATH_OR_URL",
        help="The database; a URL with a password belongs into the variable. [TAEL_STORE, else "
        "tael/store.db in your folder for state]",
    ),
]
FinalityOption = Annotated[
    str | None,
    typer.Option(
        metavar="WORD",
        help="When a block is final: simulated, instant, finalized, or a number of blocks on top. "
        "[TAEL_FINALITY, else what fits the chain]",
    ),
]
PollOption = Annotated[
    str, typer.Option(metavar="SPAN", help="Pause when there is nothing new, as in 1s.")
]


def open_store(session: Session, where: str | None) -> Store:
    """The database that an option or the environment names.

    Raises:
        UsageError: A password stands among the words of the command, where others can see it.
    """
    from tael.store import Store

    if where is not None and "://" in where and urlsplit(where).password:
        raise UsageError("Others can see the words of a command: put the URL into TAEL_STORE.")
    return Store.open(where or session.settings.store)


@command(app, "run")
def run(
    session: Session,
    once: Annotated[bool, typer.Option("--once", help="Catch up, and end.")] = False,
    store: StoreOption = None,
    finality: FinalityOption = None,
    poll: PollOption = "1s",
    metrics: MetricsOption = None,
) -> int:
    """Catch up with the chain, then follow it until Ctrl-C."""
    pause = seconds(poll, name="--poll")
    indexer = _indexer(session, store, finality)
    output = session.output
    if once:
        _catch_up(session, indexer)
        return ExitCode.OK
    output.note(f"following every {poll}; Ctrl-C ends it")
    with metrics_served(session, metrics), stopping() as stopped:
        while not stopped.is_set():
            try:
                indexer.follow(
                    stopped, poll_seconds=pause, tell=lambda progress: _tell(session, progress)
                )
            except (NodeUnavailableError, StoreError) as error:
                output.warn(f"{error.message} Going on in {poll}.")
                stopped.wait(pause)
            except KeyboardInterrupt:
                raise InterruptionError("Stopped; the index goes on from here next time.") from None
    return ExitCode.OK


@command(app, "status")
def status(session: Session, store: StoreOption = None) -> None:
    """Show how far the index has come; needs no node but for its chain id."""
    from tael.index import Index

    found = Index(open_store(session, store), session.manifest).status()
    document = {name: getattr(found, name) for name in found.__slots__}
    at = "nothing yet" if found.block_time is None else shown_time(found.block_time)
    facts = session.output.facts(
        [
            ("block", found.block_number),
            ("hash", found.block_hash),
            ("time", at),
            ("final", found.final_number if found.final_number >= 0 else "nothing yet"),
            ("transactions", f"{found.receipts:,}"),
            ("payments", f"{found.payments:,}"),
            ("movements", f"{found.movements:,}"),
        ]
    )
    bare = "" if found.block_number is None else str(found.block_number)
    session.output.result(document, facts, bare=bare)


@command(app, "verify")
def verify(
    session: Session,
    store: StoreOption = None,
    finality: FinalityOption = None,
    as_is: Annotated[
        bool, typer.Option("--as-is", help="Do not catch up first; the node must keep old states.")
    ] = False,
) -> int:
    """Compare every balance, hold and payment with the contracts, at one block."""
    from tael import index as indexes

    output = session.output
    indexer = None if as_is else _indexer(session, store, finality)
    if indexer is not None:
        with output.working("catching up"):
            indexer.catch_up()
    database = open_store(session, store) if indexer is None else indexer.store
    with output.working("comparing with the contracts"):
        found = indexes.verify(indexes.Index(database, session.manifest), session.reader)
    document: dict[str, Any] = {
        "block_number": found.block_number,
        "block_hash": found.block_hash,
        "checks": found.checks,
        "faults": found.faults,
        "differences": [_difference(each) for each in found.differences],
    }
    where = f"{found.checks:,} values at block {found.block_number} ({found.block_hash})"
    if not found.faults:
        output.result(document, output.styled(f"✓ the index is right: {where}", "green"), bare="ok")
        return ExitCode.OK
    rows = [
        [each.contract, each.what, _shown(each.key), _shown(each.ledger), _shown(each.chain)]
        for each in found.differences[:SHOWN_DIFFERENCES]
    ]
    output.result(
        document,
        [
            output.styled(f"✗ {found.faults:,} of {where} differ", "bold red"),
            output.table(["CONTRACT", "WHAT", "OF", "INDEX", "CONTRACT SAYS"], rows),
        ],
        bare=str(found.faults),
    )
    return ExitCode.REFUSED


@command(app, "rebuild")
def rebuild(
    session: Session,
    yes: YesOption = False,
    store: StoreOption = None,
    finality: FinalityOption = None,
) -> int:
    """Forget what is indexed, and index everything anew; subscriptions keep their places."""
    from tael.index import erase

    output = session.output
    if not output.confirm("Forget the index of this deployment and make it anew?", yes=yes):
        return ExitCode.REFUSED
    database = open_store(session, store)
    with output.working("forgetting"):
        erase(database, session.manifest)
    _catch_up(session, _indexer(session, store, finality))
    return ExitCode.OK


def _indexer(session: Session, store: str | None, finality: str | None) -> Indexer:
    from tael.index import Indexer
    from tael.outbox.finality import Finality

    said = finality or session.settings.finality
    rule = None if said is None else Finality.parse(said)
    return Indexer(open_store(session, store), session.reader, finality=rule)


def _tell(session: Session, progress: Progress) -> None:
    set_index_lag(progress.lag, chain_id=session.chain.chain_id)
    if not (progress.logs or progress.undone):
        return
    output = session.output
    if output.as_json:
        output.json(_document(progress))
    elif progress.undone:
        output.warn(f"the chain took back {progress.undone} transactions after {progress.block}")
    else:
        output.note(
            f"block {progress.block}: {progress.logs:,} events, {progress.lag:,} blocks left"
        )


def _catch_up(session: Session, indexer: Indexer) -> None:
    output = session.output
    events = undone = 0

    def count(progress: Progress) -> None:
        nonlocal events, undone
        events += progress.logs
        undone += progress.undone
        if not output.as_json:
            _tell(session, progress)

    with output.working("catching up"):
        last = indexer.catch_up(count)
    words = f"indexed up to block {last.block}"
    if last.lag < 0:
        words += f"; the node is {-last.lag} blocks behind"
    document = _document(last._replace(logs=events, undone=undone))
    output.result(document, output.styled(f"✓ {words}", "green"), bare=str(last.block))


def _document(progress: Progress) -> dict[str, Any]:
    return {
        "step": progress.step.value,
        "block_number": progress.block,
        "head_number": progress.head,
        "events": progress.logs,
        "undone": progress.undone,
    }


def _difference(each: Difference) -> dict[str, Any]:
    return {
        "contract": each.contract,
        "what": each.what,
        "of": _plain(each.key),
        "index": _plain(each.ledger),
        "chain": _plain(each.chain),
    }


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    return "0x" + value.hex() if isinstance(value, bytes) else value


def _shown(value: Any) -> str:
    plain = _plain(value)
    return ", ".join(map(str, plain)) if isinstance(plain, list) else str(plain)
