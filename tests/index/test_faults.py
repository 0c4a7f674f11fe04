"""The index holds when nodes stumble, lag or contradict themselves, and processes are killed."""

from __future__ import annotations

import itertools
import os
import random
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tael import Chain, Client
from tael.errors import NodeUnavailableError
from tael.index import Index, Indexer, IndexerStep, fetching, verify
from tael.store import Store
from tests.index.contents import contents
from tests.support.activity import have_a_busy_day
from tests.support.faulty_proxy import FaultyProxy
from tests.support.world import World, cny


class NarrowProxy(FaultyProxy):
    """A node that answers for so many blocks at once only, however it is asked."""

    def _own_answer(self, call, fault):
        limit, self.limit_log_blocks = self.limit_log_blocks, None
        try:
            if call["method"] == "eth_getLogs" and "toBlock" in call["params"][0]:
                self.limit_log_blocks = limit
            return super()._own_answer(call, fault)
        finally:
            self.limit_log_blocks = limit


@pytest.fixture
def proxy(world: World) -> Iterator[FaultyProxy]:
    with NarrowProxy(world.node.url).serving() as proxy:
        yield proxy


def client_through(proxy: FaultyProxy, world: World) -> Client:
    return Client(Chain.connect(proxy.url, retry_seconds=2), world.manifest)


def fresh_contents(world: World) -> dict:
    store = Store.temporary()
    Indexer(store, world.client("outsider")).catch_up()
    return contents(Index(store, world.manifest))


def test_ranges_are_halved_when_the_node_refuses_them(
    world: World, proxy: FaultyProxy, sqlite: Store
) -> None:
    have_a_busy_day(world, 1, 30)
    world.node.rpc("anvil_mine", hex(400))
    proxy.limit_log_blocks = 5
    indexer = Indexer(sqlite, client_through(proxy, world))
    indexer.catch_up()
    index = Index(sqlite, world.manifest)
    assert contents(index) == fresh_contents(world)
    asked = [
        int(body["params"][0]["toBlock"], 16) - int(body["params"][0]["fromBlock"], 16) + 1
        for body in proxy.bodies
        if body["method"] == "eth_getLogs" and "toBlock" in body["params"][0]
    ]
    assert max(asked) > 5 >= min(asked)


def test_index_fails_by_name_when_the_node_refuses_even_one_block(
    world: World, proxy: FaultyProxy, sqlite: Store
) -> None:
    world.node.rpc("anvil_mine", hex(400))
    proxy.limit_log_blocks = 0
    with pytest.raises(NodeUnavailableError):
        Indexer(sqlite, client_through(proxy, world)).catch_up()


@pytest.mark.parametrize(
    "kind", ["drop_before", "drop_after", "html", "truncate", "429", "503", "busy"]
)
def test_index_goes_on_when_answers_are_lost(
    world: World, proxy: FaultyProxy, sqlite: Store, kind: str
) -> None:
    have_a_busy_day(world, 2, 20)
    indexer = Indexer(sqlite, client_through(proxy, world))
    for method in ("eth_getLogs", "eth_getBlockByNumber"):
        proxy.arm(method, kind, times=2)
    indexer.catch_up()
    assert contents(Index(sqlite, world.manifest)) == fresh_contents(world)


@pytest.mark.threat("S15")
@pytest.mark.parametrize(
    ("what", "lie"),
    [
        ("doubled", lambda logs: [*logs, *logs]),
        ("backwards", lambda logs: logs[::-1]),
    ],
)
def test_logs_are_put_right_when_a_node_gives_them_so(
    world: World, proxy: FaultyProxy, sqlite: Store, what: str, lie
) -> None:
    have_a_busy_day(world, 3, 30)
    proxy.arm("eth_getLogs", "lie", times=1_000, lie=lie)
    Indexer(sqlite, client_through(proxy, world)).catch_up()
    assert contents(Index(sqlite, world.manifest)) == fresh_contents(world), what


def altered(log: dict, **changes: object) -> dict:
    return {**log, **changes}


@pytest.mark.threat("S15")
@pytest.mark.parametrize(
    ("what", "lie"),
    [
        ("removed", lambda logs: [altered(log, removed=True) for log in logs]),
        (
            "of another contract",
            lambda logs: [altered(log, address="0x" + "11" * 20) for log in logs],
        ),
        ("cut short", lambda logs: [altered(log, data=log["data"][:-2]) for log in logs]),
        ("too long", lambda logs: [altered(log, data=log["data"] + "00" * 32) for log in logs]),
        ("of other blocks", lambda logs: [altered(log, blockNumber="0xffffff") for log in logs]),
        (
            "of another hash",
            lambda logs: [altered(log, blockHash="0x" + "22" * 32) for log in logs],
        ),
        ("no logs at all", lambda logs: "what?"),
        ("without topics", lambda logs: [altered(log, topics=[]) for log in logs]),
        ("without places", lambda logs: [{"address": log["address"]} for log in logs]),
    ],
)
def test_logs_are_refused_when_they_cannot_be(
    world: World, proxy: FaultyProxy, sqlite: Store, what: str, lie
) -> None:
    indexer = Indexer(sqlite, world.client("outsider"))
    indexer.catch_up()
    world.authorize("P-1", cny("5.00"))
    before = contents(Index(sqlite, world.manifest))
    proxy.arm("eth_getLogs", "lie", times=1_000, lie=lambda logs: lie(logs) if logs else logs)
    faulty = Indexer(sqlite, client_through(proxy, world))
    with pytest.raises(NodeUnavailableError):
        faulty.catch_up()
    assert contents(Index(sqlite, world.manifest)) == before, what
    proxy.calm()
    faulty.catch_up()
    assert contents(Index(sqlite, world.manifest)) == fresh_contents(world)


@pytest.mark.threat("S15")
def test_nothing_is_taken_back_when_the_node_lags(
    world: World, proxy: FaultyProxy, sqlite: Store
) -> None:
    proxy.freeze()
    world.authorize("P-1", cny("5.00"))
    Indexer(sqlite, world.client("outsider")).catch_up()
    before = contents(Index(sqlite, world.manifest))
    behind = Indexer(sqlite, client_through(proxy, world))
    progress = behind.catch_up()
    assert progress.step is IndexerStep.BEHIND
    assert progress.lag < 0
    assert contents(Index(sqlite, world.manifest)) == before
    proxy.thaw()
    assert behind.catch_up().step is IndexerStep.CURRENT


def test_index_gives_up_when_headers_never_fit_together(
    world: World, proxy: FaultyProxy, sqlite: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tael.index import indexer

    monkeypatch.setattr(indexer, "MAX_FRUITLESS", 3)
    proxy.arm(
        "eth_getBlockByNumber",
        "lie",
        times=10_000,
        lie=lambda block: {**block, "parentHash": "0x" + "33" * 32},
    )
    with pytest.raises(NodeUnavailableError, match="contradict"):
        Indexer(sqlite, client_through(proxy, world)).catch_up()


@pytest.mark.threat("O05")
def test_index_is_not_continued_on_another_chain(world: World, sqlite: Store) -> None:
    from tael.errors import NetworkMismatchError
    from tael.testing import start_node

    Indexer(sqlite, world.client("outsider")).catch_up()
    before = contents(Index(sqlite, world.manifest))
    # The same chain id, started anew: its first block tells it apart.
    with (
        start_node("anvil", arguments=["--timestamp", "1700000000"]) as other,
        pytest.raises(NetworkMismatchError),
    ):
        Client(Chain.connect(other.url), world.manifest)
    assert contents(Index(sqlite, world.manifest)) == before


KILLED = """
import sys
from tael import Chain, Client
from tael.index import Indexer, fetching
from tael.store import Store

fetching.FIRST_RANGE_BLOCKS = 2
fetching.WANTED_LOGS = 2
fetching.MAX_LOGS = 3
client = Client(Chain.connect(sys.argv[1]), sys.argv[2])
indexer = Indexer(Store.open(sys.argv[3]), client)
print("ready", flush=True)
indexer.catch_up(lambda progress: print(progress.block, flush=True))
"""


@pytest.mark.threat("O03")
def test_index_goes_on_when_its_process_is_killed_at_any_point(
    world: World, database: str, tmp_path: Path
) -> None:
    have_a_busy_day(world, 6, 80)
    manifest = tmp_path / "manifest.json"
    world.manifest.save(manifest)
    choose = random.Random(6)
    kills = 0
    for _ in range(40):
        process = subprocess.Popen(
            [
                sys.executable,
                "-c",
                textwrap.dedent(KILLED),
                world.node.url,
                str(manifest),
                database,
            ],
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        time.sleep(choose.uniform(0, 0.15))
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            kills += 1
        ended = process.wait() == 0
        process.stdout.close()
        if ended:
            break
    assert kills >= 3
    store = Store.open(database)
    Indexer(store, world.client("outsider")).catch_up()
    index = Index(store, world.manifest)
    assert contents(index) == fresh_contents(world)
    assert verify(index, world.client("outsider")).differences == []
    store.close()


def test_a_step_that_fails_leaves_the_index_as_it_was(
    world: World, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tael.index import indexer as module

    indexer = Indexer(store, world.client("outsider"))
    indexer.catch_up()
    index = Index(store, world.manifest)
    before = contents(index)
    have_a_busy_day(world, 9, 10)
    for name in ("put_rows", "put_books", "put_cursor"):
        real = getattr(module, name)

        def fail(*arguments, _real=real, **named):
            _real(*arguments, **named)
            raise RuntimeError("the disk is gone")

        monkeypatch.setattr(module, name, fail)
        with pytest.raises(RuntimeError):
            indexer.catch_up()
        monkeypatch.undo()
        assert contents(index) == before
    indexer.catch_up()
    assert contents(index) == fresh_contents(world)


def test_ranges_grow_again_when_blocks_are_empty(world: World, sqlite: Store) -> None:
    world.node.rpc("anvil_mine", hex(3_000))
    steps = []
    Indexer(sqlite, world.client("outsider")).catch_up(steps.append)
    assert len(steps) < 20
    assert max(b.block - a.block for a, b in itertools.pairwise(steps)) > 1_000
    assert fetching.FIRST_RANGE_BLOCKS == 64
