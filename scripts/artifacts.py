"""Compile the contracts and keep the artifacts that ship inside the Python package.

`python scripts/artifacts.py` writes `sdk/tael/artifacts/<Contract>.json` for every contract that is
deployed; `--check` changes nothing and fails when the committed files differ from a fresh
compilation. Test harnesses call `compile_contracts`, which adds the mocks and whatever sources
they bring.

The settings come from `brownie-config.yaml`, the one place that has them. Added to them here: no
metadata is appended to the bytecode. The code then depends on what the compiler generates alone,
not on a comment or a path, so that two people who compile the same contract get the same code hash.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import posixpath
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypedDict

import yaml

ROOT = Path(__file__).resolve().parent.parent
ARTIFACTS = Path("sdk/tael/artifacts")
CACHE_ENTRIES = 24

_IMPORT = re.compile(r"^\s*import\b[^;\"']*[\"']([^\"']+)[\"']\s*;", re.MULTILINE)
_OUTPUTS = [
    "abi",
    "evm.bytecode.object",
    "evm.bytecode.linkReferences",
    "evm.bytecode.sourceMap",
    "evm.deployedBytecode.object",
    "evm.deployedBytecode.immutableReferences",
    "evm.deployedBytecode.sourceMap",
    "evm.methodIdentifiers",
    "storageLayout",
]


class CompilationError(Exception):
    """The sources do not compile, or the compiler could not be run."""


class Compiled(TypedDict):
    """One contract as the compiler gave it, with hex values 0x-prefixed."""

    contractName: str
    sourceName: str
    kind: str
    """`contract`, `abstract`, `interface` or `library`."""
    abi: list[dict[str, Any]]
    bytecode: str
    deployedBytecode: str
    sourceMap: str
    deployedSourceMap: str
    immutableReferences: dict[str, list[dict[str, int]]]
    """Byte ranges in the deployed code per immutable, named `Contract.variable`."""
    methodIdentifiers: dict[str, str]
    storageLayout: dict[str, Any]


class Source(TypedDict):
    """One source unit: the index that source maps use, its text, and its syntax tree if wanted."""

    id: int
    content: str
    ast: dict[str, Any] | None


class Compilation(TypedDict):
    """Everything that one run of the compiler gave."""

    contracts: dict[str, Compiled]
    sources: dict[str, Source]
    warnings: list[str]


def compiler_settings(root: Path = ROOT) -> dict[str, Any]:
    """Return the settings for standard-json, without the output selection.

    Args:
        root: The checkout.

    Returns:
        The value of `settings` in the compiler's standard-json input.
    """
    compiler = yaml.safe_load((root / "brownie-config.yaml").read_text())["compiler"]
    settings: dict[str, Any] = {
        "evmVersion": compiler["evm_version"],
        "optimizer": compiler["solc"]["optimizer"],
        "metadata": {"appendCBOR": False, "bytecodeHash": "none"},
    }
    if "viaIR" in compiler["solc"]:
        settings["viaIR"] = compiler["solc"]["viaIR"]
    return settings


def compiler_version(root: Path = ROOT) -> str:
    """Return the compiler's version, as in `0.8.30`."""
    config = yaml.safe_load((root / "brownie-config.yaml").read_text())
    return str(config["compiler"]["solc"]["version"])


def compile_contracts(
    *,
    mocks: bool = True,
    extra_sources: Mapping[str, str] | None = None,
    only: Iterable[str] | None = None,
    ast: bool = False,
    root: Path = ROOT,
) -> Compilation:
    """Compile the contracts, from the cache under `build/` where nothing changed.

    Args:
        mocks: Whether `contracts/mocks/` is compiled too.
        extra_sources: Further source units by name. A name that exists on disk, such as
            `contracts/PaymentEscrow.sol`, is replaced: that is how a mutant is compiled.
        only: Names of the source units to start from instead of all of `contracts/`; what they
            import comes along.
        ast: Whether the result contains the syntax trees.
        root: The checkout.

    Returns:
        The contracts of `contracts/` and of `extra_sources` by name, and all sources by name.

    Raises:
        CompilationError: With the compiler's messages.
    """
    extra = dict(extra_sources or {})
    if only is None:
        entries = {
            path.relative_to(root).as_posix()
            for path in (root / "contracts").rglob("*.sol")
            if mocks or "mocks" not in path.relative_to(root).parts
        }
    else:
        entries = set(only)
    sources = _closure(root, entries | set(extra), extra)
    output = _compile_cached(root, sources)
    return _result(output, sources, set(extra), ast)


def source_hash(sources: Mapping[str, str], entry: str) -> str:
    """Return the SHA-256 over a source unit and all it imports, names and texts.

    Args:
        sources: Source units by name; must contain everything that is imported.
        entry: The unit to start from.
    """
    reached: set[str] = set()
    waiting = [entry]
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            waiting.extend(_imports(name, sources[name]))
    return _digest({name: sources[name] for name in reached})


def artifacts(root: Path = ROOT) -> dict[str, str]:
    """Compile and return the text of every artifact by file name.

    Raises:
        CompilationError: With the compiler's messages.
    """
    compilation = compile_contracts(mocks=False, root=root)
    return {
        f"{name}.json": artifact_text(compilation, name, root)
        for name, contract in sorted(compilation["contracts"].items())
        if contract["kind"] == "contract"
    }


def artifact_text(compilation: Compilation, name: str, root: Path = ROOT) -> str:
    """Return the text of one contract's artifact.

    Args:
        compilation: What it was compiled in.
        name: Its Solidity name.
        root: The checkout, for the compiler's settings.
    """
    contract = compilation["contracts"][name]
    texts = {unit: source["content"] for unit, source in compilation["sources"].items()}
    artifact = {
        "contractName": name,
        "sourceName": contract["sourceName"],
        "sourceHash": source_hash(texts, contract["sourceName"]),
        "compiler": {"version": compiler_version(root), "settings": compiler_settings(root)},
        "abi": contract["abi"],
        "bytecode": contract["bytecode"],
        "deployedBytecode": contract["deployedBytecode"],
        "immutableReferences": contract["immutableReferences"],
    }
    return json.dumps(artifact, indent=2) + "\n"


def write_artifacts(root: Path = ROOT) -> list[str]:
    """Bring the committed artifacts up to date.

    Returns:
        The names of the files that were written or removed.
    """
    folder = root / ARTIFACTS
    wanted = artifacts(root)
    changed = _differing(folder, wanted)
    folder.mkdir(parents=True, exist_ok=True)
    for name in changed:
        if name in wanted:
            _write(folder / name, wanted[name])
        else:
            (folder / name).unlink()
    return changed


def check_artifacts(root: Path = ROOT) -> list[str]:
    """Return the names of committed artifacts that differ from a fresh compilation."""
    return _differing(root / ARTIFACTS, artifacts(root))


def _differing(folder: Path, wanted: Mapping[str, str]) -> list[str]:
    present = {path.name: path.read_text() for path in folder.glob("*.json")}
    return sorted(
        name for name in present.keys() | wanted.keys() if present.get(name) != wanted.get(name)
    )


def _imports(name: str, content: str) -> list[str]:
    found: list[str] = []
    for path in _IMPORT.findall(content):
        relative = path.startswith(("./", "../"))
        joined = posixpath.join(posixpath.dirname(name), path) if relative else path
        found.append(posixpath.normpath(joined))
    return found


def _closure(root: Path, entries: Iterable[str], extra: Mapping[str, str]) -> dict[str, str]:
    sources: dict[str, str] = {}
    waiting = sorted(entries)
    while waiting:
        name = waiting.pop()
        if name in sources:
            continue
        if name in extra:
            sources[name] = extra[name]
        else:
            path = root / name if name.startswith("contracts/") else root / "node_modules" / name
            if not path.is_file():
                hint = "" if name.startswith("contracts/") else "; run: make setup"
                raise CompilationError(f"source not found: {path.relative_to(root)}{hint}")
            sources[name] = path.read_text(encoding="utf-8")
        waiting.extend(_imports(name, sources[name]))
    return dict(sorted(sources.items()))


def _digest(value: object) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _compile_cached(root: Path, sources: Mapping[str, str]) -> dict[str, Any]:
    version = compiler_version(root)
    selection = {"*": {"*": _OUTPUTS, "": ["ast"]}}
    document = {
        "language": "Solidity",
        "sources": {name: {"content": content} for name, content in sources.items()},
        "settings": {**compiler_settings(root), "outputSelection": selection},
    }
    cache = root / "build" / "compile"
    entry = cache / f"{_digest([version, document])}.json"
    if entry.is_file():
        cached: dict[str, Any] = json.loads(entry.read_text())
        os.utime(entry)
        return cached
    output = _run_compiler(version, document)
    cache.mkdir(parents=True, exist_ok=True)
    _write(entry, json.dumps(output, separators=(",", ":")))
    newest_first = sorted(cache.glob("*.json"), key=lambda path: -path.stat().st_mtime)
    for old in newest_first[CACHE_ENTRIES:]:
        old.unlink(missing_ok=True)
    return output


def _run_compiler(version: str, document: Mapping[str, Any]) -> dict[str, Any]:
    executable = Path(__file__).resolve().parent / "solc" / f"solc-v{version}"
    command = [os.environ.get("NODE", "node"), str(executable), "--standard-json"]
    try:
        process = subprocess.run(
            command, input=json.dumps(document), capture_output=True, text=True, check=True
        )
    except FileNotFoundError as error:
        raise CompilationError("Node.js was not found; run: make setup") from error
    except subprocess.CalledProcessError as error:
        raise CompilationError(f"the compiler failed: {error.stderr.strip()}") from error
    output: dict[str, Any] = json.loads(process.stdout)
    errors = [each for each in output.get("errors", []) if each["severity"] == "error"]
    if errors:
        raise CompilationError("\n".join(each["formattedMessage"] for each in errors))
    return output


def _result(
    output: Mapping[str, Any], sources: Mapping[str, str], extra: set[str], ast: bool
) -> Compilation:
    units: dict[str, Any] = output["sources"]
    declared: dict[str, tuple[str, str]] = {}
    kinds: dict[tuple[str, str], str] = {}
    for unit, source in units.items():
        for node in source["ast"]["nodes"]:
            if node["nodeType"] != "ContractDefinition":
                continue
            kinds[unit, node["name"]] = "abstract" if node["abstract"] else node["contractKind"]
            for member in node["nodes"]:
                if member["nodeType"] == "VariableDeclaration":
                    declared[str(member["id"])] = (node["name"], member["name"])
    contracts: dict[str, Compiled] = {}
    for unit, named in output.get("contracts", {}).items():
        own = unit.startswith("contracts/") or unit in extra
        for name, contract in named.items() if own else ():
            if name in contracts:
                other = contracts[name]["sourceName"]
                raise CompilationError(f"contract {name} is declared in {other} and in {unit}")
            contracts[name] = _contract(unit, name, contract, kinds[unit, name], declared)
    return {
        "contracts": dict(sorted(contracts.items())),
        "sources": {
            unit: {
                "id": source["id"],
                "content": sources[unit],
                "ast": source["ast"] if ast else None,
            }
            for unit, source in sorted(units.items())
        },
        "warnings": [
            each["formattedMessage"]
            for each in output.get("errors", [])
            if each["severity"] == "warning"
        ],
    }


def _contract(
    unit: str,
    name: str,
    contract: Mapping[str, Any],
    kind: str,
    declared: Mapping[str, tuple[str, str]],
) -> Compiled:
    creation = contract["evm"]["bytecode"]
    deployed = contract["evm"]["deployedBytecode"]
    if creation["linkReferences"]:
        raise CompilationError(f"{name} needs linking; libraries must have internal functions only")
    # The compiler names an immutable by its node in the syntax tree, a number that changes with
    # every source that is compiled along; the declaration's name does not.
    immutables = {
        ".".join(declared[node]): ranges
        for node, ranges in deployed.get("immutableReferences", {}).items()
    }
    return {
        "contractName": name,
        "sourceName": unit,
        "kind": kind,
        "abi": contract["abi"],
        "bytecode": "0x" + creation["object"],
        "deployedBytecode": "0x" + deployed["object"],
        "sourceMap": creation["sourceMap"],
        "deployedSourceMap": deployed["sourceMap"],
        "immutableReferences": dict(sorted(immutables.items())),
        "methodIdentifiers": contract["evm"]["methodIdentifiers"],
        "storageLayout": contract.get("storageLayout", {}),
    }


def _write(path: Path, text: str) -> None:
    # Written aside and renamed, so that a reader never sees half a file.
    with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False) as temporary:
        temporary.write(text)
    Path(temporary.name).chmod(0o644)
    Path(temporary.name).replace(path)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Write the artifacts that ship in the package.")
    parser.add_argument(
        "--check", action="store_true", help="change nothing; fail when they are out of date"
    )
    options = parser.parse_args(arguments)
    try:
        changed = check_artifacts() if options.check else write_artifacts()
    except CompilationError as error:
        print(f"artifacts: {error}", file=sys.stderr)
        return 1
    if options.check and changed:
        print(f"artifacts out of date, run `make artifacts`: {', '.join(changed)}", file=sys.stderr)
        return 1
    if options.check:
        print("artifacts are up to date")
    else:
        print(f"artifacts written: {', '.join(changed)}" if changed else "artifacts unchanged")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
