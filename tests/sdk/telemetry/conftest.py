"""Somebody who listens."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from tests.sdk.telemetry.heard import Heard


@pytest.fixture
def heard() -> Iterator[Heard]:
    logger, handler = logging.getLogger("tael"), Heard()
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    yield handler
    logger.setLevel(level)
    logger.removeHandler(handler)
