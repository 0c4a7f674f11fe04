"""A local chain with everything deployed: four banks, an operator, two currencies, money in hand.

For development, demonstrations and tests. Every key here is public.
"""

from __future__ import annotations

import hashlib
import socket
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tael.addresses import checksummed, is_address_form
from tael.chain.connection import Chain
from tael.client import Client
from tael.deployment.deploy import deploy
from tael.deployment.plan import DAY_SECONDS, DeploymentPlan
from tael.errors import SigningKeyError
from tael.known_keys import ACCOUNTS_PER_PHRASE, TEST_PHRASES
from tael.manifest import Manifest
from tael.money import Money
from tael.rpc import request
from tael.signers import PrivateKeySigner
from tael.store import Store
from tael.testing import LocalNode, NodeKind, start_node

PORT = 8545
CURRENCIES = ("CNY", "HKD")
BANKS = ("amber", "birch", "cedar", "dahlia")
OPERATOR = "operator"
DEPLOYER = "deployer"
OPENING_BALANCE = "10000000.00"
RESERVE_DAYS = 30

# Accounts of the node's phrase, in order; what follows is free for cards, merchants and delegates.
_NAMES = (DEPLOYER, OPERATOR, *BANKS)
_ACCOUNTS = 20


@dataclass(frozen=True, slots=True)
class Devnet:
    """A local chain that is ready to use.

    Attributes:
        chain: The connection to it.
        manifest: What is deployed on it.
        manifest_path: Where the manifest is kept while the chain runs.
        signers: By name: `deployer` (no right left), `operator` (every governance role, scheme
            account), and the banks.
        spare: Funded accounts nothing was done with.
        phrase: The phrase all keys derive from.
        node: The node, if it was started here.
    """

    chain: Chain
    manifest: Manifest
    manifest_path: Path
    signers: Mapping[str, PrivateKeySigner]
    spare: Sequence[PrivateKeySigner]
    phrase: str = field(repr=False)
    node: LocalNode | None = None

    @property
    def banks(self) -> dict[str, PrivateKeySigner]:
        """The four banks by name."""
        return {name: self.signers[name] for name in BANKS}

    @property
    def operator(self) -> PrivateKeySigner:
        """The operator: holds every governance role here, and the scheme account."""
        return self.signers[OPERATOR]


@contextmanager
def running(
    kind: NodeKind = "anvil",
    *,
    port: int | None = None,
    chain_id: int = 1337,
    block_time_seconds: int | None = None,
    idle_block_seconds: int | None = None,
    manifest_path: str | Path | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> Iterator[Devnet]:
    """Start a node, deploy, admit and fund; end everything with the `with` block.

    Args:
        kind: `anvil` or `ganache`.
        port: The port wanted; if it is taken, or None, a free one is used.
        chain_id: The chain id it reports.
        block_time_seconds: A block every so many seconds; None mines when a transaction arrives.
        idle_block_seconds: With a block per transaction: how long the chain may stand idle before
            it makes an empty one, so that its clock goes on; None lets it stand.
        manifest_path: Where the manifest is kept; None takes a temporary folder.
        progress: Told one line per step.

    Yields:
        The running devnet.

    Raises:
        NodeStartError: The program is missing or did not start; the message says what to do.

    Example:
        >>> with running("anvil") as devnet:  # doctest: +SKIP
        ...     print(devnet.manifest.escrow)
    """
    with ExitStack() as stack:
        if port is not None and not _is_free(port):
            progress(f"port {port} is taken by another program: using a free one")
            port = None
        node = stack.enter_context(
            start_node(
                kind,
                port=port,
                chain_id=chain_id,
                block_time_seconds=block_time_seconds,
                accounts=_ACCOUNTS,
            )
        )
        progress(f"{kind} at {node.url}, chain id {chain_id}")
        if manifest_path is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tael-devnet-")))
            path = Manifest.default_path(chain_id, folder)
        else:
            path = Path(manifest_path)
            stack.callback(path.unlink, missing_ok=True)
        devnet = prepare(Chain.connect(node.url), path, node=node, progress=progress)
        if idle_block_seconds is not None and block_time_seconds is None:
            stack.enter_context(node.mining_when_idle(idle_block_seconds))
            progress(f"a block for each transaction, and one after {idle_block_seconds} s without")
        yield devnet


def prepare(
    chain: Chain,
    manifest_path: str | Path,
    *,
    node: LocalNode | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> Devnet:
    """Deploy on a local chain that runs already, admit the banks and fund them.

    What is done already is not done again.

    Args:
        chain: A local chain whose accounts derive from a phrase that is public.
        manifest_path: Where the manifest is kept.
        node: The node, if it was started here.
        progress: Told one line per step.

    Raises:
        SigningKeyError: The chain is not local, or its accounts derive from no known phrase.
    """
    phrase = known_phrase(chain)
    keys = signers_of(phrase, ACCOUNTS_PER_PHRASE)
    signers = dict(zip(_NAMES, keys, strict=False))
    plan = DeploymentPlan.development(signers[OPERATOR].address, currencies=CURRENCIES)
    # The chain itself does not outlast the process that began it.
    store = Store.temporary()
    manifest = deploy(
        chain,
        signers[DEPLOYER],
        plan,
        manifest_path=manifest_path,
        store=store,
        progress=progress,
    )
    with Client(chain, manifest, signers[OPERATOR], store=store) as operator:
        for currency in CURRENCIES:
            _open_accounts(operator, [signers[bank].address for bank in BANKS], currency)
            progress(f"{currency}: {len(BANKS)} banks admitted, {OPENING_BALANCE} issued to each")
    store.close()
    return Devnet(
        chain=chain,
        manifest=manifest,
        manifest_path=Path(manifest_path),
        signers=signers,
        spare=tuple(keys[len(_NAMES) : _funded(chain)]),
        phrase=phrase,
        node=node,
    )


def _open_accounts(operator: Client, banks: Sequence[str], currency: str) -> None:
    amount = Money.parse(OPENING_BALANCE, currency)
    reserve = Money(amount.currency, amount.amount_minor * len(banks) * 2)
    participants = operator.participants
    if operator.balances.reserve(currency).amount < reserve:
        participants.attest(
            reserve,
            document=b"The devnet's reserve is made of nothing.",
            valid_before=operator.now() + RESERVE_DAYS * DAY_SECONDS,
            reference=f"devnet-attest-{currency}",
        )
    for number, bank in enumerate(banks):
        participants.admit(bank, currency, reference=f"devnet-admit-{number}-{currency}")
        operator.balances.issue(bank, amount, reference=f"devnet-issue-{number}-{currency}")


def known_phrase(chain: Chain) -> str:
    """The public phrase a local chain's unlocked accounts derive from.

    Raises:
        SigningKeyError: The chain is not local, or the phrase is not known.
    """
    if not chain.is_local:
        raise SigningKeyError(f"chain {chain.chain_id} is not local: its keys must be your own")
    accounts = _accounts(chain)
    for phrase in TEST_PHRASES:
        if accounts and signers_of(phrase, 1)[0].address == accounts[0]:
            return phrase
    raise SigningKeyError(
        "the node's accounts derive from no phrase known here: set TAEL_KEY to the key of one"
    )


def signers_of(phrase: str, count: int) -> list[PrivateKeySigner]:
    """Signers for the first accounts of a phrase (`m/44'/60'/0'/0/i`), in order.

    Args:
        phrase: The words.
        count: How many.
    """
    # BIP-39 without a checksum of the words: Ganache takes any phrase, `brownie` for example.
    seed = hashlib.pbkdf2_hmac("sha512", phrase.encode(), b"mnemonic", 2048)
    return [PrivateKeySigner.from_key(_key(seed, index)) for index in range(count)]


def describe(devnet: Devnet) -> str:
    """What to paste into a shell, and who is who."""
    lines = [
        "# paste into a shell or a .env file",
        f"export TAEL_RPC_URL={devnet.chain.url}",
        f"export TAEL_CHAIN_ID={devnet.chain.chain_id}",
        f"export TAEL_MANIFEST={devnet.manifest_path.resolve()}",
        f"export TAEL_KEY={_public_key_of(devnet, OPERATOR)}",
        "",
        f"governance  {devnet.manifest.governance}",
        f"escrow      {devnet.manifest.escrow}",
        *(f"{alpha:<11} {address}" for alpha, address in devnet.manifest.tokens.items()),
        "",
        "accounts, all keys public (TAEL_KEY above is the operator's):",
        *(
            f"{name:<11} {signer.address} {_public_key_of(devnet, name)}"
            for name, signer in devnet.signers.items()
        ),
        f"{len(devnet.spare)} more funded accounts derive from: {devnet.phrase}",
    ]
    return "\n".join(lines)


def require_alive(devnet: Devnet) -> None:
    """Make sure that the node still answers.

    Raises:
        NodeError: It ended by itself, or hangs; its log says why.
    """
    if devnet.node is not None:
        devnet.node.block_number()


def to_dict(devnet: Devnet) -> dict[str, Any]:
    """The devnet as plain values, ready for JSON."""
    return {
        "rpc_url": devnet.chain.url,
        "chain_id": devnet.chain.chain_id,
        "manifest": str(devnet.manifest_path.resolve()),
        "governance": devnet.manifest.governance,
        "escrow": devnet.manifest.escrow,
        "tokens": devnet.manifest.tokens,
        "accounts": {
            name: {"address": signer.address, "key": _public_key_of(devnet, name)}
            for name, signer in devnet.signers.items()
        },
        "phrase": devnet.phrase,
    }


def _public_key_of(devnet: Devnet, name: str) -> str:
    """A private key that is public knowledge, derived again: signers do not give theirs away."""
    seed = hashlib.pbkdf2_hmac("sha512", devnet.phrase.encode(), b"mnemonic", 2048)
    return "0x" + _key(seed, _NAMES.index(name)).hex()


def _funded(chain: Chain) -> int:
    return min(ACCOUNTS_PER_PHRASE, len(_accounts(chain)))


def _accounts(chain: Chain) -> list[str]:
    """The node's unlocked accounts, in order, checksummed."""
    answer = request(chain, "eth_accounts")
    accounts = answer if isinstance(answer, list) else []
    return [checksummed(each) for each in accounts if is_address_form(each)]


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _key(seed: bytes, index: int) -> bytes:
    """The key of an account of a phrase, as every wallet derives it (BIP-44)."""
    from eth_account.hdaccount import key_from_seed

    return bytes(key_from_seed(seed, f"m/44'/60'/0'/0/{index}"))
