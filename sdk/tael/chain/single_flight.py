"""One question for all threads that ask it at the same time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, TypeVar

Result = TypeVar("Result")


class SingleFlight(Generic[Result]):
    """A question whose answer all who ask meanwhile share, its error too.

    Any thread may ask; `_guard` protects which question is under way, and is not held while it is.
    For what may be as old as one answer of a node takes to arrive, and no older.

    Args:
        ask: Asks.
    """

    def __init__(self, ask: Callable[[], Result]) -> None:
        self._ask = ask
        self._guard = threading.Lock()
        self._asked: Future[Result] | None = None

    def answer(self) -> Result:
        """Ask, or wait for the answer that another thread has asked for."""
        with self._guard:
            asked = self._asked
            if asked is None:
                mine = self._asked = Future()
        if asked is not None:
            return asked.result()
        try:
            mine.set_result(self._ask())
        except BaseException as error:
            mine.set_exception(error)
            raise
        finally:
            with self._guard:
                self._asked = None
        return mine.result()
