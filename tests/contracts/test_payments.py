"""docs/payments.md, row by row: every verb in every state, and every refusal of every verb."""

from dataclasses import replace

import pytest

from scripts.rules.payments import DIRECTORY, MOMENTS, TRANSITIONS, VERBS
from scripts.rules.statuses import ALLOWED
from tael.typed_data import authorize_consent_digest, charge_consent_digest
from tests.contracts import opening
from tests.contracts.keys import Key
from tests.contracts.opening import consent
from tests.contracts.world import AMOUNT, DAY, STATIC_LIMIT

HALF = AMOUNT // 2
BIG = STATIC_LIMIT + 1

# Every state, every moment, every verb


def bring_about(w, state):
    """A payment in this state."""
    payment = w.new_payment()
    if state == "unknown":
        return payment
    if state in ("charged", "refunded in part", "refunded"):
        w.charge(payment)
    else:
        w.authorize(payment)
    if state == "captured":
        w.capture(payment, AMOUNT)
    elif state.startswith("captured in part"):
        w.capture(payment, HALF)
    if state == "voided in part" or state.endswith("the rest voided"):
        w.void(payment, HALF)
    elif state == "voided or reclaimed":
        w.void(payment, AMOUNT)
    elif state.startswith("refunded"):
        w.refund(payment, AMOUNT if state == "refunded" else HALF)
    return payment


def as_much_as_there_is(w, payment, verb):
    """Function, arguments and sender of a verb on a payment."""
    _, captured, voided, *_ = w.escrow.paymentOf(payment.id)
    form = (payment.parties, payment.packed)
    calls = {
        "authorize": (payment.plain_form, w.issuer),
        "charge": (payment.plain_form, w.issuer),
        "capture": ((*form, AMOUNT - voided), w.acquirer),
        "void": ((*form, AMOUNT - captured), w.acquirer),
        "reclaim": (form, w.outsider),
        "refund": ((*form, captured), w.acquirer),
    }
    arguments, by = calls[verb]
    return getattr(w.escrow, verb), arguments, by


@pytest.mark.threat("C19")
@pytest.mark.threat("C20")
@pytest.mark.threat("C22")
@pytest.mark.threat("C24")
@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("state", TRANSITIONS)
def test_verbs_do_what_the_table_says_when(w, state, moment):
    payment = bring_about(w, state)
    terms = payment.terms
    w.at(
        {
            "open": w.now,
            "held": terms.authorize_before,
            "over": terms.capture_before,
            "closed": terms.refund_before,
        }[moment]
    )
    for verb, outcomes in TRANSITIONS[state].items():
        function, arguments, by = as_much_as_there_is(w, payment, verb)
        if outcomes[moment] == ALLOWED:
            before, snapshot = w.books(), w.node.snapshot()
            function(*arguments, by=by)
            changed = w.changes(before)
            assert any(key.startswith("payment.") for key in changed), verb
            assert not any(key.startswith(("neighbour", "sibling", "abroad")) for key in changed)
            w.node.revert(snapshot)
        else:
            assert function.refusal(*arguments, by=by).name == outcomes[moment], verb


# Every refusal of every verb

FIRST_CASE = {
    "PaymentExists": "same_terms_authorized_before",
    "AmountZero": "amount_zero",
    "InterchangeTooHigh": "interchange_one_above_the_cap",
    "AuthorizeTooLate": "authorize_before_is_now",
    "DeadlinesInvalid": "hold_one_second_too_long",
    "CardNotActive": "card_blocked",
    "CardPaymentLimitExceeded": "amount_one_above_the_payment_limit",
    "CardDayLimitExceeded": "day_limit_passed_by_one",
    "MerchantNotOfAcquirer": "merchant_unknown",
    "MerchantNotActive": "merchant_blocked",
    "DynamicCodeMissing": "no_code_one_above_the_static_limit",
    "CardSignatureInvalid": "signed_by_another_card",
}
OPENING = ("authorize", "authorizeWith", "authorizeMany", "charge", "chargeWith")


def dirty(payment):
    """The payment with a bit set that belongs to no term."""
    changed = replace(payment)
    changed.card = payment.card
    changed.packed = (*payment.packed[:3], payment.packed[3][:31] + b"\x01")
    return changed


def opening_payment(w, error):
    """A payment that runs into an error when it is opened."""
    if error in FIRST_CASE:
        return opening.REFUSALS[FIRST_CASE[error]](w)[0]
    if error == "TermsNotCanonical":
        return dirty(w.new_payment())
    if error.startswith("DynamicCode"):
        return w.new_payment(amount=BIG)
    if error == "TokenNotAdmitted":
        return w.new_payment(token=w.outsider)
    if error in ("InsufficientAvailable", "AvailableTooLow"):
        most = 2**64 - 1
        w.set_card(w.issuer, w.card, payment_limit=most, day_limit=most)
        w.escrow.setAcceptances(w.shop.id, [(w.cny, most, 1)], by=w.acquirer)
        return w.new_payment(amount=w.cny.availableOf(w.issuer) * 2)
    return w.new_payment()


def opening_call(w, verb, error):
    payment = opening_payment(w, error)
    code = w.code(payment) if payment.amount > STATIC_LIMIT else None
    if error == "DynamicCodeExpired":
        code = w.code(payment, expires_at=w.now)
    elif error == "DynamicCodeAmountAbove":
        code = w.code(payment, amount=payment.amount + 1)
    elif error == "DynamicCodeSignatureInvalid":
        code = w.code(payment, signer=Key("another till"))
    codes = [] if code is None or error == "DynamicCodeMissing" else [code]
    digest = charge_consent_digest if verb == "chargeWith" else authorize_consent_digest
    consents = []
    if error == "ConsentExpired":
        consents = [consent(w, payment, digest=digest, valid_before=w.now)]
    elif error == "ConsentSignatureInvalid":
        consents = [(w.issuer, w.now + 9, bytes(65))]
    elif error == "ConsentsTooMany":
        consents = [consent(w, payment, digest=digest)] * 2
    by = w.outsider if error == "NotPermitted" else w.issuer
    if verb == "authorizeMany":
        count = 201 if error == "BatchSizeInvalid" else 1
        items = [payment.item(len(codes))] * count
        return w.escrow.authorizeMany, (payment.parties, items, codes), by
    if verb.endswith("With"):
        return getattr(w.escrow, verb), payment.full_form(codes, consents), by
    return getattr(w.escrow, verb), payment.plain_form, by


def later_call(w, verb, error):
    payment = w.new_payment(amount=400, interchange_bps=150)
    total = 400
    if error != "PaymentUnknown":
        w.charge(payment) if verb == "refund" else w.authorize(payment)
    if verb == "reclaim" and error != "ReclaimTooEarly":
        w.at(payment.terms.capture_before)
    if error in ("CaptureRepeated", "VoidRepeated", "RefundRepeated"):
        total = 0
    elif error in ("CaptureTooLarge", "VoidTooLarge", "RefundTooLarge"):
        total = 401
    elif error == "CaptureBelowFees":
        w.capture(payment, 399)
    elif error == "CaptureTooLate":
        w.at(payment.terms.capture_before)
    elif error == "RefundTooLate":
        w.at(payment.terms.refund_before)
    elif error == "ReclaimEmpty":
        w.void(payment, 400)
    elif error == "InsufficientAvailable":
        w.cny.transfer(w.scheme, w.cny.availableOf(w.acquirer), by=w.acquirer)
    if error == "TermsNotCanonical":
        payment = dirty(payment)
    by = w.outsider if error == "NotPermitted" or verb == "reclaim" else w.acquirer
    if verb == "captureMany":
        items = [(payment.packed, total)] * (0 if error == "BatchSizeInvalid" else 1)
        return w.escrow.captureMany, (payment.parties, items), by
    if verb == "reclaim":
        return w.escrow.reclaim, (payment.parties, payment.packed), by
    return getattr(w.escrow, verb), (payment.parties, payment.packed, total), by


def call(w, verb, error):
    function, arguments, by = (opening_call if verb in OPENING else later_call)(w, verb, error)
    if error == "TokenPaused":
        w.cny.pause(by=w.operator)
    elif error == "ModuleNotAdmitted":
        w.cny.cutOffModule(w.escrow, by=w.operator)
    elif error == "AccountNotActive":
        w.cny.suspend(w.acquirer if verb == "refund" else w.issuer, bytes(32), by=w.operator)
    elif error == "AccountCannotReceive":
        w.cny.close(w.acquirer, by=w.operator)
    return function, arguments, by


@pytest.mark.parametrize(
    ("verb", "error"), [(verb.function, error) for verb in VERBS for error in verb.refusals]
)
def test_verb_is_refused_by_the_name_the_table_gives_when(w, verb, error):
    function, arguments, by = call(w, verb, error)
    assert function.refusal(*arguments, by=by).name == error


@pytest.mark.parametrize(
    ("verb", "error"), [(verb.function, error) for verb in VERBS for error in verb.skips]
)
def test_item_is_skipped_by_the_name_the_table_gives_when(w, verb, error):
    function, arguments, by = call(w, verb, error)
    receipt = function(*arguments, by=by)
    assert [each.name for each in receipt.events] == ["PaymentSkipped"]
    assert w.chain.decode_refusal(receipt.events[0].fields["refusal"]).name == error


def directory_call(w, verb, error):
    entry = (w.outsider if error == "TokenNotAdmitted" else w.cny, 1)
    status = 0 if error == "StatusInvalid" else 1
    count = 257 if error == "EntriesTooMany" else 1
    stranger = error == "NotPermitted"
    if error == "ParticipantNotActive":
        who = w.issuer if verb == "setCards" else w.acquirer
        w.cny.suspend(who, bytes(32), by=w.operator)
    if verb == "setDelegate":
        return (w.delegate, 128), w.issuer
    if verb == "admitToken":
        token = w.new_token("JPY", 392, 0) if error == "SchemeAccountMissing" else w.cny
        return (token,), w.outsider if error == "AccessManagedUnauthorized" else w.operator
    if verb == "setMerchant":
        signer = "0x" + "00" * 20 if error == "MerchantSignerInvalid" else w.card
        return (
            (w.acquirer, bytes(32), signer, 1, bytes(32)),
            w.outsider if stranger else w.acquirer,
        )
    if verb == "setAcceptances":
        merchant = bytes(32) if error == "MerchantUnknown" else w.shop.id
        entries = [(*entry, status)] * count
        return (merchant, entries), w.outsider if stranger else w.acquirer
    card = "0x" + "00" * 20 if error == "CardInvalid" else w.card
    entries = [(card, *entry, 1, status)] * count
    return (w.issuer, entries), w.outsider if stranger else w.issuer


@pytest.mark.parametrize(
    ("verb", "error"), [(verb.function, error) for verb in DIRECTORY for error in verb.refusals]
)
def test_directory_refuses_by_the_name_the_table_gives_when(w, verb, error):
    arguments, by = directory_call(w, verb, error)
    assert getattr(w.escrow, verb).refusal(*arguments, by=by).name == error


# The table is whole

FROM_THE_TOKEN = {
    "TokenPaused",
    "ModuleNotAdmitted",
    "AccountNotActive",
    "AccountCannotReceive",
    "InsufficientAvailable",
}
OF_THE_CONSTRUCTOR = {"SharesInvalid", "SchemeAccountInvalid"}
# Of OpenZeppelin's parents: what is restricted and delayed, and names too long for a word.
OF_PARENTS = {
    "AccessManagedInvalidAuthority",
    "AccessManagedRequiredDelay",
    "InvalidShortString",
    "StringTooLong",
}


def test_table_has_every_error_when_compared_with_the_abi(project):
    declared = {e["name"] for e in project.PaymentEscrow.abi if e["type"] == "error"}
    rows = [*VERBS, *DIRECTORY]
    named = {error for verb in rows for error in (*verb.refusals, *verb.skips)}
    assert named - FROM_THE_TOKEN == declared - OF_THE_CONSTRUCTOR - OF_PARENTS


def test_table_has_every_verb_when_compared_with_the_abi(project):
    declared = {
        e["name"]
        for e in project.PaymentEscrow.abi
        if e["type"] == "function" and e["stateMutability"] == "nonpayable"
    }
    named = {verb.function for verb in (*VERBS, *DIRECTORY)}
    assert named == declared - {"setAuthority"}


def test_refusals_come_in_the_tables_order_when_two_apply(w):
    """A payment that everything is wrong with, mended one error after the other."""
    order = [e for e in VERBS[0].refusals if e in FIRST_CASE and e != "PaymentExists"]
    now = w.now
    wrong = {
        "InterchangeTooHigh": {"interchange_bps": 301},
        "AuthorizeTooLate": {"authorize_before": now},
        "DeadlinesInvalid": {"capture_before": now + 40 * DAY},
        "CardNotActive": {"card": Key("stranger")},
        "CardPaymentLimitExceeded": {"amount": 300_000},
        "CardDayLimitExceeded": {"amount": 99_999},
        "MerchantNotOfAcquirer": {"merchant": w.other_shop},
        "DynamicCodeMissing": {"amount": BIG},
    }
    w.set_card(w.issuer, w.card, day_limit=w.sibling.amount + 99_998)
    for index, error in enumerate(order):
        if error in ("AmountZero", "MerchantNotActive", "CardSignatureInvalid"):
            continue
        changes = {}
        for later in reversed(order[index:]):
            if isinstance(wrong.get(later), dict):
                changes |= wrong[later]
        payment = w.new_payment(**changes)
        payment.card = w.second_card  # whose signature is not asked for, until all else is right
        assert w.escrow.authorize.refusal(*payment.plain_form, by=w.issuer).name == error
