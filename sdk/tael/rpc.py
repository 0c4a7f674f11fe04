"""Requests to a node, one at a time or many at once.

What comes back is the node's JSON as it is, and its errors are typed once, by
`tael.chain.node_errors`. `request` and `request_many` are for reads and repeat them;
`exchange` repeats nothing and takes whatever it is given.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tael.chain.jsonrpc import MAX_BATCH_CALLS, Problem, RpcResponse, data_bytes, response_of
from tael.chain.node_errors import result_of, unavailable
from tael.chain.transport import NodeFailure
from tael.errors import NodeUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tael.chain import Chain
    from tael.chain.batching import Answers
    from tael.chain.jsonrpc import Call
    from tael.contracts.calls import Contract, Function

__all__ = [
    "request",
    "request_many",
    "call",
    "call_many",
    "exchange",
    "RpcResponse",
    "Problem",
    "MAX_BATCH_CALLS",
]

MAX_CALLS_PER_REQUEST = 200

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


def call(
    chain: Chain,
    contract: Contract,
    name: str,
    *arguments: object,
    sender: str | None = None,
    block: str = "latest",
) -> Any:
    """Call a contract's function without sending anything.

    Args:
        chain: Whom to ask.
        contract: Which contract.
        name: The function's name.
        arguments: Its arguments.
        sender: Who the call is from; None is nobody.
        block: The block whose state is asked, as `eth_call` takes it.

    Returns:
        The result: the value itself if there is one, else a tuple; addresses in lower case.

    Raises:
        ContractRevertedError: The contract refused.
        InvalidInputError: An argument does not fit its type.
        NodeUnavailableError: No node answered properly.
    """
    return call_many(chain, [(contract, name, arguments)], sender=sender, block=block)[0]


def call_many(
    chain: Chain,
    calls: Sequence[tuple[Contract, str, Sequence[object]]],
    *,
    sender: str | None = None,
    block: str = "latest",
) -> list[Any]:
    """Call many functions in few requests; see `call`."""
    found: list[Any] = []
    origin = {} if sender is None else {"from": sender}
    for start in range(0, len(calls), MAX_CALLS_PER_REQUEST):
        chunk = calls[start : start + MAX_CALLS_PER_REQUEST]
        functions = [contract.function(name, len(given)) for contract, name, given in chunk]
        questions = [
            {**origin, "to": contract.address, "data": "0x" + function.encode(*given).hex()}
            for function, (contract, _, given) in zip(functions, chunk, strict=True)
        ]
        answers = request_many(chain, [("eth_call", [each, block]) for each in questions])
        found += [
            _result(function, answer) for function, answer in zip(functions, answers, strict=True)
        ]
    return found


def _result(function: Function, answer: object) -> Any:
    try:
        return function.decode(data_bytes(answer))
    except (ValueError, NodeUnavailableError) as error:
        raise NodeUnavailableError(
            f"the node gives what is not a valid result of {function.name}; try again later"
        ) from error


def _way_of(chain: Chain, calls: Sequence[Call]) -> Callable[[Sequence[Call]], Answers]:
    if any(method.startswith(_SLOW_PREFIXES) for method, _ in calls):
        return chain.nodes.ask_many
    return chain.nodes.gather
