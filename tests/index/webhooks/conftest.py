"""A receiver, an index to send from, and pauses too short to wait for."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tael.index import Index, Indexer
from tael.store import Store
from tael.webhooks import delivering
from tests.index.webhooks.receiver import Receiver, receiving
from tests.support.world import World


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as one:
        yield one


@pytest.fixture
def index(world: World, sqlite: Store) -> Index:
    Indexer(sqlite, world.client("outsider")).catch_up()
    return Index(sqlite, world.manifest)


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivering, "FIRST_PAUSE_SECONDS", 0.001)
    monkeypatch.setattr(delivering, "LONGEST_PAUSE_SECONDS", 0.005)
