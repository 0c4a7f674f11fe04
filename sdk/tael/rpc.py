"""Requests to a node, one at a time or many at once.

What comes back is the node's JSON as it is, and its errors are typed once, by
`tael.chain.node_errors`. `request` and `request_many` are for reads and repeat them;
`exchange` repeats nothing and takes whatever it is given.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tael.chain.jsonrpc import MAX_BATCH_CALLS, Problem, RpcResponse, response_of
from tael.chain.node_errors import result_of, unavailable
from tael.chain.transport import NodeFailure

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tael.chain import Chain
    from tael.chain.batching import Answers
    from tael.chain.jsonrpc import Call

__all__ = ["request", "request_many", "exchange", "RpcResponse", "Problem", "MAX_BATCH_CALLS"]

# What may take a node long, so that others should not wait for it in the same request.
_SLOW_PREFIXES = ("eth_getLogs", "eth_getBlockReceipts", "debug_", "trace_")


def request(chain: Chain, method: str, *params: object) -> Any:
    """One read, as the node answers it.

    Args:
        chain: Whom to ask; it repeats the read while its nodes stumble.
        method: JSON-RPC method.
        params: Its parameters.

    Raises:
        ContractRevertedError: A contract refused.
        TooMuchError: The answer would be larger than the node gives.
        NodeUnavailableError: No node answered properly.
    """
    if not method.startswith(_SLOW_PREFIXES):
        return request_many(chain, [(method, params)])[0]
    return chain.read(lambda: result_of(chain.nodes.ask(method, params), (method, params)))


def request_many(chain: Chain, calls: Sequence[Call]) -> list[Any]:
    """Many reads in as few requests as their size allows, in the order they were asked.

    What several threads ask at one moment goes out together; each gets its own answers.

    Args:
        chain: Whom to ask; it repeats all of them while its nodes stumble.
        calls: Method and parameters of each.

    Raises:
        ContractRevertedError: A contract refused one of them.
        TooMuchError: An answer would be larger than the node gives.
        NodeUnavailableError: No node answered all of them properly.
    """
    if not calls:
        return []
    send = _way_of(chain, calls)

    def ask() -> list[Any]:
        nonlocal send
        try:
            answers = send(calls)
        except NodeFailure:
            # Somebody else's calls may have been too much for the node: the repeat goes alone.
            send = chain.nodes.ask_many
            raise
        return [result_of(answer, call) for answer, call in zip(answers, calls, strict=True)]

    return chain.read(ask)


def exchange(chain: Chain, calls: Sequence[Call]) -> list[RpcResponse]:
    """Hand calls to one node in one request, once: what transactions are broadcast with.

    Args:
        chain: Whose node to hand them to; one that fails is not the next one's.
        calls: Method and parameters of each, `MAX_BATCH_CALLS` at most.

    Returns:
        What became of each, in the order they were given.

    Raises:
        NodeUnavailableError: There is no proper answer to all of them; some of them may have taken
            effect all the same.
        TooMuchError: They do not fit one request; nothing was sent.
        NetworkMismatchError: What answers serves another chain; nothing was sent.
    """
    if not calls:
        return []
    try:
        answers = chain.nodes.exchange(calls)
    except NodeFailure as failure:
        raise unavailable(failure) from failure
    return [response_of(answer) for answer in answers]


def _way_of(chain: Chain, calls: Sequence[Call]) -> Callable[[Sequence[Call]], Answers]:
    if any(method.startswith(_SLOW_PREFIXES) for method, _ in calls):
        return chain.nodes.ask_many
    return chain.nodes.gather
