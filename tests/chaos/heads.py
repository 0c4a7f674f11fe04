"""How far the chain was when: what the finality that clients were told of is held against."""

from __future__ import annotations

import bisect
import time

from tael.testing import LocalNode
from tael.testing.nodes import NodeError

_EVERY_SECONDS = 0.03


class Heads:
    """The chain's latest block over time, as the node itself says."""

    def __init__(self) -> None:
        self._times: list[float] = []
        self._numbers: list[int] = []
        self._looked_at = 0.0

    def look(self, node: LocalNode) -> None:
        """Note it, unless that was done a moment ago."""
        if time.monotonic() - self._looked_at >= _EVERY_SECONDS:
            self.note(node)

    def note(self, node: LocalNode) -> None:
        """Note it."""
        self._looked_at = time.monotonic()
        # Before it is asked: what is mined between question and note is not behind the note.
        moment = time.time()
        try:
            number = node.block_number()
        except NodeError:
            return
        self._times.append(moment)
        self._numbers.append(number)

    def at_most(self, moment: float) -> int:
        """A number that the chain had not passed at a moment."""
        index = bisect.bisect_left(self._times, moment)
        return max(self._numbers[: index + 1], default=0)
