"""Deploying for real: on Ganache, on Anvil, on Anvil posing as Sepolia; broken off and resumed.

C44 (takeover of roles), O11 (wrong arguments or roles), O12 (the deployer keeps a right), S17.
"""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from eth_abi import encode
from eth_utils import keccak

from tael.chain import Chain, Sender, load
from tael.chain.artifacts import CONTRACTS, signature_of
from tael.deployment import (
    ROLES,
    DeploymentPlan,
    cancel,
    deploy,
    execute,
    schedule,
    scheduled,
    verify,
)
from tael.deployment.plan import ROLE_BY_NAME
from tael.deployment.verify import ROLES_SLOT, TARGETS_SLOT
from tael.devnet import BANKS, running, signers_of
from tael.errors import (
    CodeMismatchError,
    ConfigurationError,
    ContractRevertedError,
    NetworkMismatchError,
    NotPermittedError,
    SigningKeyError,
    WrongStateError,
    WrongTimeError,
)
from tael.known_keys import TEST_ADDRESSES
from tael.manifest import Manifest
from tael.signers import PrivateKeySigner
from tael.testing import start_node
from tael.testing.nodes import MNEMONIC

ROOT = Path(__file__).resolve().parent.parent.parent
DEPLOYER, OPERATOR, ADMIN, GUARDIAN, CONTROLLER, BANK, OUTSIDER = signers_of(MNEMONIC, 7)
DAY = 86_400
NETWORKS = {
    "ganache": ("ganache", {}),
    "anvil": ("anvil", {}),
    "sepolia": ("anvil", {"chain_id": 11155111, "block_time_seconds": 2}),
}


def production_plan(**changes):
    """Roles apart and every delay on, as it is on a real chain."""
    document = DeploymentPlan.development(OPERATOR.address).to_dict()
    document["members"] |= {
        "ADMIN": [ADMIN.address],
        "GUARDIAN": [GUARDIAN.address],
        "CONTROLLER": [CONTROLLER.address],
    }
    del document["delays"]
    for table, values in changes.items():
        document[table] = {**document.get(table, {}), **values}
    return DeploymentPlan.from_dict(document)


def call_data(function):
    return bytes.fromhex(function._encode_transaction_data()[2:])


def nonce_of(chain, who):
    return chain.w3.eth.get_transaction_count(who.address)


@pytest.fixture(scope="module")
def node():
    with start_node("anvil", accounts=10) as running_node:
        yield running_node


@pytest.fixture(scope="module")
def chain(node):
    return Chain.connect(node.url)


@pytest.fixture(scope="module")
def manifest(chain):
    return deploy(chain, DEPLOYER, production_plan())


@pytest.fixture
def isolated(node, chain, manifest):
    snapshot = node.snapshot()
    yield Sender(chain)
    node.revert(snapshot)


@pytest.fixture
def governance(chain, manifest):
    return chain.contract("Governance", manifest.governance).functions


@pytest.fixture
def token(chain, manifest):
    return chain.contract("SettlementToken", manifest.token("CNY")).functions


# One deployment for every chain


@pytest.mark.threat("O12")
@pytest.mark.parametrize("name", NETWORKS)
def test_deploy_is_complete_and_a_second_run_changes_nothing_when_on_any_chain(name, tmp_path):
    kind, options = NETWORKS[name]
    with start_node(kind, **options) as running_node:
        chain = Chain.connect(running_node.url)
        path = Manifest.default_path(chain.chain_id, tmp_path)
        plan = production_plan()
        manifest = deploy(chain, DEPLOYER, plan, manifest_path=path)
        assert nonce_of(chain, DEPLOYER) == 5
        assert Manifest.load(path) == manifest
        assert manifest.complete
        assert manifest.pending is None
        assert verify(chain, manifest, plan) == []
        if name == "sepolia":
            digest = manifest.contracts["escrow"].transaction_hash
            transaction = chain.w3.eth.get_transaction(digest)
            assert transaction["type"] == 2
            assert transaction["chainId"] == 11155111
        before = path.read_bytes()
        assert deploy(chain, DEPLOYER, plan, manifest_path=path) == manifest
        assert nonce_of(chain, DEPLOYER) == 5
        assert path.read_bytes() == before
        governance = chain.contract("Governance", manifest.governance).functions
        for role in ROLES:
            assert chain.call(governance.hasRole(role.id, DEPLOYER.address)) == [False, 0]


class BreakingSender(Sender):
    """Ends like a killed process: just before, or just after, the n-th transaction is sent."""

    def __init__(self, chain, broken_at, *, after):
        super().__init__(chain)
        self.broken_at = broken_at
        self.after = after

    def _submit(self, prepared, deadline, *, sent_before):
        self.broken_at -= 1
        if self.broken_at == 0 and not self.after:
            raise KeyboardInterrupt
        super()._submit(prepared, deadline, sent_before=sent_before)
        if self.broken_at == 0:
            raise KeyboardInterrupt


def break_off(chain, path, plan, step, *, after):
    breaking = BreakingSender(chain, step, after=after)
    with pytest.raises(KeyboardInterrupt):
        deploy(chain, DEPLOYER, plan, manifest_path=path, sender=breaking)


@pytest.mark.parametrize("after", [False, True], ids=["before sending", "after sending"])
@pytest.mark.parametrize("step", range(1, 6))
def test_deploy_is_finished_by_the_next_run_when_broken_off(tmp_path, step, after):
    with start_node("anvil") as running_node:
        chain = Chain.connect(running_node.url)
        path, plan = tmp_path / "1337.json", production_plan()
        break_off(chain, path, plan, step, after=after)
        broken = Manifest.load(path)
        assert not broken.complete
        assert broken.pending["step"]
        with pytest.raises(ConfigurationError, match="not finished"):
            broken.check(chain)
        manifest = deploy(chain, DEPLOYER, plan, manifest_path=path)
        assert manifest.complete
        assert nonce_of(chain, DEPLOYER) == 5, "no contract was deployed twice"
        assert verify(chain, manifest, plan) == []


def test_deploy_makes_a_step_anew_when_its_nonce_went_to_another(tmp_path):
    with start_node("anvil") as running_node:
        chain = Chain.connect(running_node.url)
        path, plan = tmp_path / "1337.json", production_plan()
        break_off(chain, path, plan, 2, after=False)
        Sender(chain).send(DEPLOYER, OUTSIDER.address, b"", reference="something else")
        manifest = deploy(chain, DEPLOYER, plan, manifest_path=path)
        assert nonce_of(chain, DEPLOYER) == 6
        assert verify(chain, manifest, plan) == []


def test_deploy_refuses_when_the_plan_or_the_deployer_changed(chain, tmp_path):
    path = tmp_path / "1337.json"
    break_off(chain, path, production_plan(), 2, after=True)
    with pytest.raises(ConfigurationError, match="in scheme"):
        deploy(chain, DEPLOYER, production_plan(scheme={"fee_bps": 21}), manifest_path=path)
    with pytest.raises(ConfigurationError, match="must finish it"):
        deploy(chain, OUTSIDER, production_plan(), manifest_path=path)


@pytest.mark.threat("S17")
def test_deploy_refuses_when_the_manifest_is_of_another_chain(chain, manifest, tmp_path):
    path = tmp_path / "manifest.json"
    manifest.having(chain_id=1).save(path)
    with pytest.raises(NetworkMismatchError):
        deploy(chain, DEPLOYER, production_plan(), manifest_path=path)
    assert Manifest.load(path).chain_id == 1


def test_deploy_starts_afresh_when_the_local_chain_is_gone(tmp_path):
    path, said = tmp_path / "1337.json", []
    for _ in range(2):
        with start_node("anvil") as running_node:
            chain = Chain.connect(running_node.url)
            manifest = deploy(
                chain, DEPLOYER, production_plan(), manifest_path=path, progress=said.append
            )
            manifest.check(chain)
            time.sleep(1.1)  # the next genesis block gets another timestamp
    assert any("starting afresh" in each for each in said)


@pytest.mark.threat("S16")
def test_deploy_refuses_when_the_code_at_a_recorded_address_is_gone(tmp_path):
    with start_node("anvil") as running_node:
        chain = Chain.connect(running_node.url)
        path, plan = tmp_path / "1337.json", production_plan()
        break_off(chain, path, plan, 3, after=True)
        running_node.rpc("anvil_setCode", Manifest.load(path).governance, "0x00")
        with pytest.raises(CodeMismatchError):
            deploy(chain, DEPLOYER, plan, manifest_path=path)


@pytest.mark.threat("O12")
def test_deploy_refuses_when_the_deployer_is_in_the_plan(chain):
    with pytest.raises(ConfigurationError, match="must keep no role"):
        deploy(chain, OPERATOR, production_plan())


# Who may do what


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
    restricted = {name: set() for name in CONTRACTS}
    for recorded in manifest.contracts.values():
        for entry in load(recorded.contract).functions:
            if entry["stateMutability"] not in ("view", "pure") and refusal_of(
                chain, recorded.address, entry
            ) in ("AccessManagedUnauthorized", "AccessManagerUnauthorizedAccount"):
                restricted[recorded.contract].add(entry["name"])
    planned = {
        name: {each for role in ROLES for each in role.functions.get(name, ())}
        for name in CONTRACTS
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


# Verify


def as_administrator(isolated, node, manifest, function):
    """Do what only an administrator can, after the delay."""
    data = call_data(function)
    schedule(isolated, ADMIN, manifest, manifest.governance, data, reference="change")
    node.advance_time(2 * DAY + 1)
    execute(isolated, ADMIN, manifest, manifest.governance, data, reference="changed")


@pytest.mark.threat("O11")
@pytest.mark.parametrize(
    ("change", "subject"),
    [
        (lambda g, m: g.grantRole(1, OUTSIDER.address, 0), "REGISTRAR members"),
        (lambda g, m: g.grantRole(0, OUTSIDER.address, 0), "number of administrators"),
        (lambda g, m: g.grantRole(77, OUTSIDER.address, 0), "role 77 members"),
        (lambda g, m: g.revokeRole(3, OPERATOR.address), "ATTESTOR members"),
        (
            lambda g, m: g.grantRole(5, CONTROLLER.address, 3 * DAY),
            f"CONTROLLER delay of {CONTROLLER.address}",
        ),
        (lambda g, m: g.grantRole(0, DEPLOYER.address, 0), "ADMIN of the deployer"),
        (lambda g, m: g.labelRole(2, "MINT"), "ISSUANCE label"),
        (lambda g, m: g.setRoleAdmin(2, 5), "ISSUANCE admin"),
        (lambda g, m: g.setRoleGuardian(5, 0), "CONTROLLER guardian"),
        (lambda g, m: g.setGrantDelay(2, 5), "ISSUANCE grant delay"),
        (lambda g, m: g.setTargetAdminDelay(m.escrow, 5), "escrow admin delay"),
        (lambda g, m: g.setTargetClosed(m.token("HKD"), True), "token:HKD closed by governance"),
        (
            lambda g, m: g.setTargetFunctionRole(
                m.token("HKD"), [keccak(text="issue(address,uint256,bytes32)")[:4]], 2**64 - 1
            ),
            "token:HKD role of issue",
        ),
        (
            lambda g, m: g.setTargetFunctionRole(
                m.escrow, [keccak(text="admitToken(address)")[:4]], 0
            ),
            "escrow role of admitToken",
        ),
        (lambda g, m: g.updateAuthority(m.escrow, m.token("CNY")), "escrow authority"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_verify_names_what_differs_when_governance_changed_it(
    node, chain, manifest, governance, isolated, change, subject
):
    as_administrator(isolated, node, manifest, change(governance, manifest))
    findings = verify(chain, manifest)
    assert subject in [each.subject for each in findings]
    finding = next(each for each in findings if each.subject == subject)
    assert finding.expected != finding.actual
    assert str(finding) == f"{subject}: expected {finding.expected}, found {finding.actual}"


@pytest.mark.threat("O11")
@pytest.mark.parametrize(
    ("changes", "subject"),
    [
        ({"scheme": {"fee_bps": 21}}, "escrow schemeBps"),
        ({"scheme": {"interchange_cap_bps": 1}}, "escrow interchangeCapBps"),
        ({"scheme": {"account": OUTSIDER.address}}, "escrow schemeAccount"),
        ({"currencies": {"CNY": {"name": "Other", "symbol": "tCNY"}}}, "token:CNY name"),
        ({"members": {"ADMIN": [OUTSIDER.address]}}, "ADMIN members"),
        ({"delays": {"admin_seconds": 9}}, f"ADMIN delay of {ADMIN.address}"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_verify_names_what_differs_when_the_plan_is_another(chain, manifest, changes, subject):
    subjects = [each.subject for each in verify(chain, manifest, production_plan(**changes))]
    assert subject in subjects
    assert f"plan {next(iter(changes))}" in subjects


@pytest.mark.threat("O11")
def test_verify_names_the_arguments_when_a_contract_was_made_with_others(chain, manifest):
    findings = verify(chain, manifest, production_plan(scheme={"fee_bps": 21}))
    assert "escrow constructor" in [each.subject for each in findings]


@pytest.mark.threat("O11")
def test_verify_names_the_contract_when_the_plan_has_another_currency(chain, manifest):
    plan = production_plan(currencies={"JPY": {"name": "Tael JPY", "symbol": "tJPY"}})
    (finding,) = verify(chain, manifest, plan)
    assert finding.subject == "contracts"


@pytest.mark.threat("S16")
def test_verify_names_the_contract_when_its_code_was_replaced(chain, manifest):
    document = manifest.to_dict()
    document["contracts"]["escrow"]["code_hash"] = "0x" + "00" * 32
    (finding,) = verify(chain, Manifest.from_dict(document))
    assert finding.subject == "escrow code"


def test_verify_names_the_transaction_when_it_is_not_the_one_that_deployed(chain, manifest):
    document = manifest.to_dict()
    document["contracts"]["escrow"]["transaction_hash"] = "0x" + "00" * 32
    (finding,) = [
        each for each in verify(chain, Manifest.from_dict(document)) if "deployment" in each.subject
    ]
    assert finding.actual == "no such transaction"


def test_verify_reads_pending_delays_where_the_compiler_put_them():
    sys.path.insert(0, str(ROOT))
    from scripts.artifacts import compile_contracts

    layout = compile_contracts(mocks=False)["contracts"]["Governance"]["storageLayout"]
    slots = {each["label"]: int(each["slot"]) for each in layout["storage"]}
    assert (slots["_targets"], slots["_roles"]) == (TARGETS_SLOT, ROLES_SLOT)
    members = {
        each["label"]: (int(each["slot"]), each["offset"])
        for kind in layout["types"].values()
        if kind["label"] in ("struct AccessManager.Role", "struct AccessManager.TargetConfig")
        for each in kind["members"]
    }
    assert members["grantDelay"] == (1, 16)
    assert members["adminDelay"] == (1, 0)


# Documents


def test_documented_plan_is_the_default_when_loaded(tmp_path):
    text = (ROOT / "docs" / "deployment.md").read_text()
    path = tmp_path / "plan.toml"
    path.write_text(re.search(r"```toml\n(.*?)```", text, re.DOTALL)[1])
    plan = DeploymentPlan.load(path)
    without_delays = {key: value for key, value in plan.to_dict().items() if key != "delays"}
    assert DeploymentPlan.from_dict(without_delays) == plan
    plan.require_deployable(DEPLOYER.address, is_local=False)


def test_documented_roles_are_the_roles_of_the_plan():
    text = (ROOT / "docs" / "deployment.md").read_text()
    rows = dict(re.findall(r"^\| (\d+) \| `([A-Z]+)` \|", text, re.MULTILINE))
    assert {int(number): name for number, name in rows.items()} == {
        role.id: role.name for role in ROLES
    }
    for role in ROLES:
        row = next(
            line for line in text.splitlines() if line.startswith(f"| {role.id} | `{role.name}`")
        )
        if role.has_members and role.functions:
            for names in role.functions.values():
                assert all(f"`{name}`" in row for name in names)


@pytest.mark.threat("S26")
def test_documented_errors_are_those_of_the_tables():
    run(*script("errors_doc.py", "--check"), cwd=ROOT, env=dict(os.environ))


# Scripts


def environment(tmp_path, **variables):
    kept = {
        k: v for k, v in os.environ.items() if not k.startswith("TAEL_") or k == "TAEL_TEST_NODE"
    }
    return {**kept, "NO_COLOR": "1", "COLUMNS": "300", **variables}


def run(*command, cwd, env, check=True):
    result = subprocess.run(
        command, cwd=cwd, env=env, capture_output=True, text=True, timeout=300, check=False
    )
    assert not check or result.returncode == 0, result.stdout + result.stderr
    return result


def script(name, *arguments):
    return (sys.executable, str(ROOT / "scripts" / name), *arguments)


def write_plan(path, plan):
    document = plan.to_dict()
    lines = []
    for table in ("scheme", "members", "delays"):
        lines += [f"[{table}]", *(f"{key} = {json.dumps(v)}" for key, v in document[table].items())]
    for alpha, entry in document["currencies"].items():
        lines += [f"[currencies.{alpha}]", *(f"{k} = {json.dumps(v)}" for k, v in entry.items())]
    path.write_text("\n".join(lines) + "\n")
    return path


def test_scripts_deploy_and_verify_when_a_network_is_named_in_env(tmp_path):
    with start_node("anvil", chain_id=11155111, block_time_seconds=1) as running_node:
        own = PrivateKeySigner.from_key("5eed" * 16)
        assert own.address not in TEST_ADDRESSES
        running_node.rpc("anvil_setBalance", own.address, hex(10**18))
        env_file = tmp_path / ".env"
        env_file.write_text(
            f"TAEL_NETWORK_SEPOLIA_URL={running_node.url}\n"
            "TAEL_NETWORK_SEPOLIA_CHAIN_ID=11155111\n"
            f"TAEL_NETWORK_SEPOLIA_KEY={'5eed' * 16}\n"
            f"TAEL_PLAN={write_plan(tmp_path / 'plan.toml', production_plan())}\n"
        )
        env = environment(tmp_path)
        refused = run(
            *script("deploy.py", "--network", "sepolia"), cwd=tmp_path, env=env, check=False
        )
        assert refused.returncode == 1
        assert "chmod 600" in refused.stderr
        env_file.chmod(0o600)
        first = run(*script("deploy.py", "--network", "sepolia"), cwd=tmp_path, env=env)
        assert "handed over" in first.stdout
        assert "5eed5eed" not in first.stdout + first.stderr
        path = tmp_path / "deployments" / "11155111.json"
        manifest = Manifest.load(path)
        assert (manifest.chain_id, manifest.deployer) == (11155111, own.address)
        second = run(*script("deploy.py", "--network", "sepolia"), cwd=tmp_path, env=env)
        assert "nothing to do" in second.stdout
        verified = run(*script("verify.py", "--network", "sepolia"), cwd=tmp_path, env=env)
        assert "4 contracts are as planned" in verified.stdout
        # A tampered manifest is a table and exit code 1.
        document = manifest.to_dict()
        document["plan"]["scheme"]["fee_bps"] = 7
        path.write_text(json.dumps(document))
        differing = run(
            *script("verify.py", "--network", "sepolia"), cwd=tmp_path, env=env, check=False
        )
        assert differing.returncode == 1
        assert re.search(r"escrow schemeBps\s+\S\s+7\s+\S\s+20", differing.stdout)


def test_script_deploys_a_development_plan_when_the_chain_is_local(tmp_path):
    with start_node("ganache") as running_node:
        env = environment(tmp_path, TAEL_RPC_URL=running_node.url)
        run(*script("deploy.py"), cwd=tmp_path, env=env)
        run(*script("verify.py"), cwd=tmp_path, env=env)
        manifest = Manifest.load(tmp_path / "deployments" / "1337.json")
        assert manifest.plan["members"]["ADMIN"] == [OPERATOR.address]


def test_script_says_what_is_wrong_when_nothing_listens(tmp_path):
    env = environment(tmp_path, TAEL_RPC_URL="http://127.0.0.1:1")
    for name in ("deploy.py", "verify.py"):
        result = run(*script(name), cwd=tmp_path, env=env, check=False)
        assert result.returncode == 1
        assert "could not be reached" in result.stderr
        assert "Traceback" not in result.stderr


@pytest.mark.slow
def test_brownie_runs_deploy_when_it_brings_its_own_ganache(tmp_path):
    env = environment(tmp_path, TAEL_MANIFEST=str(tmp_path / "1337.json"))
    result = run(str(ROOT / "scripts" / "brownie"), "run", "deploy", cwd=ROOT, env=env)
    assert "handed over" in result.stdout
    assert Manifest.load(tmp_path / "1337.json").complete


@pytest.mark.slow
def test_brownie_runs_deploy_when_the_network_is_named_in_env(tmp_path):
    with start_node("anvil", chain_id=11155111, block_time_seconds=1) as running_node:
        env = environment(
            tmp_path,
            TAEL_NETWORK_SEPOLIA_URL=running_node.url,
            TAEL_NETWORK_SEPOLIA_CHAIN_ID="11155111",
            TAEL_MANIFEST=str(tmp_path / "11155111.json"),
            TAEL_PLAN=str(write_plan(tmp_path / "plan.toml", production_plan())),
        )
        brownie = str(ROOT / "scripts" / "brownie")
        for said in ("handed over", "nothing to do"):
            result = run(brownie, "run", "deploy", "--network", "sepolia", cwd=ROOT, env=env)
            assert said in result.stdout
        verified = run(brownie, "run", "verify", "--network", "sepolia", cwd=ROOT, env=env)
        assert "4 contracts are as planned" in verified.stdout
        manifest = Manifest.load(tmp_path / "11155111.json")
        assert verify(Chain.connect(running_node.url, 11155111), manifest) == []


# Devnet


@pytest.mark.parametrize("kind", ["anvil", "ganache"])
def test_devnet_is_funded_when_running(kind):
    with running(kind) as devnet:
        assert set(devnet.banks) == set(BANKS)
        for currency in ("CNY", "HKD"):
            token = devnet.chain.contract("SettlementToken", devnet.manifest.token(currency))
            for bank in devnet.banks.values():
                assert devnet.chain.call(token.functions.balanceOf(bank.address)) == 1_000_000_000
            assert devnet.chain.call(token.functions.totalSupply()) == 4_000_000_000
        assert verify(devnet.chain, devnet.manifest) == []
        assert Manifest.load(devnet.manifest_path) == devnet.manifest
        assert len(devnet.spare) == 14
        path = devnet.manifest_path
    assert not path.exists()


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_devnet_script_ends_what_it_started_when_stopped(tmp_path, ending):
    process = subprocess.Popen(
        script("devnet.py", "--node", "anvil", "--json"),
        cwd=tmp_path,
        env=environment(tmp_path),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        described = json.loads(process.stdout.readline())
        chain = Chain.connect(described["rpc_url"], described["chain_id"])
        Manifest.load(described["manifest"]).check(chain)
        operator = PrivateKeySigner.from_key(described["accounts"]["operator"]["key"])
        assert operator.address == described["accounts"]["operator"]["address"]
        process.send_signal(ending)
        assert process.wait(20) == 0
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        process.wait()
    assert process.stderr.read() == ""
    with pytest.raises(Exception, match="could not be reached"):
        Chain.connect(described["rpc_url"], retry_seconds=0.1)
    assert not Path(described["manifest"]).exists()


def test_devnet_script_takes_another_port_when_8545_is_taken(tmp_path):
    with socket.socket() as occupant:
        occupant.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with contextlib.suppress(OSError):  # occupied by somebody else serves as well
            occupant.bind(("127.0.0.1", 8545))
            occupant.listen()
        process = subprocess.Popen(
            script("devnet.py", "--json"),
            cwd=tmp_path,
            env=environment(tmp_path),
            stdout=subprocess.PIPE,
            text=True,
        )
        with process:
            try:
                described = json.loads(process.stdout.readline())
                assert not described["rpc_url"].endswith(":8545")
            finally:
                process.terminate()


def test_devnet_script_says_what_to_do_when_there_is_no_node(tmp_path):
    env = environment(tmp_path, TAEL_ANVIL=str(tmp_path / "absent"))
    result = run(*script("devnet.py"), cwd=tmp_path, env=env, check=False)
    assert result.returncode == 3
    assert f"{tmp_path / 'absent'} is not an executable file" in result.stderr
    assert "now: `tael doctor`" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.threat("S23")
def test_devnet_refuses_when_the_phrase_is_not_known(tmp_path):
    from tael.devnet import known_phrase, prepare

    phrase = "legal winner thank year wave sausage worth useful legal winner thank yellow"
    with start_node("anvil", mnemonic=phrase) as running_node:
        chain = Chain.connect(running_node.url)
        with pytest.raises(SigningKeyError, match="no phrase known"):
            known_phrase(chain)
        with pytest.raises(SigningKeyError, match="no phrase known"):
            prepare(chain, tmp_path / "1337.json")
        chain.url = "https://rpc.example.org"
        with pytest.raises(SigningKeyError, match="not local"):
            known_phrase(chain)
