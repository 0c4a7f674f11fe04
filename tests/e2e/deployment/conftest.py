"""One deployment for a module's tests, on Anvil."""

import pytest

from tael import Client
from tael.chain import Chain
from tael.contracts.calls import Contract
from tael.deployment import deploy
from tael.store import Store
from tael.testing import start_node
from tests.e2e.deployment.plans import DEPLOYER, production_plan


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
    """The chain goes back when the test ends; gives the operations of whoever signs."""
    snapshot, clients = node.snapshot(), []

    def operations_of(signer):
        clients.append(Client(chain, manifest, signer, store=Store.temporary()))
        return clients[-1].operations

    yield operations_of
    for each in clients:
        each.close()
    node.revert(snapshot)


@pytest.fixture
def governance(manifest):
    return Contract("Governance", manifest.governance)


@pytest.fixture
def token(manifest):
    return Contract("SettlementToken", manifest.token("CNY"))
