"""The throughput bench measures every client, and tells of one that fails."""

from __future__ import annotations

import pytest

from tests.bench import throughput
from tests.bench.clients import bare
from tests.bench.clients.stage import Client, ClientFailed, Row


@pytest.mark.slow
def test_every_client_is_measured_on_anvil() -> None:
    results = list(throughput.measure_all(["anvil"], share=0.0))
    assert [each for each in results if not isinstance(each, Row)] == []
    assert {each.client for each in results} == {each.name for each in throughput.CLIENTS}
    for row in throughput.document(results)["rows"]:
        assert row["count"] == 10
        assert 0 < row["per_second"] == pytest.approx(10 / row["seconds"], rel=0.1)
        assert 0 < row["cpu_seconds"] < 10


def test_a_client_that_fails_is_told_and_the_next_one_is_measured() -> None:
    def fails(stage: object, count: int) -> None:
        raise ClientFailed("no node like this")

    counts = {"anvil": 10, "ganache": 10}
    idle = Client("sends nothing", lambda stage, count: None, "by_interval", counts)
    failing = Client("fails", fails, "by_interval", counts)
    last = bare.CLIENTS[0]
    results = list(throughput.measure_all(["anvil"], [failing, idle, last], share=0.0))
    told = throughput.document(results)
    assert told["failures"] == [
        {"node": "anvil", "client": "fails", "why": "no node like this"},
        {"node": "anvil", "client": "sends nothing", "why": "0 of 10 transfers arrived"},
    ]
    assert [row["client"] for row in told["rows"]] == [last.name]
    assert throughput.table_of(results).row_count == 3
