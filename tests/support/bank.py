"""A bank's client of a test's own, what it does, and what its journal and the chain have of it."""

from __future__ import annotations

from functools import partial
from typing import Any

from tael import Chain, Client
from tael.journal import Journal, Record, SignedTransaction
from tael.models import Written
from tael.store import Store
from tests.support.waiting import wait_until
from tests.support.world import World, cny

DEEP = "2"
"""Confirmations of the tests whose blocks can be undone."""
SHORTLY = 1.0
"""Seconds a client waits that is to give up: enough to sign on a busy machine."""


def client(
    world: World, role: str = "issuer", chain: Chain | None = None, **options: Any
) -> Client:
    options.setdefault("store", Store.temporary())
    options.setdefault("wait_seconds", 20)
    return Client(chain or world.chain, world.manifest, world.signers[role], **options)


def transfer(bank: Client, world: World, reference: str, amount: str = "1.00") -> Written:
    return bank.balances.transfer(world.address("acquirer"), cny(amount), reference=reference)


def held_of(world: World) -> int:
    return world.balances()["acquirer", "CNY"][0]


def received(world: World, before: int) -> int:
    return held_of(world) - before


def journal_of(bank: Client) -> Journal:
    return bank._writer.journal


def record(bank: Client, reference: str) -> Record | None:
    return journal_of(bank).find(bank.participant, reference)


def signed(bank: Client, reference: str) -> list[SignedTransaction]:
    """What was signed for it, oldest first; waits for the first."""
    transactions = partial(journal_of(bank).transactions_of, record(bank, reference).id)
    wait_until(transactions)
    return transactions()


def record_hash(bank: Client, reference: str) -> str:
    """Hash of the newest transaction signed for it."""
    return signed(bank, reference)[-1].hash


def mine(world: World, count: int) -> None:
    for _ in range(count):
        world.node.mine()
