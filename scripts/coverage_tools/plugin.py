"""A pytest plugin that gives a suite instrumented contracts and a recording node.

Loaded with `-p`, it takes effect before any conftest is imported: `tael.testing.start_node` then
gives Anvil behind the recording proxy, and `scripts.brownie_session` loads the project that
TAEL_COVERAGE_PROJECT names. What was met goes into the folder TAEL_COVERAGE_RECORDS, one file for
each node.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import tael.testing
from scripts import brownie_session
from scripts.coverage_tools.recorder import recording
from tael.testing import Node, nodes

PROJECT_VARIABLE = "TAEL_COVERAGE_PROJECT"
RECORDS_VARIABLE = "TAEL_COVERAGE_RECORDS"

_start_node = nodes.start_node
_numbers = itertools.count()


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests() -> None:
    """Replace what suites use to start a node and to load the project."""
    project = Path(os.environ[PROJECT_VARIABLE])
    nodes.start_node = tael.testing.start_node = start_recorded_node
    brownie_session.load_project = lambda: load_project(project)


@contextmanager
def start_recorded_node(kind: str, **options: Any) -> Iterator[Node]:
    """Start a node as `tael.testing.start_node` does, and record what passes if it is Anvil."""
    if kind != "anvil":
        with _start_node(kind, **options) as node:  # type: ignore[arg-type]
            yield node
        return
    # Markers make a contract half as long again, over the limit of the chain's rules.
    arguments = [*options.pop("arguments", ()), "--disable-code-size-limit"]
    with (
        _start_node("anvil", arguments=arguments, **options) as node,
        recording(node.url) as (url, recorder),
    ):
        try:
            yield dataclasses.replace(node, url=url)
        finally:
            recorder.finish()
            record = {
                "met": sorted(recorder.met),
                "traces": recorder.traces,
                "lost": recorder.lost,
            }
            name = f"{os.getpid()}-{next(_numbers)}.json"
            (Path(os.environ[RECORDS_VARIABLE]) / name).write_text(json.dumps(record))


def load_project(folder: Path) -> Any:
    """Load a project from a folder, compiling what changed, and return it."""
    brownie = brownie_session.import_brownie()
    for project in brownie.project.get_loaded_projects():
        if project._path == folder:
            return project
    project = brownie.project.load(folder, name="TaelProject", raise_if_loaded=False)
    project.load_config()
    return project
