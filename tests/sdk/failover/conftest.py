"""A real Anvil with what fails before it: three times `FaultyProxy`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tael.chain import node as node_module
from tael.chain import node_selection as selection_module
from tael.testing import LocalNode, start_node
from tests.sdk.failover.connecting import CHAIN_ID
from tests.support.faulty_proxy import FaultyProxy


@pytest.fixture(scope="module")
def node() -> Iterator[LocalNode]:
    with start_node("anvil", chain_id=CHAIN_ID) as running:
        yield running


@pytest.fixture
def proxies(node: LocalNode) -> Iterator[list[FaultyProxy]]:
    with ExitStack() as stack:
        yield [stack.enter_context(FaultyProxy(node.url).serving()) for _ in range(3)]


@pytest.fixture(autouse=True)
def only_on_demand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nodes are looked at when a test says so, and are returned to soon."""
    monkeypatch.setattr(selection_module, "SURVEY_SECONDS", 1e9)
    monkeypatch.setattr(node_module, "FIRST_REST_SECONDS", 0.2)
    monkeypatch.setattr(node_module, "OTHER_CHAIN_REST_SECONDS", 0.2)
