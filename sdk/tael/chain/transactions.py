"""A transaction before it is sent, and after it was included."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class PreparedTransaction:
    """A signed transaction that was not broadcast yet: what must be written down first.

    Attributes:
        transaction_hash: 0x-prefixed.
        raw: The signed bytes.
        sender: Who pays and acts.
        nonce: Its place in the sender's order.
        to: The contract called; None for a deployment.
        data: Call data or creation code.
        value: Wei sent along.
        gas: Gas limit.
        reference: The caller's reference for the write.
    """

    transaction_hash: str
    raw: bytes
    sender: str
    nonce: int
    to: str | None
    data: bytes
    value: int
    gas: int
    reference: str


@dataclass(frozen=True, slots=True)
class Receipt:
    """A transaction that was included and succeeded. Included is not final.

    Attributes:
        transaction_hash: 0x-prefixed.
        block_number: Block that includes it.
        block_hash: That block's hash, 0x-prefixed.
        gas_used: Gas it took.
        effective_gas_price_wei: What each unit of gas cost.
        contract_address: Where it deployed a contract; None if it did not.
        logs: Its logs, as the node gives them, in order.
        reference: The caller's reference for the write.
        status: Always `included`.
        repeated: It was on its way before it was asked for.
    """

    transaction_hash: str
    block_number: int
    block_hash: str
    gas_used: int
    effective_gas_price_wei: int
    contract_address: str | None
    logs: tuple[Mapping[str, Any], ...]
    reference: str
    status: Literal["included"] = "included"
    repeated: bool = False
