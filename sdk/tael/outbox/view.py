"""What is asked of the node before a group is signed: one question for all of it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tael.chain.connection import pauses
from tael.chain.jsonrpc import quantity, split
from tael.errors import NetworkMismatchError, NodeUnavailableError, TaelError
from tael.outbox.answers import estimate_of, is_momentary, least_gas, result_of, words_of
from tael.rpc import exchange

if TYPE_CHECKING:
    from tael.chain import Chain
    from tael.journal import Name, Order
    from tael.outbox.fees import FeePolicy
    from tael.rpc import RpcResponse


_BITS = 62
"""Of a nonce: half of what the journal can count to. Of a fee: far more than any policy allows."""


@dataclass
class View:
    """What the node says before a group is signed.

    Args:
        nonce: The key's next one.
        mined: How many of the key's transactions are in blocks.
        fees: What a transaction offers.
        gas_limit: Of a block.
        estimates: By order: the gas it takes, or why it is refused.
    """

    nonce: int
    mined: int
    fees: dict[str, int]
    gas_limit: int
    estimates: dict[Name, int | TaelError] = field(default_factory=dict)

    def gas_of(self, order: Order) -> int:
        """The gas limit an order's transaction gets."""
        estimate = self.estimates.get(order.name)
        gas = estimate if isinstance(estimate, int) else order.gas
        return self.gas_limit if gas is None or gas > self.gas_limit else gas


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
    chain_id, genesis, latest = (result_of(each) for each in answers[:3])
    mined, pending, price = (quantity(result_of(each), bits=_BITS) for each in answers[3:6])
    if not (isinstance(genesis, dict) and isinstance(latest, dict)):
        raise NodeUnavailableError("what the node gives is not a valid block; try again later")
    if quantity(chain_id) != chain.chain_id or genesis.get("hash") != chain.genesis_hash:
        raise NetworkMismatchError(
            f"the node now serves chain {quantity(chain_id)} ({genesis.get('hash')}), no longer "
            f"chain {chain.chain_id} ({chain.genesis_hash}); nothing was signed"
        )
    base, tip = latest.get("baseFeePerGas"), answers[6].result
    limit = quantity(latest.get("gasLimit"))
    view = View(
        max(mined, pending),
        mined,
        fees.offer(
            None if base is None else quantity(base, bits=_BITS),
            None if tip is None else quantity(tip, bits=_BITS),
            price,
        ),
        limit,
    )
    for order, answer in zip(estimated, answers[7:], strict=True):
        view.estimates[order.name] = estimate_of(answer, limit)
    for order in orders:
        gas = view.estimates.get(order.name, limit if order.gas is None else order.gas)
        if isinstance(gas, int) and min(gas, limit) < least_gas(order.data):
            view.estimates[order.name] = NodeUnavailableError(
                f"the node says that {min(gas, limit)} gas will do, which no transaction like this "
                "ever takes; nothing was signed, try again later"
            )
    return view


def _ask(chain: Chain, calls: Sequence[tuple[str, list[Any]]]) -> list[RpcResponse]:
    """Ask until every answer is one; a node's momentary failures are no answers."""
    for pause in pauses(chain.retry_seconds):
        try:
            answers: list[RpcResponse] = []
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
    call = {
        "from": address,
        "data": "0x" + order.data.hex(),
        "value": hex(order.value),
    }
    return call if order.to is None else {**call, "to": order.to}
