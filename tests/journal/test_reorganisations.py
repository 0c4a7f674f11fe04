"""What is included is followed until it is final, and taken back with its block. S08 to S10."""

from __future__ import annotations

import contextlib

import pytest

from tael import CardEntry
from tael.errors import NodeUnavailableError
from tael.journal import WriteState
from tael.outbox import Change
from tael.outbox.receipts import refusal_data
from tests.support.bank import (
    DEEP,
    client,
    held_of,
    journal_of,
    mine,
    received,
    record,
    signed,
    transfer,
)
from tests.support.waiting import wait_until
from tests.support.world import World, cny


@pytest.mark.threat("S08")
@pytest.mark.threat("S10")
def test_included_becomes_final_and_a_reorganisation_takes_it_back(world: World) -> None:
    before, changes = held_of(world), []
    bank = client(world, finality=DEEP)
    bank.listen(changes.append)
    written = transfer(bank, world, "T-1")
    assert written.status == "included"
    assert (bank.resolve("T-1").state, bank.resolve("T-1").status) == ("settled", "included")
    first_block = bank.resolve("T-1").evidence.block_hash
    world.node.rpc("anvil_reorg", 1, [])
    # The same bytes are sent again, and nobody is told anything else meanwhile.
    wait_until(lambda: bank.resolve("T-1").state == "settled")
    wait_until(lambda: bank.resolve("T-1").evidence.block_hash != first_block)
    assert bank.resolve("T-1").evidence.transaction_hashes == (written.transaction_hash,)
    mine(world, int(DEEP))
    wait_until(lambda: bank.resolve("T-1").status == "final")
    wait_until(lambda: record(bank, "T-1").state is WriteState.FINAL)
    told = [each.status for each in changes if isinstance(each, Change)]
    assert told[0] == "submitted"
    assert told[-1] == "final"
    assert "pending" in told or told.count("included") == 2
    assert received(world, before) == 100
    bank.close()


@pytest.mark.threat("S09")
def test_a_reorganisation_that_brings_a_refusal_is_told(world: World) -> None:
    changes: list[Change] = []
    bank = client(world, finality=DEEP)
    bank.listen(changes.append)
    transfer(bank, world, "T-1")
    record_ = record(bank, "T-1")
    guardian = world.client("guardian")
    with contextlib.suppress(Exception):
        bank.close()
    # While nobody looks, the block is undone and a pause comes first.
    world.node.rpc("anvil_reorg", 1, [])
    guardian.participants.pause("CNY", reference="PAUSE")
    again = client(world, store=journal_of(bank).store, finality=DEEP)
    again.listen(changes.append)
    wait_until(lambda: again.resolve("T-1").refusal is not None)
    assert again.resolve("T-1").refusal.name == "TokenPaused"
    assert record(again, "T-1").transaction_hash == record_.transaction_hash
    # Listeners are told after the journal.
    wait_until(lambda: "refused" in [each.status for each in changes])
    again.close()


def test_a_listener_that_fails_stops_nothing(world: World) -> None:
    bank = client(world)

    def fail(_change: Change) -> None:
        raise RuntimeError

    end = bank.listen(fail)
    assert transfer(bank, world, "T-1").block_number
    end()
    assert transfer(bank, world, "T-2").block_number
    bank.close()


@pytest.mark.threat("S09")
def test_a_refusal_whose_block_was_replaced_is_asked_for_again(world: World) -> None:
    # Run again in the block that took its place, it works, and that is no reason.
    with client(world) as bank:
        entry = CardEntry(world.address("cardholder"), cny("20.00"), cny("40.00"))
        written = bank.directory.set_cards([entry], reference="CARD-1")
        sent = signed(bank, "CARD-1")[-1]
        receipt = world.node.rpc("eth_getTransactionReceipt", written.transaction_hash)
        assert refusal_data(world.chain, sent, receipt) == b""
        for replaced in ({"blockHash": "0x" + "11" * 32}, {"blockNumber": "0xffffff"}):
            with pytest.raises(NodeUnavailableError, match="try again later"):
                refusal_data(world.chain, sent, {**receipt, **replaced})
