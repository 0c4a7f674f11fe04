"""The two ends of the scale: the node alone, and our signing and transport with nothing around it.

The first signs beforehand and pours bytes in: more than that no client can do. The second signs as
it goes; what a client of ours costs beyond it is the price of its journal and its care.
"""

from __future__ import annotations

import time

from tael.rpc import exchange
from tael.signers import PrivateKeySigner
from tests.bench.clients.stage import (
    MAX_FEE_WEI,
    TIP_WEI,
    TRANSFER_GAS,
    Client,
    ClientFailed,
    Stage,
    cpu_seconds,
    in_threads,
)

BATCH = 100
POURERS = 2


def flooded(stage: Stage, count: int) -> tuple[float, float]:
    """Bytes signed beforehand, in batches, until the node has taken them all."""
    return pour(stage, _signed(stage, stage.next_nonce(), count))


def pour(stage: Stage, raws: list[str]) -> tuple[float, float]:
    """Hand signed bytes over and wait until all of them are in blocks.

    Returns:
        Seconds and processor seconds.
    """
    first = stage.next_nonce()
    batches = [raws[start : start + BATCH] for start in range(0, len(raws), BATCH)]
    started, cpu_started = time.perf_counter(), cpu_seconds()

    def work(index: int) -> None:
        for batch in batches[index::POURERS]:
            _hand_over(stage, batch)

    in_threads(POURERS, work)
    stage.wait_for_nonce(first + len(raws))
    return time.perf_counter() - started, cpu_seconds() - cpu_started


def signed_as_it_goes(stage: Stage, count: int) -> None:
    """Sign a batch, hand it over, sign the next one."""
    first = stage.next_nonce()
    for start in range(0, count, BATCH):
        _hand_over(stage, _signed(stage, first + start, min(BATCH, count - start)))
    stage.wait_for_nonce(first + count)


def _signed(stage: Stage, first: int, count: int) -> list[str]:
    signer = PrivateKeySigner.from_key(stage.key)
    common = {
        "chainId": stage.node.chain_id,
        "to": stage.token,
        "data": stage.call_data,
        "gas": TRANSFER_GAS,
        "maxFeePerGas": MAX_FEE_WEI,
        "maxPriorityFeePerGas": TIP_WEI,
    }
    return [
        "0x" + signer.sign_transaction({**common, "nonce": nonce}).hex()
        for nonce in range(first, first + count)
    ]


def _hand_over(stage: Stage, raws: list[str]) -> None:
    for answer in exchange(stage.chain, [("eth_sendRawTransaction", [raw]) for raw in raws]):
        if answer.error is not None:
            raise ClientFailed(f"the node refused: {answer.error.message}")


CLIENTS = (
    Client("tael, bare", signed_as_it_goes, "by_interval", {"anvil": 5_000, "ganache": 600}),
    Client("node, flooded", flooded, "by_interval", {"anvil": 10_000, "ganache": 800}),
)
