"""Signatures: one type serves one verb of one contract; no edge of ECDSA or ERC-1271 passes."""

import pytest

from tael.testing import NodeError
from tests.contracts.entries import ENTRIES, in_form, present, stage
from tests.contracts.keys import Key, spoiled
from tests.contracts.villains import VILLAINIES, owned_wallet, villain_wallet
from tests.contracts.world import CHARGE

EVERY = pytest.mark.parametrize("name", ENTRIES)
ASKING = pytest.mark.parametrize(
    "name", [name for name, entry in ENTRIES.items() if entry.asks_contracts]
)
OF_BYTES = pytest.mark.parametrize(
    "name", [name for name, entry in ENTRIES.items() if entry.form == "bytes"]
)
NOT_ASKING = pytest.mark.parametrize(
    "name", [name for name, entry in ENTRIES.items() if not entry.asks_contracts]
)
ZERO = "0x" + "00" * 20


def good_ones(scene, key):
    digests = scene.digests(scene.domains()["escrow"])
    return lambda signed: key.sign(digests[signed]).bytes65


@pytest.mark.threat("C02")
@pytest.mark.threat("C03")
@EVERY
def test_entry_takes_its_own_message_and_no_other_when_all_are_tried(w, name):
    entry, key = ENTRIES[name], Key("everything")
    scene = stage(w, key)
    accepted = []
    for place, domain in scene.domains().items():
        for signed, digest in scene.digests(domain).items():
            found = present(scene, entry, in_form(entry, key.sign(digest)), good_ones(scene, key))
            if found is None:
                accepted.append((place, signed))
            else:
                assert found == entry.refusal(scene), (place, signed)
    assert accepted == [(entry.domain, entry.signed)]


def own_digest(scene, entry):
    return scene.digests(scene.domains()[entry.domain])[entry.signed]


@pytest.mark.threat("C05")
@EVERY
def test_entry_is_refused_when_a_signature_is_spoiled(w, name):
    entry, key = ENTRIES[name], Key("everything")
    scene = stage(w, key)
    good = key.sign(own_digest(scene, entry))
    assert present(scene, entry, in_form(entry, good), good_ones(scene, key)) is None
    for what, signature in spoiled(good):
        if entry.form == "compact" and signature.compact == good.compact:
            continue  # ERC-2098 has no room for this mistake
        found = present(scene, entry, in_form(entry, signature), good_ones(scene, key))
        assert found == entry.refusal(scene), what


@pytest.mark.threat("C05")
@OF_BYTES
def test_entry_is_refused_when_a_signature_has_another_length(w, name):
    entry, key = ENTRIES[name], Key("everything")
    scene = stage(w, key)
    signature = key.sign(own_digest(scene, entry))
    for right in (signature.bytes65, signature.bytes64):
        assert present(scene, entry, right, good_ones(scene, key)) is None
    wrong = {
        "nothing": b"",
        "63": signature.bytes64[:63],
        "64 of 65": signature.bytes65[:64],
        "65 of 64": signature.bytes64 + b"\x00",
        "66": signature.bytes65 + b"\x00",
        "66 of 64": signature.bytes64 + b"\x00\x00",
        "twice": signature.bytes65 * 2,
        "zeros 64": bytes(64),
        "zeros 65": bytes(65),
    }
    for what, data in wrong.items():
        if data == signature.bytes64:
            continue  # v 27: the first 64 of 65 bytes are the compact form
        found = present(scene, entry, data, good_ones(scene, key))
        assert found == entry.refusal(scene), what


@pytest.mark.threat("C06")
@pytest.mark.parametrize("form", ["vrs", "bytes"])
@pytest.mark.parametrize(
    "verb", ["transferWithAuthorization", "receiveWithAuthorization", "cancelAuthorization"]
)
def test_nobodys_signature_is_refused_when_recovery_fails(w, verb, form):
    # A failed recovery gives no address, and nobody's address must not match it.
    tail = (27, bytes(32), bytes(32)) if form == "vrs" else (bytes(65),)
    if verb == "cancelAuthorization":
        arguments = (ZERO, bytes(32), *tail)
    else:
        arguments = (ZERO, w.acquirer, 0, 0, w.now + 60, bytes(32), *tail)
    found = getattr(w.cny, verb).refusal(*arguments, by=w.acquirer)
    assert (found.name, found.arguments) == ("InvalidSignature", (ZERO,))


# Contract accounts


@ASKING
def test_entry_takes_a_contract_account_when_its_owner_signed(w, name):
    entry, owner = ENTRIES[name], Key("owner")
    scene = stage(w, owned_wallet(w, owner))
    signature = in_form(entry, owner.sign(own_digest(scene, entry)))
    assert present(scene, entry, signature, good_ones(scene, owner)) is None
    other = in_form(entry, Key("another").sign(own_digest(scene, entry)))
    assert present(scene, entry, other, good_ones(scene, owner)) == entry.refusal(scene)


@NOT_ASKING
def test_entry_refuses_a_contract_account_when_it_asks_keys_only(w, name):
    entry, owner = ENTRIES[name], Key("owner")
    scene = stage(w, owned_wallet(w, owner))
    signature = in_form(entry, owner.sign(own_digest(scene, entry)))
    found = present(scene, entry, signature, good_ones(scene, owner))
    if name == "authorizeMany card":
        # Its till is a contract account too, and codes come first.
        assert found.name == "DynamicCodeSignatureInvalid"
    else:
        assert found == entry.refusal(scene)


@pytest.mark.threat("C07")
@pytest.mark.parametrize("villainy", VILLAINIES)
@ASKING
def test_entry_refuses_cleanly_when_the_contract_account_is_a_villain(w, name, villainy):
    entry = ENTRIES[name]
    villain = villain_wallet(w, villainy)
    scene = stage(w, villain)
    # Whoever else is asked first must not spoil the test: a villain in all roles, one place asked.
    function, arguments, by = entry.call(
        scene, in_form(entry, Key("x").sign(bytes(32))), lambda _: b""
    )
    before = w.books()
    found = function.refusal(*arguments, by=by)
    first_asked = {
        "authorizeWith": "ConsentSignatureInvalid",
        "chargeWith": "ConsentSignatureInvalid",
    }
    expected = first_asked.get(name.split()[0], entry.refusal(scene).name)
    assert found.name == expected
    assert w.changes(before) == {}


@pytest.mark.threat("C07")
@pytest.mark.parametrize("villainy", VILLAINIES)
@pytest.mark.parametrize("place", ["card", "code", "consent"])
def test_escrow_refuses_cleanly_when_one_of_three_signers_is_a_villain(w, place, villainy):
    owner = Key("owner")
    villain = villain_wallet(w, villainy)
    scene = stage(w, owner)
    payment = scene.payment
    signers = {"card": owner, "code": owner, "consent": owner, place: villain}
    w.set_card(w.issuer, signers["card"])
    w.escrow.setDelegate(signers["consent"], 1, by=w.issuer)
    shop = w.new_merchant(w.acquirer, "one villain", signer=signers["code"])
    payment = w.new_payment(
        "villainous", amount=payment.amount, card=signers["card"], merchant=shop
    )
    scene.payment = payment
    digests = scene.digests(w.domain)
    signature = {
        "card": owner.sign(digests["Terms"]).bytes65,
        "code": owner.sign(digests["DynamicCode"]).bytes65,
        "consent": owner.sign(digests["AuthorizeConsent"]).bytes65,
    }
    consents = (
        signature["card"],
        [(payment.amount, scene.until, signature["code"])],
        [(signers["consent"], scene.until, signature["consent"])],
    )
    arguments = (payment.parties, payment.packed, consents)
    found = w.escrow.authorizeWith.refusal(*arguments, by=w.outsider)
    errors = {
        "card": "CardSignatureInvalid",
        "code": "DynamicCodeSignatureInvalid",
        "consent": "ConsentSignatureInvalid",
    }
    assert found.name == errors[place]
    if villainy == "ChangesItsMind":
        villain.changeMind(True, by=w.operator)
        before = w.books()
        w.escrow.authorizeWith(*arguments, by=w.outsider)
        assert w.changes(before)["villainous.exists"] == 1
        # What it says afterwards changes nothing that was done.
        villain.changeMind(False, by=w.operator)
        w.capture(payment, payment.amount)
        again = w.escrow.authorizeWith.refusal(*arguments, by=w.outsider)
        assert again.name == ("ConsentSignatureInvalid" if place == "consent" else "PaymentExists")


@pytest.mark.threat("C07")
def test_authorization_is_used_once_when_the_contract_account_always_agrees(w):
    villain = villain_wallet(w, "ChangesItsMind")
    w.cny.admit(villain, by=w.operator)
    w.cny.transfer(villain, 100, by=w.issuer)
    arguments = (villain, w.acquirer, 10, 0, w.now + 60, bytes(32), b"whatever")
    villain.changeMind(True, by=w.operator)
    w.cny.transferWithAuthorization(*arguments, by=w.outsider)
    found = w.cny.transferWithAuthorization.refusal(*arguments, by=w.outsider)
    assert (found.name, found.arguments) == ("AuthorizationConsumed", (villain.address, bytes(32)))


@pytest.mark.threat("C07")
def test_signature_check_costs_little_when_the_contract_account_eats_all_gas(w):
    villain = villain_wallet(w, "EatsGas")
    function = w.cny.cancelAuthorization
    data = function.encode(villain, bytes(32), b"")
    # With 400,000 gas the refusal still comes back by its name.
    request = {"from": w.outsider.address, "to": w.cny.address, "data": data, "gas": hex(400_000)}
    with pytest.raises(NodeError) as caught:
        w.node.rpc("eth_call", request, "latest")
    found = w.chain.decode_refusal(bytes.fromhex(caught.value.data[2:]))
    assert (found.name, found.arguments) == ("InvalidSignature", (villain.address,))


@pytest.mark.threat("C08")
def test_one_owners_signature_serves_one_wallet_when_it_owns_two(w):
    owner = Key("owner")
    mine, yours = owned_wallet(w, owner), owned_wallet(w, owner)
    scene = stage(w, mine)
    for name in ("transferWithAuthorization bytes", "cancelAuthorization bytes"):
        entry = ENTRIES[name]
        signature = owner.sign(own_digest(scene, entry)).bytes65
        assert present(scene, entry, signature, good_ones(scene, owner)) is None
        function, arguments, by = entry.call(scene, signature, good_ones(scene, owner))
        found = function.refusal(yours, *arguments[1:], by=by)
        assert (found.name, found.arguments) == ("InvalidSignature", (yours.address,))


@pytest.mark.threat("C08")
def test_one_owners_terms_serve_one_card_when_it_owns_two(w):
    owner = Key("owner")
    mine, yours = owned_wallet(w, owner), owned_wallet(w, owner)
    for card in (mine, yours):
        w.set_card(w.issuer, card)
    first = w.new_payment("first", card=mine)
    second = w.new_payment("second", card=yours, uetr=first.terms.uetr)
    signature = owner.sign(first.id).bytes65
    w.escrow.authorizeWith(*first.full_form(card_signature=signature), by=w.issuer)
    form = second.full_form(card_signature=signature)
    found = w.escrow.authorizeWith.refusal(*form, by=w.issuer)
    assert (found.name, found.arguments) == ("CardSignatureInvalid", (second.id, yours.address))


@pytest.mark.threat("C05")
def test_payment_is_opened_once_when_its_signature_comes_in_three_forms(w):
    payment = w.new_payment()
    w.escrow.authorizeWith(*payment.full_form(card_signature=payment.signed.bytes64), by=w.issuer)
    for form in (payment.signed.bytes64, payment.signed.bytes65):
        found = w.escrow.authorizeWith.refusal(*payment.full_form(card_signature=form), by=w.issuer)
        assert (found.name, found.arguments) == ("PaymentExists", (payment.id,))
    w.escrow.setDelegate(w.delegate, CHARGE, by=w.issuer)
    found = w.escrow.charge.refusal(*payment.plain_form, by=w.delegate)
    assert found.name == "PaymentExists"
