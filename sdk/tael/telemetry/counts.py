"""What the process counts, all the time: a few additions a write. `Collector` reads it."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol
from weakref import WeakSet

__all__ = [
    "COUNTS",
    "Counts",
    "Latencies",
    "NodeState",
    "Nodes",
    "Outbox",
    "OutboxState",
    "set_index_lag",
]

BOUNDS_SECONDS = (
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1.0,
    2.5,
    5.0,
    10.0,
    15.0,
    30.0,
    60.0,
    120.0,
    300.0,
    900.0,
    1_800.0,
)
"""From a local chain's block to the finality of a proof-of-stake chain that had a bad hour."""


@dataclass(frozen=True, slots=True)
class OutboxState:
    """How an outbox stands when somebody asks.

    Args:
        chain_id: Of its chain.
        in_flight: Orders that are in no block yet.
        unwatched_seconds: Since when nobody could look at what is in flight.
        journal: Which journal it writes: many outboxes of a process may share one.
        depth: Counts the journal's writes that are not final, by the name of their state.
    """

    chain_id: int
    in_flight: int
    unwatched_seconds: float
    journal: Hashable
    depth: Callable[[], Mapping[str, int]]


@dataclass(frozen=True, slots=True)
class NodeState:
    """How a node stands when somebody asks.

    Args:
        url: Without secrets.
        requests: How many it was sent.
        errors: How many of them it did not answer properly.
        is_ready: Whether it is asked now.
    """

    url: str
    requests: int
    errors: int
    is_ready: bool


class Outbox(Protocol):
    """What is asked how it stands as long as it is open."""

    def telemetry(self) -> OutboxState:
        """How it stands."""


class Nodes(Protocol):
    """What is asked how its nodes stand as long as anything refers to it."""

    def telemetry(self) -> Sequence[NodeState]:
        """How each node stands."""


class Latencies:
    """How long something took, by upper bounds."""

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS_SECONDS) + 1)
        self.sum_seconds = 0.0

    def add(self, seconds: float) -> None:
        """Count one; whoever calls holds the lock."""
        # Between processes and after a restart clocks may disagree: never less than nothing.
        seconds = max(0.0, seconds)
        self.counts[bisect_left(BOUNDS_SECONDS, seconds)] += 1
        self.sum_seconds += seconds

    def cumulative(self) -> list[tuple[str, float]]:
        """Upper bound and count up to it, as Prometheus wants them."""
        total, found = 0, []
        bounds = [*(str(each) for each in BOUNDS_SECONDS), "+Inf"]
        for bound, count in zip(bounds, self.counts, strict=True):
            total += count
            found.append((bound, float(total)))
        return found


class Counts:
    """Everything that is counted, and whom to ask how things stand.

    Attributes:
        lock: Held for every change and for reading.
        confirmed: Transactions that took effect, by verb.
        failed: Calls that failed, by the error's code.
        events: What happened besides: `reorganised`, `replaced`, `overtaken`,
            `gap_filled`.
        inclusion: From handing over to inclusion.
        finality: From handing over (or signing, if it was included before) to finality.
        index_lag: Blocks not in the index yet, by chain id.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.confirmed: Counter[str] = Counter()
        self.failed: Counter[str] = Counter()
        self.events: Counter[str] = Counter()
        self.inclusion = Latencies()
        self.finality = Latencies()
        self.index_lag: dict[int, int] = {}
        self._outboxes: WeakSet[Outbox] = WeakSet()
        self._nodes: WeakSet[Nodes] = WeakSet()

    def fail(self, code: str) -> None:
        """Count a call that failed."""
        with self.lock:
            self.failed[code] += 1

    def happen(self, event: str, times: int = 1) -> None:
        """Count something that happened besides."""
        with self.lock:
            self.events[event] += times

    def note_outbox(self, outbox: Outbox, *, is_open: bool) -> None:
        """An outbox was opened or closed."""
        with self.lock:
            (self._outboxes.add if is_open else self._outboxes.discard)(outbox)

    def note_nodes(self, nodes: Nodes) -> None:
        """A chain's nodes may be asked from now on, until nothing refers to them any more."""
        with self.lock:
            self._nodes.add(nodes)

    def outboxes(self) -> list[Outbox]:
        """Those that are open."""
        with self.lock:
            return list(self._outboxes)

    def nodes(self) -> list[Nodes]:
        """Those that are in use."""
        with self.lock:
            return list(self._nodes)


COUNTS = Counts()
"""The process's own: one process is what Prometheus asks."""


def set_index_lag(blocks: int, *, chain_id: int) -> None:
    """Say how far an index is behind its chain.

    Args:
        blocks: How many of the chain's blocks are not in it yet.
        chain_id: Of the chain.
    """
    with COUNTS.lock:
        COUNTS.index_lag[chain_id] = max(0, blocks)
