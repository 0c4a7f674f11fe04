"""What every run of the tests has."""

from __future__ import annotations

pytest_plugins = ["tests.canary.plugin"]
