"""What is counted and measured, and served to those who ask."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
import requests
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from tael import Chain, telemetry
from tael.errors import (
    ConfigurationError,
    ContractRevertedError,
    IdempotencyConflictError,
    InsufficientFundsError,
    NodeUnavailableError,
    OutcomeUnknownError,
    TransactionRefusedError,
)
from tael.store import Store
from tael.telemetry.counts import BOUNDS_SECONDS, COUNTS, Counts
from tests.support.bank import DEEP, SHORTLY, client, transfer
from tests.support.faulty_proxy import FaultyProxy
from tests.support.waiting import wait_until
from tests.support.world import World, cny

Values = dict[tuple[str, ...], float]


def scrape(registry: CollectorRegistry | None = None) -> Values:
    """Samples by name and label values."""
    if registry is None:
        registry = CollectorRegistry()
        registry.register(telemetry.Collector())
    return parse(generate_latest(registry).decode())


def parse(text: str) -> Values:
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def grown(before: Values, *name: str) -> float:
    return scrape().get(name, 0) - before.get(name, 0)


def test_what_is_confirmed_is_counted_and_measured(world: World) -> None:
    before = scrape()
    with client(world) as bank:
        transfer(bank, world, "T-1")
        transfer(bank, world, "T-1")
        transfer(bank, world, "T-2")
    assert grown(before, "tael_confirmed_total", "transferWithAuthorization") == 2
    for name in ("tael_inclusion_seconds", "tael_finality_seconds"):
        assert grown(before, f"{name}_count") == 2
        assert 0 < grown(before, f"{name}_sum") < 40
        assert grown(before, f"{name}_bucket", "+Inf") == 2
        assert grown(before, f"{name}_bucket", "300.0") == 2


def test_finality_is_measured_apart_when_it_comes_later(world: World) -> None:
    before = scrape()
    bank = client(world, finality=DEEP)
    transfer(bank, world, "T-1")
    assert grown(before, "tael_inclusion_seconds_count") == 1
    assert grown(before, "tael_finality_seconds_count") == 0
    for _ in range(int(DEEP)):
        world.node.mine()
    wait_until(lambda: grown(before, "tael_finality_seconds_count"))
    bank.close()
    assert grown(before, "tael_confirmed_total", "transferWithAuthorization") == 1


def test_what_fails_is_counted_by_code(world: World, manual: Callable[[], None]) -> None:
    before = scrape()
    with client(world, wait_seconds=SHORTLY) as bank:
        with pytest.raises(InsufficientFundsError):
            transfer(bank, world, "T-1", "99999999.00")
        with pytest.raises(OutcomeUnknownError):
            transfer(bank, world, "T-2")
        with pytest.raises(IdempotencyConflictError):
            transfer(bank, world, "T-2", "2.00")
    with FaultyProxy(world.node.url).serving() as proxy:
        chain = Chain.connect(proxy.url, retry_seconds=0)
        with client(world, chain=chain) as bank:
            message = bank.now()
            assert message
            proxy.down()
            with suppress(NodeUnavailableError, TransactionRefusedError):
                bank.balances.issue(world.address("issuer"), cny("1.00"), reference="I-1")
    for error in (InsufficientFundsError, OutcomeUnknownError, IdempotencyConflictError):
        assert grown(before, "tael_failed_total", error.code) == 1
    assert grown(before, "tael_failed_total", NodeUnavailableError.code) == 1
    assert grown(before, "tael_confirmed_total", "transferWithAuthorization") == 0


def test_a_refusal_in_a_block_counts_as_failed(world: World) -> None:
    before = scrape()
    with client(world, simulate=False) as bank, pytest.raises(ContractRevertedError) as refused:
        transfer(bank, world, "T-1", "99999999.00")
    assert grown(before, "tael_failed_total", refused.value.code) == 1
    assert grown(before, "tael_confirmed_total", "transferWithAuthorization") == 0
    assert grown(before, "tael_inclusion_seconds_count") == 0


def test_in_flight_and_the_journals_depth_are_what_they_are_when_asked(
    world: World, manual: Callable[[], None]
) -> None:
    before = scrape()
    chain_id = str(world.chain.chain_id)
    store = Store.temporary()
    bank, sharing = (client(world, store=store, wait_seconds=SHORTLY) for _ in range(2))
    with suppress(InsufficientFundsError):
        transfer(bank, world, "T-0", "99999999.00")
    for reference in ("T-1", "T-2", "T-3"):
        with suppress(OutcomeUnknownError):
            transfer(bank, world, reference)
    # Two clients on one store count its journal once.
    assert sharing.resolve("T-1").state == "pending"
    assert grown(before, "tael_in_flight", chain_id) >= 3
    assert grown(before, "tael_journal_writes", chain_id, "signed") == 3
    assert grown(before, "tael_journal_writes", chain_id, "refused") == 1
    sharing.close()
    manual()
    wait_until(lambda: not grown(before, "tael_in_flight", chain_id))
    assert grown(before, "tael_journal_writes", chain_id, "signed") == 0
    bank.close()
    # Closed, it is not asked any more.
    assert grown(before, "tael_journal_writes", chain_id, "refused") == 0


@pytest.mark.threat("O14")
def test_what_nobody_can_look_at_is_told_by_its_age(
    world: World, manual: Callable[[], None]
) -> None:
    name = ("tael_unwatched_seconds", str(world.chain.chain_id))
    with FaultyProxy(world.node.url).serving() as proxy:
        bank = client(
            world, chain=Chain.connect(proxy.url, retry_seconds=0.1), wait_seconds=SHORTLY
        )
        with suppress(OutcomeUnknownError):
            transfer(bank, world, "T-1")
        proxy.arm("*", "503", times=10_000)
        wait_until(lambda: scrape()[name] > 1.5)
        proxy.calm()
        wait_until(lambda: scrape()[name] < 1.5)
        manual()
        wait_until(lambda: not bank._writer.outbox.in_flight())
        assert scrape()[name] == 0
        bank.close()


def test_a_journal_that_is_away_leaves_the_rest(world: World, tmp_path: Any) -> None:
    bank = client(world, store=tmp_path / "store.db")
    transfer(bank, world, "T-1")
    chain_id = str(world.chain.chain_id)
    before = scrape()
    assert ("tael_journal_writes", chain_id, "signed") in before
    engine = bank._writer.journal.store.engine
    with engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE writes RENAME TO gone")
    assert ("tael_in_flight", chain_id) in scrape()
    bank.close()


def test_nodes_are_counted_by_their_url_without_secrets(world: World) -> None:
    with FaultyProxy(world.node.url).serving() as proxy:
        before = scrape()
        chain = Chain.connect([proxy.url, world.node.url])
        chain.block_number()
        assert grown(before, "tael_node_requests_total", proxy.url) >= 1
        assert scrape()["tael_node_ready", proxy.url] == 1
        proxy.down()
        chain.block_number()
        assert grown(before, "tael_node_errors_total", proxy.url) >= 1
        assert grown(before, "tael_node_requests_total", world.node.url) >= 1
        assert scrape()["tael_node_ready", proxy.url] == 0


def test_the_lag_of_an_index_is_what_its_runner_says() -> None:
    telemetry.set_index_lag(12, chain_id=99)
    assert scrape()["tael_index_lag_blocks", "99"] == 12
    # A node that is behind its index makes no lag.
    telemetry.set_index_lag(-3, chain_id=99)
    assert scrape()["tael_index_lag_blocks", "99"] == 0
    COUNTS.index_lag.clear()


def test_any_registry_takes_the_collector() -> None:
    counts = Counts()
    counts.confirmed["authorize"] = 3
    with counts.lock:
        counts.inclusion.add(0.02)
        counts.inclusion.add(-5)
        counts.inclusion.add(10_000)
    registry = CollectorRegistry()
    registry.register(telemetry.Collector(counts))
    found = scrape(registry)
    assert all(name[0].startswith("tael_") for name in found)
    assert found["tael_confirmed_total", "authorize"] == 3
    assert found["tael_inclusion_seconds_bucket", "0.01"] == 1
    assert found["tael_inclusion_seconds_bucket", "0.025"] == 2
    assert found["tael_inclusion_seconds_bucket", str(BOUNDS_SECONDS[-1])] == 2
    assert found["tael_inclusion_seconds_bucket", "+Inf"] == 3
    assert found["tael_inclusion_seconds_sum",] == pytest.approx(10_000.02)
    assert found["tael_reorganised_total",] == 0


def test_metrics_are_served_on_loopback_until_closed() -> None:
    with pytest.raises(ConfigurationError):
        telemetry.serve(70_000)
    served = telemetry.serve(0)
    try:
        assert served.host == "127.0.0.1"
        found = parse(requests.get(served.url, timeout=10).text)
        assert ("tael_inclusion_seconds_count",) in found
        with pytest.raises(ConfigurationError) as taken:
            telemetry.serve(served.port)
        assert str(served.port) in taken.value.message
    finally:
        served.close()
    with pytest.raises(requests.ConnectionError):
        requests.get(served.url, timeout=10)
