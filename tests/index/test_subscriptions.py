"""Events are handed on in order, at least once, and what is taken back is told (S15)."""

from __future__ import annotations

import threading

import pytest
import sqlalchemy as sa

from tael import events as ev
from tael.errors import InvalidInputError, SubscriptionLostError
from tael.index import Index, Indexer, Subscription, erase, subscriptions
from tael.outbox.finality import Finality
from tael.store import Store
from tael.store.tables import subscriptions as table
from tests.support.activity import have_a_busy_day, live_through_everything
from tests.support.world import World, cny


def catch_up(world: World, store: Store, finality: Finality | None = None) -> Index:
    Indexer(store, world.client("outsider"), finality=finality).catch_up()
    return Index(store, world.manifest)


def events_of(world: World) -> list[ev.Event]:
    """All events, as they are read without the index."""
    return list(world.client("outsider").history().events())


def told(subscription: Subscription) -> list[ev.Event]:
    return [delivery.event for delivery in subscription.follow()]


def without_time(event: ev.Event) -> tuple:
    at = event.at
    return (
        type(event).__name__,
        (at.contract, at.block_number, at.block_hash, at.transaction_hash, at.log_index),
        tuple(getattr(event, name) for name in type(event).__slots__),
    )


def test_every_event_is_delivered_as_it_was_when_everything_has_happened(
    any_world: World, store: Store
) -> None:
    live_through_everything(any_world)
    index = catch_up(any_world, store)
    mine = told(Subscription(index, "all"))
    assert [without_time(each) for each in mine] == [
        without_time(each) for each in events_of(any_world)
    ]
    assert all(each.at.timestamp is not None for each in mine)


def test_delivery_goes_on_where_it_was_acknowledged(world: World, store: Store) -> None:
    have_a_busy_day(world, 1, 30)
    index = catch_up(world, store)
    everything = told(Subscription(index, "all"))
    first = Subscription(index, "parts")
    found = first.read()
    first.acknowledge(found[4])
    # A crash: what was read and not acknowledged comes again.
    again = Subscription(index, "parts")
    assert told(again) == everything[5:]
    assert told(Subscription(index, "parts")) == []
    world.authorize("P-1", cny("5.00"))
    catch_up(world, store)
    (last,) = told(Subscription(index, "parts"))
    assert isinstance(last, ev.PaymentAuthorized)
    assert told(Subscription(index, "parts")) == []


def test_what_was_handled_is_acknowledged_when_the_reader_breaks_off(
    world: World, store: Store
) -> None:
    index = catch_up(world, store)
    seen = []
    following = Subscription(index, "s").follow()
    for delivery in following:
        seen.append(delivery.event)
        if len(seen) == 7:
            break
    following.close()
    # The seventh may not have been finished.
    rest = told(Subscription(index, "s"))
    assert rest[0] == seen[6]
    assert [*seen[:6], *rest] == told(Subscription(index, "other"))


def test_pages_are_bounded_and_complete(
    world: World, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    have_a_busy_day(world, 2, 30)
    index = catch_up(world, store)
    everything = told(Subscription(index, "all"))
    monkeypatch.setattr(subscriptions, "PAGE_RECEIPTS", 3)
    subscription = Subscription(index, "small")
    pages = []
    while page := subscription.read():
        pages.append(page)
        assert len({delivery.place.receipt for delivery in page}) <= 4
    assert [delivery.event for page in pages for delivery in page] == everything
    assert len(pages) > 10


def test_removal_is_told_when_blocks_are_taken_back(world: World, store: Store) -> None:
    index = catch_up(world, store)
    subscription = Subscription(index, "all")
    told(subscription)
    payment = world.authorize("P-1", cny("5.00"))
    catch_up(world, store)
    (opened,) = subscription.read()
    subscription.acknowledge(opened)
    world.forget_clients()
    world.node.rpc("anvil_reorg", 1, [])
    other = world.authorize("P-2", cny("6.00"))
    catch_up(world, store)
    removed, new = told_deliveries(subscription)
    assert removed.is_removed
    assert removed.event == opened.event
    assert removed.event.id == payment.payment_id
    assert not new.is_removed
    assert new.event.id == other.payment_id
    assert new.event.at.block_hash != removed.event.at.block_hash


def told_deliveries(subscription: Subscription) -> list:
    return list(subscription.follow())


def test_only_what_is_final_is_delivered_when_asked_so(world: World, store: Store) -> None:
    rule = Finality("confirmations", 4)
    world.node.mine(6)
    index = catch_up(world, store, rule)
    subscription = Subscription(index, "final", final_only=True)
    told(subscription)
    world.authorize("P-1", cny("5.00"))
    catch_up(world, store, rule)
    assert subscription.read() == []
    world.forget_clients()
    world.node.rpc("anvil_reorg", 1, [])
    payment = world.authorize("P-2", cny("6.00"))
    catch_up(world, store, rule)
    assert subscription.read() == []
    world.node.mine(4)
    catch_up(world, store, rule)
    # Nothing of the payment that was taken back, not even a notice.
    mine = [each for each in told(subscription) if isinstance(each, ev.PaymentAuthorized)]
    assert [each.id for each in mine] == [payment.payment_id]


def test_finality_is_noted_although_no_block_comes(world: World, store: Store) -> None:
    world.node.mine(6)
    index = catch_up(world, store, Finality("confirmations", 4))
    subscription = Subscription(index, "final", final_only=True)
    told(subscription)
    world.authorize("P-1", cny("5.00"))
    catch_up(world, store, Finality("confirmations", 4))
    assert subscription.read() == []
    catch_up(world, store, Finality("instant"))
    assert len(subscription.read()) == 1


def test_subscription_begins_where_it_is_told_to(world: World, store: Store) -> None:
    have_a_busy_day(world, 3, 20)
    index = catch_up(world, store)
    everything = events_of(world)
    block = everything[-10].at.block_number
    later = [without_time(each) for each in everything if each.at.block_number >= block]
    subscription = Subscription(index, "late", begin_block=block)
    assert [without_time(each) for each in told(subscription)] == later
    subscription.restart(block)
    assert [without_time(each) for each in told(subscription)] == later
    again = Subscription(index, "late", begin_block=0)
    assert told(again) == []
    again.forget()
    assert len(told(Subscription(index, "late"))) == len(everything)
    assert told(Subscription(index, "future", begin_block=10**6)) == []


def test_only_wanted_kinds_are_delivered(world: World, store: Store) -> None:
    have_a_busy_day(world, 4, 30)
    index = catch_up(world, store)
    kinds = (ev.PaymentAuthorized, ev.PaymentCaptured)
    mine = told(Subscription(index, "some", kinds=kinds))
    assert [without_time(each) for each in mine] == [
        without_time(each) for each in events_of(world) if isinstance(each, kinds)
    ]


@pytest.mark.threat("O03")
def test_place_is_found_again_when_the_index_was_rebuilt(world: World, store: Store) -> None:
    have_a_busy_day(world, 5, 20)
    index = catch_up(world, store)
    world.forget_clients()
    world.node.rpc("anvil_reorg", 5, [])
    have_a_busy_day(world, 6, 20)
    catch_up(world, store)
    everything = events_of(world)
    subscription = Subscription(index, "all", begin_block=everything[0].at.block_number)
    found = list(subscription.follow())
    place = found[-9]
    subscription.acknowledge(place)
    erase(store, world.manifest)
    reopened = Subscription(Index(store, world.manifest), "all")
    assert reopened.read() == []
    catch_up(world, store)
    rest = told(reopened)
    assert [without_time(each) for each in rest] == [
        without_time(delivery.event) for delivery in found[-8:]
    ]
    # One that was running meanwhile finds it as well.
    assert told(subscription) == []


def test_reader_is_told_when_its_place_is_gone(world: World, store: Store) -> None:
    index = catch_up(world, store)
    world.authorize("P-1", cny("5.00"))
    catch_up(world, store)
    subscription = Subscription(index, "all")
    told(subscription)
    erase(store, world.manifest)
    world.forget_clients()
    block = world.node.block_number()
    world.node.rpc("anvil_reorg", 1, [])
    world.authorize("P-2", cny("6.00"))
    catch_up(world, store)
    reopened = Subscription(Index(store, world.manifest), "all")
    with pytest.raises(SubscriptionLostError, match="restart"):
        reopened.read()
    reopened.restart(block)
    assert [type(each) for each in told(reopened)] == [ev.PaymentAuthorized]


def test_name_is_refused_when_it_is_none_or_reads_otherwise(world: World, store: Store) -> None:
    index = catch_up(world, store)
    for name in ("", "Has Space", "x" * 65, ".hidden", "ünsal"):
        with pytest.raises(InvalidInputError, match="name"):
            Subscription(index, name)
    Subscription(index, "mine", final_only=True)
    with pytest.raises(InvalidInputError, match="only what is final"):
        Subscription(index, "mine")
    with store.read() as connection:
        assert connection.execute(sa.select(table.c.name)).scalars().all() == ["mine"]


def test_following_ends_when_it_is_stopped(world: World, store: Store) -> None:
    index = catch_up(world, store)
    stopped = threading.Event()
    seen: list[ev.Event] = []

    def follow() -> None:
        for delivery in Subscription(index, "live").follow(stopped, poll_seconds=0.02):
            seen.append(delivery.event)

    thread = threading.Thread(target=follow)
    thread.start()
    world.authorize("P-1", cny("5.00"))
    catch_up(world, store)
    deadline = threading.Event()
    for _ in range(200):
        if seen and isinstance(seen[-1], ev.PaymentAuthorized):
            break
        deadline.wait(0.02)
    stopped.set()
    thread.join(5)
    assert not thread.is_alive()
    assert isinstance(seen[-1], ev.PaymentAuthorized)
    assert told(Subscription(index, "live")) == []
