"""docs/statuses.md, cell by cell: which function does what in which state."""

import pytest
from eth_utils import keccak

from scripts.rules.statuses import ALLOWED, IMPOSSIBLE, NO_PARTY, STATES, STATUSES
from scripts.tables import documents
from tael.typed_data import permit_digest
from tests.contracts.chain import signature_of
from tests.contracts.keys import Key
from tests.contracts.opening import consent
from tests.contracts.transfers import authorization, cancellation
from tests.contracts.world import AMOUNT, CHARGE, FROM_AVAILABLE, FROM_HOLD

ROWS = {row.key: row for row in STATUSES}
REASON = bytes(32)
CELLS = [
    (key, state)
    for key, row in ROWS.items()
    for state in ("", *STATES)
    if state == "" or row.cells[state] not in (NO_PARTY, IMPOSSIBLE)
]

# Who stands for the parties of each row. The other issuer and the scheme can be closed: nothing of
# theirs is held but what a test puts there.
DEBTOR, CREDITOR = "other_acquirer", "scheme"


def token_form(w, row):
    """Function, arguments and sender of a call that goes through, after what it needs."""
    debtor, creditor = w.actors[DEBTOR], w.actors[CREDITOR]
    token = w.cny
    name = row.function
    moves = {"sender": debtor, "to": creditor}
    vrs = "vrs" if row.last.startswith("uint8") else "bytes65"
    if name in ("holdFunds", "releaseHold", "executeHold", "pay", "payBack", "settleNet"):
        token.admitModule(w.module, by=w.operator)
        if name in ("releaseHold", "executeHold") or row.variant == "from hold":
            token.holdFunds(debtor, 50, by=w.module)
    low, high = sorted(((debtor, -7), (creditor, 7)), key=lambda each: int(each[0].address, 16))
    net = ([low[0], high[0]], [low[1], high[1]])
    source = FROM_HOLD if row.variant == "from hold" else FROM_AVAILABLE
    until = w.now + 60
    permitted = permit_digest(
        w.token_domain(token), debtor.address, w.outsider.address, 5, 0, until
    )
    if name == "transferFrom":
        token.approve(w.outsider, 5, by=debtor)
    if name == "unpause":
        token.pause(by=w.operator)
    if name == "reinstate":
        token.suspend(debtor, REASON, by=w.operator)
    if name == "cutOffModule":
        token.admitModule(w.module, by=w.operator)
    if name == "setAuthority":
        successor = w.chain.deploy(w.project.Governance, w.operator, by=w.operator)
        return w.governance.updateAuthority, (token, successor), w.operator
    transfer = "transferWithAuthorization"
    receive = "receiveWithAuthorization"
    forms = {
        "transfer": ((creditor, 5), debtor),
        "transferFrom": ((debtor, creditor, 5), w.outsider),
        "approve": ((w.outsider, 5), debtor),
        "permit": ((debtor, w.outsider, 5, until, *debtor.sign(permitted).vrs), w.outsider),
        transfer: (authorization(w, transfer, **moves).arguments(w, vrs), w.outsider),
        receive: (authorization(w, receive, **moves).arguments(w, vrs), creditor),
        "cancelAuthorization": (
            cancellation(w, vrs, authorizer=debtor, signer=debtor),
            w.outsider,
        ),
        "admit": ((w.newcomer,), w.operator),
        "suspend": ((debtor, REASON), w.operator),
        "reinstate": ((debtor,), w.operator),
        "close": ((debtor,), w.operator),
        "forceTransfer": ((debtor, creditor, 5, REASON), w.operator),
        "attest": ((1, REASON, until), w.operator),
        "issue": ((creditor, 5, keccak(text="status")), w.operator),
        "redeem": ((5, REASON), debtor),
        "pause": ((), w.operator),
        "unpause": ((), w.operator),
        "admitEscrow": ((w.outsider,), w.operator),
        "admitModule": ((w.other_module,), w.operator),
        "cutOffModule": ((w.module,), w.operator),
        "holdFunds": ((debtor, 5), w.module),
        "releaseHold": ((debtor, 5), w.module),
        "executeHold": ((debtor, creditor, 5, creditor, 1, 1), w.module),
        "pay": ((debtor, creditor, 5, creditor, 0), w.module),
        "payBack": ((debtor, creditor, 5), w.module),
        "settleNet": ((*net, source), w.module),
    }
    arguments, by = forms[name]
    return getattr(token, name), arguments, by


def escrow_form(w, row):
    """The same for the escrow's verbs: an issuer and an acquirer of which nothing else is held."""
    escrow, name = w.escrow, row.function
    refunding = name == "refund"
    issuer = w.actors[CREDITOR if refunding else DEBTOR]
    acquirer = w.actors[DEBTOR if refunding else CREDITOR]
    shop = w.new_merchant(acquirer, "status shop")
    card = Key("status card")
    w.set_card(issuer, card)
    payment = w.new_payment(issuer=issuer, acquirer=acquirer, merchant=shop, card=card)
    form = (payment.parties, payment.packed)
    if name in ("capture", "captureMany", "void", "reclaim"):
        w.authorize(payment)
        if name == "reclaim":
            w.at(payment.terms.capture_before)
    elif refunding:
        w.charge(payment)
    status = 2 if row.variant == "blocking" else 1
    if name == "setAuthority":
        successor = w.chain.deploy(w.project.Governance, w.operator, by=w.operator)
        return w.governance.updateAuthority, (escrow, successor), w.operator
    if name == "admitToken":
        new = w.new_token("JPY", 392, 0)
        new.admit(w.scheme, by=w.operator)
        return escrow.admitToken, (new,), w.operator
    forms = {
        "authorize": (payment.plain_form, issuer),
        "authorizeWith": (
            payment.full_form(consents=[consent(w, payment, signer=issuer)]),
            w.outsider,
        ),
        "authorizeMany": ((payment.parties, [payment.item()], []), issuer),
        "charge": (payment.plain_form, issuer),
        "chargeWith": (payment.full_form(), issuer),
        "capture": ((*form, AMOUNT), acquirer),
        "captureMany": ((payment.parties, [(payment.packed, AMOUNT)]), acquirer),
        "void": ((*form, AMOUNT), acquirer),
        "reclaim": (form, w.outsider),
        "refund": ((*form, AMOUNT), acquirer),
        "setDelegate": ((w.delegate, CHARGE), w.actors[DEBTOR]),
        "setMerchant": ((issuer, REASON, card, 1, REASON), issuer),
        "setCards": ((issuer, [(card, w.cny, 1, 1, status)]), issuer),
    }
    if name == "setAcceptances":
        own = w.new_merchant(issuer, "own shop")
        return escrow.setAcceptances, (own.id, [(w.cny, 1, status)]), issuer
    arguments, by = forms[name]
    return getattr(escrow, name), arguments, by


def bring_about(w, row, state):
    """Put the world into a state."""
    if state == "paused":
        if row.function != "unpause":
            w.cny.pause(by=w.operator)
    elif state == "cut_off":
        if row.contract == "PaymentEscrow" or row.function == "admitEscrow":
            w.cny.cutOffModule(w.escrow, by=w.operator)
        elif row.function == "admitModule":
            w.cny.admitModule(w.other_module, by=w.operator)
            w.cny.cutOffModule(w.other_module, by=w.operator)
        else:
            w.cny.cutOffModule(w.module, by=w.operator)
    elif state:
        party, _, status = state.partition("_")
        who = w.actors[DEBTOR if party == "debtor" else CREDITOR]
        if row.function == "admit":
            who = w.newcomer
            w.cny.admit(who, by=w.operator)
        if status == "closed":
            w.cny.close(who, by=w.operator)
        elif row.function != "reinstate":
            w.cny.suspend(who, REASON, by=w.operator)


@pytest.mark.threat("C46")
@pytest.mark.threat("C17")
@pytest.mark.threat("C18")
@pytest.mark.parametrize(
    ("key", "state"), CELLS, ids=[f"{key} when {state or 'nothing'}" for key, state in CELLS]
)
def test_function_does_what_the_table_says_when(w, key, state):
    row = ROWS[key]
    build = token_form if row.contract == "SettlementToken" else escrow_form
    function, arguments, by = build(w, row)
    bring_about(w, row, state)
    expected = row.cells[state] if state else ALLOWED
    if expected == ALLOWED:
        function(*arguments, by=by)
    else:
        assert function.refusal(*arguments, by=by).name == expected


IMPOSSIBLE_ROWS = [key for key, row in ROWS.items() if row.cells["debtor_closed"] == IMPOSSIBLE]


@pytest.mark.threat("C46")
@pytest.mark.parametrize("key", IMPOSSIBLE_ROWS)
def test_state_cannot_occur_when_the_table_says_never(w, key):
    row = ROWS[key]
    build = token_form if row.contract == "SettlementToken" else escrow_form
    build(w, row)
    found = w.cny.close.refusal(w.actors[DEBTOR], by=w.operator)
    assert found.name == "AccountHoldsOpen"


@pytest.mark.threat("C46")
@pytest.mark.parametrize("contract", ["SettlementToken", "PaymentEscrow"])
def test_table_has_every_function_when_compared_with_the_abi(project, contract):
    declared = {
        signature_of(entry)
        for entry in getattr(project, contract).abi
        if entry["type"] == "function" and entry["stateMutability"] not in ("view", "pure")
    }
    rows = [row for row in STATUSES if row.contract == contract]
    covered = {
        signature
        for signature in declared
        for row in rows
        if signature.startswith(f"{row.function}(") and signature.endswith(f"{row.last})")
    }
    assert declared - covered == set()
    names = {signature.partition("(")[0] for signature in declared}
    assert {row.function for row in rows} - names == set()


@pytest.mark.parametrize("document", documents(), ids=lambda path: path.name)
def test_document_is_up_to_date_when_compared_with_its_table(document):
    assert document.read_text(encoding="utf-8") == documents()[document]
