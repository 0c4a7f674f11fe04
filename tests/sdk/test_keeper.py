"""The keeper frees what is due, and lives with others who do the same."""

from __future__ import annotations

import logging

import pytest

from tael import Client, Keeper
from tael.errors import NodeUnavailableError, TransactionRefusedError
from tael.events import PaymentReclaimed, PaymentVoided
from tael.keeper import KeeperReport
from tests.support.world import DAY_SECONDS, OPENING_MINOR, World, cny, hkd


def pass_deadline(world: World, *payments) -> None:
    world.node.mine(timestamp=max(each.terms.capture_before for each in payments))


def test_run_does_nothing_when_nothing_is_due(world: World, outsider: Client) -> None:
    payment = world.authorize("P-1", cny("5.00"))
    before = world.chain.block_number()
    keeper = Keeper(outsider)
    assert keeper.run(once=True) == KeeperReport(world.chain.now())
    world.node.mine(timestamp=payment.terms.capture_before - 1)
    assert keeper.due() == []
    assert world.chain.block_number() == before + 1


def test_run_reclaims_only_what_is_due_when_the_deadline_has_come(any_world: World) -> None:
    world = any_world
    outsider, acquirer = world.client("outsider"), world.client("acquirer")
    keeper = Keeper(outsider)
    untouched = world.authorize("P-1", cny("5.00"))
    keeper.run(once=True)
    part = world.authorize("P-2", hkd("7.00"), issuer="other_issuer")
    whole = world.authorize("P-3", cny("9.00"))
    later = world.authorize("P-4", cny("2.00"), hold_seconds=20 * DAY_SECONDS)
    world.client("issuer").payments.charge(world.sign("P-5", cny("1.00")), reference="P-5")
    acquirer.payments.capture(part, hkd("3.00"), reference="C-1")
    acquirer.payments.capture(whole, cny("9.00"), reference="C-2")
    pass_deadline(world, untouched, part, whole)
    report = keeper.run(once=True)
    # Opened within the same second, they are due in any order.
    assert sorted(report.reclaimed) == sorted([untouched.payment_id, part.payment_id])
    assert (report.voided, report.settled_elsewhere, report.failed) == ([], [], {})
    assert report.chain_time >= whole.terms.capture_before
    assert keeper.run(once=True).reclaimed == []
    assert world.balances()["issuer", "CNY"][1] == 200
    assert world.balances()["other_issuer", "HKD"] == (OPENING_MINOR - 300, 0)
    # One that starts anew finds the same from the chain alone.
    pass_deadline(world, later)
    assert Keeper(outsider).run(once=True).reclaimed == [later.payment_id]
    events = [e.id for e in outsider.history().events() if isinstance(e, PaymentReclaimed)]
    assert events == [*report.reclaimed, later.payment_id]


def test_run_stays_calm_when_another_keeper_is_first(world: World, outsider: Client) -> None:
    one, two = world.authorize("P-1", cny("5.00")), world.authorize("P-2", cny("6.00"))
    keeper = Keeper(outsider)
    pass_deadline(world, one, two)
    assert len(keeper.due()) == 2
    rival = world.client("acquirer").payments
    real = outsider.payments.status

    def status_then_lose(payment):
        seen = real(payment)
        if payment == one.terms and seen.held:
            rival.reclaim(one, reference="RIVAL-1")
        return seen

    outsider.payments.status = status_then_lose  # type: ignore[method-assign]
    report = keeper.run(once=True)
    assert report.settled_elsewhere == [one.payment_id]
    assert report.reclaimed == [two.payment_id]
    assert report.failed == {}


def test_run_leaves_the_rest_when_more_is_due_than_one_run_does(
    world: World, outsider: Client
) -> None:
    payments = [world.authorize(f"P-{index}", cny("1.00")) for index in range(3)]
    pass_deadline(world, *payments)
    keeper = Keeper(outsider, max_actions=2)
    first = keeper.run(once=True)
    assert (len(first.reclaimed), first.left) == (2, 1)
    second = keeper.run(once=True)
    assert (len(second.reclaimed), second.left) == (1, 0)


@pytest.mark.parametrize("as_function", [True, False])
def test_run_voids_what_its_acquirer_gave_up(
    world: World, acquirer: Client, as_function: bool
) -> None:
    mine = world.authorize("P-1", cny("5.00"))
    kept = world.authorize("P-2", cny("6.00"))
    foreign = world.authorize("P-3", cny("7.00"), acquirer="other_acquirer")
    acquirer.payments.capture(mine, cny("2.00"), reference="C-1")
    ids = {mine.payment_id, foreign.payment_id}
    abandoned = (lambda id_, terms: id_ in ids) if as_function else ids
    report = Keeper(acquirer, abandoned=abandoned).run(once=True)
    assert report.voided == [mine.payment_id]
    assert [
        (e.id, e.voided_total_minor)
        for e in acquirer.history().events()
        if isinstance(e, PaymentVoided)
    ] == [(mine.payment_id, 300)]
    assert acquirer.payments.status(kept).held == cny("6.00")
    assert acquirer.payments.status(foreign).held == cny("7.00")


def test_run_tries_again_when_a_payment_failed(
    world: World, outsider: Client, caplog: pytest.LogCaptureFixture
) -> None:
    one, two = world.authorize("P-1", cny("5.00")), world.authorize("P-2", cny("6.00"))
    pass_deadline(world, one, two)
    keeper = Keeper(outsider)
    real = outsider.payments.reclaim

    def refuse_first(payment, *, reference):
        if payment == one.terms:
            raise TransactionRefusedError("no ether left")
        return real(payment, reference=reference)

    outsider.payments.reclaim = refuse_first  # type: ignore[method-assign]
    with caplog.at_level(logging.WARNING):
        report = keeper.run(once=True)
    assert list(report.failed) == [one.payment_id]
    assert report.reclaimed == [two.payment_id]
    assert one.payment_id.hex() in caplog.text
    outsider.payments.reclaim = real  # type: ignore[method-assign]
    assert keeper.run(once=True).reclaimed == [one.payment_id]


def test_run_waits_when_the_node_does_not_answer(
    world: World, outsider: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    payment = world.authorize("P-1", cny("5.00"))
    pass_deadline(world, payment)
    keeper = Keeper(outsider)
    real, failures = keeper.due, [NodeUnavailableError("gone")] * 2

    def due():
        if failures:
            raise failures.pop()
        return real()

    monkeypatch.setattr(keeper, "due", due)
    with pytest.raises(NodeUnavailableError):
        keeper.run(once=True)
    reports: list[KeeperReport] = []
    last = keeper.run(interval_seconds=0.01, until=lambda: bool(reports), report=reports.append)
    assert reports == [last]
    assert last.reclaimed == [payment.payment_id]
