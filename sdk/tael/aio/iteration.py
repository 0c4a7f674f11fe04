"""Where a task reads what a thread yields: iterations that block, handed over as they come.

What may run at once: the thread that iterates, and the loop whose task reads. Items go from one to
the other through `_items`; that, `_has_ended`, `_is_left` and `_awaited` change under `_guard`
only. The loop holds it for moments, never while it waits; the thread waits on it when the reader is
`BUFFERED` items behind, so memory stays bounded. `_ready` belongs to the loop: the thread sets it
through `call_soon_threadsafe`, after what it announces stands under the guard.

A source that the loop makes is read the other way: the thread asks the loop for one item at a time
and waits for it. When the reader leaves, `_is_left` stops the thread at its next item, and the item
it waits for is cancelled.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import contextvars
import threading
from collections import deque
from collections.abc import AsyncIterable, Iterable
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterator

Item = TypeVar("Item")
Taken = TypeVar("Taken")

BUFFERED = 256
"""How many items may wait for the task; the thread goes no further ahead."""


class Iteration(Generic[Item]):
    """Runs an iteration in a thread of its own, and hands its items to a task.

    The thread is none of the pool's, so an iteration that waits for its reader keeps no call from
    being made, and the reader may make calls between two items.

    Args:
        begin: Begins it; called in the thread, with this object, which `over` is of.
    """

    def __init__(self, begin: Callable[[Iteration[Item]], Iterator[Item]]) -> None:
        self._begin = begin
        self._loop = asyncio.get_running_loop()
        self._ready = asyncio.Event()
        self._guard = threading.Condition()
        self._items: deque[Item] = deque()
        self._failure: BaseException | None = None
        self._has_ended = False
        self._is_left = False
        self._awaited: concurrent.futures.Future[None] | None = None

    # For the task

    async def items(self) -> AsyncGenerator[Item, None]:
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

    def over(self, source: Iterable[Taken] | AsyncIterable[Taken]) -> Iterable[Taken]:
        """Iterate, in the thread, over what the task gave, which the loop may have to make."""
        return self._pull(source) if isinstance(source, AsyncIterable) else source

    def _pull(self, source: AsyncIterable[Taken]) -> Iterator[Taken]:
        iterator = aiter(source)
        found: list[Taken] = []

        async def take() -> None:
            with contextlib.suppress(StopAsyncIteration):
                found.append(await anext(iterator))

        while True:
            with self._guard:
                if self._is_left:
                    return
                # Under the guard, so that whoever leaves finds what is to be cancelled.
                awaited = asyncio.run_coroutine_threadsafe(take(), self._loop)
                self._awaited = awaited
            awaited.result()
            if not found:
                return
            yield found.pop()

    def _run(self) -> None:
        try:
            for item in self._begin(self):
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
        # The others find the loop awake already.
        if is_first:
            self._wake()
        return True

    def _wake(self) -> None:
        # The loop may have ended meanwhile, and then nobody waits.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._ready.set)
