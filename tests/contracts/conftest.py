"""One node, one deployment, and a snapshot around every test.

`TAEL_TEST_NODE` says which node: `anvil` (the default) or `ganache`. On Ganache each test has its
first case only: see `pytest_collection_modifyitems`.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings

from scripts.brownie_session import attached, import_brownie
from tael.testing import LocalNode, start_node
from tests.contracts.world import ROLES, World

if TYPE_CHECKING:
    from collections.abc import Iterator

import_brownie()
settings.load_profile("suite")  # brownie has loaded one of its own

KIND = os.environ.get("TAEL_TEST_NODE", "anvil")
NODES_DIFFER = {"C07", "C48"}
"""Threats whose tests are about gas that strangers burn, and about seconds."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out on Ganache what Anvil has proved of the contracts, and keep what nodes differ in.

    They differ in how a refusal, an event, gas, a hash and a second reach the caller: every test
    goes through that once, and where it is about gas or time with each value of its parameters.
    That the same code rules on the next row of a table as it did on Anvil is a matter of the code.
    """
    if KIND != "ganache":
        return
    seen: set[tuple[str, str, str]] = set()
    kept: list[pytest.Item] = []
    left_out: list[pytest.Item] = []
    for item in items:
        if not item.path.is_relative_to(Path(__file__).parent):
            kept.append(item)
            continue
        assert isinstance(item, pytest.Function)
        name = item.nodeid.partition("[")[0]
        new = {(name, "", "")}
        if any(NODES_DIFFER & set(mark.args) for mark in item.iter_markers("threat")):
            parameters = item.callspec.params if hasattr(item, "callspec") else {}
            new |= {(name, parameter, repr(value)) for parameter, value in parameters.items()}
        is_worth_it = "node" in item.fixturenames and not new <= seen
        (kept if is_worth_it else left_out).append(item)
        seen |= new
    items[:] = kept
    config.hook.pytest_deselected(items=left_out)


@pytest.fixture(scope="session")
def node() -> Iterator[LocalNode]:
    assert KIND in ("anvil", "ganache"), f"TAEL_TEST_NODE={KIND}"
    with start_node(KIND, frozen_clock=True, accounts=len(ROLES)) as running:
        yield running


@pytest.fixture(scope="session")
def project(node: LocalNode) -> Iterator[Any]:
    with attached(node) as loaded:
        yield loaded


@pytest.fixture(scope="session")
def deployed(node: LocalNode, project: Any) -> World:
    return World(node, project)


@pytest.fixture
def w(deployed: World) -> Iterator[World]:
    """The world, rolled back at the end of the test."""
    before = deployed.node.snapshot()
    tracked, labels = dict(deployed.tracked), dict(deployed.chain.labels)
    escrow, tokens = deployed.escrow, dict(deployed.tokens)
    participants = list(deployed.participants)
    yield deployed
    deployed.node.revert(before)
    deployed.tracked, deployed.chain.labels = tracked, labels
    deployed.escrow, deployed.tokens = escrow, tokens
    deployed.participants = participants
