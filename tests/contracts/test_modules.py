"""Modules: who may be one, and what one can do to accounts."""

import pytest

from tests.contracts.chain import Refusal, refused
from tests.contracts.world import AMOUNT, CLOSED, NONE, SUSPENDED

ZERO = "0x" + "00" * 20
MAX_UINT128 = 2**128 - 1


@pytest.fixture
def modules(w):
    """Two modules beside the escrow, each with a hold of the issuer's."""
    for module, amount in ((w.module, 1_000), (w.other_module, 500)):
        w.cny.admitModule(module, by=w.operator)
        w.cny.holdFunds(w.issuer, amount, by=module)
    return w


# Admission and cutting off


@pytest.mark.parametrize("verb", ["admitEscrow", "admitModule", "cutOffModule"])
def test_module_verbs_are_refused_when_the_caller_may_not(w, verb):
    found = getattr(w.cny, verb).refusal(w.module, by=w.issuer)
    assert found == refused("AccessManagedUnauthorized", w.issuer)


@pytest.mark.parametrize("verb", ["admitEscrow", "admitModule"])
def test_admission_is_refused_when_it_is_nobody(w, verb):
    found = getattr(w.cny, verb).refusal(ZERO, by=w.operator)
    assert found == refused("InvalidAccount", ZERO)


@pytest.mark.parametrize("verb", ["admitEscrow", "admitModule"])
@pytest.mark.parametrize("what", ["escrow", "module"])
def test_admission_is_refused_when_it_is_a_module_already(w, verb, what):
    w.cny.admitModule(w.module, by=w.operator)
    found = getattr(w.cny, verb).refusal(getattr(w, what), by=w.operator)
    assert found == refused("ModuleAlreadyAdmitted", getattr(w, what))


@pytest.mark.parametrize("who", ["zero", "module", "issuer"])
def test_cut_off_module_is_refused_when_it_is_no_module(w, who):
    address = ZERO if who == "zero" else w.actors[who].address
    found = w.cny.cutOffModule.refusal(address, by=w.operator)
    assert found == refused("ModuleNotAdmitted", address)


def test_admit_module_gives_rights_in_one_currency_when_sent(w):
    before = w.books()
    receipt = w.cny.admitModule(w.module, by=w.operator)
    assert (w.cny.isModule(w.module), w.hkd.isModule(w.module)) == (True, False)
    assert receipt.events == [w.cny.event("ModuleAdmitted", module=w.module)]
    assert w.changes(before) == {}


def test_admit_escrow_hands_the_holds_to_a_successor_when_sent(w):
    before = w.books()
    held = w.cny.heldFor(w.escrow, w.issuer)
    assert held == w.sibling.amount
    receipt = w.cny.admitEscrow(w.module, by=w.operator)
    assert receipt.events == [
        w.cny.event("ModuleCutOff", module=w.escrow),
        w.cny.event("EscrowAdmitted", escrow=w.module),
    ]
    assert w.cny.escrow() == w.module.address
    assert w.cny.heldFor(w.module, w.issuer) == held
    assert w.cny.heldFor(w.escrow, w.issuer) == 0
    assert not w.cny.isModule(w.escrow)
    assert w.cny.heldOf(w.issuer) == held
    w.cny.releaseHold(w.issuer, held, by=w.module)
    after = w.books()
    assert after["CNY.issuer.available"] - before["CNY.issuer.available"] == held


def test_is_module_is_false_for_nobody_when_there_is_no_escrow(w):
    w.cny.cutOffModule(w.escrow, by=w.operator)
    assert w.cny.escrow() == ZERO
    assert not w.cny.isModule(ZERO)
    assert w.cny.heldFor(ZERO, w.issuer) == 0


def test_cut_off_module_leaves_its_holds_when_sent(modules):
    w = modules
    before = w.books()
    receipt = w.cny.cutOffModule(w.module, by=w.operator)
    assert receipt.events == [w.cny.event("ModuleCutOff", module=w.module)]
    assert w.changes(before) == {}
    assert w.cny.heldFor(w.module, w.issuer) == 1_000
    for verb, arguments in {
        "holdFunds": (w.issuer, 1),
        "releaseHold": (w.issuer, 1),
        "executeHold": (w.issuer, w.acquirer, 1, w.scheme, 0, 0),
        "pay": (w.issuer, w.acquirer, 1, w.scheme, 0),
        "payBack": (w.acquirer, w.issuer, 1),
        "settleNet": ([], [], 0),
    }.items():
        found = getattr(w.cny, verb).refusal(*arguments, by=w.module)
        assert found == refused("ModuleNotAdmitted", w.module), verb
    w.cny.admitModule(w.module, by=w.operator)
    w.cny.releaseHold(w.issuer, 1_000, by=w.module)


def test_cut_off_module_leaves_the_escrows_holds_when_it_is_the_escrow(w):
    payment = w.new_payment()
    w.authorize(payment)
    before = w.books()
    receipt = w.cny.cutOffModule(w.escrow, by=w.operator)
    assert receipt.events == [w.cny.event("ModuleCutOff", module=w.escrow)]
    assert w.cny.escrow() == ZERO
    assert w.cny.heldFor(ZERO, w.issuer) == 0
    assert w.cny.heldOf(w.issuer) == w.sibling.amount + AMOUNT
    form = (payment.parties, payment.packed, AMOUNT)
    assert w.escrow.capture.refusal(*form, by=w.acquirer) == refused("ModuleNotAdmitted", w.escrow)
    assert not w.cny.paused()
    receipt = w.cny.admitEscrow(w.escrow, by=w.operator)
    assert receipt.events == [w.cny.event("EscrowAdmitted", escrow=w.escrow)]
    assert w.changes(before) == {}
    w.capture(payment, AMOUNT)


# What each module verb refuses


@pytest.mark.parametrize("caller", ["issuer", "operator", "outsider"])
@pytest.mark.parametrize(
    ("verb", "arguments"),
    [
        ("holdFunds", ("issuer", 1)),
        ("releaseHold", ("issuer", 1)),
        ("executeHold", ("issuer", "outsider", 1, "scheme", 0, 0)),
        ("pay", ("issuer", "outsider", 1, "scheme", 0)),
        ("payBack", ("issuer", "outsider", 1)),
    ],
)
def test_module_verb_is_refused_when_the_caller_is_no_module(w, caller, verb, arguments):
    by = w.actors[caller]
    resolved = [w.actors[each] if isinstance(each, str) else each for each in arguments]
    found = getattr(w.cny, verb).refusal(*resolved, by=by)
    assert found == refused("ModuleNotAdmitted", by)


@pytest.mark.parametrize(
    ("verb", "arguments"),
    [("holdFunds", ("issuer", 1)), ("pay", ("issuer", "acquirer", 1, "scheme", 0))],
)
def test_new_obligation_is_refused_when_the_currency_is_paused(modules, verb, arguments):
    w = modules
    w.cny.pause(by=w.operator)
    resolved = [w.actors[each] if isinstance(each, str) else each for each in arguments]
    assert getattr(w.cny, verb).refusal(*resolved, by=w.module) == refused("TokenPaused")


@pytest.mark.parametrize("status", [NONE, SUSPENDED, CLOSED])
@pytest.mark.parametrize("verb", ["holdFunds", "pay", "payBack"])
def test_spending_is_refused_when_the_debtor_is_not_active(modules, verb, status):
    w = modules
    debtor = w.newcomer if status == NONE else w.scheme
    if status == SUSPENDED:
        w.cny.suspend(debtor, bytes(32), by=w.operator)
    elif status == CLOSED:
        w.cny.close(debtor, by=w.operator)
    arguments = {
        "holdFunds": (debtor, 0),
        "pay": (debtor, w.acquirer, 0, w.issuer, 0),
        "payBack": (debtor, w.acquirer, 0),
    }[verb]
    found = getattr(w.cny, verb).refusal(*arguments, by=w.module)
    assert found == refused("AccountNotActive", debtor, status)


@pytest.mark.threat("C27")
@pytest.mark.parametrize("more", [1, MAX_UINT128])
@pytest.mark.parametrize("verb", ["holdFunds", "pay", "payBack"])
def test_spending_is_refused_when_available_is_too_small(modules, verb, more):
    w = modules
    available = w.cny.availableOf(w.issuer)
    amount = available + 1 if more == 1 else MAX_UINT128
    arguments = {
        "holdFunds": (w.issuer, amount),
        "pay": (w.issuer, w.acquirer, amount - 1, w.scheme, 1),
        "payBack": (w.issuer, w.acquirer, amount),
    }[verb]
    found = getattr(w.cny, verb).refusal(*arguments, by=w.module)
    assert found == refused("InsufficientAvailable", w.issuer, available, amount)


@pytest.mark.threat("C27")
def test_pay_is_refused_when_amount_and_fee_together_pass_128_bits(modules):
    w = modules
    available = w.cny.availableOf(w.issuer)
    arguments = (w.issuer, w.acquirer, MAX_UINT128, w.scheme, MAX_UINT128)
    found = w.cny.pay.refusal(*arguments, by=w.module)
    assert found == refused("InsufficientAvailable", w.issuer, available, 2 * MAX_UINT128)


@pytest.mark.threat("C27")
def test_hold_funds_is_refused_when_the_amount_does_not_fit_its_type(modules):
    w = modules
    data = w.cny.holdFunds.encode(w.issuer, 1)
    too_wide = data[:-64] + f"{2**128 + 1:064x}"
    assert w.chain.refusal(w.cny.address, too_wide, w.module) == Refusal("")


@pytest.mark.threat("C23")
@pytest.mark.parametrize("verb", ["releaseHold", "executeHold"])
@pytest.mark.parametrize("holder", ["module", "escrow"])
def test_taking_a_hold_is_refused_when_it_is_larger_than_the_modules_own(modules, holder, verb):
    w = modules
    if holder == "module":
        by, held, token = w.module, 1_000, w.cny
    else:
        token = w.cny
        w.cny.admitEscrow(w.outsider, by=w.operator)
        by, held = w.outsider, w.sibling.amount
    # Others hold more of the same participant: none of it can be reached.
    assert token.heldOf(w.issuer) > held
    arguments = {
        "releaseHold": (w.issuer, held + 1),
        "executeHold": (w.issuer, w.acquirer, held - 1, w.scheme, 1, 1),
    }[verb]
    found = getattr(token, verb).refusal(*arguments, by=by)
    assert found == refused("InsufficientHold", w.issuer, held, held + 1)


@pytest.mark.threat("C27")
@pytest.mark.parametrize("holder", ["module", "escrow"])
def test_execute_hold_is_refused_when_the_parts_together_pass_128_bits(modules, holder):
    w = modules
    by, held = w.module, 1_000
    if holder == "escrow":
        w.cny.admitEscrow(w.outsider, by=w.operator)
        by, held = w.outsider, w.sibling.amount
    arguments = (w.issuer, w.acquirer, MAX_UINT128, w.scheme, MAX_UINT128, MAX_UINT128)
    found = w.cny.executeHold.refusal(*arguments, by=by)
    assert found == refused("InsufficientHold", w.issuer, held, 3 * MAX_UINT128)


@pytest.mark.parametrize("part", ["creditor", "fee recipient"])
def test_paying_out_is_refused_when_a_payee_was_never_admitted(modules, part):
    w = modules
    amount, fee = (1, 0) if part == "creditor" else (0, 1)
    expected = refused("AccountCannotReceive", w.newcomer, NONE)
    arguments = (w.issuer, w.newcomer, amount, w.newcomer, fee)
    assert w.cny.pay.refusal(*arguments, by=w.module) == expected
    assert w.cny.executeHold.refusal(*arguments, 0, by=w.module) == expected
    if part == "creditor":
        assert w.cny.payBack.refusal(w.issuer, w.newcomer, 1, by=w.module) == expected


@pytest.mark.threat("C18")
def test_pay_is_refused_when_the_creditor_is_closed_but_not_when_the_fee_recipient_is(modules):
    w = modules
    w.cny.close(w.scheme, by=w.operator)
    found = w.cny.pay.refusal(w.issuer, w.scheme, 1, w.acquirer, 1, by=w.module)
    assert found == refused("AccountCannotReceive", w.scheme, CLOSED)
    before = w.books()
    w.cny.pay(w.issuer, w.acquirer, 1, w.scheme, 1, by=w.module)
    assert w.changes(before) == {
        "CNY.issuer.available": -2,
        "CNY.acquirer.available": 1,
        "CNY.scheme.available": 1,
    }


# What they do


def test_hold_funds_sets_aside_when_a_module_asks(modules):
    w = modules
    before = w.books()
    receipt = w.cny.holdFunds(w.issuer, 77, by=w.module)
    assert w.changes(before) == {"CNY.issuer.available": -77, "CNY.issuer.reserved": 77}
    assert w.cny.heldFor(w.module, w.issuer) == 1_077
    assert w.cny.heldFor(w.other_module, w.issuer) == 500
    held = {"module": w.module, "participant": w.issuer, "amount": 77}
    assert receipt.events == [w.cny.event("HoldPlaced", **held)]


def test_release_hold_gives_back_when_a_module_asks(modules):
    w = modules
    before = w.books()
    receipt = w.cny.releaseHold(w.issuer, 1_000, by=w.module)
    assert w.changes(before) == {"CNY.issuer.available": 1_000, "CNY.issuer.reserved": -1_000}
    assert w.cny.heldFor(w.other_module, w.issuer) == 500
    taken = {"module": w.module, "participant": w.issuer, "amount": 1_000, "released": 1_000}
    assert receipt.events == [w.cny.event("HoldExecuted", **taken)]


def test_execute_hold_pays_and_releases_when_a_module_asks(modules):
    w = modules
    before = w.books()
    receipt = w.cny.executeHold(w.issuer, w.acquirer, 600, w.scheme, 30, 70, by=w.module)
    assert w.changes(before) == {
        "CNY.issuer.available": 70,
        "CNY.issuer.reserved": -700,
        "CNY.acquirer.available": 600,
        "CNY.scheme.available": 30,
    }
    taken = {"module": w.module, "participant": w.issuer, "amount": 700, "released": 70}
    assert receipt.events == [
        w.cny.event("HoldExecuted", **taken),
        w.moved(w.cny, w.issuer, w.acquirer, 600),
        w.moved(w.cny, w.issuer, w.scheme, 30),
    ]


@pytest.mark.threat("C16")
def test_execute_hold_emits_no_empty_transfer_when_parts_are_zero(modules):
    w = modules
    receipt = w.cny.executeHold(w.issuer, w.newcomer, 0, w.newcomer, 0, 70, by=w.module)
    taken = {"module": w.module, "participant": w.issuer, "amount": 70, "released": 70}
    assert receipt.events == [w.cny.event("HoldExecuted", **taken)]


@pytest.mark.threat("C18")
def test_holds_complete_when_everybody_was_stopped_since(modules):
    w = modules
    w.cny.pause(by=w.operator)
    w.cny.suspend(w.issuer, bytes(32), by=w.operator)
    w.cny.close(w.acquirer, by=w.operator)
    before = w.books()
    w.cny.executeHold(w.issuer, w.acquirer, 600, w.scheme, 30, 70, by=w.module)
    w.cny.releaseHold(w.issuer, 300, by=w.module)
    assert w.changes(before) == {
        "CNY.issuer.available": 370,
        "CNY.issuer.reserved": -1_000,
        "CNY.acquirer.available": 600,
        "CNY.scheme.available": 30,
    }


def test_pay_moves_amount_and_fee_when_a_module_asks(modules):
    w = modules
    before = w.books()
    receipt = w.cny.pay(w.issuer, w.acquirer, 90, w.scheme, 10, by=w.module)
    assert w.changes(before) == {
        "CNY.issuer.available": -100,
        "CNY.acquirer.available": 90,
        "CNY.scheme.available": 10,
    }
    assert receipt.events == [
        w.moved(w.cny, w.issuer, w.acquirer, 90),
        w.moved(w.cny, w.issuer, w.scheme, 10),
    ]


@pytest.mark.threat("C18")
def test_pay_back_arrives_when_paused_and_the_creditor_is_closed(modules):
    w = modules
    w.cny.close(w.scheme, by=w.operator)
    w.cny.pause(by=w.operator)
    before = w.books()
    receipt = w.cny.payBack(w.acquirer, w.scheme, 55, by=w.module)
    assert w.changes(before) == {"CNY.acquirer.available": -55, "CNY.scheme.available": 55}
    assert receipt.events == [w.moved(w.cny, w.acquirer, w.scheme, 55)]


@pytest.mark.threat("C12")
def test_modules_never_count_one_unit_twice_when_they_share_a_participant(modules):
    w = modules
    available = w.cny.availableOf(w.issuer)
    w.cny.holdFunds(w.issuer, available, by=w.module)
    expected = refused("InsufficientAvailable", w.issuer, 0, 1)
    assert w.cny.holdFunds.refusal(w.issuer, 1, by=w.other_module) == expected
    payment = w.new_payment(amount=1)
    assert w.escrow.authorize.refusal(*payment.plain_form, by=w.issuer) == expected
    assert w.cny.heldFor(w.other_module, w.issuer) == 500
    assert w.cny.heldFor(w.escrow, w.issuer) == w.sibling.amount
