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

from eth_account.hdaccount import key_from_seed
from eth_utils import keccak, to_checksum_address

from tael.chain.connection import Chain
from tael.chain.sender import Sender
from tael.chain.web3_reads import read
from tael.deployment.deploy import deploy
from tael.deployment.plan import DAY_SECONDS, DeploymentPlan
from tael.errors import SigningKeyError
from tael.known_keys import ACCOUNTS_PER_PHRASE, TEST_PHRASES
from tael.manifest import Manifest
from tael.money import Money
from tael.signers import PrivateKeySigner
from tael.testing import Node, NodeKind, start_node

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
        sender: What sends on it; use this one, so that nonces stay in order.
        manifest: What is deployed on it.
        manifest_path: Where the manifest is kept while the chain runs.
        signers: By name: `deployer` (no right left), `operator` (every governance role, scheme
            account), and the banks.
        spare: Funded accounts nothing was done with.
        phrase: The phrase all keys derive from.
        node: The node, if it was started here.
    """

    chain: Chain
    sender: Sender
    manifest: Manifest
    manifest_path: Path
    signers: Mapping[str, PrivateKeySigner]
    spare: Sequence[PrivateKeySigner]
    phrase: str = field(repr=False)
    node: Node | None = None

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
    node: Node | None = None,
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
    sender = Sender(chain)
    plan = DeploymentPlan.development(signers[OPERATOR].address, currencies=CURRENCIES)
    manifest = deploy(
        chain,
        signers[DEPLOYER],
        plan,
        manifest_path=manifest_path,
        sender=sender,
        progress=progress,
    )
    for currency in CURRENCIES:
        _open_accounts(sender, manifest, signers, currency)
        progress(f"{currency}: {len(BANKS)} banks admitted, {OPENING_BALANCE} issued to each")
    return Devnet(
        chain=chain,
        sender=sender,
        manifest=manifest,
        manifest_path=Path(manifest_path),
        signers=signers,
        spare=tuple(keys[len(_NAMES) : _funded(chain)]),
        phrase=phrase,
        node=node,
    )


def _open_accounts(
    sender: Sender, manifest: Manifest, signers: Mapping[str, PrivateKeySigner], currency: str
) -> None:
    chain = sender.chain
    address = manifest.token(currency)
    token = chain.contract("SettlementToken", address).functions
    amount_minor = Money.parse(OPENING_BALANCE, currency).amount_minor
    operator = signers[OPERATOR]

    def send(function: Any, reference: str) -> None:
        data = bytes.fromhex(function._encode_transaction_data()[2:])
        sender.send(operator, address, data, reference=reference)

    wanted = amount_minor * len(BANKS) * 2
    if chain.call(token.attestation())[0] < wanted:
        document = keccak(text="The devnet's reserve is made of nothing.")
        valid_before = chain.now() + RESERVE_DAYS * DAY_SECONDS
        send(token.attest(wanted, document, valid_before), f"devnet-attest-{currency}")
    for bank in BANKS:
        account = signers[bank].address
        if chain.call(token.statusOf(account)) == 0:
            send(token.admit(account), f"devnet-admit-{bank}-{currency}")
        bank_reference = keccak(text=f"devnet opening balance {bank} {currency}")
        if not chain.call(token.isIssued(bank_reference)):
            issue = token.issue(account, amount_minor, bank_reference)
            send(issue, f"devnet-issue-{bank}-{currency}")


def known_phrase(chain: Chain) -> str:
    """The public phrase a local chain's unlocked accounts derive from.

    Raises:
        SigningKeyError: The chain is not local, or the phrase is not known.
    """
    if not chain.is_local:
        raise SigningKeyError(f"chain {chain.chain_id} is not local: its keys must be your own")
    accounts = read(chain, lambda: list(chain.w3.eth.accounts))
    for phrase in TEST_PHRASES:
        if accounts and signers_of(phrase, 1)[0].address == to_checksum_address(accounts[0]):
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
    return [
        PrivateKeySigner.from_key(bytes(key_from_seed(seed, f"m/44'/60'/0'/0/{index}")))
        for index in range(count)
    ]


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
    return "0x" + bytes(key_from_seed(seed, f"m/44'/60'/0'/0/{_NAMES.index(name)}")).hex()


def _funded(chain: Chain) -> int:
    return min(ACCOUNTS_PER_PHRASE, read(chain, lambda: len(chain.w3.eth.accounts)))


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
