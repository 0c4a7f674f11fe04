"""Ways to a node that lie, and what a client makes of them."""

from __future__ import annotations

from collections.abc import Sequence

from tael import Chain, Client
from tests.support.faulty_proxy import FaultyProxy
from tests.support.world import World

ALWAYS = 10_000
HUGE = "0x" + "f" * 64


def agreeing(proxies: Sequence[FaultyProxy]) -> Chain:
    return Chain.connect([each.url for each in proxies], agreement=2)


def alone(proxies: Sequence[FaultyProxy]) -> Chain:
    return Chain.connect(proxies[0].url, retry_seconds=0.2)


def count_of(world: World, bank: Client) -> int:
    return int(world.node.rpc("eth_getTransactionCount", bank.participant, "latest"), 16)
