"""Settled for good, or absent for good, is told on the word of enough nodes. S10, S11."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tael import Chain, Client
from tael.errors import NodeUnavailableError, OutcomeUnknownError
from tael.journal import State
from tael.raw_transaction import read_plain
from tael.store import Store
from tests.journal.lies.nodes import ALWAYS, HUGE, agreeing, alone, count_of
from tests.support.bank import (
    DEEP,
    SHORTLY,
    client,
    held_of,
    mine,
    received,
    record,
    signed,
    transfer,
)
from tests.support.faulty_proxy import FaultyProxy
from tests.support.waiting import wait_until
from tests.support.world import World


@pytest.mark.threat("S10")
@pytest.mark.parametrize("connect", [alone, agreeing])
def test_final_stays_final_when_a_node_counts_less(
    world: World,
    proxies: list[FaultyProxy],
    connect: Callable[..., Chain],
) -> None:
    bank = client(world, chain=connect(proxies), finality=DEEP, wait_seconds=2.5)
    transfer(bank, world, "T-1")
    mine(world, int(DEEP))
    wait_until(lambda: record(bank, "T-1").state is State.FINAL)
    first = count_of(world, bank) - 1
    told: list[str] = []
    bank.listen(lambda change: told.append(change.status))
    transfer(bank, world, "T-2")
    world.node.rpc("evm_setAutomine", False)
    try:
        proxies[0].arm("eth_getTransactionCount", lie=hex(first), times=ALWAYS)
        with pytest.raises(OutcomeUnknownError):
            transfer(bank, world, "T-3")
        assert record(bank, "T-1").state is State.FINAL
        assert record(bank, "T-2").state is State.INCLUDED
        assert "pending" not in told
    finally:
        proxies[0].calm()
        world.node.rpc("evm_setAutomine", True)
        world.node.mine()
    wait_until(lambda: bank.resolve("T-3").state == "settled")
    bank.close()


def relay_what_was_overtaken(
    world: World, bank: Client, manual: Callable[[], None], reference: str
) -> None:
    """The transfer's transaction never counts, and somebody else sends the message in it."""
    with pytest.raises(OutcomeUnknownError):
        transfer(bank, world, reference)
    overtaken = signed(bank, reference)[-1]
    fields = read_plain(overtaken.raw)
    assert fields is not None
    other = {
        **fields,
        "to": world.address("issuer"),
        "data": b"",
        "maxFeePerGas": 10**11,
        "maxPriorityFeePerGas": 10**10,
    }
    raw = world.signers["issuer"].sign_transaction(other)
    world.node.rpc("eth_sendRawTransaction", "0x" + raw.hex())
    manual()
    wait_until(lambda: record(bank, reference).state is State.ACCEPTED)
    world.node.rpc("evm_setAutomine", True)
    world.sender.send(
        world.signers["outsider"], fields["to"], fields["data"], reference=f"relay {reference}"
    )
    world.node.rpc("evm_increaseTime", 7_200)
    world.node.mine()


def test_absent_is_told_only_if_enough_nodes_show_nothing(
    world: World, proxies: list[FaultyProxy], manual: Callable[[], None]
) -> None:
    before = held_of(world)
    bank = client(world, chain=agreeing(proxies), wait_seconds=SHORTLY)
    relay_what_was_overtaken(world, bank, manual, "T-1")
    proxies[0].arm("eth_getLogs", lie=[], times=ALWAYS)
    proxies[0].arm("eth_blockNumber", lie="0x1", times=ALWAYS)
    found = bank.resolve("T-1")
    assert (found.state, found.status) == ("settled", "final")
    assert record(bank, "T-1").state is State.FINAL
    assert received(world, before) == 100
    bank.close()


@pytest.mark.parametrize("connect", [alone, agreeing])
def test_an_event_that_never_was_settles_nothing(
    world: World, proxies: list[FaultyProxy], connect: Callable[..., Chain]
) -> None:
    bank, rich = client(world, chain=connect(proxies)), client(world)
    transfer(rich, world, "T-0")
    logs = world.node.rpc("eth_getTransactionReceipt", record(rich, "T-0").transaction_hash)["logs"]
    nonce = "0x" + bank._identity.identifiers.transfer_nonce("T-1").hex()
    used = next(log for log in logs if record(rich, "T-0").subject.hex() in str(log["topics"]))
    forged = {**used, "topics": [*used["topics"][:2], nonce]}

    def lie(said: Any) -> Any:
        return [forged] if isinstance(said, list) else said

    proxies[0].arm("eth_getLogs", lie=lie, times=ALWAYS)
    try:
        found = bank.resolve("T-1")
    except NodeUnavailableError:
        pass
    else:
        assert found.state == "pending"
    proxies[0].calm()
    assert bank.resolve("T-1").state == "pending"
    assert transfer(bank, world, "T-1").repeated is False
    for each in (bank, rich):
        each.close()


@pytest.mark.parametrize(
    "change",
    [{"address": "0x" + "11" * 20}, {"topics": []}, {"blockNumber": HUGE}, {"logIndex": None}],
    ids=str,
)
def test_logs_that_were_not_asked_for_are_no_answer(
    world: World, proxies: list[FaultyProxy], change: dict[str, Any]
) -> None:
    bank = client(world, chain=alone(proxies))
    transfer(client(world), world, "T-1")
    proxies[0].arm(
        "eth_getLogs", times=ALWAYS, lie=lambda said: [{**log, **change} for log in said]
    )
    with pytest.raises(NodeUnavailableError, match="log"):
        bank.resolve("T-1")
    bank.close()


def test_what_another_sent_is_kept_when_it_is_final(world: World) -> None:
    """Nobody follows it until then, so a reorganisation of it would go unnoticed."""
    first = client(world, finality=DEEP)
    written = transfer(first, world, "T-1")
    second = client(world, finality=DEEP, store=Store.temporary())
    again = transfer(second, world, "T-1")
    assert (again.transaction_hash, again.repeated) == (written.transaction_hash, True)
    assert record(second, "T-1").state is State.REFUSED
    found = second.resolve("T-1")
    assert (found.state, found.status) == ("settled", "included")
    assert record(second, "T-1").state is State.REFUSED
    mine(world, int(DEEP))
    assert second.resolve("T-1").status == "final"
    assert record(second, "T-1").state is State.FINAL
    assert transfer(second, world, "T-1").status == "final"
    for each in (first, second):
        each.close()
