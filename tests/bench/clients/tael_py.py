"""Our own client, journal on: what a bank gets.

Cardholders' signatures are made beforehand, as they are made elsewhere in real life. Each amount is
one minor unit, so that what is held, or has arrived, counts the payments.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from tael import Acceptance, CardEntry, Chain, Money, PrivateKeySigner, SignedPayment
from tael import Client as TaelClient
from tests.bench.clients.bare import pour
from tests.bench.clients.stage import (
    MAX_FEE_WEI,
    TIP_WEI,
    Client,
    ClientFailed,
    Stage,
    cpu_seconds,
)

CURRENCY = "CNY"
CARDS = 100
MERCHANTS = 60
THREADS = 64
DAY_SECONDS = 86_400
ONE = Money(CURRENCY, 1)
MUCH = Money(CURRENCY, 10**12)


@dataclass(frozen=True, slots=True)
class Banks:
    """An issuer with cards and an acquirer with merchants, each with a journal on disk.

    Attributes:
        issuer: Its client.
        acquirer: Its client.
        cards: Of the issuer.
        merchants: Of the acquirer.
        journal: The issuer's file.
    """

    issuer: TaelClient
    acquirer: TaelClient
    cards: list[PrivateKeySigner]
    merchants: list[bytes]
    journal: Path


@contextmanager
def banks(stage: Stage) -> Iterator[Banks]:
    """Open both banks; refusals are found in blocks, as a bank under load would have it."""
    accounts = {each: stage.world.signers[each] for each in ("amber", "birch")}
    with TemporaryDirectory() as folder:
        issuer, acquirer = (
            TaelClient(
                Chain.connect(stage.node.url),
                stage.world.manifest,
                accounts[name],
                store=Path(folder) / f"{name}.db",
                simulate=False,
            )
            for name in ("amber", "birch")
        )
        with issuer, acquirer:
            mark = f"{time.time_ns():x}"[-8:]
            cards = [PrivateKeySigner.from_key(f"{n + 1:064x}") for n in range(300, 300 + CARDS)]
            for start in range(0, CARDS, 50):
                issuer.directory.set_cards(
                    [CardEntry(card.address, MUCH, MUCH) for card in cards[start : start + 50]],
                    reference=f"CARDS {mark} {start}",
                )
            merchants = []
            for number in range(MERCHANTS):
                made = acquirer.directory.set_merchant(
                    f"SHOP {number}",
                    signer=cards[0].address,
                    name=f"Shop {number}",
                    category_code=5812,
                    reference=f"SHOP {mark} {number}",
                )
                merchants.append(made.subject or b"")
                acquirer.directory.accept(
                    merchants[-1], [Acceptance(MUCH)], reference=f"LIMIT {mark} {number}"
                )
            yield Banks(issuer, acquirer, cards, merchants, Path(folder) / "amber.db")


def signed(both: Banks, count: int) -> list[SignedPayment]:
    """Payments as their cards signed them."""
    now, mark = both.issuer.now(), f"{time.time_ns():x}"[-8:]
    payments = []
    for number in range(count):
        card = both.cards[number % CARDS]
        prepared = both.issuer.payments.prepare(
            reference=f"P {mark} {number}",
            card=card.address,
            amount=ONE,
            merchant_id=both.merchants[number % MERCHANTS],
            acquirer=both.acquirer.participant,
            at=now,
        )
        payments.append(both.issuer.payments.sign(prepared, card))
    return payments


def clocked(work: Callable[[], object]) -> tuple[float, float]:
    """Seconds and processor seconds of some work."""
    started, cpu_started = time.perf_counter(), cpu_seconds()
    work()
    return time.perf_counter() - started, cpu_seconds() - cpu_started


def transfers(stage: Stage, count: int) -> tuple[float, float]:
    """Transfers from many threads, each with a reference and a signed message of its own."""
    with banks(stage) as both:
        mark = f"{time.time_ns():x}"[-8:]

        def pay(number: int) -> None:
            both.issuer.balances.transfer(
                both.acquirer.participant, ONE, reference=f"T {mark} {number}"
            )

        def all_of_them() -> None:
            with ThreadPoolExecutor(THREADS) as pool:
                list(pool.map(pay, range(count)))

        return clocked(all_of_them)


def authorize_each(stage: Stage, count: int) -> tuple[float, float]:
    """Payments of a stream, a transaction each."""
    with banks(stage) as both:
        payments = signed(both, count)

        def stream() -> None:
            for outcome in both.issuer.payments.authorize_each(payments):
                _require(outcome.accepted, outcome.refusal)

        return clocked(stream)


def authorize_flooded(stage: Stage, count: int) -> tuple[float, float]:
    """The same, signed beforehand and poured into the node: more than that it cannot take."""
    with banks(stage) as both:
        orders = [both.issuer.payments._opening._order("authorize", p) for p in signed(both, count)]
        first, signer = stage.next_nonce(), stage.world.signers["amber"]
        raws = [
            signer.sign_transaction(
                {
                    "chainId": stage.node.chain_id,
                    "nonce": first + number,
                    "to": order.to,
                    "data": order.data,
                    "gas": order.gas,
                    "maxFeePerGas": MAX_FEE_WEI,
                    "maxPriorityFeePerGas": TIP_WEI,
                }
            )
            for number, order in enumerate(orders)
        ]
        return pour(stage, ["0x" + raw.hex() for raw in raws])


def authorize_many(stage: Stage, count: int) -> tuple[float, float]:
    """Payments in batches of 200."""
    with banks(stage) as both:
        payments = signed(both, count)
        return clocked(lambda: _authorize(both, payments))


def capture_many(stage: Stage, count: int) -> tuple[float, float]:
    """Captures in batches of 200; the authorizing is not counted."""
    with banks(stage) as both:
        payments = signed(both, count)
        _authorize(both, payments)

        def capture() -> None:
            totals = [(each, ONE) for each in payments]
            for outcome in both.acquirer.payments.capture_many(totals, reference=_unique("C")):
                _require(outcome.accepted, outcome.refusal)

        return clocked(capture)


def held(stage: Stage) -> int:
    """What is held of the issuer's balance, in minor units."""
    reader = TaelClient(stage.chain, stage.world.manifest)
    return reader.balances.held(CURRENCY, stage.sender).amount_minor


def _authorize(both: Banks, payments: list[SignedPayment]) -> None:
    for outcome in both.issuer.payments.authorize_many(payments, reference=_unique("A")):
        _require(outcome.accepted, outcome.refusal)


def _unique(stem: str) -> str:
    return f"{stem} {time.time_ns():x}"


def _require(accepted: bool, refusal: object) -> None:
    if not accepted:
        raise ClientFailed(f"a payment was refused: {refusal}")


CLIENTS = (
    Client("tael, transfers", transfers, "by_interval", {"anvil": 2_000, "ganache": 400}),
    Client(
        "tael, authorize each",
        authorize_each,
        "by_interval",
        {"anvil": 5_000, "ganache": 400},
        effect=held,
    ),
    Client(
        "node, flooded with authorizes",
        authorize_flooded,
        "by_interval",
        {"anvil": 5_000, "ganache": 400},
        effect=held,
    ),
    Client(
        "tael, authorizeMany",
        authorize_many,
        "by_interval",
        {"anvil": 10_000, "ganache": 1_000},
        effect=held,
    ),
    Client("tael, captureMany", capture_many, "by_interval", {"anvil": 10_000, "ganache": 1_000}),
)
