"""setAcceptances: opens, limits or blocks a merchant per currency."""

import pytest
from eth_utils import keccak

from tests.contracts.chain import Refusal, refused
from tests.contracts.world import ALL_VERBS, ENTRY_ACTIVE, ENTRY_BLOCKED, ENTRY_NONE, MERCHANTS

HALF_A_BLOCK = 15_000_000
MOST = 256


def test_set_acceptances_is_refused_when_the_merchant_is_unknown(w):
    unknown = keccak(text="unknown")
    found = w.escrow.setAcceptances.refusal(unknown, [], by=w.acquirer)
    assert found == refused("MerchantUnknown", unknown)


@pytest.mark.parametrize("caller", ["outsider", "other_acquirer", "delegate", "operator"])
def test_set_acceptances_is_refused_when_the_caller_may_not_act_for_the_acquirer(w, caller):
    w.escrow.setDelegate(w.delegate, ALL_VERBS - MERCHANTS, by=w.acquirer)
    by = w.actors[caller]
    found = w.escrow.setAcceptances.refusal(w.shop.id, [(w.cny, 1, ENTRY_ACTIVE)], by=by)
    assert found == refused("NotPermitted", by, w.acquirer, MERCHANTS)


@pytest.mark.threat("C33")
def test_set_acceptances_is_refused_when_there_are_more_than_256(w):
    entries = [(w.cny, 1, ENTRY_ACTIVE)] * (MOST + 1)
    found = w.escrow.setAcceptances.refusal(w.shop.id, entries, by=w.acquirer)
    assert found == refused("EntriesTooMany", MOST + 1, MOST)


def test_set_acceptances_is_refused_whole_when_a_status_is_none(w):
    entries = [(w.cny, 1, ENTRY_ACTIVE), (w.hkd, 1, ENTRY_NONE)]
    found = w.escrow.setAcceptances.refusal(w.shop.id, entries, by=w.acquirer)
    assert found == refused("StatusInvalid")


def test_set_acceptances_is_refused_when_a_status_does_not_exist(w):
    found = w.escrow.setAcceptances.refusal(w.shop.id, [(w.cny, 1, 3)], by=w.acquirer)
    assert found == Refusal("")


@pytest.mark.threat("C15")
@pytest.mark.parametrize("status", [ENTRY_ACTIVE, ENTRY_BLOCKED])
def test_set_acceptances_is_refused_when_the_token_is_not_admitted(w, status):
    jpy = w.new_token("JPY", 392, 0)
    for token in (jpy, w.outsider):
        found = w.escrow.setAcceptances.refusal(w.shop.id, [(token, 1, status)], by=w.acquirer)
        assert found == refused("TokenNotAdmitted", token)


@pytest.mark.parametrize("stop", ["suspend", "close"])
def test_set_acceptances_is_refused_when_a_stopped_acquirer_opens_but_not_when_it_blocks(w, stop):
    arguments = (bytes(32),) if stop == "suspend" else ()
    getattr(w.cny, stop)(w.acquirer, *arguments, by=w.operator)
    found = w.escrow.setAcceptances.refusal(w.shop.id, [(w.cny, 1, ENTRY_ACTIVE)], by=w.acquirer)
    assert found == refused("ParticipantNotActive", w.acquirer, w.cny)
    w.escrow.setAcceptances(w.shop.id, [(w.cny, 1, ENTRY_BLOCKED)], by=w.acquirer)
    # In the other currency it is as active as ever.
    w.escrow.setAcceptances(w.shop.id, [(w.hkd, 1, ENTRY_ACTIVE)], by=w.acquirer)


def test_set_acceptances_is_refused_when_an_outsider_registered_the_merchant_itself(w):
    w.escrow.setMerchant(w.outsider, bytes(32), w.outsider, 1, bytes(32), by=w.outsider)
    merchant = w.escrow.merchantId(w.outsider, bytes(32))
    entries = [(w.cny, 1, ENTRY_ACTIVE)]
    found = w.escrow.setAcceptances.refusal(merchant, entries, by=w.outsider)
    assert found == refused("ParticipantNotActive", w.outsider, w.cny)


@pytest.mark.parametrize("caller", ["acquirer", "delegate"])
def test_set_acceptances_changes_each_currency_when_the_acquirer_or_its_delegate_sends_it(
    w, caller
):
    w.escrow.setDelegate(w.delegate, MERCHANTS, by=w.acquirer)
    entries = [(w.hkd, 2**64 - 1, ENTRY_ACTIVE), (w.cny, 0, ENTRY_BLOCKED)]
    before = w.books()
    receipt = w.escrow.setAcceptances(w.shop.id, entries, by=w.actors[caller])
    assert w.escrow.acceptanceOf(w.shop.id, w.hkd) == (w.hkd.address, 2**64 - 1, ENTRY_ACTIVE)
    assert w.escrow.acceptanceOf(w.shop.id, w.cny) == (w.cny.address, 0, ENTRY_BLOCKED)
    assert w.changes(before) == {}
    assert receipt.events == [
        w.escrow.event(
            "AcceptanceSet", merchant=w.shop.id, token=token, staticLimit=limit, status=status
        )
        for token, limit, status in entries
    ]


def test_set_acceptances_leaves_others_alone_when_sent(w):
    other = w.escrow.acceptanceOf(w.other_shop.id, w.cny)
    w.escrow.setAcceptances(w.shop.id, [(w.cny, 5, ENTRY_BLOCKED)], by=w.acquirer)
    assert w.escrow.acceptanceOf(w.other_shop.id, w.cny) == other
    w.escrow.setAcceptances(w.shop.id, [], by=w.acquirer)


@pytest.mark.slow
@pytest.mark.threat("C33")
def test_set_acceptances_fits_in_half_a_block_when_there_are_256_currencies(w):
    # Every entry is new, which costs the most; a token that is only ever asked for a status.
    active = (1).to_bytes(32, "big")
    tokens = [
        w.chain.deploy(w.project.HostileToken, active, False, False, by=w.operator)
        for _ in range(MOST)
    ]
    for token in tokens:
        w.escrow.admitToken(token, by=w.operator)
    entries = [(token, 2**64 - 1, ENTRY_ACTIVE) for token in tokens]
    receipt = w.escrow.setAcceptances(w.shop.id, entries, by=w.acquirer)
    assert len(receipt.events) == MOST
    assert receipt.gas_used < HALF_A_BLOCK
