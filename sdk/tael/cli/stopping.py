"""How what runs until it is stopped is stopped."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

__all__ = ["stopping"]


@contextmanager
def stopping(*, at_once: bool = False) -> Iterator[threading.Event]:
    """Turn SIGTERM into an ordinary end.

    Args:
        at_once: Whether it interrupts what is under way, as Ctrl-C does; else it sets the event,
            and what is under way is finished first.
    """
    stopped = threading.Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        stopped.set()
        if at_once:
            raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield stopped
    finally:
        signal.signal(signal.SIGTERM, before)
