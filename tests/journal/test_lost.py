"""What the node or its answers lose is found, sent again, or replaced by itself. S01 to S07."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tael import Chain
from tael.errors import OutcomeUnknownError
from tael.journal import Fate, State
from tael.outbox import FeePolicy
from tests.support.bank import (
    SHORTLY,
    client,
    held_of,
    received,
    record,
    record_hash,
    signed,
    transfer,
)
from tests.support.faulty_proxy import FaultyProxy
from tests.support.waiting import wait_until
from tests.support.world import World


@pytest.mark.threat("S02")
@pytest.mark.threat("S13")
@pytest.mark.parametrize("fault", ["drop_before", "drop_after", "html", "truncate", "503", "429"])
def test_a_lost_answer_pays_once(world: World, fault: str) -> None:
    before = held_of(world)
    with FaultyProxy(world.node.url).serving() as proxy:
        bank = client(world, chain=Chain.connect(proxy.url))
        proxy.arm("eth_sendRawTransaction", fault, times=2)
        assert transfer(bank, world, "T-1").block_number
        proxy.arm("eth_getTransactionReceipt", fault, times=2)
        assert transfer(bank, world, "T-2").block_number
        bank.close()
    assert received(world, before) == 200


@pytest.mark.threat("S03")
def test_an_unknown_outcome_is_known_later_and_never_signed_anew(
    world: World, manual: Callable[[], None]
) -> None:
    bank = client(world, wait_seconds=SHORTLY)
    with pytest.raises(OutcomeUnknownError, match=r"resolve\('T-1'\)"):
        transfer(bank, world, "T-1")
    hash_ = record_hash(bank, "T-1")
    with pytest.raises(OutcomeUnknownError) as unknown:
        transfer(bank, world, "T-1")
    assert unknown.value.transaction_hash == hash_
    assert [each.hash for each in signed(bank, "T-1")] == [hash_]
    assert bank.resolve("T-1").state == "pending"
    manual()
    assert bank.resume() == [bank.resolve("T-1")]
    assert bank.resolve("T-1").state == "settled"


@pytest.mark.threat("S04")
def test_a_transaction_the_node_lost_is_sent_again(
    world: World, manual: Callable[[], None]
) -> None:
    bank = client(world, wait_seconds=SHORTLY)
    with pytest.raises(OutcomeUnknownError):
        transfer(bank, world, "T-1")
    world.node.rpc("anvil_dropTransaction", record_hash(bank, "T-1"))
    assert world.node.rpc("eth_getTransactionByHash", record_hash(bank, "T-1")) is None
    wait_until(lambda: world.node.rpc("eth_getTransactionByHash", record_hash(bank, "T-1")))
    manual()
    wait_until(lambda: bank.resolve("T-1").state == "settled")


@pytest.mark.threat("S04")
def test_a_nonce_that_nothing_uses_is_filled(world: World) -> None:
    with FaultyProxy(world.node.url).serving() as proxy:
        bank = client(world, chain=Chain.connect(proxy.url))
        transfer(bank, world, "T-1")
        count = int(world.node.rpc("eth_getTransactionCount", bank.participant, "latest"), 16)
        # A node that counts too high makes a gap, which only our own transactions can close.
        proxy.arm("eth_getTransactionCount", lie=hex(count + 2), times=2)
        assert transfer(bank, world, "T-2").block_number
        assert transfer(bank, world, "T-3").block_number
        after = int(world.node.rpc("eth_getTransactionCount", bank.participant, "latest"), 16)
        assert after == count + 4
        bank.close()


@pytest.mark.threat("S06")
@pytest.mark.threat("S07")
def test_a_stuck_transaction_is_replaced_by_itself_for_more(
    world: World, manual: Callable[[], None]
) -> None:
    before = held_of(world)
    bank = client(world, wait_seconds=SHORTLY, fees=FeePolicy(bump_after_seconds=2))
    with pytest.raises(OutcomeUnknownError):
        transfer(bank, world, "T-1")
    hash_ = record_hash(bank, "T-1")
    first = world.node.rpc("eth_getTransactionByHash", hash_)
    wait_until(lambda: record_hash(bank, "T-1") != hash_)
    wait_until(lambda: world.node.rpc("eth_getTransactionByHash", record_hash(bank, "T-1")))
    second = world.node.rpc("eth_getTransactionByHash", record_hash(bank, "T-1"))
    assert (second["nonce"], second["input"]) == (first["nonce"], first["input"])
    for fee in ("maxFeePerGas", "maxPriorityFeePerGas"):
        assert int(second[fee], 16) >= int(first[fee], 16) * 1.125
    manual()
    wait_until(lambda: bank.resolve("T-1").state == "settled")
    assert bank.resolve("T-1").evidence.transaction_hashes == (record_hash(bank, "T-1"),)
    assert received(world, before) == 100
    bank.close()


def test_patience_is_shorter_where_nothing_waits_for_its_turn() -> None:
    assert FeePolicy().patience_seconds(is_local=True) == 5
    assert FeePolicy().patience_seconds(is_local=False) == 30
    assert FeePolicy(bump_after_seconds=1).patience_seconds(is_local=True) == 1


@pytest.mark.threat("S06")
@pytest.mark.threat("S11")
def test_a_replacement_does_what_the_journal_says_and_not_what_a_node_says(
    world: World, manual: Callable[[], None]
) -> None:
    """Whoever is asked for the transaction again could have another one signed in its place."""
    before = held_of(world)
    with FaultyProxy(world.node.url).serving() as proxy:
        bank = client(
            world,
            chain=Chain.connect(proxy.url),
            wait_seconds=SHORTLY,
            fees=FeePolicy(bump_after_seconds=2),
        )
        thief = "0x" + "66" * 20

        def other(said):
            return said and {**said, "to": thief, "input": "0x", "value": "0xde0b6b3a7640000"}

        proxy.arm("eth_getTransactionByHash", times=10_000, lie=other)
        with pytest.raises(OutcomeUnknownError):
            transfer(bank, world, "T-1")
        first = record_hash(bank, "T-1")
        wait_until(lambda: record_hash(bank, "T-1") != first)
        manual()
        wait_until(lambda: bank.resolve("T-1").state == "settled")
        bank.close()
    assert received(world, before) == 100
    assert int(world.node.rpc("eth_getBalance", thief, "latest"), 16) == 0


@pytest.mark.threat("S06")
def test_a_replacement_never_offers_more_than_the_limit() -> None:
    policy = FeePolicy(max_fee_per_gas_wei=1_100)
    old = {"maxFeePerGas": 1_000, "maxPriorityFeePerGas": 10}
    assert policy.bump(old, {"maxFeePerGas": 1_000, "maxPriorityFeePerGas": 10}) is None
    assert policy.bump({"gasPrice": 100}, {"gasPrice": 90}) == {"gasPrice": 114}
    assert policy.bump({"gasPrice": 1_000}, {"gasPrice": 90}) is None
    roomy = FeePolicy(max_fee_per_gas_wei=10_000).bump(old, {"maxFeePerGas": 5_000})
    assert roomy == {"maxFeePerGas": 5_000, "maxPriorityFeePerGas": 12}


@pytest.mark.threat("S07")
def test_an_overtaken_nonce_frees_the_write(world: World, manual: Callable[[], None]) -> None:
    before = held_of(world)
    bank = client(world, wait_seconds=SHORTLY)
    with pytest.raises(OutcomeUnknownError):
        transfer(bank, world, "T-1")
    overtaken = signed(bank, "T-1")[-1]
    # Somebody else who has the key uses the nonce for something else.
    other = world.signers["issuer"].sign_transaction(
        {
            "to": world.address("issuer"),
            "value": 0,
            "gas": 21_000,
            "nonce": overtaken.nonce,
            "chainId": world.chain.chain_id,
            "maxFeePerGas": 10**11,
            "maxPriorityFeePerGas": 10**10,
        }
    )
    world.node.rpc("eth_sendRawTransaction", "0x" + other.hex())
    manual()
    wait_until(lambda: record(bank, "T-1").state is State.ACCEPTED)
    assert signed(bank, "T-1")[-1].fate is Fate.DEAD
    # The message that was signed may still be relayed, so it is not absent before that expires.
    assert bank.resolve("T-1").state == "pending"
    world.node.rpc("evm_setAutomine", True)
    bank._writer.outbox.wait_seconds = 20
    assert transfer(bank, world, "T-1").repeated is False
    assert received(world, before) == 100
    bank.close()
