"""Iterations that block, handed over to a task as they come."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import contextvars
import threading
from collections import deque
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterator

Item = TypeVar("Item")
Taken = TypeVar("Taken")

BUFFERED = 256
"""How many items may wait for the task; the thread goes no further ahead."""


class Pump(Generic[Item]):
    """Runs an iteration in a thread of its own, and hands its items to a task.

    The thread is none of the pool's, so an iteration that waits for its reader keeps no call from
    being made, and the reader may make calls between two items.

    Args:
        make: Makes the iteration; called in the thread, with the pump, which `pull` is of.
    """

    def __init__(self, make: Callable[[Pump[Item]], Iterator[Item]]) -> None:
        self._make = make
        self._loop = asyncio.get_running_loop()
        self._ready = asyncio.Event()
        self._guard = threading.Condition()
        self._items: deque[Item] = deque()
        self._failure: BaseException | None = None
        self._has_ended = False
        self._is_left = False
        self._awaited: concurrent.futures.Future[None] | None = None

    # For the task

    async def items(self) -> AsyncIterator[Item]:
        """The items as they come, then whatever the iteration raised."""
        run = contextvars.copy_context().run
        threading.Thread(target=run, args=(self._run,), name="tael-async-each", daemon=True).start()
        try:
            has_ended = False
            while not has_ended:
                await self._ready.wait()
                items, has_ended = self._take()
                for item in items:
                    yield item
        finally:
            self._leave()
        if self._failure is not None:
            raise self._failure

    def _take(self) -> tuple[list[Item], bool]:
        with self._guard:
            self._ready.clear()
            items = list(self._items)
            self._items.clear()
            self._guard.notify()
            return items, self._has_ended

    def _leave(self) -> None:
        with self._guard:
            self._is_left = True
            self._guard.notify()
            awaited = self._awaited
        if awaited is not None:
            awaited.cancel()

    # For the thread

    def pull(self, source: AsyncIterable[Taken]) -> Iterator[Taken]:
        """Iterate, in the thread, over what the loop makes."""
        iterator = aiter(source)
        found: list[Taken] = []

        async def take() -> None:
            with contextlib.suppress(StopAsyncIteration):
                found.append(await anext(iterator))

        while True:
            with self._guard:
                if self._is_left:
                    return
                awaited = asyncio.run_coroutine_threadsafe(take(), self._loop)
                self._awaited = awaited
            awaited.result()
            if not found:
                return
            yield found.pop()

    def _run(self) -> None:
        try:
            for item in self._make(self):
                if not self._put(item):
                    break
        except BaseException as error:  # noqa: BLE001 - raised where the items are awaited
            self._failure = error
        with self._guard:
            self._has_ended = True
        self._wake()

    def _put(self, item: Item) -> bool:
        """Hand an item over; False if nobody wants it any more."""
        with self._guard:
            self._guard.wait_for(lambda: self._is_left or len(self._items) < BUFFERED)
            if self._is_left:
                return False
            self._items.append(item)
            is_first = len(self._items) == 1
        if is_first:
            self._wake()
        return True

    def _wake(self) -> None:
        # The loop may have ended meanwhile, and then nobody waits.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._ready.set)
