"""The asynchronous client: `Client`'s methods, to be awaited."""

from __future__ import annotations

import asyncio
import functools
import threading
import time
from typing import TYPE_CHECKING, Any

from tael.aio.calls import Calls
from tael.aio.mirror import Mirror, awaited, mirror, public_methods
from tael.client import Client
from tael.errors import ConfigurationError
from tael.history import History
from tael.services import Balances, Directory, Operations, Participants, Payments

if TYPE_CHECKING:
    from collections.abc import Callable

    from tael.chain import Chain
    from tael.manifest import Manifest
    from tael.outbox import Change
    from tael.signers import Signer

__all__ = ["AsyncClient", "AsyncHistory", "MIRRORS", "SERVICES"]

THREADS = 64
_PAUSE_SECONDS = 0.05

SERVICES: dict[str, type] = {
    "balances": Balances,
    "directory": Directory,
    "operations": Operations,
    "participants": Participants,
    "payments": Payments,
}
"""The client's services, by attribute."""

MIRRORS = {name: mirror(kind, f"Async{kind.__name__}") for name, kind in SERVICES.items()}
AsyncHistory = mirror(History, "AsyncHistory")

# These are not coroutines of the client's method of the same name.
_OWN = frozenset({"close", "history", "listen"})


class AsyncClient(Mirror):
    """`Client` for asyncio: the same services and methods under the same names, to be awaited.

    Every call runs the very code of `Client` in a thread of this client's own, so many of them are
    in flight at once and share requests and commits. What yields one outcome after the other
    (`payments.authorize_each`, `charge_each`, `history().events`) is iterated with `async for`.

    Cancelling a task never cancels its write: what was asked for is journaled, signed and sent all
    the same. Ask with the same reference again, or `resolve` it. That also holds for a call that
    still waited for a thread, and for `asyncio.timeout`.

    Nothing happens before the first call, or before `async with`, which also ends the threads.

    Args:
        args: What `Client` takes.
        threads: How many calls run at once; more wait their turn. Each has a write in flight, so
            this bounds what one request to the node and one commit of the journal serve.
        kwargs: What `Client` takes.

    Raises:
        ConfigurationError: There is no thread.

    Example:
        >>> async def pay(bank: AsyncClient) -> None:
        ...     async with bank:
        ...         print(await bank.balances.of("CNY"))
    """

    __slots__ = ("_client", "_opening", "_owns_client", *SERVICES)

    def __init__(self, *args: Any, threads: int = THREADS, **kwargs: Any) -> None:
        self._start(functools.partial(Client, *args, **kwargs), threads)

    @classmethod
    def of(cls, client: Client, *, threads: int = THREADS) -> AsyncClient:
        """An asynchronous way to a client that is there; closing it leaves the client open."""
        made = cls.__new__(cls)
        made._start(lambda: client, threads)
        made._client = client
        made._owns_client = False
        return made

    def _start(self, make: Callable[[], Client], threads: int) -> None:
        super().__init__(Calls(threads), self._opened)
        self._opening = (threading.Lock(), make)
        self._client: Client | None = None
        self._owns_client = True
        for name, kind in MIRRORS.items():
            setattr(self, name, kind(self._calls, functools.partial(self._service, name)))

    async def open(self) -> None:
        """Connect and check the contracts, as `Client` does when it is made; repeats do nothing.

        Raises:
            TaelError: What `Client` raises.
        """
        await self._calls.run(self._opened)

    # What is not awaited

    @property
    def manifest(self) -> Manifest:
        """What is deployed."""
        return self._known().manifest

    @property
    def chain(self) -> Chain:
        """The chain."""
        return self._known().chain

    @property
    def signer(self) -> Signer | None:
        """Who signs; None if this client can only read."""
        return self._known().signer

    @property
    def participant(self) -> str:
        """Whose money moves and whose references these are."""
        return self._known().participant

    def history(self) -> Any:
        """The events of the deployment's tokens and escrow since it began."""
        return AsyncHistory(self._calls, lambda: self._opened().history())

    # What differs from the client's own

    async def listen(self, listener: Callable[[Change], None]) -> Callable[[], None]:
        """Have a function called, in this loop, whenever a write changes its status.

        Returns:
            A function that ends it.
        """
        loop = asyncio.get_running_loop()

        def tell(change: Change) -> None:
            # A loop that has ended has no listener any more.
            if not loop.is_closed():
                loop.call_soon_threadsafe(listener, change)

        return await self._calls.run(lambda: self._opened().listen(tell))

    async def close(self, wait_seconds: float = 2.0) -> None:
        """End the threads and connections. What is in flight stays in the journal.

        Calls that have not come back by then raise `OutcomeUnknownError`.

        Args:
            wait_seconds: How long to wait for a thread that is talking to a node.
        """
        self._calls.refuse()
        # In a thread of the loop's own: those of the pool may all be waiting for a block.
        await asyncio.to_thread(self._end, wait_seconds)

    async def __aenter__(self) -> AsyncClient:
        await self.open()
        return self

    async def __aexit__(self, *_error: object) -> None:
        # Cancelled or not, the threads end.
        await asyncio.shield(self.close())

    def __repr__(self) -> str:
        return f"AsyncClient({'not open' if self._client is None else self._client})"

    # Internals

    def _opened(self) -> Client:
        guard, make = self._opening
        if self._client is None:
            with guard:
                self._calls.require_open()
                if self._client is None:
                    self._client = make()
        return self._client

    def _end(self, wait_seconds: float) -> None:
        guard, _ = self._opening
        with guard:
            client = self._client if self._owns_client else None
        if client is not None:
            client.close(wait_seconds)
            deadline = time.monotonic() + wait_seconds
            # A call that was about to hand something over did so meanwhile, and waits for it.
            while self._calls.busy and time.monotonic() < deadline:
                time.sleep(_PAUSE_SECONDS)
                client.close(_PAUSE_SECONDS)
        self._calls.end()

    def _known(self) -> Client:
        if self._client is None:
            raise ConfigurationError("This client is not open yet: `async with`, or await open().")
        return self._client

    def _service(self, name: str) -> Any:
        return getattr(self._opened(), name)


for _name, _function in public_methods(Client).items():
    if _name not in _OWN:
        setattr(AsyncClient, _name, awaited(_function))
