"""What a transaction offers for its gas, and how much more when it is stuck."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tael.errors import TransactionRefusedError

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_FEE_PER_GAS_WEI = 10**12
"""1,000 gwei. A node that asks for more is lying or mistaken, and would burn the sender's ether."""
BUMP_AFTER_SECONDS = 30.0
LOCAL_BUMP_AFTER_SECONDS = 5.0
"""On a development chain nothing waits for its turn: Anvil's pool lost sight of it, and takes it up
again when it is replaced."""
FEE_FIELDS = ("maxFeePerGas", "maxPriorityFeePerGas", "gasPrice")
"""What a transaction offers, by the names it has there; each kind has some of them."""
_BUMP_PER_MILLE = 130
"""Nodes take a replacement that offers at least a tenth (some an eighth) more of each fee."""


@dataclass(frozen=True, slots=True)
class FeePolicy:
    """How fees are chosen.

    Args:
        max_fee_per_gas_wei: More than this is never offered, whatever the node asks for.
        bump_after_seconds: A transaction that waits longer in the pool is replaced by the same
            one with higher fees; its nonce and payload stay. None is 30 seconds, and 5 on a
            development chain.
    """

    max_fee_per_gas_wei: int = MAX_FEE_PER_GAS_WEI
    bump_after_seconds: float | None = None

    def offer(self, base_fee: int | None, tip: int | None, gas_price: int) -> dict[str, int]:
        """The fee fields of a new transaction, in wei.

        Args:
            base_fee: Of the latest block; None on a chain without EIP-1559.
            tip: What the node suggests; None if it does not.
            gas_price: What the node suggests for a legacy transaction.

        Raises:
            TransactionRefusedError: Dearer than the policy allows; nothing was signed.
        """
        if base_fee is None:
            self._require(gas_price)
            return {"gasPrice": gas_price}
        priority = max(0, gas_price - base_fee) if tip is None else tip
        self._require(base_fee + priority)
        # Twice the base fee outlasts five full blocks in a row, each raising it by an eighth.
        most = min(2 * base_fee + priority, self.max_fee_per_gas_wei)
        return {"maxFeePerGas": most, "maxPriorityFeePerGas": priority}

    def patience_seconds(self, *, is_local: bool) -> float:
        """How long a transaction may wait in the pool.

        Args:
            is_local: Whether it is a development chain's pool.
        """
        if self.bump_after_seconds is not None:
            return self.bump_after_seconds
        return LOCAL_BUMP_AFTER_SECONDS if is_local else BUMP_AFTER_SECONDS

    def bump(self, old: Mapping[str, Any], now: Mapping[str, int]) -> dict[str, int] | None:
        """The fee fields of a replacement; None if the policy's limit is reached.

        Args:
            old: The transaction that is stuck, with its fee fields as integers.
            now: What `offer` says at present.
        """
        if "maxFeePerGas" in old:
            most = max(_more(old["maxFeePerGas"]), now.get("maxFeePerGas", 0))
            tip = max(_more(old["maxPriorityFeePerGas"]), now.get("maxPriorityFeePerGas", 0))
            if most > self.max_fee_per_gas_wei:
                return None
            return {"maxFeePerGas": most, "maxPriorityFeePerGas": min(tip, most)}
        price = max(_more(old["gasPrice"]), now.get("gasPrice", 0))
        return None if price > self.max_fee_per_gas_wei else {"gasPrice": price}

    def _require(self, price: int) -> None:
        if price > self.max_fee_per_gas_wei:
            raise TransactionRefusedError(
                f"gas costs {price} wei, more than the {self.max_fee_per_gas_wei} allowed: "
                "wait, or raise the limit knowingly"
            )


def _more(fee: int) -> int:
    return fee + fee * _BUMP_PER_MILLE // 1_000 + 1
