"""Signatures on other chains, other deployments and accounts with delegated code."""

import pytest
from eth_account import Account
from eth_utils import keccak

from tael.testing import start_node
from tests.contracts.chain import Chain, Contract, refused
from tests.contracts.entries import ENTRIES, in_form, present, stage
from tests.contracts.keys import Key
from tests.contracts.villains import owned_wallet
from tests.contracts.world import ROLES, World

OTHER_CHAIN = 31_338


@pytest.fixture(scope="module")
def elsewhere(project, node):
    """The same deployment at the same addresses on another chain."""
    with start_node(
        node.kind, chain_id=OTHER_CHAIN, frozen_clock=True, accounts=len(ROLES)
    ) as other:
        yield World(other, project)


@pytest.mark.threat("C01")
@pytest.mark.parametrize("name", ENTRIES)
def test_entry_refuses_a_signature_when_it_was_made_for_another_chain(w, elsewhere, name):
    assert elsewhere.escrow.address == w.escrow.address
    assert elsewhere.cny.address == w.cny.address
    entry, key = ENTRIES[name], Key("everything")
    other = elsewhere
    snapshot = other.node.snapshot()
    participants, tracked = list(other.participants), dict(other.tracked)
    try:
        scene = stage(other, key)
        here = scene.domains()[entry.domain]
        foreign = type(here)(here.name, w.node.chain_id, here.contract)
        digests = scene.digests(scene.domains()["escrow"])

        def good(signed):
            return key.sign(digests[signed]).bytes65

        wrong = in_form(entry, key.sign(scene.digests(foreign)[entry.signed]))
        assert present(scene, entry, wrong, good) == entry.refusal(scene)
        right = in_form(entry, key.sign(scene.digests(here)[entry.signed]))
        assert present(scene, entry, right, good) is None
    finally:
        other.node.revert(snapshot)
        other.participants, other.tracked = participants, tracked


@pytest.mark.threat("C02")
def test_payment_is_refused_when_it_was_signed_for_another_deployment(w):
    second = w.new_escrow(label="second")
    w.cny.admitModule(second, by=w.operator)
    second.admitToken(w.cny, by=w.operator)
    second.setCards(w.issuer, [(w.card, w.cny, 10**6, 10**6, 1)], by=w.issuer)
    second.setMerchant(
        w.acquirer, keccak(text="salt shop"), w.shop.signer, 1, bytes(32), by=w.acquirer
    )
    second.setAcceptances(w.shop.id, [(w.cny, 10**6, 1)], by=w.acquirer)
    payment = w.new_payment()
    there = second.paymentId(payment.parties, payment.packed)
    assert there != payment.id
    found = second.authorize.refusal(*payment.plain_form, by=w.issuer)
    assert found == refused("CardSignatureInvalid", there, w.card)
    signature = w.card.sign(there).compact
    second.authorize(signature, payment.parties, payment.packed, by=w.issuer)
    w.authorize(payment)


@pytest.fixture(scope="module")
def anvil(project):
    """An Anvil of its own, whose state is then carried over to another chain id."""
    with start_node("anvil", frozen_clock=True, accounts=len(ROLES)) as running:
        yield World(running, project)


@pytest.mark.slow
@pytest.mark.threat("C01")
def test_domain_follows_the_chain_id_when_the_chain_forks(anvil):
    original = anvil
    payment = original.new_payment("before the fork")
    state = original.node.rpc("anvil_dumpState")
    with start_node(
        "anvil", chain_id=OTHER_CHAIN, frozen_clock=True, accounts=len(ROLES)
    ) as forked:
        forked.rpc("anvil_loadState", state)
        forked.mine(timestamp=original.now + 1)
        chain = Chain(forked, [original.cny.abi, original.escrow.abi])
        escrow = Contract(chain, original.escrow.address, original.escrow.abi, "escrow")
        token = Contract(chain, original.cny.address, original.cny.abi, "CNY")
        for contract, domain in (
            (escrow, original.domain),
            (token, original.token_domain(original.cny)),
        ):
            moved = type(domain)(domain.name, OTHER_CHAIN, domain.contract)
            fields = contract.eip712Domain()
            assert fields[1:5] == (domain.name, "1", OTHER_CHAIN, contract.address)
            if contract is token:
                assert token.DOMAIN_SEPARATOR() == moved.separator != domain.separator
            else:
                found = escrow.paymentId(payment.parties, payment.packed)
                assert found == payment.terms.payment_id(moved)
        found = escrow.authorize.refusal(*payment.plain_form, by=original.issuer)
        forked_id = escrow.paymentId(payment.parties, payment.packed)
        assert found == refused("CardSignatureInvalid", forked_id, original.card)
        signature = original.card.sign(forked_id).compact
        escrow.authorize(signature, payment.parties, payment.packed, by=original.issuer)
    assert original.cny.DOMAIN_SEPARATOR() == original.token_domain(original.cny).separator


@pytest.mark.threat("C09")
def test_card_is_refused_cleanly_when_its_wallet_is_not_deployed(w):
    undeployed = Key("a wallet of tomorrow")
    w.set_card(w.issuer, undeployed)
    payment = w.new_payment(card=undeployed)
    # ERC-6492 wraps what would deploy the wallet around the signature: it is no signature here.
    wrapped = bytes(96) + payment.signed.bytes65 + bytes.fromhex("6492" * 16)
    form = payment.full_form(card_signature=wrapped)
    found = w.escrow.authorizeWith.refusal(*form, by=w.issuer)
    assert found == refused("CardSignatureInvalid", payment.id, undeployed)


@pytest.mark.slow
@pytest.mark.threat("C09")
def test_account_signs_both_ways_when_its_key_delegated_to_a_contract(project):
    """EIP-7702: the key still counts by itself, and what its code says counts too."""
    with start_node("anvil", hardfork="prague", frozen_clock=True, accounts=len(ROLES)) as running:
        world = World(running, project)
        helper = Key("helper")
        wallet = owned_wallet(world, helper)
        card = Key("card with code")
        authorization = Account.sign_authorization(
            {"chainId": running.chain_id, "address": wallet.address, "nonce": 0}, card.private
        )
        transaction = {
            "chainId": running.chain_id,
            "nonce": int(
                running.rpc("eth_getTransactionCount", world.outsider.address, "latest"), 16
            ),
            "to": card.address,
            "value": 0,
            "gas": 200_000,
            "maxFeePerGas": 100 * 10**9,
            "maxPriorityFeePerGas": 0,
            "authorizationList": [authorization],
            "type": 4,
        }
        raw = Account.sign_transaction(transaction, world.outsider.private).raw_transaction
        world.chain.wait(running.rpc("eth_sendRawTransaction", "0x" + raw.hex()))
        code = running.rpc("eth_getCode", card.address, "latest")
        assert code == "0xef0100" + wallet.address[2:].lower()

        world.set_card(world.issuer, card)
        own, delegated = world.new_payment("own", card=card), world.new_payment("code", card=card)
        world.authorize(own)
        form = delegated.full_form(card_signature=helper.sign(delegated.id).bytes65)
        world.escrow.authorizeWith(*form, by=world.issuer)
        third = world.new_payment("third", card=card)
        form = third.full_form(card_signature=Key("stranger").sign(third.id).bytes65)
        found = world.escrow.authorizeWith.refusal(*form, by=world.issuer)
        assert found == refused("CardSignatureInvalid", third.id, card)
