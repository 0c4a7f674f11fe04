"""Deploying on Ganache, Anvil, Anvil posing as Sepolia; broken off, resumed (O12, S16, S17)."""

import time

import pytest

from tael.addresses import created_address
from tael.chain import Chain
from tael.contracts.calls import Contract
from tael.deployment import ROLES, deploy, verify
from tael.errors import (
    CodeMismatchError,
    ConfigurationError,
    NetworkMismatchError,
    OutcomeUnknownError,
)
from tael.manifest import Manifest
from tael.rpc import call, request
from tael.testing import start_node
from tests.e2e.deployment.killing import SAVING, STEPS, killed
from tests.e2e.deployment.plans import DEPLOYER, OPERATOR, OUTSIDER, production_plan
from tests.support.sending import send

NETWORKS = {
    "ganache": ("ganache", {}),
    "anvil": ("anvil", {}),
    "sepolia": ("anvil", {"chain_id": 11155111, "block_time_seconds": 2}),
}

CREATED = ("governance", "CNY", "HKD", "escrow", "handover")


def nonce_of(chain, who):
    return chain.transaction_count(who.address)


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
        assert verify(chain, manifest, plan) == []
        if name == "sepolia":
            digest = manifest.contracts["escrow"].transaction_hash
            transaction = request(chain, "eth_getTransactionByHash", digest)
            assert transaction["type"] == "0x2"
            assert transaction["chainId"] == hex(11155111)
        before = path.read_bytes()
        assert deploy(chain, DEPLOYER, plan, manifest_path=path) == manifest
        assert nonce_of(chain, DEPLOYER) == 5
        assert path.read_bytes() == before
        governance = Contract("Governance", manifest.governance)
        for role in ROLES:
            assert call(chain, governance, "hasRole", role.id, DEPLOYER.address) == (False, 0)


@pytest.fixture(scope="module")
def anvil():
    """A chain on which each test deploys anew: how many transactions that takes is counted."""
    with start_node("anvil") as running_node:
        yield running_node


@pytest.mark.parametrize("number", range(1, 6), ids=CREATED)
@pytest.mark.parametrize("step", [*STEPS, SAVING])
def test_deploy_is_finished_by_the_next_run_when_killed_anywhere(anvil, tmp_path, step, number):
    chain, path, plan = Chain.connect(anvil.url), tmp_path / "1337.json", production_plan()
    before = nonce_of(chain, DEPLOYER)
    killed(anvil.url, path, plan, step, number)
    if path.exists():
        broken = Manifest.load(path)
        assert not broken.complete
        with pytest.raises(ConfigurationError, match="not finished"):
            broken.check(chain)
    manifest = deploy(chain, DEPLOYER, plan, manifest_path=path)
    assert nonce_of(chain, DEPLOYER) == before + 5, "no contract was deployed twice"
    # Which `verify` has found nothing against.
    assert manifest.complete
    assert Manifest.load(path) == manifest


@pytest.mark.parametrize("number", range(1, 6), ids=CREATED)
def test_deploy_is_taken_up_from_the_journal_when_the_manifest_is_lost(anvil, tmp_path, number):
    chain, path, plan = Chain.connect(anvil.url), tmp_path / "1337.json", production_plan()
    before = nonce_of(chain, DEPLOYER)
    killed(anvil.url, path, plan, "sent", number)
    path.unlink(missing_ok=True)
    manifest = deploy(chain, DEPLOYER, plan, manifest_path=path)
    assert nonce_of(chain, DEPLOYER) == before + 5, "no contract was deployed twice"
    path.unlink()
    assert deploy(chain, DEPLOYER, plan, manifest_path=path) == manifest
    assert nonce_of(chain, DEPLOYER) == before + 5


@pytest.mark.parametrize("number", range(1, 6), ids=CREATED)
def test_deploy_sends_anew_only_what_the_manifest_lacks_when_the_journal_is_lost(
    anvil, tmp_path, number
):
    chain, path, plan = Chain.connect(anvil.url), tmp_path / "1337.json", production_plan()
    before = nonce_of(chain, DEPLOYER)
    killed(anvil.url, path, plan, "recorded", number)
    kept = Manifest.load(path).contracts if path.exists() else {}
    assert len(kept) == min(number - 1, 4)
    for each in tmp_path.glob("*.sqlite*"):
        each.unlink()
    manifest = deploy(chain, DEPLOYER, plan, manifest_path=path)
    assert kept.items() <= manifest.contracts.items()
    # A contract that was created and not recorded is left unused; handing over counts once.
    assert nonce_of(chain, DEPLOYER) == before + (5 if number == 5 else 6)
    assert verify(chain, manifest, plan) == []


def test_deploy_sends_a_step_anew_when_its_nonce_went_to_another(anvil, tmp_path):
    chain, path, plan = Chain.connect(anvil.url), tmp_path / "1337.json", production_plan()
    before = nonce_of(chain, DEPLOYER)
    killed(anvil.url, path, plan, "journaled", 2)
    send(chain, DEPLOYER, OUTSIDER.address)
    manifest = deploy(chain, DEPLOYER, plan, manifest_path=path)
    assert nonce_of(chain, DEPLOYER) == before + 6
    assert verify(chain, manifest, plan) == []


def test_deploy_refuses_when_the_plan_or_the_deployer_changed(anvil, tmp_path):
    chain, path = Chain.connect(anvil.url), tmp_path / "1337.json"
    killed(anvil.url, path, production_plan(), "sent", 4)
    with pytest.raises(ConfigurationError, match="in scheme"):
        deploy(chain, DEPLOYER, production_plan(scheme={"fee_bps": 21}), manifest_path=path)
    with pytest.raises(ConfigurationError, match="must finish it"):
        deploy(chain, OUTSIDER, production_plan(), manifest_path=path)
    # Without the manifest, the journal still knows what was signed.
    path.unlink()
    with pytest.raises(ConfigurationError, match="escrow was signed before with other"):
        deploy(chain, DEPLOYER, production_plan(scheme={"fee_bps": 21}), manifest_path=path)


def test_deploy_says_what_to_do_when_a_block_does_not_come(tmp_path):
    with start_node("anvil", mine_automatically=False) as slow:
        chain, path, plan = Chain.connect(slow.url), tmp_path / "1337.json", production_plan()
        with pytest.raises(OutcomeUnknownError, match="Run it again") as unknown:
            deploy(chain, DEPLOYER, plan, manifest_path=path, wait_seconds=1)
        slow.rpc("evm_setAutomine", True)
        slow.mine()
        manifest = deploy(chain, DEPLOYER, plan, manifest_path=path)
        first = manifest.contracts["governance"]
        assert first.transaction_hash == unknown.value.transaction_hash
        assert nonce_of(chain, DEPLOYER) == 5


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
        killed(running_node.url, path, plan, "sent", 3)
        running_node.rpc("anvil_setCode", Manifest.load(path).governance, "0x00")
        with pytest.raises(CodeMismatchError):
            deploy(chain, DEPLOYER, plan, manifest_path=path)


@pytest.mark.threat("S16")
def test_deploy_takes_no_other_code_for_what_it_created(tmp_path):
    with start_node("anvil") as running_node:
        chain = Chain.connect(running_node.url)
        path, plan = tmp_path / "1337.json", production_plan()
        killed(running_node.url, path, plan, "recorded", 3)
        running_node.rpc("anvil_setCode", created_address(DEPLOYER.address, 2), "0x00")
        with pytest.raises(CodeMismatchError, match="not that of SettlementToken"):
            deploy(chain, DEPLOYER, plan, manifest_path=path)


@pytest.mark.threat("O12")
def test_deploy_refuses_when_the_deployer_is_in_the_plan(chain):
    with pytest.raises(ConfigurationError, match="must keep no role"):
        deploy(chain, OPERATOR, production_plan())
