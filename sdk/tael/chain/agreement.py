"""When several nodes say the same: answers reduced to what must be equal, and counted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import orjson

from tael.errors import DisagreementError, NodeUnavailableError

BLOCK_FIELDS = ("hash", "number", "parentHash", "timestamp")
RECEIPT_FIELDS = (
    "transactionHash",
    "blockHash",
    "blockNumber",
    "status",
    "gasUsed",
    "contractAddress",
)
LOG_FIELDS = ("address", "topics", "data", "blockHash", "transactionHash", "logIndex")

_SHOWN_CHARACTERS = 200


def essence(method: str, answer: Mapping[str, Any]) -> str:
    """What of an answer must be equal between nodes, as text.

    Nodes differ in fields they add, in the case of hexadecimal digits and in the words of an error;
    none of that is a contradiction.

    Args:
        method: What was asked.
        answer: The node's answer, a result or an error.
    """
    problem = answer.get("error")
    if problem is not None:
        code = problem.get("code") if isinstance(problem, dict) else None
        data = problem.get("data") if isinstance(problem, dict) else None
        reduced: object = {"error": data if isinstance(data, str) else code}
    else:
        reduced = _REDUCTIONS.get(method, _whole)(answer["result"])
    return orjson.dumps(reduced, option=orjson.OPT_SORT_KEYS).decode().lower()


class Votes:
    """Counts which nodes gave the same answer.

    Args:
        method: What was asked.
        needed: How many must agree.
    """

    def __init__(self, method: str, needed: int) -> None:
        self._method = method
        self._needed = needed
        self._nodes: dict[str, list[str]] = {}

    def add(self, node: str, answer: Mapping[str, Any]) -> bool:
        """Count a node's answer.

        Returns:
            Whether enough nodes gave this answer.
        """
        agreeing = self._nodes.setdefault(essence(self._method, answer), [])
        agreeing.append(node)
        return len(agreeing) >= self._needed

    def refusal(self) -> NodeUnavailableError:
        """The error to raise when no answer was given often enough."""
        if len(self._nodes) > 1:
            said = "; ".join(
                f"{' and '.join(nodes)}: {text[:_SHOWN_CHARACTERS]}"
                for text, nodes in self._nodes.items()
            )
            return DisagreementError(
                f"the nodes contradict each other on {self._method}, and {self._needed} must "
                f"agree: {said}. Find out which one is wrong, or wait if one is only late"
            )
        answered = sum(len(nodes) for nodes in self._nodes.values())
        return NodeUnavailableError(
            f"{self._needed} nodes must agree on {self._method}, and {answered} answered; "
            "try again later"
        )


def _fields(value: Any, names: tuple[str, ...]) -> Any:
    # What is no object, as null for an unknown block, stands for itself.
    return {name: value.get(name) for name in names} if isinstance(value, dict) else value


def _block(value: Any) -> Any:
    return _fields(value, BLOCK_FIELDS)


def _logs(value: Any) -> Any:
    return [_fields(log, LOG_FIELDS) for log in value] if isinstance(value, list) else value


def _receipt(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {**_fields(value, RECEIPT_FIELDS), "logs": _logs(value.get("logs"))}


def _receipts(value: Any) -> Any:
    return [_receipt(each) for each in value] if isinstance(value, list) else value


def _whole(value: Any) -> Any:
    return value


_REDUCTIONS: Mapping[str, Callable[[Any], Any]] = {
    "eth_getBlockByNumber": _block,
    "eth_getBlockByHash": _block,
    "eth_getTransactionReceipt": _receipt,
    "eth_getBlockReceipts": _receipts,
    "eth_getLogs": _logs,
}
