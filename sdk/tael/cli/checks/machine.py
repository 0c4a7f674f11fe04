"""The machine: Python, packages, programs."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata, util
from pathlib import Path
from typing import TYPE_CHECKING

from tael.cli.checks.check import Check
from tael.errors import NodeStartError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tael.cli.session import Session
    from tael.testing import NodeKind

MIN_PYTHON = (3, 11)
MIN_NODE_JS = 18
SOLC_VERSION = "0.8.30"
_COMMAND_TIMEOUT_SECONDS = 20
_NAME = re.compile(r"[A-Za-z0-9._-]+")


def look_at_python(_session: Session) -> Iterator[Check]:
    """Which Python runs."""
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info[:2] < MIN_PYTHON:
        yield Check("python", "fail", version, "Install Python 3.11 or newer.")
    else:
        yield Check("python", "ok", f"{version} at {sys.executable}")


def look_at_packages(_session: Session) -> Iterator[Check]:
    """Whether the packages that tael needs are there, in versions that fit."""
    try:
        required = metadata.requires("tael") or []
        own = metadata.version("tael")
    except metadata.PackageNotFoundError:
        yield Check(
            "packages", "warn", "tael runs from its sources", "Install it: `pip install .`."
        )
        return
    names, problems = [], []
    for line in required:
        if "extra ==" in line:
            continue
        name = _NAME.match(line)
        found = None if name is None else version_of(name[0])
        if found is None and not _applies(line):
            continue
        if found is None or not _fits(line, found):
            problems.append(f"{line.split(';')[0].strip()} (found {found or 'none'})")
        elif name is not None and name[0] in {"web3", "eth-account", "typer"}:
            names.append(f"{name[0]} {found}")
    if problems:
        yield Check(
            "packages", "fail", ", ".join(problems), "Install tael again, with its dependencies."
        )
    else:
        yield Check("packages", "ok", ", ".join([f"tael {own}", *names]))
    if util.find_spec("coincurve") is None:
        yield Check(
            "signing",
            "warn",
            "coincurve is not installed: signing is ten times slower",
            "`pip install coincurve` on Python 3.13 or older.",
        )


def look_at_extras(_session: Session) -> Iterator[Check]:
    """What can be installed on top."""
    if util.find_spec("zxingcpp") and util.find_spec("PIL"):
        yield Check("extra images", "ok", f"zxing-cpp {version_of('zxing-cpp')}")
    else:
        yield Check(
            "extra images",
            "warn",
            "not installed: codes cannot be read from pictures",
            "`pip install 'tael[images]'`.",
        )
    brownie = version_of("eth-brownie")
    found = f"eth-brownie {brownie}" if brownie else "not installed; only `brownie run` needs it"
    yield Check("extra brownie", "ok", found)


def look_at_programs(_session: Session) -> Iterator[Check]:
    """Node programs, Node.js and the compiler."""
    looks: tuple[Callable[[], Check], ...] = (
        lambda: _local_chain("anvil"),
        lambda: _local_chain("ganache"),
        _node_js,
        _compiler,
    )
    # Each starts a program, and some take seconds to say their version.
    with ThreadPoolExecutor(max_workers=len(looks)) as pool:
        yield from pool.map(lambda look: look(), looks)


def _local_chain(kind: NodeKind) -> Check:
    from tael.testing.programs import find_program

    try:
        said = first_line_of([*find_program(kind), "--version"])
    except NodeStartError as error:
        return Check(kind, "warn", "not found: `tael devnet` needs one of the two", str(error))
    if not said:
        return Check(kind, "warn", "does not answer --version", f"Install {kind} anew.")
    return Check(kind, "ok", said)


def _node_js() -> Check:
    program = os.environ.get("NODE") or shutil.which("node")
    said = first_line_of([program, "--version"]) if program else ""
    if re.match(rf"v(?:{MIN_NODE_JS}|19|[2-9][0-9])\.", said):
        return Check("node.js", "ok", said)
    found = said or "not found"
    return Check("node.js", "warn", found, "Ganache and `make setup` need Node.js 18 or newer.")


def _compiler() -> Check:
    folders = [Path(os.environ.get("SOLCX_BINARY_PATH", "")), Path.home() / ".solcx"]
    folders += [each / "scripts" / "solc" for each in (Path.cwd(), *Path.cwd().parents)]
    for folder in folders:
        program = folder / f"solc-v{SOLC_VERSION}"
        if folder.name and os.access(program, os.X_OK):
            said = first_line_of([str(program), "--version"]).rsplit("Version: ", 1)[-1]
            if said.startswith(SOLC_VERSION):
                return Check("solc", "ok", said)
            return Check("solc", "warn", f"{program} does not work", "Run `make setup`.")
    return Check("solc", "ok", f"no {SOLC_VERSION} found; only compiling the contracts needs it")


def version_of(package: str) -> str | None:
    """The version that is installed; None if none is."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _fits(requirement: str, version: str) -> bool:
    try:
        from packaging.requirements import Requirement
    except ImportError:
        return True  # pip has checked it when it installed
    return Requirement(requirement).specifier.contains(version, prereleases=True)


def _applies(requirement: str) -> bool:
    try:
        from packaging.requirements import Requirement
    except ImportError:
        return ";" not in requirement
    marker = Requirement(requirement).marker
    return marker is None or marker.evaluate()


def first_line_of(words: list[str]) -> str:
    """What a program says first; empty if it does not run."""
    try:
        done = subprocess.run(
            words,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_COMMAND_TIMEOUT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    lines = [line.strip() for line in done.stdout.splitlines() if line.strip()]
    if done.returncode or not lines:
        return ""
    return next((line for line in lines if "ersion" in line), lines[0])
