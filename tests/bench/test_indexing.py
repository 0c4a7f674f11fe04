"""What the benchmark of the index measures is what it says: true logs, all in the tables."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from tael import Identifiers
from tael.index import Index
from tael.reporting import read_bank_file, reconcile
from tael.store import Store
from tael.testing import start_node
from tests.bench import indexing, reconciling
from tests.bench.recorded_day import SECRET, Day
from tests.support.world import World, build_world


@pytest.fixture(scope="module")
def recorded() -> tuple[World, Day]:
    with start_node("anvil", accounts=20) as node:
        world = build_world(node)
        yield world, indexing.record(world)


def test_repetitions_are_the_day_with_other_names(recorded: tuple[World, Day]) -> None:
    _, day = recorded
    answers = [
        orjson.loads(day.answer(day.last_block(repetition) + 1, day.last_block(repetition + 1)))[
            "result"
        ]
        for repetition in range(2)
    ]
    first, second = answers
    assert len(first) == len(second) == day.events
    for one, other in zip(first, second, strict=True):
        assert one["address"] == other["address"]
        assert one["topics"][0] == other["topics"][0]
        assert one["logIndex"] == other["logIndex"]
        assert one["transactionHash"] != other["transactionHash"]
        assert len(one["data"]) == len(other["data"])
    hashes = {log["transactionHash"] for log in first + second}
    assert len(hashes) == 2 * len({log["transactionHash"] for log in first})


def test_benchmark_indexes_everything_it_counts(
    recorded: tuple[World, Day], tmp_path: Path
) -> None:
    world, day = recorded
    where = str(tmp_path / "store.db")
    run = indexing.index(day, world.client("outsider"), where, 3 * day.events)
    assert run["events"] == len(day.opening) + 3 * day.events
    assert run["rows"]["payments"] == 3 * len(day.issuers)
    assert run["events_per_second"] > 0
    store = Store.open(where)
    # In the evening everything is where it was.
    for balance in Index(store, world.manifest).balances():
        found = world.client("outsider").balances.of(balance.currency, balance.participant)
        assert (balance.available_minor, balance.held_minor) == (
            found.available.amount_minor,
            found.held.amount_minor,
        )
    store.close()


def test_benchmark_finds_exactly_the_mistakes_it_made(
    recorded: tuple[World, Day], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconciling, "MISTAKE_EVERY", 100)
    world, day = recorded
    found = reconciling.index(day, world, tmp_path / "store.db", 400)
    lines, mistakes = reconciling.write_list(day, found, world, tmp_path / "list.csv")
    identifiers = Identifiers(world.address("issuer"), SECRET)
    outcome = reconcile(found, read_bank_file(tmp_path / "list.csv"), identifiers)
    assert mistakes == lines // 100 > 0
    assert (outcome.matched, outcome.breaks) == (lines - mistakes, mistakes)
    found.store.close()
