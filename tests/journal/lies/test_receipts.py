"""What is no receipt of the transaction that was signed settles nothing. S11."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest

from tael import Chain
from tael.errors import OutcomeUnknownError
from tael.journal import Fate, State
from tests.journal.lies.nodes import ALWAYS, HUGE, agreeing, alone
from tests.support.bank import client, held_of, received, record, record_hash, signed, transfer
from tests.support.faulty_proxy import FaultyProxy
from tests.support.waiting import wait_until
from tests.support.world import World, cny


@pytest.mark.parametrize("connect", [alone, agreeing])
def test_the_receipt_of_another_transaction_settles_nothing(
    world: World, proxies: list[FaultyProxy], connect: Callable[..., Chain]
) -> None:
    before = held_of(world)
    bank = client(world, chain=connect(proxies))
    first = transfer(bank, world, "T-1")
    other = world.node.rpc("eth_getTransactionReceipt", first.transaction_hash)
    times = 3 if connect is alone else ALWAYS
    proxies[0].arm("eth_getTransactionReceipt", lie=other, times=times)
    second = transfer(bank, world, "T-2", "2.00")
    assert second.transaction_hash == record_hash(bank, "T-2") != first.transaction_hash
    (only,) = signed(bank, "T-2")
    assert (only.fate, record(bank, "T-2").state) == (Fate.FINAL, State.FINAL)
    assert bank.resolve("T-2").evidence.transaction_hashes == (second.transaction_hash,)
    assert received(world, before) == 300
    bank.close()


@pytest.mark.parametrize(
    "change",
    [
        {"blockNumber": HUGE},
        {"blockNumber": 7},
        {"blockHash": None},
        {"blockHash": "0x12"},
        {"gasUsed": HUGE},
        {"status": None},
        {"status": "0x2"},
        {"logs": None},
        {"logs": [{}]},
        {"logs": ["0x"]},
        {"transactionHash": 5},
        {"contractAddress": "0x1"},
        {"effectiveGasPrice": "-0x1"},
    ],
    ids=str,
)
def test_what_is_no_receipt_is_asked_for_again(
    world: World,
    proxies: list[FaultyProxy],
    change: dict[str, Any],
    caplog: pytest.LogCaptureFixture,
) -> None:
    bank = client(world, chain=alone(proxies))
    proxies[0].arm(
        "eth_getTransactionReceipt", times=3, lie=lambda said: said and {**said, **change}
    )
    with caplog.at_level(logging.WARNING, "tael.outbox.watch"):
        written = transfer(bank, world, "T-1")
    honest = world.node.rpc("eth_getTransactionReceipt", written.transaction_hash)
    kept = record(bank, "T-1")
    assert kept.block_hash == honest["blockHash"]
    assert (kept.block_number, kept.gas_used) == (
        int(honest["blockNumber"], 16),
        int(honest["gasUsed"], 16),
    )
    assert "going on" not in caplog.text
    assert "no valid receipt" in caplog.text
    bank.close()


def test_a_payment_of_a_batch_is_accepted_only_where_the_escrow_says_so(
    world: World, proxies: list[FaultyProxy]
) -> None:
    bank = client(world, chain=alone(proxies), wait_seconds=1)
    payments = [world.sign(f"P-{n}", cny("1.00")) for n in range(3)]
    elsewhere = "0x" + "11" * 20
    for forge in (
        lambda said: said and {**said, "logs": []},
        lambda said: (
            said and {**said, "logs": [{**log, "address": elsewhere} for log in said["logs"]]}
        ),
    ):
        proxies[0].arm("eth_getTransactionReceipt", lie=forge, times=ALWAYS)
        with pytest.raises(OutcomeUnknownError):
            bank.payments.authorize_many(payments, reference="B-1")
        assert {record(bank, f"P-{n}").state for n in range(3)} == {State.SIGNED}
        proxies[0].calm()
    bank._writer.outbox.wait_seconds = 20
    outcomes = bank.payments.authorize_many(payments, reference="B-1")
    assert all(each.written for each in outcomes)
    assert {record(bank, f"P-{n}").state for n in range(3)} == {State.FINAL}
    bank.close()


def test_a_refusal_in_the_place_of_a_count_is_no_contracts(
    world: World, proxies: list[FaultyProxy]
) -> None:
    """Told without a transaction, a contract's refusal means that nothing was signed."""
    before = held_of(world)

    def refuse(document: Any) -> Any:
        if isinstance(document, list):
            return document
        error = {"code": 3, "message": "execution reverted", "data": "0x"}
        return {"jsonrpc": "2.0", "id": document["id"], "error": error}

    def arm(step: str, _count: int) -> None:
        if step == "journaled":
            proxies[0].arm("eth_getTransactionCount", "say", lie=refuse, times=ALWAYS)

    bank = client(world, chain=alone(proxies), wait_seconds=1, on_step=arm)
    with pytest.raises(OutcomeUnknownError):
        transfer(bank, world, "T-1")
    proxies[0].calm()
    wait_until(lambda: record(bank, "T-1").state is State.FINAL)
    assert received(world, before) == 100
    bank.close()
