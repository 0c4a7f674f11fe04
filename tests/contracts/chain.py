"""Contracts on a node: send, read, and get refusals and events back as plain values.

Brownie compiles and knows the ABIs; transactions go to the node directly, which takes a tenth of
the time. `test_brownie.py` sends some through brownie itself.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from eth_abi import decode, encode
from eth_utils import keccak, to_checksum_address

from tael.testing import LocalNode, NodeError

GAS = 30_000_000
# Far above any base fee that full blocks drive up: Anvil keeps it when it goes back to a snapshot.
GAS_PRICE = 100 * 10**9

_PANIC = keccak(text="Panic(uint256)")[:4]
_REASON = keccak(text="Error(string)")[:4]


@dataclass(frozen=True)
class Refusal:
    """The error a call reverts with, by name and arguments; `Refusal("")` is a revert without data.

    A revert with data that is no error of the contracts has the data for its name.
    """

    name: str
    arguments: tuple[Any, ...] = ()

    def __repr__(self) -> str:
        return f"{self.name or '(nothing)'}{self.arguments}"


@dataclass(frozen=True)
class Event:
    """One log with all its fields."""

    contract: str
    name: str
    fields: dict[str, Any]

    def __repr__(self) -> str:
        return f"{self.contract}.{self.name}({self.fields})"


@dataclass(frozen=True)
class Receipt:
    """What a transaction did."""

    gas_used: int
    events: list[Event]


def refused(name: str, *arguments: Any) -> Refusal:
    """The refusal that a test expects; actors and contracts stand for their addresses."""
    return Refusal(name, tuple(plain(argument) for argument in arguments))


def plain(value: Any) -> Any:
    """Replace actors, keys and contracts by their addresses, at any depth."""
    if isinstance(value, (list, tuple)):
        return type(value)(plain(each) for each in value)
    return getattr(value, "address", value)


def type_of(entry: dict[str, Any]) -> str:
    """The ABI type of a parameter, structs spelled out."""
    if not entry["type"].startswith("tuple"):
        return str(entry["type"])
    inner = ",".join(type_of(each) for each in entry["components"])
    return f"({inner}){entry['type'].removeprefix('tuple')}"


def signature_of(entry: dict[str, Any]) -> str:
    return f"{entry['name']}({','.join(type_of(each) for each in entry['inputs'])})"


def _native(abi_type: str, value: Any) -> Any:
    """Checksummed addresses; everything else as eth_abi gives it."""
    if isinstance(value, str) and "address" in abi_type:
        return to_checksum_address(value)
    if isinstance(value, (list, tuple)):
        return tuple(_native(abi_type, each) for each in value)
    return value


def decode_values(entries: list[dict[str, Any]], data: bytes) -> tuple[Any, ...]:
    types = [type_of(entry) for entry in entries]
    return tuple(_native(t, v) for t, v in zip(types, decode(types, data), strict=True))


class Chain:
    """A node, the contracts known on it, and their errors and events."""

    def __init__(self, node: LocalNode, abis: list[list[dict[str, Any]]]) -> None:
        self.node = node
        self._sent: dict[str, dict[str, Any]] = {}
        self.labels: dict[str, str] = {}
        self.errors: dict[bytes, dict[str, Any]] = {}
        self.events: dict[bytes, dict[str, Any]] = {}
        for entry in (entry for abi in abis for entry in abi):
            if entry["type"] == "error":
                self.errors[keccak(text=signature_of(entry))[:4]] = entry
            elif entry["type"] == "event":
                self.events[keccak(text=signature_of(entry))] = entry

    def deploy(self, built: Any, *arguments: Any, by: Any, label: str = "") -> Contract:
        """Deploy what brownie built."""
        constructor = next((e for e in built.abi if e["type"] == "constructor"), {"inputs": []})
        types = [type_of(entry) for entry in constructor["inputs"]]
        code = built.bytecode.removeprefix("0x") + encode(types, plain(list(arguments))).hex()
        receipt = self.wait(self._request(None, code, by))
        address = to_checksum_address(receipt["contractAddress"])
        return Contract(self, address, built.abi, label or built._name)

    def deployment_refusal(self, built: Any, *arguments: Any, by: Any) -> Refusal:
        constructor = next(e for e in built.abi if e["type"] == "constructor")
        types = [type_of(entry) for entry in constructor["inputs"]]
        code = built.bytecode.removeprefix("0x") + encode(types, plain(list(arguments))).hex()
        return self.refusal(None, code, by)

    def send(self, to: str, data: str, by: Any, *, gas: int = GAS) -> Receipt:
        raw = self.wait(self._request(to, data, by, gas))
        if raw["status"] != "0x1":
            raise AssertionError(f"refused: {self.refusal(to, data, by)}")
        return self._receipt(raw)

    def call(self, to: str | None, data: str, by: Any | None) -> bytes:
        request = self._fields(to, data, by)
        return bytes.fromhex(self.node.rpc("eth_call", request, "latest")[2:])

    def refusal(self, to: str | None, data: str, by: Any) -> Refusal:
        """The error of a call, at the time of the latest block."""
        try:
            self.call(to, data, by)
        except NodeError as error:
            if "revert" not in str(error).lower():
                raise
            answer = error.data if isinstance(error.data, str) else "0x"
            return self.decode_refusal(bytes.fromhex(answer[2:]))
        raise AssertionError("the call is not refused")

    def decode_refusal(self, data: bytes) -> Refusal:
        if not data:
            return Refusal("")
        selector, body = data[:4], data[4:]
        if selector == _PANIC:
            return Refusal("Panic", tuple(decode(["uint256"], body)))
        if selector == _REASON:
            return Refusal("Error", tuple(decode(["string"], body)))
        if selector not in self.errors:
            return Refusal(f"0x{data.hex()}")
        entry = self.errors[selector]
        return Refusal(entry["name"], decode_values(entry["inputs"], body))

    def _fields(self, to: str | None, data: str, by: Any | None, gas: int = GAS) -> dict[str, str]:
        fields = {"data": data if data.startswith("0x") else f"0x{data}", "gas": hex(gas)}
        if to is not None:
            fields["to"] = to
        if by is not None:
            fields["from"] = by.address
        return fields

    def _request(self, to: str | None, data: str, by: Any, gas: int = GAS) -> str:
        request = {**self._fields(to, data, by, gas), "gasPrice": hex(GAS_PRICE)}
        sent = str(self.node.rpc("eth_sendTransaction", request))
        self._sent[sent] = request
        return sent

    def wait(self, sent: str) -> dict[str, Any]:
        """The receipt of a transaction, as the node gives it."""
        started = time.monotonic()
        nudged = started
        while time.monotonic() < started + 60:
            # Anvil answers before the block is there.
            receipt = self.node.rpc("eth_getTransactionReceipt", sent)
            if receipt is not None:
                self._sent.pop(sent, None)
                return dict(receipt)
            if time.monotonic() > nudged + 5:
                # Seen once in hundreds of runs on a busy machine: it mined an empty block instead.
                self.node.rpc("evm_mine")
                if self.node.rpc("eth_getTransactionByHash", sent) is None and sent in self._sent:
                    # It lost it: the same again has the same nonce, and so the same hash.
                    self.node.rpc("eth_sendTransaction", self._sent[sent])
                nudged = time.monotonic()
            time.sleep(0.0005)
        raise AssertionError(f"no receipt for {sent}")

    def _receipt(self, raw: dict[str, Any]) -> Receipt:
        events = [self._event(log) for log in raw["logs"]]
        return Receipt(int(raw["gasUsed"], 16), events)

    def _event(self, log: dict[str, Any]) -> Event:
        topics = [bytes.fromhex(topic[2:]) for topic in log["topics"]]
        entry = self.events[topics[0]]
        indexed = [each for each in entry["inputs"] if each["indexed"]]
        others = [each for each in entry["inputs"] if not each["indexed"]]
        values = dict(
            zip(
                (each["name"] for each in others),
                decode_values(others, bytes.fromhex(log["data"][2:])),
                strict=True,
            )
        )
        for each, topic in zip(indexed, topics[1:], strict=True):
            values[each["name"]] = decode_values([each], topic)[0]
        address = to_checksum_address(log["address"])
        return Event(self.labels.get(address, address), entry["name"], values)


class Contract:
    """A contract whose functions are attributes: call a verb to send it, a view to read it."""

    def __init__(self, chain: Chain, address: str, abi: list[dict[str, Any]], label: str) -> None:
        self.chain = chain
        self.address = address
        self.abi = abi
        self.label = label
        chain.labels.setdefault(address, label)

    def __getattr__(self, name: str) -> Function:
        entries = [e for e in self.abi if e["type"] == "function" and e["name"] == name]
        if not entries:
            raise AttributeError(f"{self.label} has no function {name}")
        function = Function(self, entries)
        setattr(self, name, function)
        return function

    def event(self, name: str, **fields: Any) -> Event:
        """The event a test expects, with every field of its declaration."""
        declared = [e for e in self.abi if e["type"] == "event" and e["name"] == name]
        # A reserved word of Python takes an underscore: `from_`.
        given = {key.removesuffix("_"): plain(value) for key, value in fields.items()}
        assert declared, f"{self.label} declares no event {name}"
        assert set(given) == {each["name"] for each in declared[0]["inputs"]}, given
        return Event(self.label, name, given)

    def __repr__(self) -> str:
        return f"<{self.label} {self.address}>"


class Function:
    """A function, or several of one name that differ in their number of parameters."""

    def __init__(self, contract: Contract, entries: list[dict[str, Any]]) -> None:
        self.contract = contract
        self.entries = entries

    @cached_property
    def is_view(self) -> bool:
        return self.entries[0]["stateMutability"] in ("view", "pure")

    def entry(self, count: int) -> dict[str, Any]:
        return next(e for e in self.entries if len(e["inputs"]) == count)

    def encode(self, *arguments: Any) -> str:
        entry = self.entry(len(arguments))
        types = [type_of(each) for each in entry["inputs"]]
        selector = keccak(text=signature_of(entry))[:4]
        return f"0x{(selector + encode(types, plain(list(arguments)))).hex()}"

    def read(self, *arguments: Any, by: Any | None = None) -> Any:
        """What a call returns: one value, or a tuple."""
        outputs = self.entry(len(arguments))["outputs"]
        answer = self.contract.chain.call(self.contract.address, self.encode(*arguments), by)
        values = decode_values(outputs, answer)
        return values[0] if len(values) == 1 else values

    def __call__(self, *arguments: Any, by: Any | None = None, gas: int = GAS) -> Any:
        if self.is_view:
            return self.read(*arguments, by=by)
        assert by is not None, "who sends it?"
        return self.contract.chain.send(self.contract.address, self.encode(*arguments), by, gas=gas)

    def refusal(self, *arguments: Any, by: Any | None = None) -> Refusal:
        """The error of this call; fails if it is not refused."""
        return self.contract.chain.refusal(self.contract.address, self.encode(*arguments), by)
