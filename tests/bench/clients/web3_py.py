"""web3.py as its documentation shows it, and AsyncWeb3 with many transactions under way.

In a process of its own: AsyncWeb3's threads keep a process from ending when a call failed.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from eth_account import Account
from web3 import AsyncHTTPProvider, AsyncWeb3, HTTPProvider, Web3

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from tests.bench.clients.apart import Order, run_apart, serve
from tests.bench.clients.stage import WAIT_SECONDS, Client, Stage

UNDER_WAY = 64


def run(stage: Stage, count: int, *, mode: str) -> tuple[float, float]:
    return run_apart([sys.executable, __file__], stage, count, mode=mode)


def prepare(order: Order) -> Callable[[], None]:
    if order["mode"] == "one_by_one":
        return partial(one_by_one, order)
    return lambda: asyncio.run(pipelined(order))


def one_by_one(order: Order) -> None:
    """Build, sign, send and wait, for each transfer anew."""
    w3 = Web3(HTTPProvider(order["url"]))
    token = w3.eth.contract(address=order["token"], abi=order["abi"])
    account = Account.from_key(order["key"])
    for _ in range(order["count"]):
        transaction = token.functions.transfer(order["recipient"], 1).build_transaction(
            {"from": account.address, "nonce": w3.eth.get_transaction_count(account.address)}
        )
        signed = account.sign_transaction(transaction)
        sent = w3.eth.send_raw_transaction(signed.raw_transaction)
        receipt = w3.eth.wait_for_transaction_receipt(sent, WAIT_SECONDS, poll_latency=0.005)
        assert receipt["status"] == 1


async def pipelined(order: Order) -> None:
    """Own nonces, a known gas limit, many sends at once, and one wait at the end."""
    # Left to itself it would send again what took longer than ten seconds.
    options: Any = {"request_kwargs": {"timeout": WAIT_SECONDS}}
    w3 = AsyncWeb3(AsyncHTTPProvider(order["url"], **options))
    token = w3.eth.contract(address=order["token"], abi=order["abi"])
    account = Account.from_key(order["key"])
    first = await w3.eth.get_transaction_count(account.address)
    last = first + order["count"]
    slots = asyncio.Semaphore(UNDER_WAY)

    async def send(nonce: int) -> None:
        async with slots:
            transaction = await token.functions.transfer(order["recipient"], 1).build_transaction(
                {
                    "from": account.address,
                    "nonce": nonce,
                    "chainId": order["chainId"],
                    "gas": order["gas"],
                    "maxFeePerGas": order["maxFeeWei"],
                    "maxPriorityFeePerGas": order["tipWei"],
                }
            )
            signed = account.sign_transaction(transaction)
            await w3.eth.send_raw_transaction(signed.raw_transaction)

    await asyncio.gather(*(send(nonce) for nonce in range(first, last)))
    while await w3.eth.get_transaction_count(account.address) < last:
        await asyncio.sleep(0.01)
    await w3.provider.disconnect()


CLIENTS = (
    Client(
        "web3.py, one by one",
        partial(run, mode="one_by_one"),
        "at_once",
        {"anvil": 300, "ganache": 100},
    ),
    Client(
        "AsyncWeb3, pipelined",
        partial(run, mode="pipelined"),
        "by_interval",
        {"anvil": 2_000, "ganache": 400},
    ),
)

if __name__ == "__main__":
    serve(prepare)
