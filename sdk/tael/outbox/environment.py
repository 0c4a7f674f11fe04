"""What the lanes and watches of an outbox work with."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from tael.outbox.changes import Listeners
from tael.outbox.fees import FeePolicy
from tael.outbox.finality import Finality

if TYPE_CHECKING:
    from tael.chain import Chain
    from tael.journal import Journal

SendingStep = Callable[[str, int], None]
"""Called with the name of each step of sending and how many orders take it: tests break off there,
or do meanwhile what others might."""


class Environment:
    """What every lane and watch of an outbox is given; it knows none of them.

    Shared by all their threads. Chain, journal and listeners are safe to use from many; the rest is
    set before anything is submitted, or is the same whoever works it out.

    Args:
        chain: Where to send.
        journal: Where everything is written down first.
        fees: What is offered for gas.
        finality: When included is final; None takes what fits the chain.
        on_step: For tests.
    """

    def __init__(
        self,
        chain: Chain,
        journal: Journal,
        fees: FeePolicy | None = None,
        finality: Finality | None = None,
        on_step: SendingStep | None = None,
    ) -> None:
        self.chain = chain
        self.journal = journal
        self.fees = FeePolicy() if fees is None else fees
        self.on_step: SendingStep = on_step or (lambda _name, _count: None)
        self.listeners = Listeners()
        self._finality = finality

    @property
    def finality(self) -> Finality:
        """When included is final."""
        if self._finality is None:
            self._finality = Finality.of(self.chain)
        return self._finality
