"""Requests to a node without web3's formatting of answers, one at a time or many at once.

Formatting costs more than everything else when thousands of logs or calls are read; what comes back
here is the node's JSON as it is. `request` and `request_many` are for reads and repeat them;
`exchange` repeats nothing and takes whatever it is given.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from web3.exceptions import Web3RPCError

from tael.chain.connection import unavailable
from tael.chain.jsonrpc import (
    MAX_BATCH_CALLS,
    Answer,
    Problem,
    answer_of,
    result_of,
    runs_contracts,
)
from tael.chain.transport import NodeFailure
from tael.errors import ContractRevertedError, NodeUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tael.chain import Chain
    from tael.chain.gathering import Answers
    from tael.chain.jsonrpc import Call

__all__ = ["request", "request_many", "exchange", "Answer", "Problem", "MAX_BATCH_CALLS"]

Result = TypeVar("Result")

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
    return _read(chain, [(method, params)], lambda: result_of(chain.nodes.ask(method, params)))


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
        return [result_of(answer) for answer in answers]

    return _read(chain, calls, ask)


def exchange(chain: Chain, calls: Sequence[Call]) -> list[Answer]:
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
        raise unavailable(failure, chain.url) from failure
    return [answer_of(answer) for answer in answers]


def _read(chain: Chain, calls: Sequence[Call], ask: Callable[[], Result]) -> Result:
    try:
        return chain.read(ask)
    except Web3RPCError as error:
        raise NodeUnavailableError(f"the node refuses to answer: {error}") from error
    except ContractRevertedError as error:
        # Told as a contract's, a refusal means that nothing was sent: only a contract may say so.
        if any(runs_contracts(method) for method, _ in calls):
            raise
        raise NodeUnavailableError(f"the node refuses to answer: {error.message}") from error


def _way_of(chain: Chain, calls: Sequence[Call]) -> Callable[[Sequence[Call]], Answers]:
    if any(method.startswith(_SLOW_PREFIXES) for method, _ in calls):
        return chain.nodes.ask_many
    return chain.nodes.gather
