"""Requests to a node without web3's formatting of answers, one at a time or many at once.

Formatting costs more than everything else when thousands of logs or calls are read; what comes back
here is the node's JSON as it is. Only reads go through here.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, cast

from web3.exceptions import BadResponseFormat, Web3RPCError
from web3.types import RPCEndpoint

from tael.errors import NodeUnavailableError, TooMuchError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from web3.types import RPCResponse

    from tael.chain import Chain

__all__ = ["request", "request_many"]

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


def request(chain: Chain, method: str, *params: object) -> Any:
    """One read, as the node answers it.

    Args:
        chain: Whom to ask; it repeats the read while the node stumbles.
        method: JSON-RPC method.
        params: Its parameters.

    Raises:
        ContractRevertedError: A contract refused.
        TooMuchError: The answer would be larger than the node gives.
        NodeUnavailableError: The node did not answer properly.
    """

    def ask() -> Any:
        return _result(chain.w3.provider.make_request(RPCEndpoint(method), list(params)))

    return _read(chain, ask)


def request_many(chain: Chain, calls: Sequence[tuple[str, Sequence[object]]]) -> list[Any]:
    """Many reads in one request, in the order they were asked.

    Args:
        chain: Whom to ask; it repeats the whole request while the node stumbles.
        calls: Method and parameters of each.

    Raises:
        ContractRevertedError: A contract refused one of them.
        NodeUnavailableError: The node did not answer all of them properly.
    """
    if not calls:
        return []
    # web3 declares batches on its JSON-RPC providers only, and every provider here is one.
    provider: Any = chain.w3.provider
    requests = [(RPCEndpoint(method), list(params)) for method, params in calls]

    def ask() -> list[Any]:
        answers = provider.make_batch_request(requests)
        if not isinstance(answers, list):
            _result(answers)
            raise BadResponseFormat("one answer to many requests")
        if len(answers) != len(requests):
            raise BadResponseFormat(f"{len(answers)} answers to {len(requests)} requests")
        # web3 numbers requests one after the other and sorts the answers: a gap is a wrong answer.
        ids = [answer.get("id") for answer in answers]
        if any(not isinstance(each, int) for each in ids) or any(
            int(later or 0) - int(earlier or 0) != 1 for earlier, later in itertools.pairwise(ids)
        ):
            raise BadResponseFormat("answers that do not belong to the requests")
        return [_result(answer) for answer in answers]

    result: list[Any] = _read(chain, ask)
    return result


def _read(chain: Chain, ask: Any) -> Any:
    try:
        return chain.read(ask)
    except Web3RPCError as error:
        raise NodeUnavailableError(f"the node refuses to answer: {error}") from error


def _result(answer: Any) -> Any:
    if not isinstance(answer, dict) or ("result" not in answer and "error" not in answer):
        raise BadResponseFormat("neither a result nor an error")
    problem = answer.get("error")
    if problem is None:
        return answer["result"]
    words = str(problem.get("message", problem) if isinstance(problem, dict) else problem)
    if any(each in words.lower() for each in _TOO_MUCH_WORDS):
        raise TooMuchError(f"the node will not answer so much at once: {words[:200]}")
    raise Web3RPCError(words, rpc_response=cast("RPCResponse", answer))
