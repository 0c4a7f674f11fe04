"""Making mutants: gambit's, and operators of our own.

Gambit ships inside the PyPI package `certora-cli` (version and hashes in
`requirements-mutation.lock`). It leaves assembly and literals alone, so these are ours, and so is
what makes mutants stand for branch coverage (`mutation_tools.branches`).
"""

from __future__ import annotations

import difflib
import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from scripts import artifacts
from scripts.mutation_tools.branches import branch_mutants
from tael.contracts.registry import REGISTRY

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build" / "mutants"
LOCK_FILE = ROOT / "requirements-mutation.lock"

CONTRACTS = REGISTRY.names

_ASSEMBLY = re.compile(r'assembly \("memory-safe"\) \{(.*?)\n {8}\}', re.DOTALL)
_NUMBER = re.compile(r"(?<![\w.])(0x[0-9a-f]+|\d[\d_]*)(?![\w.])")
_LITERAL = re.compile(r"(?<![\w.\"'])(\d[\d_]*)(?=( days| hours)?\s*[;,)\]=<>*+/&|-]| days)")
_OPCODES = {"shr": "shl", "shl": "shr", "and": "or", "or": "and", "add": "sub", "eq": "xor"}
_IMPORT = re.compile(r"from \"(\.[^\"]+)\"")


class MutationError(Exception):
    """The run itself is broken: no generator, a suite that fails on the contracts as they are."""


@dataclass(frozen=True)
class Mutant:
    """One fault.

    Args:
        file: The source unit it is in.
        operator: How it was made.
        line: Where, counted from one, in the source as it is.
        before: The line as it is.
        after: The line with the fault; several are joined by a space.
        source: The whole mutated source unit.
    """

    file: str
    operator: str
    line: int
    before: str
    after: str
    source: str

    @property
    def key(self) -> str:
        """The same for the same change of the same source."""
        return hashlib.sha256(f"{self.file}\n{self.source}".encode()).hexdigest()[:24]

    @property
    def place(self) -> tuple[str, str, str]:
        """What a reviewed entry names: it survives changes elsewhere in the file."""
        return (self.file, self.before, self.after)


def targets() -> dict[str, tuple[str, ...]]:
    """What is mutated, and the contracts that each file is part of; interfaces have no code."""
    found: dict[str, set[str]] = {}
    for contract in CONTRACTS:
        waiting = [f"contracts/{contract}.sol"]
        while waiting:
            file = waiting.pop()
            if "interfaces" in file or contract in found.setdefault(file, set()):
                continue
            found[file].add(contract)
            text = (ROOT / file).read_text(encoding="utf-8")
            folder = os.path.dirname(file)  # noqa: PTH120 - names of source units, not paths
            waiting += [os.path.normpath(f"{folder}/{name}") for name in _IMPORT.findall(text)]
    return {file: tuple(sorted(contracts)) for file, contracts in sorted(found.items())}


def gambit_binary() -> Path:
    """Return the generator, installing its package aside on first use.

    Raises:
        MutationError: The package cannot be installed.
    """
    folder = BUILD / "certora"
    binary = folder / "certora_bins" / "gambit"
    if binary.is_file():
        return binary
    match = re.search(r"^certora-cli==.*?(?=^\S)", LOCK_FILE.read_text(), re.MULTILINE | re.DOTALL)
    if match is None:
        raise MutationError(f"certora-cli is not in {LOCK_FILE.name}")
    BUILD.mkdir(parents=True, exist_ok=True)
    requirement = BUILD / "requirement.txt"
    requirement.write_text(match[0])
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    command += ["--no-deps", "--require-hashes", "--target", str(folder), "-r", str(requirement)]
    process = subprocess.run(command, capture_output=True, text=True, check=False)
    if process.returncode or not binary.is_file():
        raise MutationError(f"certora-cli could not be installed: {process.stderr.strip()}")
    return binary


def generate(files: Sequence[str]) -> list[Mutant]:
    """Return all mutants of these source units, gambit's and our own, without repeats."""
    mutants = [*_gambit(files), *(each for file in files for each in own(file)), *branches(files)]
    unique: dict[str, Mutant] = {}
    for mutant in mutants:
        unique.setdefault(mutant.key, mutant)
    return list(unique.values())


def _gambit(files: Sequence[str]) -> list[Mutant]:
    originals = {file: (ROOT / file).read_text(encoding="utf-8") for file in files}
    versions = hashlib.sha256(json.dumps(originals, sort_keys=True).encode()).hexdigest()[:16]
    out = BUILD / "gambit" / versions
    if not (out / "done").is_file():
        configuration = [
            {
                "filename": str(ROOT / file),
                "sourceroot": str(ROOT),
                "outdir": str(out / file.replace("/", "_")),
                "solc": str(ROOT / "scripts" / "solc" / f"solc-v{artifacts.compiler_version()}"),
                "solc_allow_paths": [str(ROOT)],
                "solc_remappings": [f"@openzeppelin={ROOT / 'node_modules' / '@openzeppelin'}"],
                "skip_validate": True,
            }
            for file in files
        ]
        out.mkdir(parents=True, exist_ok=True)
        config = out / "gambit.json"
        config.write_text(json.dumps(configuration))
        command = [str(gambit_binary()), "mutate", "--json", str(config)]
        process = subprocess.run(command, capture_output=True, text=True, check=False)
        if process.returncode or "Generated" not in process.stdout:
            raise MutationError(f"gambit failed: {process.stdout[-500:]}{process.stderr[-500:]}")
        (out / "done").touch()
    mutants = []
    for file in files:
        folder = out / file.replace("/", "_")
        for entry in json.loads((folder / "gambit_results.json").read_text()):
            text = (folder / entry["name"]).read_text(encoding="utf-8")
            # Gambit says what it did in a comment, which the reader of a report does not need.
            text = re.sub(r"^\s*/// \w+Mutation\(.*?\n", "", text, flags=re.MULTILINE)
            operator = str(entry["description"]).removesuffix("Mutation")
            mutants.append(_mutant(file, operator, originals[file], text))
    return mutants


def own(file: str) -> Iterator[Mutant]:
    """Faults that gambit does not make: in assembly, and numbers that are off by one."""
    text = (ROOT / file).read_text(encoding="utf-8")
    blocks = [match.span(1) for match in _ASSEMBLY.finditer(text)]
    for begin, end in blocks:
        for number in _NUMBER.finditer(text, begin, end):
            value = int(number[1].replace("_", ""), 0)
            for changed in {value + 1, max(0, value - 1)} - {value}:
                changed_text = text[: number.start()] + str(changed) + text[number.end() :]
                yield _mutant(file, "AssemblyNumber", text, changed_text)
        for name, other in _OPCODES.items():
            for opcode in re.compile(rf"\b{name}\(").finditer(text, begin, end):
                changed_text = text[: opcode.start()] + f"{other}(" + text[opcode.end() :]
                yield _mutant(file, "AssemblyOpcode", text, changed_text)
    for number in _LITERAL.finditer(text):
        inside = any(begin <= number.start() < end for begin, end in blocks)
        line = text[text.rfind("\n", 0, number.start()) + 1 : number.start()]
        if inside or line.lstrip().startswith(("//", "*", "pragma", '"')) or "//" in line:
            continue
        value = int(number[1].replace("_", ""))
        for changed in (value + 1, value - 1):
            if changed >= 0:
                changed_text = text[: number.start()] + str(changed) + text[number.end() :]
                yield _mutant(file, "Literal", text, changed_text)


def branches(files: Sequence[str]) -> Iterator[Mutant]:
    """Return the faults of these source units that only a test of their branch can notice."""
    sources = artifacts.compile_contracts(mocks=False, ast=True)["sources"]
    for file in files:
        text, tree = sources[file]["content"], sources[file]["ast"]
        assert tree is not None  # noqa: S101 - asked for
        yield from (_mutant(file, "Branch", text, each) for each in branch_mutants(text, tree))


def _mutant(file: str, operator: str, before: str, after: str) -> Mutant:
    old, new = before.splitlines(), after.splitlines()
    matcher = difflib.SequenceMatcher(a=old, b=new, autojunk=False)
    changes = [each for each in matcher.get_opcodes() if each[0] != "equal"]
    first = changes[0][1] if changes else 0
    removed = " ".join(line.strip() for _, a, b, _, _ in changes for line in old[a:b])
    added = " ".join(line.strip() for _, _, _, a, b in changes for line in new[a:b])
    return Mutant(file, operator, first + 1, removed, added, after)
