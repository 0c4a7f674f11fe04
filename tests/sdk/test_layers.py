"""What imports what: files and packages form no circles, so each can be read after those below it.

An import that only a type checker follows counts as well, and so does one within a function: who
names another cannot be understood without it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Set
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[2] / "sdk"

Graph = Mapping[str, Set[str]]

FLOORS = (
    # The ground: values, hashing, messages, errors. Nothing here knows a chain, a payment's fate
    # or a database; telemetry and the test nodes are told what they need.
    "abi addresses errors file_lock hashing identifiers json_files known_keys money"
    " raw_transaction secrets signatures telemetry terms testing typed_data",
    # What is written down, who signs, what a code says.
    "journal models qr signers store",
    # What the contracts are, say and hold.
    "contracts events ledger ledger_state",
    # The way to a chain, and what is deployed there.
    "chain config history manifest rpc",
    # Sending.
    "outbox",
    # What an integrator calls.
    "aio audit client deployment devnet keeper services",
    # The chain's logs as tables, and what is made of them.
    "index reporting webhooks",
    "cli",
)
"""From the ground up. A package imports from its own floor and from those below it; a new one is
put on the lowest on which it can stand."""


def module_files(source: Path) -> dict[str, Path]:
    """Every module under a source root, with its file."""
    found = {}
    for path in sorted(source.glob("tael/**/*.py")):
        parts = path.relative_to(source).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imported(text: str, modules: Set[str]) -> Iterator[str]:
    """The modules that a source text names in its imports, wherever they stand in it."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names if each.name in modules)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            for each in node.names:
                whole = f"{node.module}.{each.name}"
                yield from ({whole} if whole in modules else {node.module or ""} & modules)


def import_graph(source: Path) -> dict[str, set[str]]:
    """What each module imports."""
    files = module_files(source)
    return {
        name: set(imported(path.read_text(encoding="utf-8"), files.keys())) - {name}
        for name, path in files.items()
    }


def package_graph(graph: Graph) -> dict[str, set[str]]:
    """What each package, a folder or a file right under `tael`, imports of the others."""
    packages: dict[str, set[str]] = {}
    for module, others in graph.items():
        own = package_of(module)
        packages.setdefault(own, set()).update({package_of(each) for each in others} - {own})
    return packages


def package_of(module: str) -> str:
    return ".".join(module.split(".")[:2])


def circles(graph: Graph) -> list[str]:
    """The arrows that lie on circles, each as `from -> to`."""
    reached: dict[str, set[str]] = {}
    for start in graph:
        seen: set[str] = set()
        left = list(graph[start])
        while left:
            name = left.pop()
            if name not in seen:
                seen.add(name)
                left += graph.get(name, ())
        reached[start] = seen
    return sorted(
        f"{start} -> {end}"
        for start, ends in graph.items()
        for end in ends
        if start in reached.get(end, ())
    )


@pytest.fixture(scope="module")
def graph() -> dict[str, set[str]]:
    return import_graph(SOURCE)


def test_files_import_in_no_circle(graph: Graph) -> None:
    assert circles(graph) == []


def test_packages_import_in_no_circle(graph: Graph) -> None:
    assert circles(package_graph(graph)) == []


def test_packages_import_nothing_from_a_floor_above(graph: Graph) -> None:
    floor_of = {f"tael.{name}": at for at, names in enumerate(FLOORS) for name in names.split()}
    # The package itself only gathers what users name.
    packages = {name: to - {"tael"} for name, to in package_graph(graph).items() if name != "tael"}
    assert sorted(packages) == sorted(floor_of)
    assert [
        f"{name} -> {other}"
        for name, others in packages.items()
        for other in others
        if floor_of[other] > floor_of[name]
    ] == []


def test_circles_are_found_however_they_are_tied(tmp_path: Path) -> None:
    for name, text in {
        "__init__": "",
        "low/__init__": "",
        "low/one": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import tael.top",
        "low/two": "",
        "top": "def late():\n    from tael.low import one, two\n",
        "beside": "from tael.low.two import x\nfrom tael import top\n",
    }.items():
        path = tmp_path / f"tael/{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    graph = import_graph(tmp_path)
    assert circles(graph) == ["tael.low.one -> tael.top", "tael.top -> tael.low.one"]
    assert circles(package_graph(graph)) == ["tael.low -> tael.top", "tael.top -> tael.low"]
