"""What several threads and processes do to the same reference at one moment."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa

from tael import Chain, Client
from tael.errors import (
    IdempotencyConflictError,
    OutcomeUnknownError,
    StoreError,
    TransactionRefusedError,
)
from tael.journal import Journal, Order, WriteState, body_hash
from tael.outbox import Ticket, lane
from tael.store import Store
from tests.support.bank import client, journal_of, record, signed, transfer
from tests.support.faulty_proxy import FaultyProxy
from tests.support.waiting import wait_until
from tests.support.world import World, cny

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
    assert record.state is WriteState.REFUSED


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
    assert {record.state for record in records.values()} == {WriteState.SIGNED}


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


def test_what_another_signed_meanwhile_is_joined_although_it_would_be_refused_now(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, orders = Store.temporary(), []
    bank, other = client(world, store=store), client(world, store=store)
    plain = bank._writer.outbox.send

    def send(signer: Any, order: Order, **options: Any) -> Any:
        orders.append(order)
        return plain(signer, order, **options)

    monkeypatch.setattr(bank._writer.outbox, "send", send)
    first = transfer(bank, world, "T-1")
    # The other process had looked before, and the contract refuses the same a second time.
    outbox, signer, changed = other._writer.outbox, world.signers["issuer"], b"\1" * 32
    (same,) = outbox.submit(signer, orders, known={})
    (different,) = outbox.submit(signer, [replace(orders[0], body_hash=changed)], known={})
    assert same.result(20).transaction_hash == first.transaction_hash
    assert same.result(0).repeated
    with pytest.raises(IdempotencyConflictError):
        different.result(20)
    assert [each.hash for each in signed(other, "T-1")] == [first.transaction_hash]
    bank.close()
    other.close()


@pytest.mark.parametrize(
    "write",
    [
        lambda bank, world: transfer(bank, world, "R-1"),
        lambda bank, world: bank.balances.redeem(cny("1.00"), reference="R-1"),
        lambda bank, world: bank.payments.authorize(
            world.sign("R-1", cny("1.00")), reference="R-1"
        ),
        lambda bank, world: list(bank.payments.authorize_each([world.sign("R-1", cny("1.00"))])),
    ],
    ids=["transfer", "redeem", "authorize", "authorize_each"],
)
def test_a_reference_is_looked_up_once_before_the_look_that_decides(
    world: World, write: Callable[[Client, World], object]
) -> None:
    store, looks = Store.temporary(), []
    bank = client(world, store=store)
    transfer(bank, world, "FIRST")

    @sa.event.listens_for(store.engine, "before_cursor_execute")
    def note(connection: Any, _cursor: Any, text: str, values: Any, *_: Any) -> None:
        if text.startswith("SELECT") and "R-1" in values:
            reads = connection.get_execution_options().get("tael_reads", False)
            looks.append("before" if reads else "deciding")

    write(bank, world)
    assert looks == ["before", "deciding"]
    bank.close()


def test_what_a_process_left_is_taken_up_although_reading_it_failed_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(step: str, _count: int) -> None:
        if step == "journaled":
            raise RuntimeError("killed")

    store = Store.temporary()
    bank = client(world, store=store, on_step=die)
    with pytest.raises(RuntimeError):
        transfer(bank, world, "T-1")
    bank.close()
    again = client(world, store=store)
    reader = journal_of(again).reader
    with monkeypatch.context() as patch:
        patch.setattr(reader, "open_transactions", raising(StoreError("the disk is away")))
        with pytest.raises(StoreError):
            again.resolve("T-1")
    wait_until(lambda: again.resolve("T-1").state == "settled")
    again.close()


def test_what_was_signed_is_looked_after_although_sending_it_broke_off(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    bank = client(world)
    transfer(bank, world, "T-1")
    name = f"tael-watch-{bank.participant[:10]}"
    wait_until(lambda: name not in {each.name for each in threading.enumerate()})
    with monkeypatch.context() as patch:
        patch.setattr(lane, "broadcast", raising(RuntimeError("out of memory")))
        with pytest.raises(OutcomeUnknownError, match="after it was signed"):
            transfer(bank, world, "T-2")
    # Nobody calls again.
    wait_until(lambda: record(bank, "T-2").state is WriteState.FINAL)
    bank.close()


def test_what_is_queued_while_the_client_closes_is_told_so(world: World) -> None:
    bank = client(world)
    transfer(bank, world, "T-1")
    outbox = bank._writer.outbox
    own = outbox._lane(world.signers["issuer"])
    bank.close()
    ticket = Ticket(approval(world, "A-1"))
    own.put([ticket])
    with pytest.raises(OutcomeUnknownError, match="closed"):
        ticket.result(1)


def raising(error: Exception) -> Callable[..., Any]:
    def fail(*_: Any, **__: Any) -> Any:
        raise error

    return fail
