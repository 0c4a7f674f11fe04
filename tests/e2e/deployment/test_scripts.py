"""scripts/deploy.py and verify.py, by themselves and in brownie."""

import json
import re

import pytest

from tael.chain import Chain
from tael.deployment import verify
from tael.known_keys import TEST_ADDRESSES
from tael.manifest import Manifest
from tael.signers import PrivateKeySigner
from tael.testing import start_node
from tests.e2e.deployment.commands import ROOT, environment, run, script
from tests.e2e.deployment.plans import OPERATOR, production_plan, write_plan


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
