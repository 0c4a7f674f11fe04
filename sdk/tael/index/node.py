"""What the index asks of the nodes: headers, and logs by range or by block.

Where several nodes must agree, they must agree on each of these: what the index calls final rests
on no fewer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tael.chain.jsonrpc import quantity
from tael.errors import NodeUnavailableError
from tael.index.rows import Header
from tael.rpc import request, request_many

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tael.chain import Chain
    from tael.chain.jsonrpc import Call

__all__ = ["Node"]

_HEADERS_PER_REQUEST = 250


class Node:
    """Reads one deployment's logs.

    Args:
        chain: Whom to ask.
        addresses: The contracts whose logs are wanted.
    """

    def __init__(self, chain: Chain, addresses: Iterable[str]) -> None:
        self.chain = chain
        self._addresses = list(addresses)

    def head(self) -> Header:
        """The latest block."""
        if self.chain.agreement > 1:
            found = self.header(self.chain.height())
        else:
            found = _header(request(self.chain, "eth_getBlockByNumber", "latest", False))
        if found is None:
            raise NodeUnavailableError("the node gives no valid latest block; try again later")
        return found

    def header(self, number: int) -> Header | None:
        """One block; None if there is none yet."""
        return self.headers([number]).get(number)

    def headers(self, numbers: Sequence[int]) -> dict[int, Header]:
        """Blocks by their numbers; those that are not there are left out."""
        found: dict[int, Header] = {}
        for start in range(0, len(numbers), _HEADERS_PER_REQUEST):
            part = numbers[start : start + _HEADERS_PER_REQUEST]
            answers = self._ask([("eth_getBlockByNumber", [hex(number), False]) for number in part])
            for number, answer in zip(part, answers, strict=True):
                header = _header(answer)
                if header is None:
                    continue
                if header.number != number:
                    raise NodeUnavailableError(
                        f"the node gives block {header.number} where {number} was asked for"
                    )
                found[number] = header
        return found

    def logs(self, first: int, last: int) -> list[dict[str, Any]]:
        """The logs of a range of blocks.

        Raises:
            TooMuchError: The node does not answer so much at once.
        """
        query = {"fromBlock": hex(first), "toBlock": hex(last), "address": self._addresses}
        return self._logs(self._ask([("eth_getLogs", [query])])[0])

    def logs_of(self, headers: Iterable[Header]) -> list[dict[str, Any]]:
        """The logs of these very blocks, whatever other blocks have the same numbers.

        A node that has not heard of one of them refuses, where a range would leave it out.
        """
        answers = self._ask(
            [
                (
                    "eth_getLogs",
                    [{"blockHash": "0x" + each.hash.hex(), "address": self._addresses}],
                )
                for each in headers
            ]
        )
        return [log for answer in answers for log in self._logs(answer)]

    def _ask(self, calls: Sequence[Call]) -> list[Any]:
        if self.chain.agreement > 1:
            return self.chain.agree_many(calls)
        if len(calls) == 1:
            method, params = calls[0]
            return [request(self.chain, method, *params)]
        return request_many(self.chain, calls)

    def _logs(self, answer: Any) -> list[dict[str, Any]]:
        if not isinstance(answer, list):
            raise NodeUnavailableError("the node gives what is not a list of logs; try again later")
        if self.chain.agreement > 1:
            # No part of what nodes agree on: the time is the header's.
            for log in answer:
                log.pop("blockTimestamp", None)
        return answer


def _header(block: Mapping[str, Any] | None) -> Header | None:
    if block is None:
        return None
    try:
        return Header(
            quantity(block["number"]),
            bytes.fromhex(block["hash"][2:]),
            bytes.fromhex(block["parentHash"][2:]),
            quantity(block["timestamp"], bits=48),
        )
    except (KeyError, TypeError, ValueError, NodeUnavailableError) as error:
        raise NodeUnavailableError(
            "the node gives what is not a valid block; try again later"
        ) from error
