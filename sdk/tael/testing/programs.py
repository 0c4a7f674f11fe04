"""Where the programs are that make local chains."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from tael.errors import NodeStartError

NodeKind = Literal["anvil", "ganache"]

_ANVIL_PACKAGES = "@foundry-rs/anvil-{system}-{machine}/bin/anvil"
_MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}


def find_program(kind: NodeKind) -> list[str]:
    """The words that start a node program.

    Args:
        kind: `anvil` or `ganache`.

    Returns:
        The program TAEL_ANVIL or TAEL_GANACHE names, else that of a `node_modules` here or above,
        else that on PATH; the options follow behind it.

    Raises:
        NodeStartError: There is none, or it cannot be run; the message says what to do.
    """
    variable = f"TAEL_{kind.upper()}"
    named = os.environ.get(variable)
    if named:
        if not Path(named).is_file() or not os.access(named, os.X_OK):
            raise NodeStartError(f"{variable}={named} is not an executable file.")
        return [named]
    if kind == "anvil":
        # The binary itself: the shim that npm puts beside it hides how the binary ended.
        machine = os.uname().machine
        inside = _ANVIL_PACKAGES.format(
            system=os.uname().sysname.lower(), machine=_MACHINES.get(machine, machine)
        )
    else:
        inside = "ganache/dist/node/cli.js"
    for folder in folders_above():
        found = folder / "node_modules" / inside
        if found.is_file():
            return [str(found)] if kind == "anvil" else [_node_js(), str(found)]
    on_path = shutil.which(kind)
    if on_path is not None:
        return [on_path]
    raise NodeStartError(
        f"{kind} was not found. In a checkout run `make setup`; elsewhere install it and put it on "
        f"PATH, or name it in {variable}."
    )


def folders_above() -> Iterator[Path]:
    """This folder and those above it, then those above this module."""
    here = Path.cwd()
    yield from (here, *here.parents, *Path(__file__).resolve().parents)


def _node_js() -> str:
    named = os.environ.get("NODE") or shutil.which("node")
    if named is None:
        raise NodeStartError("Ganache needs Node.js 18 or newer, and `node` was not found on PATH.")
    return named
