"""The gas of every verb is what it was when it was last accepted, and within its limit.

A difference is a decision: look at it, then `python tests/bench/gas.py --accept`.
"""

from __future__ import annotations

import json

import pytest

from tests.bench import gas


@pytest.fixture(scope="module")
def result() -> dict[str, object]:
    return gas.measure()


def test_gas_is_as_accepted(result: dict[str, object]) -> None:
    assert result == json.loads(gas.EXPECTED.read_text())


def test_gas_is_within_limits(result: dict[str, object]) -> None:
    assert gas.exceeded(result) == []
