"""The index is what the contracts say (I-27, I-35, O03), however it got there."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from tael import CardEntry, Ledger, Money
from tael import events as ev
from tael.errors import IndexStateError, LedgerError, NodeUnavailableError
from tael.index import Index, Indexer, IndexerStep, MovementKind, erase, verify
from tael.index import fetching as fetching_module
from tael.index.replay import in_order
from tael.store import Store
from tael.store.tables import blocks, deployments
from tests.index.contents import contents
from tests.support.activity import have_a_busy_day, live_through_everything
from tests.support.sending import send
from tests.support.world import BANKS, CURRENCIES, World, cny, hkd


def indexed(world: World, store: Store) -> Index:
    Indexer(store, world.client("outsider")).catch_up()
    return Index(store, world.manifest)


def faults(index: Index, world: World) -> list:
    return verify(index, world.client("outsider")).differences


@pytest.mark.threat("O03")
def test_index_equals_the_contracts_when_everything_has_happened(
    any_world: World, store: Store
) -> None:
    live_through_everything(any_world)
    index = indexed(any_world, store)
    found = verify(index, any_world.client("outsider"))
    assert found.differences == []
    assert found.checks > 50
    assert index.status().block_number == any_world.node.block_number()


@pytest.mark.parametrize("seed", range(3))
def test_index_equals_ledger_and_contracts_when_a_day_was_busy(
    world: World, sqlite: Store, seed: int
) -> None:
    # I-27, I-35: two ways from the events to the books, and the contracts' own.
    done = have_a_busy_day(world, seed, 150)
    assert {"authorize", "many", "charge", "capture", "void", "refund"} <= done.keys()
    index = indexed(world, sqlite)
    assert faults(index, world) == []
    ledger = Ledger.replay(world.client("outsider").history().events())
    for balance in index.balances():
        books = ledger.tokens[world.manifest.token(balance.currency)]
        assert balance.available_minor == books.available_of(balance.participant)
        assert balance.held_minor == books.held_of(balance.participant)
    by_id = {payment.payment_id: payment for payment in index.payments()}
    assert by_id.keys() == ledger.payments.keys()
    for id_, payment in ledger.payments.items():
        mine = by_id[id_]
        assert mine.terms == payment.opened.terms
        assert mine.is_charged == isinstance(payment.opened, ev.PaymentCharged)
        assert (mine.captured_minor, mine.voided_minor, mine.refunded_minor) == (
            payment.captured_minor,
            payment.voided_minor,
            payment.refunded_minor,
        )


def test_index_is_the_same_when_it_was_made_in_many_steps(
    world: World, store: Store, other_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    have_a_busy_day(world, 7, 60)
    world.node.rpc("anvil_mine", hex(400))
    have_a_busy_day(world, 8, 20)
    at_once = contents(indexed(world, store))
    monkeypatch.setattr(fetching_module, "FIRST_RANGE_BLOCKS", 3)
    monkeypatch.setattr(fetching_module, "WANTED_LOGS", 4)
    monkeypatch.setattr(fetching_module, "MAX_LOGS", 5)
    steps = []
    for _ in range(1_000):
        # Each step by another process, which knows nothing but the database.
        progress = Indexer(other_store, world.client("outsider")).step()
        steps.append(progress.step)
        if progress.step is IndexerStep.CURRENT:
            break
    assert len(steps) > 20
    assert contents(Index(other_store, world.manifest)) == at_once


def test_index_goes_on_when_blocks_come_one_by_one(world: World, store: Store) -> None:
    indexer = Indexer(store, world.client("outsider"))
    indexer.catch_up()
    for number in range(5):
        world.authorize(f"P-{number}", cny("5.00"))
        progress = indexer.catch_up()
        assert (progress.step, progress.lag) == (IndexerStep.CURRENT, 0)
    index = Index(store, world.manifest)
    assert index.balance(world.address("issuer"), "CNY").held_minor == 25_00
    assert faults(index, world) == []


def test_nothing_changes_when_there_is_nothing_new(world: World, store: Store) -> None:
    index = indexed(world, store)
    before = contents(index)
    indexer = Indexer(store, world.client("outsider"))
    assert indexer.step().step is IndexerStep.CURRENT
    assert indexer.step().step is IndexerStep.CURRENT
    assert contents(index) == before


def test_two_indexers_take_turns_on_one_database(
    world: World, store: Store, other_store: Store
) -> None:
    indexers = [Indexer(store, world.client("outsider")) for _ in range(2)]
    for round_ in range(6):
        have_a_busy_day(world, 100 + round_, 6)
        # The second finds the cursor elsewhere than it left it, and goes on from there.
        indexers[round_ % 2].catch_up()
        indexers[(round_ + 1) % 2].catch_up()
    assert contents(Index(store, world.manifest)) == contents(indexed(world, other_store))


def test_captures_of_a_batch_are_movements_of_their_own(world: World, store: Store) -> None:
    issuer, acquirer = world.client("issuer"), world.client("acquirer")
    batch = [world.sign(f"B-{number}", cny("10.00"), interchange_bps=100) for number in range(3)]
    issuer.payments.authorize_many(batch, reference="B")
    acquirer.payments.capture_many(
        [(payment, cny(f"{number + 1}.00")) for number, payment in enumerate(batch)],
        reference="B C",
    )
    index = indexed(world, store)
    mine = list(index.movements(world.address("acquirer"), "CNY"))[-3:]
    assert [each.kind for each in mine] == [MovementKind.CAPTURE] * 3
    assert [each.gross_minor for each in mine] == [100, 200, 300]
    assert [each.interchange_minor for each in mine] == [1, 2, 3]
    assert [each.change_minor for each in mine] == [99, 198, 297]
    assert {each.transaction_hash for each in mine} == {mine[0].transaction_hash}
    assert [each.payment_id for each in mine] == [each.payment_id for each in batch]
    assert [each.uetr for each in mine] == [each.prepared.terms.uetr for each in batch]
    theirs = list(index.movements(world.address("issuer"), "CNY"))[-3:]
    assert [each.held_change_minor for each in theirs] == [-100, -200, -300]
    assert [each.available_change_minor for each in theirs] == [1, 2, 3]
    assert {each.counterparty for each in theirs} == {world.address("acquirer")}


def test_scheme_fee_is_one_movement_a_transaction(world: World, store: Store) -> None:
    payment = world.authorize("P-1", cny("500.00"), code=world.code(500_00, reference="D-1"))
    world.client("acquirer").payments.capture(payment, cny("500.00"), reference="C-1")
    index = indexed(world, store)
    (fee,) = index.movements(world.address("operator"), "CNY")
    assert (fee.kind, fee.change_minor) == (MovementKind.SCHEME_FEE, 1_00)
    assert fee.counterparty == world.address("issuer")
    captured = list(index.movements(world.address("acquirer"), "CNY"))[-1]
    assert (captured.gross_minor, captured.change_minor) == (500_00, 499_00)


def test_a_bank_that_is_issuer_and_acquirer_at_once_adds_up(world: World, store: Store) -> None:
    shop = world.shops["acquirer"]
    acquirer = world.client("acquirer")
    acquirer.directory.set_cards(
        [CardEntry(world.address("cardholder"), cny("500.00"), cny("900.00"))], reference="CARDS"
    )
    signed = world.sign("SELF", cny("40.00"), issuer="acquirer", interchange_bps=50)
    assert signed.prepared.terms.merchant == shop
    acquirer.payments.authorize(signed, reference="SELF")
    acquirer.payments.capture(signed, cny("30.00"), reference="SELF C")
    acquirer.payments.refund(signed, cny("10.00"), reference="SELF R")
    index = indexed(world, store)
    assert faults(index, world) == []


def test_holds_of_another_module_are_its_own(world: World, store: Store) -> None:
    operator = world.client("operator")
    contract = operator.contract("SettlementToken", "CNY")
    module, bank = world.address("outsider"), world.address("issuer")
    scheduled = operator.operations.schedule(contract, "admitModule", module, reference="MO-1")
    world.node.mine(timestamp=scheduled.ready_at)
    operator.operations.execute(scheduled, reference="MO-2")
    payee, scheme = world.address("acquirer"), world.address("operator")
    for name, *arguments in (
        ("holdFunds", bank, 1_000),
        ("executeHold", bank, payee, 300, scheme, 5, 100),
        ("releaseHold", bank, 50),
    ):
        data = contract.function(name).encode(*arguments)
        send(world.chain, world.signers["outsider"], contract.address, data)
    world.authorize("P-1", cny("5.00"))
    index = indexed(world, store)
    assert faults(index, world) == []
    held = contents(index)["holds"]
    number = index.token_number("CNY")
    assert held == {
        (bank, number, module): 545,
        (bank, number, world.manifest.escrow): 500,
    }
    assert index.balance(bank, "CNY").held_minor == 1_045


def test_amounts_beyond_63_bits_are_exact(world: World, store: Store) -> None:
    huge = 2**80 - 1
    operator, bank = world.client("operator"), world.address("issuer")
    supply = operator.balances.supply("HKD").amount_minor
    operator.participants.attest(
        Money("HKD", huge),
        document=b"much",
        valid_before=operator.now() + 86_400,
        reference="ATTEST huge",
    )
    operator.balances.issue(bank, Money("HKD", huge - supply), reference="ISSUE huge")
    world.client("issuer").balances.transfer(
        world.address("acquirer"), Money("HKD", 2**70), reference="TR"
    )
    index = indexed(world, store)
    assert faults(index, world) == []
    assert index.balance(bank, "HKD").available_minor > 2**79
    *_, last = index.movements(bank, "HKD")
    assert last.change_minor == -(2**70)
    # What is written again is read as what it is.
    world.client("issuer").balances.transfer(world.address("acquirer"), hkd("1.00"), reference="T2")
    assert faults(indexed(world, store), world) == []


def test_balances_are_of_everybody_ever_seen(world: World, store: Store) -> None:
    index = indexed(world, store)
    for currency in CURRENCIES:
        seen = {each.participant for each in index.balances(currency)}
        assert {world.address(role) for role in BANKS} <= seen
    nobody = index.balance(world.address("cardholder"), "CNY")
    assert (nobody.available_minor, nobody.held_minor, nobody.movements) == (0, 0, 0)


def test_payment_is_found_by_its_id(world: World, store: Store) -> None:
    payment = world.authorize("P-1", cny("5.00"))
    index = indexed(world, store)
    found = index.payment(payment.payment_id)
    assert found is not None
    assert found.terms == payment.prepared.terms
    assert (found.currency, found.held_minor) == ("CNY", 5_00)
    assert index.payment(bytes(32)) is None
    assert [each.payment_id for each in index.payments(issuer=world.address("issuer"))] == [
        payment.payment_id
    ]
    assert list(index.payments(issuer=world.address("acquirer"))) == []


def test_empty_blocks_far_behind_are_forgotten(world: World, store: Store) -> None:
    indexed(world, store)
    world.node.rpc("anvil_mine", hex(600))
    index = indexed(world, store)
    with store.read() as connection:
        empty = connection.execute(
            sa.select(sa.func.count()).select_from(blocks).where(blocks.c.receipts == 0)
        ).scalar_one()
    assert empty <= fetching_module.KEPT_BLOCKS + 1
    world.authorize("P-1", cny("5.00"))
    assert faults(indexed(world, store), world) == []
    assert index.status().block_number == world.node.block_number()


@pytest.mark.threat("O03")
def test_rebuilt_index_is_the_same(world: World, store: Store) -> None:
    have_a_busy_day(world, 3, 60)
    index = indexed(world, store)
    before = contents(index)
    assert erase(store, world.manifest)
    assert index.status().block_number is None
    assert list(index.payments()) == []
    assert contents(indexed(world, store)) == before


def test_index_of_another_chain_is_not_touched(world: World, store: Store) -> None:
    index = indexed(world, store)
    before = contents(index)
    other = world.manifest.having(genesis_hash="0x" + "11" * 32)
    with pytest.raises(IndexStateError, match="not indexed"):
        Index(store, other)
    assert not erase(store, other)
    assert contents(index) == before


def test_index_is_refused_when_its_layout_is_another(world: World, store: Store) -> None:
    index = indexed(world, store)
    with store.write() as connection:
        connection.execute(sa.update(deployments).values(layout=99))
    for open_ in (
        lambda: Index(store, world.manifest),
        lambda: Indexer(store, world.client("outsider")),
    ):
        with pytest.raises(IndexStateError, match="rebuild"):
            open_()
    erase(store, world.manifest)
    assert faults(indexed(world, store), world) == []
    assert index.status().block_number == world.node.block_number()


def test_index_is_refused_when_the_manifest_has_another_contract(
    world: World, store: Store
) -> None:
    indexed(world, store)
    contracts = dict(world.manifest.contracts)
    contracts["token:USD"] = contracts["token:HKD"]
    with pytest.raises(IndexStateError, match="other contracts"):
        Index(store, world.manifest.having(contracts=contracts))


def test_index_in_memory_works_too(world: World) -> None:
    store = Store.temporary()
    assert faults(indexed(world, store), world) == []


def test_index_survives_opening_anew(world: World, tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    first = Store.open(path)
    before = contents(indexed(world, first))
    first.close()
    second = Store.open(path)
    assert contents(Index(second, world.manifest)) == before
    second.close()


def logs_of(world: World) -> list[dict]:
    addresses = [world.manifest.escrow, *world.manifest.tokens.values()]
    return world.node.rpc(
        "eth_getLogs", {"fromBlock": "0x0", "toBlock": "latest", "address": addresses}
    )


@pytest.mark.threat("S15")
def test_logs_in_disorder_are_put_right(world: World) -> None:
    have_a_busy_day(world, 5, 20)
    logs = logs_of(world)
    mixed = [*logs[10:], *logs[:12]]
    assert in_order(mixed) == in_order(logs)
    assert [log["logIndex"] for log in in_order(logs)[0]] == [log["logIndex"] for log in logs]


@pytest.mark.threat("S15")
def test_logs_that_contradict_each_other_are_refused(world: World) -> None:
    logs = logs_of(world)
    other = {**logs[3], "data": logs[3]["data"][:-1] + "7"}
    with pytest.raises(NodeUnavailableError, match="two logs"):
        in_order([*logs, other])
    with pytest.raises(NodeUnavailableError, match="took logs back"):
        in_order([*logs[:-1], {**logs[-1], "removed": True}])
    with pytest.raises(NodeUnavailableError, match="places"):
        in_order([{"address": "0x"}])


def missing(world: World, store: Store, monkeypatch: pytest.MonkeyPatch, index: int) -> None:
    """Index with one log left out."""
    gone = logs_of(world)[index]
    whole = fetching_module.in_order

    def without(logs):
        place = (gone["blockNumber"], gone["logIndex"])
        return whole([log for log in logs if (log["blockNumber"], log["logIndex"]) != place])

    monkeypatch.setattr(fetching_module, "in_order", without)
    try:
        indexed(world, store)
    finally:
        monkeypatch.undo()


@pytest.mark.threat("S15")
def test_gap_is_found_whichever_log_is_missing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    live_through_everything(world)
    # These change no balance, hold or payment; and contracts cannot list their payments, so that
    # what a charge moved looks like a transfer without it.
    silent = (
        *(ev.AccountAdmitted, ev.AccountSuspended, ev.AccountReinstated, ev.AccountClosed),
        *(ev.Approval, ev.ReserveAttested, ev.AuthorizationUsed, ev.AuthorizationCanceled),
        *(ev.Paused, ev.Unpaused, ev.EscrowAdmitted, ev.ModuleAdmitted, ev.ModuleCutOff),
        *(ev.TokenAdmitted, ev.DelegateSet, ev.MerchantSet, ev.AcceptanceSet, ev.CardSet),
        *(ev.PaymentSkipped, ev.AuthorityUpdated, ev.TransferForced, ev.PaymentCharged),
    )
    unseen = {ev.topic_of(kind) for kind in silent}
    names = {ev.topic_of(kind): kind.__name__ for kind in ev.declared()}
    found: dict[str, str] = {}
    for place, log in enumerate(logs_of(world)):
        name = names[log["topics"][0]]
        if log["topics"][0] in unseen or name in found:
            continue
        store = Store.temporary()
        try:
            missing(world, store, monkeypatch, place)
        except LedgerError as error:
            found[name] = error.code
        else:
            differences = faults(Index(store, world.manifest), world)
            assert differences, log
            found[name] = "verify"
    assert set(found) == {
        *("Transfer", "Issued", "Redeemed", "PaymentAuthorized", "PaymentCaptured"),
        *("PaymentVoided", "PaymentReclaimed", "PaymentRefunded"),
    }
