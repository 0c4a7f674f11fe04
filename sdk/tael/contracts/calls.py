"""Calls to the contracts, encoded and decoded from the shipped ABIs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from tael.abi import decode, encode
from tael.contracts.artifacts import load
from tael.errors import InvalidInputError
from tael.hashing import keccak

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


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
