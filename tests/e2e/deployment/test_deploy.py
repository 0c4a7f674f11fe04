"""Deploying on Ganache, Anvil, Anvil posing as Sepolia; broken off, resumed (O12, S16, S17)."""

import time

import pytest

from tael.chain import Chain, Sender
from tael.deployment import ROLES, deploy, verify
from tael.errors import CodeMismatchError, ConfigurationError, NetworkMismatchError
from tael.manifest import Manifest
from tael.testing import start_node
from tests.e2e.deployment.plans import DEPLOYER, OPERATOR, OUTSIDER, production_plan

NETWORKS = {
    "ganache": ("ganache", {}),
    "anvil": ("anvil", {}),
    "sepolia": ("anvil", {"chain_id": 11155111, "block_time_seconds": 2}),
}


def nonce_of(chain, who):
    return chain.w3.eth.get_transaction_count(who.address)


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
