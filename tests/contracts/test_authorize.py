"""authorize: the issuer sets the amount aside for the acquirer."""

import pytest

from tests.contracts.chain import refused
from tests.contracts.world import *  # noqa: F403
def test_smoke(w):
    p = w.new_payment()
    before = w.books()
    r = w.authorize(p)
    print(r)
    print(w.changes(before))
