"""Mutation testing: does a fault in a contract ever go unnoticed by `tests/invariants`?

`python scripts/mutants.py` makes small faults in the contracts one at a time, compiles each mutant
and runs the scenarios and the stateful suite against it until the first failure. It writes
`docs/mutants.md`: the score of every file, and each survivor. What was found out is kept under
`build/mutants`, so that a run that was broken off goes on where it stopped; a survivor is tried
again once the tests have changed.

Most mutants come from gambit, which ships inside the PyPI package `certora-cli` (version and
hashes in `requirements-mutation.lock`). Gambit leaves assembly and literals alone, so two
operators of our own are added.

Mutants are compiled without the optimizer, which is faster; a survivor is compiled again as the
contracts are shipped, and when that gives the shipped code it is no fault at all. Survivors that
people have judged are in `tests/invariants/equivalent_mutants.json`, each with the reason.
"""

from __future__ import annotations

import argparse
import difflib
import hashlib
import json
import math
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Lock, local
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from scripts import artifacts  # noqa: E402 - found only now when this file is run as a script

BUILD = ROOT / "build" / "mutants"
RESULTS = BUILD / "results.json"
REPORT = ROOT / "docs" / "mutants.md"
SUITE = ROOT / "tests" / "invariants"
REVIEWED = SUITE / "equivalent_mutants.json"
LOCK_FILE = ROOT / "requirements-mutation.lock"

WORKERS = 2
TEST_SECONDS = 240
COMPILATIONS_PER_PROCESS = 60
"""The compiler's memory only grows; a new process now and then keeps it small."""

TOKEN, ESCROW, GOVERNANCE = "SettlementToken", "PaymentEscrow", "Governance"

# Without the optimizer the escrow has too many variables for the old code generator.
_FAST: dict[str, dict[str, Any]] = {
    TOKEN: {"viaIR": False, "optimizer": {"enabled": False}},
    GOVERNANCE: {"viaIR": False, "optimizer": {"enabled": False}},
    ESCROW: {"viaIR": True, "optimizer": {"enabled": False}},
}

_SCENARIOS = {
    TOKEN: "test_scenarios_token",
    GOVERNANCE: "test_scenarios_governance",
    ESCROW: "test_scenarios_escrow",
}

_COMPILER = r"""
const path = require("path");
const solc = require(require.resolve("solc", { paths: [process.argv[1]] }));
require("readline").createInterface({ input: process.stdin }).on("line", (line) => {
  process.stdout.write(JSON.stringify(JSON.parse(solc.compile(line))) + "\n");
});
"""

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
    for contract in _FAST:
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


# Making mutants


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
    mutants = [*_gambit(files), *(each for file in files for each in _own(file))]
    return list({mutant.key: mutant for mutant in mutants}.values())


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


def _own(file: str) -> Iterator[Mutant]:
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


def _mutant(file: str, operator: str, before: str, after: str) -> Mutant:
    old, new = before.splitlines(), after.splitlines()
    matcher = difflib.SequenceMatcher(a=old, b=new, autojunk=False)
    changes = [each for each in matcher.get_opcodes() if each[0] != "equal"]
    first = changes[0][1] if changes else 0
    removed = " ".join(line.strip() for _, a, b, _, _ in changes for line in old[a:b])
    added = " ".join(line.strip() for _, _, _, a, b in changes for line in new[a:b])
    return Mutant(file, operator, first + 1, removed, added, after)


# Compiling


class Compiler:
    """A compiler process that stays: starting it costs as much as compiling a contract."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._count = 0

    def compile(
        self, sources: Mapping[str, str], contract: str, settings: Mapping[str, Any]
    ) -> dict[str, Any] | None:
        """Return ABI and creation code of a contract, or nothing if it does not compile."""
        unit = f"contracts/{contract}.sol"
        selection = {unit: {contract: ["abi", "evm.bytecode.object"]}}
        document = {
            "language": "Solidity",
            "sources": {name: {"content": text} for name, text in sources.items()},
            "settings": {**settings, "outputSelection": selection},
        }
        process = self._running()
        assert process.stdin is not None  # noqa: S101 - both are pipes
        assert process.stdout is not None  # noqa: S101
        process.stdin.write(json.dumps(document) + "\n")
        process.stdin.flush()
        line = process.stdout.readline()
        if not line:
            raise MutationError("the compiler died")
        output = json.loads(line)
        if any(each["severity"] == "error" for each in output.get("errors", [])):
            return None
        found = output["contracts"][unit][contract]
        return {"abi": found["abi"], "bytecode": "0x" + found["evm"]["bytecode"]["object"]}

    def _running(self) -> subprocess.Popen[str]:
        self._count += 1
        if self._process is not None and self._count % COMPILATIONS_PER_PROCESS == 0:
            self.stop()
        if self._process is None:
            self._process = subprocess.Popen(
                [os.environ.get("NODE", "node"), "-e", _COMPILER, str(ROOT)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        return self._process

    def stop(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


# Testing


def frozen_suite() -> Path:
    """Copy the tests aside, so that changing them does not disturb a run; return the copy."""
    folder = BUILD / "suites" / suite_hash() / "tests" / "invariants"
    if not folder.is_dir():
        shutil.copytree(SUITE, folder, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def run_suite(suite: Path, code: Mapping[str, Any], name: str, first: str = "") -> bool:
    """Run the tests in a folder against this code; return whether every test passed.

    Args:
        suite: The folder.
        code: ABI and creation code of every contract.
        name: Of this run, for its file under `build/mutants`.
        first: The contract whose scenarios go first, being the likeliest to notice.

    Raises:
        MutationError: The suite did not run.
    """
    BUILD.mkdir(parents=True, exist_ok=True)
    file = BUILD / f"{name}.json"
    file.write_text(json.dumps(code))
    environment = {
        **os.environ,
        "TAEL_MUTANT": str(file),
        "TAEL_HYPOTHESIS_PROFILE": "mutants",
        "PYTHONPATH": str(ROOT),
    }
    command = [sys.executable, "-m", "pytest", "-x", "-q", "--no-header", "--tb=line"]
    command += ["-p", "no:cacheprovider", "-c", str(ROOT / "pyproject.toml")]
    # The quick scenarios before the random search.
    leading = _SCENARIOS.get(first, "")
    command += sorted(
        (str(path) for path in suite.glob("test_*.py")),
        key=lambda path: (leading == "" or leading not in path, "stateful" in path, path),
    )
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        output, _ = process.communicate(timeout=TEST_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        return False
    finally:
        file.unlink(missing_ok=True)
    if process.returncode not in (0, 1) and process.returncode > 0:
        raise MutationError(f"the suite did not run (exit {process.returncode}):\n{output[-2000:]}")
    return process.returncode == 0


def suite_hash() -> str:
    """A hash of the tests: what survived other tests is tried again."""
    texts = [path.read_text() for path in sorted(SUITE.glob("*.py"))]
    texts.append((SUITE / "InvariantWallet.sol").read_text())
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:16]


# The run


class Run:
    """What is known so far, and how to find out more."""

    def __init__(self) -> None:
        compiled = artifacts.compile_contracts(mocks=False)
        self.sources = {name: source["content"] for name, source in compiled["sources"].items()}
        self.shipped = {name: each["bytecode"] for name, each in compiled["contracts"].items()}
        self.settings = artifacts.compiler_settings()
        self.suite = suite_hash()
        self.folder = frozen_suite()
        sources = json.dumps(self.sources, sort_keys=True)
        self.version = hashlib.sha256(sources.encode()).hexdigest()[:16]
        self.results: dict[str, dict[str, str]] = (
            json.loads(RESULTS.read_text()) if RESULTS.is_file() else {}
        )
        self._lock = Lock()
        self._local = local()
        self._compilers: list[Compiler] = []
        self.targets = targets()
        self.base = self._base()

    def _base(self) -> dict[str, Any]:
        compiler = self.compiler()
        base: dict[str, Any] = {}
        for contract, settings in _FAST.items():
            found = compiler.compile(self.sources, contract, {**self.settings, **settings})
            if found is None:
                raise MutationError(f"{contract} does not compile")
            base[contract] = found
        wallet = "tests/invariants/InvariantWallet.sol"
        extra = {wallet: (ROOT / wallet).read_text()}
        entry = artifacts.compile_contracts(only=[], extra_sources=extra)["contracts"]
        for name, contract_ in entry.items():
            base[name] = {"abi": contract_["abi"], "bytecode": contract_["bytecode"]}
        return base

    def check_suite(self) -> None:
        """The contracts as they are must pass, compiled the fast way too.

        Raises:
            MutationError: They do not.
        """
        if not run_suite(self.folder, self.base, "unmutated"):
            raise MutationError(
                "the suite fails on the contracts as they are: pytest tests/invariants"
            )

    def compiler(self) -> Compiler:
        """The compiler of this thread."""
        found: Compiler | None = getattr(self._local, "compiler", None)
        if found is None:
            found = Compiler()
            self._local.compiler = found
            with self._lock:
                self._compilers.append(found)
        return found

    def stop(self) -> None:
        """End every compiler."""
        for compiler in self._compilers:
            compiler.stop()

    def known(self, mutant: Mutant) -> str | None:
        """The verdict on a mutant, if there is one that still counts."""
        return self._valid(self._key(mutant))

    def _valid(self, key: str) -> str | None:
        entry = self.results.get(key)
        if entry is None or (entry["verdict"] == "survived" and entry["suite"] != self.suite):
            return None
        return entry["verdict"]

    def _key(self, mutant: Mutant) -> str:
        return f"{self.version}:{mutant.key}"

    def judge(self, mutant: Mutant) -> str:
        """Return `invalid`, `same`, `killed` or `survived`.

        `invalid` does not compile; `same` gives the code of the unchanged contracts.
        """
        sources = {**self.sources, mutant.file: mutant.source}
        contracts = self.targets[mutant.file]
        code = dict(self.base)
        for contract in contracts:
            settings = {**self.settings, **_FAST[contract]}
            found = self.compiler().compile(sources, contract, settings)
            if found is None:
                return self._record(mutant, "invalid")
            code[contract] = found
        if all(code[each]["bytecode"] == self.base[each]["bytecode"] for each in contracts):
            return self._record(mutant, "same")
        # The same code may come from other sources: a comment elsewhere, another mutant.
        same_code = "code:" + hashlib.sha256(json.dumps(code, sort_keys=True).encode()).hexdigest()
        verdict = self._valid(same_code)
        if verdict is not None:
            return self._record(mutant, verdict)
        if not run_suite(self.folder, code, f"mutant-{mutant.key}", contracts[0]):
            return self._record(mutant, "killed", same_code)
        shipped = [self.compiler().compile(sources, each, self.settings) for each in contracts]
        same = all(
            found is not None and found["bytecode"] == self.shipped[each]
            for each, found in zip(contracts, shipped, strict=True)
        )
        return self._record(mutant, "same" if same else "survived", same_code)

    def _record(self, mutant: Mutant, verdict: str, *more: str) -> str:
        with self._lock:
            for key in (self._key(mutant), *more):
                self.results[key] = {"verdict": verdict, "suite": self.suite}
            with tempfile.NamedTemporaryFile("w", dir=BUILD, delete=False) as file:
                json.dump(self.results, file)
            Path(file.name).replace(RESULTS)
        return verdict


def judge_all(
    run: Run, mutants: Sequence[Mutant], seconds: float, say: Callable[[str], None]
) -> dict[str, str]:
    """Judge the mutants, known ones from the cache, until the time is up or Ctrl-C is pressed.

    Args:
        run: What is known so far.
        mutants: In the order in which they are tested.
        seconds: After which no further mutant is begun.
        say: Takes each line of progress.

    Returns:
        The verdicts by mutant key, of all that were judged.
    """
    verdicts = {each.key: verdict for each in mutants if (verdict := run.known(each)) is not None}
    waiting = [each for each in mutants if each.key not in verdicts]
    say(f"{len(mutants)} mutants, {len(waiting)} to test")
    began = time.monotonic()
    stopped = Event()

    def judge(mutant: Mutant) -> None:
        if stopped.is_set() or time.monotonic() - began > seconds:
            return
        verdict = run.judge(mutant)
        verdicts[mutant.key] = verdict
        if verdict == "survived":
            say(f"  survived {mutant.file}:{mutant.line}  {mutant.before}  ->  {mutant.after}")

    with ThreadPoolExecutor(WORKERS) as pool:
        tasks = [pool.submit(judge, each) for each in waiting]
        try:
            for done, task in enumerate(tasks, start=1):
                task.result()
                if done % 25 == 0 and not stopped.is_set():
                    say(f"{done} of {len(waiting)}, {(time.monotonic() - began) / done:.1f} s each")
        except KeyboardInterrupt:
            say("stopping after the mutants in hand")
        finally:
            stopped.set()
    return verdicts


# The report


def reviewed() -> dict[tuple[str, str, str], str]:
    """Why a survivor is no fault, by file, line as it is, and line as changed."""
    entries = json.loads(REVIEWED.read_text()) if REVIEWED.is_file() else []
    return {(each["file"], each["before"], each["after"]): each["reason"] for each in entries}


def report(
    mutants: Sequence[Mutant], verdicts: Mapping[str, str], generated: Mapping[str, int], how: str
) -> tuple[str, float]:
    """Return the text of the report and the score, in percent, over all files."""
    reasons, parts_of = reviewed(), targets()
    rows: dict[str, dict[str, int]] = {}
    survivors: list[Mutant] = []
    excused: list[Mutant] = []
    for mutant in mutants:
        row = rows.setdefault(
            mutant.file,
            {"tested": 0, "invalid": 0, "same": 0, "excused": 0, "killed": 0, "alive": 0},
        )
        row["tested"] += 1
        verdict = verdicts[mutant.key]
        if verdict != "survived":
            row[verdict] += 1
        elif mutant.place in reasons:
            row["excused"] += 1
            excused.append(mutant)
        else:
            row["alive"] += 1
            survivors.append(mutant)
    lines = [
        "# Mutation tests",
        "",
        "Written by `make mutants`; do not edit. How it works: `scripts/mutants.py`.",
        "",
        how,
        "",
        "The score is killed / (killed + survived). Not counted: mutants that do not compile,",
        "that give the shipped bytecode, and that were reviewed and found to do the same as the",
        "contract (listed below).",
        "",
        "| file | mutants | tested | do not compile | same code | reviewed as equal | killed "
        "| survived | score |",
        "| --- | --: | --: | --: | --: | --: | --: | --: | --: |",
    ]
    for file, row in sorted(rows.items()):
        lines.append(_row(file.removeprefix("contracts/"), generated[file], row))
    for contract in (TOKEN, ESCROW):
        parts = [row for file, row in rows.items() if contract in parts_of[file]]
        total = sum(count for file, count in generated.items() if contract in parts_of[file])
        if parts:
            lines.append(_row(f"**{contract}** with its parts", total, _sum(parts)))
    everything = _sum(rows.values())
    lines.append(_row("**all**", sum(generated.values()), everything))
    lines += ["", "## Survivors", ""]
    lines += [_entry(mutant) for mutant in survivors] or ["None."]
    lines += ["", "## Reviewed as equal", ""]
    lines += [f"{_entry(mutant)} {reasons[mutant.place]}" for mutant in excused] or ["None."]
    return "\n".join(lines) + "\n", _score(everything)


def _sum(rows: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: dict[str, int] = {}
    for row in rows:
        for name, value in row.items():
            total[name] = total.get(name, 0) + value
    return total


def _score(row: Mapping[str, int]) -> float:
    judged = row.get("killed", 0) + row.get("alive", 0)
    return 100.0 * row.get("killed", 0) / judged if judged else 100.0


def _row(name: str, generated: int, row: Mapping[str, int]) -> str:
    values = [generated, *(row[each] for each in ("tested", "invalid", "same", "excused"))]
    values += [row["killed"], row["alive"]]
    return f"| {name} | {' | '.join(map(str, values))} | {_score(row):.1f} % |"


def _entry(mutant: Mutant) -> str:
    name = mutant.file.removeprefix("contracts/")
    return f"- {name}:{mutant.line} ({mutant.operator}): `{mutant.before}` became `{mutant.after}`."


def main(arguments: list[str] | None = None) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Mutation tests over the contracts.")
    parser.add_argument("--sample", type=int, help="test so many mutants, drawn at random")
    parser.add_argument("--seed", type=int, default=1, help="for the sample (default 1)")
    parser.add_argument(
        "--minutes", type=float, default=math.inf, help="begin no mutant after so many minutes"
    )
    parser.add_argument("--only", action="append", help="a file under contracts/; may be repeated")
    parser.add_argument("--minimum", type=float, default=95.0, help="score needed, in percent")
    parser.add_argument("--list", action="store_true", help="print the mutants, test nothing")
    parser.add_argument("--no-report", action="store_true", help="leave docs/mutants.md as it is")
    options = parser.parse_args(arguments)
    chosen = [f"contracts/{name.removeprefix('contracts/')}" for name in options.only or []]
    unknown = set(chosen) - targets().keys()
    if unknown:
        parser.error(f"not a file that is mutated: {', '.join(sorted(unknown))}")
    files = [file for file in targets() if not chosen or file in chosen]
    try:
        mutants = generate(files)
        generated = {file: sum(each.file == file for each in mutants) for file in files}
        everything = len(mutants)
        # In random order, so that a run that was broken off has tested a fair sample.
        random.Random(options.seed).shuffle(mutants)  # noqa: S311
        mutants = mutants[: options.sample]
        if options.list:
            for each in mutants:
                print(f"{each.file}:{each.line} {each.operator}: {each.before} -> {each.after}")
            return 0
        run = Run()
        try:
            run.check_suite()
            limit = 60.0 * options.minutes
            verdicts = judge_all(run, mutants, limit, lambda text: print(text, flush=True))
        finally:
            run.stop()
    except (MutationError, artifacts.CompilationError) as error:
        print(f"mutants: {error}", file=sys.stderr)
        return 2
    judged = [each for each in mutants if each.key in verdicts]
    how = f"All {everything} mutants."
    if len(judged) < everything:
        how = f"{len(judged)} of {everything} mutants, drawn at random with seed {options.seed}."
    text, score = report(judged, verdicts, generated, how)
    if not options.no_report:
        REPORT.parent.mkdir(exist_ok=True)
        REPORT.write_text(text)
    print(f"score {score:.1f} %")
    return 0 if score >= options.minimum else 1


if __name__ == "__main__":
    raise SystemExit(main())
