"""Every check that needs no running chain: format, lint, types, generated files.

Changes nothing. `make format` and `make artifacts` mend most of what it finds.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = ROOT / ".venv" / "bin"
NODE_BIN = ROOT / "node_modules" / ".bin"
SOLIDITY = "contracts/**/*.sol"

# The slow ones first, so that the two workers end together.
CHECKS: dict[str, list[str]] = {
    "types": [str(BIN / "mypy"), "--no-error-summary"],
    "artifacts": [str(BIN / "python"), "scripts/artifacts.py", "--check"],
    "solidity lint": [str(NODE_BIN / "solhint"), "--max-warnings", "0", "--disc", SOLIDITY],
    "solidity format": [str(NODE_BIN / "prettier"), "--log-level", "warn", "--check", SOLIDITY],
    "python format": [str(BIN / "ruff"), "format", "--quiet", "--check", "."],
    "python lint": [str(BIN / "ruff"), "check", "--quiet", "."],
    "async client": [str(BIN / "python"), "scripts/async_client.py", "--check"],
    "page of errors": [str(BIN / "python"), "scripts/errors_doc.py", "--check"],
    "pages of rules": [str(BIN / "python"), "scripts/tables.py", "--check"],
}


@dataclass(frozen=True)
class Outcome:
    """How one check ended."""

    name: str
    passed: bool
    seconds: float
    output: str


def run(name: str) -> Outcome:
    """Run one check."""
    started = time.monotonic()
    process = subprocess.run(
        CHECKS[name],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    seconds = time.monotonic() - started
    return Outcome(name, process.returncode == 0, seconds, process.stdout.strip())


def main() -> int:
    """Run all checks and say how each ended."""
    failed = []
    with ThreadPoolExecutor(max_workers=os.cpu_count() or 2) as pool:
        for outcome in pool.map(run, CHECKS):
            word = "ok" if outcome.passed else "FAILED"
            print(f"{outcome.name:<16} {word:<6} {outcome.seconds:5.1f} s", flush=True)
            if not outcome.passed:
                failed.append(outcome.name)
                print(outcome.output, flush=True)
    if failed:
        print(f"check: {', '.join(failed)} failed", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
