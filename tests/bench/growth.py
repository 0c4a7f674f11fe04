"""Measure how the cost of a payment grows with the journal behind it: 1,000 to 1,000,000.

`make bench-growth` sends payments through one client whose journal is on disk, on one Anvil, and
stops at each power of ten to look: seconds and processor time per payment since the last look, the
client's memory, the size of its journal, and how long `resolve` and the repeat of an old payment
take by then. It writes `build/bench/growth.json`.

Up to a hundred thousand all of them are made on the chain. An Anvil keeps too much of each to make
a million in the memory of a small machine, so the last step fills the journal by its own functions,
as the client does, with nothing sent; that row measures the journal alone.
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

from tael import BatchOutcome, PrivateKeySigner, SignedPayment  # noqa: E402
from tael.journal import Fate, Item, Order, Outcome, State  # noqa: E402
from tests.bench.clients.stage import (  # noqa: E402
    ClientFailed,
    cpu_seconds,
    large_blocks,
    staged,
)
from tests.bench.clients.tael_py import CURRENCY, Banks, banks, signed  # noqa: E402

RESULT = ROOT / "build" / "bench" / "growth.json"
SIZES = (1_000, 10_000, 100_000)
JOURNAL_SIZE = 1_000_000
BATCH = 200
RAW_BYTES = 50_000
"""Of a signed batch of 200 payments."""
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
        fills_journal: Whether its journal is filled up to `JOURNAL_SIZE` in the end.
    """

    name: str
    send: Callable[[Banks, Sequence[SignedPayment]], None]
    fills_journal: bool


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
    Way("authorize each", _each, fills_journal=False),
    Way("authorizeMany", _batches, fills_journal=True),
)


def _fill(both: Banks, count: int) -> list[str]:
    """Write payments down as batches that were signed, sent and found final.

    Returns:
        Their references.
    """
    journal, mark = both.issuer._writer.journal, f"{time.time_ns():x}"[-8:]
    key = PrivateKeySigner.from_key(f"{SEED:064x}").address
    references = [f"J {mark} {number}" for number in range(count)]
    for start in range(0, count, BATCH):
        items = tuple(
            Item(reference, "authorize", os.urandom(32), os.urandom(32), 2**31)
            for reference in references[start : start + BATCH]
        )
        order = Order(
            participant=both.issuer.participant,
            reference=f"B {mark} {start}",
            verb="authorizeMany",
            body_hash=os.urandom(32),
            to=both.issuer.manifest.escrow,
            data=b"",
            part=1,
            items=items,
        )
        hash_, block = "0x" + os.urandom(32).hex(), "0x" + os.urandom(32).hex()
        raw = os.urandom(RAW_BYTES)
        [decision] = journal.sign(key, [order], 0, lambda *_, made=(hash_, raw): made)
        signed = decision.signed
        assert signed is not None
        assert signed.write is not None
        rows = [signed.write, *(each.id for each in journal.items_of(signed.write))]
        outcomes = [
            Outcome(row, State.FINAL, hash_, 1, block, place, 8_000_000)
            for place, row in enumerate(rows)
        ]
        journal.settle(outcomes, [(signed.id, Fate.FINAL, 1, block)])
    return references


def measure(way: Way, sizes: Sequence[int], report: Callable[[int], None]) -> Iterator[Look]:
    """Make payments and look at each size.

    Args:
        way: How they are made.
        sizes: At how many to look.
        report: Told how many are made.
    """
    fills = way.fills_journal and JOURNAL_SIZE in sizes
    drawn = random.Random(SEED)
    with staged("anvil", "in_large_blocks") as stage, banks(stage) as both, large_blocks(stage):
        held_before = both.issuer.balances.held(CURRENCY).amount_minor
        made, kept = 0, list[SignedPayment]()
        for size in (each for each in sizes if each != JOURNAL_SIZE):
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
            yield _look(both, way.name, drawn, kept, [], (made, made - begun_at, seconds, cpu))
        if fills:
            started, cpu_started = time.perf_counter(), cpu_seconds()
            filled = _fill(both, JOURNAL_SIZE - made)
            seconds, cpu = time.perf_counter() - started, cpu_seconds() - cpu_started
            spent = (JOURNAL_SIZE, len(filled), seconds, cpu)
            yield _look(both, "the journal alone", drawn, kept, filled, spent)


def _look(
    both: Banks,
    way: str,
    drawn: random.Random,
    kept: Sequence[SignedPayment],
    filled: Sequence[str],
    spent: tuple[int, int, float, float],
) -> Look:
    """Ask about old payments, and see what everything takes by now."""
    payments, new, seconds, cpu = spent
    asked = drawn.sample(kept, min(SAMPLE, len(kept)))
    references = [each.prepared.reference for each in asked]
    if filled:
        references = drawn.sample([*references, *drawn.sample(filled, SAMPLE)], SAMPLE)
    resolved = [_milliseconds(lambda each=each: _resolve(both, each)) for each in references]
    repeated = [
        _milliseconds(
            lambda each=each: both.issuer.payments.authorize(
                each, reference=each.prepared.reference
            )
        )
        for each in asked[:REPEATS]
    ]
    return Look(
        way,
        payments,
        per_second=new / seconds,
        client_cpu_ms=1_000 * cpu / new,
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
    parser.add_argument("--up-to", type=int, default=JOURNAL_SIZE, help="payments at most")
    parser.add_argument("--way", choices=[each.name for each in WAYS], action="append")
    options = parser.parse_args()
    console, looks = Console(width=110), []
    with console.status("") as status:
        for way in (each for each in WAYS if each.name in (options.way or [each.name])):
            sizes = [size for size in (*SIZES, JOURNAL_SIZE) if size <= options.up_to]

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


def _resolve(both: Banks, reference: str) -> None:
    found = both.issuer.resolve(reference)
    if found.state != "settled":
        raise ClientFailed(f"{reference} is {found.state}: {found.evidence.why}")


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
