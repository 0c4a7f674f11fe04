"""The same day on Anvil and on Ganache ends the same: what the node is changes nothing."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tael.events import decode_all
from tael.rpc import request
from tests.support.activity import have_a_busy_day, live_through_everything
from tests.support.world import World, isolated

NODES = ("anvil", "ganache")


def outcome_of(world: World, live: Callable[[World], object]) -> dict[str, object]:
    """What a day came to, without what depends on its date."""
    with isolated(world):
        first = world.node.block_number() + 1
        told = live(world)
        logs = request(
            world.chain,
            "eth_getLogs",
            {
                "fromBlock": hex(first),
                "toBlock": "latest",
                "address": [world.manifest.escrow, *world.manifest.tokens.values()],
            },
        )
        events = [
            (type(event).__name__, getattr(event, "amount_minor", None))
            for event in decode_all(logs)
        ]
        return {"told": told, "events": events, "balances": world.balances()}


@pytest.mark.slow
@pytest.mark.threat("S32")
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_busy_day_ends_the_same_on_both_nodes(worlds: Callable[[str], World], seed: int) -> None:
    anvil, ganache = (
        outcome_of(worlds(kind), lambda world: have_a_busy_day(world, seed, 40)) for kind in NODES
    )
    assert anvil["events"]
    assert anvil == ganache


@pytest.mark.threat("S32")
def test_everything_that_can_happen_happens_alike_on_both_nodes(
    worlds: Callable[[str], World],
) -> None:
    anvil, ganache = (outcome_of(worlds(kind), live_through_everything) for kind in NODES)
    assert len(set(anvil["events"])) > 20  # type: ignore[call-overload]
    assert anvil == ganache
