"""Events are sent in order, and again until they are taken."""

from __future__ import annotations

import json
import socket
import threading
import time

import pytest

from tael.errors import WebhookGoneError
from tael.index import Index, Indexer, Subscription
from tael.store import Store
from tael.webhooks import Attempt, Webhook, delivering
from tests.index.webhooks.receiver import Receiver, endpoint, receiving, send_all
from tests.support.world import World, cny


def test_every_event_arrives_once_and_in_order(
    world: World, index: Index, receiver: Receiver
) -> None:
    send_all(index, receiver.url)
    truth = list(world.client("outsider").history().events())
    assert [
        (each["type"], each["block_hash"], each["transaction_hash"], each["log_index"])
        for each in receiver.events
    ] == [
        (
            type(each).__name__,
            each.at.block_hash,
            each.at.transaction_hash,
            each.at.log_index,
        )
        for each in truth
    ]
    assert len({each["id"] for each in receiver.events}) == len(truth)
    assert all(len(json.loads(body)["events"]) <= 7 for _, body in receiver.requests)
    before = len(receiver.requests)
    send_all(index, receiver.url)
    assert len(receiver.requests) == before


def test_event_carries_what_it_is_about(
    world: World, sqlite: Store, index: Index, receiver: Receiver
) -> None:
    send_all(index, receiver.url)
    payment = world.authorize("P-1", cny("5.00"))
    Indexer(sqlite, world.client("outsider")).catch_up()
    send_all(index, receiver.url)
    last = receiver.events[-1]
    terms = payment.prepared.terms
    assert (last["type"], last["removed"], last["chain_id"]) == ("PaymentAuthorized", False, 1337)
    assert last["contract"] == world.manifest.escrow
    assert last["block_time"] == world.node.timestamp()
    assert last["data"]["id"] == "0x" + payment.payment_id.hex()
    assert last["data"]["amount_minor"] == 500
    assert last["data"]["issuer"] == terms.issuer
    assert last["data"]["uetr"].replace("-", "") == terms.uetr.hex()
    headers, _ = receiver.requests[-1]
    assert headers["Content-Type"] == "application/json"
    assert headers["User-Agent"].startswith("tael/")


def test_removal_is_told_with_an_id_of_its_own(
    world: World, sqlite: Store, index: Index, receiver: Receiver
) -> None:
    world.authorize("P-1", cny("5.00"))
    Indexer(sqlite, world.client("outsider")).catch_up()
    send_all(index, receiver.url)
    told = receiver.events[-1]
    world.forget_clients()
    world.node.rpc("anvil_reorg", 1, [])
    Indexer(sqlite, world.client("outsider")).catch_up()
    send_all(index, receiver.url)
    notice = receiver.events[-1]
    assert notice["removed"]
    assert notice["id"] != told["id"]
    assert {**notice, "id": 0, "removed": 0} == {**told, "id": 0, "removed": 0}


@pytest.mark.parametrize(
    "answers",
    [[500], [503, 429], [404, 400], ["hang up", "hang up"], [301], [600 - 1, 500, 502, 504]],
)
def test_what_was_not_taken_is_sent_again_before_anything_else(
    index: Index, receiver: Receiver, answers: list
) -> None:
    receiver.answers = list(answers)
    attempts = send_all(index, receiver.url)
    assert [bool(each.problem) for each in attempts[: len(answers) + 1]] == [
        *([True] * len(answers)),
        False,
    ]
    bodies = [body for _, body in receiver.requests]
    assert len(set(bodies[: len(answers) + 1])) == 1
    assert len({each["id"] for each in receiver.events}) == len(receiver.events) > 20


def test_pauses_grow_with_jitter_and_obey_the_receiver() -> None:
    first, longest = 1.0, 300.0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(delivering, "FIRST_PAUSE_SECONDS", first)
        patch.setattr(delivering, "LONGEST_PAUSE_SECONDS", longest)
        for failures in range(40):
            top = min(first * 2**failures, longest)
            pauses = {delivering._pause(failures, None) for _ in range(20)}
            assert len(pauses) > 10
            assert top / 2 <= min(pauses) <= max(pauses) <= top
        assert delivering._pause(0, 120) == 120
        assert delivering._pause(0, 10**6) == longest
        assert delivering._pause(3, 0) >= 4


def test_events_wait_while_the_receiver_is_down(world: World, sqlite: Store, index: Index) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/"
    attempts: list[Attempt] = []
    subscription = Subscription(index, "hook")
    webhook = Webhook(subscription, endpoint(url), tell=attempts.append)
    assert not webhook.run(max_attempts=3)
    assert [each.status for each in attempts] == [None] * 3
    with receiving() as receiver:
        send_all(index, receiver.url)
        assert len(receiver.events) > 20


def test_crash_before_the_cursor_is_written_sends_the_same_again(
    index: Index, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_: object) -> None:
        raise RuntimeError("killed")

    monkeypatch.setattr(Subscription, "acknowledge", crash)
    with pytest.raises(RuntimeError):
        send_all(index, receiver.url)
    monkeypatch.undo()
    first = [each["id"] for each in receiver.events]
    send_all(index, receiver.url)
    again = [each["id"] for each in receiver.events][len(first) :]
    # The same ids: a receiver that remembers them acts once.
    assert again[: len(first)] == first


def test_replay_begins_where_it_is_told(world: World, index: Index, receiver: Receiver) -> None:
    send_all(index, receiver.url)
    everything = list(receiver.events)
    receiver.events.clear()
    subscription = Subscription(index, "hook")
    subscription.restart(everything[10]["block_number"])
    send_all(index, receiver.url)
    later = [each for each in everything if each["block_number"] >= everything[10]["block_number"]]
    assert receiver.events == later


def test_gone_ends_it(index: Index, receiver: Receiver) -> None:
    receiver.answers = [200, 410]
    with pytest.raises(WebhookGoneError, match="410"):
        send_all(index, receiver.url)
    taken = len(receiver.events)
    send_all(index, receiver.url)
    assert len({each["id"] for each in receiver.events}) == len(receiver.events) > taken


def test_long_events_are_sent_in_smaller_batches(
    index: Index, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivering, "MAX_BATCH_BYTES", 2_000)
    send_all(index, receiver.url)
    sizes = [len(body) for _, body in receiver.requests]
    assert max(sizes) < 4_000
    assert len(sizes) > 10


def test_it_ends_when_it_is_stopped(index: Index, receiver: Receiver) -> None:
    stopped = threading.Event()
    webhook = Webhook(Subscription(index, "hook"), endpoint(receiver.url))
    thread = threading.Thread(target=webhook.run, args=(stopped,), kwargs={"poll_seconds": 0.02})
    thread.start()
    deadline = time.monotonic() + 10
    while len(receiver.events) < 20 and time.monotonic() < deadline:
        time.sleep(0.01)
    stopped.set()
    thread.join(5)
    assert not thread.is_alive()
    assert len(receiver.events) >= 20
