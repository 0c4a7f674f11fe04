"""JSON-RPC 2.0 as bytes: questions numbered and encoded, answers matched and told apart.

Numbers in answers are hexadecimal text; a JSON number beyond 64 bits would come back as a float,
and nothing here reads one.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from tael.errors import NodeUnavailableError

Call = tuple[str, Sequence[object]]
"""Method and parameters."""

MAX_BATCH_CALLS = 500
"""Most calls in one request: geth takes 1,000, hosted nodes some hundreds."""
MAX_BODY_BYTES = 1024 * 1024
"""Longest request: Anvil takes 2 MB, geth 5 MB."""

# Every node words its limit on logs differently; a narrower question helps against all of these.
_TOO_MUCH_WORDS = (
    "block range",
    "exceeds the range",
    "exceed maximum",
    "max results",
    "more than",
    "query returned",
    "response size",
    "too large",
    "too many",
)

# JSON-RPC codes for "too busy": limits of EIP-1474, and what hosted nodes use for rate limits.
_BUSY_CODES = frozenset({-32005, -32016, -32097, 429})
_BUSY_WORDS = ("rate limit", "too many requests", "try again", "timeout", "timed out", "overloaded")

_SHOWN_CHARACTERS = 300

_QUANTITY = re.compile(r"0x[0-9a-fA-F]{1,64}", re.ASCII)
_DATA = re.compile(r"0x(?:[0-9a-fA-F]{2})*", re.ASCII)
_HASH = re.compile(r"0x[0-9a-fA-F]{64}", re.ASCII)

_ids = itertools.count(1)


class Problem(NamedTuple):
    """Why a node answered with an error; `tael.chain.node_errors` types it.

    Attributes:
        code: JSON-RPC error code; 0 if it has none.
        message: The node's own words, untrusted and shortened.
        data: What it added, the bytes of a revert for example; None if nothing.
    """

    code: int
    message: str
    data: Any


class RpcResponse(NamedTuple):
    """What a node answered to one call: a result or a problem.

    Attributes:
        result: The result, which may be None; None as well if there is a problem.
        error: The problem; None if there is a result.
    """

    result: Any
    error: Problem | None


class Encoded(NamedTuple):
    """Calls ready to be sent.

    Attributes:
        body: What goes over the wire.
        ids: The calls' numbers, in the order they were given.
        is_batch: Whether the body is a list.
    """

    body: bytes
    ids: Sequence[int]
    is_batch: bool


class MalformedAnswer(ValueError):  # noqa: N818 - becomes a failure of the node it came from
    """Bytes that are no answers to what was asked."""


def encode(calls: Sequence[Call], *, as_batch: bool) -> Encoded:
    """Number calls and encode them, as a list or as one alone."""
    # Numbers go up over the whole process: an answer to an earlier request never fits a later one.
    ids = [next(_ids) for _ in calls]
    parts = [
        _dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": params})
        for number, (method, params) in zip(ids, calls, strict=True)
    ]
    return Encoded(b"[" + b",".join(parts) + b"]" if as_batch else parts[0], ids, as_batch)


def split(calls: Sequence[Call]) -> list[Sequence[Call]]:
    """Cut calls into runs that each fit one request."""
    runs: list[Sequence[Call]] = []
    start = size = 0
    for index, call in enumerate(calls):
        length = size_of(call)
        if index > start and (index - start == MAX_BATCH_CALLS or size + length > MAX_BODY_BYTES):
            runs.append(calls[start:index])
            start, size = index, 0
        size += length
    if calls:
        runs.append(calls[start:])
    return runs


def size_of(call: Call) -> int:
    """About how many bytes a call takes in a request."""
    return 64 + sum(_length(each) for each in call[1])


def decode(body: bytes, encoded: Encoded) -> list[dict[str, Any]]:
    """The answers in the order of the calls, whatever order the node gave them in.

    Raises:
        MalformedAnswer: No JSON, or not exactly one answer to each call.
    """
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise MalformedAnswer("answered with something that is not JSON-RPC") from error
    if not encoded.is_batch:
        if _is_answer(document) and document.get("id") == encoded.ids[0]:
            return [document]
        # A node that could not read the request does not know its number.
        if _is_answer(document) and document.get("id") is None and document.get("error"):
            return [document]
        raise MalformedAnswer("answered another question than the one it was asked")
    if not isinstance(document, list):
        if _is_answer(document) and document.get("error"):
            raise MalformedAnswer(
                f"refuses many calls at once: {_problem(document['error']).message}"
            )
        raise MalformedAnswer("gave one answer to many calls")
    by_id = {
        each["id"]: each
        for each in document
        if _is_answer(each) and isinstance(each.get("id"), int)
    }
    if len(document) != len(encoded.ids) or any(each not in by_id for each in encoded.ids):
        raise MalformedAnswer("gave answers that do not belong to the calls")
    return [by_id[each] for each in encoded.ids]


def response_of(answer: Mapping[str, Any]) -> RpcResponse:
    """A node's answer as result or problem, whatever it says."""
    error = answer.get("error")
    return (
        RpcResponse(answer["result"], None) if error is None else RpcResponse(None, _problem(error))
    )


def _problem(error: Any) -> Problem:
    if not isinstance(error, dict):
        return Problem(0, str(error)[:_SHOWN_CHARACTERS], None)
    code = error.get("code")
    words = str(error.get("message", error))[:_SHOWN_CHARACTERS]
    return Problem(code if isinstance(code, int) else 0, words, error.get("data"))


def quantity(value: object, *, bits: int = 63) -> int:
    """A number as nodes write it.

    Args:
        value: What the node gave.
        bits: How many it may have; what the store keeps has 63.

    Raises:
        NodeUnavailableError: It is no number, or one that nothing has.

    Source: Ethereum JSON-RPC specification, "Quantity".
    """
    if isinstance(value, str) and _QUANTITY.fullmatch(value):
        number = int(value, 16)
        if not number >> bits:
            return number
    raise NodeUnavailableError(
        f"the node gives {value!r:.40}, which is not a valid number of {bits} bits; try again later"
    )


def data_bytes(value: object) -> bytes:
    """Bytes as nodes write them.

    Raises:
        NodeUnavailableError: They are not hexadecimal.

    Source: Ethereum JSON-RPC specification, "Unformatted data".
    """
    if isinstance(value, str) and _DATA.fullmatch(value):
        return bytes.fromhex(value[2:])
    raise NodeUnavailableError(
        f"the node gives {value!r:.40}, which is not valid hexadecimal data; try again later"
    )


def hash_text(value: object) -> str:
    """A hash as nodes write it, in lower case.

    Raises:
        NodeUnavailableError: It is not one of 32 bytes.
    """
    if isinstance(value, str) and _HASH.fullmatch(value):
        return value.lower()
    raise NodeUnavailableError(
        f"the node gives {value!r:.40}, which is not a valid hash; try again later"
    )


def is_too_much(problem: Problem) -> bool:
    """Whether an error means that a narrower question would be answered."""
    lower = problem.message.lower().replace("too many requests", "")
    return any(each in lower for each in _TOO_MUCH_WORDS)


def is_busy(problem: Problem) -> bool:
    """Whether an error means that the node has no time now, not that the question is wrong."""
    words = problem.message.lower()
    if problem.code not in _BUSY_CODES and not any(each in words for each in _BUSY_WORDS):
        return False
    return not is_too_much(problem)


def _is_answer(value: object) -> bool:
    return isinstance(value, dict) and ("result" in value or value.get("error") is not None)


def _dumps(value: object) -> bytes:
    return orjson.dumps(value, default=_plain, option=orjson.OPT_NON_STR_KEYS)


def _plain(value: object) -> object:
    """What `Chain.w3` puts into parameters, as JSON has it."""
    if isinstance(value, bytes | bytearray):
        return "0x" + bytes(value).hex()
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Sequence | set | frozenset):
        return list(value)
    raise TypeError(f"{type(value).__name__} is nothing JSON-RPC can carry")


def _length(value: object) -> int:
    if isinstance(value, str | bytes):
        return len(value) + 3
    if isinstance(value, Mapping):
        return sum(_length(key) + _length(each) for key, each in value.items())
    if isinstance(value, Sequence):
        return sum(_length(each) for each in value)
    return 20
