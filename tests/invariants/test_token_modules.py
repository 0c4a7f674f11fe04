"""SettlementToken: pause and modules at their limits."""

from __future__ import annotations

import pytest

from .actors import (
    ACQUIRER,
    ATTESTOR,
    BANKS,
    CLEARING,
    GOVERNOR,
    GUARDIAN,
    HASH,
    ISSUER,
    OUTSIDER,
    QUEUE,
    REFERENCES,
    SCHEME,
    SECOND_ACQUIRER,
    SUCCESSOR,
)
from .chain import Event
from .lockstep import Lockstep
from .model import ZERO, Source, Status
from .scenario import (
    FUNDS,
    available,
    balance,
    closed,
    permit,
    suspended,
)

# Stopping


def test_pause_stops_new_obligations_and_nothing_else(tael: Lockstep) -> None:
    """Threat C46."""
    token = tael.cny
    tael.ok(CLEARING, token, "holdFunds", ISSUER, 100)
    tael.refuse("TokenNotPaused", (), GOVERNOR, token, "unpause")
    done = tael.ok(GUARDIAN, token, "pause")
    assert done.events == (Event(token.address, "Paused", (GUARDIAN,)),)
    pair = [ISSUER, ACQUIRER]
    pair.sort()
    changes = [-1, 1] if pair[0] == ISSUER else [1, -1]
    for sender, name, call in (
        (GUARDIAN, "pause", ()),
        (ISSUER, "transfer", (ACQUIRER, 1)),
        (OUTSIDER, "transferFrom", (ISSUER, ACQUIRER, 1)),
        (ISSUER, "redeem", (1, REFERENCES[0])),
        (CLEARING, "holdFunds", (ISSUER, 1)),
        (CLEARING, "pay", (ISSUER, ACQUIRER, 1, SCHEME, 1)),
        (CLEARING, "settleNet", (pair, changes, int(Source.AVAILABLE))),
        (OUTSIDER, "holdFunds", (ISSUER, 1)),
        (OUTSIDER, "pay", (ISSUER, ACQUIRER, 1, SCHEME, 1)),
    ):
        tael.refuse("TokenPaused", (), sender, token, name, *call)
    tael.ok(CLEARING, token, "executeHold", ISSUER, ACQUIRER, 10, SCHEME, 1, 1)
    tael.ok(CLEARING, token, "releaseHold", ISSUER, 1)
    tael.ok(CLEARING, token, "payBack", ACQUIRER, ISSUER, 5)
    tael.ok(CLEARING, token, "settleNet", pair, changes, int(Source.HOLD))
    tael.ok(ISSUER, token, "approve", OUTSIDER, 1)
    tael.ok(OUTSIDER, token, "permit", *permit(tael, BANKS[0], 0, tael.now))
    tael.ok(GOVERNOR, token, "forceTransfer", ISSUER, ACQUIRER, 1, HASH)
    tael.ok(GUARDIAN, token, "suspend", ISSUER, HASH)
    tael.ok(GOVERNOR, token, "reinstate", ISSUER)
    tael.ok(ATTESTOR, token, "attest", 1, HASH, tael.now + 1)
    tael.ok(GUARDIAN, token, "cutOffModule", CLEARING)
    tael.ok(GOVERNOR, token, "admitModule", CLEARING)
    assert tael.chain.read(token.address, "escrow") == tael.escrow.address
    done = tael.ok(GOVERNOR, token, "unpause")
    assert done.events == (Event(token.address, "Unpaused", (GOVERNOR,)),)


# Modules


def test_modules_are_admitted_and_cut_off(tael: Lockstep) -> None:
    token, escrow = tael.cny, tael.escrow.address
    for name in ("admitEscrow", "admitModule"):
        tael.refuse("InvalidAccount", (ZERO,), GOVERNOR, token, name, ZERO)
        for module in (escrow, CLEARING):
            tael.refuse("ModuleAlreadyAdmitted", (module,), GOVERNOR, token, name, module)
    for module in (ZERO, OUTSIDER, QUEUE):
        tael.refuse("ModuleNotAdmitted", (module,), GUARDIAN, token, "cutOffModule", module)
    done = tael.ok(GOVERNOR, token, "admitModule", QUEUE)
    assert done.events == (Event(token.address, "ModuleAdmitted", (QUEUE,)),)
    done = tael.ok(GUARDIAN, token, "cutOffModule", QUEUE)
    assert done.events == (Event(token.address, "ModuleCutOff", (QUEUE,)),)
    done = tael.ok(GOVERNOR, token, "admitEscrow", SUCCESSOR)
    assert done.events == (
        Event(token.address, "ModuleCutOff", (escrow,)),
        Event(token.address, "EscrowAdmitted", (SUCCESSOR,)),
    )
    assert not tael.chain.read(token.address, "isModule", escrow)
    tael.ok(GUARDIAN, token, "cutOffModule", SUCCESSOR)
    assert not tael.chain.read(token.address, "isModule", ZERO)
    tael.refuse("ModuleNotAdmitted", (ZERO,), GUARDIAN, token, "cutOffModule", ZERO)
    assert tael.chain.read(token.address, "isModule", CLEARING)
    done = tael.ok(GOVERNOR, token, "admitEscrow", escrow)
    assert done.events == (Event(token.address, "EscrowAdmitted", (escrow,)),)


@pytest.mark.parametrize("sender", [OUTSIDER, ISSUER, GOVERNOR, ZERO])
def test_module_functions_are_refused_when_another_calls(tael: Lockstep, sender: str) -> None:
    tael.ok(GUARDIAN, tael.cny, "cutOffModule", tael.escrow.address)
    for name, call in (
        ("holdFunds", (ISSUER, 1)),
        ("releaseHold", (ISSUER, 0)),
        ("executeHold", (ISSUER, ACQUIRER, 0, SCHEME, 0, 0)),
        ("pay", (ISSUER, ACQUIRER, 1, SCHEME, 0)),
        ("payBack", (ISSUER, ACQUIRER, 1)),
        ("settleNet", ([], [], 0)),
        ("settleNet", ([], [], 1)),
    ):
        if sender == ZERO:
            # No key belongs to zero; where the escrow was is nobody, not everybody.
            continue
        tael.refuse("ModuleNotAdmitted", (sender,), sender, tael.cny, name, *call)


def test_module_cannot_touch_what_another_holds(tael: Lockstep) -> None:
    token = tael.cny
    tael.ok(GOVERNOR, token, "admitModule", QUEUE)
    tael.ok(GOVERNOR, token, "admitEscrow", SUCCESSOR)
    amounts = {CLEARING: 300, QUEUE: 200, SUCCESSOR: 100}
    for module, amount in amounts.items():
        done = tael.ok(module, token, "holdFunds", ISSUER, amount)
        placed = (Event(token.address, "HoldPlaced", (module, ISSUER, amount)),)
        assert done.events == (() if module == SUCCESSOR else placed)
    for module, amount in amounts.items():
        expected = ("InsufficientHold", (ISSUER, amount, amount + 1))
        tael.refuse(*expected, module, token, "releaseHold", ISSUER, amount + 1)
        tael.refuse(*expected, module, token, "executeHold", ISSUER, ACQUIRER, amount, SCHEME, 1, 0)
        tael.refuse(*expected, module, token, "executeHold", ISSUER, ACQUIRER, amount, SCHEME, 0, 1)
        tael.refuse("InsufficientHold", (ACQUIRER, 0, 1), module, token, "releaseHold", ACQUIRER, 1)
    for module, amount in amounts.items():
        call = (ISSUER, ACQUIRER, amount - 50, SCHEME, 20, 10)
        done = tael.ok(module, token, "executeHold", *call)
        moved = (
            Event(token.address, "Transfer", (ISSUER, ACQUIRER, amount - 50)),
            Event(token.address, "Transfer", (ISSUER, SCHEME, 20)),
        )
        executed = Event(token.address, "HoldExecuted", (module, ISSUER, amount - 20, 10))
        assert done.events == (moved if module == SUCCESSOR else (executed, *moved))
        done = tael.ok(module, token, "releaseHold", ISSUER, 20)
        executed = Event(token.address, "HoldExecuted", (module, ISSUER, 20, 20))
        assert done.events == (() if module == SUCCESSOR else (executed,))
    assert available(tael, ISSUER) == balance(tael, ISSUER) == FUNDS - 600 + 150 - 60


def test_hold_goes_to_the_successor_when_the_escrow_is_replaced(tael: Lockstep) -> None:
    token, read = tael.cny, tael.chain.read
    tael.ok(GOVERNOR, token, "admitEscrow", SUCCESSOR)
    tael.ok(SUCCESSOR, token, "holdFunds", ISSUER, 100)
    tael.ok(GUARDIAN, token, "cutOffModule", SUCCESSOR)
    tael.refuse("ModuleNotAdmitted", (SUCCESSOR,), SUCCESSOR, token, "releaseHold", ISSUER, 1)
    assert read(token.address, "heldOf", ISSUER) == 100
    assert read(token.address, "heldFor", ZERO, ISSUER) == 0
    tael.ok(GOVERNOR, token, "admitEscrow", QUEUE)
    assert read(token.address, "heldFor", QUEUE, ISSUER) == 100
    tael.ok(QUEUE, token, "releaseHold", ISSUER, 100)


@pytest.mark.parametrize("module", [CLEARING, SUCCESSOR])
def test_hold_is_executed_and_released_when_everybody_is_stopped(
    tael: Lockstep, module: str
) -> None:
    token = tael.cny
    if module == SUCCESSOR:
        tael.ok(GOVERNOR, token, "admitEscrow", SUCCESSOR)
    tael.ok(module, token, "holdFunds", ISSUER, 100)
    suspended(tael, ISSUER)
    closed(tael, ACQUIRER)
    closed(tael, SCHEME)
    tael.ok(module, token, "executeHold", ISSUER, ACQUIRER, 50, SCHEME, 5, 5)
    tael.ok(module, token, "releaseHold", ISSUER, 40)
    assert (available(tael, ACQUIRER), available(tael, SCHEME)) == (FUNDS + 50, 5)
    tael.refuse(
        "AccountNotActive", (ISSUER, Status.SUSPENDED), module, token, "holdFunds", ISSUER, 1
    )


def test_zero_parts_are_skipped(tael: Lockstep) -> None:
    token = tael.cny
    tael.ok(CLEARING, token, "holdFunds", ISSUER, 100)
    done = tael.ok(CLEARING, token, "executeHold", ISSUER, OUTSIDER, 0, SCHEME, 3, 0)
    assert [event.name for event in done.events] == ["HoldExecuted", "Transfer"]
    done = tael.ok(CLEARING, token, "executeHold", ISSUER, ACQUIRER, 3, OUTSIDER, 0, 0)
    assert done.events[1].arguments == (ISSUER, ACQUIRER, 3)
    tael.ok(CLEARING, token, "executeHold", ISSUER, OUTSIDER, 0, OUTSIDER, 0, 94)
    done = tael.ok(CLEARING, token, "pay", ISSUER, OUTSIDER, 0, SCHEME, 3)
    assert done.events == (Event(token.address, "Transfer", (ISSUER, SCHEME, 3)),)
    done = tael.ok(CLEARING, token, "pay", ISSUER, ACQUIRER, 3, OUTSIDER, 0)
    assert done.events == (Event(token.address, "Transfer", (ISSUER, ACQUIRER, 3)),)
    assert tael.ok(CLEARING, token, "payBack", ISSUER, OUTSIDER, 0).events == ()
    tael.refuse(
        "AccountNotActive", (OUTSIDER, Status.NONE), CLEARING, token, "payBack", OUTSIDER, ISSUER, 0
    )


def test_payee_is_refused_when_never_admitted(tael: Lockstep) -> None:
    token, none = tael.cny, (OUTSIDER, Status.NONE)
    tael.ok(CLEARING, token, "holdFunds", ISSUER, 100)
    for name, call in (
        ("executeHold", (ISSUER, OUTSIDER, 1, SCHEME, 0, 0)),
        ("executeHold", (ISSUER, ACQUIRER, 1, OUTSIDER, 1, 0)),
        ("pay", (ISSUER, OUTSIDER, 1, SCHEME, 0)),
        ("pay", (ISSUER, ACQUIRER, 1, OUTSIDER, 1)),
        ("payBack", (ISSUER, OUTSIDER, 1)),
    ):
        tael.refuse("AccountCannotReceive", none, CLEARING, token, name, *call)


def test_pay_is_a_new_obligation_and_pay_back_an_old_one(tael: Lockstep) -> None:
    token = tael.cny
    expected = ("InsufficientAvailable", (ISSUER, FUNDS, FUNDS + 1))
    tael.refuse(*expected, CLEARING, token, "pay", ISSUER, ACQUIRER, FUNDS, SCHEME, 1)
    huge = 2**128 - 1
    expected = ("InsufficientAvailable", (ISSUER, FUNDS, 2 * huge))
    tael.refuse(*expected, CLEARING, token, "pay", ISSUER, ACQUIRER, huge, SCHEME, huge)
    tael.ok(CLEARING, token, "holdFunds", ISSUER, 1)
    expected = ("InsufficientHold", (ISSUER, 1, 3 * huge))
    tael.refuse(
        *expected, CLEARING, token, "executeHold", ISSUER, ACQUIRER, huge, SCHEME, huge, huge
    )
    tael.ok(CLEARING, token, "releaseHold", ISSUER, 1)
    closed(tael, SCHEME)
    tael.ok(CLEARING, token, "pay", ISSUER, ACQUIRER, FUNDS - 1, SCHEME, 1)
    expected = ("InsufficientAvailable", (ISSUER, 0, 1))
    tael.refuse(*expected, CLEARING, token, "payBack", ISSUER, ACQUIRER, 1)
    closed(tael, SECOND_ACQUIRER)
    expected = ("AccountCannotReceive", (SECOND_ACQUIRER, Status.CLOSED))
    tael.refuse(*expected, CLEARING, token, "pay", ACQUIRER, SECOND_ACQUIRER, 1, SCHEME, 0)
    done = tael.ok(CLEARING, token, "payBack", ACQUIRER, SECOND_ACQUIRER, 1)
    assert done.events == (Event(token.address, "Transfer", (ACQUIRER, SECOND_ACQUIRER, 1)),)
    suspended(tael, ACQUIRER)
    for name, call in (
        ("pay", (ACQUIRER, ISSUER, 1, SCHEME, 0)),
        ("payBack", (ACQUIRER, ISSUER, 1)),
    ):
        tael.refuse("AccountNotActive", (ACQUIRER, Status.SUSPENDED), CLEARING, token, name, *call)
