"""The chain takes blocks back, and the index goes along, exactly (S15, I-27)."""

from __future__ import annotations

import random

import pytest
import sqlalchemy as sa

from tael.errors import DeepReorgError
from tael.index import (
    Index,
    Indexer,
    IndexerStep,
    ReceiptStatus,
    Subscription,
    fetching,
    indexer,
    verify,
    writing,
)
from tael.outbox.finality import Finality
from tael.store import Store
from tael.store.tables import blocks, receipts
from tests.index.contents import contents
from tests.support.activity import have_a_busy_day, live_through_everything
from tests.support.world import World, cny

pytestmark = pytest.mark.threat("S15")


def reorganise(world: World, depth: int) -> None:
    """Replace the last blocks by empty ones."""
    world.forget_clients()
    world.node.rpc("anvil_reorg", depth, [])


def catch_up(indexer_: Indexer) -> list[IndexerStep]:
    steps: list[IndexerStep] = []
    indexer_.catch_up(lambda progress: steps.append(progress.step))
    return steps


def assert_as_if_never(world: World, index: Index, fresh: Store) -> None:
    """The index is what one made now from nothing is."""
    Indexer(fresh, world.client("outsider")).catch_up()
    assert contents(index) == contents(Index(fresh, world.manifest))
    assert verify(index, world.client("outsider")).differences == []


@pytest.mark.parametrize("depth", [1, 4, 25])
def test_index_goes_back_when_blocks_are_replaced(
    world: World, store: Store, other_store: Store, depth: int
) -> None:
    have_a_busy_day(world, 1, 40)
    indexer_ = Indexer(store, world.client("outsider"))
    indexer_.catch_up()
    have_a_busy_day(world, 2, 40)
    indexer_.catch_up()
    reorganise(world, depth)
    have_a_busy_day(world, 3, 5)
    assert IndexerStep.REWOUND in catch_up(Indexer(store, world.client("outsider")))
    assert_as_if_never(world, Index(store, world.manifest), other_store)


def test_index_is_what_it_was_when_everything_after_is_taken_back(
    world: World, store: Store
) -> None:
    have_a_busy_day(world, 4, 40)
    indexer_ = Indexer(store, world.client("outsider"))
    indexer_.catch_up()
    index = Index(store, world.manifest)
    before, height = contents(index), world.node.block_number()
    live_through_everything(world)
    indexer_.catch_up()
    assert contents(index) != before
    reorganise(world, world.node.block_number() - height)
    indexer_ = Indexer(store, world.client("outsider"))
    assert IndexerStep.REWOUND in catch_up(indexer_)
    after = contents(index)
    assert {**after, "status": None} == {**before, "status": None}


@pytest.mark.parametrize("seed", range(3))
def test_random_reorganisations_leave_no_trace(
    world: World, sqlite: Store, tmp_path, seed: int
) -> None:
    choose = random.Random(seed)
    client = world.client("outsider")
    lowest = world.node.block_number()
    indexer_ = Indexer(sqlite, client)
    for round_ in range(12):
        have_a_busy_day(world, 1_000 * seed + round_, choose.randint(1, 12))
        if choose.random() < 0.7:
            indexer_.catch_up()
        depth = world.node.block_number() - lowest
        if depth > 1 and choose.random() < 0.6:
            reorganise(world, choose.randint(1, min(depth, 30)))
            indexer_ = Indexer(sqlite, world.client("outsider"))
    indexer_.catch_up()
    index = Index(sqlite, world.manifest)
    fresh = Store.open(tmp_path / "fresh.db")
    assert_as_if_never(world, index, fresh)
    # Whoever was told of everything, and of what was undone, knows the same.
    told: list[tuple] = []
    for delivery in Subscription(index, "all").follow():
        at = delivery.event.at
        key = (at.block_hash, at.transaction_hash, at.log_index, type(delivery.event).__name__)
        if delivery.is_removed:
            told.remove(key)
        else:
            told.append(key)
    final = [
        (at.block_hash, at.transaction_hash, at.log_index, type(event).__name__)
        for event in world.client("outsider").history().events(with_times=False)
        for at in [event.at]
    ]
    assert told == final
    fresh.close()


def test_index_goes_back_when_a_chain_is_set_back(any_world: World, store: Store) -> None:
    indexer_ = Indexer(store, any_world.client("outsider"))
    indexer_.catch_up()
    snapshot = any_world.node.snapshot()
    any_world.authorize("P-1", cny("5.00"))
    any_world.authorize("P-2", cny("6.00"))
    indexer_.catch_up()
    index = Index(store, any_world.manifest)
    assert index.balance(any_world.address("issuer"), "CNY").held_minor == 11_00
    any_world.node.revert(snapshot)
    any_world.node.snapshot()
    any_world.forget_clients()
    indexer_ = Indexer(store, any_world.client("outsider"))
    # A node that lags says the same; nothing is taken back before it says something else.
    assert indexer_.catch_up().step is IndexerStep.BEHIND
    any_world.authorize("P-3", cny("7.00"))
    assert IndexerStep.REWOUND in catch_up(indexer_)
    assert index.balance(any_world.address("issuer"), "CNY").held_minor == 7_00
    assert verify(index, any_world.client("outsider")).differences == []


def test_nothing_final_is_ever_taken_back(world: World, store: Store) -> None:
    rule = Finality("confirmations", 3)
    for number in range(6):
        world.authorize(f"P-{number}", cny("1.00"))
    indexer_ = Indexer(store, world.client("outsider"), finality=rule)
    indexer_.catch_up()
    index = Index(store, world.manifest)
    height = world.node.block_number()
    assert index.status().final_number == height - 3
    before = contents(index)
    reorganise(world, 3)
    indexer_ = Indexer(store, world.client("outsider"), finality=rule)
    assert IndexerStep.REWOUND in catch_up(indexer_)
    assert contents(index) != before
    before = contents(index)
    reorganise(world, 4)
    world.node.mine()
    indexer_ = Indexer(store, world.client("outsider"), finality=rule)
    with pytest.raises(DeepReorgError, match="was final"):
        indexer_.catch_up()
    assert contents(index) == before


def test_a_change_deeper_than_what_is_kept_is_an_error(
    world: World, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (fetching, indexer, writing):
        monkeypatch.setattr(module, "KEPT_BLOCKS", 8)
    Indexer(store, world.client("outsider")).catch_up()
    world.authorize("P-1", cny("5.00"))
    # Empty blocks are replaced by the same, but for what was before them.
    world.node.rpc("anvil_mine", hex(14))
    Indexer(store, world.client("outsider")).catch_up()
    reorganise(world, 15)
    with pytest.raises(DeepReorgError, match="rebuild"):
        Indexer(store, world.client("outsider")).catch_up()
    assert Index(store, world.manifest).status().block_number == world.node.block_number()


def test_what_was_taken_back_stays_readable_with_its_notice(world: World, store: Store) -> None:
    Indexer(store, world.client("outsider")).catch_up()
    world.authorize("P-1", cny("5.00"))
    Indexer(store, world.client("outsider")).catch_up()
    reorganise(world, 1)
    Indexer(store, world.client("outsider")).catch_up()
    with store.read() as connection:
        rows = connection.execute(sa.select(receipts).order_by(receipts.c.id.desc()).limit(2)).all()
        orphans = connection.execute(
            sa.select(sa.func.count()).select_from(blocks).where(blocks.c.is_orphan)
        ).scalar_one()
    assert [row.status for row in rows] == [ReceiptStatus.NOTICE, ReceiptStatus.UNDONE]
    assert rows[0].logs == rows[1].logs
    assert rows[0].transaction_hash == rows[1].transaction_hash
    assert orphans == 1


def test_block_replaced_while_it_is_read_is_read_again(
    world: World, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    indexer_ = Indexer(store, world.client("outsider"))
    indexer_.catch_up()
    world.authorize("P-1", cny("5.00"))
    node = indexer_._reader
    read = node.logs_of

    def meanwhile(headers):
        logs = read(headers)
        monkeypatch.undo()
        reorganise(world, 1)
        return logs

    monkeypatch.setattr(node, "logs_of", meanwhile)
    assert catch_up(indexer_) == [IndexerStep.REPEATED, IndexerStep.ADVANCED, IndexerStep.CURRENT]
    index = Index(store, world.manifest)
    assert index.balance(world.address("issuer"), "CNY").held_minor == 0
    assert verify(index, world.client("outsider")).differences == []
