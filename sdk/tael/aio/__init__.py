"""Tael for asyncio: `AsyncClient`, with the names of `Client`.

What type checkers and editors see is `__init__.pyi`, which `scripts/async_stub.py` makes from the
services' own signatures.
"""

from __future__ import annotations

from tael.aio.client import MIRRORS, AsyncClient, AsyncHistory

AsyncBalances = MIRRORS["balances"]
AsyncDirectory = MIRRORS["directory"]
AsyncOperations = MIRRORS["operations"]
AsyncParticipants = MIRRORS["participants"]
AsyncPayments = MIRRORS["payments"]

__all__ = [
    "AsyncBalances",
    "AsyncClient",
    "AsyncDirectory",
    "AsyncHistory",
    "AsyncOperations",
    "AsyncParticipants",
    "AsyncPayments",
]
