"""When a block cannot be undone any more: that depends on how its chain agrees."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from tael.errors import ConfigurationError

if TYPE_CHECKING:
    from tael.chain import Chain

FinalityRule = Literal["simulated", "instant", "confirmations", "finalized"]

DEFAULT_CONFIRMATIONS = 12
MAX_CONFIRMATIONS = 10_000

_WORDS: dict[str, FinalityRule] = {
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

    kind: FinalityRule
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
        return (
            cls("finalized")
            if chain.height("finalized")
            else cls("confirmations", DEFAULT_CONFIRMATIONS)
        )

    @property
    def is_immediate(self) -> bool:
        """Whether what is included is final."""
        return self.kind in ("simulated", "instant")

    def final_number(self, chain: Chain) -> int:
        """The number of the newest block that is final; -1 if none is.

        Raises:
            NodeUnavailableError: The node did not answer properly.
        """
        # As far as enough nodes are: one alone could claim any height.
        if self.kind == "finalized":
            return chain.height("finalized")
        return chain.height() - self.confirmations

    def __str__(self) -> str:
        return str(self.confirmations) if self.kind == "confirmations" else self.kind
