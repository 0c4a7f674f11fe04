"""Blocking calls of many tasks, in threads of a pool."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from tael.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


class Calls:
    """Runs blocking calls in threads and lets tasks await them.

    A task that is cancelled stops waiting; the call goes on, also one that waits for a thread.

    Args:
        threads: How many calls run at once; more wait their turn.
    """

    def __init__(self, threads: int) -> None:
        if threads < 1:
            raise ConfigurationError(f"calls need at least one thread, not {threads}")
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="tael-async")
        self._closed = False
        self._guard = threading.Lock()
        self._busy = 0

    async def run(
        self,
        call: Callable[Arguments, Result],
        *args: Arguments.args,
        **kwargs: Arguments.kwargs,
    ) -> Result:
        """Await a call.

        Raises:
            ConfigurationError: It was closed before the call began; nothing was sent.
            Exception: Whatever the call raises.
        """
        self.require_open()
        # The caller's context goes along, as `asyncio.to_thread` has it: traces and request ids.
        context = contextvars.copy_context()
        begin = functools.partial(self._begin, functools.partial(call, *args, **kwargs))
        future = asyncio.get_running_loop().run_in_executor(self._pool, context.run, begin)
        future.add_done_callback(_retrieve)
        # Waiting for it, unlike awaiting it, does not cancel it with the task.
        await asyncio.wait((future,))
        return future.result()

    def require_open(self) -> None:
        """Refuse what is asked after the end.

        Raises:
            ConfigurationError: It is closed.
        """
        if self._closed:
            raise ConfigurationError("This client is closed and nothing was sent; open another.")

    @property
    def busy(self) -> int:
        """How many calls and iterations are under way."""
        return self._busy

    @contextmanager
    def under_way(self) -> Iterator[None]:
        """Something is under way as long as the block runs.

        Raises:
            ConfigurationError: It is closed.
        """
        self.require_open()
        with self._guard:
            self._busy += 1
        try:
            yield
        finally:
            with self._guard:
                self._busy -= 1

    def refuse(self) -> None:
        """Begin nothing from now on."""
        self._closed = True

    def end(self) -> None:
        """Let the threads end after the calls they are busy with."""
        self._pool.shutdown(wait=False)

    def _begin(self, call: Callable[[], Result]) -> Result:
        with self.under_way():
            return call()


def _retrieve(future: asyncio.Future[Result]) -> None:
    """Take note of what nobody awaits any more, lest the loop report it as never retrieved."""
    if not future.cancelled():
        future.exception()
