"""A pytest plugin that fails a run in which the canary shows up anywhere.

It looks at every log record as it is made, at every error of the package as it is made, at what
tests print and how they fail, and at the end at the files and databases that the run leaves behind.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from platformdirs import user_state_path

from tael.errors import TaelError
from tests.support.canary import key
from tests.support.canary.places import Finding, in_folder, in_postgresql, in_text

ROOT = Path(__file__).resolve().parents[3]

_WORKER_OUTPUT = "canary"


class Watch:
    """What was found so far, and during which test."""

    def __init__(self) -> None:
        self.started = time.time()
        self.test = "before the first test"
        self.found: dict[str, None] = {}

    def note(self, findings: Iterable[Finding]) -> None:
        for finding in findings:
            self.found.setdefault(f"{finding} ({self.test})")

    def see(self, place: str, content: str | bytes) -> None:
        """Look at something that a test got to see."""
        if key.is_in_use():
            self.note(in_text(place, content))


WATCH = Watch()


class _Records(logging.Handler):
    """Looks at every record that anybody logs, whether anybody prints it or not."""

    _formatter = logging.Formatter()

    def emit(self, record: logging.LogRecord) -> None:
        WATCH.see(f"log {record.name}", record.getMessage())
        WATCH.see(f"fields of log {record.name}", repr(vars(record)))
        if record.exc_info:
            trace = self._formatter.formatException(record.exc_info)
            WATCH.see(f"traceback in log {record.name}", trace)


def pytest_configure(config: pytest.Config) -> None:
    records = _Records()
    # Once from the top, and once where `telemetry.configure` keeps records from going there.
    logging.getLogger().addHandler(records)
    logging.getLogger("tael").addHandler(records)
    make = TaelError.__init__

    @functools.wraps(make)
    def watched(error: TaelError, *args: Any, **kwargs: Any) -> None:
        make(error, *args, **kwargs)
        WATCH.see(f"message of {type(error).__name__}", repr(args) + repr(kwargs))

    TaelError.__init__ = watched  # type: ignore[method-assign]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    WATCH.test = item.nodeid
    if key.is_in_use():
        # Every step of every write is formed, for it to be looked at.
        logging.getLogger("tael").setLevel(logging.DEBUG)
    return (yield)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    WATCH.test = report.nodeid
    WATCH.see("failure of a test", report.longreprtext)
    for title, content in report.sections:
        WATCH.see(title, content)


def pytest_warning_recorded(warning_message: Any, nodeid: str) -> None:
    # What a thread raises and nobody catches comes as a warning.
    WATCH.see("warning", str(warning_message.message))


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(fixturedef: pytest.FixtureDef[Any]) -> Iterator[Any]:
    value = yield
    if fixturedef.argname == "postgresql":
        # The last finalizer runs first: the server is still there.
        fixturedef.addfinalizer(functools.partial(_see_server, value))
    return value


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    WATCH.test = "left behind"
    if key.is_in_use():
        for folder in _folders(session.config):
            WATCH.note(in_folder(folder, since=WATCH.started))
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output[_WORKER_OUTPUT] = list(WATCH.found)
    if WATCH.found:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """A worker of pytest-xdist ended."""
    WATCH.found |= dict.fromkeys(getattr(node, "workeroutput", {}).get(_WORKER_OUTPUT, ()))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if WATCH.found:
        terminalreporter.section("the canary was seen", red=True)
        for line in WATCH.found:
            terminalreporter.line(line)


def _see_server(url: str) -> None:
    import psycopg

    # One that a test has ended for good can be asked nothing.
    with contextlib.suppress(psycopg.OperationalError):
        WATCH.note(in_postgresql(url))


def _folders(config: pytest.Config) -> Iterator[Path]:
    yield ROOT / "build"
    yield user_state_path("tael")
    factory: Any = getattr(config, "_tmp_path_factory", None)
    if factory is not None:
        yield factory.getbasetemp()
