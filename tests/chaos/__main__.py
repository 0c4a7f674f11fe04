"""`make chaos SEED=n RUNS=n NODE=anvil|ganache`: run seeds, show what they find, and sum up."""

from __future__ import annotations

import argparse
import itertools
import time
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import as_completed

from tests.chaos.lanes import Lanes, Seed
from tests.chaos.storm import Report

SHOWN = 3
"""Findings of a seed that are printed; all of them are in its folder."""


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Run seeds of the simulator of faults.")
    parser.add_argument("--seed", type=int, default=1, help="the first one")
    parser.add_argument("--runs", type=int, default=1, help="how many, counting up")
    parser.add_argument("--node", choices=("anvil", "ganache"), default="anvil")
    parser.add_argument("--repeat", type=int, default=1, help="run each so often")
    parser.add_argument("--lanes", type=int, default=None, help="how many at a time")
    options = parser.parse_args()
    seeds: list[Seed] = [
        (options.node, number) for number in range(options.seed, options.seed + options.runs)
    ]
    started = time.monotonic()
    counts: Counter[str] = Counter()
    failed: list[str] = []
    done = 0
    with Lanes(options.lanes) as lanes:
        rounds = [lanes.start(seeds, each + 1).values() for each in range(options.repeat)]
        for future in as_completed(itertools.chain.from_iterable(rounds)):
            report = future.result()
            done += 1
            counts.update(report.counts)
            if report.findings:
                failed.append(report.line)
                _show(report)
            print(f"\r{done} of {options.runs * options.repeat}", end="", flush=True)
    seconds = time.monotonic() - started
    print(f"\n{done} seeds on {options.node} in {seconds:.0f} s, {len(failed)} failed")
    for line in _table(counts):
        print(line)
    for line in sorted(set(failed)):
        print(f"failed: {line}")
    return 1 if failed else 0


def _show(report: Report) -> None:
    print(f"\r{report.line}  # {len(report.findings)} findings, kept in {report.folder}")
    for finding in report.findings[:SHOWN]:
        # Of a traceback the end says most.
        said = str(finding)
        print(f"    {said[:400]} … {said[-600:]}" if len(said) > 1_000 else f"    {said}")


def _table(counts: Counter[str]) -> Iterable[str]:
    """What happened how often, by kind."""
    for kind, group in itertools.groupby(sorted(counts), key=lambda name: name.split(":")[0]):
        named = ", ".join(f"{name.partition(':')[2].strip()} {counts[name]}" for name in group)
        yield f"  {kind}: {named}"


if __name__ == "__main__":
    raise SystemExit(main())
