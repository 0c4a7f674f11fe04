"""A node that lies or talks nonsense: nothing is signed, told or kept for good on its word. S11.

The real chain goes on behind it (`FaultyProxy`), so what is true is known.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from typing import Any

import pytest

from tael import Chain, Client
from tael.errors import (
    NodeUnavailableError,
    OutcomeUnknownError,
    TaelError,
    TransactionRefusedError,
)
from tael.index import Index, Indexer, verify
from tael.journal import Fate, State
from tael.outbox import FeePolicy, Finality
from tael.raw_transaction import read_plain
from tael.store import Store
from tests.sdk.bank import (
    DEEP,
    SHORTLY,
    client,
    held_of,
    journal_of,
    mine,
    received,
    record,
    record_hash,
    transfer,
)
from tests.sdk.faulty_proxy import FaultyProxy
from tests.sdk.waiting import wait_until
from tests.sdk.world import World, cny

ALWAYS = 10_000
HUGE = "0x" + "f" * 64


@pytest.fixture
def proxies(world: World) -> Iterator[list[FaultyProxy]]:
    """Three ways to the node; the first one is asked first."""
    with ExitStack() as stack:
        yield [stack.enter_context(FaultyProxy(world.node.url).serving()) for _ in range(3)]


def agreeing(proxies: Sequence[FaultyProxy]) -> Chain:
    return Chain.connect([each.url for each in proxies], agreement=2)


def alone(proxies: Sequence[FaultyProxy]) -> Chain:
    return Chain.connect(proxies[0].url, retry_seconds=0.2)


def count_of(world: World, bank: Client) -> int:
    return int(world.node.rpc("eth_getTransactionCount", bank.participant, "latest"), 16)


# Receipts


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
    (signed,) = journal_of(bank).transactions_of(record(bank, "T-2").id)
    assert (signed.fate, record(bank, "T-2").state) == (Fate.FINAL, State.FINAL)
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
    assert "no receipt" in caplog.text
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
    bank._gateway.outbox.wait_seconds = 20
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


# Before signing


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
    (signed,) = journal_of(tried).transactions_of(record(tried, "T-2").id)
    assert signed.nonce == count
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

    bank._gateway.outbox.on_step = arm
    proxies[0].arm("eth_getBlockByNumber", lie=free, times=ALWAYS)
    proxies[0].arm("eth_maxPriorityFeePerGas", lie="0x0", times=ALWAYS)
    with contextlib.suppress(TransactionRefusedError):
        transfer(bank, world, "T-1")
    wait_until(lambda: record(bank, "T-1").state is State.FINAL)
    fates = [each.fate for each in journal_of(bank).transactions_of(record(bank, "T-1").id)]
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

    bank._gateway.outbox.on_step = arm
    with pytest.raises(OutcomeUnknownError, match="not included"):
        transfer(bank, world, "T-1")
    proxies[0].calm()
    manual()
    wait_until(lambda: bank.resolve("T-1").state == "settled")
    bank.close()


# Final and absent


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
    signed = journal_of(bank).transactions_of(record(bank, reference).id)[-1]
    fields = read_plain(signed.raw)
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
    nonce = "0x" + bank._gateway.identifiers.transfer_nonce("T-1").hex()
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
    with pytest.raises(NodeUnavailableError, match="logs"):
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


# Answers of other kinds


@pytest.mark.parametrize("lie", [None, "0x", 7, "0xzz", {}], ids=str)
def test_what_is_no_result_of_a_contract_is_refused_by_name(
    world: World, proxies: list[FaultyProxy], lie: Any
) -> None:
    bank = client(world, chain=alone(proxies))
    proxies[0].arm("eth_call", lie=lie, times=ALWAYS)
    with pytest.raises(TaelError):
        bank.balances.of("CNY")
    bank.close()


def other_block(said: Any) -> Any:
    """Another block than the one asked for, unless it is the one that a chain is known by."""
    return {**said, "hash": "0x" + "ee" * 32} if said and int(said["number"], 16) else said


@pytest.mark.threat("S15")
@pytest.mark.parametrize(
    ("method", "lie"),
    [
        ("eth_getLogs", lambda said: []),
        ("eth_getLogs", lambda said: said[:-1]),
        ("eth_getLogs", lambda said: [{**log, "blockTimestamp": "0x1"} for log in said]),
        ("eth_getBlockByNumber", other_block),
        ("eth_getBlockByNumber", lambda said: said and {**said, "timestamp": "0x1"}),
    ],
    ids=["no logs", "fewer logs", "other times of logs", "other blocks", "other times"],
)
def test_what_the_index_calls_final_rests_on_enough_nodes(
    world: World, proxies: list[FaultyProxy], method: str, lie: Callable[[Any], Any]
) -> None:
    bank = client(world)
    transfer(bank, world, "T-0")
    mine(world, 140)
    transfer(bank, world, "T-1")
    proxies[0].arm(method, lie=lie, times=ALWAYS)
    # The others come first half the time, and what the first one says must not be what is taken.
    for order in (proxies, proxies[::-1]):
        store = Store.temporary()
        reader = Client(agreeing(order), world.manifest)
        Indexer(store, reader, finality=Finality("confirmations", 2)).catch_up()
        index = Index(store, world.manifest)
        assert verify(index, world.client("outsider")).differences == []
        movements = list(index.movements(bank.participant, "CNY"))
        kept = [record(bank, name).transaction_hash for name in ("T-0", "T-1")]
        assert [each.transaction_hash for each in movements[-2:]] == kept
        assert all(each.at > 1 for each in movements)
    bank.close()
