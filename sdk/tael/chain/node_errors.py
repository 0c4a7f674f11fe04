"""A node's error, typed once: what every JSON-RPC error object becomes to whoever asked.

By method and content: only where a contract is run can one refuse, a range of logs can be asked
for in smaller pieces, a node without time is asked again, and the rest is the node's own trouble.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tael.chain.jsonrpc import Call, Problem, is_busy, is_too_much, response_of
from tael.chain.reverts import decode_revert, revert_data
from tael.chain.transport import NodeFailure
from tael.errors import ContractRevertedError, NodeUnavailableError, TooMuchError

# Whatever else they are asked, no contract is run, so that none can refuse.
_RUNNING_PREFIXES = ("eth_call", "eth_estimateGas", "eth_createAccessList", "debug_", "trace_")


def error_of(
    problem: Problem, call: Call
) -> NodeFailure | NodeUnavailableError | ContractRevertedError:
    """The error to raise for what a node answered.

    Args:
        problem: The node's error.
        call: What it was asked.

    Returns:
        A `ContractRevertedError` if a contract was run and refused; a `NodeFailure` if the node has
        no time now; a `TooMuchError` if it would answer less; else a `NodeUnavailableError`.
    """
    method, params = call
    refusal = refusal_in(problem) if method.startswith(_RUNNING_PREFIXES) else None
    if refusal is not None:
        return refusal
    if is_busy(problem):
        return NodeFailure(f"a node answered {method}: {problem.message}", is_busy=True)
    if is_too_much(problem) or _is_range(method, params):
        return TooMuchError(f"the node will not answer so much at once: {problem.message:.200}")
    return NodeUnavailableError(
        f"the node refuses to answer {method}: {problem.message}; try again later"
    )


def refusal_in(problem: Problem) -> ContractRevertedError | None:
    """A contract's refusal, if that is what a node's error tells; ask only where one was run."""
    data = revert_data(*problem)
    return None if data is None else decode_revert(data)


def result_of(answer: Mapping[str, Any], call: Call) -> Any:
    """A node's answer as a result.

    Raises:
        ContractRevertedError: A contract refused.
        TooMuchError: The answer would be larger than the node gives.
        NodeUnavailableError: The node refuses.
        NodeFailure: The node has no time now.
    """
    response = response_of(answer)
    if response.error is not None:
        raise error_of(response.error, call)
    return response.result


def unavailable(failure: NodeFailure) -> NodeUnavailableError:
    """The error to raise when the nodes failed for too long."""
    return NodeUnavailableError(f"{failure.message}; try again later")


def _is_range(method: str, params: Any) -> bool:
    # Every node words its limits differently; that a range has smaller ones does not depend on it.
    if method != "eth_getLogs" or not isinstance(params[0], Mapping):
        return False
    return bool(params[0].get("fromBlock") != params[0].get("toBlock"))
