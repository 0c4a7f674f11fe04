"""Measure how the cost of a payment grows with the journal behind it: 1,000 to 1,000,000.

`make bench-growth` sends payments through one client whose journal is on disk, on one Anvil, and
stops at each power of ten to look: seconds and processor time per payment since the last look, the
client's memory, the size of its journal, and how long `resolve` and the repeat of an old payment
take by then. It writes `build/bench/growth.json`.

Batches go to a million. Payments with a transaction each go to a hundred thousand, for there the
node is what takes the time.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tael import BatchOutcome, SignedPayment  # noqa: E402
from tests.bench.clients.stage import (  # noqa: E402
    ClientFailed,
    cpu_seconds,
    large_blocks,
    staged,
)
from tests.bench.clients.tael_py import CURRENCY, Banks, banks, signed  # noqa: E402

RESULT = ROOT / "build" / "bench" / "growth.json"
SIZES = (1_000, 10_000, 100_000, 1_000_000)
CHUNK = 10_000
"""Payments that are signed ahead and handed over together."""
SAMPLE = 500
"""Old payments that are asked about at each look."""
REPEATS = 20
SEED = 20_181_105


@dataclass(frozen=True, slots=True)
class Way:
    """A way to make payments.

    Attributes:
        name: What it is called in the result.
        send: Makes them and returns when all are in blocks.
        up_to: How many payments at most.
    """

    name: str
    send: Callable[[Banks, Sequence[SignedPayment]], None]
    up_to: int


@dataclass(frozen=True, slots=True)
class Look:
    """What was found when so many payments were made.

    Attributes:
        way: How they were made.
        payments: How many stand in the journal.
        per_second: Payments per second since the look before.
        client_cpu_ms: Processor time of the client for each of these, in milliseconds.
        resident_mb: What the client's process has in memory, in units of 1,000,000 bytes.
        journal_mb: What its journal has on disk.
        resolve_median_ms: `Client.resolve` of a payment made some time before.
        resolve_slowest_ms: The slowest of so many.
        repeat_median_ms: The same payment once more, which the journal answers.
    """

    way: str
    payments: int
    per_second: float
    client_cpu_ms: float
    resident_mb: float
    journal_mb: float
    resolve_median_ms: float
    resolve_slowest_ms: float
    repeat_median_ms: float


def _each(both: Banks, payments: Sequence[SignedPayment]) -> None:
    _require_all(both.issuer.payments.authorize_each(payments))


def _batches(both: Banks, payments: Sequence[SignedPayment]) -> None:
    reference = f"A {time.time_ns():x}"
    _require_all(both.issuer.payments.authorize_many(payments, reference=reference))


WAYS = (
    Way("authorize each", _each, 100_000),
    Way("authorizeMany", _batches, 1_000_000),
)


def measure(way: Way, sizes: Sequence[int], report: Callable[[int], None]) -> Iterator[Look]:
    """Make payments and look at each size.

    Args:
        way: How they are made.
        sizes: At how many to look.
        report: Told how many are made.
    """
    drawn = random.Random(SEED)
    with staged("anvil", "in_large_blocks") as stage, banks(stage) as both, large_blocks(stage):
        held_before = both.issuer.balances.held(CURRENCY).amount_minor
        made, kept = 0, list[SignedPayment]()
        for size in sizes:
            begun_at, seconds, cpu = made, 0.0, 0.0
            while made < size:
                chunk = signed(both, min(CHUNK, size - made))
                started, cpu_started = time.perf_counter(), cpu_seconds()
                way.send(both, chunk)
                seconds += time.perf_counter() - started
                cpu += cpu_seconds() - cpu_started
                made += len(chunk)
                # As many from every chunk, so that the old ones are asked about too.
                kept += drawn.sample(chunk, min(len(chunk), max(1, SAMPLE * len(chunk) // size)))
                report(made)
            held = both.issuer.balances.held(CURRENCY).amount_minor - held_before
            if held != made:
                raise ClientFailed(f"{held} of {made} payments are held")
            asked = drawn.sample(kept, min(SAMPLE, len(kept)))
            resolved = [_milliseconds(lambda each=each: _resolve(both, each)) for each in asked]
            repeated = [
                _milliseconds(
                    lambda each=each: both.issuer.payments.authorize(
                        each, reference=each.prepared.reference
                    )
                )
                for each in asked[:REPEATS]
            ]
            yield Look(
                way.name,
                made,
                per_second=(made - begun_at) / seconds,
                client_cpu_ms=1_000 * cpu / (made - begun_at),
                resident_mb=_resident_bytes() / 10**6,
                journal_mb=_journal_bytes(both) / 10**6,
                resolve_median_ms=statistics.median(resolved),
                resolve_slowest_ms=max(resolved),
                repeat_median_ms=statistics.median(repeated),
            )


def table_of(looks: Sequence[Look]) -> Table:
    """The result for a person."""
    table = Table(title="Payments through one client, its journal on disk")
    table.add_column("way")
    for column in (
        "payments",
        "per second",
        "client CPU ms",
        "memory MB",
        "journal MB",
        "resolve ms",
        "slowest",
        "repeat ms",
    ):
        table.add_column(column, justify="right")
    for look in looks:
        table.add_row(
            look.way,
            f"{look.payments:,}",
            f"{look.per_second:,.0f}",
            f"{look.client_cpu_ms:.3f}",
            f"{look.resident_mb:.0f}",
            f"{look.journal_mb:,.1f}",
            f"{look.resolve_median_ms:.2f}",
            f"{look.resolve_slowest_ms:.2f}",
            f"{look.repeat_median_ms:.2f}",
        )
    return table


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--up-to", type=int, default=SIZES[-1], help="payments at most")
    parser.add_argument("--way", choices=[each.name for each in WAYS], action="append")
    options = parser.parse_args()
    console, looks = Console(width=110), []
    with console.status("") as status:
        for way in (each for each in WAYS if each.name in (options.way or [each.name])):
            sizes = [size for size in SIZES if size <= min(way.up_to, options.up_to)]

            def report(made: int, way: Way = way) -> None:
                status.update(f"growth: {way.name}, {made:,} payments")

            for look in measure(way, sizes, report):
                looks.append(look)
                _write(looks)
    console.print(table_of(looks))
    console.print(f"written to {RESULT.relative_to(ROOT)}")
    return 0


def _write(looks: Sequence[Look]) -> None:
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    rows = [
        {name: round(value, 3) if isinstance(value, float) else value for name, value in row}
        for row in (asdict(each).items() for each in looks)
    ]
    document = {"machine": {"cores": os.cpu_count()}, "rows": rows}
    RESULT.write_text(json.dumps(document, indent=2) + "\n")


def _resolve(both: Banks, payment: SignedPayment) -> None:
    found = both.issuer.resolve(payment.prepared.reference)
    if found.state != "settled":
        raise ClientFailed(f"{payment.prepared.reference} is {found.state}: {found.evidence.why}")


def _milliseconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return 1_000 * (time.perf_counter() - started)


def _resident_bytes() -> int:
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        # Elsewhere than on Linux only the most there ever was is known, in bytes on macOS.
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return pages * resource.getpagesize()


def _journal_bytes(both: Banks) -> int:
    file = both.journal
    return sum(each.stat().st_size for each in file.parent.glob(f"{file.name}*"))


def _require_all(outcomes: Iterable[BatchOutcome]) -> None:
    for outcome in outcomes:
        if not outcome.accepted:
            raise ClientFailed(f"a payment was refused: {outcome.refusal}")


if __name__ == "__main__":
    sys.exit(main())
