"""An in-process EVM with ABI coding: what a transaction did, or the exact error it was refused
with."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from eth_abi import decode, encode
from eth_utils import keccak
from pyrevm import EVM, AccountInfo, BlockEnv, CfgEnv, Env

from scripts import artifacts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

CHAIN_ID = 1337
START = 1_700_000_000
CALL_GAS = 30_000_000
"""What one transaction may burn: a runaway loop ends here instead of never."""

HELPERS = ("tests/invariants/InvariantWallet.sol", "tests/invariants/Lens.sol")
"""Contracts of the tests' own: a wallet that signs, and a reader of many views."""

_OUTPUT = re.compile(r"output: 0x([0-9a-f]*)")


class Refused(NamedTuple):
    """A transaction that reverted with this error."""

    error: str
    arguments: tuple[Any, ...]


class Event(NamedTuple):
    """One log, its arguments in the order of the declaration."""

    emitter: str
    name: str
    arguments: tuple[Any, ...]


class Done(NamedTuple):
    """A transaction that succeeded."""

    returned: tuple[Any, ...]
    events: tuple[Event, ...]


Outcome = Refused | Done

EMPTY_REVERT = Refused("", ())
"""A revert without data: calldata that does not decode, or a call to an address without code."""


def load_code() -> dict[str, dict[str, Any]]:
    """ABI and creation code by contract name: freshly compiled, or a mutant's from the file named
    by TAEL_MUTANT."""
    mutant = os.environ.get("TAEL_MUTANT")
    if mutant:
        with open(mutant, encoding="utf-8") as file:  # noqa: PTH123
            loaded: dict[str, dict[str, Any]] = json.load(file)
        return loaded
    contracts = artifacts.compile_contracts(mocks=False)["contracts"]
    return {**_pick(contracts), **_pick(helper_contracts(artifacts.ROOT))}


def helper_contracts(root: Path) -> Mapping[str, Any]:
    """The tests' own contracts, compiled apart so that they never touch the cache of the rest."""
    texts = {name: (root / name).read_text(encoding="utf-8") for name in HELPERS}
    return artifacts.compile_contracts(only=[], extra_sources=texts)["contracts"]


def _pick(contracts: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        name: {"abi": contract["abi"], "bytecode": contract["bytecode"]}
        for name, contract in contracts.items()
        if contract["kind"] == "contract"
    }


def abi_type(parameter: Mapping[str, Any]) -> str:
    """The type as the ABI coder wants it, tuples spelt out."""
    name: str = parameter["type"]
    if not name.startswith("tuple"):
        return name
    inner = ",".join(abi_type(each) for each in parameter["components"])
    return f"({inner}){name[len('tuple') :]}"


def address(number: int) -> str:
    """An address as the ABI coder gives it back: lower case."""
    return f"0x{number:040x}"


@dataclass(frozen=True)
class _Function:
    selector: bytes
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


@dataclass(frozen=True)
class _EventType:
    name: str
    types: tuple[str, ...]
    indexed: tuple[bool, ...]


@dataclass
class Interface:
    """A contract's ABI, ready for use."""

    functions: dict[str, list[_Function]] = field(default_factory=dict)
    errors: dict[bytes, tuple[str, tuple[str, ...]]] = field(default_factory=dict)
    events: dict[bytes, _EventType] = field(default_factory=dict)
    constructor: tuple[str, ...] = ()

    @classmethod
    def of(cls, abi: Sequence[Mapping[str, Any]]) -> Interface:
        self = cls()
        for entry in abi:
            types = tuple(abi_type(each) for each in entry.get("inputs", ()))
            signature = f"{entry.get('name')}({','.join(types)})"
            kind = entry["type"]
            if kind == "function":
                outputs = tuple(abi_type(each) for each in entry["outputs"])
                function = _Function(keccak(text=signature)[:4], types, outputs)
                self.functions.setdefault(entry["name"], []).append(function)
            elif kind == "error":
                self.errors[keccak(text=signature)[:4]] = (entry["name"], types)
            elif kind == "event":
                indexed = tuple(each["indexed"] for each in entry["inputs"])
                self.events[keccak(text=signature)] = _EventType(entry["name"], types, indexed)
            elif kind == "constructor":
                self.constructor = types
        return self

    def function(self, name: str, count: int) -> _Function:
        """The overload of a function that takes so many arguments."""
        (found,) = [each for each in self.functions[name] if len(each.inputs) == count]
        return found

    def calldata(self, name: str, *arguments: Any) -> bytes:
        function = self.function(name, len(arguments))
        return function.selector + encode(function.inputs, arguments)


class Chain:
    """An EVM whose clock the caller sets.

    Errors and events of every contract that was deployed here are decoded, whoever emits them.
    """

    def __init__(self, code: Mapping[str, Mapping[str, Any]], chain_id: int = CHAIN_ID) -> None:
        # Mutants are compiled without the optimizer and may be larger than a chain would take.
        config = CfgEnv(chain_id=chain_id, limit_contract_code_size=0x20000)
        self.evm = EVM(env=Env(cfg=config), spec_id="Shanghai")
        self.code = code
        self.interfaces: dict[str, Interface] = {}
        self.kinds: dict[str, str] = {}
        self.now = 0
        self.logs: list[dict[str, Any]] = []
        """As a node would answer, each transaction in a block of its own; whoever reads clears."""
        self._blocks = 0
        self.errors: dict[bytes, tuple[str, tuple[str, ...]]] = {
            keccak(text="Panic(uint256)")[:4]: ("Panic", ("uint256",)),
            keccak(text="Error(string)")[:4]: ("Error", ("string",)),
        }
        for kind, entry in code.items():
            self.interfaces[kind] = Interface.of(entry["abi"])
            self.errors.update(self.interfaces[kind].errors)
        self.set_time(START)
        self._lens = self.deploy("Lens", address(0xFFFF))

    def set_time(self, now: int) -> None:
        self.now = now
        self.evm.set_block_env(BlockEnv(number=1 + now // 12, timestamp=now))

    def deploy(self, kind: str, deployer: str, *arguments: Any) -> str:
        """Deploy and return the address; a refusal is raised as `DeploymentRefused`."""
        interface = self.interfaces[kind]
        data = bytes.fromhex(self.code[kind]["bytecode"][2:])
        data += encode(interface.constructor, arguments)
        try:
            deployed: str = self.evm.deploy(deployer, data)
        except RuntimeError as error:
            raise DeploymentRefused(self.refusal(error)) from error
        self.kinds[deployed] = kind
        return deployed

    def send(self, caller: str, to: str, name: str, *arguments: Any) -> Outcome:
        """Send a transaction and say what it did."""
        interface = self.interfaces[self.kinds[to]]
        function = interface.function(name, len(arguments))
        data = function.selector + encode(function.inputs, arguments)
        return self.send_raw(caller, to, data, function.outputs)

    def send_raw(
        self, caller: str, to: str, data: bytes, outputs: tuple[str, ...] = (), gas: int = CALL_GAS
    ) -> Outcome:
        try:
            answer = self.evm.message_call(caller=caller, to=to, calldata=data, gas=gas)
        except RuntimeError as error:
            return self.refusal(error)
        logs = self.evm.result.logs
        self._keep(logs)
        events = tuple(self._event(log) for log in logs)
        return Done(_plain(decode(outputs, answer)), events)

    def _keep(self, logs: Sequence[Any]) -> None:
        self._blocks += 1
        for index, log in enumerate(logs):
            self.logs.append(
                {
                    "address": log.address,
                    "topics": log.topics,
                    "data": "0x" + log.data[1].hex(),
                    "blockNumber": self._blocks,
                    "blockHash": "0x" + bytes(32).hex(),
                    "transactionHash": "0x" + bytes(32).hex(),
                    "logIndex": index,
                    "blockTimestamp": self.now,
                }
            )

    @property
    def gas_used(self) -> int:
        """Gas of the last transaction."""
        used: int = self.evm.result.gas_used
        return used

    def read(self, to: str, name: str, *arguments: Any) -> Any:
        """The answer of a view, without the tuple when there is one value."""
        interface = self.interfaces[self.kinds[to]]
        function = interface.function(name, len(arguments))
        answer = self.view(to, function.selector + encode(function.inputs, arguments))
        values = _plain(decode(function.outputs, answer))
        return values[0] if len(values) == 1 else values

    def views(self, questions: bytes) -> bytes:
        """The raw answers of many views, one after the other; nothing if one of them reverts.

        Args:
            questions: What `question` gives, one after the other.
        """
        try:
            return self.view(self._lens, questions)
        except RuntimeError:
            return b""

    @staticmethod
    def question(to: str, data: bytes) -> bytes:
        """A view as `views` takes it."""
        return bytes.fromhex(to[2:]) + len(data).to_bytes(2, "big") + data

    def view(self, to: str, data: bytes) -> bytes:
        """The raw answer of a view."""
        answer: bytes = self.evm.message_call(
            caller=address(0xFFFF), to=to, calldata=data, is_static=True
        )
        return answer

    def set_code(self, at: str, code: bytes) -> None:
        self.evm.insert_account_info(at, AccountInfo(nonce=1, code=code))

    def refusal(self, error: RuntimeError) -> Refused:
        """The refusal in the exception with which the EVM reports it."""
        match = _OUTPUT.search(str(error))
        if match is None:
            # Not a revert: out of gas, an invalid opcode, a code size over the limit.
            return Refused(str(error).split("{")[0].strip(), ())
        return self.decode_refusal(bytes.fromhex(match[1]))

    def decode_refusal(self, data: bytes) -> Refused:
        if not data:
            return EMPTY_REVERT
        name, types = self.errors[data[:4]]
        return Refused(name, _plain(decode(types, data[4:])))

    def _event(self, log: Any) -> Event:
        topics = [bytes.fromhex(topic[2:]) for topic in log.topics]
        emitter = log.address.lower()
        declared = self.interfaces[self.kinds[emitter]].events[topics[0]]
        words = iter(topics[1:])
        plain = [
            kind
            for kind, indexed in zip(declared.types, declared.indexed, strict=True)
            if not indexed
        ]
        data = iter(decode(plain, log.data[1]))
        values = [
            decode([kind], next(words))[0] if indexed else next(data)
            for kind, indexed in zip(declared.types, declared.indexed, strict=True)
        ]
        arguments = _plain(values)
        if declared.name == "PaymentSkipped":
            # The refusal inside is compared as what it says.
            arguments = (arguments[0], self.decode_refusal(arguments[1]))
        return Event(emitter, declared.name, arguments)


class DeploymentRefused(Exception):  # noqa: N818
    """A constructor reverted."""

    def __init__(self, refusal: Refused) -> None:
        super().__init__(refusal)
        self.refusal = refusal


def _plain(values: Sequence[Any]) -> tuple[Any, ...]:
    return tuple(_plain(value) if isinstance(value, (list, tuple)) else value for value in values)
