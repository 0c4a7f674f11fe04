"""Calls to the contracts, encoded and decoded from the shipped ABIs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from tael.abi import decode, encode
from tael.chain.artifacts import load
from tael.chain.jsonrpc import data_bytes
from tael.errors import InvalidInputError, NodeUnavailableError
from tael.hashing import keccak
from tael.rpc import request_many

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tael.chain import Chain

MAX_CALLS_PER_REQUEST = 200


@dataclass(frozen=True, slots=True)
class Function:
    """One contract function.

    Args:
        name: Its Solidity name.
        selector: Four bytes.
        inputs: Canonical ABI types of its arguments.
        outputs: Canonical ABI types of its results.
    """

    name: str
    selector: bytes
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    def encode(self, *arguments: object) -> bytes:
        """The call data.

        Raises:
            InvalidInputError: An argument does not fit its type, so that nothing can be sent.
        """
        try:
            return self.selector + encode(self.inputs, arguments)
        except (ValueError, TypeError, OverflowError) as error:
            raise InvalidInputError(f"{self.name}: an argument does not fit: {error}") from error

    def decode(self, data: bytes) -> Any:
        """The result: the value itself if there is one, else a tuple of them."""
        values = decode(self.outputs, data)
        return values[0] if len(values) == 1 else values

    def result(self, answer: object) -> Any:
        """The result in a node's answer to `eth_call`.

        Raises:
            NodeUnavailableError: It is not one, as where no such contract is.
        """
        try:
            return self.decode(data_bytes(answer))
        except (ValueError, NodeUnavailableError) as error:
            raise NodeUnavailableError(
                f"the node gives what is not a valid result of {self.name}; try again later"
            ) from error


@dataclass(frozen=True, slots=True)
class Contract:
    """A contract of ours at an address."""

    kind: str
    address: str

    def function(self, name: str, arguments: int | None = None) -> Function:
        """A function by name, and by the number of its arguments where a name stands for two.

        Raises:
            KeyError: There is no such function.
        """
        return _functions(self.kind)[name, arguments]


def call(
    chain: Chain,
    contract: Contract,
    name: str,
    *arguments: object,
    sender: str | None = None,
    block: str = "latest",
) -> Any:
    """Call a contract's function without sending anything.

    Args:
        chain: Whom to ask.
        contract: Which contract.
        name: The function's name.
        arguments: Its arguments.
        sender: Who the call is from; None is nobody.
        block: The block whose state is asked, as `eth_call` takes it.

    Returns:
        The result: the value itself if there is one, else a tuple; addresses in lower case.

    Raises:
        ContractRevertedError: The contract refused.
        InvalidInputError: An argument does not fit its type.
        NodeUnavailableError: No node answered properly.
    """
    return call_many(chain, [(contract, name, arguments)], sender=sender, block=block)[0]


def call_many(
    chain: Chain,
    calls: Sequence[tuple[Contract, str, Sequence[object]]],
    *,
    sender: str | None = None,
    block: str = "latest",
) -> list[Any]:
    """Call many functions in few requests; see `call`."""
    found: list[Any] = []
    origin = {} if sender is None else {"from": sender}
    for start in range(0, len(calls), MAX_CALLS_PER_REQUEST):
        chunk = calls[start : start + MAX_CALLS_PER_REQUEST]
        functions = [contract.function(name, len(given)) for contract, name, given in chunk]
        questions = [
            {**origin, "to": contract.address, "data": "0x" + function.encode(*given).hex()}
            for function, (contract, _, given) in zip(functions, chunk, strict=True)
        ]
        answers = request_many(chain, [("eth_call", [each, block]) for each in questions])
        found += [
            function.result(answer) for function, answer in zip(functions, answers, strict=True)
        ]
    return found


@cache
def _functions(kind: str) -> Mapping[tuple[str, int | None], Function]:
    found: dict[tuple[str, int | None], Function] = {}
    for entry in load(kind).abi:
        if entry["type"] != "function":
            continue
        inputs, outputs = _types(entry["inputs"]), _types(entry["outputs"])
        signature = f"{entry['name']}({','.join(inputs)})"
        function = Function(entry["name"], keccak(signature.encode())[:4], inputs, outputs)
        found[function.name, len(inputs)] = function
        found[function.name, None] = function
    return found


def _types(parameters: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    return tuple(_type(parameter) for parameter in parameters)


def _type(parameter: Mapping[str, Any]) -> str:
    type_: str = parameter["type"]
    if not type_.startswith("tuple"):
        return type_
    return f"({','.join(_types(parameter['components']))}){type_[5:]}"
