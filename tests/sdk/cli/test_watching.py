"""What those who run `tael` watch it by: metrics while it runs, and its log."""

from __future__ import annotations

import json
import logging
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tael.index import Indexer
from tael.keeper import Keeper, KeeperReport
from tael.testing import start_node
from tests.support.cli_runner import CommandLine
from tests.support.world import World, build_world


@pytest.fixture
def tael(tael: CommandLine, world: World) -> CommandLine:
    return tael.on(world, "issuer")


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def scrape(port: int) -> str:
    return requests.get(f"http://127.0.0.1:{port}/metrics", timeout=10).text


@pytest.mark.parametrize("host", ["", "127.0.0.1:"])
def test_keeper_serves_metrics_while_it_runs(
    tael: CommandLine, world: World, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    port, seen = free_port(), []

    def run(_keeper: Keeper, *, once: bool) -> KeeperReport:
        seen.append(scrape(port))
        return KeeperReport(world.chain.now())

    monkeypatch.setattr(Keeper, "run", run)
    result = tael("keeper", "--once", "--metrics", f"{host}{port}")
    assert result.code == 0
    assert f"metrics at http://127.0.0.1:{port}/metrics" in result.err
    assert f'tael_node_requests_total{{node="{world.node.url}"}}' in seen[0]
    with pytest.raises(requests.ConnectionError):
        scrape(port)


@pytest.fixture
def fresh(tael: CommandLine, tmp_path: Path) -> Iterator[World]:
    """A chain that was never set back: Anvil's logs do not always follow when it is."""
    with start_node("anvil", accounts=20) as node:
        world = build_world(node)
        world.manifest.save(tmp_path / "manifest.json")
        tael.set(TAEL_RPC_URL=node.url)
        yield world


@pytest.mark.slow
def test_index_run_serves_its_lag(
    tael: CommandLine, fresh: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    port, seen = free_port(), []
    follow = Indexer.follow

    def follow_once(indexer: Indexer, stopped: Any, **options: Any) -> None:
        tell = options.pop("tell")

        def then_stop(progress: Any) -> None:
            tell(progress)
            if not progress.lag:
                seen.append(scrape(port))
                stopped.set()

        follow(indexer, stopped, tell=then_stop, **options)

    monkeypatch.setattr(Indexer, "follow", follow_once)
    assert tael("index", "run", "--metrics", str(port)).code == 0
    assert f'tael_index_lag_blocks{{chain_id="{fresh.chain.chain_id}"}} 0.0' in seen[-1]


@pytest.mark.parametrize("place", ["", "x", "-1", "70000", "localhost", "a:b:9", "[::1]", "9464 "])
def test_metrics_are_refused_when_the_place_is_none(tael: CommandLine, place: str) -> None:
    assert tael.json("keeper", "--once", "--metrics", place, code=2)["error"]["code"] == "usage"


def test_metrics_are_refused_when_the_port_is_taken(tael: CommandLine) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        error = tael.json("keeper", "--once", "--metrics", str(port), code=2)["error"]
    assert error["code"] == "configuration"
    assert str(port) in error["message"]


def test_log_goes_to_standard_error_when_asked_for(tael: CommandLine, world: World) -> None:
    words = ("transfer", world.address("acquirer"), "1.00", "CNY", "--json", "--reference")
    assert tael(*words, "T-0").err == ""
    told = tael.set(TAEL_LOG="json:debug")(*words, "T-1")
    assert json.loads(told.out)["reference"] == "T-1"
    events = [json.loads(line)["event"] for line in told.err.splitlines()]
    assert set(events) >= {"accepted", "signed", "sent", "final"}
    told = tael.set(TAEL_LOG="text")(*words, "T-2")
    connected, done = told.err.splitlines()
    assert f"info    tael.nodes node in use node={world.node.url}" in connected
    assert " info    tael.outbox final reference=T-2 " in done
    # It ends with the command.
    assert logging.getLogger("tael").propagate
    assert tael.set(TAEL_LOG="")(*words, "T-3").err == ""
    assert tael.set(TAEL_LOG="loud")(*words, "T-4").code == 2
