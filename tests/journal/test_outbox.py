"""The outbox on real nodes: what is journaled is sent once, whatever happens. S01 to S10."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tael import Chain, Client
from tael.errors import (
    ContractRevertedError,
    IdempotencyConflictError,
    NodeUnavailableError,
    OutcomeUnknownError,
    StoreError,
    TransactionRefusedError,
)
from tael.journal import Fate, Journal, State
from tael.models import Written
from tael.outbox import Change, FeePolicy
from tael.store import Store
from tests.sdk.cli_runner import key_of
from tests.sdk.faulty_proxy import FaultyProxy
from tests.sdk.world import World, cny

DEEP = "2"
"""Confirmations of the tests whose blocks can be undone."""


def client(world: World, role: str = "issuer", chain: Chain | None = None, **options) -> Client:
    options.setdefault("store", Store.temporary())
    options.setdefault("wait_seconds", 20)
    return Client(chain or world.chain, world.manifest, world.signers[role], **options)


def transfer(bank: Client, world: World, reference: str, amount: str = "1.00") -> Written:
    return bank.balances.transfer(world.address("acquirer"), cny(amount), reference=reference)


def received(world: World, before: int) -> int:
    return world.balances()["acquirer", "CNY"][0] - before


def held_of(world: World) -> int:
    return world.balances()["acquirer", "CNY"][0]


def wait_until(condition: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.02)


def journal_of(bank: Client) -> Journal:
    return bank._gateway.journal


def record(bank: Client, reference: str):
    return journal_of(bank).find(bank.participant, reference)


# Repeats


def test_the_same_reference_gives_the_first_result_from_any_process(
    world: World, database: str
) -> None:
    before = held_of(world)
    with client(world, store=database) as first:
        written = transfer(first, world, "T-1")
        assert (written.repeated, written.status) == (False, "final")
    with client(world, store=database) as second:
        again = transfer(second, world, "T-1")
        assert again.repeated
        assert again.transaction_hash == written.transaction_hash
        with pytest.raises(IdempotencyConflictError, match="T-1"):
            transfer(second, world, "T-1", "2.00")
    assert received(world, before) == 100


def test_the_first_result_is_told_when_no_node_answers(world: World) -> None:
    with FaultyProxy(world.node.url).serving() as proxy:
        chain = Chain.connect(proxy.url, retry_seconds=0.2)
        bank = client(world, chain=chain)
        written = transfer(bank, world, "T-1")
        proxy.arm("*", "503", times=10_000)
        assert transfer(bank, world, "T-1").transaction_hash == written.transaction_hash
        with pytest.raises(NodeUnavailableError):
            transfer(bank, world, "T-2")
        proxy.calm()
        assert record(bank, "T-2") is None


def test_many_threads_with_one_key_and_one_reference_pay_once(world: World) -> None:
    before, bank = held_of(world), client(world)
    results: list[Written] = []
    threads = [
        threading.Thread(target=lambda n=n: results.append(transfer(bank, world, f"T-{n % 5}")))
        for n in range(40)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 40
    assert len({each.transaction_hash for each in results}) == 5
    assert received(world, before) == 500


@pytest.mark.threat("S05")
def test_processes_that_share_a_key_leave_no_gap(world: World, database: str, tmp_path) -> None:
    before = held_of(world)
    manifest = tmp_path / "manifest.json"
    world.manifest.save(manifest)
    program = """
import sys
from concurrent.futures import ThreadPoolExecutor
from tael import Client, Money, PrivateKeySigner
url, manifest, store, key, payee, name = sys.argv[1:]
with Client(url, manifest, PrivateKeySigner.from_key(key), store=store) as bank:
    def pay(n):
        bank.balances.transfer(payee, Money("CNY", 100), reference=f"{name} {n}")
        bank.balances.transfer(payee, Money("CNY", 100), reference=f"both {n}")
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(pay, range(20)))
"""
    secret = key_of(world, "issuer")
    processes = [
        subprocess.Popen(
            [
                sys.executable,
                "-c",
                program,
                world.node.url,
                str(manifest),
                database,
                secret,
                world.address("acquirer"),
                name,
            ]
        )
        for name in ("left", "right")
    ]
    assert [process.wait(120) for process in processes] == [0, 0]
    assert received(world, before) == 100 * (20 + 20 + 20)
    with client(world, store=database) as bank:
        nonces = [
            each.nonce
            for fate in (Fate.OPEN, Fate.INCLUDED)
            for each in journal_of(bank).open_transactions(bank.participant, fate=fate)
        ]
        assert nonces == []


# Answers that get lost


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
    bank = client(world, wait_seconds=0.3)
    with pytest.raises(OutcomeUnknownError, match=r"resolve\('T-1'\)") as unknown:
        transfer(bank, world, "T-1")
    with pytest.raises(OutcomeUnknownError):
        transfer(bank, world, "T-1")
    signed = journal_of(bank).transactions_of(record(bank, "T-1").id)
    assert [each.hash for each in signed] == [unknown.value.transaction_hash]
    assert bank.resolve("T-1").state == "pending"
    manual()
    assert bank.resume() == [bank.resolve("T-1")]
    assert bank.resolve("T-1").state == "settled"


@pytest.mark.threat("S04")
def test_a_transaction_the_node_lost_is_sent_again(
    world: World, manual: Callable[[], None]
) -> None:
    bank = client(world, wait_seconds=0.2)
    with pytest.raises(OutcomeUnknownError):
        transfer(bank, world, "T-1")
    world.node.rpc("anvil_dropTransaction", record_hash(bank, "T-1"))
    assert world.node.rpc("eth_getTransactionByHash", record_hash(bank, "T-1")) is None
    wait_until(lambda: world.node.rpc("eth_getTransactionByHash", record_hash(bank, "T-1")))
    manual()
    wait_until(lambda: bank.resolve("T-1").state == "settled")


def record_hash(bank: Client, reference: str) -> str:
    return journal_of(bank).transactions_of(record(bank, reference).id)[-1].hash


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
    bank = client(world, wait_seconds=0.3, fees=FeePolicy(bump_after_seconds=0.5))
    with pytest.raises(OutcomeUnknownError) as unknown:
        transfer(bank, world, "T-1")
    first = world.node.rpc("eth_getTransactionByHash", unknown.value.transaction_hash)
    wait_until(lambda: record_hash(bank, "T-1") != unknown.value.transaction_hash)
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
            wait_seconds=0.3,
            fees=FeePolicy(bump_after_seconds=0.5),
        )
        thief = "0x" + "66" * 20

        def other(said):
            return said and {**said, "to": thief, "input": "0x", "value": "0xde0b6b3a7640000"}

        proxy.arm("eth_getTransactionByHash", times=10_000, lie=other)
        with pytest.raises(OutcomeUnknownError) as unknown:
            transfer(bank, world, "T-1")
        first = unknown.value.transaction_hash
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
    bank = client(world, wait_seconds=0.2)
    with pytest.raises(OutcomeUnknownError):
        transfer(bank, world, "T-1")
    signed = journal_of(bank).transactions_of(record(bank, "T-1").id)[-1]
    # Somebody else who has the key uses the nonce for something else.
    other = world.signers["issuer"].sign_transaction(
        {
            "to": world.address("issuer"),
            "value": 0,
            "gas": 21_000,
            "nonce": signed.nonce,
            "chainId": world.chain.chain_id,
            "maxFeePerGas": 10**11,
            "maxPriorityFeePerGas": 10**10,
        }
    )
    world.node.rpc("eth_sendRawTransaction", "0x" + other.hex())
    manual()
    wait_until(lambda: record(bank, "T-1").state is State.ACCEPTED)
    assert journal_of(bank).transactions_of(record(bank, "T-1").id)[-1].fate is Fate.DEAD
    # The message that was signed may still be relayed, so it is not absent before that expires.
    assert bank.resolve("T-1").state == "pending"
    world.node.rpc("evm_setAutomine", True)
    bank._gateway.outbox.wait_seconds = 20
    assert transfer(bank, world, "T-1").repeated is False
    assert received(world, before) == 100
    bank.close()


# Refusals


def test_a_refusal_in_a_block_is_told_and_can_be_tried_again(world: World) -> None:
    bank, guardian = client(world), world.client("guardian")

    def pause_first(step: str, _count: int) -> None:
        if step == "journaled":
            guardian.participants.pause("CNY", reference="PAUSE")

    racing = client(world, on_step=pause_first)
    with pytest.raises(ContractRevertedError) as refused:
        transfer(racing, world, "T-1")
    assert refused.value.name == "TokenPaused"
    assert refused.value.transaction_hash == record(racing, "T-1").transaction_hash
    assert record(racing, "T-1").state is State.REFUSED
    with pytest.raises(IdempotencyConflictError):
        transfer(racing, world, "T-1", "2.00")
    for each in (bank, racing):
        each.close()


def test_a_transaction_the_node_refuses_stays_written_down(world: World) -> None:
    with FaultyProxy(world.node.url).serving() as proxy:
        bank = client(world, chain=Chain.connect(proxy.url))
        proxy.arm("eth_sendRawTransaction", "refuse", times=3)
        with pytest.raises(TransactionRefusedError, match="same reference"):
            transfer(bank, world, "T-1")
        assert record(bank, "T-1").state in (State.SIGNED, State.FINAL)
        proxy.calm()
        hash_ = record_hash(bank, "T-1")
        assert transfer(bank, world, "T-1").transaction_hash == hash_
        bank.close()


# The journal fails


@pytest.mark.threat("S31")
def test_nothing_is_sent_when_the_journal_takes_nothing(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tael.store.database.BUSY_SECONDS", 0.2)
    bank = client(world, store=tmp_path / "store.db")
    transfer(bank, world, "T-0")
    block = world.chain.block_number()
    rival = Store.open(tmp_path / "store.db")
    with rival.write(), pytest.raises(StoreError, match="locked"):
        transfer(bank, world, "T-1")
    assert world.chain.block_number() == block
    assert record(bank, "T-1") is None
    assert transfer(bank, world, "T-1").repeated is False
    bank.close()


@pytest.mark.threat("S01")
@pytest.mark.threat("O01")
@pytest.mark.parametrize("step", ["asked", "checked", "journaled", "sent", "included", "recorded"])
def test_a_killed_process_is_finished_by_the_next(
    world: World, database: str, tmp_path: Path, step: str
) -> None:
    before = held_of(world)
    manifest = tmp_path / "manifest.json"
    world.manifest.save(manifest)
    program = """
import os, signal, sys
from tael import Client, Money, PrivateKeySigner
url, manifest, store, key, payee, step = sys.argv[1:]
def die(name, _count):
    if name == step:
        os.kill(os.getpid(), signal.SIGKILL)
bank = Client(url, manifest, PrivateKeySigner.from_key(key), store=store, on_step=die)
bank.balances.transfer(payee, Money("CNY", 100), reference="T-1")
import time; time.sleep(5)
"""
    secret = key_of(world, "issuer")
    arguments = [world.node.url, str(manifest), database, secret, world.address("acquirer"), step]
    died = subprocess.run([sys.executable, "-c", program, *arguments], check=False, timeout=60)
    assert died.returncode == -signal.SIGKILL
    with client(world, store=database) as bank:
        resumed = bank.resume()
        assert [each.state for each in resumed] in ([], ["settled"])
        assert transfer(bank, world, "T-1").block_number
        assert bank.resolve("T-1").status == "final"
    assert received(world, before) == 100


# Finality and reorganisations


def mine(world: World, count: int) -> None:
    for _ in range(count):
        world.node.mine()


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
    wait_until(lambda: record(bank, "T-1").state is State.FINAL)
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


# Streams


def test_authorize_each_pays_once_and_tells_each(world: World) -> None:
    bank = client(world)
    payments = [world.sign(f"P-{n}", cny("1.00")) for n in range(30)]
    stranger = world.signers["outsider"].sign_digest(payments[3].payment_id)
    payments[3] = type(payments[3])(payments[3].prepared, stranger)
    outcomes = list(bank.payments.authorize_each(iter(payments)))
    assert [each.payment_id for each in outcomes] == [each.payment_id for each in payments]
    assert [n for n, each in enumerate(outcomes) if each.refusal] == [3]
    assert bank.balances.held("CNY") == cny("29.00")
    again = list(bank.payments.authorize_each(payments))
    assert [n for n, each in enumerate(again) if each.refusal] == [3]
    assert all(each.written.repeated for n, each in enumerate(again) if n != 3)
    with client(world) as amnesiac:
        third = list(amnesiac.payments.authorize_each(payments))
    assert [each.written and each.written.transaction_hash for each in third] == [
        each.written and each.written.transaction_hash for each in outcomes
    ]
    assert bank.balances.held("CNY") == cny("29.00")
    bank.close()


@pytest.mark.parametrize("simulate", [True, False])
def test_measured_bounds_do_for_every_verb(world: World, simulate: bool) -> None:
    bank, acquirer = (client(world, role, simulate=simulate) for role in ("issuer", "acquirer"))
    payment = world.sign("P-1", cny("50.00"))
    bank.payments.authorize(payment, reference="P-1")
    acquirer.payments.capture(payment, cny("20.00"), reference="C-1")
    acquirer.payments.void(payment, cny("30.00"), reference="V-1")
    acquirer.payments.refund(payment, cny("5.00"), reference="R-1")
    bank.payments.charge(world.sign("P-2", cny("7.00")), reference="P-2")
    code = world.sign("P-3", code=world.code(150_00, reference="INV-1"))
    bank.payments.authorize(code, reference="P-3")
    transfer(bank, world, "T-1")
    for each in (bank, acquirer):
        each.close()
