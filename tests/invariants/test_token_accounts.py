"""SettlementToken: statuses, forced transfers, the reserve, issue and redeem at their limits."""

from __future__ import annotations

from typing import Any

import pytest

from .actors import (
    ACQUIRER,
    ATTESTOR,
    CLEARING,
    DESK,
    GOVERNOR,
    GUARDIAN,
    HASH,
    ISSUER,
    OUTSIDER,
    QUEUE,
    REFERENCES,
    REGISTRAR,
    SECOND_ACQUIRER,
    SECOND_ISSUER,
    SUCCESSOR,
)
from .chain import Event
from .lockstep import Lockstep
from .model import DAY, MAX_SUPPLY, MAX_WORD, ZERO, Status
from .scenario import FUNDS, closed, suspended

# Accounts


def test_status_goes_only_the_ways_there_are(tael: Lockstep) -> None:
    token, who = tael.cny, OUTSIDER
    steps: dict[str, tuple[str, tuple[Any, ...], str]] = {
        "admit": (REGISTRAR, (), "AccountAdmitted"),
        "suspend": (GUARDIAN, (HASH,), "AccountSuspended"),
        "reinstate": (GOVERNOR, (), "AccountReinstated"),
        "close": (GOVERNOR, (), "AccountClosed"),
    }
    allowed = {
        Status.NONE: {"admit": Status.ACTIVE},
        Status.ACTIVE: {"suspend": Status.SUSPENDED},
        Status.SUSPENDED: {"reinstate": Status.ACTIVE},
    }
    status = Status.NONE
    for _ in range(3):
        for name, (sender, rest, _event) in steps.items():
            if name not in allowed[status] and not (name == "close" and status != Status.NONE):
                tael.refuse("AccountStatusMismatch", (who, status), sender, token, name, who, *rest)
        name, following = next(iter(allowed[status].items()))
        sender, rest, event = steps[name]
        done = tael.ok(sender, token, name, who, *rest)
        assert done.events == (Event(token.address, event, (who, *rest)),)
        status = following
    done = tael.ok(GOVERNOR, token, "close", who)
    assert done.events == (Event(token.address, "AccountClosed", (who,)),)
    for name, (sender, rest, _event) in steps.items():
        tael.refuse("AccountStatusMismatch", (who, Status.CLOSED), sender, token, name, who, *rest)
    tael.refuse("InvalidAccount", (ZERO,), REGISTRAR, token, "admit", ZERO)


def test_restricted_functions_are_refused_when_another_calls(tael: Lockstep) -> None:
    calls: dict[str, tuple[Any, ...]] = {
        "admit": (OUTSIDER,),
        "suspend": (ISSUER, HASH),
        "reinstate": (ISSUER,),
        "close": (ISSUER,),
        "forceTransfer": (ISSUER, ACQUIRER, 1, HASH),
        "attest": (1, HASH, tael.now + 1),
        "issue": (ISSUER, 1, HASH),
        "pause": (),
        "unpause": (),
        "admitEscrow": (SUCCESSOR,),
        "admitModule": (QUEUE,),
        "cutOffModule": (CLEARING,),
    }
    holders = (REGISTRAR, GUARDIAN, DESK, ATTESTOR, GOVERNOR)
    for name, call in calls.items():
        role = tael.governance.roles[tael.cny.address, name]
        for number, holder in enumerate(holders, start=1):
            if number != role:
                tael.refuse("AccessManagedUnauthorized", (holder,), holder, tael.cny, name, *call)
        tael.refuse("AccessManagedUnauthorized", (ISSUER,), ISSUER, tael.cny, name, *call)


@pytest.mark.parametrize("module", ["escrow", "module"])
def test_close_is_refused_when_anything_is_held(tael: Lockstep, module: str) -> None:
    token = tael.cny
    tael.ok(GOVERNOR, token, "admitEscrow", SUCCESSOR)
    holder = SUCCESSOR if module == "escrow" else CLEARING
    tael.ok(holder, token, "holdFunds", ISSUER, 1)
    tael.refuse("AccountHoldsOpen", (ISSUER, 1), GOVERNOR, token, "close", ISSUER)
    tael.ok(holder, token, "releaseHold", ISSUER, 1)
    tael.ok(GUARDIAN, token, "pause")
    tael.ok(GOVERNOR, token, "close", ISSUER)
    done = tael.ok(GOVERNOR, token, "forceTransfer", ISSUER, ACQUIRER, FUNDS, HASH)
    assert done.events == (
        Event(token.address, "TransferForced", (ISSUER, ACQUIRER, FUNDS, HASH)),
        Event(token.address, "Transfer", (ISSUER, ACQUIRER, FUNDS)),
    )


def test_forced_transfer_reaches_available_alone(tael: Lockstep) -> None:
    token = tael.cny
    tael.ok(CLEARING, token, "holdFunds", ISSUER, 400)
    rest = FUNDS - 400
    expected = ("InsufficientAvailable", (ISSUER, rest, rest + 1))
    tael.refuse(*expected, GOVERNOR, token, "forceTransfer", ISSUER, ACQUIRER, rest + 1, HASH)
    tael.refuse(
        "AccountCannotReceive",
        (OUTSIDER, Status.NONE),
        GOVERNOR,
        token,
        "forceTransfer",
        ISSUER,
        OUTSIDER,
        1,
        HASH,
    )
    suspended(tael, ISSUER)
    tael.ok(GOVERNOR, token, "forceTransfer", ISSUER, ACQUIRER, rest, HASH)
    closed(tael, SECOND_ISSUER)
    tael.refuse(
        "AccountCannotReceive",
        (SECOND_ISSUER, Status.CLOSED),
        GOVERNOR,
        token,
        "forceTransfer",
        ACQUIRER,
        SECOND_ISSUER,
        1,
        HASH,
    )
    suspended(tael, SECOND_ACQUIRER)
    tael.ok(GOVERNOR, token, "forceTransfer", ACQUIRER, SECOND_ACQUIRER, 1, HASH)


# Reserve


def test_attestation_is_at_most_35_days(tael: Lockstep) -> None:
    token, now = tael.cny, tael.now
    for before in (0, now - 1, now, now + 35 * DAY + 1, 2**40, MAX_WORD):
        expected = ("AttestationPeriodInvalid", (now, before))
        tael.refuse(*expected, ATTESTOR, token, "attest", 1, HASH, before)
    tael.ok(ATTESTOR, token, "attest", 1, HASH, now + 1)
    done = tael.ok(ATTESTOR, token, "attest", MAX_SUPPLY, HASH, now + 35 * DAY)
    event = Event(token.address, "ReserveAttested", (MAX_SUPPLY, now + 35 * DAY, HASH))
    assert done.events == (event,)
    for amount in (MAX_SUPPLY + 1, MAX_WORD):
        expected = ("AmountTooLarge", (amount, MAX_SUPPLY))
        tael.refuse(*expected, ATTESTOR, token, "attest", amount, HASH, now + 1)
    found = tael.chain.read(token.address, "attestation")
    assert found == (MAX_SUPPLY, now + 35 * DAY, HASH)


def test_issue_stays_within_the_reserve(tael: Lockstep) -> None:
    token, supply = tael.cny, 4 * FUNDS
    tael.ok(ATTESTOR, token, "attest", supply + 7, HASH, tael.now + 10)
    expected = ("ReserveExceeded", (supply + 8, supply + 7))
    tael.refuse(*expected, DESK, token, "issue", ISSUER, 8, REFERENCES[0])
    tael.refuse("AmountZero", (REFERENCES[0],), DESK, token, "issue", ISSUER, 0, REFERENCES[0])
    done = tael.ok(DESK, token, "issue", ISSUER, 5, REFERENCES[0])
    assert done.events == (
        Event(token.address, "Issued", (REFERENCES[0], ISSUER, 5)),
        Event(token.address, "Transfer", (ZERO, ISSUER, 5)),
    )
    tael.refuse(
        "BankReferenceUsed", (REFERENCES[0],), DESK, token, "issue", ACQUIRER, 1, REFERENCES[0]
    )
    tael.ok(DESK, token, "issue", ACQUIRER, 1, REFERENCES[1])
    tael.wait(9)
    tael.ok(DESK, token, "issue", ACQUIRER, 1, REFERENCES[2])
    expected = ("ReserveExceeded", (supply + 8, supply + 7))
    tael.refuse(*expected, DESK, token, "issue", ACQUIRER, 1, REFERENCES[3])
    tael.wait(1)
    expected = ("ReserveStale", (tael.now, tael.now))
    tael.refuse(*expected, DESK, token, "issue", ACQUIRER, 1, REFERENCES[3])


def test_issue_is_refused_when_the_account_is_not_active(tael: Lockstep) -> None:
    token, call = tael.cny, (1, REFERENCES[0])
    tael.refuse("AccountNotActive", (OUTSIDER, Status.NONE), DESK, token, "issue", OUTSIDER, *call)
    suspended(tael, ISSUER)
    tael.refuse("AccountNotActive", (ISSUER, Status.SUSPENDED), DESK, token, "issue", ISSUER, *call)
    closed(tael, ISSUER)
    tael.refuse("AccountNotActive", (ISSUER, Status.CLOSED), DESK, token, "issue", ISSUER, *call)
    tael.ok(GUARDIAN, token, "pause")
    tael.refuse("TokenPaused", (), DESK, token, "issue", ISSUER, *call)


def test_redeem_destroys_once_per_reference(tael: Lockstep) -> None:
    token = tael.cny
    tael.refuse("AmountZero", (REFERENCES[0],), ISSUER, token, "redeem", 0, REFERENCES[0])
    done = tael.ok(ISSUER, token, "redeem", FUNDS, REFERENCES[0])
    assert done.events == (
        Event(token.address, "Redeemed", (REFERENCES[0], ISSUER, FUNDS)),
        Event(token.address, "Transfer", (ISSUER, ZERO, FUNDS)),
    )
    assert tael.chain.read(token.address, "totalSupply") == 3 * FUNDS
    tael.refuse("BankReferenceUsed", (REFERENCES[0],), ISSUER, token, "redeem", 1, REFERENCES[0])
    tael.ok(ACQUIRER, token, "redeem", 1, REFERENCES[0])
    tael.refuse("InsufficientAvailable", (ISSUER, 0, 1), ISSUER, token, "redeem", 1, REFERENCES[1])
    tael.refuse(
        "AccountNotActive", (OUTSIDER, Status.NONE), OUTSIDER, token, "redeem", 1, REFERENCES[1]
    )
    tael.ok(GUARDIAN, token, "pause")
    tael.refuse("TokenPaused", (), ACQUIRER, token, "redeem", 1, REFERENCES[2])


def test_account_holds_the_whole_supply_in_any_part(tael: Lockstep) -> None:
    """Every field of the account word can be full without touching its neighbours."""
    token = tael.bhd
    tael.ok(REGISTRAR, token, "admit", ISSUER)
    tael.ok(REGISTRAR, token, "admit", ACQUIRER)
    tael.ok(ATTESTOR, token, "attest", MAX_SUPPLY, HASH, tael.now + 1)
    tael.ok(DESK, token, "issue", ISSUER, MAX_SUPPLY, REFERENCES[0])
    for amount in (1, MAX_SUPPLY):
        expected = ("ReserveExceeded", (MAX_SUPPLY + amount, MAX_SUPPLY))
        tael.refuse(*expected, DESK, token, "issue", ISSUER, amount, REFERENCES[1])
    for amount in (MAX_SUPPLY + 1, MAX_WORD):
        expected = ("AmountTooLarge", (amount, MAX_SUPPLY))
        tael.refuse(*expected, DESK, token, "issue", ISSUER, amount, REFERENCES[1])
    read = tael.chain.read
    tael.ok(GOVERNOR, token, "admitEscrow", SUCCESSOR)
    tael.ok(GOVERNOR, token, "admitModule", CLEARING)
    for module in (SUCCESSOR, CLEARING):
        tael.ok(module, token, "holdFunds", ISSUER, MAX_SUPPLY)
        assert read(token.address, "availableOf", ISSUER) == 0
        assert read(token.address, "heldOf", ISSUER) == MAX_SUPPLY
        assert read(token.address, "heldFor", module, ISSUER) == MAX_SUPPLY
        assert read(token.address, "balanceOf", ISSUER) == MAX_SUPPLY
        assert read(token.address, "statusOf", ISSUER) == Status.ACTIVE
        expected = ("InsufficientAvailable", (ISSUER, 0, 1))
        tael.refuse(*expected, module, token, "holdFunds", ISSUER, 1)
        expected = ("InsufficientHold", (ISSUER, MAX_SUPPLY, MAX_SUPPLY + 1))
        tael.refuse(*expected, module, token, "releaseHold", ISSUER, MAX_SUPPLY + 1)
        tael.ok(module, token, "releaseHold", ISSUER, MAX_SUPPLY)
        assert read(token.address, "availableOf", ISSUER) == MAX_SUPPLY
    tael.ok(CLEARING, token, "holdFunds", ISSUER, MAX_SUPPLY)
    tael.ok(CLEARING, token, "executeHold", ISSUER, ACQUIRER, MAX_SUPPLY - 2, ACQUIRER, 1, 1)
    assert read(token.address, "availableOf", ACQUIRER) == MAX_SUPPLY - 1
    tael.ok(ACQUIRER, token, "redeem", MAX_SUPPLY - 1, REFERENCES[0])
    tael.ok(DESK, token, "issue", ACQUIRER, MAX_SUPPLY - 1, REFERENCES[1])
