"""Branch coverage of the contracts by `tests/contracts`.

`python scripts/contract_coverage.py` puts markers into a copy of the contracts under
`build/coverage/contracts`, runs the suite against that copy on Anvil through a proxy that reads the
markers from call traces, prints what each file got and every branch that was not met, and writes
`build/coverage/contracts.json`. It fails when a test fails, when a call could not be traced, and
when less than `--fail-under` percent of the branches were met.

What counts as a branch is told in `scripts/coverage_tools/instrument.py`. A branch that nothing can
reach is named in `scripts/coverage_tools/unreachable.json` with the reason; an entry that fits no
branch, or one that was met, is an error.
"""

from __future__ import annotations

import argparse
import dataclasses
import fcntl
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from scripts import artifacts  # noqa: E402 - found only now when this file is run as a script
from scripts.coverage_tools.instrument import (  # noqa: E402
    Branch,
    InstrumentationError,
    Instrumented,
    instrument,
)
from scripts.coverage_tools.plugin import PROJECT_VARIABLE, RECORDS_VARIABLE  # noqa: E402

REVIEWED = Path("scripts/coverage_tools/unreachable.json")
NOT_COUNTED = ("contracts/interfaces/", "contracts/mocks/")

# Markers cost gas and bytes of code; bounds on these hold in `make test`, not here.
NOT_WITH_MARKERS = "not half_a_block and not code_stays_under_the_limit"


class CoverageError(Exception):
    """The measurement itself is broken, so its numbers mean nothing."""


@dataclass(frozen=True)
class Unreachable:
    """A branch that was judged to be out of reach.

    Attributes:
        file: The source unit's name.
        function: As in `Branch`.
        text: As in `Branch`.
        outcome: As in `Branch`.
        reason: Why nothing can reach it.
    """

    file: str
    function: str
    text: str
    outcome: str
    reason: str

    def names(self, branch: Branch) -> bool:
        """Whether this is that branch. Lines play no part: edits elsewhere do no harm."""
        return (self.file, self.function, self.text, self.outcome) == (
            branch.file,
            branch.function,
            branch.text,
            branch.outcome,
        )


@dataclass(frozen=True)
class Report:
    """What was met, and what was not."""

    branches: Sequence[Branch]
    met: frozenset[int]
    excluded: frozenset[int]

    @property
    def missed(self) -> list[Branch]:
        """Branches that were neither met nor judged to be out of reach."""
        return [each for each in self.branches if each.id not in self.met | self.excluded]

    @property
    def files(self) -> list[str]:
        """All files that have a branch."""
        return sorted({each.file for each in self.branches})

    def counts(self, file: str | None = None) -> tuple[int, int]:
        """Return how many branches were met and how many can be, in a file or in all."""
        counted = [
            each
            for each in self.branches
            if each.id not in self.excluded and file in (None, each.file)
        ]
        return sum(each.id in self.met for each in counted), len(counted)

    def percent(self, file: str | None = None) -> float:
        """Return the share that was met; nothing to meet is all of it."""
        met, total = self.counts(file)
        return 100 * met / total if total else 100.0

    def table(self) -> str:
        """Return a line for each file, the sum, and each branch that was missed."""
        width = max(map(len, self.files), default=0)
        lines = [f"{'branches':<{width}}     met      of"]
        for file in (*self.files, None):
            met, total = self.counts(file)
            lines.append(
                f"{file or 'all':<{width}}  {met:>6}  {total:>6}  {self.percent(file):6.2f} %"
            )
        if self.excluded:
            lines.append(f"{len(self.excluded)} more are out of reach ({REVIEWED})")
        lines += [
            f"{each.file}:{each.line}:{each.column}: {each.kind} never {each.outcome} "
            f"in {each.function}: {each.text}"
            for each in self.missed
        ]
        return "\n".join(lines)

    def document(self) -> dict[str, Any]:
        """Return the report for JSON."""
        files = {}
        for file in self.files:
            met, total = self.counts(file)
            excluded = sum(each.file == file for each in self.branches if each.id in self.excluded)
            files[file] = {"met": met, "total": total, "unreachable": excluded}
        met, total = self.counts()
        return {
            "met": met,
            "total": total,
            "unreachable": len(self.excluded),
            "percent": round(self.percent(), 2),
            "files": files,
            "missed": [dataclasses.asdict(each) for each in self.missed],
        }


def instrumented(root: Path) -> Instrumented:
    """Compile the contracts of a checkout for their syntax trees and put the markers in.

    Raises:
        CompilationError: They do not compile.
        InstrumentationError: A source has a construct that markers cannot be put into.
    """
    compiled = artifacts.compile_contracts(mocks=False, ast=True, root=root)
    return instrument(
        {
            name: (source["content"], source["ast"] or {})
            for name, source in compiled["sources"].items()
            if name.startswith("contracts/") and not name.startswith(NOT_COUNTED)
        }
    )


def write_project(root: Path, project: Path, result: Instrumented) -> None:
    """Write a brownie project like the checkout's, with the instrumented contracts."""
    # Brownie makes the innermost folder only.
    (project / "build").mkdir(parents=True, exist_ok=True)
    wanted = {
        path.relative_to(root).as_posix(): path.read_text(encoding="utf-8")
        for path in (root / "contracts").rglob("*.sol")
    } | result.sources
    for path in (project / "contracts").rglob("*.sol"):
        if path.relative_to(project).as_posix() not in wanted:
            path.unlink()
    for name, text in wanted.items():
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text(text, encoding="utf-8")
    shutil.copy(root / "brownie-config.yaml", project)
    link = project / "node_modules"
    if not link.is_symlink():
        link.symlink_to((root / "node_modules").resolve())


def run_suite(root: Path, folder: Path, tests: Iterable[str], extra: Sequence[str]) -> int:
    """Run pytest against the project in `folder`, which gets the records; return its exit code."""
    records = folder / "records"
    shutil.rmtree(records, ignore_errors=True)
    records.mkdir(parents=True)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "scripts.coverage_tools.plugin"]
    command += ["-p", "no:cacheprovider", "-p", "no:pytest-brownie", "-k", NOT_WITH_MARKERS]
    paths = [str(ROOT), os.environ.get("PYTHONPATH", "")]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(path for path in paths if path),
        "TAEL_TEST_NODE": "anvil",
        PROJECT_VARIABLE: str(folder / "project"),
        RECORDS_VARIABLE: str(records),
    }
    return subprocess.run(
        [*command, *tests, *extra], cwd=root, env=environment, check=False
    ).returncode


def read_records(folder: Path) -> tuple[frozenset[int], list[str]]:
    """Return the markers that any node met, and what could not be traced.

    Raises:
        CoverageError: Nothing was traced.
    """
    records = [json.loads(path.read_text()) for path in sorted(folder.glob("records/*.json"))]
    if not any(record["traces"] for record in records):
        raise CoverageError("the suite called no contract")
    met = frozenset(each for record in records for each in record["met"])
    return met, [each for record in records for each in record["lost"]]


def report(branches: Sequence[Branch], met: frozenset[int], reviewed: Path) -> Report:
    """Compare what was met with what there is and what is out of reach.

    Raises:
        CoverageError: An entry of the reviewed list fits no branch, or one that was met.
    """
    entries = []
    if reviewed.is_file():
        entries = [Unreachable(**each) for each in json.loads(reviewed.read_text())]
    excluded: set[int] = set()
    for entry in entries:
        named = {each.id for each in branches if entry.names(each)}
        place = f"{entry.file}: {entry.text} {entry.outcome} in {entry.function}"
        if not named:
            raise CoverageError(f"{reviewed.name} names a branch that does not exist: {place}")
        if named & met:
            raise CoverageError(f"{reviewed.name} names a branch that was met: {place}")
        if not entry.reason.strip():
            raise CoverageError(f"{reviewed.name} gives no reason: {place}")
        excluded |= named
    return Report(branches, met, frozenset(excluded))


def measure(root: Path, tests: Iterable[str], extra: Sequence[str]) -> tuple[Report, list[str]]:
    """Instrument, run the suite, and return the report and what is wrong with it."""
    folder = root / "build" / "coverage" / "contracts"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        # Two measurements at once would mix their sources and records.
        fcntl.flock(lock, fcntl.LOCK_EX)
        result = instrumented(root)
        write_project(root, folder / "project", result)
        exit_code = run_suite(root, folder, tests, extra)
        met, lost = read_records(folder)
        found = report(result.branches, met, root / REVIEWED)
        text = json.dumps(found.document(), indent=2) + "\n"
        (root / "build" / "coverage" / "contracts.json").write_text(text)
    problems = ["tests failed"] if exit_code else []
    if lost:
        problems += [f"{len(lost)} calls could not be traced, the first: {lost[0]}"]
    return found, problems


def main(arguments: list[str] | None = None) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        description="Branch coverage of the contracts.",
        epilog="What follows `--` is given to pytest.",
    )
    parser.add_argument("tests", nargs="*", default=["tests/contracts"], help="what pytest runs")
    parser.add_argument("--fail-under", type=float, default=100.0, metavar="PERCENT")
    parser.add_argument("--root", type=Path, default=ROOT, help="another checkout")
    given = sys.argv[1:] if arguments is None else arguments
    end = given.index("--") if "--" in given else len(given)
    options = parser.parse_args(given[:end])
    try:
        found, problems = measure(options.root.resolve(), options.tests, given[end + 1 :])
    except (CoverageError, InstrumentationError, artifacts.CompilationError) as error:
        print(f"contract coverage: {error}", file=sys.stderr)
        return 1
    print(found.table())
    if found.percent() < options.fail_under:
        problems.append(f"{found.percent():.2f} % is below {options.fail_under:g} %")
    for problem in problems:
        print(f"contract coverage: {problem}", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    raise SystemExit(main())
