"""Lists of the Directory know their gas: the bounds suffice, and short lists are tried first."""

from __future__ import annotations

import pytest
from eth_account import Account

from tael import Acceptance, CardEntry, Client
from tael.contracts.registry import REGISTRY
from tael.errors import NotPermittedError
from tael.models import Verb
from tael.services.directory import ESTIMATED_ENTRIES, MAX_ENTRIES
from tael.store import Store
from tests.support.world import World, cny, hkd

HALF_A_BLOCK = 15_000_000


def limit(function: str, entries: int = 0) -> int:
    bound = REGISTRY.verb("PaymentEscrow", function).gas
    assert bound is not None
    return bound.limit(entries)


def cards(count: int) -> list[CardEntry]:
    return [
        CardEntry(
            Account.from_key(number.to_bytes(32, "big")).address, cny("5000.00"), cny("10000.00")
        )
        for number in range(1, count + 1)
    ]


@pytest.fixture
def delegate(world: World) -> Client:
    """Dearer than the bank itself by the look at what it may do."""
    may = Verb.CARDS | Verb.MERCHANTS
    world.client("issuer").directory.set_delegate(world.address("delegate"), may, reference="MAY")
    return Client(
        world.chain,
        world.manifest,
        world.signers["delegate"],
        participant=world.address("issuer"),
        reference_secret=b"a secret of thirty-two bytes, no less",
        store=Store.temporary(),
        simulate=False,
    )


def test_set_cards_is_sent_without_an_estimate_when_the_list_is_long(world: World) -> None:
    issuer = world.client("issuer")
    written = issuer.directory.set_cards(cards(ESTIMATED_ENTRIES + 1), reference="CARDS")
    transaction = world.chain.w3.eth.get_transaction(written.transaction_hash)
    assert transaction["gas"] == limit("setCards", ESTIMATED_ENTRIES + 1)


def test_set_cards_is_refused_before_it_is_sent_when_the_list_is_short(world: World) -> None:
    stranger = Client(
        world.chain,
        world.manifest,
        world.signers["outsider"],
        participant=world.address("issuer"),
        reference_secret=b"a secret of thirty-two bytes, no less",
        store=Store.temporary(),
    )
    with pytest.raises(NotPermittedError) as refused:
        stranger.directory.set_cards(cards(ESTIMATED_ENTRIES), reference="CARDS")
    assert refused.value.transaction_hash is None
    with pytest.raises(NotPermittedError) as included:
        stranger.directory.set_cards(cards(ESTIMATED_ENTRIES + 1), reference="MORE")
    assert included.value.transaction_hash is not None


def test_set_cards_stays_in_its_bound_when_the_list_is_full(world: World, delegate: Client) -> None:
    bound = limit("setCards", MAX_ENTRIES)
    assert bound < HALF_A_BLOCK
    written = delegate.directory.set_cards(cards(MAX_ENTRIES), reference="CARDS")
    assert written.gas_used < bound * 2 // 3


@pytest.mark.parametrize("count", [1, 2])
def test_set_merchant_and_accept_stay_in_their_bounds_when_a_delegate_sends(
    world: World, delegate: Client, count: int
) -> None:
    written = delegate.directory.set_merchant(
        "corner shop",
        signer=world.address("till"),
        name="Corner Shop",
        category_code=5411,
        reference="SHOP",
    )
    assert written.gas_used < limit("setMerchant") * 3 // 4
    assert written.subject is not None
    limits = [Acceptance(cny("500.00")), Acceptance(hkd("500.00"))][:count]
    accepted = delegate.directory.accept(written.subject, limits, reference="LIMITS")
    bound = limit("setAcceptances", count)
    assert accepted.gas_used < bound * 3 // 4
