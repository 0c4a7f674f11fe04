"""What happened, read from the chain's blocks and logs without any code of the SDK."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from eth_utils.crypto import keccak

_BATCH = 200
_TRIES = 20
_PAUSE_SECONDS = 0.1


def _topic(text: str) -> str:
    return "0x" + keccak(text=text).hex()


_TERMS = "(bytes32,bytes32,bytes32,bytes32)"
TRANSFER = _topic("Transfer(address,address,uint256)")
_EVENTS = {
    _topic("AuthorizationUsed(address,bytes32)"): "transfer",
    _topic("Issued(bytes32,address,uint256)"): "issue",
    _topic("Redeemed(bytes32,address,uint256)"): "redeem",
    _topic(f"PaymentAuthorized(bytes32,address,address,address,{_TERMS})"): "authorize",
    _topic(f"PaymentCharged(bytes32,address,address,address,{_TERMS})"): "charge",
    _topic("PaymentCaptured(bytes32,uint256)"): "capture",
    _topic("PaymentVoided(bytes32,uint256)"): "void",
    _topic("PaymentRefunded(bytes32,uint256)"): "refund",
    _topic("PaymentReclaimed(bytes32,uint256)"): "reclaim",
    _topic("CardSet(address,address,address,uint256,uint256,uint8)"): "set_cards",
}

Key = tuple[str, ...]
"""What an effect is and on what: a kind, then hexadecimal words and numbers as text."""


@dataclass(frozen=True)
class Effect:
    """One thing that happened.

    Args:
        key: What, and on what.
        values: Amounts and parties, for what is found to be compared with what was ordered.
        transaction: The transaction's hash.
        block: Its block.
    """

    key: Key
    values: tuple[str | int, ...]
    transaction: str
    block: int


@dataclass
class Truth:
    """The chain from the ground up to now.

    Args:
        head: The latest block.
        effects: What happened, in order.
        transactions: By hash: the transaction with its receipt under `receipt`.
    """

    head: int
    effects: list[Effect] = field(default_factory=list)
    transactions: dict[str, dict[str, Any]] = field(default_factory=dict)

    def of(self, key: Key) -> list[Effect]:
        """How often something happened."""
        return [each for each in self.effects if each.key == key]


def read_truth(url: str, first: int, addresses: Sequence[str]) -> Truth:
    """Read everything from a block on.

    Args:
        url: The node itself, no proxy.
        first: The first block that counts.
        addresses: The deployment's contracts.
    """
    ask = _Asker(url)
    head = int(ask([("eth_blockNumber", [])])[0], 16)
    truth = Truth(head)
    for start in range(first, head + 1, _BATCH):
        numbers = range(start, min(start + _BATCH, head + 1))
        blocks = _blocks(ask, numbers, head)
        for block in blocks:
            truth.transactions |= {each["hash"]: each for each in block["transactions"]}
    hashes = list(truth.transactions)
    for start in range(0, len(hashes), _BATCH):
        chunk = hashes[start : start + _BATCH]
        receipts = ask([("eth_getTransactionReceipt", [each]) for each in chunk])
        for hash_, receipt in zip(chunk, receipts, strict=True):
            truth.transactions[hash_]["receipt"] = receipt
    query = {"fromBlock": hex(first), "toBlock": hex(head), "address": list(addresses)}
    logs = ask([("eth_getLogs", [query])])[0]
    truth.effects += _effects(logs)
    return truth


def _blocks(ask: _Asker, numbers: Sequence[int], head: int) -> list[dict[str, Any]]:
    for _ in range(_TRIES):
        blocks = ask([("eth_getBlockByNumber", [hex(each), True]) for each in numbers])
        missing = [number for number, block in zip(numbers, blocks, strict=True) if block is None]
        if not missing:
            return blocks
        # An Anvil under load has been seen to miss one for a moment.
        time.sleep(_PAUSE_SECONDS)
    raise AssertionError(f"the node has no block {missing}, and its latest is {head}")


def _effects(logs: list[dict[str, Any]]) -> Iterator[Effect]:
    by_place = {(int(log["blockNumber"], 16), int(log["logIndex"], 16)): log for log in logs}
    for (block, index), log in sorted(by_place.items()):
        kind = _EVENTS.get(log["topics"][0])
        if kind is None:
            continue
        following = by_place.get((block, index + 1))
        key, values = _read(kind, log, following)
        yield Effect(key, values, log["transactionHash"], block)


def _read(
    kind: str, log: dict[str, Any], following: dict[str, Any] | None
) -> tuple[Key, tuple[str | int, ...]]:
    topics, words = log["topics"], _words(log["data"])
    token = log["address"].lower()
    if kind == "transfer":
        assert following is not None, "an authorization was used without a transfer"
        assert following["topics"][0] == TRANSFER, "an authorization was used without a transfer"
        payee, amount = _address(following["topics"][2]), _words(following["data"])[0]
        return (kind, _address(topics[1]), topics[2]), (token, payee, amount)
    if kind == "issue":
        return (kind, topics[1]), (token, _address(topics[2]), words[0])
    if kind == "redeem":
        return (kind, _address(topics[2]), topics[1]), (token, words[0])
    if kind in ("authorize", "charge"):
        parties = (_address(topics[2]), _address(topics[3]))
        # The third of the packed words: card, amount, share.
        amount = (words[3] >> 32) & (2**64 - 1)
        return ("open", topics[1]), (kind, *parties, amount)
    if kind == "set_cards":
        limits = (words[0], words[1], words[2])
        return (kind, _address(topics[1]), _address(topics[2]), _address(topics[3])), limits
    return (kind, topics[1], str(words[0])), ()


def _words(data: str) -> list[int]:
    plain = data[2:]
    return [int(plain[at : at + 64], 16) for at in range(0, len(plain), 64)]


def _address(word: str) -> str:
    return "0x" + word[-40:].lower()


class _Asker:
    """Asks one node many things at once."""

    def __init__(self, url: str) -> None:
        self._host = url.removeprefix("http://")

    def __call__(self, calls: Sequence[tuple[str, list[Any]]]) -> list[Any]:
        body = [
            {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
            for number, (method, params) in enumerate(calls)
        ]
        connection = http.client.HTTPConnection(self._host, timeout=60)
        try:
            connection.request("POST", "/", json.dumps(body), {"Content-Type": "application/json"})
            answers = json.loads(connection.getresponse().read())
        finally:
            connection.close()
        found = {each["id"]: each for each in answers}
        return [found[number]["result"] for number in range(len(calls))]
