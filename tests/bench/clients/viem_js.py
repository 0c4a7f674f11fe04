"""viem, in a process of Node.js: `viem.mjs` beside this file."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

from tests.bench.clients.apart import run_apart
from tests.bench.clients.stage import Client, Stage

SCRIPT = Path(__file__).with_name("viem.mjs")


def run(stage: Stage, count: int, *, mode: str) -> tuple[float, float]:
    return run_apart([os.environ.get("NODE", "node"), str(SCRIPT)], stage, count, mode=mode)


CLIENTS = (
    Client(
        "viem, one by one",
        partial(run, mode="one_by_one"),
        "at_once",
        {"anvil": 600, "ganache": 200},
    ),
    Client(
        "viem, pipelined",
        partial(run, mode="pipelined"),
        "by_interval",
        {"anvil": 4_000, "ganache": 600},
    ),
)
