"""The chain: the node, its clock, what is deployed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tael.cli.checks.check import Check
from tael.cli.values import local_now
from tael.errors import ConfigurationError, NodeUnavailableError, TaelError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tael.chain import Chain
    from tael.cli.session import Session

SKEW_WARN_SECONDS = 60
STALE_WARN_SECONDS = 5 * 60
STALE_FAIL_SECONDS = 60 * 60

TIMEOUT_SECONDS = 5.0
RETRY_SECONDS = 2.0
"""How long a node may take, and is asked again: somebody waits for the answer."""


def look_at_chain(session: Session) -> Iterator[Check]:
    """The node, and what is on the chain that it serves."""
    from tael.chain import Chain

    try:
        settings = session.settings
    except ConfigurationError:
        return
    is_set = session.options.rpc_url or session.variables.get("TAEL_RPC_URL") or settings.network
    try:
        chain = Chain.connect(
            settings.rpc_urls, timeout_seconds=TIMEOUT_SECONDS, retry_seconds=RETRY_SECONDS
        )
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
    balance = chain.wei(address)
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
