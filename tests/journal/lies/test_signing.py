"""On a lie, or on nonsense, nothing is signed. S06, S11, S12."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import pytest

from tael.errors import NodeUnavailableError, OutcomeUnknownError, TransactionRefusedError
from tael.journal import Fate, State
from tael.outbox import FeePolicy
from tests.journal.lies.nodes import ALWAYS, HUGE, agreeing, alone, count_of
from tests.support.bank import client, held_of, journal_of, received, record, signed, transfer
from tests.support.faulty_proxy import FaultyProxy
from tests.support.waiting import wait_until
from tests.support.world import World


@pytest.mark.parametrize(
    ("method", "lie"),
    [
        ("eth_getTransactionCount", HUGE),
        ("eth_getTransactionCount", "-0x5"),
        ("eth_getTransactionCount", 5),
        ("eth_getTransactionCount", {}),
        ("eth_estimateGas", "0x0"),
        ("eth_estimateGas", "-0x1"),
        ("eth_estimateGas", []),
        ("eth_gasPrice", "gas"),
        ("eth_maxPriorityFeePerGas", "-0x1"),
        ("eth_getBlockByNumber", "0x1"),
        ("eth_chainId", {}),
    ],
    ids=str,
)
def test_nothing_is_signed_on_nonsense(
    world: World, proxies: list[FaultyProxy], method: str, lie: Any
) -> None:
    bank = client(world, chain=alone(proxies))
    transfer(bank, world, "T-0")
    proxies[0].arm(method, lie=lie, times=ALWAYS)
    with pytest.raises(NodeUnavailableError):
        transfer(bank, world, "T-1")
    known = record(bank, "T-1")
    assert known is None or journal_of(bank).transactions_of(known.id) == []
    proxies[0].calm()
    assert transfer(bank, world, "T-1").block_number
    assert journal_of(bank).next_nonce(bank.participant) == count_of(world, bank)
    bank.close()


@pytest.mark.parametrize("gas_limit", ["0x0", "0x5208", HUGE, None, 30_000_000])
def test_nothing_is_signed_that_no_block_takes(
    world: World, proxies: list[FaultyProxy], gas_limit: Any
) -> None:
    bank = client(world, chain=alone(proxies), simulate=False)
    transfer(bank, world, "T-0")

    def lie(said: Any) -> Any:
        return {**said, "gasLimit": gas_limit}

    proxies[0].arm("eth_getBlockByNumber", lie=lie, times=ALWAYS)
    with pytest.raises(NodeUnavailableError):
        transfer(bank, world, "T-1")
    proxies[0].calm()
    assert transfer(bank, world, "T-1").block_number
    bank.close()


def test_an_estimate_beyond_what_any_write_takes_is_refused(
    world: World, proxies: list[FaultyProxy]
) -> None:
    bank = client(world, chain=alone(proxies))
    proxies[0].arm(
        "eth_getBlockByNumber", times=ALWAYS, lie=lambda said: {**said, "gasLimit": hex(2**50)}
    )
    proxies[0].arm("eth_estimateGas", times=ALWAYS, lie=hex(2**40))
    with pytest.raises(TransactionRefusedError, match="gas"):
        transfer(bank, world, "T-1")
    proxies[0].calm()
    assert transfer(bank, world, "T-1").block_number
    bank.close()


@pytest.mark.threat("S12")
def test_a_nonce_is_skipped_only_if_enough_nodes_say_so(
    world: World, proxies: list[FaultyProxy]
) -> None:
    bank = client(world, chain=agreeing(proxies))
    transfer(bank, world, "T-1")
    count = count_of(world, bank)
    proxies[0].arm("eth_getTransactionCount", lie=hex(count + 1_000), times=ALWAYS)
    tried = client(world, chain=agreeing(proxies))
    transfer(tried, world, "T-2")
    (only,) = signed(tried, "T-2")
    assert only.nonce == count
    assert journal_of(tried).next_nonce(tried.participant) == count_of(world, bank) == count + 1
    for each in (bank, tried):
        each.close()


def test_a_pool_is_not_believed_to_have_more_than_can_be(
    world: World, proxies: list[FaultyProxy]
) -> None:
    bank = client(world, chain=alone(proxies))
    transfer(bank, world, "T-1")
    count = count_of(world, bank)

    def lie(document: Any) -> Any:
        if isinstance(document, list) and len(document) > 5:
            document[4]["result"] = hex(count + 2**40)  # what is pending
        return document

    proxies[0].arm("eth_gasPrice", "say", lie=lie, times=ALWAYS)
    with pytest.raises(NodeUnavailableError, match="in no block"):
        transfer(bank, world, "T-2")
    proxies[0].calm()
    transfer(bank, world, "T-2")
    assert count_of(world, bank) == count + 1 == journal_of(bank).next_nonce(bank.participant)
    bank.close()


@pytest.mark.threat("S06")
def test_what_offers_too_little_for_any_pool_is_replaced(
    world: World, proxies: list[FaultyProxy]
) -> None:
    before = held_of(world)
    bank = client(world, chain=alone(proxies), fees=FeePolicy(bump_after_seconds=600))

    def free(said: Any) -> Any:
        return {**said, "baseFeePerGas": "0x0"}

    def arm(step: str, _count: int) -> None:
        if step == "journaled":
            proxies[0].calm()

    bank._writer.outbox.on_step = arm
    proxies[0].arm("eth_getBlockByNumber", lie=free, times=ALWAYS)
    proxies[0].arm("eth_maxPriorityFeePerGas", lie="0x0", times=ALWAYS)
    with contextlib.suppress(TransactionRefusedError):
        transfer(bank, world, "T-1")
    wait_until(lambda: record(bank, "T-1").state is State.FINAL)
    fates = [each.fate for each in signed(bank, "T-1")]
    assert fates == [Fate.DEAD, Fate.FINAL]
    assert received(world, before) == 100
    bank.close()


def test_a_message_that_a_node_was_shown_may_be_sent_by_it(
    world: World, proxies: list[FaultyProxy]
) -> None:
    """Whatever it answered to the estimate: it has the transfer, signed."""
    before = held_of(world)
    bank = client(world, chain=alone(proxies))
    proxies[0].arm("eth_estimateGas", "refuse", times=ALWAYS)
    with pytest.raises(TransactionRefusedError, match="estimate"):
        transfer(bank, world, "T-1")
    shown = next(
        body["params"][0]["data"]
        for body in proxies[0].bodies
        if body["method"] == "eth_estimateGas"
    )
    kept = record(bank, "T-1")
    assert kept.state is State.ACCEPTED
    assert bank.resolve("T-1").state == "pending"
    assert bank.resolve("T-1").evidence.valid_before == kept.valid_before
    token = world.manifest.tokens["CNY"]
    world.sender.send(world.signers["outsider"], token, bytes.fromhex(shown[2:]), reference="thief")
    found = bank.resolve("T-1")
    assert (found.state, found.status) == ("settled", "final")
    assert received(world, before) == 100
    bank.close()


def test_a_fee_that_is_too_dear_fails_nobody_who_waits(
    world: World, proxies: list[FaultyProxy], manual: Callable[[], None]
) -> None:
    bank = client(
        world, chain=alone(proxies), wait_seconds=1.5, fees=FeePolicy(bump_after_seconds=0.2)
    )

    def dear(said: Any) -> Any:
        return {**said, "baseFeePerGas": hex(10**15)}

    def arm(step: str, _count: int) -> None:
        if step == "journaled":
            proxies[0].arm("eth_getBlockByNumber", lie=dear, times=ALWAYS)

    bank._writer.outbox.on_step = arm
    with pytest.raises(OutcomeUnknownError, match="not included"):
        transfer(bank, world, "T-1")
    proxies[0].calm()
    manual()
    wait_until(lambda: bank.resolve("T-1").state == "settled")
    bank.close()
