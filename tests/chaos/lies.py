"""What a lying node says, and what one says that stayed behind."""

from __future__ import annotations

import random
from typing import Any

Call = dict[str, Any]
Answer = dict[str, Any]

NEWEST = ("latest", "pending", "safe", "finalized")

_BLOCK_AT = {
    "eth_call": 1,
    "eth_estimateGas": 1,
    "eth_getBalance": 1,
    "eth_getBlockByNumber": 0,
    "eth_getCode": 1,
    "eth_getStorageAt": 2,
    "eth_getTransactionCount": 1,
}
"""Where a method names its block, by the place in its parameters."""

_SUBJECTS = {
    "eth_chainId": ("chain_id",),
    "eth_blockNumber": ("block",),
    "eth_getBlockByNumber": ("block", "genesis"),
    "eth_getTransactionCount": ("nonce_low", "nonce_high"),
    "eth_getTransactionReceipt": ("receipt_fake", "receipt_none"),
}


def lie(choose: random.Random, lies: tuple[str, ...], call: Call, answer: Answer) -> Answer:
    """An answer as a lying node gives it; the truth where it has nothing to lie about."""
    subjects = [each for each in _SUBJECTS.get(call["method"], ()) if each in lies]
    if not subjects or "result" not in answer:
        return answer
    subject = choose.choice(subjects)
    params = call.get("params") or []
    if subject == "genesis" and params[:1] != ["0x0"]:
        return answer
    if subject == "block" and params[:1] == ["0x0"]:
        return answer
    return {**answer, "result": _LIES[subject](choose, params, answer["result"])}


def _other_hash(choose: random.Random) -> str:
    return f"0x{choose.getrandbits(256):064x}"


def _chain_id(choose: random.Random, _params: list[Any], said: Any) -> Any:
    return hex(int(said, 16) + choose.randint(1, 5))


def _genesis(choose: random.Random, _params: list[Any], said: Any) -> Any:
    return {**said, "hash": _other_hash(choose)} if said else said


def _nonce_low(choose: random.Random, _params: list[Any], said: Any) -> Any:
    return hex(max(0, int(said, 16) - choose.randint(1, 3)))


def _nonce_high(choose: random.Random, _params: list[Any], said: Any) -> Any:
    return hex(int(said, 16) + choose.randint(1, 3))


def _block(choose: random.Random, _params: list[Any], said: Any) -> Any:
    if isinstance(said, str):
        return hex(int(said, 16) + choose.choice((1, 5, 50)))
    if not isinstance(said, dict):
        return said
    number = int(said["number"], 16) + choose.choice((0, 1, 50))
    time = int(said["timestamp"], 16) + choose.choice((0, 86_400))
    changed = {"number": hex(number), "timestamp": hex(time), "hash": _other_hash(choose)}
    return {**said, **changed}


def _receipt_fake(choose: random.Random, params: list[Any], said: Any) -> Any:
    if isinstance(said, dict):
        kind = choose.choice(("status", "block", "logs"))
        if kind == "status":
            return {**said, "status": "0x0" if int(said["status"], 16) else "0x1"}
        if kind == "block":
            number = hex(max(1, int(said["blockNumber"], 16) - choose.randint(1, 9)))
            return {**said, "blockHash": _other_hash(choose), "blockNumber": number}
        return {**said, "logs": []}
    return {
        "transactionHash": params[0],
        "blockHash": _other_hash(choose),
        "blockNumber": hex(choose.randint(1, 40)),
        "transactionIndex": "0x0",
        "from": "0x" + "11" * 20,
        "to": "0x" + "22" * 20,
        "cumulativeGasUsed": "0xea60",
        "gasUsed": "0xea60",
        "effectiveGasPrice": "0x3b9aca00",
        "contractAddress": None,
        "logs": [],
        "logsBloom": "0x" + "00" * 256,
        "status": choose.choice(("0x1", "0x1", "0x0")),
        "type": "0x2",
    }


def _receipt_none(_choose: random.Random, _params: list[Any], _said: Any) -> Any:
    return None


_LIES = {
    "chain_id": _chain_id,
    "genesis": _genesis,
    "nonce_low": _nonce_low,
    "nonce_high": _nonce_high,
    "block": _block,
    "receipt_fake": _receipt_fake,
    "receipt_none": _receipt_none,
}


def ask_as_of(block: int, call: Call) -> Call:
    """A call as a node answers it that knows no block after one."""
    place = _BLOCK_AT.get(call["method"])
    if place is None:
        return call
    params = list(call.get("params") or [])
    if len(params) == place:
        params.append(hex(block))
    elif params[place] in NEWEST:
        params[place] = hex(block)
    return {**call, "params": params}


def answer_as_of(block: int, call: Call, answer: Answer) -> Answer:
    """An answer without what came after a block."""
    if "result" not in answer:
        return answer
    result = answer["result"]
    if call["method"] == "eth_blockNumber":
        return {**answer, "result": hex(min(block, int(result, 16)))}
    if call["method"] == "eth_getLogs" and isinstance(result, list):
        known = [log for log in result if int(log["blockNumber"], 16) <= block]
        return {**answer, "result": known}
    if isinstance(result, dict):
        number = result.get("blockNumber") or result.get("number")
        if number is not None and int(number, 16) > block:
            return {**answer, "result": None}
    return answer
