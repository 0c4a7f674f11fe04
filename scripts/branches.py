"""Branch coverage of the contracts, measured where the tests run them: on a node.

Every condition of `contracts/` (if, ternary, loop, `require`, and what stands left of `&&` and `||`)
is wrapped in a call that reports its outcome to an address nobody owns. The call changes nothing
and shows up in the node's call traces, also when the transaction is refused later. Each `eth_call`
and each transaction of a test is traced; a condition is covered when both outcomes were seen.

Brownie's own coverage cannot be used: it gives up contracts with immutables, and source maps of
optimized code do not lead back to branches. Conditions inside assembly are not measured.

As a pytest plugin (`-p scripts.branches`) it replaces the contracts that the tests deploy and
writes what it saw to the file that TAEL_CONTRACT_COVERAGE names; `make coverage` does both. The
wrapped contracts need more gas and are larger than the shipped ones, so gas and size are not to be
measured in such a run.
"""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import tael.testing
from scripts import artifacts, brownie_session
from tael.testing import Node, NodeError

RESULT_VARIABLE = "TAEL_CONTRACT_COVERAGE"
PROBE_UNIT = "contracts/BranchProbe.sol"
PROBE_ADDRESS = 0x7AE1 << 144
NOT_MEASURED = ("contracts/mocks/", "contracts/interfaces/")

_PROBE = """// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

library BranchProbe {
    function at(uint256 id, bool outcome) internal pure returns (bool) {
        _asPure(_report)(id, outcome);
        return outcome;
    }

    function _report(uint256 id, bool outcome) private view {
        assembly ("memory-safe") {
            mstore(0, or(shl(1, id), outcome))
            pop(staticcall(gas(), shl(144, 0x7ae1), 0, 32, 0, 0))
        }
    }

    // A condition may stand in a pure function, and the report does not count as reading state.
    function _asPure(
        function(uint256, bool) view reading
    ) private pure returns (function(uint256, bool) pure same) {
        assembly {
            same := reading
        }
    }
}
"""


@dataclass
class Branch:
    """One condition, and how often it came out how."""

    unit: str
    line: int
    text: str
    true: int = 0
    false: int = 0

    @property
    def missing(self) -> list[str]:
        """The outcomes that were never seen."""
        return [name for name in ("true", "false") if not getattr(self, name)]


@dataclass
class Recorder:
    """Traces what tests send to a node and counts the outcomes."""

    branches: list[Branch]
    traced: set[str] = field(default_factory=set)

    def after(self, node: Node, method: str, params: tuple[Any, ...]) -> None:
        """Trace a request that may have run a contract."""
        options = {"tracer": "callTracer"}
        if method == "eth_call":
            try:
                self._count(_RPC(node, "debug_traceCall", params[0], params[1], options))
            except NodeError:
                return  # refused before any code ran
        elif method == "eth_getTransactionReceipt" and params[0] not in self.traced:
            try:
                frame = _RPC(node, "debug_traceTransaction", params[0], options)
            except NodeError:
                return  # not mined yet
            self.traced.add(params[0])
            self._count(frame)

    def _count(self, frame: Mapping[str, Any]) -> None:
        waiting = [frame]
        while waiting:
            current = waiting.pop()
            waiting.extend(current.get("calls", ()))
            if int(current.get("to") or "0x0", 16) == PROBE_ADDRESS:
                number = int(current["input"], 16)
                branch = self.branches[number >> 1]
                if number & 1:
                    branch.true += 1
                else:
                    branch.false += 1


def instrument(compilation: artifacts.Compilation) -> tuple[dict[str, str], list[Branch]]:
    """Wrap every condition.

    Args:
        compilation: The contracts, compiled with their syntax trees.

    Returns:
        The changed source units by name with the probe among them, and the conditions; what the
        probe reports is a condition's index in that list.
    """
    branches: list[Branch] = []
    changed = {PROBE_UNIT: _PROBE}
    for unit, source in compilation["sources"].items():
        if not unit.startswith("contracts/") or unit.startswith(NOT_MEASURED):
            continue
        # The compiler counts bytes, not characters.
        text = source["content"].encode()
        edits: list[tuple[int, int, int, bytes]] = []
        for condition in _conditions(source["ast"]):
            start, length = (int(part) for part in condition["src"].split(":")[:2])
            number = len(branches)
            shown = " ".join(text[start : start + length].decode().split())
            branches.append(Branch(unit, text.count(b"\n", 0, start) + 1, shown))
            # Where several begin at one place the longest comes first, and where several end, last.
            edits.append((start, 1, -length, f"BranchProbe.at({number}, ".encode()))
            edits.append((start + length, 0, length, b")"))
        if edits:
            changed[unit] = _edited(text, edits).decode() + f'\nimport "{PROBE_UNIT}";\n'
    return changed, branches


def _edited(text: bytes, edits: list[tuple[int, int, int, bytes]]) -> bytes:
    pieces: list[bytes] = []
    done = 0
    for place, _, _, inserted in sorted(edits, key=lambda edit: edit[:3]):
        pieces += [text[done:place], inserted]
        done = place
    return b"".join([*pieces, text[done:]])


def _conditions(tree: Any) -> Iterator[dict[str, Any]]:
    waiting: list[Any] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, list):
            waiting.extend(reversed(node))
        if not isinstance(node, dict) or node.get("nodeType") == "InlineAssembly":
            continue
        kind = node.get("nodeType")
        if kind in {
            "IfStatement",
            "Conditional",
            "WhileStatement",
            "DoWhileStatement",
            "ForStatement",
        }:
            if node.get("condition"):
                yield node["condition"]
        elif kind == "BinaryOperation" and node["operator"] in {"&&", "||"}:
            yield node["leftExpression"]
        elif kind == "FunctionCall" and node["expression"].get("name") in {"require", "assert"}:
            yield node["arguments"][0]
        waiting.extend(
            reversed([value for value in node.values() if isinstance(value, dict | list)])
        )


def load(files: list[Path]) -> list[Branch]:
    """Add up what several runs saw."""
    total: list[Branch] = []
    for file in files:
        seen = [Branch(**entry) for entry in json.loads(file.read_text())]
        if not total:
            total = seen
            continue
        for sum_, branch in zip(total, seen, strict=True):
            sum_.true += branch.true
            sum_.false += branch.false
    return total


def report(files: list[Path]) -> tuple[str, bool]:
    """Describe the coverage.

    Returns:
        A table with what is missing below it, and whether nothing is.
    """
    branches = load(files)
    units = sorted({branch.unit for branch in branches})
    lines = [f"{'contract':<44} {'branches':>8} {'covered':>8} {'percent':>8}"]
    for unit in [*units, "all"]:
        own = [branch for branch in branches if unit in (branch.unit, "all")]
        covered = sum(2 - len(branch.missing) for branch in own)
        percent = 100 * covered / (2 * len(own)) if own else 0
        lines.append(f"{unit:<44} {2 * len(own):>8} {covered:>8} {percent:>8.1f}")
    missing = [branch for branch in branches if branch.missing]
    lines += [
        f"{branch.unit}:{branch.line}: never {' nor '.join(branch.missing)}: {branch.text}"
        for branch in missing
    ]
    return "\n".join(lines), bool(branches) and not missing


_RPC = Node.rpc
_recorder: Recorder | None = None


def _recording_rpc(node: Node, method: str, *params: Any) -> Any:
    try:
        return _RPC(node, method, *params)
    finally:
        if _recorder is not None:
            _recorder.after(node, method, params)


def pytest_configure() -> None:
    """Replace what tests deploy, and listen to what they send."""
    global _recorder
    sources, branches = instrument(artifacts.compile_contracts(ast=True))
    contracts = artifacts.compile_contracts(extra_sources=sources)["contracts"]
    built = SimpleNamespace(
        **{
            name: SimpleNamespace(abi=contract["abi"], bytecode=contract["bytecode"], _name=name)
            for name, contract in contracts.items()
        }
    )
    _recorder = Recorder(branches)
    brownie_session.load_project = lambda: built
    # The wrapped contracts are larger than a chain takes.
    tael.testing.start_node = functools.partial(  # type: ignore[assignment]
        tael.testing.start_node, arguments=["--disable-code-size-limit"]
    )
    Node.rpc = _recording_rpc  # type: ignore[method-assign]


def pytest_sessionfinish() -> None:
    """Write what was seen."""
    if _recorder is not None:
        path = Path(os.environ[RESULT_VARIABLE])
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps([vars(branch) for branch in _recorder.branches], indent=1))
