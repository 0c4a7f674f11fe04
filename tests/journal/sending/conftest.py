"""An outbox whose way to the node can be made faulty, on both kinds of node."""

import pytest

from tael.chain import Chain
from tael.testing import start_node
from tests.support.faulty_proxy import FaultyProxy
from tests.support.sending import outbox_on


@pytest.fixture(scope="package", params=["anvil", "ganache"])
def node(request):
    with start_node(request.param) as running:
        yield running


@pytest.fixture(scope="package")
def running_proxy(node):
    with FaultyProxy(node.url).serving() as proxy:
        yield proxy


@pytest.fixture
def proxy(running_proxy):
    yield running_proxy
    running_proxy.calm()


@pytest.fixture
def chain(proxy):
    return Chain.connect(proxy.url, timeout_seconds=1.0, retry_seconds=3.0)


@pytest.fixture
def outbox(chain):
    running = outbox_on(chain, wait_seconds=20)
    yield running
    running.close()
