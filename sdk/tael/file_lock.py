"""One process at a time: a lock on a file, which ends with the process that holds it."""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tael.errors import AlreadyRunningError, ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["hold"]


@contextmanager
def hold(path: str | Path, *, refusal: str) -> Iterator[None]:
    """Hold a lock while the block runs; nobody waits for one that somebody else holds.

    The file is made for the lock and taken away with it. A process that is killed leaves the file
    behind and the lock free.

    Args:
        path: The lock's file; its folder is made if it is not there.
        refusal: What to say, and what to do now, where another process holds it.

    Raises:
        AlreadyRunningError: Another process, or another thread of this one, holds it.
        ConfigurationError: The file cannot be made.
    """
    file = Path(path)
    descriptor = _take(file, refusal)
    try:
        yield
    finally:
        # Before it is let go: afterwards the name may be the next holder's.
        file.unlink(missing_ok=True)
        os.close(descriptor)


def _take(file: Path, refusal: str) -> int:
    while True:
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise ConfigurationError(f"{file}: {error.strerror or error}") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise AlreadyRunningError(refusal) from None
        if _is_named(descriptor, file):
            return descriptor
        # Its last holder took the file away between our opening it and locking it.
        os.close(descriptor)


def _is_named(descriptor: int, file: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), file.stat())
    except FileNotFoundError:
        return False
