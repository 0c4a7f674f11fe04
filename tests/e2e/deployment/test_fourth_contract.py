"""A contract that the package does not know is deployed, governed and checked by its row alone."""

import pytest

from scripts.artifacts import artifact_text, compile_contracts
from tael.chain import Chain
from tael.contracts import artifacts
from tael.contracts.calls import Contract
from tael.contracts.registry import REGISTRY
from tael.deployment import deploy, verify
from tael.deployment.plan import ROLE_BY_NAME
from tael.errors import ConfigurationError
from tael.manifest import Manifest
from tael.services.gateway import Gateway
from tael.testing import start_node
from tests.e2e.deployment.commands import ROOT
from tests.e2e.deployment.plans import DEPLOYER, GUARDIAN, production_plan
from tests.support.earmark.kind import EARMARK
from tests.support.sending import send

SOURCE = "tests/support/earmark/Earmark.sol"


@pytest.fixture(scope="module")
def known(tmp_path_factory):
    """Earmark is one of the package's contracts while this lasts."""
    sources = {SOURCE: (ROOT / SOURCE).read_text()}
    compilation = compile_contracts(only=[], extra_sources=sources)
    folder = tmp_path_factory.mktemp("artifacts")
    (folder / "Earmark.json").write_text(artifact_text(compilation, "Earmark"))
    artifacts.read(folder, "Earmark")
    with REGISTRY.having(EARMARK):
        yield


@pytest.fixture
def chain():
    with start_node("anvil") as running_node:
        yield Chain.connect(running_node.url)


def test_a_fourth_contract_is_deployed_set_up_and_checked(known, chain, tmp_path):
    path = tmp_path / "1337.json"
    manifest = deploy(chain, DEPLOYER, production_plan(), manifest_path=path)
    assert list(manifest.contracts) == [
        "governance",
        "token:CNY",
        "token:HKD",
        "escrow",
        "earmark",
    ]
    assert chain.transaction_count(DEPLOYER.address) == 6
    assert Manifest.load(path) == manifest
    assert verify(chain, manifest) == []
    address = manifest.contracts["earmark"].address
    gateway = Gateway(chain, manifest)
    for token in manifest.tokens.values():
        assert gateway.read(gateway.contract_of(token), "isModule", address)
    spend = Contract("Earmark", address).function("spend").selector
    role = gateway.read(gateway.governance, "getTargetFunctionRole", address, spend)
    assert role == ROLE_BY_NAME["REGISTRAR"].id
    # What is not as planned any more is found as of any other contract.
    cut = Contract("SettlementToken", manifest.token("CNY")).function("cutOffModule")
    send(chain, GUARDIAN, manifest.token("CNY"), cut.encode(address))
    (finding,) = verify(chain, manifest)
    assert (finding.subject, finding.expected, finding.actual) == (
        "token:CNY modules",
        address,
        "none",
    )


def test_a_manifest_is_refused_when_the_package_does_not_know_a_contract(known, chain):
    document = deploy(chain, DEPLOYER, production_plan()).to_dict()
    kinds = REGISTRY._kinds
    kinds.remove(EARMARK)
    try:
        with pytest.raises(ConfigurationError, match="earmark is not the key of a contract"):
            Manifest.from_dict(document)
    finally:
        kinds.append(EARMARK)
