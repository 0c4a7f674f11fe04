"""Why a contract refused: from the bytes of a revert to one typed error.

Nodes and libraries hand revert data over in many shapes; known here are those of Anvil, Ganache,
Hardhat, geth and eth-tester, and what web3 makes of them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Any

from tael.abi import decode
from tael.addresses import checksummed
from tael.contracts.artifacts import load, signature_of
from tael.contracts.refusals import ERRORS
from tael.contracts.registry import REGISTRY
from tael.errors import ContractRevertedError, UnknownRevertError
from tael.hashing import keccak

MAX_REVERT_BYTES = 64 * 1024
"""More revert data than this is cut off before it is looked at."""

# Solidity's own two errors; no ABI lists them.
BUILT_IN = {
    bytes.fromhex("08c379a0"): ("Error", (("reason", "string"),)),
    bytes.fromhex("4e487b71"): ("Panic", (("code", "uint256"),)),
}

PANICS = MappingProxyType(
    {
        0x00: "a check the compiler put in",
        0x01: "an assertion",
        0x11: "an arithmetic overflow",
        0x12: "a division by zero",
        0x21: "a number that is no member of its enum",
        0x22: "a damaged byte array in storage",
        0x31: "taking from an empty array",
        0x32: "an index out of bounds",
        0x41: "too much memory",
        0x51: "a call of a function that was never set",
    }
)

_HEX = re.compile(r"0x(?:[0-9a-fA-F]{2})*", re.ASCII)
_HEX_INSIDE = re.compile(r"\b0x(?:[0-9a-fA-F]{2}){4,}", re.ASCII)
_REVERTED = re.compile(r"\breverte?d?\b")
_REVERT_CODE = 3


def decode_revert(data: bytes, *, transaction_hash: str | None = None) -> ContractRevertedError:
    """Turn revert data into the error to raise.

    Never fails: what is unknown, empty or malformed becomes an `UnknownRevertError`.

    Args:
        data: What the contract reverted with.
        transaction_hash: Of the transaction that was included and reverted, if there is one.

    Returns:
        The error; the caller raises it.
    """
    data = data[:MAX_REVERT_BYTES]
    if not data:
        return UnknownRevertError(
            "",
            meaning="The call was refused without a reason.",
            what_now="Check address, chain and gas; report it if they are right.",
            transaction_hash=transaction_hash,
        )
    name, inputs = _errors_by_selector(REGISTRY.names).get(data[:4], ("", ()))
    refusal = ERRORS.get(name)
    arguments = _arguments(inputs, data[4:])
    if refusal is None or arguments is None:
        return UnknownRevertError(
            name,
            {"selector": data[:4]},
            meaning="The call was refused with an error that this version does not know.",
            what_now="Report it with the revert data; do not repeat the call.",
            data=data,
            transaction_hash=transaction_hash,
        )
    meaning = refusal.meaning
    if name == "Panic":
        meaning = f"The contract stopped at {PANICS.get(arguments['code'], 'an internal check')}."
    return refusal.reaction(
        name,
        arguments,
        meaning=meaning,
        what_now=refusal.what_now,
        data=data,
        transaction_hash=transaction_hash,
    )


def revert_data(code: object, message: object, data: object) -> bytes | None:
    """The bytes a contract reverted with, inside a node's JSON-RPC error.

    Args:
        code: The error's code.
        message: Its message.
        data: What the node added.

    Returns:
        The bytes, empty if the contract gave no reason; None if no contract refused.
    """
    if isinstance(message, str) and _REVERTED.search(message):
        # Some nodes give the bytes only inside the message.
        return _longest([data, _in_words(message)])
    return _longest([data]) if code == _REVERT_CODE else None


def revert_from(error: BaseException) -> ContractRevertedError | None:
    """Tell whether an exception of `Chain.w3` means that a contract refused, and how.

    Args:
        error: What web3, a provider or eth-tester raised.

    Returns:
        The typed error to raise from it; None if it is no revert.
    """
    data = _data_in(error)
    return None if data is None else decode_revert(data)


def _data_in(error: BaseException) -> bytes | None:
    response = getattr(error, "rpc_response", None)
    problem = response.get("error") if isinstance(response, Mapping) else None
    found = None
    if isinstance(problem, Mapping):
        found = revert_data(problem.get("code"), problem.get("message"), problem.get("data"))
    # By name: eth-tester's class need not be installed, and web3's differ between versions.
    names = {each.__name__ for each in type(error).__mro__}
    if found is None and not names & {"ContractLogicError", "TransactionFailed"}:
        return None
    # A library hands the bytes over as an attribute, as an argument, or inside its words.
    words = [*error.args, *map(_in_words, error.args)]
    return _longest([found, getattr(error, "data", None), *words])


def _longest(candidates: list[Any]) -> bytes:
    """The most bytes of all: a node may give "0x" in one place and the bytes in another."""
    found = [data for data in map(_bytes_of, candidates) if data is not None]
    return max(found, key=len, default=b"")


def _bytes_of(value: Any, depth: int = 0) -> bytes | None:
    if isinstance(value, (bytes, bytearray)):
        return bytes(value)
    if isinstance(value, str):
        text = value.removeprefix("Reverted ").strip()
        return bytes.fromhex(text[2:]) if _HEX.fullmatch(text) else None
    if isinstance(value, Mapping) and depth < 3:
        # Ganache: result; Hardhat: data; older nodes: an entry per transaction hash.
        for key in ("result", "return", "data", "originalError"):
            found = _bytes_of(value.get(key), depth + 1)
            if found is not None:
                return found
        for nested in value.values():
            if isinstance(nested, Mapping):
                found = _bytes_of(nested, depth + 1)
                if found is not None:
                    return found
    return None


def _in_words(value: object) -> str | None:
    match = _HEX_INSIDE.search(value) if isinstance(value, str) else None
    return match[0] if match else None


@cache
def _errors_by_selector(
    contracts: tuple[str, ...],
) -> Mapping[bytes, tuple[str, tuple[tuple[str, str], ...]]]:
    known: dict[bytes, tuple[str, tuple[tuple[str, str], ...]]] = dict(BUILT_IN)
    for contract in contracts:
        for entry in load(contract).errors:
            # Only elementary types occur in the contracts' errors; a test says so.
            inputs = tuple((each["name"], each["type"]) for each in entry["inputs"])
            known[keccak(signature_of(entry).encode())[:4]] = (entry["name"], inputs)
    return known


def _arguments(inputs: tuple[tuple[str, str], ...], data: bytes) -> dict[str, Any] | None:
    try:
        values = decode(tuple(kind for _, kind in inputs), data)
    except ValueError:
        return None
    return {
        name: checksummed(value) if kind == "address" else value
        for (name, kind), value in zip(inputs, values, strict=True)
    }
