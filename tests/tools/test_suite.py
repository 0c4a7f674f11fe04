"""What holds of the tests themselves."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
SHARED = "support"


def imported(path: Path) -> Iterator[str]:
    """The folders of the tests that a file imports from."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        for name in names:
            if name.startswith("tests."):
                yield name.split(".")[1]


def test_no_folder_borrows_from_another_than_support() -> None:
    strays = {
        f"{path.relative_to(TESTS)} imports from tests/{folder}"
        for path in TESTS.glob("*/**/*.py")
        for folder in imported(path)
        if folder not in (path.relative_to(TESTS).parts[0], SHARED)
    }
    assert strays == set()
    assert any(SHARED in imported(path) for path in (TESTS / "sdk").rglob("*.py"))
