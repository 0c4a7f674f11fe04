"""One deployment for the whole run; every test and every example starts from the same state."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, Phase, settings

# The compiler's front end is not part of the package.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from .chain import load_code
from .lockstep import Lockstep, fresh

if TYPE_CHECKING:
    from collections.abc import Iterator

# `--hypothesis-profile=long` searches at random for some ten minutes; the default is the same
# search every time.
_COMMON = {
    "deadline": None,
    "database": None,
    "print_blob": True,
    "suppress_health_check": HealthCheck.all(),
}
settings.register_profile(
    "invariants", max_examples=200, stateful_step_count=60, derandomize=True, **_COMMON
)
settings.register_profile("long", max_examples=700, stateful_step_count=120, **_COMMON)
settings.register_profile(
    "mutants",
    max_examples=25,
    stateful_step_count=60,
    derandomize=True,
    phases=[Phase.generate],
    **_COMMON,
)


def pytest_configure(config: pytest.Config) -> None:
    chosen = config.getoption("--hypothesis-profile", default=None)
    settings.load_profile(chosen or os.environ.get("TAEL_HYPOTHESIS_PROFILE", "invariants"))


@pytest.fixture(scope="session")
def code() -> dict[str, dict[str, Any]]:
    return load_code()


@pytest.fixture(scope="session")
def deployment(code: dict[str, dict[str, Any]]) -> Lockstep:
    return fresh(code)


@pytest.fixture
def tael(deployment: Lockstep) -> Iterator[Lockstep]:
    """Four banks, two currencies, cards, merchants: contracts and model side by side."""
    deployment.start_over()
    return deployment
