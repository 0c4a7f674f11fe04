"""Two merchants, each with a key and an entry of the Directory."""

from __future__ import annotations

import pytest

from tests.sdk.qr.qr_cases import Merchant, make_merchant


@pytest.fixture(scope="session")
def merchant() -> Merchant:
    return make_merchant(0x11, "BEST TRANSPORT")


@pytest.fixture(scope="session")
def other_merchant() -> Merchant:
    return make_merchant(0x22, "MOON BAKERY")
