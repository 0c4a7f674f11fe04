"""What every run of the tests has."""

from __future__ import annotations

import os
import tempfile

import pytest
from hypothesis import HealthCheck, settings

pytest_plugins = ["tests.support.canary.plugin"]

# How long an example takes says how busy the machine is, and nothing of the code.
SLOW = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture)
settings.register_profile("suite", deadline=None, suppress_health_check=SLOW)
settings.load_profile("suite")


def pytest_configure(config: pytest.Config) -> None:
    """No test writes into the journal of whoever runs it, nor finds what an earlier run left."""
    folder = tempfile.TemporaryDirectory(prefix="tael-state-")
    config.add_cleanup(folder.cleanup)
    os.environ["XDG_STATE_HOME"] = folder.name
