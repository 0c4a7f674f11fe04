"""A pytest plugin that runs a suite again and again, each time on other code.

The suite is imported and collected once. Then each line on the standard input asks for one run
(`{"code": file, "order": [test ids], "seconds": limit}`): a forked child runs those tests first and
the rest after them, up to the first failure, and one line on the standard output answers
(`{"verdict": "passed", "by": ""}`, `failed` by the test named, `died`, or `timeout`).
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
from collections.abc import Sequence
from typing import Any

import pytest


class _Watch:
    """Notes the first test that failed, in its set-up too."""

    def __init__(self) -> None:
        self.failed = ""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed and not self.failed:
            self.failed = _name(report.nodeid)


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> bool:
    """Serve until the input ends, instead of running the tests once."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    names = [_name(item.nodeid) for item in session.items]
    print(json.dumps({"tests": names}), file=answers, flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        print(json.dumps(_fork(session, request)), file=answers, flush=True)
    return True


def _name(nodeid: str) -> str:
    """File and test, wherever the suite lies."""
    file, _, test = nodeid.partition("::")
    return f"{file.rpartition('/')[2]}::{test}"


def _fork(session: pytest.Session, request: dict[str, Any]) -> dict[str, str]:
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        _serve(session, request, writer)
    os.close(writer)
    try:
        answered, _, _ = select.select([reader], [], [], float(request["seconds"]))
        if not answered:
            os.kill(child, signal.SIGKILL)
            return {"verdict": "timeout", "by": ""}
        by = os.read(reader, 4096).decode()
    finally:
        os.close(reader)
        os.waitpid(child, 0)
    if not by:
        return {"verdict": "died", "by": ""}
    return {"verdict": "passed", "by": ""} if by == "-" else {"verdict": "failed", "by": by}


def _serve(session: pytest.Session, request: dict[str, Any], writer: int) -> None:
    """Run the tests in this process, which ends with them."""
    try:
        nothing = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(nothing, descriptor)
        os.environ["TAEL_MUTANT"] = request["code"]
        failed = _run(_in_order(session.items, request["order"]), session.config)
        os.write(writer, (failed or "-").encode()[:4096])
    finally:
        os._exit(0)


def _in_order(items: Sequence[pytest.Item], order: Sequence[str]) -> list[pytest.Item]:
    rank = {name: index for index, name in enumerate(order)}
    return sorted(items, key=lambda item: rank.get(_name(item.nodeid), len(rank)))


def _run(items: Sequence[pytest.Item], config: pytest.Config) -> str:
    watch = _Watch()
    config.pluginmanager.register(watch)
    for index, item in enumerate(items):
        following = items[index + 1] if index + 1 < len(items) else None
        config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        if watch.failed:
            break
    return watch.failed
