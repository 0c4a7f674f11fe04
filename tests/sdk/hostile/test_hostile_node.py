"""Whatever a node answers, what comes out of the package is one of its own errors. S11, S13."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator

import pytest

from tael import Chain
from tael.errors import TaelError
from tael.store import Store
from tests.sdk.hostile.subjects import CASES, PUBLIC, SERVICES, Case, Stage
from tests.support.cli_runner import CommandLine
from tests.support.hostile_node import GARBAGE, HostileNode
from tests.support.world import World, isolated

KINDS = tuple(GARBAGE)
KINDS_PER_METHOD = 6
"""For each method that is asked; another method of the package asks it with the next ones."""


@pytest.fixture(scope="module")
def hostile_world(worlds: Callable[[str], World]) -> Iterator[World]:
    with isolated(worlds("anvil")) as world:
        yield world


@pytest.fixture(scope="module")
def hostile(hostile_world: World) -> Iterator[HostileNode]:
    with HostileNode(hostile_world.node.url).serving() as serving:
        yield serving


@pytest.fixture(scope="module")
def stage(hostile_world: World, hostile: HostileNode) -> Iterator[Stage]:
    chain = Chain.connect(hostile.url, timeout_seconds=2.0, retry_seconds=0.0)
    store = Store.temporary()
    made = Stage(hostile_world, chain, store)
    yield made
    hostile.behave()
    made.close()
    store.close()


@pytest.fixture
def others_errors(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> Iterator[list[BaseException]]:
    """Errors that are none of the package's and ended a thread of it, or were caught in one."""
    found: list[BaseException] = []

    def note(args: threading.ExceptHookArgs) -> None:
        if args.exc_value is not None:
            found.append(args.exc_value)

    monkeypatch.setattr(threading, "excepthook", note)
    with caplog.at_level(logging.WARNING, "tael"):
        yield found
    for record in caplog.records:
        error = record.exc_info[1] if record.exc_info else None
        if error is not None and not isinstance(error, TaelError):
            found.append(error)


def outcome(case: Case, stage: Stage) -> BaseException | None:
    """What a call raised that it must not raise; None if it ended as it may."""
    try:
        case.call(stage)
    except TaelError:
        return None
    except Exception as error:  # noqa: BLE001 - that none comes is what is tested
        return error
    return None


def test_every_service_of_a_client_is_among_the_subjects(stage: Stage) -> None:
    public = {
        name: type(value)
        for name, value in vars(stage.client("issuer")).items()
        if not name.startswith("_") and type(value).__module__.startswith("tael.services.")
    }
    assert public == {name: SERVICES[name] for name in PUBLIC}
    assert len({case.name for case in CASES}) == len(CASES) > 70


@pytest.mark.slow
@pytest.mark.threat("S11")
@pytest.mark.threat("S13")
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_only_errors_of_the_package_come_out_when_the_node_answers_garbage(
    stage: Stage, hostile: HostileNode, case: Case, others_errors: list[BaseException]
) -> None:
    hostile.behave()
    assert outcome(case, stage) is None
    asked = sorted(hostile.asked)
    wrong: list[str] = []

    def try_with(method: str, kind: str, seed: int) -> None:
        hostile.garble(method, GARBAGE[kind], seed=seed)
        error = outcome(case, stage)
        if error is not None:
            wrong.append(f"{method}: {kind}: {error!r}")

    start = CASES.index(case)
    for place, method in enumerate(asked):
        for step in range(KINDS_PER_METHOD):
            number = (start + place) * KINDS_PER_METHOD + step
            try_with(method, KINDS[number % len(KINDS)], number)
    for kind in KINDS if asked else ():
        try_with("*", kind, start)
    hostile.behave()
    assert wrong == []
    assert others_errors == []


@pytest.mark.threat("S11")
@pytest.mark.parametrize("kind", KINDS)
def test_connecting_fails_by_name_when_the_node_answers_garbage(
    hostile: HostileNode, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr("tael.chain.connection.CONNECT_RETRY_SECONDS", 0.0)
    for seed, method in enumerate(("*", "eth_getBlockByNumber", "web3_clientVersion")):
        hostile.garble(method, GARBAGE[kind], seed=seed)
        # A name may be anything at all, and a block may have more fields than are read.
        escaped: Exception | None = None
        try:
            Chain.connect(hostile.url, timeout_seconds=2.0)
        except TaelError:
            pass
        except Exception as error:  # noqa: BLE001 - that none of these comes out is what is tried
            escaped = error
        assert escaped is None, (method, kind)
    hostile.behave()


@pytest.mark.threat("S11")
@pytest.mark.parametrize("method", ["*", "eth_call", "eth_getCode", "eth_getBalance"])
def test_doctor_tells_what_is_wrong_when_the_node_answers_garbage(
    hostile_world: World,
    hostile: HostileNode,
    tael: CommandLine,
    monkeypatch: pytest.MonkeyPatch,
    method: str,
) -> None:
    monkeypatch.setattr("tael.chain.connection.CONNECT_RETRY_SECONDS", 0.0)
    monkeypatch.setattr("tael.chain.connection.RETRY_SECONDS", 0.0)
    monkeypatch.setattr("tael.cli.checks.chain.RETRY_SECONDS", 0.0)
    tael.on(hostile_world, "issuer").set(TAEL_RPC_URL=hostile.url)
    places = {"*": 0, "eth_call": 1, "eth_getCode": 2, "eth_getBalance": 3}
    for number, kind in enumerate(KINDS):
        if method != "*" and number % 3 != places[method] % 3:
            continue
        hostile.garble(method, GARBAGE[kind], seed=number)
        result = tael("doctor")
        assert result.code in (0, 1, 2, 3), (kind, result)
        assert "Traceback" not in result.out + result.err
    hostile.behave()
