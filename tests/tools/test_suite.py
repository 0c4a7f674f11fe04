"""What holds of the tests themselves."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from scripts.test import of_web3

TESTS = Path(__file__).resolve().parents[1]
SHARED = "support"


def imported(path: Path) -> Iterator[str]:
    """The folders of the tests that a file imports from."""
    for node in ast.walk(tree(path)):
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


PYTEST_JUDGES = {"raises", "warns", "fail"}
"""What pytest has beside `assert`."""
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def functions(path: Path) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    return [node for node in ast.walk(tree(path)) if isinstance(node, FUNCTIONS)]


def name_of(called: ast.expr | None) -> str:
    return called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")


def calls(function: ast.AST) -> set[str]:
    """The names of what is called, without what stands before their dot."""
    called = [node.func for node in ast.walk(function) if isinstance(node, ast.Call)]
    return {name_of(each) for each in called}


def judges(function: ast.AST, errors: set[str]) -> bool:
    """Whether a function itself asserts."""
    for node in ast.walk(function):
        if isinstance(node, ast.Assert):
            return True
        if isinstance(node, ast.Raise) and name_of(getattr(node.exc, "func", None)) in errors:
            return True
    return bool(calls(function) & PYTEST_JUDGES)


@cache
def helpers_of(folder: str) -> frozenset[str]:
    """The names of what asserts, among a folder's own functions and methods and the shared ones.

    A helper that asserts nothing itself does not count for calling one that does, for the names are
    not told apart by what stands before their dot.
    """
    files = [each for part in (folder, SHARED) for each in (TESTS / part).rglob("*.py")]
    classes = [
        node for file in files for node in ast.walk(tree(file)) if isinstance(node, ast.ClassDef)
    ]
    errors = {"AssertionError"} | {
        each.name
        for each in classes
        if "AssertionError" in {getattr(base, "id", "") for base in each.bases}
    }
    outermost = [node for owner in (*map(tree, files), *classes) for node in owner.body]
    return frozenset(
        node.name
        for node in outermost
        if isinstance(node, FUNCTIONS) and not node.decorator_list and judges(node, errors)
    )


def test_every_test_asserts_something() -> None:
    """By itself, through pytest, or through a helper that does."""
    empty = [
        f"{path.relative_to(TESTS)}: {function.name}"
        for path in TESTS.rglob("test_*.py")
        for function in functions(path)
        if function.name.startswith("test_") and not judges(function, {"AssertionError"})
        if not calls(function) & helpers_of(path.relative_to(TESTS).parts[0])
    ]
    assert empty == []
    assert "refuse" in helpers_of("invariants")
    assert "authorize" not in helpers_of("contracts")


def test_web3_8_runs_what_speaks_of_web3() -> None:
    names = {path.name for path in of_web3(TESTS / "sdk")}
    assert {"test_connection.py", "test_signers.py", "test_docs_sdk.py", "test_help.py"} <= names
    assert not names & {"test_money.py", "test_qr_sign.py", "test_artifacts.py"}
