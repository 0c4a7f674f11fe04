"""The outbox on real nodes: what is journaled is sent once, whatever happens. S01 to S10."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tael import Chain
from tael.errors import (
    ContractRevertedError,
    IdempotencyConflictError,
    NodeUnavailableError,
    StoreError,
    TransactionRefusedError,
)
from tael.journal import Fate, WriteState
from tael.models import Written
from tael.store import Store
from tests.support.bank import client, held_of, journal_of, received, record, record_hash, transfer
from tests.support.cli_runner import key_of
from tests.support.faulty_proxy import FaultyProxy
from tests.support.world import World, cny

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
            for each in journal_of(bank).reader.open_transactions(bank.participant, fate=fate)
        ]
        assert nonces == []


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
    assert record(racing, "T-1").state is WriteState.REFUSED
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
        assert record(bank, "T-1").state in (WriteState.SIGNED, WriteState.FINAL)
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
    before = held_of(world)
    payment = world.sign("P-1", cny("50.00"))
    charged = world.sign("P-2", cny("7.00"))
    code = world.sign("P-3", code=world.code(150_00, reference="INV-1"))
    written = [
        bank.payments.authorize(payment, reference="P-1"),
        acquirer.payments.capture(payment, cny("20.00"), reference="C-1"),
        acquirer.payments.void(payment, cny("30.00"), reference="V-1"),
        acquirer.payments.refund(payment, cny("5.00"), reference="R-1"),
        bank.payments.charge(charged, reference="P-2"),
        bank.payments.authorize(code, reference="P-3"),
        transfer(bank, world, "T-1"),
    ]
    for each in written:
        sent = world.node.rpc("eth_getTransactionByHash", each.transaction_hash)
        # With the bound itself as the limit, where no simulation sets a lower one.
        assert each.gas_used < int(sent["gas"], 16), each.reference
    status = bank.payments.status(payment)
    assert (status.captured, status.voided, status.refunded) == (
        cny("20.00"),
        cny("30.00"),
        cny("5.00"),
    )
    assert bank.payments.status(charged).captured == cny("7.00")
    assert bank.balances.held("CNY") == cny("150.00")
    # 20.00, 7.00 and 1.00 came in less the scheme's fee of 20 in 10,000; 5.00 went back.
    assert received(world, before) == 20_00 - 4 + 7_00 - 1 + 1_00 - 5_00
    for each in (bank, acquirer):
        each.close()
