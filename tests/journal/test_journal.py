"""The journal: a reference stands for one thing, a nonce for one thing, whoever asks. S05, S29."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from tael.errors import IdempotencyConflictError
from tael.journal import (
    Fate,
    Item,
    Journal,
    Order,
    Outcome,
    SignedTransaction,
    WriteState,
    body_hash,
)
from tael.store import Store

BANK = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
KEY = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"
CONTRACT = "0x90F79bf6EB2c4f870365E785982E1f101E93b906"
GENESIS = "0x" + "11" * 32


@pytest.fixture
def journal(store: Store) -> Journal:
    return Journal(store, 1337, GENESIS)


def order(reference: str, body: int = 1, **more: object) -> Order:
    values = {
        "participant": BANK,
        "reference": reference,
        "verb": "transfer",
        "body_hash": body_hash("transfer", [body]),
        "to": CONTRACT,
        "data": b"",
    }
    return Order(**{**values, **more})


def signer(order_: Order, nonce: int) -> tuple[str, bytes]:
    raw = f"{order_.reference} {nonce}".encode()
    return "0x" + raw.hex().ljust(64, "0")[:64], raw


def sign(journal: Journal, *orders: Order, remote: int = 0) -> list[SignedTransaction]:
    decisions = journal.sign(KEY, orders, remote, signer)
    assert all(each.signed for each in decisions)
    return [each.signed for each in decisions]


def included(write: int, hash_: str, **more: object) -> Outcome:
    return Outcome(write, WriteState.INCLUDED, hash_, 5, "0x" + "bb" * 32, 0, 21_000, **more)


# Nonces


def test_sign_counts_nonces_up_without_a_gap(journal: Journal) -> None:
    first = sign(journal, order("A"), order("B"))
    second = sign(journal, order("C"))
    assert [each.nonce for each in [*first, *second]] == [0, 1, 2]
    assert [each.nonce for each in sign(journal, order("D"), remote=9)] == [9]
    # A node that is behind takes nothing back.
    assert [each.nonce for each in sign(journal, order("E"), remote=1)] == [10]


def test_sign_leaves_nothing_when_the_signer_fails(journal: Journal) -> None:
    def fail(order_: Order, nonce: int) -> tuple[str, bytes]:
        if order_.reference == "B":
            raise OSError("the key is away")
        return signer(order_, nonce)

    with pytest.raises(OSError, match="away"):
        journal.sign(KEY, [order("A"), order("B")], 0, fail)
    assert journal.find(BANK, "A") is None
    assert [each.nonce for each in sign(journal, order("A"))] == [0]


@pytest.mark.threat("S05")
def test_sign_shares_one_key_among_processes(database: str) -> None:
    stores = [Store.open(database) for _ in range(4)]
    journals = [Journal(each, 1337, GENESIS) for each in stores]
    signed: list[SignedTransaction] = []
    failures: list[BaseException] = []

    def work(index: int) -> None:
        try:
            for number in range(15):
                # The same reference is asked for by two of them, and signed by one.
                asked = [order(f"{index // 2} {number}"), order(f"own {index} {number}")]
                decisions = journals[index].sign(KEY, asked, 0, signer)
                signed.extend(each.signed for each in decisions if each.signed)
        except BaseException as error:  # noqa: BLE001 - reported below
            failures.append(error)

    threads = [threading.Thread(target=work, args=(index,)) for index in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert sorted(each.nonce for each in signed) == list(range(4 * 15 + 2 * 15))
    assert len({each.write for each in signed}) == len(signed)
    for each in stores:
        each.close()


def test_chains_of_the_same_number_are_told_apart(store: Store) -> None:
    here, there = Journal(store, 1337, GENESIS), Journal(store, 1337, "0x" + "22" * 32)
    sign(here, order("A"))
    assert there.find(BANK, "A") is None
    assert [each.nonce for each in sign(there, order("A", 2))] == [0]


# References


@pytest.mark.threat("S29")
def test_sign_refuses_another_body_and_signs_the_same_once(journal: Journal) -> None:
    (first,) = sign(journal, order("A"))
    (other,) = journal.sign(KEY, [order("A", 2)], 0, signer)
    assert isinstance(other.conflict, IdempotencyConflictError)
    assert "resolve('A')" in str(other.conflict)
    (same,) = journal.sign(KEY, [order("A")], 0, signer)
    assert (same.signed, same.conflict, same.record.id) == (None, None, first.write)
    together = journal.sign(KEY, [order("B"), order("B"), order("B", 2)], 0, signer)
    assert [bool(each.signed) for each in together] == [True, False, False]
    assert together[2].conflict is not None


def test_refused_before_anything_was_signed_a_reference_is_free(journal: Journal) -> None:
    journal.refuse([(order("A"), b"why")])
    found = journal.find(BANK, "A")
    assert (found.state, found.refusal) == (WriteState.REFUSED, b"why")
    (signed,) = sign(journal, order("A", 2, subject=b"s" * 32, valid_before=9))
    found = journal.find(BANK, "A")
    assert (found.state, found.id, found.refusal) == (WriteState.SIGNED, signed.write, None)
    assert found.body_hash == order("A", 2).body_hash
    assert (found.subject, found.valid_before) == (b"s" * 32, 9)


def test_refused_in_a_block_a_reference_keeps_its_body(journal: Journal) -> None:
    (signed,) = sign(journal, order("A"))
    refused = replace(included(signed.write, signed.hash), state=WriteState.REFUSED, refusal=b"why")
    journal.settle([refused], [(signed.id, Fate.FINAL, 5, "0x")])
    assert journal.sign(KEY, [order("A", 2)], 0, signer)[0].conflict is not None
    # A later attempt that is refused before sending does not cover the one in the block.
    journal.refuse([(order("A"), b"other")])
    assert journal.find(BANK, "A").refusal == b"why"
    assert sign(journal, order("A"))[0].nonce == 1


def test_accept_binds_and_remembers_the_longest_validity(journal: Journal) -> None:
    journal.accept(order("A", valid_before=100))
    journal.accept(order("A", valid_before=50))
    assert journal.find(BANK, "A").valid_before == 100
    journal.accept(order("A", valid_before=200))
    assert journal.find(BANK, "A").valid_before == 200
    with pytest.raises(IdempotencyConflictError):
        journal.accept(order("A", 2))
    sign(journal, order("A", valid_before=20))
    assert journal.find(BANK, "A").valid_before == 200


# What becomes of it


def test_settle_finalize_and_reopen_move_a_write_and_what_travels_in_it(journal: Journal) -> None:
    item = Item("P", "authorize", body_hash("authorize", [1]), b"p" * 32, 77)
    (signed,) = sign(journal, order("A", items=(item,)))
    travelling = journal.reader.items_of(signed.write)[0]
    assert (travelling.reference, travelling.state, travelling.valid_before) == (
        "P",
        WriteState.SIGNED,
        77,
    )
    outcomes = [included(each, signed.hash) for each in (signed.write, travelling.id)]
    journal.settle(outcomes, [(signed.id, Fate.INCLUDED, 5, "0x" + "bb" * 32)])
    assert journal.reader.open_transactions(KEY) == []
    assert [each.id for each in journal.reader.open_transactions(KEY, fate=Fate.INCLUDED)] == [
        signed.id
    ]
    journal.reopen([signed.id])
    assert journal.find(BANK, "P").state is WriteState.SIGNED
    assert [each.block_hash for each in journal.reader.open_transactions(KEY)] == [None]
    journal.settle(outcomes, [(signed.id, Fate.INCLUDED, 6, "0x" + "cc" * 32)])
    journal.finalize([signed.id])
    assert {journal.find(BANK, name).state for name in ("A", "P")} == {WriteState.FINAL}
    assert journal.reader.depth() == {}


def test_what_is_done_is_not_put_into_another_batch(journal: Journal) -> None:
    item = Item("P", "authorize", body_hash("authorize", [1]), b"p" * 32)
    (first,) = sign(journal, order("A", items=(item,)))
    done = journal.reader.items_of(first.write)[0]
    journal.settle([included(done.id, first.hash)])
    sign(journal, order("B", items=(item,)))
    assert journal.find(BANK, "P").carrier == first.write
    assert journal.find(BANK, "P").state is WriteState.INCLUDED


@pytest.mark.threat("S09")
def test_a_refusal_never_covers_the_effect_of_another_attempt(journal: Journal) -> None:
    (first,) = sign(journal, order("A"))
    refused = replace(included(first.write, first.hash), state=WriteState.REFUSED, refusal=b"why")
    journal.settle([refused], [(first.id, Fate.INCLUDED, 5, "0x")])
    (second,) = sign(journal, order("A"))
    journal.settle([included(first.write, second.hash)], [(second.id, Fate.INCLUDED, 6, "0x")])
    journal.settle([refused])
    assert journal.find(BANK, "A").state is WriteState.INCLUDED
    assert journal.find(BANK, "A").transaction_hash == second.hash
    journal.settle([replace(refused, transaction_hash=second.hash)])
    assert journal.find(BANK, "A").state is WriteState.REFUSED


@pytest.mark.threat("S09")
def test_a_refusal_is_final_without_an_effect_beside_the_attempt_that_had_one(
    journal: Journal,
) -> None:
    (first,) = sign(journal, order("A"))
    refused = replace(included(first.write, first.hash), state=WriteState.REFUSED, refusal=b"why")
    journal.settle([refused], [settled(first)])
    (second,) = sign(journal, order("A"))
    journal.settle([included(first.write, second.hash)], [settled(second)])
    assert journal.finalize([first.id, second.id]) == {second.id}
    assert {each.fate for each in journal.transactions_of(first.write)} == {Fate.FINAL}


@pytest.mark.threat("S06")
def test_replace_keeps_nonce_and_write_and_happens_once(journal: Journal) -> None:
    (old,) = sign(journal, order("A"))
    new = journal.replace(old, lambda: ("0x" + "ee" * 32, b"dearer"))
    assert (new.nonce, new.write) == (old.nonce, old.write)
    assert journal.replace(old, lambda: ("0x" + "ff" * 32, b"again")) is None
    assert [each.hash for each in journal.transactions_of(old.write)] == [old.hash, new.hash]
    journal.settle([], [(new.id, Fate.INCLUDED, 5, "0x" + "bb" * 32)])
    journal.finalize([new.id])
    fates = {each.hash: each.fate for each in journal.transactions_of(old.write)}
    assert fates == {old.hash: Fate.DEAD, new.hash: Fate.FINAL}


@pytest.mark.threat("S04")
def test_fill_takes_only_nonces_that_nothing_uses(journal: Journal) -> None:
    sign(journal, order("A"), remote=3)
    filled = journal.fill(KEY, [1, 2, 3], lambda nonce: (f"0x{nonce:064x}", b"fill"))
    assert [each.nonce for each in filled] == [1, 2]
    assert [each.nonce for each in journal.reader.transactions_between(KEY, 0, 9)] == [1, 2, 3]


@pytest.mark.threat("S07")
def test_kill_frees_the_write_of_an_overtaken_nonce(journal: Journal) -> None:
    item = Item("P", "authorize", body_hash("authorize", [1]), b"p" * 32)
    (signed,) = sign(journal, order("A", items=(item,)))
    assert journal.kill(KEY, signed.nonce) == [signed.write]
    assert {journal.find(BANK, name).state for name in ("A", "P")} == {WriteState.ACCEPTED}
    assert journal.transactions_of(signed.write)[0].fate is Fate.DEAD
    assert sign(journal, order("A"))[0].nonce == 1


def test_open_writes_come_in_order_and_in_pages(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tael.journal.reader.CHUNK", 4)
    sign(journal, *(order(f"R{number}") for number in range(11)))
    assert [each.reference for each in journal.open_writes(BANK)] == [
        f"R{number}" for number in range(11)
    ]
    assert list(journal.open_writes(KEY)) == []
    names = [(BANK, f"R{number}", 0) for number in range(11)]
    assert set(journal.find_many([*names, (BANK, "X", 0)])) == set(names)
    assert journal.reader.depth() == {WriteState.SIGNED: 11}


def test_body_hash_tells_values_and_types_apart() -> None:
    bodies = ([1], ["1"], [b"1"], [[1]], [1, 1], [None], [True], [], [b"", 1], [(b"1",)])
    hashes = {body_hash("v", body) for body in bodies}
    assert len(hashes) == len(bodies)
    assert body_hash("v", [(1, 2)]) == body_hash("v", [[1, 2]])
    assert body_hash("v", [1]) != body_hash("w", [1])
    with pytest.raises(TypeError):
        body_hash("v", [1.5])


# Several processes at once


def settled(row: SignedTransaction) -> tuple[int, Fate, int, str]:
    return (row.id, Fate.INCLUDED, 5, "0x" + "bb" * 32)


@pytest.mark.threat("S05")
def test_final_stays_final_when_another_process_is_late(journal: Journal) -> None:
    (signed,) = sign(journal, order("A"))
    outcome = included(signed.write, signed.hash)
    journal.settle([outcome], [settled(signed)])
    journal.finalize([signed.id])
    # One that had looked before writes down afterwards what it saw.
    journal.settle([outcome], [settled(signed)])
    assert journal.reopen([signed.id]) == set()
    refused = replace(outcome, state=WriteState.REFUSED, refusal=b"why")
    journal.settle([refused], [(signed.id, Fate.OPEN, None, None)])
    assert journal.find(BANK, "A").state is WriteState.FINAL
    assert journal.transactions_of(signed.write)[0].fate is Fate.FINAL
    # A development chain is set back on purpose.
    assert journal.reopen([signed.id], also_final=True) == {signed.id}
    assert journal.find(BANK, "A").state is WriteState.SIGNED


@pytest.mark.threat("S08")
def test_what_was_undone_is_not_finalized_by_one_that_is_late(journal: Journal) -> None:
    (signed,) = sign(journal, order("A"))
    journal.settle([included(signed.write, signed.hash)], [settled(signed)])
    assert journal.reopen([signed.id]) == {signed.id}
    assert journal.finalize([signed.id]) == set()
    assert journal.find(BANK, "A").state is WriteState.SIGNED
    assert journal.transactions_of(signed.write)[0].fate is Fate.OPEN


@pytest.mark.threat("S09")
def test_undoing_an_attempt_leaves_the_effect_of_another(journal: Journal) -> None:
    (first,) = sign(journal, order("A"))
    refused = replace(included(first.write, first.hash), state=WriteState.REFUSED, refusal=b"why")
    journal.settle([refused], [settled(first)])
    (second,) = sign(journal, order("A"))
    journal.settle([included(first.write, second.hash)], [settled(second)])
    journal.reopen([first.id])
    assert journal.find(BANK, "A").state is WriteState.INCLUDED
    assert journal.finalize([second.id]) == {second.id}
    assert journal.find(BANK, "A").state is WriteState.FINAL


@pytest.mark.threat("S07")
def test_kill_frees_no_write_that_has_another_transaction_under_way(journal: Journal) -> None:
    (first,) = sign(journal, order("A"))
    refused = replace(included(first.write, first.hash), state=WriteState.REFUSED, refusal=b"why")
    journal.settle([refused], [settled(first)])
    (second,) = sign(journal, order("A"))
    journal.reopen([first.id])
    # Now both may be included, and one of them is overtaken.
    assert journal.kill(KEY, first.nonce) == []
    assert journal.find(BANK, "A").state is WriteState.SIGNED
    assert journal.sign(KEY, [order("A")], 0, signer)[0].signed is None
    assert journal.kill(KEY, second.nonce) == [first.write]
    assert journal.find(BANK, "A").state is WriteState.ACCEPTED


@pytest.mark.threat("S11")
def test_fill_takes_a_nonce_whose_transaction_was_given_up(journal: Journal) -> None:
    """A node that said it was used may have lied, and nothing goes on before something uses it."""
    (signed,) = sign(journal, order("A"))
    journal.kill(KEY, signed.nonce)
    filled = journal.fill(KEY, [signed.nonce], lambda nonce: (f"0x{nonce:064x}", b"fill"))
    assert [each.nonce for each in filled] == [signed.nonce]


# Batches


def item(reference: str, body: int) -> Item:
    return Item(reference, "authorize", body_hash("authorize", [body]), bytes([body]) * 32, body)


@pytest.mark.threat("S29")
def test_a_batch_is_not_signed_when_a_payment_in_it_stands_for_another(journal: Journal) -> None:
    alone = order("P", body_hash=item("P", 1).body_hash)
    sign(journal, alone)
    (refused,) = journal.sign(KEY, [order("B", items=(item("Q", 3), item("P", 2)))], 0, signer)
    assert refused.signed is None
    assert isinstance(refused.conflict, IdempotencyConflictError)
    assert "'P'" in refused.conflict.message
    assert journal.find(BANK, "B") is None
    assert journal.find(BANK, "Q") is None
    # The same payment travels; the chain takes it once.
    sign(journal, order("C", items=(item("P", 1),)))


@pytest.mark.threat("S29")
def test_orders_of_one_moment_do_not_share_a_reference(journal: Journal) -> None:
    alone = order("P", body_hash=item("P", 1).body_hash)
    batches = [order(name, items=(item("P", body),)) for name, body in (("B", 2), ("C", 1))]
    decisions = journal.sign(KEY, [batches[0], alone, batches[1]], 0, signer)
    assert [bool(each.signed) for each in decisions] == [False, True, True]
    assert isinstance(decisions[0].conflict, IdempotencyConflictError)
    twice = [order(name, items=(item("Q", body),)) for name, body in (("D", 3), ("E", 4))]
    assert [bool(each.signed) for each in journal.sign(KEY, twice, 0, signer)] == [True, False]


def test_a_corrected_payment_travels_as_what_it_is_now(journal: Journal) -> None:
    journal.refuse([(order("P", body_hash=item("P", 1).body_hash), b"why")])
    sign(journal, order("B", items=(item("P", 2),)))
    kept = journal.find(BANK, "P")
    assert (kept.body_hash, kept.subject, kept.valid_before) == (
        item("P", 2).body_hash,
        item("P", 2).subject,
        2,
    )
