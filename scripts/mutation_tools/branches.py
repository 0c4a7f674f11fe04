"""A mutant for each way that a branch can go, one that differs there and nowhere else.

A condition made true differs where it is false, and made false where it is true; a function that
reverts at once differs where it is entered. So whatever kills the mutant has gone that way, and a
branch that no test reaches leaves a survivor.

| what                                           | mutant              | killed only if it was |
| ---------------------------------------------- | ------------------- | --------------------- |
| condition of `if` and `? :`, operand of && ||  | `false`             | true                  |
|                                                | `true`              | false                 |
| loop                                           | never entered       | entered               |
|                                                | entered in any case | skipped               |
| function with a body                           | reverts at once     | entered               |

Not counted: what imported packages do, and reverts that the compiler adds. A construct that
branches and has no row here is refused, not left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Node = Mapping[str, Any]

_REFUSED = {
    "DoWhileStatement",
    "TryStatement",
    "WhileStatement",
    "YulForLoop",
    "YulIf",
    "YulSwitch",
}


class UnknownBranchError(Exception):
    """A source branches in a way that no mutant here is made for."""


def branch_mutants(text: str, tree: Node) -> Iterator[str]:
    """Return the mutants of a source unit.

    Args:
        text: The source.
        tree: The compiler's syntax tree of it.

    Raises:
        UnknownBranchError: It has `try`, `require`, `while`, a loop that does not count up from
            zero, or a branch inside assembly.
    """
    # The compiler counts in bytes of UTF-8.
    source = text.encode()
    for start, end, replacement in _changes(source, tree):
        yield (source[:start] + replacement + source[end:]).decode()


def _changes(source: bytes, node: Node) -> Iterator[tuple[int, int, bytes]]:
    kind = node["nodeType"]
    if kind in _REFUSED or (kind == "FunctionCall" and node["expression"].get("name") == "require"):
        start, end = _range(node)
        raise UnknownBranchError(source[start:end].decode())
    if kind == "VariableDeclaration" and node["constant"]:
        return
    if kind == "FunctionDefinition" and node.get("body"):
        start = _range(node["body"])[0] + 1
        # A constructor that could not end would leave immutables without a value.
        yield (
            start,
            start,
            b" if (true) revert();" if node["kind"] == "constructor" else b" revert();",
        )
    elif kind in {"IfStatement", "Conditional"}:
        yield from _forced(node["condition"])
    elif kind == "ForStatement":
        start, end = _range(node["condition"])
        yield start, end, b"false"
        yield start, start, _counter(source, node) + b" == 0 || "
    elif _is_logical(node):
        for operand in (node["leftExpression"], node["rightExpression"]):
            if not _is_logical(_bare(operand)):
                yield from _forced(operand)
    for child in _children(node):
        yield from _changes(source, child)


def _forced(condition: Node) -> Iterator[tuple[int, int, bytes]]:
    for outcome in (b"true", b"false"):
        yield *_range(condition), outcome


def _counter(source: bytes, loop: Node) -> bytes:
    """The variable that a loop counts up from zero, so that it is zero the first time alone."""
    first, step = loop.get("initializationExpression"), loop["loopExpression"]
    if (
        first
        and first["nodeType"] == "VariableDeclarationStatement"
        and not first.get("initialValue")
    ):
        name = str(first["declarations"][0]["name"]).encode()
        start, end = _range(step)
        if source[start:end] == b"++" + name:
            return name
    start, end = _range(loop)
    raise UnknownBranchError(source[start:end].decode())


def _range(node: Node) -> tuple[int, int]:
    start, length, _ = map(int, node["src"].split(":"))
    return start, start + length


def _is_logical(node: Node) -> bool:
    return node["nodeType"] == "BinaryOperation" and node["operator"] in {"&&", "||"}


def _bare(node: Node) -> Node:
    while node["nodeType"] == "TupleExpression" and len(node["components"]) == 1:
        node = node["components"][0]
    return node


def _children(node: Node) -> Iterator[Node]:
    for value in node.values():
        for each in value if isinstance(value, list) else [value]:
            if isinstance(each, dict) and "nodeType" in each:
                yield each
