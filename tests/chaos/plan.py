"""What a seed stands for: which node, which clients with which work, and what goes wrong when.

A plan is made from the seed alone and is data alone, so that the same number gives the same storm
on every machine: what happens to a request depends on whose how-manieth it is, and when something
happens to the node or a store is measured in requests. What the seed cannot fix is which process
runs first.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from tael.testing.nodes import NodeKind
from tests.chaos.work import Order, Payment

StoreKind = Literal["sqlite", "postgresql"]
EventKind = Literal[
    "kill_node", "outage", "reorg", "clock", "stall", "lock", "kick", "stale", "liar", "copy"
]

ISSUERS = ("issuer", "other_issuer")
ACQUIRERS = ("acquirer", "other_acquirer")
CURRENCIES = ("CNY", "HKD")
LONG = 5 * 86_400
"""Further away than the clock is ever moved."""
STEPS = ("asked", "checked", "journaled", "sent", "included", "recorded")

FAULTS = (
    "drop_before",
    "drop_after",
    "delay",
    "slow",
    "duplicate",
    "reorder",
    "lose",
    "twice",
    "truncate",
    "html",
    "429",
    "500",
    "503",
    "busy",
)
"""What happens to a request or its answer; `tests.chaos.proxy` says what each does."""

LIES = ("chain_id", "genesis", "nonce_low", "nonce_high", "block", "receipt_fake", "receipt_none")


@dataclass(frozen=True)
class Event:
    """Something that happens to the node, a store or a proxy.

    Args:
        at_request: After so many requests of all clients.
        kind: What.
        seconds: How long it lasts, if it lasts.
        amount: Blocks of a reorganisation or of staleness, seconds of the clock.
        target: Which proxy; of stores the name.
    """

    at_request: int
    kind: EventKind
    seconds: float = 0.0
    amount: int = 0
    target: str = ""


@dataclass(frozen=True)
class Kill:
    """When a process kills itself with SIGKILL: at the n-th time of a step, or after a while."""

    step: str = ""
    count: int = 1
    after_seconds: float = 0.0


@dataclass(frozen=True)
class WorkerPlan:
    """One client process.

    Args:
        name: Its own.
        role: Whose key it signs with.
        store: Which store it uses; two of the same name share it.
        orders: What it must get done, in order.
        kills: How each of its lives ends; the one after the last ends by itself.
        threads: How many orders it works on at a time.
        simulate: Whether each write is tried on the node first.
        spare_pages: Pages the store may grow by before it is full, in the first life; 0 is any.
        busy_seconds: How long it waits for a lock of the store.
        pace_seconds: How long it pauses between two orders.
        survives: Whether it is left alone when the storm ends, instead of being killed.
        is_impatient: Whether it captures before it heard that the payment was opened.
        restores: Whether its store is put back to an older copy between two lives.
    """

    name: str
    role: str
    store: str
    orders: tuple[Order, ...]
    kills: tuple[Kill, ...] = ()
    threads: int = 1
    simulate: bool = True
    spare_pages: int = 0
    busy_seconds: float = 5.0
    pace_seconds: float = 0.0
    survives: bool = False
    is_impatient: bool = False
    restores: bool = False


@dataclass(frozen=True)
class Plan:
    """Everything that a seed decides.

    Args:
        seed: The number.
        node: Which program plays the chain.
        block_seconds: Time between blocks; None mines each transaction at once.
        confirmations: When a block is final; 0 is at once.
        proxies: How many ways there are to the node.
        agreement: How many of them must say the same.
        faults: How often each happens, a share of all requests.
        lies: What the liar of the moment lies about.
        stores: By name.
        workers: The clients.
        payments: What the orders are about, by reference.
        events: In order of time.
        storm_requests: How many requests of the clients things go wrong for.
        bump_seconds: After how long in the pool a transaction is replaced.
    """

    seed: int
    node: NodeKind
    block_seconds: float | None
    confirmations: int
    proxies: int
    agreement: int
    faults: dict[str, float]
    lies: tuple[str, ...]
    stores: dict[str, StoreKind]
    workers: tuple[WorkerPlan, ...]
    payments: dict[str, Payment]
    events: tuple[Event, ...]
    storm_requests: int
    bump_seconds: float

    @property
    def finality(self) -> str:
        """As the client takes it."""
        return str(self.confirmations) if self.confirmations else "simulated"

    @property
    def has_reorgs(self) -> bool:
        """Whether blocks are undone."""
        return any(event.kind == "reorg" for event in self.events)

    @property
    def line(self) -> str:
        """The command that runs it again."""
        node = "" if self.node == "anvil" else f" NODE={self.node}"
        return f"make chaos SEED={self.seed}{node}"


@dataclass
class _Draft:
    """Orders by role, while they are thought up."""

    choose: random.Random
    seed: int
    orders: dict[str, list[Order]] = field(default_factory=dict)
    payments: dict[str, Payment] = field(default_factory=dict)
    count: int = 0

    def reference(self) -> str:
        self.count += 1
        return f"S{self.seed}-{self.count}"

    def amount(self, most: int = 90_00) -> int:
        # No two alike, so that money on the chain says by itself whose it is.
        return self.choose.randrange(1, most // 100) * 100 + self.count % 100

    def add(self, role: str, order: Order) -> Order:
        self.orders.setdefault(role, []).append(order)
        return order

    def payment(self, issuer: str, acquirer: str, *, authorize_seconds: int = LONG) -> Payment:
        reference = self.reference()
        payment = Payment(
            reference,
            issuer,
            acquirer,
            self.choose.choice(("cardholder", "other_cardholder")),
            self.choose.choice(CURRENCIES),
            self.amount(),
            authorize_seconds,
        )
        self.payments[reference] = payment
        return payment


def make_plan(seed: int, node: NodeKind) -> Plan:
    """What a seed stands for on a kind of node."""
    choose = random.Random(f"{node} {seed}")
    is_anvil = node == "anvil"
    lies = is_anvil and choose.random() < 0.25
    reorgs = is_anvil and choose.random() < 0.35
    interval = reorgs or (is_anvil and choose.random() < 0.4)
    block_seconds = choose.choice((0.05, 0.1, 0.2)) if interval else None
    if not is_anvil and choose.random() < 0.2:
        interval, block_seconds = True, 1.0
    confirmations = choose.choice((2, 3, 5)) if reorgs else 0
    draft = _Draft(choose, seed)
    _think_up(draft)
    stores, workers = _staff(draft)
    storm = choose.randint(60, 60 + 8 * sum(map(len, draft.orders.values())))
    proxies = 3 if lies else choose.choice((1, 1, 2))
    return Plan(
        seed=seed,
        node=node,
        block_seconds=block_seconds,
        confirmations=confirmations,
        proxies=proxies,
        agreement=2 if lies else 1,
        faults=_rates(choose),
        lies=tuple(choose.sample(LIES, choose.randint(1, len(LIES)))) if lies else (),
        stores=stores,
        workers=workers,
        payments=draft.payments,
        events=_events(
            choose,
            node,
            storm,
            proxies,
            confirmations,
            stores,
            workers,
            lies=lies,
            mines_at_once=not interval,
        ),
        storm_requests=storm,
        bump_seconds=choose.choice((0.2, 0.5, 30.0)),
    )


def _think_up(draft: _Draft) -> None:
    """The work: single writes, payments with their later steps, batches, and what must fail."""
    choose = draft.choose
    for _ in range(choose.randint(2, 7)):
        payer, payee = choose.sample((*ISSUERS, *ACQUIRERS), 2)
        draft.add(
            payer, Order("transfer", draft.reference(), draft.amount(), _currency(choose), payee)
        )
    for _ in range(choose.randint(0, 3)):
        bank = choose.choice((*ISSUERS, *ACQUIRERS))
        draft.add(
            "operator", Order("issue", draft.reference(), draft.amount(), _currency(choose), bank)
        )
    if choose.random() < 0.4:
        who = choose.choice(ACQUIRERS)
        draft.add(who, Order("redeem", draft.reference(), draft.amount(), _currency(choose)))
    for _ in range(choose.randint(2, 6)):
        issuer, acquirer = choose.choice(ISSUERS), choose.choice(ACQUIRERS)
        payment = draft.payment(issuer, acquirer)
        verb = choose.choice(("authorize", "authorize", "authorize", "charge"))
        draft.add(issuer, Order(verb, payment.reference, payments=(payment.reference,)))
        _follow_up(draft, payment, verb)
    for verb, share in (("authorize_many", 0.5), ("authorize_each", 0.25)):
        if choose.random() > share:
            continue
        issuer = choose.choice(ISSUERS)
        batch = [
            draft.payment(issuer, choose.choice(ACQUIRERS)) for _ in range(choose.randint(2, 6))
        ]
        names = tuple(each.reference for each in batch)
        draft.add(issuer, Order(verb, draft.reference(), payments=names))
        _capture_many(draft, batch)
    if choose.random() < 0.4:
        issuer = choose.choice(ISSUERS)
        draft.add(issuer, Order("set_cards", draft.reference(), draft.amount(), _currency(choose)))
    if choose.random() < 0.3:
        issuer = choose.choice(ISSUERS)
        brief = draft.payment(issuer, choose.choice(ACQUIRERS), authorize_seconds=1_200)
        draft.add(
            issuer, Order("authorize", brief.reference, payments=(brief.reference,), lapses=True)
        )
    _think_up_refusals(draft)


def _follow_up(draft: _Draft, payment: Payment, verb: str) -> None:
    """Captures, voids and refunds of one payment, by cumulative totals."""
    choose, half = draft.choose, payment.amount_minor // 2
    name = (payment.reference,)
    if verb == "charge":
        captured = payment.amount_minor
    else:
        captured = choose.choice((0, half, payment.amount_minor))
        if captured:
            draft.add(
                payment.acquirer, Order("capture", draft.reference(), captured, payments=name)
            )
        rest = payment.amount_minor - captured
        if rest and choose.random() < 0.5:
            draft.add(payment.acquirer, Order("void", draft.reference(), rest, payments=name))
    if captured and choose.random() < 0.4:
        refund = max(1, captured // 3)
        draft.add(payment.acquirer, Order("refund", draft.reference(), refund, payments=name))


def _capture_many(draft: _Draft, batch: Sequence[Payment]) -> None:
    for acquirer in ACQUIRERS:
        own = tuple(each.reference for each in batch if each.acquirer == acquirer)
        if own and draft.choose.random() < 0.7:
            draft.add(acquirer, Order("capture_many", draft.reference(), payments=own))


def _think_up_refusals(draft: _Draft) -> None:
    """What must never take effect: more than there is, and another body under a used reference."""
    choose = draft.choose
    if choose.random() < 0.4:
        payer = choose.choice(ACQUIRERS)
        order = Order(
            "transfer", draft.reference(), 10**13, _currency(choose), "issuer", fails=True
        )
        draft.add(payer, order)
    if choose.random() < 0.4:
        role = choose.choice([each for each in draft.orders if each != "operator"])
        first = next((each for each in draft.orders[role] if each.verb == "transfer"), None)
        if first is not None and not first.fails:
            other = Order(
                "transfer",
                first.reference,
                first.amount_minor + 1,
                first.currency,
                first.payee,
                conflicts=True,
            )
            draft.add(role, other)


def _currency(choose: random.Random) -> str:
    return choose.choice(CURRENCIES)


def _staff(draft: _Draft) -> tuple[dict[str, StoreKind], tuple[WorkerPlan, ...]]:
    """Processes for the roles that have work; some roles are shared by two."""
    choose = draft.choose
    kind: StoreKind = "postgresql" if choose.random() < 0.15 else "sqlite"
    together = choose.random() < 0.3 or kind == "postgresql"
    stores: dict[str, StoreKind] = {}
    workers: list[WorkerPlan] = []
    shared = choose.choice(sorted(draft.orders)) if choose.random() < 0.4 else ""
    for role in sorted(draft.orders):
        store = "all" if together else role
        stores[store] = kind
        orders = tuple(draft.orders[role])
        lists = [orders]
        if choose.random() < 0.2:
            lists[0] = (*orders, *choose.sample(orders, choose.randint(1, len(orders))))
        if role == shared:
            # Both try all of it, in another order: whoever is second must find it done. What one
            # authorizes in a batch the other may authorize alone.
            other = choose.sample(orders, len(orders))
            if choose.random() < 0.5:
                other += [each for order in orders for each in _apart(order)]
            lists.append(tuple(other))
        restores = kind == "sqlite" and not together and role != shared and choose.random() < 0.12
        for number, own in enumerate(lists):
            name = role if number == 0 else f"{role}-2"
            filled = kind == "sqlite"
            workers.append(
                _worker(choose, name, role, store, own, restores=restores, can_fill=filled)
            )
    return stores, tuple(workers)


def _apart(order: Order) -> list[Order]:
    """The payments of a batch, each by itself."""
    if order.verb not in ("authorize_many", "authorize_each"):
        return []
    return [Order("authorize", name, payments=(name,)) for name in order.payments]


def _worker(
    choose: random.Random,
    name: str,
    role: str,
    store: str,
    orders: tuple[Order, ...],
    *,
    restores: bool,
    can_fill: bool,
) -> WorkerPlan:
    kills: list[Kill] = []
    while choose.random() < 0.45 and len(kills) < 3:
        if choose.random() < 0.75:
            kills.append(Kill(choose.choice(STEPS), choose.randint(1, 3)))
        else:
            kills.append(Kill(after_seconds=choose.uniform(0.02, 0.6)))
    if restores and not kills:
        kills.append(Kill(after_seconds=choose.uniform(0.3, 0.7)))
    return WorkerPlan(
        name=name,
        role=role,
        store=store,
        orders=orders,
        kills=tuple(kills),
        threads=choose.choice((1, 1, 4)),
        simulate=choose.random() < 0.8,
        spare_pages=choose.randint(1, 8) if can_fill and choose.random() < 0.12 else 0,
        busy_seconds=choose.choice((0.1, 0.3, 5.0)),
        pace_seconds=choose.choice((0.0, 0.0, 0.03, 0.1)),
        survives=choose.random() < 0.5,
        is_impatient=choose.random() < 0.25,
        restores=restores,
    )


def _rates(choose: random.Random) -> dict[str, float]:
    """Some kinds of fault, each with its rate; together up to a quarter of all requests."""
    if choose.random() < 0.1:
        return {}
    kinds = choose.sample(FAULTS, choose.randint(1, 7))
    total = choose.choice((0.03, 0.08, 0.15, 0.25))
    weights = [choose.uniform(0.3, 1.0) for _ in kinds]
    return {
        kind: total * weight / sum(weights) for kind, weight in zip(kinds, weights, strict=True)
    }


def _events(
    choose: random.Random,
    node: NodeKind,
    storm: int,
    proxies: int,
    confirmations: int,
    stores: dict[str, StoreKind],
    workers: Sequence[WorkerPlan],
    *,
    lies: bool,
    mines_at_once: bool,
) -> tuple[Event, ...]:
    events: list[Event] = []

    def at(share: float = 1.0) -> int:
        return choose.randint(5, int(storm * share))

    if confirmations:
        for _ in range(choose.randint(1, 4)):
            events.append(Event(at(), "reorg", amount=choose.randint(1, confirmations)))
    if choose.random() < (0.2 if node == "anvil" else 0.35):
        events.append(Event(at(0.7), "kill_node", seconds=choose.uniform(0.0, 0.2)))
    if choose.random() < 0.25:
        events.append(Event(at(0.8), "outage", seconds=choose.uniform(0.1, 0.5)))
    if choose.random() < 0.3:
        events.append(Event(at(), "clock", amount=choose.choice((61, 1_800, 3_700, 90_000))))
    if mines_at_once and choose.random() < 0.2:
        events.append(Event(at(0.8), "stall", seconds=choose.uniform(0.1, 0.7)))
    if choose.random() < 0.3:
        store = choose.choice(sorted(stores))
        kind: EventKind = "lock" if stores[store] == "sqlite" else "kick"
        events.append(Event(at(), kind, seconds=choose.uniform(0.1, 0.6), target=store))
    # Beside a liar nobody is behind: two of three that are wrong are more than two can outvote.
    if choose.random() < 0.3 and not lies:
        for _ in range(choose.randint(1, 3)):
            which = str(choose.randrange(proxies))
            events.append(
                Event(at(), "stale", choose.uniform(0.1, 0.4), choose.randint(1, 8), which)
            )
    if lies:
        for _ in range(choose.randint(1, 4)):
            which = str(choose.randrange(proxies))
            events.append(Event(at(), "liar", seconds=choose.uniform(0.2, 0.6), target=which))
    for worker in workers:
        if worker.restores:
            events.append(Event(at(0.3), "copy", target=worker.store))
    return tuple(sorted(events, key=lambda event: event.at_request))
