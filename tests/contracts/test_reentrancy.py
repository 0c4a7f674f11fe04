"""Re-entrancy: strangers are only asked for signatures, statically, before anything is written."""

import pytest
from eth_utils import keccak

from scripts.rules.statuses import STATUSES
from tael.typed_data import permit_digest
from tests.contracts.entries import ENTRIES, in_form, stage
from tests.contracts.keys import Key
from tests.contracts.transfers import authorization, cancellation
from tests.contracts.villains import reentrant_wallet, villain_wallet
from tests.contracts.world import ALL_VERBS, AMOUNT, FROM_AVAILABLE

ASKING = [name for name, entry in ENTRIES.items() if entry.asks_contracts]
INNER = sorted({f"{row.contract}.{row.function}" for row in STATUSES})
ADMIN = 0


@pytest.fixture
def scene(w):
    """A re-entrant wallet in every role: participant, bank, delegate, module, administrator."""
    wallet = reentrant_wallet(w)
    found = stage(w, wallet)
    w.governance.grantRole(ADMIN, wallet, 0, by=w.operator)
    w.cny.admitModule(wallet, by=w.operator)
    for bank in (w.issuer, w.acquirer):
        w.escrow.setDelegate(wallet, ALL_VERBS, by=bank)
    return found


def inner_call(scene, name):
    """Target and data of a call that the wallet may make, with all it needs prepared."""
    w, wallet = scene.world, scene.signer
    payment = w.new_payment("inner", amount=AMOUNT)
    form = (payment.parties, payment.packed)
    contract, _, function = name.partition(".")
    target = w.cny if contract == "SettlementToken" else w.escrow
    if contract == "PaymentEscrow" and function in ("capture", "captureMany", "void"):
        w.authorize(payment)
    elif function == "refund":
        w.charge(payment)
    elif function == "reclaim":
        payment = w.new_payment(
            "inner", authorize_before=w.now + 9, capture_before=w.now + 9, amount=AMOUNT
        )
        w.authorize(payment)
        w.at(payment.terms.capture_before)
        form = (payment.parties, payment.packed)
    low, high = sorted((wallet, w.scheme), key=lambda each: int(each.address, 16))
    net = ([low, high], [-1 if each is wallet else 1 for each in (low, high)], FROM_AVAILABLE)
    key = w.acquirer
    until = w.now + 60
    if function in ("releaseHold", "executeHold"):
        w.chain.send(
            wallet.address,
            wallet.execute.encode(w.cny, bytes.fromhex(w.cny.holdFunds.encode(wallet, 9)[2:])),
            w.operator,
        )
    elif function == "transferFrom":
        w.cny.approve(wallet, 9, by=w.issuer)
    elif function == "unpause":
        w.cny.pause(by=w.operator)
    elif function == "reinstate":
        w.cny.suspend(w.scheme, bytes(32), by=w.operator)
    permit = permit_digest(w.token_domain(w.cny), key.address, wallet.address, 5, 0, until)
    new_token = None
    if function == "admitToken":
        new_token = w.new_token("JPY", 392, 0)
        new_token.admit(w.scheme, by=w.operator)
    transfer, receive = "transferWithAuthorization", "receiveWithAuthorization"
    arguments = {
        "transfer": (w.scheme, 1),
        "transferFrom": (w.issuer, w.scheme, 1),
        "approve": (w.outsider, 1),
        "permit": (key, wallet, 5, until, *key.sign(permit).vrs),
        transfer: authorization(w, transfer, sender=key, to=w.scheme).arguments(w),
        receive: authorization(w, receive, sender=key, to=wallet).arguments(w),
        "cancelAuthorization": cancellation(w, authorizer=key, signer=key),
        "admit": (w.newcomer,),
        "suspend": (w.scheme, bytes(32)),
        "reinstate": (w.scheme,),
        "close": (w.scheme,),
        "forceTransfer": (w.issuer, w.scheme, 1, bytes(32)),
        "attest": (1, bytes(32), until),
        "issue": (w.issuer, 1, keccak(text="inner")),
        "redeem": (1, bytes(32)),
        "pause": (),
        "unpause": (),
        "admitEscrow": (w.outsider,),
        "admitModule": (w.module,),
        "cutOffModule": (w.escrow,),
        "holdFunds": (wallet, 1),
        "releaseHold": (wallet, 1),
        "executeHold": (wallet, w.scheme, 1, w.scheme, 0, 0),
        "pay": (wallet, w.scheme, 1, w.scheme, 0),
        "payBack": (wallet, w.scheme, 1),
        "settleNet": net,
        "authorize": payment.plain_form,
        "authorizeWith": payment.full_form(),
        "authorizeMany": (payment.parties, [payment.item()], []),
        "charge": payment.plain_form,
        "chargeWith": payment.full_form(),
        "capture": (*form, 5),
        "captureMany": (payment.parties, [(payment.packed, 5)]),
        "void": (*form, 5),
        "reclaim": form,
        "refund": (*form, 5),
        "setDelegate": (w.outsider, 1),
        "setMerchant": (wallet, bytes(32), w.card, 1, bytes(32)),
        "setAcceptances": (w.shop.id, [(w.cny, 1, 2)]),
        "setCards": (w.issuer, [(w.card, w.cny, 1, 1, 2)]),
        "admitToken": (new_token,),
    }
    if function == "setAuthority":
        successor = w.chain.deploy(w.project.Governance, wallet, by=w.operator)
        return w.governance, w.governance.updateAuthority.encode(target, successor)
    return target, getattr(target, function).encode(*arguments[function])


@pytest.mark.threat("C10")
@pytest.mark.threat("C12")
@pytest.mark.parametrize("inner", INNER)
def test_inner_call_fails_when_made_from_any_signature_check(scene, inner):
    w, wallet = scene.world, scene.signer
    target, data = inner_call(scene, inner)
    payload = bytes.fromhex(data[2:])
    # On its own the wallet may well do it: only the place it is done from is wrong.
    wallet.execute.read(target, payload, by=w.operator)
    anything = Key("x").sign(bytes(32))
    for expects_success in (True, False):
        wallet.plan(target, payload, expects_success, bytes(32), by=w.operator)
        for name in ASKING:
            entry = ENTRIES[name]
            function, arguments, by = entry.call(
                scene, in_form(entry, anything), lambda _: anything.bytes65
            )
            if expects_success:
                # It says no, because its call did not succeed.
                found = function.refusal(*arguments, by=by)
                assert "SignatureInvalid" in found.name or found.name == "InvalidSignature", name
            elif w.cny.paused() and not name.startswith("cancel"):
                assert function.refusal(*arguments, by=by).name == "TokenPaused", name
            else:
                # It agrees, because its call failed.
                function.read(*arguments, by=by)


@pytest.mark.threat("C11")
@pytest.mark.parametrize("name", [name for name in ASKING if name.startswith(("auth", "charge"))])
def test_views_show_the_state_before_when_looked_at_from_a_signature_check(scene, name):
    w, wallet, payment = scene.world, scene.signer, scene.payment
    looks = {
        "paymentOf": (w.escrow, w.escrow.paymentOf.encode(payment.id)),
        "spentToday": (w.escrow, w.escrow.spentToday.encode(w.issuer, wallet, w.cny)),
        "availableOf": (w.cny, w.cny.availableOf.encode(w.issuer)),
        "heldFor": (w.cny, w.cny.heldFor.encode(w.escrow, w.issuer)),
        "balanceOf": (w.cny, w.cny.balanceOf.encode(w.acquirer)),
    }
    entry = ENTRIES[name]
    anything = Key("x").sign(bytes(32)).bytes65
    for what, (target, data) in looks.items():
        before = w.chain.call(target.address, data, None)
        wallet.plan(target, bytes.fromhex(data[2:]), True, keccak(before), by=w.operator)
        function, arguments, by = entry.call(scene, anything, lambda _: anything)
        function.read(*arguments, by=by)  # it agrees only if it saw the same
        wallet.plan(target, bytes.fromhex(data[2:]), True, keccak(b"other"), by=w.operator)
        assert "SignatureInvalid" in function.refusal(*arguments, by=by).name, what


@pytest.mark.threat("C11")
@pytest.mark.parametrize(
    "name", [name for name in ASKING if name.startswith(("transfer", "receive", "cancel"))]
)
def test_token_views_show_the_state_before_when_looked_at_from_a_signature_check(scene, name):
    w, wallet = scene.world, scene.signer
    entry = ENTRIES[name]
    anything = in_form(entry, Key("x").sign(bytes(32)))
    for data in (w.cny.availableOf.encode(wallet), w.cny.balanceOf.encode(w.acquirer)):
        before = w.chain.call(w.cny.address, data, None)
        wallet.plan(w.cny, bytes.fromhex(data[2:]), True, keccak(before), by=w.operator)
        function, arguments, by = entry.call(scene, anything, lambda _: b"")
        function.read(*arguments, by=by)
        wallet.plan(w.cny, bytes.fromhex(data[2:]), True, keccak(b"other"), by=w.operator)
        assert function.refusal(*arguments, by=by).name == "InvalidSignature"


@pytest.mark.threat("C32")
def test_no_other_stranger_is_called_when_every_bank_is_a_contract_that_reverts(w):
    villain = villain_wallet(w, "Reverts")
    w.cny.admit(villain, by=w.operator)
    w.participants.append(villain)
    before = w.books()
    w.cny.transfer(villain, 5, by=w.issuer)
    w.cny.forceTransfer(villain, w.acquirer, 5, bytes(32), by=w.operator)
    assert w.changes(before) == {"CNY.issuer.available": -5, "CNY.acquirer.available": 5}
