"""What is asked of the node before a group is signed: one question for all of it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tael.chain.connection import pauses
from tael.chain.jsonrpc import split
from tael.errors import NetworkMismatchError, NodeUnavailableError, TaelError
from tael.outbox.answers import estimate_of, is_momentary, result_of, words_of
from tael.rpc import exchange

if TYPE_CHECKING:
    from tael.chain import Chain
    from tael.journal import Order
    from tael.outbox.fees import FeePolicy
    from tael.rpc import Answer


@dataclass
class View:
    """What the node says before a group is signed.

    Args:
        nonce: The key's next one.
        fees: What a transaction offers.
        gas_limit: Of a block.
        estimates: By order: the gas it takes, or why it is refused.
    """

    nonce: int
    fees: dict[str, int]
    gas_limit: int
    estimates: dict[tuple[str, str, int], int | TaelError] = field(default_factory=dict)


def look(chain: Chain, fees: FeePolicy, address: str, orders: Sequence[Order]) -> View:
    """Ask what a group of orders of one key needs.

    Raises:
        NetworkMismatchError: The node serves another chain by now.
        NodeUnavailableError: It did not answer properly.
        TransactionRefusedError: Gas is dearer than the policy allows.
    """
    estimated = [order for order in orders if order.gas is None]
    calls: list[tuple[str, list[Any]]] = [
        ("eth_chainId", []),
        ("eth_getBlockByNumber", ["0x0", False]),
        ("eth_getBlockByNumber", ["latest", False]),
        ("eth_getTransactionCount", [address, "latest"]),
        ("eth_getTransactionCount", [address, "pending"]),
        ("eth_gasPrice", []),
        ("eth_maxPriorityFeePerGas", []),
        *(("eth_estimateGas", [_call(address, order)]) for order in estimated),
    ]
    answers = _ask(chain, calls)
    chain_id, genesis, latest, mined, pending, price = (result_of(each) for each in answers[:6])
    if int(chain_id, 16) != chain.chain_id or genesis["hash"] != chain.genesis_hash:
        raise NetworkMismatchError(
            f"the node now serves chain {int(chain_id, 16)} ({genesis['hash']}), no longer "
            f"chain {chain.chain_id} ({chain.genesis_hash}); nothing was signed"
        )
    base, tip = latest.get("baseFeePerGas"), answers[6].result
    limit = int(latest["gasLimit"], 16)
    view = View(
        max(int(mined, 16), int(pending, 16)),
        fees.offer(
            None if base is None else int(base, 16),
            None if tip is None else int(tip, 16),
            int(price, 16),
        ),
        limit,
    )
    for order, answer in zip(estimated, answers[7:], strict=True):
        view.estimates[order.name] = estimate_of(answer, limit)
    return view


def _ask(chain: Chain, calls: Sequence[tuple[str, list[Any]]]) -> list[Answer]:
    """Ask until every answer is one; a node's momentary failures are no answers."""
    for pause in pauses(chain.retry_seconds):
        try:
            answers: list[Answer] = []
            for run in split(calls):
                answers += exchange(chain, run)
            stumbled = next((each for each in answers if is_momentary(each)), None)
            if stumbled is None:
                return answers
            error = NodeUnavailableError(f"the node answered: {words_of(stumbled)}; try again")
        except NodeUnavailableError as failure:
            error = failure
        if pause is None:
            raise error
        time.sleep(pause)
    raise AssertionError("the last pause is None")


def _call(address: str, order: Order) -> dict[str, str]:
    return {
        "from": address,
        "to": order.to,
        "data": "0x" + order.data.hex(),
        "value": hex(order.value),
    }
