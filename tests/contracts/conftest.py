"""One node, one deployment, and a snapshot around every test.

`TAEL_TEST_NODE` says which node: `anvil` (the default) or `ganache`.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from scripts.brownie_session import attached, import_brownie
from tael.testing import Node, start_node
from tests.contracts.world import ROLES, World

if TYPE_CHECKING:
    from collections.abc import Iterator

import_brownie()


@pytest.fixture(scope="session")
def node() -> Iterator[Node]:
    kind = os.environ.get("TAEL_TEST_NODE", "anvil")
    assert kind in ("anvil", "ganache"), f"TAEL_TEST_NODE={kind}"
    with start_node(kind, frozen_clock=True, accounts=len(ROLES)) as running:
        yield running


@pytest.fixture(scope="session")
def project(node: Node) -> Iterator[Any]:
    with attached(node) as loaded:
        yield loaded


@pytest.fixture(scope="session")
def deployed(node: Node, project: Any) -> World:
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
