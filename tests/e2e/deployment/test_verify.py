"""`verify` names what differs from the plan: wrong arguments or roles (O11), other code (S16)."""

import sys

import pytest
from eth_utils import keccak

from tael.contracts.calls import Contract
from tael.deployment import verify
from tael.deployment.verify import ROLES_SLOT, TARGETS_SLOT
from tael.manifest import Manifest
from tests.e2e.deployment.commands import ROOT
from tests.e2e.deployment.plans import (
    ADMIN,
    CONTROLLER,
    DAY,
    DEPLOYER,
    OPERATOR,
    OUTSIDER,
    production_plan,
)
from tests.support.sending import create


def as_administrator(isolated, node, manifest, function, *arguments):
    """Do what only an administrator can, after the delay."""
    admin, governance = isolated(ADMIN), Contract("Governance", manifest.governance)
    operation = admin.schedule(governance, function, *arguments, reference="change")
    node.advance_time(2 * DAY + 1)
    admin.execute(operation, reference="change")


@pytest.mark.threat("O11")
@pytest.mark.parametrize(
    ("change", "subject"),
    [
        (lambda m: ("grantRole", 1, OUTSIDER.address, 0), "REGISTRAR members"),
        (lambda m: ("grantRole", 0, OUTSIDER.address, 0), "number of administrators"),
        (lambda m: ("grantRole", 77, OUTSIDER.address, 0), "role 77 members"),
        (lambda m: ("revokeRole", 3, OPERATOR.address), "ATTESTOR members"),
        (
            lambda m: ("grantRole", 5, CONTROLLER.address, 3 * DAY),
            f"CONTROLLER delay of {CONTROLLER.address}",
        ),
        (lambda m: ("grantRole", 0, DEPLOYER.address, 0), "ADMIN of the deployer"),
        (lambda m: ("labelRole", 2, "MINT"), "ISSUANCE label"),
        (lambda m: ("setRoleAdmin", 2, 5), "ISSUANCE admin"),
        (lambda m: ("setRoleGuardian", 5, 0), "CONTROLLER guardian"),
        (lambda m: ("setGrantDelay", 2, 5), "ISSUANCE grant delay"),
        (lambda m: ("setTargetAdminDelay", m.escrow, 5), "escrow admin delay"),
        (lambda m: ("setTargetClosed", m.token("HKD"), True), "token:HKD closed by governance"),
        (
            lambda m: (
                "setTargetFunctionRole",
                m.token("HKD"),
                [keccak(text="issue(address,uint256,bytes32)")[:4]],
                2**64 - 1,
            ),
            "token:HKD role of issue",
        ),
        (
            lambda m: (
                "setTargetFunctionRole",
                m.escrow,
                [keccak(text="admitToken(address)")[:4]],
                0,
            ),
            "escrow role of admitToken",
        ),
        (lambda m: ("updateAuthority", m.escrow, m.token("CNY")), "escrow authority"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_verify_names_what_differs_when_governance_changed_it(
    node, chain, manifest, isolated, change, subject
):
    as_administrator(isolated, node, manifest, *change(manifest))
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


def test_verify_tells_a_second_escrow_from_the_first(chain, manifest, isolated):
    planned = next(each for each in production_plan().contracts() if each.key == "escrow")
    code = planned.creation_code(DEPLOYER.address, manifest.addresses_by_key)
    second = create(chain, OUTSIDER, code)
    document = manifest.to_dict()
    document["contracts"]["escrow:2"] = {
        **document["contracts"]["escrow"],
        "address": second,
        "code_hash": "0x" + keccak(chain.code(second)).hex(),
    }
    both = Manifest.from_dict(document)
    assert (both.escrow, both.tokens) == (manifest.escrow, manifest.tokens)
    # Nobody gave it a role or a delay, and the first one is as it was.
    subjects = [each.subject for each in verify(chain, both)]
    assert subjects == ["escrow:2 role of admitToken", "escrow:2 admin delay"]


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
