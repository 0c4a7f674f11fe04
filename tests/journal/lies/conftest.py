"""A node that lies: the real chain goes on behind it, so what is true is known. S11."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.support.faulty_proxy import FaultyProxy
from tests.support.world import World


@pytest.fixture
def proxies(world: World) -> Iterator[list[FaultyProxy]]:
    """Three ways to the node; the first one is asked first."""
    with ExitStack() as stack:
        yield [stack.enter_context(FaultyProxy(world.node.url).serving()) for _ in range(3)]
