"""Where tasks wait for threads: the one `Client` behind the asynchronous one.

What may run at once: the tasks of one loop or of several, up to `threads` calls in threads of the
pool, and a thread of its own for each iteration (`iteration.py`). All of them use one `Client`,
which many threads may use. What they share here is little:

- `_client` is made once, under `_making`; after that it never changes and is read without a lock.
- `_is_closed` goes from False to True once, in a loop. Threads look at it under `_making` before a
  client is made, and under `_counting` before they count themselves among the `_busy`: so after the
  end nothing is opened, and what had begun by then is seen by whoever closes, and waited for.

Both locks are taken by threads only, so no loop ever waits for one.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from tael.aio.iteration import Iteration
from tael.client import Client
from tael.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterator

    from tael.outbox import Change

THREADS = 64
_PAUSE_SECONDS = 0.05

Result = TypeVar("Result")
Item = TypeVar("Item")


class Connection:
    """Runs functions of a client in threads and lets tasks await them.

    A task that is cancelled stops waiting; the call goes on, also one that waits for a thread.

    Args:
        client: One that is there and stays open at the end, or what makes one: it is called in a
            thread, at the first call.
        threads: How many calls run at once; more wait their turn.

    Raises:
        ConfigurationError: There is no thread.
    """

    def __init__(self, client: Client | Callable[[], Client], threads: int) -> None:
        if threads < 1:
            raise ConfigurationError(f"calls need at least one thread, not {threads}")
        self._client = client if isinstance(client, Client) else None
        self._make = None if isinstance(client, Client) else client
        self._making = threading.Lock()
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="tael-async")
        self._is_closed = False
        self._counting = threading.Lock()
        self._busy = 0

    # For tasks

    @property
    def client(self) -> Client:
        """The client, once it is open.

        Raises:
            ConfigurationError: It is not open yet.
        """
        if self._client is None:
            raise ConfigurationError("This client is not open yet: `async with`, or await open().")
        return self._client

    async def run(self, call: Callable[[Client], Result]) -> Result:
        """Await a function of the client.

        Raises:
            ConfigurationError: It was closed before the call began; nothing was sent.
            Exception: Whatever the call raises.
        """
        self._require_open()
        # The caller's context goes along, as `asyncio.to_thread` has it: traces and request ids.
        context = contextvars.copy_context()
        future = asyncio.get_running_loop().run_in_executor(
            self._pool, context.run, self._call, call
        )
        future.add_done_callback(_retrieve)
        # Waiting for it, unlike awaiting it, does not cancel it with the task.
        await asyncio.wait((future,))
        return future.result()

    def each(
        self, begin: Callable[[Client, Iteration[Item]], Iterator[Item]]
    ) -> AsyncGenerator[Item, None]:
        """Iterate over what a function of the client yields.

        Args:
            begin: Begins it, in the thread; what the task gave to iterate over goes through
                `Iteration.over`.

        Raises:
            ConfigurationError: It is closed.
        """
        self._require_open()

        def items(iteration: Iteration[Item]) -> Iterator[Item]:
            with self._under_way():
                yield from begin(self._opened(), iteration)

        return Iteration(items).items()

    async def open(self) -> None:
        """Make the client if there is none yet."""
        await self.run(lambda _client: None)

    async def listen(self, listener: Callable[[Change], None]) -> Callable[[], None]:
        """Have a function called, in this loop, whenever a write changes its status."""
        loop = asyncio.get_running_loop()

        def tell(change: Change) -> None:
            # Called in a thread of the outbox. A loop that has ended has no listener any more.
            if not loop.is_closed():
                loop.call_soon_threadsafe(listener, change)

        return await self.run(lambda client: client.listen(tell))

    async def close(self, wait_seconds: float) -> None:
        """Begin nothing from now on, and end the client and the threads."""
        self._is_closed = True
        # In a thread of the loop's own: those of the pool may all be waiting for a block.
        await asyncio.to_thread(self._end, wait_seconds)

    def __str__(self) -> str:
        return "not open" if self._client is None else str(self._client)

    # For threads

    def _call(self, call: Callable[[Client], Result]) -> Result:
        with self._under_way():
            return call(self._opened())

    def _opened(self) -> Client:
        if self._client is None:
            with self._making:
                self._require_open()
                if self._client is None and self._make is not None:
                    self._client = self._make()
        return self.client

    @contextmanager
    def _under_way(self) -> Iterator[None]:
        with self._counting:
            self._require_open()
            self._busy += 1
        try:
            yield
        finally:
            with self._counting:
                self._busy -= 1

    def _end(self, wait_seconds: float) -> None:
        # Whoever is making the client goes first; nobody begins to after that.
        with self._making:
            client = None if self._make is None else self._client
        if client is not None:
            client.close(wait_seconds)
            deadline = time.monotonic() + wait_seconds
            # A call that was about to hand something over did so meanwhile, and waits for it.
            while self._is_busy() and time.monotonic() < deadline:
                time.sleep(_PAUSE_SECONDS)
                client.close(_PAUSE_SECONDS)
        # Threads end after the calls they are busy with.
        self._pool.shutdown(wait=False)

    def _is_busy(self) -> bool:
        with self._counting:
            return self._busy > 0

    def _require_open(self) -> None:
        if self._is_closed:
            raise ConfigurationError("This client is closed and nothing was sent; open another.")


def _retrieve(future: asyncio.Future[Result]) -> None:
    """Take note of what nobody awaits any more, lest the loop report it as never retrieved."""
    if not future.cancelled():
        future.exception()
