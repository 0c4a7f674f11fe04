"""The whole job, from an empty chain to proven books, and how it ends."""

from __future__ import annotations

import argparse
import logging
import os
import shutil
import signal
import sys
import time
from pathlib import Path
from types import FrameType

from scripts.main_job import (
    books,
    busy_day,
    foreign,
    opening,
    refusals,
    report,
    scenes,
    statements,
)
from scripts.main_job.day import read_day
from scripts.main_job.show import Show
from scripts.main_job.stage import open_stage
from tael import TaelError, file_lock
from tael.testing import NodeKind

ROOT = Path(__file__).resolve().parent.parent.parent
OUTPUT = ROOT / "build" / "demo"
# What a run writes and the next one replaces; whatever else is in the folder stays.
_WRITTEN = ("databases", "qr", "statements", "report.html", "manifest.json")


def run(kind: NodeKind, folder: Path, show: Show) -> books.Verdict:
    """Play every act, write the files, and say what it comes to.

    Args:
        kind: `ganache` or `anvil`.
        folder: Where everything is written.
        show: Who watches.

    Raises:
        AlreadyRunningError: Another run writes there now.
        TaelError: Something did not go as it must.
    """
    started = time.monotonic()
    refusal = (
        f"another run writes into {os.path.relpath(folder)} now: wait for it, or write elsewhere "
        "with --output FOLDER"
    )
    with file_lock.hold(folder / ".lock", refusal=refusal):
        _clear(folder)
        show.act("A chain, and everything on it")
        return _play(kind, folder, show, started)


def _play(kind: NodeKind, folder: Path, show: Show, started: float) -> books.Verdict:
    with open_stage(kind, folder, show) as stage:
        show.act("The books are opened")
        opening.open_books(stage)
        opening.fill_directory(stage)
        show.act("At the till")
        left = scenes.play(stage)
        show.act("Codes of other schemes")
        foreign.read_all(stage)
        show.act("What is refused")
        refusals.play(stage, left)
        show.act("A busy day")
        busy_day.play(stage)
        show.act("The books are closed")
        books.redeem(stage)
        proofs, events, ledger = books.prove(stage, len(read_day()))
        accounts = statements.make(stage)
        proofs += statements.prove(accounts, ledger, events, stage)
        for proof in proofs:
            show.proved(proof.claim, proof.left, proof.holds)
        verdict = books.Verdict(proofs, len(stage.record.settled()), time.monotonic() - started)
        statements.write(folder, accounts)
        report.write(stage, verdict, accounts)
    return verdict


def _clear(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in _WRITTEN:
        path = folder / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; zero only if every book balances.

    Raises:
        KeyboardInterrupt: Ctrl-C, or SIGTERM; what was started has ended.
    """
    parser = argparse.ArgumentParser(
        description="From a QR code to settled interbank money: the main job on a local chain."
    )
    parser.add_argument("--node", choices=("ganache", "anvil"), default="ganache")
    parser.add_argument("--output", type=Path, default=OUTPUT, help="default: build/demo")
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, _interrupt)
    logging.disable(logging.WARNING)
    show = Show()
    try:
        verdict = run(options.node, options.output.resolve(), show)
        line = verdict.closing_line()
    except TaelError as error:
        print(f"\ndemo: {type(error).__name__}: {error}", file=sys.stderr)
        return 1
    shown = os.path.relpath(options.output)
    show.line(f"Report {shown}/report.html, statements {shown}/statements, codes {shown}/qr")
    show.last(line)
    return 0
