"""Things that happen on a deployment: one of each kind, and a random busy day."""

from __future__ import annotations

import random

from tael import Acceptance, CardEntry, Money, Verb
from tael.contracts.calls import Contract
from tael.errors import ContractRevertedError
from tael.models import ScheduledOperation
from tests.support.sending import send
from tests.support.world import DELAY_SECONDS, World, cny, hkd

ISSUERS = ("issuer", "other_issuer")
ACQUIRERS = ("acquirer", "other_acquirer")
VERBS = (
    *("authorize", "authorize", "many", "charge", "capture", "capture", "captures", "void"),
    *("refund", "reclaim", "transfer", "issue", "redeem", "card", "wait"),
)
CARDS = ("cardholder", "other_cardholder")


def live_through_everything(world: World) -> None:
    """Make the contracts emit every event they can, but those of modules other than the escrow."""
    operator, guardian = world.client("operator"), world.client("guardian")
    issuer, acquirer = world.client("issuer"), world.client("acquirer")
    outsider, stopped = world.client("outsider"), world.address("other_acquirer")
    _send(world, "issuer", "approve", acquirer.participant, 5)
    issuer.balances.redeem(cny("3.00"), reference="RD-1")
    issuer.balances.transfer(acquirer.participant, hkd("3.00"), reference="TR-1")
    issuer.balances.cancel_transfer("CNY", reference="TR-2")
    issuer.directory.set_delegate(world.address("delegate"), Verb.CAPTURE, reference="DE-1")
    shop = world.shops["other_acquirer"]
    world.client("other_acquirer").directory.accept(
        shop, [Acceptance(cny("50.00"))], reference="AC-1"
    )
    one = world.authorize("EV-1", cny("20.00"), interchange_bps=100)
    two = world.authorize("EV-2", hkd("30.00"), issuer="other_issuer", acquirer="other_acquirer")
    world.client("issuer").payments.charge(world.sign("EV-3", cny("9.00")), reference="EV-3")
    skipped = world.sign("EV-4", cny("100.01"))
    issuer.payments.authorize_many([skipped, world.sign("EV-5", cny("1.00"))], reference="EV-B")
    acquirer.payments.capture(one, cny("12.00"), reference="EV-1 C")
    acquirer.payments.void(one, cny("3.00"), reference="EV-1 V")
    acquirer.payments.refund(one, cny("2.00"), reference="EV-1 R")
    guardian.participants.suspend(stopped, "CNY", document=b"why", reference="SU-1")
    guardian.participants.pause("CNY", reference="PA-1")
    _finish(world, lambda: operator.participants.unpause("CNY", reference="UN-1"))
    _finish(world, lambda: operator.participants.reinstate(stopped, "CNY", reference="RE-1"))
    _finish(
        world,
        lambda: operator.participants.force_transfer(
            stopped, acquirer.participant, cny("1.00"), document=b"order", reference="FO-1"
        ),
    )
    _finish(world, lambda: operator.participants.close(stopped, "CNY", reference="CL-1"))
    contract = operator.contract("SettlementToken", "CNY")
    module = world.address("outsider")
    scheduled = operator.operations.schedule(contract, "admitModule", module, reference="MO-1")
    world.node.mine(timestamp=scheduled.ready_at)
    operator.operations.execute(scheduled, reference="MO-2")
    _send(world, "guardian", "cutOffModule", module)
    deadline = max(one.terms.capture_before, two.terms.capture_before)
    world.node.mine(timestamp=deadline)
    outsider.payments.reclaim(two, reference="EV-2 X")


def have_a_busy_day(world: World, seed: int, steps: int) -> dict[str, int]:
    """Random verbs over two issuers, two acquirers, two cards and two currencies.

    Returns:
        How often each verb went through.
    """
    choose = random.Random(seed)
    opened: list = []
    done: dict[str, int] = {}
    verbs: list[str] = []
    for step in range(steps):
        verbs = verbs or choose.sample(VERBS, len(VERBS))
        verb = verbs.pop()
        try:
            _do(world, choose, verb, f"{seed}-{step}", opened)
        except ContractRevertedError:
            continue
        done[verb] = done.get(verb, 0) + 1
    return done


def _do(world: World, choose: random.Random, verb: str, reference: str, opened: list) -> None:
    currency = choose.choice(("CNY", "HKD"))
    issuer, acquirer = choose.choice(ISSUERS), choose.choice(ACQUIRERS)
    amount = Money(currency, choose.randint(1, 100_00))

    def sign(suffix: str = ""):
        return world.sign(
            reference + suffix,
            Money(currency, choose.randint(1, 100_00)),
            issuer=issuer,
            acquirer=acquirer,
            card=choose.choice(CARDS),
            interchange_bps=choose.randint(0, 150),
            hold_seconds=choose.choice((3_600, 86_400)),
        )

    payments = world.client(issuer).payments
    if verb in ("authorize", "charge"):
        payment = sign()
        getattr(payments, verb)(payment, reference=reference)
        opened.append((payment, acquirer))
    elif verb == "many":
        batch = [sign(f"/{index}") for index in range(choose.randint(1, 5))]
        outcomes = payments.authorize_many(batch, reference=reference)
        opened += [
            (payment, acquirer)
            for payment, outcome in zip(batch, outcomes, strict=True)
            if outcome.accepted
        ]
    elif verb == "transfer":
        world.client(issuer).balances.transfer(world.address(acquirer), amount, reference=reference)
    elif verb == "issue":
        world.client("operator").balances.issue(world.address(issuer), amount, reference=reference)
    elif verb == "redeem":
        world.client(acquirer).balances.redeem(amount, reference=reference)
    elif verb == "card":
        limit = Money(currency, choose.randint(50_00, 5_000_00))
        card = CardEntry(world.address(choose.choice(CARDS)), limit, limit + limit)
        world.client(issuer).directory.set_cards([card], reference=reference)
    elif verb == "wait":
        world.node.advance_time(choose.choice((60, 1_800, 30_000)))
    elif opened:
        _follow_up(world, choose, verb, reference, opened)


def _follow_up(
    world: World, choose: random.Random, verb: str, reference: str, opened: list
) -> None:
    payment, acquirer = choose.choice(opened)
    payments = world.client(acquirer).payments
    if verb == "reclaim":
        world.client("outsider").payments.reclaim(payment, reference=reference)
        return
    if verb == "captures":
        items = {
            each.payment_id: (each, Money(each.prepared.amount.currency, choose.randint(1, 100_00)))
            for each, who in choose.sample(opened, min(4, len(opened)))
            if who == acquirer
        }
        if items:
            payments.capture_many(list(items.values()), reference=reference)
        return
    total = Money(
        payment.prepared.amount.currency,
        choose.randint(1, payment.prepared.amount.amount_minor),
    )
    getattr(payments, verb)(payment, total, reference=reference)


def _finish(world: World, act) -> None:
    scheduled = act()
    assert isinstance(scheduled, ScheduledOperation)
    world.node.advance_time(DELAY_SECONDS + 1)
    act()


def _send(world: World, role: str, name: str, *arguments: object) -> None:
    token = Contract("SettlementToken", world.manifest.token("CNY"))
    data = token.function(name).encode(*arguments)
    send(world.chain, world.signers[role], token.address, data)
