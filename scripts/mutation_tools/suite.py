"""Testing mutants: the suite of `tests/invariants`, the likeliest tests first."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from scripts.mutation_tools.making import BUILD, MutationError
from tael.contracts.registry import REGISTRY

ROOT = Path(__file__).resolve().parents[2]
SUITE = ROOT / "tests" / "invariants"

TEST_SECONDS = 120

# The scenarios of a contract stand in files that begin with its key.
SCENARIOS = {kind.name: f"test_{kind.key}" for kind in REGISTRY}


@dataclass(frozen=True)
class Ran:
    """What became of a run of the suite.

    Args:
        passed: Whether every test passed.
        by: The test that failed; empty if the run died or took too long.
    """

    passed: bool
    by: str = ""


def suite_hash() -> str:
    """A hash of the tests: what survived other tests is tried again."""
    texts = [path.read_text() for kind in ("*.py", "*.sol") for path in sorted(SUITE.rglob(kind))]
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:16]


def frozen_suite() -> Path:
    """Copy the tests aside, so that changing them does not disturb a run; return the copy."""
    folder = BUILD / "suites" / suite_hash() / "tests" / "invariants"
    if not folder.is_dir():
        shutil.copytree(SUITE, folder, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


class SuiteProcess:
    """A process that has the suite ready and runs it in a fork for each mutant.

    Args:
        folder: Where the suite is.
    """

    def __init__(self, folder: Path) -> None:
        BUILD.mkdir(parents=True, exist_ok=True)
        environment = {
            **os.environ,
            "TAEL_HYPOTHESIS_PROFILE": "mutants",
            "PYTHONPATH": str(ROOT),
        }
        command = [sys.executable, "-m", "pytest", "-q", "-s", "--assert=plain", "--no-header"]
        command += [
            "-p",
            "scripts.mutation_tools.server",
            "-p",
            "no:cacheprovider",
            "-c",
            str(ROOT / "pyproject.toml"),
            str(folder),
        ]
        self._process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.tests: tuple[str, ...] = tuple(self._answer()["tests"])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def run(self, code: Mapping[str, Any], name: str, order: Sequence[str] = ()) -> Ran:
        """Run the suite against this code up to the first failure.

        Args:
            code: ABI and creation code of every contract.
            name: Of this run, for its file under `build/mutants`.
            order: The tests that go first.

        Raises:
            MutationError: The suite does not run.
        """
        file = BUILD / f"{name}.json"
        file.write_text(json.dumps(code))
        request = {"code": str(file), "order": list(order), "seconds": TEST_SECONDS}
        assert self._process.stdin is not None  # noqa: S101 - a pipe
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
            answer = self._answer()
        finally:
            file.unlink(missing_ok=True)
        return Ran(answer["verdict"] == "passed", answer["by"])

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None  # noqa: S101 - a pipe
        for line in self._process.stdout:
            # Between the answers pytest says what it says.
            if line.startswith("{"):
                answer: dict[str, Any] = json.loads(line)
                return answer
        self.stop()
        raise MutationError("the suite does not run: pytest tests/invariants")

    def stop(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()


class Order:
    """Which tests to run first, from what killed other mutants: the nearer, the likelier."""

    def __init__(self, tests: Sequence[str]) -> None:
        self._tests = tests
        self._kills: dict[str, list[tuple[int, str]]] = {}

    def learn(self, file: str, line: int, test: str) -> None:
        """Note that a test killed a mutant of this line."""
        self._kills.setdefault(file, []).append((line, _bare(test)))

    def of(self, file: str, line: int, contract: str) -> list[str]:
        """All tests, the likeliest to notice a fault in this line first.

        Args:
            file: The source unit.
            line: Where in it.
            contract: The contract whose scenarios come before others.
        """
        nearest: dict[str, int] = {}
        for at, test in self._kills.get(file, ()):
            distance = abs(at - line)
            nearest[test] = min(distance, nearest.get(test, distance))
        far = 1_000_000

        def rank(test: str) -> tuple[bool, int, bool]:
            # The quick scenarios before the random search.
            near = nearest.get(_bare(test), far)
            return "stateful" in test, near, SCENARIOS[contract] not in test

        return sorted(self._tests, key=rank)


def _bare(test: str) -> str:
    """A test's name without its file, so that what was learnt survives a move."""
    return test.rpartition("::")[2]
