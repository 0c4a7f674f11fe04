"""Governance: the last administrator stays, delays delay, and the authority alone can be replaced
by itself."""

from __future__ import annotations

from typing import Any

import pytest

from .actors import (
    ADMIN,
    DEPLOYER,
    GOVERNOR,
    GUARDIAN,
    ISSUER,
    OUTSIDER,
    QUEUE,
    REGISTRAR,
    SECOND_ADMIN,
)
from .chain import DeploymentRefused, Done, Event, Refused
from .lockstep import Lockstep
from .model import ZERO
from .scenario import calldata


def test_deployer_has_no_role(tael: Lockstep) -> None:
    """Threat C44."""
    read, at = tael.chain.read, tael.governance.address
    for role in range(6):
        assert read(at, "hasRole", role, DEPLOYER) == (False, 0)
    assert read(at, "hasRole", 0, ADMIN) == (True, 0)
    assert read(at, "adminCount") == 1


def test_governance_is_not_deployed_without_an_administrator(tael: Lockstep) -> None:
    with pytest.raises(DeploymentRefused) as caught:
        tael.chain.deploy("Governance", DEPLOYER, ZERO)
    assert caught.value.refusal == Refused("AccessManagerInvalidInitialAdmin", (ZERO,))


def test_last_administrator_stays(tael: Lockstep) -> None:
    """Threat C44."""
    governance, at = tael.governance, tael.governance.address
    tael.refuse("LastAdmin", (ADMIN,), ADMIN, governance, "revokeRole", 0, ADMIN)
    tael.refuse("LastAdmin", (ADMIN,), ADMIN, governance, "renounceRole", 0, ADMIN)
    tael.refuse("AccessManagerBadConfirmation", (), ADMIN, governance, "renounceRole", 0, OUTSIDER)
    done = tael.ok(ADMIN, governance, "grantRole", 0, SECOND_ADMIN, 0)
    granted = Event(at, "RoleGranted", (0, SECOND_ADMIN, 0, tael.now, True))
    assert done.events == (granted,)
    done = tael.ok(ADMIN, governance, "grantRole", 0, SECOND_ADMIN, 0)
    assert done.events[0].arguments[4] is False
    assert tael.chain.read(at, "adminCount") == 2
    assert tael.ok(ADMIN, governance, "revokeRole", 0, OUTSIDER).events == ()
    assert tael.ok(OUTSIDER, governance, "renounceRole", 0, OUTSIDER).events == ()
    assert tael.chain.read(at, "adminCount") == 2
    done = tael.ok(SECOND_ADMIN, governance, "revokeRole", 0, ADMIN)
    assert done.events == (Event(at, "RoleRevoked", (0, ADMIN)),)
    tael.refuse(
        "LastAdmin", (SECOND_ADMIN,), SECOND_ADMIN, governance, "renounceRole", 0, SECOND_ADMIN
    )
    tael.refuse(
        "AccessManagerUnauthorizedAccount", (ADMIN, 0), ADMIN, governance, "grantRole", 0, ADMIN, 0
    )


def test_other_roles_come_and_go(tael: Lockstep) -> None:
    governance = tael.governance
    tael.ok(ADMIN, governance, "grantRole", 1, QUEUE, 0)
    tael.ok(QUEUE, tael.cny, "admit", OUTSIDER)
    tael.ok(ADMIN, governance, "revokeRole", 1, QUEUE)
    tael.refuse(
        "AccessManagedUnauthorized", (QUEUE,), QUEUE, tael.cny, "suspend", OUTSIDER, bytes(32)
    )
    tael.ok(ADMIN, governance, "revokeRole", 1, REGISTRAR)
    assert tael.chain.read(governance.address, "adminCount") == 1
    tael.refuse("AccessManagedUnauthorized", (REGISTRAR,), REGISTRAR, tael.cny, "admit", QUEUE)
    tael.ok(GUARDIAN, governance, "renounceRole", 2, GUARDIAN)


def send(tael: Lockstep, sender: str, to: str, name: str, *arguments: Any) -> Any:
    """What no model is kept of: delays and the authority itself."""
    return tael.chain.send(sender, to, name, *arguments)


def test_grant_delay_of_administrators_is_refused(tael: Lockstep) -> None:
    at = tael.governance.address
    refused = Refused("AccessManagerLockedRole", (0,))
    assert send(tael, ADMIN, at, "setGrantDelay", 0, 1) == refused
    assert send(tael, ADMIN, at, "setGrantDelay", 0, 0) == refused
    assert isinstance(send(tael, ADMIN, at, "setGrantDelay", 1, 86_400), Done)
    tael.chain.set_time(tael.now + 6 * 86_400)
    assert tael.chain.read(at, "getRoleGrantDelay", 1) == 86_400
    assert tael.chain.read(at, "getRoleGrantDelay", 0) == 0


def test_delayed_role_must_schedule_first(tael: Lockstep) -> None:
    """Threats C44, C47: what can hurt is announced, and can be cancelled."""
    at, token = tael.governance.address, tael.cny.address
    assert isinstance(send(tael, ADMIN, at, "grantRole", 5, QUEUE, 3_600), Done)
    outcome = send(tael, QUEUE, token, "admitModule", OUTSIDER)
    assert isinstance(outcome, Refused)
    assert outcome.error == "AccessManagerNotScheduled"
    data = bytes(calldata(tael, tael.cny, "admitModule", OUTSIDER))
    assert isinstance(send(tael, QUEUE, at, "schedule", token, data, 0), Done)
    outcome = send(tael, QUEUE, at, "execute", token, data)
    assert isinstance(outcome, Refused)
    assert outcome.error == "AccessManagerNotReady"
    tael.chain.set_time(tael.now + 3_600)
    done = send(tael, QUEUE, at, "execute", token, data)
    assert Event(token, "ModuleAdmitted", (OUTSIDER,)) in done.events
    assert tael.chain.read(token, "isModule", OUTSIDER)


def test_authority_is_replaced_by_itself_alone(tael: Lockstep) -> None:
    at = tael.governance.address
    for contract in (tael.cny.address, tael.escrow.address):
        for sender in (ADMIN, GOVERNOR, ISSUER):
            refused = Refused("AccessManagedUnauthorized", (sender,))
            assert send(tael, sender, contract, "setAuthority", at) == refused
        outcome = send(tael, ADMIN, at, "updateAuthority", contract, OUTSIDER)
        assert outcome == Refused("AccessManagedInvalidAuthority", (OUTSIDER,))
        other = tael.chain.deploy("Governance", DEPLOYER, SECOND_ADMIN)
        done = send(tael, ADMIN, at, "updateAuthority", contract, other)
        assert done.events == (Event(contract, "AuthorityUpdated", (other,)),)
        assert tael.chain.read(contract, "authority") == other
