"""Tael for asyncio: `AsyncClient`, with the names of `Client`.

`client.py` is written by `scripts/async_client.py` from `Client` and its services. Two modules are
written by hand: `connection.py`, where tasks wait for threads, and `iteration.py`, where a task
reads what a thread yields.
"""

from tael.aio.client import (
    AsyncBalances,
    AsyncClient,
    AsyncDirectory,
    AsyncHistory,
    AsyncOperations,
    AsyncParticipants,
    AsyncPayments,
)

__all__ = [
    "AsyncBalances",
    "AsyncClient",
    "AsyncDirectory",
    "AsyncHistory",
    "AsyncOperations",
    "AsyncParticipants",
    "AsyncPayments",
]
