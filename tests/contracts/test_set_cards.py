"""setCards: opens, limits or blocks cards per currency."""

import pytest

from tests.contracts.chain import Refusal, refused
from tests.contracts.keys import Key
from tests.contracts.world import (
    ALL_VERBS,
    AMOUNT,
    CARDS,
    ENTRY_ACTIVE,
    ENTRY_BLOCKED,
    ENTRY_NONE,
)

HALF_A_BLOCK = 15_000_000
MOST = 256
ZERO = "0x" + "00" * 20


@pytest.mark.parametrize("caller", ["outsider", "other_issuer", "delegate", "operator"])
def test_set_cards_is_refused_when_the_caller_may_not_act_for_the_issuer(w, caller):
    w.escrow.setDelegate(w.delegate, ALL_VERBS - CARDS, by=w.issuer)
    by = w.actors[caller]
    found = w.escrow.setCards.refusal(w.issuer, [(w.card, w.cny, 1, 1, ENTRY_ACTIVE)], by=by)
    assert found == refused("NotPermitted", by, w.issuer, CARDS)


@pytest.mark.threat("C33")
def test_set_cards_is_refused_when_there_are_more_than_256(w):
    entries = [(w.card, w.cny, 1, 1, ENTRY_ACTIVE)] * (MOST + 1)
    found = w.escrow.setCards.refusal(w.issuer, entries, by=w.issuer)
    assert found == refused("EntriesTooMany", MOST + 1, MOST)


@pytest.mark.threat("C06")
@pytest.mark.parametrize("status", [ENTRY_ACTIVE, ENTRY_BLOCKED])
def test_set_cards_is_refused_when_the_card_is_nobody(w, status):
    found = w.escrow.setCards.refusal(w.issuer, [(ZERO, w.cny, 1, 1, status)], by=w.issuer)
    assert found == refused("CardInvalid")


def test_set_cards_is_refused_whole_when_a_status_is_none(w):
    entries = [(w.card, w.cny, 1, 1, ENTRY_ACTIVE), (w.card, w.hkd, 1, 1, ENTRY_NONE)]
    found = w.escrow.setCards.refusal(w.issuer, entries, by=w.issuer)
    assert found == refused("StatusInvalid")


def test_set_cards_is_refused_when_a_status_does_not_exist(w):
    found = w.escrow.setCards.refusal(w.issuer, [(w.card, w.cny, 1, 1, 3)], by=w.issuer)
    assert found == Refusal("")


@pytest.mark.threat("C15")
@pytest.mark.parametrize("status", [ENTRY_ACTIVE, ENTRY_BLOCKED])
def test_set_cards_is_refused_when_the_token_is_not_admitted(w, status):
    jpy = w.new_token("JPY", 392, 0)
    for token in (jpy, w.outsider):
        found = w.escrow.setCards.refusal(w.issuer, [(w.card, token, 1, 1, status)], by=w.issuer)
        assert found == refused("TokenNotAdmitted", token)


def test_set_cards_is_refused_when_a_stopped_issuer_opens_but_not_when_it_blocks(w):
    w.cny.suspend(w.issuer, bytes(32), by=w.operator)
    active, blocked = ((w.card, w.cny, 1, 1, each) for each in (ENTRY_ACTIVE, ENTRY_BLOCKED))
    found = w.escrow.setCards.refusal(w.issuer, [active], by=w.issuer)
    assert found == refused("ParticipantNotActive", w.issuer, w.cny)
    w.escrow.setCards(w.issuer, [blocked], by=w.issuer)
    w.escrow.setCards(w.issuer, [(w.card, w.hkd, 1, 1, ENTRY_ACTIVE)], by=w.issuer)


def test_set_cards_is_refused_when_an_outsider_vouches_for_itself(w):
    entries = [(w.card, w.cny, 1, 1, ENTRY_ACTIVE)]
    found = w.escrow.setCards.refusal(w.outsider, entries, by=w.outsider)
    assert found == refused("ParticipantNotActive", w.outsider, w.cny)


@pytest.mark.parametrize("caller", ["issuer", "delegate"])
def test_set_cards_changes_each_entry_when_the_issuer_or_its_delegate_sends_it(w, caller):
    w.escrow.setDelegate(w.delegate, CARDS, by=w.issuer)
    new = Key("new card")
    entries = [
        (new, w.hkd, 2**64 - 1, 2**64 - 1, ENTRY_ACTIVE),
        (w.card, w.cny, 0, 3, ENTRY_BLOCKED),
    ]
    before = w.books()
    receipt = w.escrow.setCards(w.issuer, entries, by=w.actors[caller])
    for card, token, payment_limit, day_limit, status in entries:
        found = w.escrow.cardOf(w.issuer, card, token)
        assert found == (card.address, token.address, payment_limit, day_limit, status)
    # What the card spent today stays counted; nobody else's entry changed.
    assert w.changes(before) == {}
    assert w.escrow.spentToday(w.issuer, w.card, w.cny) == w.sibling.amount
    assert w.escrow.cardOf(w.other_issuer, new, w.hkd)[4] == ENTRY_NONE
    assert receipt.events == [
        w.escrow.event(
            "CardSet",
            issuer=w.issuer,
            card=card,
            token=token,
            paymentLimit=payment_limit,
            dayLimit=day_limit,
            status=status,
        )
        for card, token, payment_limit, day_limit, status in entries
    ]


def test_set_cards_changes_nothing_when_there_are_none(w):
    before = w.books()
    assert w.escrow.setCards(w.issuer, [], by=w.issuer).events == []
    assert w.changes(before) == {}


def test_set_cards_keeps_issuers_apart_when_two_vouch_for_one_key(w):
    w.escrow.setCards(w.other_issuer, [(w.card, w.cny, 9, 9, 1)], by=w.other_issuer)
    assert w.escrow.cardOf(w.issuer, w.card, w.cny)[2] != 9
    before = w.books()
    w.authorize(w.new_payment())
    assert w.changes(before)["CNY.card.spent"] == AMOUNT
    assert w.escrow.spentToday(w.other_issuer, w.card, w.cny) == 0


@pytest.mark.threat("C33")
def test_set_cards_fits_in_half_a_block_when_there_are_256_new_ones(w):
    entries = [(Key(f"card {i}"), w.cny, 2**64 - 1, 2**64 - 1, 1) for i in range(MOST)]
    receipt = w.escrow.setCards(w.issuer, entries, by=w.issuer)
    assert len(receipt.events) == MOST
    assert receipt.gas_used < HALF_A_BLOCK
