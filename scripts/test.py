"""Run every test, two parts at a time, and end with one line that counts them all.

A part is a folder of `tests/` under one set of circumstances: the contract tests run on Anvil and
again on Ganache. Each part has a log of its own under `build/test/`; what failed is shown as soon
as its part ends. Ctrl-C ends everything that was started.
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "build" / "test"
COVERAGE = ROOT / "build" / "coverage"
STOP_TIMEOUT_SECONDS = 10
SHOWN_LINES = 80

# Longest first, so that none is left for the end; folders that are not named here come last.
ORDER = ("index", "sdk", "journal", "chaos", "contracts", "e2e", "invariants", "bench")
COVERED_SDK_PERCENT = 95

OF_WEB3 = re.compile(r"\b(web3|w3|eth_abi|eth_account|eth_keys|rlp|dotenv)\b")
"""In a test file: it has to do with web3, or with what has another version beside web3 8."""
# The guides from end to end, and the transport that web3's provider stands on.
ALSO_WITH_WEB3_8 = ("test_docs_sdk.py", "test_transport.py")
# These compile contracts or read pictures, which an integrator's environment does not.
NOT_WITH_WEB3_8 = ("qr", "test_artifacts.py")


@dataclass
class Part:
    """One run of pytest."""

    name: str
    paths: tuple[Path, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    python: Path = ROOT / ".venv" / "bin" / "python"

    @property
    def log(self) -> Path:
        """Where its output goes."""
        return RESULTS / f"{self.name.replace(' ', '-')}.log"

    @property
    def report(self) -> Path:
        """Where its results are counted from."""
        return self.log.with_suffix(".xml")


@dataclass(frozen=True)
class Counts:
    """How many tests ended how; an error in a fixture or an import is a failure."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.passed + other.passed, self.failed + other.failed, self.skipped + other.skipped
        )

    def __str__(self) -> str:
        skipped = f", {self.skipped} skipped" if self.skipped else ""
        return f"{self.passed} passed, {self.failed} failed{skipped}"


def parts(selected: list[str]) -> list[Part]:
    """Return what is to be run, longest first."""
    folders = sorted(
        (folder for folder in (ROOT / "tests").iterdir() if any(folder.rglob("test_*.py"))),
        key=lambda folder: ORDER.index(folder.name) if folder.name in ORDER else len(ORDER),
    )
    found: list[Part] = []
    for folder in folders:
        if folder.name == "contracts":
            found += [
                Part(f"contracts on {node}", (folder,), {"TAEL_TEST_NODE": node})
                for node in ("ganache", "anvil")
            ]
        else:
            found.append(Part(folder.name, (folder,)))
        if folder.name == "sdk":
            web3_8 = ROOT / ".venv-web3-8" / "bin" / "python"
            found.append(Part("sdk with web3 8", of_web3(folder), python=web3_8))
    return [part for part in found if not selected or any(word in part.name for word in selected)]


def of_web3(folder: Path) -> tuple[Path, ...]:
    """Return the test files of the SDK that can tell one web3 from another."""
    return tuple(
        path
        for path in sorted(folder.rglob("test_*.py"))
        if path.relative_to(folder).parts[0] not in NOT_WITH_WEB3_8
        if path.name in ALSO_WITH_WEB3_8 or OF_WEB3.search(path.read_text(encoding="utf-8"))
    )


def command(part: Part, extra: list[str], with_coverage: bool) -> list[str]:
    """Return how a part is started."""
    line = [str(part.python), "-m", "pytest", "-q", "--color=no", f"--junit-xml={part.report}"]
    line += ["-o", "junit_family=xunit2"]
    line += [str(path.relative_to(ROOT)) for path in part.paths]
    if with_coverage:
        line += ["--cov", "--cov-report="]
    return [*line, *extra]


def count(part: Part, exit_code: int) -> Counts:
    """Count a part's results; a part that ended without a report failed once."""
    try:
        suites = list(ElementTree.parse(part.report).getroot().iter("testsuite"))  # noqa: S314
    except (FileNotFoundError, ElementTree.ParseError):
        return Counts(failed=1)
    total = sum(int(suite.get("tests", "0")) for suite in suites)
    failed = sum(int(suite.get(key, "0")) for suite in suites for key in ("failures", "errors"))
    skipped = sum(int(suite.get("skipped", "0")) for suite in suites)
    if exit_code != 0 and failed == 0:
        failed = 1
        total += 1
    # A test that fails and then fails again in its teardown is counted in both columns.
    return Counts(max(total - failed - skipped, 0), failed, skipped)


class Run:
    """The parts that are running and those that wait."""

    def __init__(self, waiting: list[Part], extra: list[str], with_coverage: bool) -> None:
        self.waiting = list(waiting)
        self.extra = extra
        self.with_coverage = with_coverage
        self.running: list[tuple[Part, subprocess.Popen[bytes], float]] = []
        self.total = Counts()
        self.failed: list[str] = []

    def start_next(self) -> None:
        """Start the next part in a process group of its own."""
        part = self.waiting.pop(0)
        part.report.unlink(missing_ok=True)
        environment = {**os.environ, **part.environment}
        environment["PYTHONUNBUFFERED"] = "1"
        if self.with_coverage:
            environment["COVERAGE_FILE"] = str(COVERAGE / f".coverage.{part.log.stem}")
        with part.log.open("wb") as log:
            process = subprocess.Popen(
                command(part, self.extra, self.with_coverage),
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.running.append((part, process, time.monotonic()))

    def finish(self, part: Part, exit_code: int, seconds: float) -> None:
        """Add a part's results and show what failed in it."""
        counts = count(part, exit_code)
        self.total += counts
        print(f"{part.name:<22} {counts}  ({seconds:.0f} s)", flush=True)
        if exit_code != 0:
            self.failed.append(part.name)
            shown = part.log.read_text(errors="replace").splitlines()[-SHOWN_LINES:]
            print("\n".join(f"  | {line}" for line in shown), flush=True)
            print(f"  all of it: {part.log.relative_to(ROOT)}", flush=True)

    def all(self, workers: int) -> None:
        """Run all parts, so many at a time."""
        while self.waiting or self.running:
            while self.waiting and len(self.running) < workers:
                self.start_next()
            for entry in list(self.running):
                part, process, started = entry
                exit_code = process.poll()
                if exit_code is not None:
                    self.running.remove(entry)
                    self.finish(part, exit_code, time.monotonic() - started)
            time.sleep(0.05)

    def stop(self) -> None:
        """End what is running: ask first, then kill."""
        for ending in (signal.SIGTERM, signal.SIGKILL):
            for _, process, _ in self.running:
                if process.poll() is None:
                    os.killpg(process.pid, ending)
            deadline = time.monotonic() + STOP_TIMEOUT_SECONDS
            while time.monotonic() < deadline and any(p.poll() is None for _, p, _ in self.running):
                time.sleep(0.05)


def report_coverage() -> bool:
    """Combine the SDK's coverage of all parts; False when it is too low."""
    tool = [str(ROOT / ".venv" / "bin" / "coverage")]
    environment = {**os.environ, "COVERAGE_FILE": str(COVERAGE / ".coverage")}
    for step in (
        ["combine", "--quiet", str(COVERAGE)],
        ["html", "-q", "-d", str(COVERAGE / "sdk")],
    ):
        subprocess.run([*tool, *step], cwd=ROOT, env=environment, check=True)
    report = [*tool, "report", f"--fail-under={COVERED_SDK_PERCENT}"]
    return subprocess.run(report, cwd=ROOT, env=environment, check=False).returncode == 0


def main(arguments: list[str] | None = None) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        description="Run every test.", epilog="What follows `--` is given to pytest."
    )
    parser.add_argument("part", nargs="*", help="only parts whose name contains this word")
    parser.add_argument("--coverage", action="store_true", help="measure the SDK's")
    given = sys.argv[1:] if arguments is None else arguments
    own, extra = (
        (given[: given.index("--")], given[given.index("--") + 1 :])
        if "--" in given
        else (given, [])
    )
    options = parser.parse_args(own)

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    for number in (
        signal.SIGINT,
        signal.SIGTERM,
    ):  # SIGINT is ignored where a shell started us with &
        signal.signal(number, interrupt)
    RESULTS.mkdir(parents=True, exist_ok=True)
    if options.coverage:
        COVERAGE.mkdir(parents=True, exist_ok=True)
        for old in COVERAGE.glob(".coverage*"):
            old.unlink()
    run = Run(parts(options.part), extra, options.coverage)
    started = time.monotonic()
    try:
        run.all(workers=max(os.cpu_count() or 1, 2))
    except KeyboardInterrupt:
        run.stop()
        print("test: interrupted", file=sys.stderr)
        return 130
    covered = report_coverage() if options.coverage else True
    nothing_ran = run.total.passed + run.total.failed == 0
    if run.failed:
        print(f"failed: {', '.join(run.failed)}")
    if nothing_ran:
        print("no test ran")
    print(f"{time.monotonic() - started:.0f} s")
    print(run.total)
    return 1 if run.failed or nothing_ran or not covered else 0


if __name__ == "__main__":
    raise SystemExit(main())
