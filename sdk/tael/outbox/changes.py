"""What listeners are told."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Status = Literal["submitted", "included", "final", "refused", "pending"]
Listener = Callable[["Change"], None]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Change:
    """A write that stands elsewhere than before.

    Args:
        write: Its row in the journal.
        status: `submitted`, `included`, `final`, `refused`, or `pending` again after a
            reorganisation undid it.
        transaction_hash: Of the transaction it is about.
        block_number: Of the block, if it is in one.
    """

    write: int
    status: Status
    transaction_hash: str
    block_number: int | None = None


class Listeners:
    """Who is told of changes. Lanes and watches of any key tell, each from a thread of its own."""

    def __init__(self) -> None:
        self._listeners: list[Listener] = []

    def add(self, listener: Listener) -> Callable[[], None]:
        """Tell a function from now on; returns a function that ends it."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def tell(self, change: Change) -> None:
        """Call the listeners. What one raises is logged, for payments do not wait on it."""
        for listener in list(self._listeners):
            try:
                listener(change)
            except Exception:  # noqa: BLE001 - whatever a listener does, payments go on
                _log.exception("a listener failed at %s", change)
