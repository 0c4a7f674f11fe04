"""Every seed that ever found something, and the first hundred; TAEL_CHAOS_SEEDS is another number.

`make chaos` runs as many as asked.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path

import pytest

from tests.chaos.lanes import Lanes, Seed
from tests.chaos.storm import Report

REGRESSIONS = Path(__file__).parent / "regressions.txt"
ANVIL_SEEDS = int(os.environ.get("TAEL_CHAOS_SEEDS", "100"))
GANACHE_SEEDS = ANVIL_SEEDS // 16

RunSeed = Callable[[Seed], Report]


def _regressions() -> list[Seed]:
    """The first two words of each line; the rest says what it was."""
    seeds: list[Seed] = []
    if not REGRESSIONS.exists():
        return seeds
    for line in REGRESSIONS.read_text().splitlines():
        words = line.split()
        if words and not line.startswith("#"):
            assert words[0] in ("anvil", "ganache")
            seeds.append(("anvil" if words[0] == "anvil" else "ganache", int(words[1])))
    return seeds


SEEDS: list[Seed] = [
    *(("ganache", number) for number in range(1, GANACHE_SEEDS + 1)),
    *(("anvil", number) for number in range(1, ANVIL_SEEDS + 1)),
]


def _name(seed: Seed) -> str:
    return f"{seed[0]}-{seed[1]}"


@pytest.fixture(scope="session")
def run_seed(request: pytest.FixtureRequest) -> Iterator[RunSeed]:
    """Runs all seeds that are asked for in this session aside; gives each one's report."""
    wanted = [
        item.callspec.params["seed"]
        for item in request.session.items
        if isinstance(item, pytest.Function) and "seed" in item.fixturenames
    ]
    with Lanes() as lanes:
        futures: dict[Seed, Future[Report]] = lanes.start(list(dict.fromkeys(wanted)))
        yield lambda seed: futures[seed].result()


def _require_nothing(report: Report) -> None:
    shown = "\n".join(str(finding)[:2_000] for finding in report.findings[:5])
    assert not report.findings, f"{report.line}  # kept in {report.folder}\n{shown}"


@pytest.mark.parametrize("seed", _regressions(), ids=_name)
def test_seed_finds_nothing_when_it_once_did(seed: Seed, run_seed: RunSeed) -> None:
    _require_nothing(run_seed(seed))


@pytest.mark.parametrize("seed", SEEDS, ids=_name)
@pytest.mark.threat("S01")
@pytest.mark.threat("O15")
def test_seed_finds_nothing(seed: Seed, run_seed: RunSeed) -> None:
    _require_nothing(run_seed(seed))
