"""`tael completion`: words completed by the shell."""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from tael.cli.command import Needs, command, group
from tael.cli.failures import UsageError
from tael.cli.session import Session

app = group("Completion.")


class Shell(StrEnum):
    """A shell whose words can be completed."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"
    POWERSHELL = "powershell"


@command(app, "completion", needs=Needs.NOTHING)
def completion(
    session: Session,
    shell: Annotated[
        Shell | None, typer.Argument(metavar="SHELL", help="bash, zsh, fish or powershell; yours.")
    ] = None,
) -> None:
    """Print the script that completes words in a shell."""
    from typer.completion import get_completion_script  # type: ignore[attr-defined]

    named = shell.value if shell else Path(os.environ.get("SHELL", "")).name
    if named not in set(Shell):
        raise UsageError("Name the shell: bash, zsh, fish or powershell.")
    script = get_completion_script(prog_name="tael", complete_var="_TAEL_COMPLETE", shell=named)
    session.output.result({"shell": named, "script": script}, script, bare=script)
