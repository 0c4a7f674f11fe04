"""What several threads and processes do to the same reference at one moment."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from tael import Chain
from tael.errors import StoreError, TransactionRefusedError
from tael.journal import Journal, Order, State, body_hash
from tael.store import Store
from tests.support.bank import client, journal_of, record
from tests.support.faulty_proxy import FaultyProxy
from tests.support.world import World

GENESIS = "0x" + "11" * 32
ADDRESS = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"


def order(reference: str) -> Order:
    return Order(ADDRESS, reference, "issue", b"\x01" * 32, ADDRESS, b"\x02")


def test_refuse_takes_the_same_reference_twice_in_one_group(store: Store) -> None:
    journal = Journal(store, 1337, GENESIS)
    decisions = journal.refuse([(order("A"), b"why"), (order("A"), b"why")])
    assert [each.record.id for each in decisions if each.record] == [1, 1]
    record = journal.find(ADDRESS, "A")
    assert record is not None
    assert record.state is State.REFUSED


def test_accept_and_refuse_take_a_reference_that_others_write_at_the_same_moment(
    database: str,
) -> None:
    references = [f"R-{number}" for number in range(30)]
    errors: list[BaseException] = []
    ready = threading.Barrier(4)

    def write(refuses: bool) -> None:
        store = Store.open(database)
        journal = Journal(store, 1337, GENESIS)
        ready.wait()
        try:
            for reference in references:
                if refuses:
                    journal.refuse([(order(reference), b"why")])
                else:
                    journal.accept(order(reference))
        except BaseException as error:  # noqa: BLE001 - looked at below
            errors.append(error)
        finally:
            store.close()

    Store.open(database).close()
    threads = [threading.Thread(target=write, args=(number % 2 == 0,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


def test_two_keys_sign_the_same_reference_once(database: str) -> None:
    """Two delegates of a bank have a key each, so that no lock of a key keeps them apart."""
    references = [f"R-{number}" for number in range(40)]
    first = Journal(Store.open(database), 1337, GENESIS)
    first.refuse([(order(reference), b"why") for reference in references])
    signed: list[str] = []
    errors: list[BaseException] = []
    ready = threading.Barrier(4)

    def sign(number: int) -> None:
        store = Store.open(database)
        journal = Journal(store, 1337, GENESIS)
        key = f"0x{number + 1:040x}"
        ready.wait()
        try:
            for reference in references:
                (decision,) = journal.sign(
                    key,
                    [order(reference)],
                    0,
                    lambda each, nonce: (f"0x{number:032x}{nonce:032x}", b"raw"),
                )
                if decision.signed is not None:
                    signed.append(reference)
                journal.refuse([(order(reference), b"later")])
        except BaseException as error:  # noqa: BLE001 - looked at below
            errors.append(error)
        finally:
            store.close()

    threads = [threading.Thread(target=sign, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert sorted(signed) == sorted(references)
    records = first.find_many([(ADDRESS, reference, 0) for reference in references])
    assert {record.state for record in records.values()} == {State.SIGNED}


def approval(world: World, reference: str) -> Order:
    spender = bytes.fromhex(world.address("acquirer")[2:]).rjust(32, b"\0")
    return Order(
        world.address("issuer"),
        reference,
        "approve",
        body_hash("approve", [reference]),
        world.manifest.tokens["CNY"],
        bytes.fromhex("095ea7b3") + spender + bytes(32),
    )


def test_who_is_told_that_nothing_was_sent_is_not_sent_later(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a group only a part fits the block; then the journal takes nothing."""
    with FaultyProxy(world.node.url).serving() as proxy:
        bank = client(world, chain=Chain.connect(proxy.url))
        journal = journal_of(bank)
        plain, asked = journal.sign, []

        def sign(*arguments: Any) -> Any:
            asked.append([each.reference for each in arguments[1]])
            if len(asked) == 1:
                raise StoreError("the disk is full; nothing was sent")
            return plain(*arguments)

        monkeypatch.setattr(journal, "sign", sign)
        proxy.arm("eth_estimateGas", lie=hex(20_000_000), times=3)
        first, second = bank._writer.submit([approval(world, "A-1"), approval(world, "A-2")])
        with pytest.raises(StoreError):
            first.result(20)
        # The other one was in no danger: it only waited for its turn.
        assert second.result(20).block_number
        assert asked == [["A-1"], ["A-2"]]
        assert record(bank, "A-1") is None
        bank.close()


def test_what_is_refused_before_it_is_rejoined_is_told_so(world: World) -> None:
    bank = client(world)
    journal = journal_of(bank)
    bank._writer.submit([approval(world, "A-1")])[0].result(20)
    known = record(bank, "A-1")
    journal.refuse([(approval(world, "A-2"), b"why")])
    gone = record(bank, "A-2")
    ticket = bank._writer.outbox.rejoin(world.signers["issuer"], gone)
    with pytest.raises(TransactionRefusedError, match="in flight"):
        ticket.result(1)
    assert bank._writer.outbox.rejoin(world.signers["issuer"], known).result(5).repeated
    bank.close()
