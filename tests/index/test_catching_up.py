"""Catching up in many ranges, alone and beside others: the index is the same however it ends."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from tael.errors import LedgerError, StoreError
from tael.index import (
    Index,
    Indexer,
    IndexerStep,
    Progress,
    accounts,
    fetching,
    indexer,
    verify,
    writing,
)
from tael.store import Store
from tests.index.contents import contents
from tests.support.activity import have_a_busy_day
from tests.support.world import World


@pytest.fixture(autouse=True)
def morning(world: World, monkeypatch: pytest.MonkeyPatch) -> int:
    """Many small ranges, of which each needs payments of those before from the database.

    Returns:
        The block before the day that is lived here.
    """
    for module in (fetching, indexer, writing):
        monkeypatch.setattr(module, "KEPT_BLOCKS", 8)
    monkeypatch.setattr(fetching, "FIRST_RANGE_BLOCKS", 2)
    monkeypatch.setattr(fetching, "WANTED_LOGS", 6)
    monkeypatch.setattr(fetching, "MAX_LOGS", 8)
    monkeypatch.setattr(accounts, "MAX_PAYMENTS", 2)
    before = world.node.block_number()
    have_a_busy_day(world, 21, 80)
    return before


@pytest.fixture
def whole(morning: int, world: World, other_store: Store) -> Callable[[Store], None]:
    """Says whether an index is what one made step by step by many processes is."""

    def check(store: Store) -> None:
        Indexer(store, world.client("outsider")).catch_up()
        while Indexer(other_store, world.client("outsider")).step().step is not IndexerStep.CURRENT:
            pass
        index = Index(store, world.manifest)
        assert contents(index) == contents(Index(other_store, world.manifest))
        assert verify(index, world.client("outsider")).differences == []

    return check


def test_index_is_the_same_when_ranges_are_small(
    world: World, store: Store, whole: Callable[[Store], None]
) -> None:
    told: list[Progress] = []
    Indexer(store, world.client("outsider")).catch_up(told.append)
    assert len(told) > 20
    assert told[-1].step is IndexerStep.CURRENT
    numbers = [each.block for each in told[:-1]]
    assert numbers == sorted(set(numbers))
    whole(store)


def test_what_is_told_is_in_the_database(world: World, store: Store) -> None:
    def check(progress: Progress) -> None:
        status = Index(store, world.manifest).status()
        assert status.block_number is not None
        assert progress.block is not None
        assert status.block_number >= progress.block

    Indexer(store, world.client("outsider")).catch_up(check)


@pytest.mark.parametrize("failing", [1, 2, 7])
def test_a_write_that_fails_leaves_what_was_committed_before(
    world: World,
    store: Store,
    whole: Callable[[Store], None],
    monkeypatch: pytest.MonkeyPatch,
    failing: int,
) -> None:
    real = indexer.put_rows
    writes = 0

    def fail(*arguments, **named) -> None:
        nonlocal writes
        writes += 1
        real(*arguments, **named)
        if writes == failing:
            raise StoreError("the disk is full")

    monkeypatch.setattr(indexer, "put_rows", fail)
    told: list[Progress] = []
    mine = Indexer(store, world.client("outsider"))
    with pytest.raises(StoreError, match="full"):
        mine.catch_up(told.append)
    status = Index(store, world.manifest).status()
    assert writes == failing
    assert len(told) <= failing - 1
    if told:
        assert status.block_number is not None
        assert status.block_number >= (told[-1].block or 0)
    mine.catch_up()
    whole(store)


def test_logs_that_contradict_each_other_take_nothing_back(
    world: World, store: Store, whole: Callable[[Store], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = Indexer(store, world.client("outsider"))
    mine.step()
    replay, _ = mine._load()
    real, runs = replay.take, 0

    def take(*arguments):
        nonlocal runs
        runs += 1
        if runs == 4:
            raise LedgerError("they do not fit together")
        return real(*arguments)

    monkeypatch.setattr(replay, "take", take)
    with pytest.raises(LedgerError, match="fit"):
        mine.catch_up()
    reached = Index(store, world.manifest).status().block_number
    assert reached is not None
    assert Indexer(store, world.client("outsider")).step().block > reached
    whole(store)


def test_another_process_that_is_quicker_is_followed(
    world: World, store: Store, whole: Callable[[Store], None]
) -> None:
    overtakings = 0

    def overtake(_: Progress) -> None:
        nonlocal overtakings
        if overtakings < 3:
            overtakings += 1
            for _ in range(3):
                Indexer(store, world.client("outsider")).step()

    Indexer(store, world.client("outsider")).catch_up(overtake)
    assert overtakings == 3
    whole(store)


def test_indexers_at_the_same_time_write_everything_once(
    world: World, store: Store, whole: Callable[[Store], None]
) -> None:
    failures: list[BaseException] = []

    def run() -> None:
        try:
            Indexer(store, world.client("outsider")).catch_up()
        except BaseException as error:  # noqa: BLE001 - reported below
            failures.append(error)

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    whole(store)


def test_another_process_that_is_quicker_while_a_range_is_read_is_followed(
    world: World, store: Store, whole: Callable[[Store], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = Indexer(store, world.client("outsider"))
    real, reads = mine._reader.logs, 0

    def logs(first: int, last: int):
        nonlocal reads
        reads += 1
        if reads == 3:
            Indexer(store, world.client("outsider")).catch_up()
        return real(first, last)

    monkeypatch.setattr(mine._reader, "logs", logs)
    assert mine.catch_up().step is IndexerStep.CURRENT
    whole(store)


def test_index_goes_back_when_the_block_between_two_ranges_was_replaced(
    world: World, store: Store, whole: Callable[[Store], None], morning: int
) -> None:
    steps: list[IndexerStep] = []
    is_replaced = False

    def tell(progress: Progress) -> None:
        nonlocal is_replaced
        steps.append(progress.step)
        if not is_replaced and progress.block is not None and progress.block > morning + 20:
            is_replaced = True
            world.forget_clients()
            world.node.rpc("anvil_reorg", progress.lag + 3, [])

    Indexer(store, world.client("outsider")).catch_up(tell)
    assert IndexerStep.REWOUND in steps
    whole(store)
