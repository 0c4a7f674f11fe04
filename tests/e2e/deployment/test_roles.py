"""Who may do what once it is deployed: roles taken over (C44), the deployer (O12)."""

import pytest
from eth_abi import encode
from eth_utils import keccak

from tael.chain import load
from tael.contracts.artifacts import signature_of
from tael.contracts.registry import REGISTRY
from tael.deployment import ROLES, cancel, execute, schedule, scheduled, verify
from tael.deployment.plan import ROLE_BY_NAME
from tael.errors import ContractRevertedError, NotPermittedError, WrongStateError, WrongTimeError
from tests.e2e.deployment.plans import (
    ADMIN,
    BANK,
    CONTROLLER,
    DAY,
    DEPLOYER,
    GUARDIAN,
    OPERATOR,
    OUTSIDER,
    call_data,
)


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
    call = {"from": OUTSIDER.address, "to": address, "data": "0x" + data.hex()}
    try:
        chain.read(lambda: chain.w3.eth.call(call))
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
    for function in (
        token.admit(OUTSIDER.address),
        token.issue(OPERATOR.address, 1, b"\1" * 32),
        token.pause(),
        token.admitModule(OUTSIDER.address),
        token.forceTransfer(OPERATOR.address, OPERATOR.address, 0, bytes(32)),
        governance.grantRole(0, DEPLOYER.address, 0),
        governance.setTargetFunctionRole(manifest.escrow, [b"\0" * 4], 0),
        governance.updateAuthority(manifest.escrow, DEPLOYER.address),
        governance.execute(manifest.token("CNY"), call_data(token.pause())),
        governance.schedule(manifest.token("CNY"), call_data(token.unpause()), 0),
    ):
        with pytest.raises(NotPermittedError):
            chain.call(function, sender=DEPLOYER.address)


def test_roles_act_at_once_where_nothing_can_be_hurt(chain, token):
    assert chain.call(token.admit(BANK.address), sender=OPERATOR.address) == []
    assert chain.call(token.pause(), sender=GUARDIAN.address) == []


@pytest.mark.threat("C44")
def test_a_controller_waits_when_it_wants_to_change_something(
    node, chain, manifest, token, isolated
):
    data, target = call_data(token.admitModule(OUTSIDER.address)), manifest.token("CNY")
    with pytest.raises(WrongStateError) as refused:
        isolated.send(CONTROLLER, target, data, reference="too-soon")
    assert refused.value.name == "AccessManagerNotScheduled"
    schedule(isolated, CONTROLLER, manifest, target, data, reference="announce")
    (operation,) = scheduled(chain, manifest)
    assert (operation.caller, operation.target, operation.data) == (
        CONTROLLER.address,
        target,
        data,
    )
    assert abs(operation.ready_at - chain.now() - 2 * DAY) < 60
    with pytest.raises(WrongTimeError):
        execute(isolated, CONTROLLER, manifest, target, data, reference="early")
    node.mine(timestamp=operation.ready_at)
    execute(isolated, CONTROLLER, manifest, target, data, reference="in-time")
    assert chain.call(token.isModule(OUTSIDER.address))
    assert scheduled(chain, manifest) == []
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
    takeover = call_data(governance.grantRole(0, OUTSIDER.address, 0))
    module = call_data(token.admitModule(OUTSIDER.address))
    schedule(isolated, ADMIN, manifest, manifest.governance, takeover, reference="takeover")
    schedule(isolated, CONTROLLER, manifest, manifest.token("CNY"), module, reference="module")
    operations = scheduled(chain, manifest)
    assert {each.caller for each in operations} == {ADMIN.address, CONTROLLER.address}
    for operation in operations:
        with pytest.raises(NotPermittedError):
            cancel(isolated, OUTSIDER, manifest, operation, reference="not-mine")
        cancel(isolated, GUARDIAN, manifest, operation, reference="stop")
        with pytest.raises(WrongStateError):
            cancel(isolated, GUARDIAN, manifest, operation, reference="again")
    node.advance_time(3 * DAY)
    with pytest.raises(WrongStateError):
        execute(isolated, ADMIN, manifest, manifest.governance, takeover, reference="late")
    assert verify(chain, manifest) == []


@pytest.mark.threat("C44")
def test_the_guardian_cannot_keep_itself_in_office(node, chain, manifest, governance, isolated):
    removal = call_data(governance.revokeRole(ROLE_BY_NAME["GUARDIAN"].id, GUARDIAN.address))
    schedule(isolated, ADMIN, manifest, manifest.governance, removal, reference="removal")
    (operation,) = scheduled(chain, manifest)
    with pytest.raises(NotPermittedError):
        cancel(isolated, GUARDIAN, manifest, operation, reference="never")
    node.mine(timestamp=operation.ready_at)
    execute(isolated, ADMIN, manifest, manifest.governance, removal, reference="removed")
    findings = {each.subject: each for each in verify(chain, manifest)}
    assert findings["GUARDIAN members"].actual == "none"


@pytest.mark.threat("C44")
def test_the_last_administrator_cannot_leave(chain, manifest, governance):
    with pytest.raises(WrongStateError) as refused:
        chain.call(governance.renounceRole(0, ADMIN.address), sender=ADMIN.address)
    assert refused.value.name == "LastAdmin"


@pytest.mark.threat("C44")
def test_delays_count_in_the_end_when_set_at_deployment(
    node, chain, manifest, governance, isolated
):
    registrar = ROLE_BY_NAME["REGISTRAR"].id
    assert chain.call(governance.getRoleGrantDelay(registrar)) == 0
    assert chain.call(governance.getTargetAdminDelay(manifest.escrow)) == 0
    node.advance_time(5 * DAY + 1)
    assert chain.call(governance.getRoleGrantDelay(registrar)) == 2 * DAY
    assert chain.call(governance.getTargetAdminDelay(manifest.escrow)) == 2 * DAY
    assert verify(chain, manifest) == []
