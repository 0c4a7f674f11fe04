"""I-27: replaying every event gives exactly the contracts' state, and a missing one shows."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import ClassVar

import pytest
from eth_abi import encode
from eth_utils import keccak, to_checksum_address

from tael import Acceptance, CardEntry, Client, Difference, History, Ledger, compare
from tael import events as ev
from tael.contracts.calls import Contract
from tael.contracts.escrow import PAYMENT_ESCROW
from tael.contracts.kinds import ContractKind
from tael.contracts.registry import REGISTRY
from tael.contracts.token import SETTLEMENT_TOKEN
from tael.errors import LedgerError
from tael.events import canonical_signature
from tael.ledger import EFFECTS, contradiction, no_effect
from tests.support.activity import have_a_busy_day, live_through_everything
from tests.support.waiting import wait_until
from tests.support.world import SCHEME_BPS, World, cny


def test_replay_equals_the_contracts_when_everything_has_happened(any_world: World) -> None:
    live_through_everything(any_world)
    client = any_world.client("outsider")
    ledger = Ledger.replay(client.history().events())
    assert ledger.check() == []
    assert compare(ledger, client) == []
    assert len(ledger.payments) == 4
    assert any(payment.held_minor for payment in ledger.payments.values())


@pytest.mark.parametrize("seed", range(4))
def test_replay_equals_the_contracts_when_a_day_was_busy(world: World, seed: int) -> None:
    done = have_a_busy_day(world, seed, 150)
    assert {"authorize", "many", "charge", "capture", "void", "refund"} <= done.keys()
    client = world.client("outsider")
    ledger = Ledger.replay(client.history().events())
    assert ledger.check() == []
    assert compare(ledger, client) == []


def send(world: World, role: str, data: str, **target: str) -> dict:
    call = {"from": world.address(role), "data": data, **target}
    sent = world.node.rpc("eth_sendTransaction", call)
    wait_until(lambda: world.node.rpc("eth_getTransactionReceipt", sent))
    return world.node.rpc("eth_getTransactionReceipt", sent)


def govern(world: World, contract: Contract, function: str, argument: str) -> None:
    operator, reference = world.client("operator"), f"{function} {contract.address[-6:]}"
    scheduled = operator.operations.schedule(contract, function, argument, reference=reference)
    world.node.mine(timestamp=scheduled.ready_at)
    operator.operations.execute(scheduled, reference=f"{reference} DONE")


def test_replay_equals_the_contracts_when_another_module_holds_money(world: World) -> None:
    token = SETTLEMENT_TOKEN.at(world.manifest.token("CNY"))
    module, bank = world.address("outsider"), world.address("issuer")
    govern(world, token, "admitModule", module)
    payee, scheme = world.address("acquirer"), world.address("operator")
    for name, *arguments in (
        ("holdFunds", bank, 1_000),
        ("executeHold", bank, payee, 300, scheme, 5, 100),
        ("releaseHold", bank, 50),
    ):
        data = token.function(name).encode(*arguments)
        send(world, "outsider", "0x" + data.hex(), to=token.address)
    world.authorize("P-1", cny("5.00"))
    reader = world.client("operator")
    ledger = Ledger.replay(reader.history().events())
    books = ledger.tokens[token.address]
    assert books.reserved == {(module, bank): 1_000 - 405 - 50}
    assert books.held_of(bank) == 545 + 500
    assert compare(ledger, reader) == []


def with_second_escrow(world: World) -> World:
    """The same banks on another escrow, an ordinary module of the yuan beside the first one."""
    first = world.manifest.contracts["escrow"]
    shares = (world.address("operator"), SCHEME_BPS, 150)
    arguments = (world.manifest.governance, *shares)
    types = ("address", "address", "uint256", "uint256")
    data = PAYMENT_ESCROW.artifact.bytecode + encode(types, arguments)
    at = send(world, "deployer", "0x" + data.hex())["contractAddress"]
    code = world.node.rpc("eth_getCode", at, "latest")
    second = replace(
        first, address=to_checksum_address(at), code_hash="0x" + keccak(hexstr=code).hex()
    )
    token = SETTLEMENT_TOKEN.at(world.manifest.token("CNY"))
    govern(world, token, "admitModule", second.address)
    govern(world, PAYMENT_ESCROW.at(second.address), "admitToken", token.address)
    manifest = replace(world.manifest, contracts={**world.manifest.contracts, "escrow": second})
    other = replace(world, manifest=manifest, shops={}, _clients={})
    directory = other.client("acquirer").directory
    till = world.address("till")
    other.shops["acquirer"] = directory.set_merchant(
        "SHOP-2", signer=till, name="Tea House", category_code=5812, reference="SHOP-2"
    ).subject
    directory.accept(other.shops["acquirer"], [Acceptance(cny("100.00"))], reference="SHOP-2 A")
    card = CardEntry(world.address("cardholder"), cny("500.00"), cny("900.00"))
    other.client("issuer").directory.set_cards([card], reference="CARDS-2")
    return other


def test_escrows_and_modules_are_told_apart_when_there_are_several(world: World) -> None:
    other = with_second_escrow(world)
    reader, bank = world.client("outsider"), world.address("issuer")
    first, second = world.manifest.escrow, other.manifest.escrow
    token = SETTLEMENT_TOKEN.at(world.manifest.token("CNY"))
    contracts = [first, second, *world.manifest.tokens.values()]
    history = History(world.chain, contracts, first_block=world.manifest.first_block)

    def replayed() -> Ledger:
        ledger = Ledger.replay(history.events())
        assert ledger.check() == []
        assert compare(ledger, reader) == []
        return ledger

    mine = world.authorize("P-1", cny("5.00"))
    theirs = other.authorize("Q-1", cny("20.00"))
    batch = [other.sign("Q-2", cny("1.00")), other.sign("Q-3", cny("2.00"))]
    other.client("issuer").payments.authorize_many(batch, reference="Q-B")
    payments = other.client("acquirer").payments
    payments.capture(theirs, cny("12.00"), reference="Q-1 C")
    payments.void(theirs, cny("3.00"), reference="Q-1 V")
    payments.refund(theirs, cny("4.00"), reference="Q-1 R")
    ledger = replayed()
    books = ledger.tokens[token.address]
    assert books.held_for(first, bank) == 500
    assert books.held_for(second, bank) == 500 + 100 + 200
    assert ledger.payments[mine.payment_id].escrow == first
    assert ledger.payments[theirs.payment_id].escrow == second
    assert len({escrow for escrow, *_ in ledger.cards}) == 2

    # What a module holds and what its payments do must agree, in each transaction.
    events = list(history.events())
    for kind in (ev.HoldPlaced, ev.HoldExecuted):
        index = next(i for i, event in enumerate(events) if isinstance(event, kind))
        with pytest.raises(LedgerError, match="than its own events say"):
            Ledger.replay([*events[:index], *events[index + 1 :]])
    last = max(i for i, event in enumerate(events) if isinstance(event, ev.HoldPlaced))
    assert "than its own events say" in Ledger.replay([*events[:last]]).check()[0]

    # The second one takes the place of the first, whose holds it has from then on.
    cut_off = token.function("cutOffModule").encode(second)
    send(world, "guardian", "0x" + cut_off.hex(), to=token.address)
    govern(world, token, "admitEscrow", second)
    later = other.authorize("Q-4", cny("7.00"))
    payments.capture(later, cny("6.00"), reference="Q-4 C")
    books = replayed().tokens[token.address]
    assert books.held_for(second, bank) == 500 + 100
    assert books.held_of(bank) == 500 + 800 + 100
    assert books.held_for(first, bank) == 0


def find_fault(events: list[ev.Event], client: Client) -> list[Difference] | list[str] | str:
    try:
        ledger = Ledger.replay(events)
    except LedgerError as error:
        return str(error)
    return ledger.check() or compare(ledger, client)


def numbered(events: list[ev.Event]) -> list[ev.Event]:
    """The same events as if their logs had been emitted in this order."""
    return [
        replace(event, at=replace(event.at, log_index=index)) for index, event in enumerate(events)
    ]


HIDDEN_WHEN_MISSING = {
    ev.AuthorityUpdated: "nothing that the ledger keeps",
    ev.Approval: "nothing that the ledger keeps",
    ev.PaymentSkipped: "nothing that the ledger keeps",
    ev.TransferForced: "why a transfer was made; the transfer itself is there",
    ev.AuthorizationUsed: "the contracts cannot list what was used; the transfer itself is there",
    ev.AuthorizationCanceled: "the contracts cannot list what was cancelled",
    ev.DelegateSet: "the contracts cannot list delegates",
    ev.PaymentCharged: "the contracts cannot list payments, and the card's day is over",
    ev.AccountReinstated: "the account was closed afterwards, as a suspended one may be",
    ev.AcceptanceSet: "another replaced it",
}
"""What may be missing on the day of `live_through_everything` unnoticed, and why."""

KEPT_WHEN_DOUBLED = {
    *(ev.AuthorityUpdated, ev.Approval, ev.PaymentSkipped),
    *(ev.TokenAdmitted, ev.ReserveAttested, ev.DelegateSet),
    *(ev.MerchantSet, ev.AcceptanceSet, ev.CardSet),
}
"""What says how something is from now on, so that saying it twice changes nothing."""


def test_replay_shows_a_fault_when_any_event_is_missing(world: World) -> None:
    live_through_everything(world)
    client = world.client("outsider")
    events = list(client.history().events())
    assert find_fault(events, client) == []
    hidden = [
        type(event)
        for index, event in enumerate(events)
        if not find_fault(events[:index] + events[index + 1 :], client)
    ]
    assert set(hidden) == HIDDEN_WHEN_MISSING.keys()
    # Of acceptances only the one that was replaced.
    assert hidden.count(ev.AcceptanceSet) == 1
    seen = {type(event) for event in events}
    assert seen >= {ev.Transfer, ev.Issued, ev.Redeemed, ev.CardSet, ev.ModuleCutOff, ev.Unpaused}


def test_replay_shows_a_fault_when_an_event_is_doubled(world: World) -> None:
    live_through_everything(world)
    client = world.client("outsider")
    events = list(client.history().events())
    for index, event in enumerate(events):
        doubled = [*events[:index], event, *events[index:]]
        with pytest.raises(LedgerError, match="each event once"):
            Ledger.replay(doubled)
        if type(event) not in KEPT_WHEN_DOUBLED:
            assert find_fault(numbered(doubled), client), event


def test_replay_shows_a_fault_when_events_are_out_of_order(world: World) -> None:
    live_through_everything(world)
    events = list(world.client("outsider").history().events())
    for index in range(len(events) - 1):
        swapped = [*events[:index], events[index + 1], events[index], *events[index + 2 :]]
        with pytest.raises(LedgerError):
            Ledger.replay(swapped)
    announcing = (ev.Issued, ev.Redeemed, ev.AuthorizationUsed, ev.TransferForced)
    for kind in announcing:
        (index, *_) = (i for i, event in enumerate(events) if isinstance(event, kind))
        after = [*events[:index], events[index + 1], events[index], *events[index + 2 :]]
        with pytest.raises(LedgerError):
            Ledger.replay(numbered(after))


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
        (ev.TransferForced, "amount_minor"),
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
    world.authorize("P-1", cny("5.00"))
    events = list(world.client("outsider").history().events())
    opening = next(e for e in events if isinstance(e, ev.PaymentAuthorized))
    capture = next(e for e in events if isinstance(e, ev.PaymentCaptured))
    refund = next(e for e in events if isinstance(e, ev.PaymentRefunded))
    issue = next(e for e in events if isinstance(e, ev.Issued))
    admission = next(e for e in events if isinstance(e, ev.EscrowAdmitted))
    last = events[-1].at
    stranger, bank = world.address("outsider"), world.address("issuer")

    def later(event: ev.Event, steps: int = 1, **changes: object) -> ev.Event:
        at = replace(
            last, log_index=last.log_index + steps, contract=event.at.contract, timestamp=1
        )
        return replace(event, at=at, **changes)

    token, escrow = later(issue).at, later(opening).at
    other = {"id": bytes(32)}
    for wrong, why in (
        (later(opening), "was opened before"),
        (later(opening, **other, token=stranger), "never admitted"),
        (later(opening, **other, issuer=stranger), "never vouched for card"),
        (later(opening, **other, packed=(bytes(32), *opening.packed[1:])), "never took"),
        (later(capture, captured_total_minor=1), "is taken of payment"),
        (later(capture, captured_total_minor=2**64 - 1), "is taken of payment"),
        (later(capture, **other), "never opened"),
        (replace(capture, at=replace(escrow, contract=stranger)), "never opened there"),
        (later(refund, refunded_total_minor=2**64 - 1), "would be refunded"),
        (later(issue), "used before"),
        (ev.Transfer(token, bank, stranger, 2**80), "would own"),
        (ev.Transfer(token, "0x" + "0" * 40, bank, 5), "not issued or redeemed"),
        (ev.Transfer(token, bank, "0x" + "0" * 40, 5), "not issued or redeemed"),
        (ev.HoldPlaced(token, stranger, bank, 5), "not a module"),
        (ev.HoldExecuted(token, stranger, bank, 5, 0), "not a module"),
        (ev.HoldPlaced(token, escrow.contract, bank, 5), "whose own events tell its holds"),
        (ev.ModuleCutOff(token, stranger), "not a module"),
        (ev.ModuleAdmitted(token, escrow.contract), "a module already"),
        (later(admission, escrow=stranger), "not cut off before"),
        (ev.AccountAdmitted(token, bank), "is ACTIVE"),
        (ev.AccountReinstated(token, bank), "is ACTIVE"),
        (ev.AccountSuspended(token, stranger, bytes(32)), "is NONE"),
        (ev.AccountClosed(token, stranger), "is NONE"),
        (ev.Paused(later(issue, 2).at, bank), None),
        (ev.Unpaused(token, bank), "not paused"),
        (ev.AcceptanceSet(escrow, bytes(32), issue.at.contract, 5, 1), "never set"),
    ):
        if why is None:
            with pytest.raises(LedgerError, match="paused already"):
                Ledger.replay([*events, ev.Paused(token, bank), wrong])
            continue
        with pytest.raises(LedgerError, match=why):
            Ledger.replay([*events, wrong])
    index = events.index(opening)
    with pytest.raises(LedgerError, match="timestamp of its block is missing"):
        Ledger.replay([*events[:index], replace(opening, at=replace(opening.at, timestamp=None))])


# Events that nobody knows


@dataclass(frozen=True, slots=True)
class TipGiven(ev.Event):
    """Of a fourth contract."""

    declaration: ClassVar[str] = "TipGiven(address indexed giver, uint256 amount)"
    giver: str
    amount_minor: int


PLACE = ev.Position("0x" + "11" * 20, 1, "0x" + "22" * 32, "0x" + "33" * 32, 0)


@pytest.mark.parametrize("kind", list(REGISTRY), ids=lambda kind: kind.name)
def test_every_event_of_the_abis_has_an_effect_or_says_that_it_has_none(
    kind: ContractKind,
) -> None:
    known = {canonical_signature(event) for event in EFFECTS}
    if kind.name == "Governance":
        # Of its many events only the operations are decoded; the others never reach a ledger.
        assert {s for s in kind.event_signatures() if s.startswith("Operation")} <= known
    else:
        assert set(kind.event_signatures()) <= known


def test_no_event_has_an_effect_when_no_contract_emits_it() -> None:
    emitted = {signature for kind in REGISTRY for signature in kind.event_signatures()}
    assert {canonical_signature(event) for event in EFFECTS} <= emitted


def test_ledger_refuses_an_event_by_name_when_nothing_says_what_it_changes() -> None:
    with pytest.raises(LedgerError, match="TipGiven"):
        Ledger.replay([TipGiven(PLACE, PLACE.contract, 5)])


def test_ledger_applies_events_of_a_fourth_contract_when_it_is_told_what_they_change() -> None:
    tips: Counter[str] = Counter()

    def tip_given(_ledger: Ledger, event: TipGiven) -> None:
        if event.amount_minor == 0:
            raise contradiction(event, "nothing was given")
        tips[event.giver] += event.amount_minor

    ledger = Ledger({TipGiven: tip_given, ev.PaymentSkipped: no_effect})
    ledger.apply(TipGiven(PLACE, PLACE.contract, 5))
    ledger.apply(ev.PaymentSkipped(replace(PLACE, log_index=1), bytes(32), b""))
    assert tips == {PLACE.contract: 5}
    with pytest.raises(LedgerError, match="nothing was given"):
        ledger.apply(TipGiven(replace(PLACE, log_index=2), PLACE.contract, 0))


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
