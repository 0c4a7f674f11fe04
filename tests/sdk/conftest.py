"""One deployment per kind of node for the whole run; every test begins from the same state."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import pytest

from tael import Client, PrivateKeySigner
from tael.testing import start_node
from tests.sdk.world import World, build_world, isolated


@pytest.fixture(scope="session")
def worlds() -> Iterator[Callable[[str], World]]:
    """Worlds by kind of node, built when first asked for."""
    built: dict[str, World] = {}
    with contextlib.ExitStack() as stack:

        def get(kind: str) -> World:
            if kind not in built or not built[kind].is_as_built():
                built[kind] = build_world(stack.enter_context(start_node(kind, accounts=20)))
            return built[kind]

        yield get


@pytest.fixture
def world(worlds: Callable[[str], World]) -> Iterator[World]:
    """The deployment on Anvil, as it was after the set-up."""
    with isolated(worlds("anvil")) as one:
        yield one


@pytest.fixture(params=["anvil", "ganache"])
def any_world(request: pytest.FixtureRequest, worlds: Callable[[str], World]) -> Iterator[World]:
    """The deployment on Anvil and on Ganache."""
    with isolated(worlds(request.param)) as one:
        yield one


@pytest.fixture
def operator(world: World) -> Client:
    return world.client("operator")


@pytest.fixture
def guardian(world: World) -> Client:
    return world.client("guardian")


@pytest.fixture
def issuer(world: World) -> Client:
    return world.client("issuer")


@pytest.fixture
def acquirer(world: World) -> Client:
    return world.client("acquirer")


@pytest.fixture
def other_issuer(world: World) -> Client:
    return world.client("other_issuer")


@pytest.fixture
def other_acquirer(world: World) -> Client:
    return world.client("other_acquirer")


@pytest.fixture
def outsider(world: World) -> Client:
    return world.client("outsider")


@pytest.fixture
def cardholder(world: World) -> PrivateKeySigner:
    return world.signers["cardholder"]
