"""One deployment per kind of node for the whole run; every test begins from the same state."""

from __future__ import annotations

import pytest

from tael import Client, PrivateKeySigner
from tests.support.certificates import authority
from tests.support.cli_runner import tael
from tests.support.databases import postgresql
from tests.support.world import World
from tests.support.worlds import any_world, manual, node_arguments, world, worlds


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


__all__ = [
    "any_world",
    "authority",
    "manual",
    "node_arguments",
    "postgresql",
    "tael",
    "world",
    "worlds",
]
