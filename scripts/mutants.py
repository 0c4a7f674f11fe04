"""Mutation testing: does a fault in a contract ever go unnoticed by `tests/invariants`?

`python scripts/mutants.py` makes small faults in the contracts one at a time, compiles each mutant
and runs the scenarios and the stateful suite against it until the first failure. It writes
`docs/mutants.md`: the score of every file, and each survivor. What was found out is kept under
`build/mutants`, so that a run that was broken off goes on where it stopped; a survivor is tried
again once the tests have changed.

Mutants are compiled quickly (`mutation_tools.compiling.QUICK`); a survivor is compiled again as
the contracts are shipped, and when that gives the shipped code it is no fault at all. Survivors
that people have judged are in `tests/invariants/equivalent_mutants.json`, each with the reason,
and are not tested again.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import random
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from threading import Event, Lock
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from scripts import artifacts  # noqa: E402 - found only now when this file is run as a script
from scripts.mutation_tools import report  # noqa: E402
from scripts.mutation_tools.compiling import QUICK, Compiler  # noqa: E402
from scripts.mutation_tools.making import (  # noqa: E402
    BUILD,
    CONTRACTS,
    Mutant,
    MutationError,
    generate,
    targets,
)
from scripts.mutation_tools.suite import (  # noqa: E402
    SUITE,
    Order,
    SuiteProcess,
    frozen_suite,
    suite_hash,
)

RESULTS = BUILD / "results.json"
REPORT = ROOT / "docs" / "mutants.md"


class Worker:
    """A compiler and a suite, for one mutant at a time."""

    def __init__(self, folder: Path) -> None:
        self.compiler = Compiler()
        self.suite = SuiteProcess(folder)

    def stop(self) -> None:
        """End both processes."""
        self.compiler.stop()
        self.suite.stop()


class Run:
    """What is known so far, and how to find out more.

    Args:
        workers: How many mutants are tested at a time.
    """

    def __init__(self, workers: int) -> None:
        compiled = artifacts.compile_contracts(mocks=False)
        self.sources = {name: source["content"] for name, source in compiled["sources"].items()}
        self.shipped = {name: each["bytecode"] for name, each in compiled["contracts"].items()}
        self.settings = artifacts.compiler_settings()
        self.version = _hash(self.sources)[:16]
        self.suite = suite_hash()
        self.targets = targets()
        self._reviewed = report.reviewed()
        self.results: dict[str, dict[str, str]] = (
            json.loads(RESULTS.read_text()) if RESULTS.is_file() else {}
        )
        self._lock = Lock()
        self._workers = [Worker(frozen_suite()) for _ in range(workers)]
        self._idle: SimpleQueue[Worker] = SimpleQueue()
        for worker in self._workers:
            self._idle.put(worker)
        self.order = Order(self._workers[0].suite.tests)
        self.base = self._base()

    def _base(self) -> dict[str, Any]:
        base: dict[str, Any] = {}
        for contract in CONTRACTS:
            found = self._compile(self._workers[0], self.sources, contract)
            if found is None:
                raise MutationError(f"{contract} does not compile")
            base[contract] = found
        helpers = {str(each.relative_to(ROOT)): each.read_text() for each in SUITE.glob("*.sol")}
        entry = artifacts.compile_contracts(only=[], extra_sources=helpers)["contracts"]
        for name, contract_ in entry.items():
            base[name] = {"abi": contract_["abi"], "bytecode": contract_["bytecode"]}
        return base

    def _compile(
        self, worker: Worker, sources: dict[str, str], contract: str, *, shipped: bool = False
    ) -> dict[str, Any] | None:
        settings = self.settings if shipped else {**self.settings, **QUICK}
        return worker.compiler.compile(sources, contract, settings)

    def check_suite(self) -> None:
        """The contracts as they are must pass, compiled quickly too.

        Raises:
            MutationError: They do not.
        """
        ran = self._workers[0].suite.run(self.base, "unmutated")
        if not ran.passed:
            raise MutationError(f"the suite fails on the contracts as they are: {ran.by}")

    def stop(self) -> None:
        """End every process that was started."""
        for worker in self._workers:
            worker.stop()

    def known(self, mutant: Mutant) -> str | None:
        """The verdict on a mutant, if there is one that still counts or people gave one."""
        key = self._key(mutant)
        verdict = self._valid(key)
        if verdict is None and mutant.place in self._reviewed:
            return "survived"
        if verdict is not None and self.results[key].get("by"):
            self.order.learn(mutant.file, mutant.line, self.results[key]["by"])
        return verdict

    def survived(self, mutant: Mutant) -> bool:
        """Whether it survived these or other tests."""
        return self.results.get(self._key(mutant), {}).get("verdict") == "survived"

    def _valid(self, key: str) -> str | None:
        entry = self.results.get(key)
        if entry is None or (entry["verdict"] == "survived" and entry["suite"] != self.suite):
            return None
        return entry["verdict"]

    def _key(self, mutant: Mutant) -> str:
        return f"{self.version}:{mutant.key}"

    def judge(self, mutant: Mutant) -> str:
        """Return `invalid`, `same`, `killed` or `survived`.

        `invalid` does not compile; `same` gives the code of the unchanged contracts.
        """
        worker = self._idle.get()
        try:
            return self._judge(worker, mutant)
        finally:
            self._idle.put(worker)

    def _judge(self, worker: Worker, mutant: Mutant) -> str:
        sources = {**self.sources, mutant.file: mutant.source}
        contracts = self.targets[mutant.file]
        code = dict(self.base)
        for contract in contracts:
            found = self._compile(worker, sources, contract)
            if found is None:
                return self._record("invalid", self._key(mutant))
            code[contract] = found
        if all(code[each]["bytecode"] == self.base[each]["bytecode"] for each in contracts):
            return self._record("same", self._key(mutant))
        # The same code may come from other sources: a comment elsewhere, another mutant.
        keys = (self._key(mutant), f"code:{_hash(code)}")
        verdict = self._valid(keys[1])
        if verdict is not None:
            return self._record(verdict, keys[0])
        order = self.order.of(mutant.file, mutant.line, contracts[0])
        ran = worker.suite.run(code, f"mutant-{mutant.key}", order)
        if not ran.passed:
            if ran.by:
                self.order.learn(mutant.file, mutant.line, ran.by)
            return self._record("killed", *keys, by=ran.by)
        shipped = [self._compile(worker, sources, each, shipped=True) for each in contracts]
        same = all(
            found is not None and found["bytecode"] == self.shipped[each]
            for each, found in zip(contracts, shipped, strict=True)
        )
        return self._record("same" if same else "survived", *keys)

    def _record(self, verdict: str, *keys: str, by: str = "") -> str:
        entry = {"verdict": verdict, "suite": self.suite, **({"by": by} if by else {})}
        with self._lock:
            self.results.update(dict.fromkeys(keys, entry))
            with tempfile.NamedTemporaryFile("w", dir=BUILD, delete=False) as file:
                json.dump(self.results, file)
            Path(file.name).replace(RESULTS)
        return verdict


def _hash(values: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def judge_all(
    run: Run, mutants: Sequence[Mutant], workers: int, seconds: float, say: Callable[[str], None]
) -> dict[str, str]:
    """Judge the mutants, known ones from the cache, until the time is up or Ctrl-C is pressed.

    Args:
        run: What is known so far.
        mutants: In the order in which they are tested.
        workers: How many are tested at a time.
        seconds: After which no further mutant is begun.
        say: Takes each line of progress.

    Returns:
        The verdicts by mutant key, of all that were judged.
    """
    verdicts = {each.key: verdict for each in mutants if (verdict := run.known(each)) is not None}
    waiting = [each for each in mutants if each.key not in verdicts]
    # What survived other tests first: these are what people wait for.
    waiting.sort(key=lambda mutant: not run.survived(mutant))
    say(f"{len(mutants)} mutants, {len(waiting)} to test")
    began = time.monotonic()
    stopped = Event()

    def judge(mutant: Mutant) -> None:
        if stopped.is_set() or time.monotonic() - began > seconds:
            return
        verdict = run.judge(mutant)
        verdicts[mutant.key] = verdict
        if verdict == "survived":
            say(f"  survived {mutant.file}:{mutant.line}  {mutant.before}  ->  {mutant.after}")

    with ThreadPoolExecutor(workers) as pool:
        tasks = [pool.submit(judge, each) for each in waiting]
        try:
            for done, task in enumerate(tasks, start=1):
                task.result()
                if done % 25 == 0 and not stopped.is_set():
                    say(f"{done} of {len(waiting)}, {(time.monotonic() - began) / done:.1f} s each")
        except KeyboardInterrupt:
            say("stopping after the mutants in hand")
        finally:
            stopped.set()
    return verdicts


def parsed(arguments: list[str] | None) -> argparse.Namespace:
    """Parse the command line; `files` are the source units to mutate."""
    parser = argparse.ArgumentParser(description="Mutation tests over the contracts.")
    parser.add_argument("--sample", type=int, help="test so many mutants, drawn at random")
    parser.add_argument("--seed", type=int, default=1, help="for the order (default 1)")
    parser.add_argument(
        "--minutes", type=float, default=math.inf, help="begin no mutant after so many minutes"
    )
    parser.add_argument("--workers", type=int, default=2, help="mutants at a time (default 2)")
    parser.add_argument("--only", action="append", help="a file under contracts/; may be repeated")
    parser.add_argument("--minimum", type=float, default=95.0, help="score needed, in percent")
    parser.add_argument("--list", action="store_true", help="print the mutants, test nothing")
    parser.add_argument("--no-report", action="store_true", help="leave docs/mutants.md as it is")
    options = parser.parse_args(arguments)
    chosen = [f"contracts/{name.removeprefix('contracts/')}" for name in options.only or []]
    unknown = set(chosen) - targets().keys()
    if unknown:
        parser.error(f"not a file that is mutated: {', '.join(sorted(unknown))}")
    options.files = [file for file in targets() if not chosen or file in chosen]
    return options


def main(arguments: list[str] | None = None) -> int:
    """Run the command line."""
    options = parsed(arguments)
    try:
        mutants = generate(options.files)
        generated = {file: sum(each.file == file for each in mutants) for file in options.files}
        everything = len(mutants)
        # In random order, so that a run that was broken off has tested a fair sample.
        random.Random(options.seed).shuffle(mutants)  # noqa: S311
        mutants = mutants[: options.sample]
        if options.list:
            for each in mutants:
                print(f"{each.file}:{each.line} {each.operator}: {each.before} -> {each.after}")
            return 0
        run = Run(options.workers)
        try:
            run.check_suite()
            limit = 60.0 * options.minutes
            verdicts = judge_all(
                run, mutants, options.workers, limit, lambda text: print(text, flush=True)
            )
        finally:
            run.stop()
    except (MutationError, artifacts.CompilationError) as error:
        print(f"mutants: {error}", file=sys.stderr)
        return 2
    judged = [each for each in mutants if each.key in verdicts]
    how = f"All {everything} mutants."
    if len(judged) < everything:
        how = f"{len(judged)} of {everything} mutants, drawn at random with seed {options.seed}."
    text, score = report.page(judged, verdicts, generated, how)
    if not options.no_report:
        REPORT.parent.mkdir(exist_ok=True)
        REPORT.write_text(text)
    print(f"score {score:.1f} %")
    return 0 if score >= options.minimum else 1


if __name__ == "__main__":
    raise SystemExit(main())
