"""Brownie, in a process of its own."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from tests.bench.clients.apart import Order, run_apart, serve
from tests.bench.clients.stage import WAIT_SECONDS, Client, Stage


def one_by_one(stage: Stage, count: int) -> tuple[float, float]:
    """`token.transfer(recipient, 1, {"from": account})`, which waits for the block."""
    return run_apart([sys.executable, __file__], stage, count)


def prepare(order: Order) -> Callable[[], None]:
    from scripts.brownie_session import import_brownie

    brownie = import_brownie()
    host, _, port = order["url"].rpartition(":")
    name = "tael-bench"
    brownie._config.CONFIG.networks[name] = {
        "id": name,
        "name": name,
        "cmd": order["kind"],
        "cmd_settings": {"port": int(port)},
        "host": host,
        "timeout": WAIT_SECONDS,
    }
    # With its default of 0 a transaction waits for ever.
    brownie._config.CONFIG.settings["networks"]["development"]["gas_price"] = "10 gwei"
    brownie.network.connect(name)
    account = brownie.accounts.add(order["key"])
    token = brownie.Contract.from_abi("SettlementToken", order["token"], order["abi"])

    def run() -> None:
        for _ in range(order["count"]):
            receipt = token.transfer(order["recipient"], 1, {"from": account, "silent": True})
            assert receipt.status == 1

    return run


CLIENTS = (Client("brownie, one by one", one_by_one, "at_once", {"anvil": 200, "ganache": 80}),)

if __name__ == "__main__":
    serve(prepare)
