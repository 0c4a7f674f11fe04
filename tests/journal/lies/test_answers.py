"""What is no answer is refused by name; the index believes no more than the journal. S11, S15."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tael import Client
from tael.errors import TaelError
from tael.index import Index, Indexer, verify
from tael.outbox import Finality
from tael.store import Store
from tests.journal.lies.nodes import ALWAYS, agreeing, alone
from tests.support.bank import client, mine, record, transfer
from tests.support.faulty_proxy import FaultyProxy
from tests.support.world import World


@pytest.mark.parametrize("lie", [None, "0x", 7, "0xzz", {}], ids=str)
def test_what_is_no_result_of_a_contract_is_refused_by_name(
    world: World, proxies: list[FaultyProxy], lie: Any
) -> None:
    bank = client(world, chain=alone(proxies))
    proxies[0].arm("eth_call", lie=lie, times=ALWAYS)
    with pytest.raises(TaelError):
        bank.balances.of("CNY")
    bank.close()


def other_block(said: Any) -> Any:
    """Another block than the one asked for, unless it is the one that a chain is known by."""
    return {**said, "hash": "0x" + "ee" * 32} if said and int(said["number"], 16) else said


@pytest.mark.threat("S15")
@pytest.mark.parametrize(
    ("method", "lie"),
    [
        ("eth_getLogs", lambda said: []),
        ("eth_getLogs", lambda said: said[:-1]),
        ("eth_getLogs", lambda said: [{**log, "blockTimestamp": "0x1"} for log in said]),
        ("eth_getBlockByNumber", other_block),
        ("eth_getBlockByNumber", lambda said: said and {**said, "timestamp": "0x1"}),
    ],
    ids=["no logs", "fewer logs", "other times of logs", "other blocks", "other times"],
)
def test_what_the_index_calls_final_rests_on_enough_nodes(
    world: World, proxies: list[FaultyProxy], method: str, lie: Callable[[Any], Any]
) -> None:
    bank = client(world)
    transfer(bank, world, "T-0")
    mine(world, 140)
    transfer(bank, world, "T-1")
    proxies[0].arm(method, lie=lie, times=ALWAYS)
    # The others come first half the time, and what the first one says must not be what is taken.
    for order in (proxies, proxies[::-1]):
        store = Store.temporary()
        reader = Client(agreeing(order), world.manifest)
        Indexer(store, reader, finality=Finality("confirmations", 2)).catch_up()
        index = Index(store, world.manifest)
        assert verify(index, world.client("outsider")).differences == []
        movements = list(index.movements(bank.participant, "CNY"))
        kept = [record(bank, name).transaction_hash for name in ("T-0", "T-1")]
        assert [each.transaction_hash for each in movements[-2:]] == kept
        assert all(each.at > 1 for each in movements)
    bank.close()
