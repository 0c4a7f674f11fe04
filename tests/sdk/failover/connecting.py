"""Chains of several nodes, and what they hold of each."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from tael.chain import Chain
from tests.support.faulty_proxy import FaultyProxy

CHAIN_ID = 1337


def connect(proxies: Sequence[FaultyProxy], **options: Any) -> Chain:
    options = {"timeout_seconds": 1.0, "retry_seconds": 0.0, **options}
    chain = Chain.connect([proxy.url for proxy in proxies], CHAIN_ID, **options)
    deadline = time.monotonic() + 10
    while chain.nodes._selection._surveying.locked() and time.monotonic() < deadline:
        time.sleep(0.01)  # the first look at all of them is under way
    return chain


def standings(chain: Chain) -> list[str]:
    return [state.health for state in chain.nodes.states()]


def rest(chain: Chain) -> None:
    """Let the failed nodes rest long enough, and look at all of them."""
    time.sleep(0.25)
    chain.nodes.survey()
