"""The command line on a chain, as an actor, or with nothing that answers."""

import socket

import pytest

from tael.cli.checks import machine
from tests.support.cli_runner import key_of


@pytest.fixture
def dead_url():
    """Nothing listens there: the port is taken and never accepts."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


@pytest.fixture
def no_programs(monkeypatch):
    """Every program says a version at once; Ganache alone takes seconds to load."""
    monkeypatch.setattr(machine, "first_line_of", lambda words: "v20.0.0")


@pytest.fixture
def on_chain(tael, world):
    """`tael` reaches the deployment, and there is a document."""
    (tael.folder / "document.txt").write_text("why")
    return tael.on(world)


@pytest.fixture
def acting(on_chain, world):
    """Signs as a role from now on."""

    def act(role):
        return on_chain.set(TAEL_KEY=key_of(world, role))

    return act


@pytest.fixture
def paying(acting, world):
    return acting("issuer").set(TAEL_CARD_KEY=key_of(world, "cardholder"))


@pytest.fixture
def not_mining(world):
    """No block is made until the test makes one."""
    world.node.rpc("evm_setAutomine", False)
    yield world
    world.node.rpc("anvil_dropAllTransactions")
    world.node.rpc("evm_setAutomine", True)
