"""Measure how long a bank's list of payments takes to be compared with the chain.

`python tests/bench/reconciling.py` indexes repetitions of a recorded day (`recorded_day.py`) until
the issuer has enough payments, writes its list of them as CSV, with a mistake here and there, and
compares the two: the clock runs from opening the file to the finding. It also times a statement
over all of it. Writes `build/bench/reconciling.json`.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tael import Identifiers  # noqa: E402
from tael.index import Index, Indexer, fetching  # noqa: E402
from tael.outbox.finality import Finality  # noqa: E402
from tael.reporting import as_csv, read_bank_file, reconcile, statement  # noqa: E402
from tael.store import Store  # noqa: E402
from tael.testing import start_node  # noqa: E402
from tests.bench.indexing import record  # noqa: E402
from tests.bench.recorded_day import SECRET, Day, RecordedReader  # noqa: E402
from tests.support.world import World, build_world  # noqa: E402

RESULT = ROOT / "build" / "bench" / "reconciling.json"
SIZES = (1_000, 10_000, 100_000)
MISTAKE_EVERY = 1_000


def index(day: Day, world: World, where: Path, payments: int) -> Index:
    """As many repetitions of the day as give the issuer so many payments."""
    of_issuer = sum(issuer == world.address("issuer") for issuer in day.issuers.values())
    repetitions = -(-payments // of_issuer)
    store = Store.open(where)
    indexer = Indexer(store, world.client("outsider"), finality=Finality("simulated"))
    node = RecordedReader(day, repetitions, kept_blocks=fetching.KEPT_BLOCKS)
    indexer._reader = node
    indexer._fetching = fetching.Fetching(node)
    last = day.last_block(repetitions)
    while (indexer.step().block or 0) < last:
        pass
    return Index(store, world.manifest)


def write_list(day: Day, found: Index, world: World, file: Path) -> tuple[int, int]:
    """The issuer's own list; every thousandth amount is wrong. Gives the lines and mistakes."""
    names = {
        day.renamed(hash_, repetition): day.reference(hash_, repetition)
        for hash_, issuer in day.issuers.items()
        if issuer == world.address("issuer")
        for repetition in range(found.status().payments // len(day.issuers))
    }
    lines = mistakes = 0
    with file.open("w") as opened:
        opened.write("reference,amount,currency,state\r\n")
        for payment in found.payments(issuer=world.address("issuer")):
            lines += 1
            wrong = lines % MISTAKE_EVERY == 0
            mistakes += wrong
            total = payment.captured_minor or payment.terms.amount_minor
            state = "voided" if not payment.captured_minor else "captured"
            if payment.refunded_minor and payment.refunded_minor == payment.captured_minor:
                state = "refunded"
            amount = total + wrong
            reference = names[payment.terms.reference_hash.hex()]
            opened.write(
                f"{reference},{amount // 100}.{amount % 100:02},{payment.currency},{state}\r\n"
            )
    return lines, mistakes


def measure(sizes: list[int]) -> dict[str, Any]:
    result: dict[str, Any] = {
        "what": "a bank's CSV against the index: read, mapped by reference hash, compared",
        "machine": {"cpus": os.cpu_count(), "python": platform.python_version()},
        "runs": [],
    }
    with start_node("anvil", accounts=20) as node, tempfile.TemporaryDirectory() as folder:
        world = build_world(node)
        day = record(world)
        for size in sizes:
            found = index(day, world, Path(folder) / f"{size}.db", size)
            file = Path(folder) / f"{size}.csv"
            lines, mistakes = write_list(day, found, world, file)
            identifiers = Identifiers(world.address("issuer"), SECRET)
            started = time.perf_counter()
            outcome = reconcile(found, read_bank_file(file), identifiers)
            seconds = time.perf_counter() - started
            assert (outcome.matched, outcome.breaks) == (lines - mistakes, mistakes)
            assert outcome.differing.count == mistakes
            started, characters = time.perf_counter(), 0
            with statement(found, world.address("issuer"), "CNY") as made:
                movements = made.movements
                for part in as_csv(made):
                    characters += len(part)
            run = {
                "lines": lines,
                "payments_in_the_index": found.status().payments,
                "seconds": round(seconds, 3),
                "lines_per_second": round(lines / seconds),
                "differing_found": mistakes,
                "statement_movements": movements,
                "statement_seconds": round(time.perf_counter() - started, 3),
                "peak_memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
            }
            print(run, flush=True)
            result["runs"].append(run)
            found.store.close()
    return result


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Measure reconciliation.")
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--out", type=Path, default=RESULT)
    options = parser.parse_args(arguments)
    result = measure(options.sizes)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(result, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
