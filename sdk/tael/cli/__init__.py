"""The command line: `tael`.

Every command is in a module of `tael.cli.commands` and is imported when it is called, so that help
and completion load neither web3 nor the reader of codes.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: The words after `tael`; None takes those of this process.

    Returns:
        The exit code; `tael.cli.failures.ExitCode` lists them.
    """
    try:
        # Inside, so that an impatient Ctrl-C during the import is met too.
        from tael.cli.app import run

        return run(sys.argv[1:] if arguments is None else list(arguments))
    except KeyboardInterrupt:
        return 130
