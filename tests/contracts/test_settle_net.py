"""settleNet: net positions of many participants, all or none."""

import pytest
from eth_utils import keccak

from tests.contracts.chain import Refusal, refused
from tests.contracts.keys import Key
from tests.contracts.world import CLOSED, FROM_AVAILABLE, FROM_HOLD, NONE, SUSPENDED

HALF_A_BLOCK = 15_000_000
MOST = 256
ZERO = "0x" + "00" * 20
SOURCES = pytest.mark.parametrize("source", [FROM_AVAILABLE, FROM_HOLD])


@pytest.fixture
def ready(w):
    """A module that holds 10,000 of each bank."""
    w.cny.admitModule(w.module, by=w.operator)
    for bank in (w.issuer, w.other_issuer, w.acquirer, w.other_acquirer):
        w.cny.holdFunds(bank, 10_000, by=w.module)
    return w


def net(changes):
    """The arguments, in order of address, from amounts by actor."""
    rows = sorted(changes.items(), key=lambda row: int(row[0].address, 16))
    return [actor for actor, _ in rows], [amount for _, amount in rows]


@SOURCES
def test_settle_net_is_refused_when_the_caller_is_no_module(w, source):
    form = net({w.issuer: -1, w.acquirer: 1})
    found = w.cny.settleNet.refusal(*form, source, by=w.operator)
    assert found == refused("ModuleNotAdmitted", w.operator)


def test_settle_net_is_refused_when_from_available_of_a_paused_currency(ready):
    w = ready
    w.cny.pause(by=w.operator)
    form = net({w.issuer: -1, w.acquirer: 1})
    found = w.cny.settleNet.refusal(*form, FROM_AVAILABLE, by=w.module)
    assert found == refused("TokenPaused")


@pytest.mark.parametrize(("participants", "changes"), [(2, 1), (1, 2), (0, 1), (257, 257)])
def test_settle_net_is_refused_when_the_lists_do_not_match_or_are_too_long(
    ready, participants, changes
):
    w = ready
    who = [f"0x{i + 1:040x}" for i in range(participants)]
    found = w.cny.settleNet.refusal(who, [0] * changes, FROM_AVAILABLE, by=w.module)
    assert found == refused("NetLengthInvalid", participants, changes, MOST)


@pytest.mark.threat("C35")
@SOURCES
@pytest.mark.parametrize("case", ["twice", "descending", "zero address"])
def test_settle_net_is_refused_when_the_participants_do_not_ascend(ready, case, source):
    w = ready
    low, high = sorted((w.issuer, w.acquirer), key=lambda actor: int(actor.address, 16))
    who = {"twice": [low, low], "descending": [high, low], "zero address": [ZERO, low]}[case]
    previous = ZERO if case == "zero address" else who[0]
    wrong = ZERO if case == "zero address" else low
    found = w.cny.settleNet.refusal(who, [-1, 1], source, by=w.module)
    assert found == refused("NetOrderInvalid", previous, wrong)


@pytest.mark.threat("C36")
@SOURCES
@pytest.mark.parametrize(("debit", "credit"), [(-5, 4), (-5, 6), (-5, 0), (0, 5)])
def test_settle_net_is_refused_when_the_sum_is_not_zero(ready, source, debit, credit):
    w = ready
    form = net({w.issuer: debit, w.acquirer: credit})
    found = w.cny.settleNet.refusal(*form, source, by=w.module)
    assert found == refused("NetSumNotZero", -debit, credit)


@pytest.mark.threat("C28")
@pytest.mark.threat("C36")
@SOURCES
def test_settle_net_is_refused_when_credits_would_wrap_around(ready, source):
    w = ready
    most = 2**255 - 1
    form = net({w.issuer: most, w.acquirer: most, w.other_issuer: -5})
    found = w.cny.settleNet.refusal(*form, source, by=w.module)
    assert found == refused("NetSumNotZero", 5, most)


@pytest.mark.threat("C28")
def test_settle_net_is_refused_when_a_change_is_the_least_integer(ready):
    w = ready
    form = net({w.issuer: -(2**255), w.acquirer: 1})
    available = w.cny.availableOf(w.issuer)
    found = w.cny.settleNet.refusal(*form, FROM_AVAILABLE, by=w.module)
    assert found == refused("InsufficientAvailable", w.issuer, available, 2**255)
    found = w.cny.settleNet.refusal(*form, FROM_HOLD, by=w.module)
    assert found == refused("InsufficientHold", w.issuer, 10_000, 2**255)
    w.cny.admitEscrow(w.outsider, by=w.operator)
    found = w.cny.settleNet.refusal(*form, FROM_HOLD, by=w.outsider)
    assert found == refused("InsufficientHold", w.issuer, w.sibling.amount, 2**255)


@pytest.mark.parametrize("status", [SUSPENDED, CLOSED, NONE])
def test_settle_net_is_refused_when_a_debtor_from_available_is_not_active(ready, status):
    w = ready
    debtor = w.newcomer if status == NONE else w.scheme
    if status == SUSPENDED:
        w.cny.suspend(debtor, bytes(32), by=w.operator)
    elif status == CLOSED:
        w.cny.close(debtor, by=w.operator)
    form = net({debtor: -5, w.acquirer: 5})
    found = w.cny.settleNet.refusal(*form, FROM_AVAILABLE, by=w.module)
    assert found == refused("AccountNotActive", debtor, status)


@SOURCES
def test_settle_net_is_refused_when_a_creditor_was_never_admitted(ready, source):
    w = ready
    form = net({w.issuer: -5, w.newcomer: 5})
    found = w.cny.settleNet.refusal(*form, source, by=w.module)
    assert found == refused("AccountCannotReceive", w.newcomer, NONE)


@SOURCES
def test_settle_net_is_refused_whole_when_one_debtor_is_one_short(ready, source):
    w = ready
    limit = w.cny.availableOf(w.issuer) if source == FROM_AVAILABLE else 10_000
    form = net({w.other_issuer: -1, w.issuer: -limit - 1, w.acquirer: limit + 2})
    error = "InsufficientAvailable" if source == FROM_AVAILABLE else "InsufficientHold"
    found = w.cny.settleNet.refusal(*form, source, by=w.module)
    assert found == refused(error, w.issuer, limit, limit + 1)


def test_settle_net_is_refused_when_the_source_is_unknown(ready):
    w = ready
    form = net({w.issuer: -5, w.acquirer: 5})
    assert w.cny.settleNet.refusal(*form, 2, by=w.module) == Refusal("")


@SOURCES
def test_settle_net_moves_debits_then_credits_when_the_sum_is_zero(ready, source):
    w = ready
    changes = {w.issuer: -700, w.other_issuer: -50, w.acquirer: 600, w.other_acquirer: 150}
    changes[w.scheme] = 0
    who, amounts = net(changes)
    before = w.books()
    receipt = w.cny.settleNet(who, amounts, source, by=w.module)
    debit = "available" if source == FROM_AVAILABLE else "reserved"
    assert w.changes(before) == {
        f"CNY.issuer.{debit}": -700,
        f"CNY.other_issuer.{debit}": -50,
        "CNY.acquirer.available": 600,
        "CNY.other_acquirer.available": 150,
    }
    expected = []
    for actor, amount in zip(who, amounts, strict=True):
        if amount >= 0:
            continue
        if source == FROM_HOLD:
            taken = {"participant": actor, "amount": -amount, "released": 0}
            expected.append(w.cny.event("HoldExecuted", module=w.module, **taken))
        expected.append(w.moved(w.cny, actor, w.module, -amount))
    expected += [
        w.moved(w.cny, w.module, actor, amount)
        for actor, amount in zip(who, amounts, strict=True)
        if amount > 0
    ]
    assert receipt.events == expected
    assert w.cny.balanceOf(w.module) == 0


def test_settle_net_takes_the_escrows_own_hold_when_the_escrow_settles(ready):
    w = ready
    w.cny.admitEscrow(w.outsider, by=w.operator)
    held = w.sibling.amount
    before = w.books()
    receipt = w.cny.settleNet(*net({w.issuer: -held, w.acquirer: held}), FROM_HOLD, by=w.outsider)
    changed = w.changes(before)
    assert changed["CNY.acquirer.available"] == held
    assert w.cny.heldFor(w.outsider, w.issuer) == 0
    assert w.cny.heldFor(w.module, w.issuer) == 10_000
    assert receipt.events == [
        w.moved(w.cny, w.issuer, w.outsider, held),
        w.moved(w.cny, w.outsider, w.acquirer, held),
    ]


@pytest.mark.threat("C18")
def test_settle_net_from_hold_completes_when_everybody_was_stopped_since(ready):
    w = ready
    w.cny.pause(by=w.operator)
    w.cny.suspend(w.issuer, bytes(32), by=w.operator)
    w.cny.close(w.scheme, by=w.operator)
    before = w.books()
    w.cny.settleNet(*net({w.issuer: -9_000, w.scheme: 9_000}), FROM_HOLD, by=w.module)
    assert w.changes(before) == {"CNY.issuer.reserved": -9_000, "CNY.scheme.available": 9_000}


@SOURCES
def test_settle_net_does_nothing_when_it_is_empty_or_all_zero(ready, source):
    w = ready
    before = w.books()
    assert w.cny.settleNet([], [], source, by=w.module).events == []
    form = net({w.issuer: 0, w.newcomer: 0})
    assert w.cny.settleNet(*form, source, by=w.module).events == []
    assert w.changes(before) == {}


@pytest.mark.slow
@pytest.mark.threat("C33")
def test_settle_net_fits_in_half_a_block_when_there_are_256(ready):
    w = ready
    banks = [Key(f"bank {i}") for i in range(MOST)]
    for i, bank in enumerate(banks):
        w.cny.admit(bank, by=w.operator)
        w.cny.issue(bank, 1_000, keccak(text=f"bank {i}"), by=w.operator)
        w.cny.holdFunds(bank, 500, by=w.module)
    form = net({bank: 100 if i % 2 else -100 for i, bank in enumerate(banks)})
    for settled, source in enumerate((FROM_AVAILABLE, FROM_HOLD), start=1):
        receipt = w.cny.settleNet(*form, source, by=w.module)
        assert [each.name for each in receipt.events].count("Transfer") == MOST
        assert w.cny.balanceOf(banks[0]) == 1_000 - 100 * settled
        assert w.cny.balanceOf(banks[1]) == 1_000 + 100 * settled
        assert receipt.gas_used < HALF_A_BLOCK
