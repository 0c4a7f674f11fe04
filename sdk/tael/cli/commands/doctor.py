"""`tael doctor`: what is wrong with the environment, and what to do about it."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import metadata, util
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from tael.cli.command import Needs, command, group
from tael.cli.failures import ExitCode, describe
from tael.cli.session import PARTICIPANT_VARIABLE, REFERENCE_SECRET_VARIABLE, Session
from tael.cli.values import local_now
from tael.errors import ConfigurationError, NodeUnavailableError, TaelError

if TYPE_CHECKING:
    from rich.text import Text

    from tael.chain import Chain
    from tael.testing import NodeKind

app = group("Doctor.")

Status = Literal["ok", "warn", "fail"]

MIN_PYTHON = (3, 11)
MIN_NODE_JS = 18
SOLC_VERSION = "0.8.30"
SKEW_WARN_SECONDS = 60
STALE_WARN_SECONDS = 5 * 60
STALE_FAIL_SECONDS = 60 * 60
_COMMAND_TIMEOUT_SECONDS = 20
_MARKS = {"ok": ("✓ ok", "green"), "warn": ("! warn", "yellow"), "fail": ("✗ fail", "bold red")}
_NAME = re.compile(r"[A-Za-z0-9._-]+")


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Args:
        name: What.
        status: `ok`, `warn` (something will not work, or could be better) or `fail`.
        found: What was found.
        what_now: What to do; empty if nothing.
    """

    name: str
    status: Status
    found: str
    what_now: str = ""

    def to_dict(self) -> dict[str, str]:
        """For programs."""
        return {
            "check": self.name,
            "status": self.status,
            "found": self.found,
            "what_now": self.what_now,
        }


@command(app, "doctor", needs=Needs.KEY)
def doctor(session: Session) -> int:
    """Say what is wrong with the environment."""
    output = session.output
    checks: list[Check] = []
    with output.working("looking around"):
        for look in (_python, _packages, _extras, _programs, _settings, _key, _participant, _node):
            checks += _looked(look, session)
    count = {word: sum(each.status == word for each in checks) for word in _MARKS}
    document = {
        "ok": not count["fail"],
        "checks": [each.to_dict() for each in checks],
        "counts": count,
    }
    rows = [[_mark(session, each), each.name, each.found, each.what_now] for each in checks]
    verdict = f"{count['ok']} ok, {count['warn']} warnings, {count['fail']} failures"
    style = "bold red" if count["fail"] else "yellow" if count["warn"] else "green"
    output.result(
        document,
        [output.table(["", "CHECK", "FOUND", "WHAT TO DO"], rows), output.styled(verdict, style)],
        bare=verdict,
    )
    return ExitCode.REFUSED if count["fail"] else ExitCode.OK


def _looked(look: Callable[[Session], Iterator[Check]], session: Session) -> Iterator[Check]:
    """What a look finds; what it stumbles over is a finding too."""
    try:
        yield from look(session)
    except TaelError as error:
        failure = describe(error)
        yield Check(look.__name__.strip("_"), "fail", failure.message, failure.what_now)


def _mark(session: Session, check: Check) -> Text:
    words, style = _MARKS[check.status]
    mark: Any = session.output.styled(words, style)
    return mark  # type: ignore[no-any-return]


# The machine


def _python(_session: Session) -> Iterator[Check]:
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info[:2] < MIN_PYTHON:
        yield Check("python", "fail", version, "Install Python 3.11 or newer.")
    else:
        yield Check("python", "ok", f"{version} at {sys.executable}")


def _packages(_session: Session) -> Iterator[Check]:
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
        found = None if name is None else _version(name[0])
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


def _extras(_session: Session) -> Iterator[Check]:
    if util.find_spec("zxingcpp") and util.find_spec("PIL"):
        yield Check("extra images", "ok", f"zxing-cpp {_version('zxing-cpp')}")
    else:
        yield Check(
            "extra images",
            "warn",
            "not installed: codes cannot be read from pictures",
            "`pip install 'tael[images]'`.",
        )
    brownie = _version("eth-brownie")
    found = f"eth-brownie {brownie}" if brownie else "not installed; only `brownie run` needs it"
    yield Check("extra brownie", "ok", found)


def _programs(_session: Session) -> Iterator[Check]:
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
    from tael.errors import NodeStartError
    from tael.testing.programs import find_program

    try:
        said = _said([*find_program(kind), "--version"])
    except NodeStartError as error:
        return Check(kind, "warn", "not found: `tael devnet` needs one of the two", str(error))
    if not said:
        return Check(kind, "warn", "does not answer --version", f"Install {kind} anew.")
    return Check(kind, "ok", said)


def _node_js() -> Check:
    program = os.environ.get("NODE") or shutil.which("node")
    said = _said([program, "--version"]) if program else ""
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
            said = _said([str(program), "--version"]).rsplit("Version: ", 1)[-1]
            if said.startswith(SOLC_VERSION):
                return Check("solc", "ok", said)
            return Check("solc", "warn", f"{program} does not work", "Run `make setup`.")
    return Check("solc", "ok", f"no {SOLC_VERSION} found; only compiling the contracts needs it")


# Settings


def _settings(session: Session) -> Iterator[Check]:
    path = session.options.env_file or Path(".env")
    try:
        settings = session.settings
    except ConfigurationError as error:
        yield Check("settings", "fail", error.message, "Correct it; nothing else could be checked.")
        return
    where = str(path) if path.is_file() else "the environment alone"
    yield Check("settings", "ok", f"{settings}, from {where}")
    for name in ("keystore", "plan", "manifest"):
        file: Path | None = getattr(settings, name)
        if file is not None and not file.is_file():
            status: Status = "warn" if name == "manifest" else "fail"
            yield Check(name, status, f"there is no file {file}", f"Correct TAEL_{name.upper()}.")
    password_file = session.variables.get("TAEL_KEYSTORE_PASSWORD_FILE")
    secrets = [settings.keystore, session.options.key.keystore]
    secrets.append(Path(password_file) if password_file else None)
    for secret in secrets:
        if secret is not None and secret.is_file():
            yield _permissions(secret)


def _permissions(file: Path) -> Check:
    mode = stat.S_IMODE(file.stat().st_mode)
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        return Check(
            "key file",
            "fail",
            f"{file} can be reached by others (mode {mode:o})",
            f"Run `chmod 600 {file}`.",
        )
    return Check("key file", "ok", f"{file} is yours alone (mode {mode:o})")


def _key(session: Session) -> Iterator[Check]:
    from tael.signers import is_test_address

    try:
        settings = session.settings
    except ConfigurationError:
        return
    if not (settings.has_signer or session.options.key.is_named):
        yield Check(
            "key",
            "warn",
            "none is set: commands can only read",
            "Set TAEL_KEYSTORE or TAEL_KEY.",
        )
        return
    address = session.signer.address
    known = ", a test account that everybody knows" if is_test_address(address) else ""
    yield Check("key", "ok", f"signs for {address}{known}")


def _participant(session: Session) -> Iterator[Check]:
    from tael.chain import require_address

    try:
        who, secret = session.participant, session.variables.get(REFERENCE_SECRET_VARIABLE)
    except ConfigurationError:
        return
    if secret and not re.fullmatch(r"(?:0x)?(?:[0-9a-fA-F]{2}){32,}", secret, re.ASCII):
        yield Check(
            "reference secret",
            "fail",
            f"{REFERENCE_SECRET_VARIABLE} is no 64 hexadecimal digits or more",
            "Make one: `python -c 'import secrets; print(secrets.token_hex(32))'`.",
        )
    if who is None:
        return
    require_address(who, name=PARTICIPANT_VARIABLE)
    if secret:
        yield Check("participant", "ok", f"acts for {who}")
    else:
        yield Check(
            "participant",
            "warn",
            f"acts for {who}, and {REFERENCE_SECRET_VARIABLE} is not set",
            "A delegate cannot write without the participant's reference secret.",
        )


# The chain


def _node(session: Session) -> Iterator[Check]:
    from tael.chain import Chain

    try:
        settings = session.settings
    except ConfigurationError:
        return
    is_set = session.options.rpc_url or session.variables.get("TAEL_RPC_URL") or settings.network
    try:
        chain = Chain.connect(settings.rpc_url, timeout_seconds=5, retry_seconds=2)
    except NodeUnavailableError as error:
        what_now = "Start the node or correct TAEL_RPC_URL." if is_set else (
            "Set TAEL_RPC_URL, or start a local chain with `tael devnet`."
        )  # fmt: skip
        yield Check("node", "fail" if is_set else "warn", error.message, what_now)
        return
    kind = "local" if chain.is_local else "not local"
    yield Check("node", "ok", f"chain {chain.chain_id} ({kind}), {chain.client_version}")
    if settings.chain_id not in (None, chain.chain_id):
        yield Check(
            "chain id",
            "fail",
            f"TAEL_CHAIN_ID is {settings.chain_id}, the node serves {chain.chain_id}",
            "Connect to the right node; sign nothing for this one.",
        )
    yield _clock(chain)
    yield from _account(session, chain)
    yield from _deployment(session, chain)


def _clock(chain: Chain) -> Check:
    ahead = chain.now() - local_now()
    if ahead > SKEW_WARN_SECONDS:
        return Check(
            "clock",
            "warn",
            f"the chain is {ahead} s ahead of this machine",
            "Deadlines obey the chain; set this machine's clock, or mind it."
            if not chain.is_local
            else "A local chain's clock was moved; deadlines obey it.",
        )
    if chain.is_local or -ahead < STALE_WARN_SECONDS:
        return Check("clock", "ok", f"latest block {-ahead} s ago by this machine's clock")
    return Check(
        "clock",
        "fail" if -ahead >= STALE_FAIL_SECONDS else "warn",
        f"the latest block is {-ahead} s old",
        "The node is behind, or this machine's clock is wrong; use another node.",
    )


def _account(session: Session, chain: Chain) -> Iterator[Check]:
    from tael.signers import is_test_address

    try:
        if not (session.options.key.is_named or session.settings.has_signer):
            return
        signer = session.signer
    except TaelError:
        return  # told by the look at the key
    if is_test_address(signer.address) and not chain.is_local:
        yield Check(
            "test key",
            "fail",
            f"{signer.address} is known to everybody, and chain {chain.chain_id} is not local",
            "Use a key of your own; take away what the account holds.",
        )
    address: Any = signer.address
    balance = chain.read(lambda: int(chain.w3.eth.get_balance(address)))
    if balance:
        yield Check("gas", "ok", f"{signer.address} has {balance / 10**18:.6f} ether")
    else:
        yield Check(
            "gas",
            "warn",
            f"{signer.address} has no ether",
            "Fund it; without gas nothing can be sent.",
        )


def _deployment(session: Session, chain: Chain) -> Iterator[Check]:
    from tael.manifest import Manifest

    path = session.settings.manifest_path(chain.chain_id)
    if not path.is_file():
        yield Check(
            "manifest",
            "warn",
            f"there is no {path}",
            "Name it in TAEL_MANIFEST, or deploy with `tael deploy`.",
        )
        return
    try:
        manifest = Manifest.load(path)
        manifest.require_chain(chain)
    except ConfigurationError as error:
        yield Check("manifest", "fail", error.message, "Name the manifest of this chain.")
        return
    if not manifest.complete:
        yield Check(
            "manifest", "fail", f"{path}: deployment is not finished", "Run `tael deploy` again."
        )
        return
    yield Check("manifest", "ok", f"{path}: {', '.join(manifest.tokens)}")
    wrong = []
    for key in manifest.contracts:
        try:
            manifest.check_code(chain, key)
        except ConfigurationError as error:
            wrong.append(error.message)
    if wrong:
        yield Check(
            "code", "fail", "; ".join(wrong), "Send nothing there; find out what was deployed."
        )
    else:
        count = len(manifest.contracts)
        yield Check("code", "ok", f"{count} contracts have the code that was deployed")


# Small helpers


def _version(package: str) -> str | None:
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


def _said(words: list[str]) -> str:
    """The first line a program says; empty if it does not run."""
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
