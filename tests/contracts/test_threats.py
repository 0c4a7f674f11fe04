"""Every row of the threat model that is about contracts has a test that names it."""

import re
from pathlib import Path

import pytest

NUMBERS = (*range(1, 32), 33, *range(44, 49), 51, 52)
HERE = Path(__file__).parent
NAMED = set(
    re.findall(
        r'mark\.threat\("(C\d\d)"\)',
        "".join(path.read_text(encoding="utf-8") for path in HERE.glob("test_*.py")),
    )
)


@pytest.mark.parametrize("row", [f"C{number:02}" for number in NUMBERS])
def test_row_is_named_by_a_test_when_looked_for(row):
    assert row in NAMED
