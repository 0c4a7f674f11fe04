"""What a node's answers mean for what is being sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tael.chain.jsonrpc import is_busy, quantity
from tael.chain.node_errors import refusal_in
from tael.errors import NodeUnavailableError, TaelError, TransactionRefusedError

if TYPE_CHECKING:
    from tael.rpc import RpcResponse

GAS_MARGIN_PERCENT = 15
"""Added to a gas estimate: state may change a little between estimate and inclusion."""
GAS_MARGIN = 5_000

MAX_ESTIMATE = 30_000_000
"""The dearest write takes half of it. A transaction with more gas than a block has is never
included, and holds up all that come after it."""

_KNOWN_WORDS = ("already known", "known transaction", "already imported", "alreadyknown")
_NONCE_WORDS = ("nonce too low", "nonce is too low", "correct nonce", "nonce has already been used")


def is_taken(words: str) -> bool:
    """Whether an answer to a broadcast means that the node has these bytes, or their nonce."""
    lower = words.lower()
    return any(each in lower for each in (*_KNOWN_WORDS, *_NONCE_WORDS))


def least_gas(data: bytes) -> int:
    """What a transaction takes before any contract runs: with less it is never included.

    Source: EIP-2028.
    """
    return 21_000 + 16 * len(data) - 12 * data.count(0)


def estimate_of(answer: RpcResponse, limit: int) -> int | TaelError:
    """The gas limit an estimate comes to, or why there is none."""
    limit = min(limit, MAX_ESTIMATE)
    if answer.error is not None:
        return refusal_in(answer.error) or TransactionRefusedError(
            f"the node refused to estimate it: {words_of(answer)}"
        )
    gas = quantity(answer.result)
    if gas > limit:
        return TransactionRefusedError(
            f"it would take {gas} gas, and a block has {limit}: split it"
        )
    return min(limit, gas + gas * GAS_MARGIN_PERCENT // 100 + GAS_MARGIN)


def result_of(answer: RpcResponse) -> Any:
    """The result of a question that must have one."""
    if answer.error is not None or answer.result is None:
        raise NodeUnavailableError(f"the node answered: {words_of(answer)}; try again later")
    return answer.result


def is_momentary(answer: RpcResponse) -> bool:
    """Whether the node only stumbled: the same question later may be answered."""
    return answer.error is not None and not is_revert(answer) and is_busy(answer.error)


def is_revert(answer: RpcResponse) -> bool:
    """Whether a contract refused."""
    return answer.error is not None and refusal_in(answer.error) is not None


def words_of(answer: RpcResponse) -> str:
    """What the node says is wrong."""
    return "nothing" if answer.error is None else answer.error.message[:300]
