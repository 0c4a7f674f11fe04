"""What every run of the tests has."""

from __future__ import annotations

import os
import tempfile

import pytest

pytest_plugins = ["tests.support.canary.plugin"]


def pytest_configure(config: pytest.Config) -> None:
    """No test writes into the journal of whoever runs it, nor finds what an earlier run left."""
    folder = tempfile.TemporaryDirectory(prefix="tael-state-")
    config.add_cleanup(folder.cleanup)
    os.environ["XDG_STATE_HOME"] = folder.name
