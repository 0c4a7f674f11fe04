"""`tael devnet` and `tael keeper`: what runs until it is stopped."""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tael.cli.command import Needs, command, group
from tael.cli.failures import ExitCode, InterruptionError, describe
from tael.cli.session import Session
from tael.cli.stopping import stopping
from tael.cli.values import bytes32, hexed, seconds, shown_time
from tael.cli.watching import MetricsOption, metrics_served
from tael.errors import InvalidInputError, NodeUnavailableError

if TYPE_CHECKING:
    from tael.keeper import KeeperReport

app = group("Running.")

PORT = 8545
LOOK_SECONDS = 3.0
IDLE_BLOCK_SECONDS = 10
"""Deadlines are minutes and days: a clock that is behind by this much misleads nobody."""


class NodeProgram(StrEnum):
    """A program that makes a local chain."""

    ANVIL = "anvil"
    GANACHE = "ganache"


@command(app, "devnet", needs=Needs.NOTHING)
def devnet(
    session: Session,
    node: Annotated[
        NodeProgram, typer.Option("--node", help="Which program.", case_sensitive=False)
    ] = NodeProgram.ANVIL,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="A free one is taken if it is in use, or 0.")
    ] = PORT,
    chain_id: Annotated[int, typer.Option(min=1, help="The chain id it reports.")] = 1337,
    block_time: Annotated[
        int | None, typer.Option(min=1, help="Seconds between blocks; else one a transaction.")
    ] = None,
    idle_block: Annotated[
        int,
        typer.Option(
            min=0, help="Seconds without a transaction until an empty block; 0 makes none."
        ),
    ] = IDLE_BLOCK_SECONDS,
    manifest: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Where the manifest is while it runs. [temporary]"),
    ] = None,
) -> int:
    """Run a local chain with everything deployed."""
    from tael import devnet as local

    output = session.output
    is_running = False
    try:
        with (
            stopping(at_once=True) as stopped,
            local.running(
                "anvil" if node is NodeProgram.ANVIL else "ganache",
                port=port or None,
                chain_id=chain_id,
                block_time_seconds=block_time,
                idle_block_seconds=idle_block or None,
                manifest_path=manifest,
                progress=output.note,
            ) as running,
        ):
            is_running = True
            text = local.describe(running)
            output.result(local.to_dict(running), f"\n{text}\n", bare=running.chain.url)
            output.note(f"running (process {os.getpid()}); Ctrl-C ends it")
            while not stopped.wait(LOOK_SECONDS):
                # A chain that has ended by itself is an error, not something to wait for.
                local.require_alive(running)
    except KeyboardInterrupt:
        if not is_running:
            raise InterruptionError(
                "Interrupted before the chain was ready; it was ended."
            ) from None
    output.note("stopped")
    return ExitCode.OK


@command(app, "keeper", needs=Needs.KEY)
def keeper(
    session: Session,
    once: Annotated[bool, typer.Option("--once", help="Settle what is due, and end.")] = False,
    interval: Annotated[
        str, typer.Option(metavar="SPAN", help="Pause between two looks, as in 30s or 5m.")
    ] = "30s",
    most: Annotated[
        int, typer.Option("--max", min=1, help="How many payments one look settles at most.")
    ] = 500,
    void: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Void these too: payments you gave up as acquirer, an id a line."
        ),
    ] = None,
    metrics: MetricsOption = None,
) -> int:
    """Reclaim what was never captured, again and again."""
    from tael.keeper import Keeper

    pause = seconds(interval, name="--interval")
    given_up = None if void is None else _ids(void)
    worker = Keeper(session.client, abandoned=given_up, max_actions=most)
    failed = False
    with metrics_served(session, metrics), stopping() as stopped:
        if not once:
            session.output.note(f"looking every {interval}; Ctrl-C ends it")
        while not stopped.is_set():
            try:
                with session.writing("looking for what is due"):
                    report = worker.run(once=True)
            except NodeUnavailableError as error:
                if once:
                    raise
                session.output.warn(f"{error.message}; looking again in {interval}")
            else:
                failed = bool(report.failed)
                _tell(session, report, once=once)
            if once:
                break
            stopped.wait(pause)
    return ExitCode.REFUSED if once and failed else ExitCode.OK


def _tell(session: Session, report: KeeperReport, *, once: bool) -> None:
    output = session.output
    ids = {
        "reclaimed": report.reclaimed,
        "voided": report.voided,
        "settled_elsewhere": report.settled_elsewhere,
    }
    document: dict[str, Any] = {
        "chain_time": report.chain_time,
        **{name: [hexed(each) for each in found] for name, found in ids.items()},
        "failed": [
            {"payment_id": hexed(id_), **describe(error).to_dict()}
            for id_, error in report.failed.items()
        ],
        "left": report.left,
    }
    changed = any(ids.values()) or report.failed or report.left
    if not (once or changed or output.as_json):
        return
    at = shown_time(report.chain_time).split(" · ", 1)[0]
    counts = ", ".join(f"{len(found)} {name.replace('_', ' ')}" for name, found in ids.items())
    lines = [f"{at}  {counts}, {len(report.failed)} failed, {report.left} left"]
    lines += [f"  ✓ {name} {hexed(id_)}" for name, found in ids.items() for id_ in found]
    human = [
        *lines,
        *(
            output.styled(f"  ✗ {hexed(id_)}: {error.message}", "red")
            for id_, error in report.failed.items()
        ),
    ]
    output.result(document, human, bare=str(len(report.reclaimed) + len(report.voided)))


def _ids(path: Path) -> set[bytes]:
    try:
        lines = path.read_text(encoding="ascii").split()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInputError(f"{path} cannot be read as a list of ids") from error
    return {bytes32(line, name=f"an id in {path}") for line in lines}
