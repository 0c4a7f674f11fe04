"""Clients that run in a process of their own, because of what they do to the one they are in."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tests.bench.clients.stage import (
    MAX_FEE_WEI,
    ROOT,
    TIP_WEI,
    TRANSFER_GAS,
    WAIT_SECONDS,
    ClientFailed,
    Stage,
    cpu_seconds,
)

Order = Mapping[str, Any]


def run_apart(
    command: Sequence[str], stage: Stage, count: int, *, mode: str = ""
) -> tuple[float, float]:
    """Let a program make transfers: the order on its standard input, its times as its last line.

    It measures by itself, from the first call on, so that loading libraries does not count.

    Raises:
        ClientFailed: It failed, or did not end.
    """
    order = {
        "mode": mode,
        "kind": stage.node.kind,
        "url": stage.node.url,
        "chainId": stage.node.chain_id,
        "token": stage.token,
        "key": stage.key,
        "recipient": stage.recipient,
        "count": count,
        "abi": stage.abi,
        "gas": TRANSFER_GAS,
        "maxFeeWei": MAX_FEE_WEI,
        "tipWei": TIP_WEI,
    }
    try:
        done = subprocess.run(
            command,
            input=json.dumps(order),
            capture_output=True,
            text=True,
            cwd=ROOT,
            timeout=WAIT_SECONDS,
        )
    except subprocess.TimeoutExpired as error:
        raise ClientFailed(f"not done after {WAIT_SECONDS} s") from error
    if done.returncode:
        raise ClientFailed((done.stderr.strip().splitlines() or ["no word"])[-1][:300])
    told = json.loads(done.stdout.splitlines()[-1])
    return float(told["seconds"]), float(told["cpu_seconds"])


def serve(prepare: Callable[[Order], Callable[[], None]]) -> None:
    """The other side, for programs in Python: take the order, prepare, run and tell the times."""
    run = prepare(json.load(sys.stdin))
    started, cpu_started = time.perf_counter(), cpu_seconds()
    run()
    seconds, cpu = time.perf_counter() - started, cpu_seconds() - cpu_started
    print(json.dumps({"seconds": seconds, "cpu_seconds": cpu}))
