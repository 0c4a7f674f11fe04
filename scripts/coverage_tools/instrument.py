"""Put markers into Solidity sources, one for each way that a branch can go.

A marker is a call that does nothing, to an address that carries the marker's number. The compiler
cannot leave it out, it is allowed in view and pure functions, and a node's call trace shows it in
transactions that revert and in `eth_call` as well. Names and the ABI stay as they are.

The syntax tree says where a marker belongs:

- every function: entered,
- every condition of `if`, `? :` and `require`: true, false, with an `else` or without,
- every operand of `&&` and `||`: true, false; both are met only if the right operand was evaluated
  and skipped,
- every loop: entered, skipped,
- every clause of `try`: entered.

Not counted: what imported packages do, `restricted` among it, and reverts that the compiler adds
(overflow, range of an enum, ABI decoding). Branches inside assembly are refused, not left out.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

MARKER_PREFIX = b"tael coverage\0\0\0".hex()
"""The first 16 bytes of a marker's address; the last four are its number."""

MARKERS_UNIT = "contracts/CoverageMarkers.sol"
MARKERS_SOURCE = f"""// SPDX-License-Identifier: Apache-2.0
pragma solidity >=0.8.20;

library CoverageMarkers {{
    function met(uint256 id) internal pure {{
        _asPure(_call)(id);
    }}

    function when(bool condition, uint256 id) internal pure returns (bool) {{
        met(condition ? id : id + 1);
        return condition;
    }}

    /// @dev Counts the first evaluation only: that is the one that enters the loop or does not.
    function loop(bool condition, bool again, uint256 id) internal pure returns (bool) {{
        if (!again) met(condition ? id : id + 1);
        return condition;
    }}

    function _call(uint256 id) private view {{
        assembly ("memory-safe") {{
            pop(staticcall(0, or(0x{MARKER_PREFIX}00000000, id), 0, 0, 0, 0))
        }}
    }}

    function _asPure(
        function(uint256) internal view given
    ) private pure returns (function(uint256) internal pure result) {{
        assembly ("memory-safe") {{
            result := given
        }}
    }}
}}
"""

_LOOPS = {"ForStatement", "WhileStatement"}
_YUL_BRANCHES = {"YulIf", "YulSwitch", "YulForLoop"}

Node = Mapping[str, Any]


class InstrumentationError(Exception):
    """A source has a construct that markers cannot be put into."""


@dataclass(frozen=True)
class Branch:
    """One way that a branch can go.

    Attributes:
        id: The number in its marker's address.
        file: The source unit's name.
        line: Where the text begins, counted from one.
        column: Counted from one.
        function: `Contract.function`, or the contract alone for an initial value.
        kind: `function`, `if`, `ternary`, `operand`, `require`, `loop` or `try`.
        outcome: `entered`, `skipped`, `true` or `false`.
        text: The condition or the function's name, blanks reduced.
    """

    id: int
    file: str
    line: int
    column: int
    function: str
    kind: str
    outcome: str
    text: str


@dataclass(frozen=True)
class Instrumented:
    """Sources with markers, by name, with the markers' library, and what the markers mean."""

    sources: dict[str, str]
    branches: list[Branch]


def instrument(sources: Mapping[str, tuple[str, Node]]) -> Instrumented:
    """Put markers into sources.

    Args:
        sources: Text and syntax tree of each source unit, by name, such as `contracts/Till.sol`.

    Returns:
        The texts to compile instead, and the branches.

    Raises:
        InstrumentationError: Assembly that branches, or a loop that is the whole body of an `if`.
    """
    branches: list[Branch] = []
    texts = {MARKERS_UNIT: MARKERS_SOURCE}
    for name, (text, tree) in sorted(sources.items()):
        texts[name] = _Unit(name, text, branches).instrumented(tree)
    return Instrumented(texts, branches)


class _Unit:
    def __init__(self, name: str, text: str, branches: list[Branch]) -> None:
        self.name = name
        # The compiler counts in bytes of UTF-8.
        self.content = text.encode()
        self.branches = branches
        # Where, then what comes first at the same place: ends before beginnings, inner ends and
        # outer beginnings first.
        self.insertions: list[tuple[int, int, int, str]] = []

    def instrumented(self, tree: Node) -> str:
        before = len(self.branches)
        for node in tree["nodes"]:
            self._visit(node, "", "")
        if len(self.branches) == before:
            return self.content.decode()
        path = posixpath.relpath(MARKERS_UNIT, posixpath.dirname(self.name))
        path = path if path.startswith(".") else f"./{path}"
        # Behind the pragma, on a line of its own: there tools expect imports.
        pragmas = [each for each in tree["nodes"] if each["nodeType"] == "PragmaDirective"]
        start = max((_range(each)[1] for each in pragmas), default=0)
        self._insert(start, f'\nimport {{CoverageMarkers}} from "{path}";\n')
        parts: list[bytes] = []
        position = 0
        for offset, _, _, text in sorted(self.insertions):
            parts += [self.content[position:offset], text.encode()]
            position = offset
        return b"".join([*parts, self.content[position:]]).decode()

    def _visit(self, node: Node, function: str, parent: str) -> None:
        kind = str(node.get("nodeType", ""))
        if kind == "VariableDeclaration" and node["constant"]:
            return
        if kind == "ContractDefinition":
            function = node["name"]
        elif kind in {"FunctionDefinition", "ModifierDefinition"}:
            own = node["name"] or node["kind"]
            function = f"{function}.{own}" if function else own
            if kind == "FunctionDefinition" and node.get("body"):
                self._enter(node["body"], self._new(node, function, "function", "entered", own))
        elif kind == "IfStatement":
            self._split(node["condition"], function, "if")
        elif kind == "Conditional":
            self._split(node["condition"], function, "ternary")
        elif _is_logical(node):
            for operand in (node["leftExpression"], node["rightExpression"]):
                if not _is_logical(_bare(operand)):
                    self._split(operand, function, "operand")
        elif kind in _LOOPS:
            self._loop(node, function, parent)
        elif kind == "DoWhileStatement":
            self._split(node["condition"], function, "if")
        elif kind == "FunctionCall" and node["expression"].get("name") == "require":
            self._split(node["arguments"][0], function, "require")
        elif kind == "TryStatement":
            for number, clause in enumerate(node["clauses"]):
                name = f"catch {clause['errorName']}".strip() if number else "success"
                branch = self._new(clause, function, "try", "entered", name)
                self._enter(clause["block"], branch)
        elif kind in _YUL_BRANCHES:
            raise InstrumentationError(f"{self._place(node)}: a branch inside assembly")
        for child in _children(node):
            self._visit(child, function, kind)

    def _new(self, node: Node, function: str, kind: str, outcome: str, text: str = "") -> int:
        start, end = _range(node)
        line_start = self.content.rfind(b"\n", 0, start) + 1
        branch = Branch(
            id=len(self.branches),
            file=self.name,
            line=self._line(start),
            column=len(self.content[line_start:start].decode()) + 1,
            function=function,
            kind=kind,
            outcome=outcome,
            text=text or " ".join(self.content[start:end].decode().split()),
        )
        self.branches.append(branch)
        return branch.id

    def _enter(self, block: Node, branch: int) -> None:
        self._insert(_range(block)[0] + 1, f" CoverageMarkers.met({branch});")

    def _split(self, condition: Node, function: str, kind: str) -> None:
        branch = self._new(condition, function, kind, "true")
        self._new(condition, function, kind, "false")
        self._wrap(condition, "CoverageMarkers.when(", f", {branch})")

    def _loop(self, node: Node, function: str, parent: str) -> None:
        condition = node.get("condition")
        if condition is None:
            branch = self._new(node, function, "loop", "entered", "for (;;)")
            self._insert(_range(node)[0], f"CoverageMarkers.met({branch}); ")
            return
        if parent not in {"Block", "UncheckedBlock"}:
            raise InstrumentationError(f"{self._place(node)}: put the loop into braces")
        branch = self._new(condition, function, "loop", "entered")
        self._new(condition, function, "loop", "skipped")
        flag = f"again{branch}"
        self._insert(_range(node)[0], f"bool {flag}; ")
        end = f", {flag}, {branch}) && ({flag} = true)"
        self._wrap(condition, "CoverageMarkers.loop(", end)

    def _wrap(self, node: Node, before: str, after: str) -> None:
        start, end = _range(node)
        self.insertions.append((start, 1, start - end, before))
        self.insertions.append((end, 0, end - start, after))

    def _insert(self, offset: int, text: str) -> None:
        # Before anything that begins there.
        self.insertions.append((offset, 1, -len(self.content), text))

    def _place(self, node: Node) -> str:
        return f"{self.name}:{self._line(_range(node)[0])}"

    def _line(self, offset: int) -> int:
        return self.content.count(b"\n", 0, offset) + 1


def _range(node: Node) -> tuple[int, int]:
    start, length, _ = map(int, node["src"].split(":"))
    return start, start + length


def _is_logical(node: Node) -> bool:
    return node.get("nodeType") == "BinaryOperation" and node["operator"] in {"&&", "||"}


def _bare(node: Node) -> Node:
    while node["nodeType"] == "TupleExpression" and len(node["components"]) == 1:
        node = node["components"][0]
    return node


def _children(node: Node) -> Iterator[Node]:
    for value in node.values():
        for each in value if isinstance(value, list) else [value]:
            if isinstance(each, dict) and "nodeType" in each:
                yield each
