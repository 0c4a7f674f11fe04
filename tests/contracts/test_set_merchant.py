"""setMerchant: registers a merchant, or changes its key, category or name."""

import pytest
from eth_abi import encode
from eth_utils import keccak

from tests.contracts.chain import refused
from tests.contracts.keys import Key
from tests.contracts.world import ALL_VERBS, MERCHANTS

COMMITMENT = keccak(text="salt and reference")
NAME = keccak(text="name")
ZERO = "0x" + "00" * 20


@pytest.mark.parametrize("caller", ["outsider", "other_acquirer", "delegate", "operator"])
def test_set_merchant_is_refused_when_the_caller_may_not_act_for_the_acquirer(w, caller):
    by = w.actors[caller]
    arguments = (w.acquirer, COMMITMENT, Key("till"), 5411, NAME)
    expected = refused("NotPermitted", by, w.acquirer, MERCHANTS)
    assert w.escrow.setMerchant.refusal(*arguments, by=by) == expected


def test_set_merchant_is_refused_when_the_delegate_has_every_other_verb(w):
    w.escrow.setDelegate(w.delegate, ALL_VERBS - MERCHANTS, by=w.acquirer)
    arguments = (w.acquirer, COMMITMENT, Key("till"), 5411, NAME)
    expected = refused("NotPermitted", w.delegate, w.acquirer, MERCHANTS)
    assert w.escrow.setMerchant.refusal(*arguments, by=w.delegate) == expected


@pytest.mark.threat("C06")
def test_set_merchant_is_refused_when_the_signer_is_nobody(w):
    merchant = w.escrow.merchantId(w.acquirer, COMMITMENT)
    found = w.escrow.setMerchant.refusal(w.acquirer, COMMITMENT, ZERO, 5411, NAME, by=w.acquirer)
    assert found == refused("MerchantSignerInvalid", merchant)


@pytest.mark.parametrize("caller", ["acquirer", "delegate"])
def test_set_merchant_registers_when_the_acquirer_or_its_delegate_sends_it(w, caller):
    w.escrow.setDelegate(w.delegate, MERCHANTS, by=w.acquirer)
    till = Key("till")
    merchant = keccak(encode(["address", "bytes32"], [w.acquirer.address, COMMITMENT]))
    arguments = (w.acquirer, COMMITMENT, till, 5411, NAME)
    assert w.escrow.setMerchant.read(*arguments, by=w.actors[caller]) == merchant
    assert w.escrow.merchantId(w.acquirer, COMMITMENT) == merchant
    before = w.books()
    receipt = w.escrow.setMerchant(*arguments, by=w.actors[caller])
    assert w.escrow.merchantOf(merchant) == (w.acquirer.address, 5411, till.address, NAME)
    assert w.changes(before) == {}
    expected = {"acquirer": w.acquirer, "signer": till, "categoryCode": 5411, "nameHash": NAME}
    assert receipt.events == [w.escrow.event("MerchantSet", merchant=merchant, **expected)]


def test_set_merchant_changes_an_entry_when_it_is_there_already(w):
    old = w.escrow.merchantOf(w.shop.id)
    commitment = keccak(text="salt shop")
    w.escrow.setMerchant(w.acquirer, commitment, w.outsider, 9_999, NAME, by=w.acquirer)
    new = w.escrow.merchantOf(w.shop.id)
    assert old != new == (w.acquirer.address, 9_999, w.outsider.address, NAME)
    # On what terms it takes a currency stays.
    assert w.escrow.acceptanceOf(w.shop.id, w.cny)[2] == 1


@pytest.mark.threat("C31")
def test_set_merchant_makes_another_merchant_when_another_acquirer_takes_the_same_commitment(w):
    commitment = keccak(text="salt shop")
    w.escrow.setMerchant(w.other_acquirer, commitment, w.outsider, 1, NAME, by=w.other_acquirer)
    assert w.escrow.merchantOf(w.shop.id)[0] == w.acquirer.address
    squatted = w.escrow.merchantId(w.other_acquirer, commitment)
    assert squatted != w.shop.id
    assert w.escrow.merchantOf(squatted)[0] == w.other_acquirer.address
