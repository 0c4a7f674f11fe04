"""I-27: replaying every event gives exactly the contracts' state, and a missing one shows."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tael import Client, Difference, Ledger, compare
from tael import events as ev
from tael.errors import LedgerError
from tests.support.activity import have_a_busy_day, live_through_everything
from tests.support.sending import send
from tests.support.world import World, cny


def test_replay_equals_the_contracts_when_everything_has_happened(any_world: World) -> None:
    live_through_everything(any_world)
    client = any_world.client("outsider")
    ledger = Ledger.replay(client.history().events())
    assert ledger.check() == []
    assert compare(ledger, client) == []
    assert len(ledger.payments) == 4
    assert ledger.open_payments()


@pytest.mark.parametrize("seed", range(4))
def test_replay_equals_the_contracts_when_a_day_was_busy(world: World, seed: int) -> None:
    done = have_a_busy_day(world, seed, 150)
    assert {"authorize", "many", "charge", "capture", "void", "refund"} <= done.keys()
    client = world.client("outsider")
    ledger = Ledger.replay(client.history().events())
    assert ledger.check() == []
    assert compare(ledger, client) == []


def test_replay_equals_the_contracts_when_another_module_holds_money(world: World) -> None:
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
    ledger = Ledger.replay(operator.history().events())
    books = ledger.tokens[contract.address]
    assert books.reserved == {(module, bank): 1_000 - 405 - 50}
    assert books.held_of(bank) == 545 + 500
    assert compare(ledger, operator) == []


SHOWS_WHEN_MISSING = (
    ev.AccountAdmitted,
    ev.AccountSuspended,
    ev.AccountReinstated,
    ev.AccountClosed,
    ev.Transfer,
    ev.ReserveAttested,
    ev.Issued,
    ev.Redeemed,
    ev.Paused,
    ev.Unpaused,
    ev.EscrowAdmitted,
    ev.CardSet,
    ev.PaymentAuthorized,
    ev.PaymentCaptured,
    ev.PaymentVoided,
    ev.PaymentReclaimed,
    ev.PaymentRefunded,
)


def find_fault(events: list[ev.Event], client: Client) -> list[Difference] | list[str] | str:
    try:
        ledger = Ledger.replay(events)
    except LedgerError as error:
        return str(error)
    return ledger.check() or compare(ledger, client)


def test_replay_shows_a_fault_when_any_event_that_matters_is_missing(world: World) -> None:
    live_through_everything(world)
    client = world.client("outsider")
    events = list(client.history().events())
    assert find_fault(events, client) == []
    # States that were changed and set back leave no trace but in between.
    hidden = {ev.AccountSuspended, ev.AccountReinstated, ev.Paused, ev.Unpaused}
    for kind in SHOWS_WHEN_MISSING:
        indexes = [i for i, event in enumerate(events) if isinstance(event, kind)]
        assert indexes, kind
        # The last card of the set-up is never used; the first one is.
        index = indexes[0] if kind is ev.CardSet else indexes[-1]
        upto = events[: index + 1] if kind in hidden else events
        missing = [event for i, event in enumerate(upto) if i != index]
        if kind in hidden:
            assert Ledger.replay(upto).tokens != Ledger.replay(missing).tokens
        else:
            assert find_fault(missing, client), kind


def test_replay_shows_a_fault_when_a_charge_of_today_is_missing(world: World) -> None:
    # The contracts cannot list their payments; what the card spent today gives it away.
    client = world.client("issuer")
    client.payments.charge(world.sign("P-1", cny("5.00")), reference="P-1")
    events = list(client.history().events())
    assert find_fault(events, client) == []
    assert find_fault([e for e in events if not isinstance(e, ev.PaymentCharged)], client)


def test_replay_shows_a_fault_when_an_amount_is_altered(world: World) -> None:
    live_through_everything(world)
    client = world.client("outsider")
    events = list(client.history().events())
    for kind, name in (
        (ev.Transfer, "amount_minor"),
        (ev.Issued, "amount_minor"),
        (ev.PaymentCaptured, "captured_total_minor"),
        (ev.PaymentVoided, "voided_total_minor"),
        (ev.PaymentRefunded, "refunded_total_minor"),
        (ev.CardSet, "day_limit_minor"),
    ):
        index = max(i for i, event in enumerate(events) if isinstance(event, kind))
        altered = list(events)
        altered[index] = replace(events[index], **{name: getattr(events[index], name) - 1})
        assert find_fault(altered, client), kind


def test_replay_is_refused_when_events_contradict_each_other(world: World) -> None:
    live_through_everything(world)
    events = list(world.client("outsider").history().events())
    opening = next(e for e in events if isinstance(e, ev.PaymentAuthorized))
    capture = next(e for e in events if isinstance(e, ev.PaymentCaptured))
    refund = next(e for e in events if isinstance(e, ev.PaymentRefunded))
    issue = next(e for e in events if isinstance(e, ev.Issued))
    last = events[-1].at

    def later(event: ev.Event, steps: int = 1, **changes: object) -> ev.Event:
        at = replace(
            last, log_index=last.log_index + steps, contract=event.at.contract, timestamp=1
        )
        return replace(event, at=at, **changes)

    for wrong in (
        [*events, events[-1]],
        [*events, later(opening)],
        [*events, later(capture, captured_total_minor=1)],
        [*events, later(capture, captured_total_minor=2**64 - 1)],
        [*events, later(capture, id=bytes(32))],
        [*events, later(refund, refunded_total_minor=2**64 - 1)],
        [*events, later(issue)],
        [replace(opening, at=replace(opening.at, timestamp=None))],
        [ev.Transfer(opening.at, opening.issuer, opening.acquirer, 5)],
        [ev.HoldExecuted(opening.at, opening.issuer, opening.acquirer, 5, 0)],
    ):
        with pytest.raises(LedgerError):
            Ledger.replay(wrong)


def test_events_carry_times_when_the_node_does_not_tell_them(world: World) -> None:
    world.authorize("P-1", cny("5.00"))
    history = world.client("outsider").history()
    dated = [e for e in history.events() if isinstance(e, ev.PaymentAuthorized)]
    block = world.node.rpc("eth_getBlockByNumber", hex(dated[0].at.block_number), False)
    assert dated[0].at.timestamp == int(block["timestamp"], 16)


def test_history_asks_for_less_when_the_node_refuses_a_range(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tael import History

    world.authorize("P-1", cny("5.00"))
    client = world.client("outsider")
    whole = list(client.history().events(with_times=False))
    asked = []
    real = world.chain.nodes.ask

    def limited(method: str, params: list) -> object:
        if method == "eth_getLogs":
            size = int(params[0]["toBlock"], 16) - int(params[0]["fromBlock"], 16) + 1
            asked.append(size)
            if size > 5:
                message = "query returned more than 10000 results"
                return {"id": 1, "jsonrpc": "2.0", "error": {"code": -32005, "message": message}}
        return real(method, params)

    monkeypatch.setattr(world.chain.nodes, "ask", limited)
    contracts = [world.manifest.escrow, *world.manifest.tokens.values()]
    history = History(world.chain, contracts, first_block=world.manifest.first_block)
    assert list(history.events(with_times=False)) == whole
    assert max(asked) > 5 >= min(asked)
    last = history.find_last(ev.topic_of(ev.PaymentAuthorized))
    assert last == [e for e in whole if isinstance(e, ev.PaymentAuthorized)][-1]
    assert history.find_last(ev.topic_of(ev.HoldPlaced)) is None
