"""The compiled contracts that ship inside the package."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from tael.errors import ConfigurationError
from tael.hashing import keccak

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable
    from pathlib import Path


@dataclass(frozen=True, slots=True, eq=False)
class Artifact:
    """One contract as it was compiled.

    Attributes:
        name: Its Solidity name.
        abi: Its ABI.
        bytecode: Creation code without constructor arguments.
        deployed_bytecode: Runtime code, zero where immutables go.
        immutables: Byte ranges (start, length) in the runtime code by `Contract.variable`.
        source_hash: SHA-256 over the sources, to tell versions apart.
        compiler: Version and settings it was compiled with.
    """

    name: str
    abi: Sequence[Mapping[str, Any]]
    bytecode: bytes
    deployed_bytecode: bytes
    immutables: Mapping[str, Sequence[tuple[int, int]]]
    source_hash: str
    compiler: Mapping[str, Any]

    @property
    def masked_hash(self) -> bytes:
        """keccak256 of the runtime code with every immutable zeroed, 32 bytes."""
        return keccak(self.mask(self.deployed_bytecode))

    def mask(self, code: bytes) -> bytes:
        """Zero the immutables in deployed code, so that it can be compared with the compiler's."""
        masked = bytearray(code)
        for ranges in self.immutables.values():
            for start, length in ranges:
                masked[start : start + length] = bytes(length)
        # A shorter code would have grown by the assignment beyond its end.
        return bytes(masked) if len(masked) == len(code) else bytes(code)

    def is_code(self, code: bytes) -> bool:
        """Whether deployed code is this contract's, whatever its immutables."""
        return len(code) == len(self.deployed_bytecode) and keccak(self.mask(code)) == (
            self.masked_hash
        )

    def function(self, name: str) -> Mapping[str, Any]:
        """The ABI entry of a function that has no overloads.

        Raises:
            KeyError: There is none of that name, or several.
        """
        found = [each for each in self.functions if each["name"] == name]
        if len(found) != 1:
            raise KeyError(f"{self.name}.{name}: {len(found)} functions")
        return found[0]

    @property
    def functions(self) -> list[Mapping[str, Any]]:
        """The ABI entries of all functions."""
        return [each for each in self.abi if each["type"] == "function"]

    @property
    def errors(self) -> list[Mapping[str, Any]]:
        """The ABI entries of all errors."""
        return [each for each in self.abi if each["type"] == "error"]


def signature_of(entry: Mapping[str, Any]) -> str:
    """The canonical signature of a function, event or error: `transfer(address,uint256)`.

    Args:
        entry: Its ABI entry.
    """
    return f"{entry['name']}({','.join(_kind(each) for each in entry['inputs'])})"


def _kind(parameter: Mapping[str, Any]) -> str:
    kind = str(parameter["type"])
    if not kind.startswith("tuple"):
        return kind
    inner = ",".join(_kind(each) for each in parameter["components"])
    return f"({inner}){kind.removeprefix('tuple')}"


@cache
def load(name: str) -> Artifact:
    """Read one of the contracts that ship with the package.

    Args:
        name: Its Solidity name, as in `SettlementToken`.

    Raises:
        ConfigurationError: The package does not contain it.
    """
    found = _ADDED.get(name)
    return _read(name, resources.files("tael") / "artifacts") if found is None else found


def read(folder: Path, name: str) -> Artifact:
    """Read a contract that does not ship with the package, and know it by its name from then on.

    Args:
        folder: Where its file is, as `scripts/artifacts.py` writes it.
        name: Its Solidity name; none that ships with the package.

    Raises:
        ConfigurationError: There is none in the folder.
    """
    _ADDED[name] = artifact = _read(name, folder)
    load.cache_clear()
    return artifact


def _read(name: str, folder: Traversable) -> Artifact:
    file = folder / f"{name}.json"
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigurationError(
            f"the package contains no contract {name}; in a checkout run `make artifacts`"
        ) from error
    return Artifact(
        name=document["contractName"],
        abi=tuple(document["abi"]),
        bytecode=bytes.fromhex(document["bytecode"][2:]),
        deployed_bytecode=bytes.fromhex(document["deployedBytecode"][2:]),
        immutables={
            variable: tuple((each["start"], each["length"]) for each in ranges)
            for variable, ranges in document["immutableReferences"].items()
        },
        source_hash=document["sourceHash"],
        compiler=document["compiler"],
    )


_ADDED: dict[str, Artifact] = {}
