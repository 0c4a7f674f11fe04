"""Reads through web3 for what still asks that way: the sender of deployments, and verification."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from web3.exceptions import (
    BadFunctionCallOutput,
    BadResponseFormat,
    Web3Exception,
    Web3RPCError,
)

from tael.addresses import checksummed
from tael.chain.connection import Chain, pauses
from tael.chain.jsonrpc import is_busy, response_of
from tael.chain.node_errors import unavailable as _unavailable
from tael.chain.reverts import revert_from
from tael.chain.transport import NodeFailure
from tael.contracts.artifacts import load
from tael.errors import CodeMismatchError, NodeUnavailableError

if TYPE_CHECKING:
    from web3.contract.contract import ContractFunction
    from web3.types import BlockIdentifier, LogReceipt, TxParams

Result = TypeVar("Result")

MAX_LOG_BLOCKS = 10_000


def read(chain: Chain, request: Callable[[], Result]) -> Result:
    """Run something that only reads through web3, and run it again while the node stumbles."""
    for pause in pauses(chain.retry_seconds):
        try:
            return request()
        except Exception as error:
            refusal = revert_from(error)
            if refusal is not None:
                raise refusal from error
            if isinstance(error, BadFunctionCallOutput):
                raise CodeMismatchError(
                    "the address answers like no contract of ours: check the manifest"
                ) from error
            if not is_node_failure(error):
                raise
            if pause is None:
                raise unavailable(error) from error
            time.sleep(pause)
    raise AssertionError("the last pause is None")


def is_node_failure(error: BaseException) -> bool:
    """Whether the way to the node, or the node itself, failed for the moment."""
    if isinstance(error, Web3RPCError):
        problem = response_of({"error": "", **(error.rpc_response or {})}).error
        return problem is not None and is_busy(problem)
    return isinstance(error, (BadResponseFormat, OSError)) or (
        isinstance(error, ValueError) and not isinstance(error, Web3Exception)
    )


def unavailable(error: BaseException) -> NodeUnavailableError:
    """The error to raise when a node failed for too long."""
    if isinstance(error, NodeFailure):
        return _unavailable(error)
    return NodeUnavailableError(f"the node answered: {error}; try again later")


def contract_at(chain: Chain, name: str, address: str) -> Any:
    """A web3 contract with the ABI that ships with the package."""
    abi: Any = load(name).abi
    where: Any = checksummed(address)
    return chain.w3.eth.contract(address=where, abi=abi)


def call(
    chain: Chain,
    function: ContractFunction,
    *,
    sender: str | None = None,
    block: BlockIdentifier = "latest",
) -> Any:
    """Call a contract function without sending anything."""
    transaction: TxParams = {} if sender is None else {"from": checksummed(sender)}
    return read(chain, lambda: function.call(transaction, block_identifier=block))


def logs(
    chain: Chain,
    addresses: Sequence[str],
    *,
    topics: Sequence[Any] | None = None,
    from_block: int = 0,
    to_block: int | None = None,
) -> Iterator[LogReceipt]:
    """Read logs in bounded ranges, in order."""
    last = chain.block_number() if to_block is None else to_block
    size = MAX_LOG_BLOCKS
    start = from_block
    checked = [checksummed(each) for each in addresses]
    while start <= last:
        end = min(start + size - 1, last)
        wanted: Any = {"address": checked, "fromBlock": start, "toBlock": end}
        if topics is not None:
            wanted["topics"] = list(topics)
        try:
            found = read(chain, partial(chain.w3.eth.get_logs, wanted))
        except Web3RPCError as error:
            if size == 1:
                raise NodeUnavailableError(f"the node gives no logs: {error}") from error
            size = max(1, size // 4)
            continue
        yield from found
        start = end + 1


def ordered(found: Iterable[LogReceipt]) -> list[LogReceipt]:
    """Sort logs as the chain ordered them."""
    return sorted(found, key=lambda log: (log["blockNumber"], log["logIndex"]))
