"""What every forked process does first."""

from __future__ import annotations

import ctypes
import os
import signal
from collections.abc import Collection

_PR_SET_PDEATHSIG = 1
_MOST_FILES = 512


def settle_in(keep: Collection[int] = ()) -> None:
    """Let go of the parent's files, and die when it does.

    A node is ended by closing its standard input; a child that still held it would keep it alive.

    Args:
        keep: Files that belong to this process.
    """
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for file in range(3, _MOST_FILES):
        if file not in keep:
            try:
                os.close(file)
            except OSError:
                continue
