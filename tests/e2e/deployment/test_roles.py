"""Who may do what once it is deployed: roles taken over (C44), the deployer (O12)."""

import pytest
from eth_abi import encode
from eth_utils import keccak

from tael.chain import load
from tael.contracts.artifacts import signature_of
from tael.contracts.calls import Contract
from tael.contracts.registry import REGISTRY
from tael.deployment import ROLES, verify
from tael.deployment.plan import ROLE_BY_NAME
from tael.errors import ContractRevertedError, NotPermittedError, WrongStateError, WrongTimeError
from tael.rpc import call, request
from tests.e2e.deployment.plans import (
    ADMIN,
    BANK,
    CONTROLLER,
    DAY,
    DEPLOYER,
    GUARDIAN,
    OPERATOR,
    OUTSIDER,
)
from tests.support.sending import order, outbox_on


def default(parameter):
    kind = parameter["type"]
    if kind.endswith("]"):
        return []
    if kind == "tuple":
        return tuple(default(each) for each in parameter["components"])
    if kind == "address":
        return "0x" + "00" * 20
    if kind == "string":
        return ""
    if kind == "bool":
        return False
    if kind.startswith("bytes"):
        return bytes(int(kind[5:] or 0))
    return 0


def canonical(parameter):
    return signature_of({"name": "", "inputs": [parameter]})[1:-1]


def refusal_of(chain, address, entry):
    data = keccak(text=signature_of(entry))[:4] + encode(
        [canonical(each) for each in entry["inputs"]], [default(each) for each in entry["inputs"]]
    )
    asked = {"from": OUTSIDER.address, "to": address, "data": "0x" + data.hex()}
    try:
        request(chain, "eth_call", asked, "latest")
    except ContractRevertedError as refusal:
        return refusal.name
    return ""


@pytest.mark.threat("C44")
def test_roles_cover_every_restricted_function_of_the_contracts(chain, manifest):
    restricted = {name: set() for name in REGISTRY.names}
    for recorded in manifest.contracts.values():
        for entry in load(recorded.contract).functions:
            if entry["stateMutability"] not in ("view", "pure") and refusal_of(
                chain, recorded.address, entry
            ) in ("AccessManagedUnauthorized", "AccessManagerUnauthorizedAccount"):
                restricted[recorded.contract].add(entry["name"])
    planned = {
        name: {each for role in ROLES for each in role.functions.get(name, ())}
        for name in REGISTRY.names
    }
    # Only Governance itself may change a contract's authority; it does so for an administrator.
    assert restricted["SettlementToken"] - {"setAuthority"} == planned["SettlementToken"]
    assert restricted["PaymentEscrow"] - {"setAuthority"} == planned["PaymentEscrow"]
    # Not cancellable by the guardian, on purpose: the guardian must be removable.
    assert restricted["Governance"] - {"revokeRole"} == planned["Governance"]
    assert {"setAuthority"} <= restricted["SettlementToken"] & restricted["PaymentEscrow"]


@pytest.mark.threat("C44")
def test_each_function_belongs_to_one_role():
    pairs = [
        (contract, name)
        for role in ROLES
        for contract, names in role.functions.items()
        for name in names
    ]
    assert len(pairs) == len(set(pairs))
    assert len({role.id for role in ROLES}) == len(ROLES)
    assert [role.name for role in ROLES if role.delayed] == ["ADMIN", "CONTROLLER"]
    hurting = {"unpause", "reinstate", "close", "forceTransfer", "admitEscrow", "admitModule"}
    assert set(ROLE_BY_NAME["CONTROLLER"].functions["SettlementToken"]) == hurting
    at_once = {"pause", "suspend", "cutOffModule"}
    assert set(ROLE_BY_NAME["GUARDIAN"].functions["SettlementToken"]) == at_once


@pytest.mark.threat("O12")
@pytest.mark.threat("C44")
def test_the_deployer_is_refused_everywhere_when_deployed(chain, manifest, governance, token):
    pause, unpause = (token.function(name).encode() for name in ("pause", "unpause"))
    for contract, name, *arguments in (
        (token, "admit", OUTSIDER.address),
        (token, "issue", OPERATOR.address, 1, b"\1" * 32),
        (token, "pause"),
        (token, "admitModule", OUTSIDER.address),
        (token, "forceTransfer", OPERATOR.address, OPERATOR.address, 0, bytes(32)),
        (governance, "grantRole", 0, DEPLOYER.address, 0),
        (governance, "setTargetFunctionRole", manifest.escrow, [b"\0" * 4], 0),
        (governance, "updateAuthority", manifest.escrow, DEPLOYER.address),
        (governance, "execute", token.address, pause),
        (governance, "schedule", token.address, unpause, 0),
    ):
        with pytest.raises(NotPermittedError):
            call(chain, contract, name, *arguments, sender=DEPLOYER.address)


def test_roles_act_at_once_where_nothing_can_be_hurt(chain, token):
    assert call(chain, token, "admit", BANK.address, sender=OPERATOR.address) == ()
    assert call(chain, token, "pause", sender=GUARDIAN.address) == ()


@pytest.mark.threat("C44")
def test_a_controller_waits_when_it_wants_to_change_something(
    node, chain, manifest, token, isolated
):
    data, target = token.function("admitModule").encode(OUTSIDER.address), token.address
    with pytest.raises(WrongStateError) as refused:
        outbox_on(chain).send(CONTROLLER, order(CONTROLLER, target, data))
    assert refused.value.name == "AccessManagerNotScheduled"
    controller, module = isolated(CONTROLLER), Contract("SettlementToken", target)
    controller.schedule(module, "admitModule", OUTSIDER.address, reference="announce")
    (operation,) = controller.scheduled()
    assert (operation.caller, operation.target, operation.verb, operation.data) == (
        CONTROLLER.address,
        target,
        "admitModule",
        data,
    )
    assert operation.state == "waiting"
    assert abs(operation.ready_at - chain.now() - 2 * DAY) < 60
    with pytest.raises(WrongTimeError):
        controller.execute(operation, reference="early")
    node.mine(timestamp=operation.ready_at)
    assert [each.state for each in controller.scheduled()] == ["ready"]
    controller.execute(operation, reference="in-time")
    assert call(chain, token, "isModule", OUTSIDER.address)
    assert controller.scheduled() == []
    (finding,) = verify(chain, manifest)
    assert (finding.subject, finding.expected, finding.actual) == (
        "token:CNY modules",
        "none",
        OUTSIDER.address,
    )


@pytest.mark.threat("C44")
def test_the_guardian_cancels_what_a_controller_or_an_administrator_scheduled(
    node, chain, manifest, governance, token, isolated
):
    admin, guardian, outsider = isolated(ADMIN), isolated(GUARDIAN), isolated(OUTSIDER)
    takeover = admin.schedule(
        Contract("Governance", manifest.governance),
        "grantRole",
        0,
        OUTSIDER.address,
        0,
        reference="takeover",
    )
    isolated(CONTROLLER).schedule(
        Contract("SettlementToken", manifest.token("CNY")),
        "admitModule",
        OUTSIDER.address,
        reference="module",
    )
    operations = guardian.scheduled()
    assert {(each.caller, each.verb) for each in operations} == {
        (ADMIN.address, "grantRole"),
        (CONTROLLER.address, "admitModule"),
    }
    for operation in operations:
        with pytest.raises(NotPermittedError):
            outsider.cancel(operation, reference="not-mine")
        guardian.cancel(operation, reference=f"stop {operation.verb}")
        with pytest.raises(WrongStateError):
            guardian.cancel(operation, reference="again")
    assert guardian.scheduled() == []
    node.advance_time(3 * DAY)
    with pytest.raises(WrongStateError):
        admin.execute(takeover, reference="late")
    assert verify(chain, manifest) == []


@pytest.mark.threat("C44")
def test_the_guardian_cannot_keep_itself_in_office(node, chain, manifest, governance, isolated):
    admin, guardian = isolated(ADMIN), isolated(GUARDIAN)
    operation = admin.schedule(
        Contract("Governance", manifest.governance),
        "revokeRole",
        ROLE_BY_NAME["GUARDIAN"].id,
        GUARDIAN.address,
        reference="removal",
    )
    with pytest.raises(NotPermittedError):
        guardian.cancel(operation, reference="never")
    node.mine(timestamp=operation.ready_at)
    admin.execute(operation, reference="removed")
    findings = {each.subject: each for each in verify(chain, manifest)}
    assert findings["GUARDIAN members"].actual == "none"


@pytest.mark.threat("C44")
def test_the_last_administrator_cannot_leave(chain, manifest, governance):
    with pytest.raises(WrongStateError) as refused:
        call(chain, governance, "renounceRole", 0, ADMIN.address, sender=ADMIN.address)
    assert refused.value.name == "LastAdmin"


@pytest.mark.threat("C44")
def test_delays_count_in_the_end_when_set_at_deployment(
    node, chain, manifest, governance, isolated
):
    registrar = ROLE_BY_NAME["REGISTRAR"].id
    assert call(chain, governance, "getRoleGrantDelay", registrar) == 0
    assert call(chain, governance, "getTargetAdminDelay", manifest.escrow) == 0
    node.advance_time(5 * DAY + 1)
    assert call(chain, governance, "getRoleGrantDelay", registrar) == 2 * DAY
    assert call(chain, governance, "getTargetAdminDelay", manifest.escrow) == 2 * DAY
    assert verify(chain, manifest) == []
