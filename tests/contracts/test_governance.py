"""Governance: roles, delays, a guardian who can cancel, and an administrator that cannot vanish."""

import pytest
from eth_abi import encode
from eth_utils import keccak

from tests.contracts.chain import refused, signature_of
from tests.contracts.world import DAY

ADMIN = 0
REGISTRAR, GUARDIAN, ATTESTOR, ISSUANCE, GOVERNOR = range(1, 6)
PUBLIC = 2**64 - 1
ZERO = "0x" + "00" * 20
TWO_DAYS = 2 * DAY
RESTRICTED = {
    "CNY": {
        "admit",
        "suspend",
        "reinstate",
        "close",
        "forceTransfer",
        "attest",
        "issue",
        "pause",
        "unpause",
        "admitEscrow",
        "admitModule",
        "cutOffModule",
    },
    "escrow": {"admitToken"},
}


def selector(contract, name):
    return keccak(text=signature_of(getattr(contract, name).entries[0]))[:4]


@pytest.fixture
def delayed(w):
    """The outsider may reinstate, close, unpause and admit modules, two days after saying so."""
    names = ("reinstate", "close", "unpause", "admitModule", "forceTransfer")
    selectors = [selector(w.cny, name) for name in names]
    w.governance.setTargetFunctionRole(w.cny, selectors, GOVERNOR, by=w.operator)
    w.governance.grantRole(GOVERNOR, w.outsider, TWO_DAYS, by=w.operator)
    w.governance.setRoleGuardian(GOVERNOR, GUARDIAN, by=w.operator)
    w.governance.grantRole(GUARDIAN, w.delegate, 0, by=w.operator)
    return w


# Who administers


@pytest.mark.threat("C44")
@pytest.mark.parametrize("how", ["renounce", "revoke"])
def test_last_admin_cannot_leave_when_alone(w, how):
    if how == "renounce":
        found = w.governance.renounceRole.refusal(ADMIN, w.operator, by=w.operator)
    else:
        found = w.governance.revokeRole.refusal(ADMIN, w.operator, by=w.operator)
    assert found == refused("LastAdmin", w.operator)


@pytest.mark.threat("C44")
def test_admin_leaves_when_another_stays_who_then_cannot(w):
    assert w.governance.adminCount() == 1
    w.governance.grantRole(ADMIN, w.newcomer, 0, by=w.operator)
    # A second grant to the same account changes its delay, not the count.
    w.governance.grantRole(ADMIN, w.newcomer, 0, by=w.operator)
    assert w.governance.adminCount() == 2
    w.governance.renounceRole(ADMIN, w.operator, by=w.operator)
    assert w.governance.adminCount() == 1
    assert w.governance.hasRole(ADMIN, w.operator) == (False, 0)
    found = w.governance.renounceRole.refusal(ADMIN, w.newcomer, by=w.newcomer)
    assert found == refused("LastAdmin", w.newcomer)
    found = w.cny.pause.refusal(by=w.operator)
    assert found == refused("AccessManagedUnauthorized", w.operator)


@pytest.mark.threat("C44")
def test_admin_count_stays_when_a_stranger_is_revoked_or_another_role_changes(w):
    w.governance.revokeRole(ADMIN, w.outsider, by=w.operator)
    w.governance.grantRole(GUARDIAN, w.outsider, 0, by=w.operator)
    w.governance.revokeRole(GUARDIAN, w.outsider, by=w.operator)
    assert w.governance.adminCount() == 1


@pytest.mark.threat("C44")
def test_admin_role_has_no_grant_delay_when_asked_for_one(w):
    # An administrator of the far future must not let the present one leave.
    found = w.governance.setGrantDelay.refusal(ADMIN, TWO_DAYS, by=w.operator)
    assert found == refused("AccessManagerLockedRole", ADMIN)
    w.governance.setGrantDelay(GUARDIAN, TWO_DAYS, by=w.operator)


@pytest.mark.threat("C44")
@pytest.mark.parametrize("role", [ADMIN, GUARDIAN, GOVERNOR])
def test_grant_role_is_refused_when_the_caller_is_no_admin(w, role):
    w.governance.grantRole(GUARDIAN, w.outsider, 0, by=w.operator)
    found = w.governance.grantRole.refusal(role, w.outsider, 0, by=w.outsider)
    assert found == refused("AccessManagerUnauthorizedAccount", w.outsider, ADMIN)


@pytest.mark.threat("C44")
@pytest.mark.parametrize("verb", ["setRoleAdmin", "setRoleGuardian"])
def test_admin_role_stays_locked_when_its_own_admin_would_change(w, verb):
    found = getattr(w.governance, verb).refusal(ADMIN, GUARDIAN, by=w.operator)
    assert found == refused("AccessManagerLockedRole", ADMIN)


def test_governance_is_refused_when_the_first_admin_is_nobody(w):
    found = w.chain.deployment_refusal(w.project.Governance, ZERO, by=w.operator)
    assert found == refused("AccessManagerInvalidInitialAdmin", ZERO)


# What is restricted


@pytest.mark.threat("C44")
@pytest.mark.parametrize("contract", ["CNY", "escrow"])
def test_restricted_functions_are_exactly_these_when_a_stranger_tries_everything(w, contract):
    target = w.cny if contract == "CNY" else w.escrow
    found = set()
    for entry in target.abi:
        if entry["type"] != "function" or entry["stateMutability"] != "nonpayable":
            continue
        data = keccak(text=signature_of(entry))[:4] + bytes(32 * 24)
        try:
            refusal = w.chain.refusal(target.address, data.hex(), w.newcomer)
        except AssertionError:
            continue  # anyone may call it, even with zeros
        if refusal == refused("AccessManagedUnauthorized", w.newcomer):
            found.add(entry["name"])
    assert found - {"setAuthority"} == RESTRICTED[contract]


@pytest.mark.threat("C45")
def test_restricted_function_follows_its_role_when_keys_are_separate(w):
    roles = {
        REGISTRAR: ["admit"],
        ATTESTOR: ["attest"],
        ISSUANCE: ["issue"],
        GUARDIAN: ["pause", "suspend", "cutOffModule"],
    }
    holders = dict(zip(roles, (w.newcomer, w.module, w.other_module, w.delegate), strict=True))
    for role, names in roles.items():
        selectors = [selector(w.cny, name) for name in names]
        w.governance.setTargetFunctionRole(w.cny, selectors, role, by=w.operator)
        w.governance.grantRole(role, holders[role], 0, by=w.operator)
    arguments = {
        "admit": (w.outsider,),
        "attest": (1, bytes(32), w.now + 9),
        "issue": (w.issuer, 1, b"reference".ljust(32)),
        "pause": (),
        "suspend": (w.issuer, bytes(32)),
        "cutOffModule": (w.escrow,),
    }
    for role, names in roles.items():
        for name in names:
            verb = getattr(w.cny, name)
            for other, holder in (*holders.items(), (ADMIN, w.operator)):
                if other == role:
                    verb.read(*arguments[name], by=holder)
                else:
                    found = verb.refusal(*arguments[name], by=holder)
                    assert found == refused("AccessManagedUnauthorized", holder), name
    # In another currency the same keys may do nothing.
    found = w.hkd.pause.refusal(by=w.delegate)
    assert found == refused("AccessManagedUnauthorized", w.delegate)


# Delays


def operation_id(w, caller, target, data):
    packed = encode(
        ["address", "address", "bytes"], [caller.address, target.address, bytes.fromhex(data[2:])]
    )
    return keccak(packed)


def test_delayed_verb_is_refused_when_it_was_not_scheduled(delayed):
    w = delayed
    data = w.cny.admitModule.encode(w.module)
    expected = refused("AccessManagerNotScheduled", operation_id(w, w.outsider, w.cny, data))
    assert w.cny.admitModule.refusal(w.module, by=w.outsider) == expected


@pytest.mark.threat("C48")
def test_delayed_verb_goes_through_when_its_delay_is_over_and_not_a_second_before(delayed):
    w = delayed
    data = bytes.fromhex(w.cny.admitModule.encode(w.module)[2:])
    starts = w.now
    w.governance.schedule(w.cny, data, 0, by=w.outsider)
    identifier = operation_id(w, w.outsider, w.cny, "0x" + data.hex())
    w.at(starts + TWO_DAYS - 1)
    found = w.cny.admitModule.refusal(w.module, by=w.outsider)
    assert found == refused("AccessManagerNotReady", identifier)
    w.at(starts + TWO_DAYS)
    w.cny.admitModule(w.module, by=w.outsider)
    assert w.cny.isModule(w.module)
    w.cny.cutOffModule(w.module, by=w.operator)
    found = w.cny.admitModule.refusal(w.module, by=w.outsider)
    assert found == refused("AccessManagerNotScheduled", identifier)


def test_delayed_verb_is_refused_when_it_waited_too_long(delayed):
    w = delayed
    data = bytes.fromhex(w.cny.close.encode(w.scheme)[2:])
    w.governance.schedule(w.cny, data, 0, by=w.outsider)
    w.at(w.now + TWO_DAYS + w.governance.expiration())
    found = w.cny.close.refusal(w.scheme, by=w.outsider)
    identifier = operation_id(w, w.outsider, w.cny, "0x" + data.hex())
    assert found == refused("AccessManagerExpired", identifier)


@pytest.mark.threat("C47")
def test_delayed_verb_is_refused_when_the_guardian_cancelled_it(delayed):
    w = delayed
    data = bytes.fromhex(w.cny.forceTransfer.encode(w.issuer, w.scheme, 1, bytes(32))[2:])
    w.governance.schedule(w.cny, data, 0, by=w.outsider)
    found = w.governance.cancel.refusal(w.outsider, w.cny, data, by=w.newcomer)
    expected = (w.newcomer, w.outsider, w.cny, data[:4])
    assert found == refused("AccessManagerUnauthorizedCancel", *expected)
    w.governance.cancel(w.outsider, w.cny, data, by=w.delegate)
    w.at(w.now + TWO_DAYS)
    found = w.cny.forceTransfer.refusal(w.issuer, w.scheme, 1, bytes(32), by=w.outsider)
    identifier = operation_id(w, w.outsider, w.cny, "0x" + data.hex())
    assert found == refused("AccessManagerNotScheduled", identifier)


def test_delayed_verb_says_governance_when_it_is_executed_through_it(delayed):
    w = delayed
    w.cny.pause(by=w.operator)
    data = bytes.fromhex(w.cny.unpause.encode()[2:])
    w.governance.schedule(w.cny, data, 0, by=w.outsider)
    w.at(w.now + TWO_DAYS)
    receipt = w.governance.execute(w.cny, data, by=w.outsider)
    assert w.cny.event("Unpaused", by=w.governance) in receipt.events


@pytest.mark.threat("C44")
def test_authority_changes_only_when_governance_itself_moves_it(w):
    for by in (w.operator, w.outsider):
        found = w.cny.setAuthority.refusal(w.outsider, by=by)
        assert found == refused("AccessManagedUnauthorized", by)
    found = w.governance.updateAuthority.refusal(w.cny, w.outsider, by=w.operator)
    assert found == refused("AccessManagedInvalidAuthority", w.outsider)
    successor = w.chain.deploy(w.project.Governance, w.newcomer, by=w.operator)
    w.governance.updateAuthority(w.cny, successor, by=w.operator)
    assert w.cny.authority() == successor.address
    found = w.cny.pause.refusal(by=w.operator)
    assert found == refused("AccessManagedUnauthorized", w.operator)
    w.cny.pause(by=w.newcomer)


@pytest.mark.threat("C52")
def test_contracts_take_no_ether_and_have_no_fallback_when_sent_something(w):
    for contract in (w.cny, w.escrow):
        entries = {entry["type"] for entry in contract.abi}
        assert not entries & {"receive", "fallback"}
        payable = [e for e in contract.abi if e.get("stateMutability") == "payable"]
        assert [e for e in payable if e["type"] == "function"] == []
        for data in ("0x", "0xdeadbeef", "0x00"):
            assert w.chain.refusal(contract.address, data, w.issuer) == refused("")
