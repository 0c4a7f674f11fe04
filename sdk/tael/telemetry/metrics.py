"""Metrics for Prometheus: what was counted, and how things stand when somebody asks."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)
from prometheus_client.registry import Collector as _Collector

from tael.errors import ConfigurationError, TaelError
from tael.journal import State
from tael.telemetry.counts import COUNTS, Counts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client.metrics_core import Metric

__all__ = ["Collector", "Serving", "serve"]

LOOPBACK = "127.0.0.1"


class Collector(_Collector):
    """Everything this process has to say, to be registered with any registry.

    It covers all clients of the process and the nodes they talk to. What stands (in flight, depth
    of the journal, nodes) is asked for when somebody scrapes; what happens is counted all along.

    Args:
        counts: What was counted; None is the process's own.

    Example:
        >>> from prometheus_client import CollectorRegistry, generate_latest
        >>> registry = CollectorRegistry()
        >>> registry.register(Collector())
        >>> b"tael_in_flight" in generate_latest(registry)
        True
    """

    def __init__(self, counts: Counts | None = None) -> None:
        self._counts = COUNTS if counts is None else counts

    def describe(self) -> list[Metric]:
        """Nothing: registering asks neither journal nor node."""
        return []

    def collect(self) -> Iterator[Metric]:
        """All metrics as they stand."""
        yield from self._happened()
        yield self._in_flight()
        yield self._unwatched()
        yield self._depth()
        yield from self._nodes()

    def _happened(self) -> Iterator[Metric]:
        counts = self._counts
        with counts.lock:
            confirmed, failed, events = (
                dict(each) for each in (counts.confirmed, counts.failed, counts.events)
            )
            latencies = [
                (each.cumulative(), each.sum_seconds)
                for each in (counts.inclusion, counts.finality)
            ]
            lags = dict(counts.index_lag)
        yield _family(
            CounterMetricFamily,
            "tael_confirmed",
            "Transactions that took effect in a block, by verb.",
            ["verb"],
            {(verb,): count for verb, count in confirmed.items()},
        )
        yield _family(
            CounterMetricFamily,
            "tael_failed",
            "Calls that failed, by the error's code.",
            ["code"],
            {(code,): count for code, count in failed.items()},
        )
        for event, meaning in (
            ("reorganised", "Transactions that a reorganisation took out of their block."),
            ("replaced", "Transactions sent again for a higher fee."),
            ("overtaken", "Nonces that went to transactions which no journal here knows."),
            ("gap_filled", "Nonces used for nothing because nothing else used them."),
        ):
            family = CounterMetricFamily(f"tael_{event}", meaning)
            family.add_metric([], events.get(event, 0))
            yield family
        for name, meaning, (buckets, total) in zip(
            ("tael_inclusion_seconds", "tael_finality_seconds"),
            (
                "From handing an order over to its inclusion in a block.",
                "From handing an order over, or signing it, to its finality.",
            ),
            latencies,
            strict=True,
        ):
            yield HistogramMetricFamily(name, meaning, buckets=buckets, sum_value=total)
        yield _family(
            GaugeMetricFamily,
            "tael_index_lag_blocks",
            "Blocks of the chain that are not in the index yet.",
            ["chain_id"],
            {(str(chain_id),): lag for chain_id, lag in lags.items()},
        )

    def _in_flight(self) -> Metric:
        found: Counter[tuple[str, ...]] = Counter()
        for outbox in self._counts.outboxes():
            found[(str(outbox.chain.chain_id),)] += outbox.in_flight()
        return _family(
            GaugeMetricFamily,
            "tael_in_flight",
            "Orders of this process that are in no block yet.",
            ["chain_id"],
            found,
        )

    def _unwatched(self) -> Metric:
        found: dict[tuple[str, ...], float] = {}
        for outbox in self._counts.outboxes():
            name = (str(outbox.chain.chain_id),)
            found[name] = max(found.get(name, 0.0), outbox.unwatched_seconds())
        return _family(
            GaugeMetricFamily,
            "tael_unwatched_seconds",
            "Since when the longest nobody could look at what is in flight.",
            ["chain_id"],
            found,
        )

    def _depth(self) -> Metric:
        found: Counter[tuple[str, ...]] = Counter()
        seen = set()
        for outbox in self._counts.outboxes():
            journal = outbox.journal
            url = journal.store.engine.url
            # Many clients of a process may share one journal; one in memory is nobody else's.
            place = (url if url.database else id(journal.store.engine), journal.chain_row)
            if place in seen:
                continue
            seen.add(place)
            try:
                depth = journal.depth()
            except TaelError:
                # The database is away; that shows in other places.
                continue
            for state in (each for each in State if each < State.FINAL):
                found[(str(journal.chain_id), state.name.lower())] += depth.get(state, 0)
        return _family(
            GaugeMetricFamily,
            "tael_journal_writes",
            "Writes in the journal that are not final, by state.",
            ["chain_id", "state"],
            found,
        )

    def _nodes(self) -> Iterator[Metric]:
        requests: Counter[tuple[str, ...]] = Counter()
        errors: Counter[tuple[str, ...]] = Counter()
        ready: dict[tuple[str, ...], float] = {}
        for nodes in self._counts.nodes():
            for state in nodes.states():
                key = (state.url,)
                requests[key] += state.requests
                errors[key] += state.errors
                ready[key] = max(ready.get(key, 0), float(state.health == "ready"))
        for family, name, meaning, values in (
            (CounterMetricFamily, "tael_node_requests", "Requests sent to a node.", requests),
            (
                CounterMetricFamily,
                "tael_node_errors",
                "Requests that a node did not answer properly.",
                errors,
            ),
            (GaugeMetricFamily, "tael_node_ready", "1 if a node is asked now, 0 if not.", ready),
        ):
            yield _family(family, name, meaning, ["node"], values)


@dataclass(frozen=True)
class Serving:
    """Metrics that are being served.

    Args:
        host: Where.
        port: On which port.
    """

    host: str
    port: int
    _server: Any
    _thread: Any

    @property
    def url(self) -> str:
        """Where to scrape."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}/metrics"

    def close(self) -> None:
        """End it."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def serve(port: int, host: str = LOOPBACK, *, registry: CollectorRegistry | None = None) -> Serving:
    """Serve metrics over HTTP, from a thread.

    Args:
        port: Where; 0 takes a free one.
        host: Loopback, unless somebody else shall see them too: they name verbs, nodes and how much
            goes on, and nobody is asked for a password.
        registry: What to serve; None is this package's metrics alone.

    Raises:
        ConfigurationError: The port is taken, or the address is not this machine's.
    """
    if registry is None:
        registry = CollectorRegistry()
        registry.register(Collector())
    try:
        server, thread = start_http_server(port, host, registry)
    except (OSError, OverflowError) as error:
        raise ConfigurationError(
            f"metrics cannot be served on {host} port {port}: {error}; choose another"
        ) from error
    return Serving(host, server.server_port, server, thread)


def _family(
    kind: Any, name: str, meaning: str, labels: list[str], values: dict[tuple[str, ...], Any]
) -> Metric:
    family: Metric = kind(name, meaning, labels=labels)
    for key, value in sorted(values.items()):
        family.add_metric(list(key), value)  # type: ignore[attr-defined]
    return family
