"""When a block cannot be undone any more: that depends on how its chain agrees."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from web3.exceptions import Web3RPCError

from tael.errors import ConfigurationError, NodeUnavailableError
from tael.rpc import request

if TYPE_CHECKING:
    from tael.chain import Chain

Kind = Literal["simulated", "instant", "confirmations", "finalized"]

DEFAULT_CONFIRMATIONS = 12
MAX_CONFIRMATIONS = 10_000

_WORDS: dict[str, Kind] = {
    "simulated": "simulated",
    "instant": "instant",
    "finalized": "finalized",
}


@dataclass(frozen=True, slots=True)
class Finality:
    """A chain's rule for finality.

    Args:
        kind: `simulated`: a development chain, where nobody else builds blocks: the newest block
            counts as final. `instant`: validators sign each block before it is built on (QBFT,
            IBFT): so does the newest one. `confirmations`: a number of blocks on top (Clique, and
            proof of work). `finalized`: the chain says so itself (proof of stake).
        confirmations: For the kind of that name.

    Example:
        >>> Finality.parse("12").confirmations
        12
    """

    kind: Kind
    confirmations: int = 0

    @classmethod
    def parse(cls, text: str) -> Finality:
        """Read `simulated`, `instant`, `finalized`, or a number of confirmations.

        Raises:
            ConfigurationError: It is none of these.
        """
        if text in _WORDS:
            return cls(_WORDS[text])
        if re.fullmatch(r"[1-9][0-9]{0,4}", text, re.ASCII) and int(text) <= MAX_CONFIRMATIONS:
            return cls("confirmations", int(text))
        raise ConfigurationError(
            f"finality is simulated, instant, finalized or a number of confirmations up to "
            f"{MAX_CONFIRMATIONS}, not {text!r:.40}"
        )

    @classmethod
    def of(cls, chain: Chain) -> Finality:
        """What fits a chain nobody has said anything about.

        A development chain on this machine is `simulated`; a chain whose node answers for
        `finalized` is that; any other gets 12 confirmations. Say `instant` for QBFT.
        """
        if chain.is_local:
            return cls("simulated")
        block = _final_block_of(chain)
        return cls("finalized") if block else cls("confirmations", DEFAULT_CONFIRMATIONS)

    @property
    def is_immediate(self) -> bool:
        """Whether what is included is final."""
        return self.kind in ("simulated", "instant")

    def final_number(self, chain: Chain) -> int:
        """The number of the newest block that is final; -1 if none is.

        Raises:
            NodeUnavailableError: The node did not answer properly.
        """
        if self.kind == "finalized":
            return _agreed(chain, _final_block_of(chain))
        head = int(request(chain, "eth_blockNumber"), 16)
        return _agreed(chain, head) - self.confirmations

    def __str__(self) -> str:
        return str(self.confirmations) if self.kind == "confirmations" else self.kind


def _final_block_of(chain: Chain) -> int:
    try:
        block: Any = request(chain, "eth_getBlockByNumber", "finalized", False)
    except NodeUnavailableError as error:
        if not isinstance(error.__cause__, Web3RPCError):
            raise
        # The node answered, and knows no such block: every client words that differently.
        return 0
    return int(block["number"], 16) if block else 0


def _agreed(chain: Chain, number: int) -> int:
    """The number, if enough nodes have that block: one node alone could claim any height."""
    if chain.agreement > 1:
        chain.agree("eth_getBlockByNumber", [hex(number), False])
    return number
