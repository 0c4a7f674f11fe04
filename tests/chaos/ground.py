"""The chain every seed begins on: built once for a run, then started anew from its saved state."""

from __future__ import annotations

import contextlib
import gzip
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from eth_utils.crypto import keccak

from tael import Money, PrivateKeySigner
from tael.manifest import Manifest
from tael.models import PreparedPayment, SignedPayment
from tael.terms import Terms
from tael.testing import LocalNode, start_node
from tael.testing.nodes import MNEMONIC, NodeKind
from tael.typed_data import escrow_domain
from tests.chaos.identity import Identity
from tests.chaos.work import Payment, Sheet
from tests.support.sending import send
from tests.support.world import ROLES, World, build_world, key_of

ACCOUNTS = 20
DAY_SECONDS = 86_400
HOLD_DAYS, REFUND_DAYS = 10, 30


@dataclass(frozen=True)
class Ground:
    """A deployed chain at rest.

    Args:
        kind: Which program it belongs to.
        saved: Where its state is: a file of Anvil's or a folder of Ganache's.
        manifest: What is deployed, as JSON.
        head: Its latest block.
        now: That block's time.
        shops: Merchant ids by acquirer.
    """

    kind: NodeKind
    saved: Path
    manifest: str
    head: int
    now: int
    shops: dict[str, bytes]

    @property
    def deployed(self) -> Manifest:
        """What is deployed."""
        return Manifest.from_dict(json.loads(self.manifest))


def build_ground(kind: NodeKind, folder: Path) -> Ground:
    """Deploy, open the banks' accounts, and save the chain."""
    folder.mkdir(parents=True, exist_ok=True)
    saved = folder / ("ganache" if kind == "ganache" else "anvil.json")
    arguments: list[str] = []
    if kind == "ganache":
        shutil.rmtree(saved, ignore_errors=True)
        saved.mkdir()
        arguments = ["--database.dbPath", str(saved)]
    with start_node(kind, accounts=ACCOUNTS, arguments=arguments) as node:
        world = build_world(node)
        if kind == "ganache":
            _use_once(world)
        world.chain.close()
        if kind == "anvil":
            save_anvil(node, saved)
        manifest = json.dumps(world.manifest.to_dict())
        return Ground(kind, saved, manifest, node.block_number(), node.timestamp(), world.shops)


def _use_once(world: World) -> None:
    """Use up each key's nonce 0: Ganache runs that transaction again when it is sent again."""
    for signer in world.signers.values():
        send(world.chain, signer, signer.address)


def save_anvil(node: LocalNode, path: Path) -> None:
    """Write down Anvil's chain with the states of its past blocks."""
    first = node.rpc("eth_getBlockByNumber", "0x0", False)["timestamp"]
    state = json.loads(gzip.decompress(bytes.fromhex(node.rpc("anvil_dumpState", True)[2:])))
    # Beside the chain's own first block it writes one that it made itself when it was started.
    state["blocks"] = [
        block
        for block in state["blocks"]
        if int(block["header"]["number"], 16) > 0 or block["header"]["timestamp"] == first
    ]
    path.write_text(json.dumps(state))


class Stage:
    """The node of one seed: started, killed and started again with what it had.

    Args:
        ground: What it begins with.
        folder: The seed's own.
        block_seconds: Time between blocks; None mines each transaction at once.
    """

    def __init__(self, ground: Ground, folder: Path, block_seconds: float | None) -> None:
        self.ground = ground
        self._folder = folder
        self._block_seconds = block_seconds
        self._stack = contextlib.ExitStack()
        self._saved = ground.saved
        if ground.kind == "ganache":
            self._saved = folder / "ganache"
            shutil.copytree(ground.saved, self._saved)
        self.node = self._start()

    def kill(self) -> None:
        """Kill the node with SIGKILL; what it had mined is kept, what waited is lost.

        Anvil writes its chain down only when it is asked, so nobody may be talking to it now.
        """
        if self.ground.kind == "anvil":
            self._saved = self._folder / "anvil.json"
            save_anvil(self.node, self._saved)
        self._stack.close()

    def restart(self) -> None:
        """Start it again."""
        self._stack = contextlib.ExitStack()
        self.node = self._start()

    def reorganise(self, depth: int) -> None:
        """Put other, empty blocks in place of the latest ones; what was in these is forgotten.

        Anvil has no way back to before it was started.
        """
        depth = min(depth, self.node.block_number() - self._first - 1)
        if depth > 0:
            self.node.rpc("anvil_reorg", depth, [])

    def stall(self) -> None:
        """Take transactions and mine none."""
        if self.ground.kind == "anvil":
            self.node.rpc("evm_setAutomine", False)
        else:
            self.node.rpc("miner_stop")

    def go_on(self) -> None:
        """Mine again, also what waits."""
        if self.ground.kind == "anvil":
            self.node.rpc("evm_setAutomine", True)
            self.node.rpc("evm_mine")
        else:
            self.node.rpc("miner_start")

    def close(self) -> None:
        """End it."""
        self._stack.close()

    def _start(self) -> LocalNode:
        whole_seconds = None
        if self.ground.kind == "anvil":
            arguments = ["--load-state", str(self._saved), "--preserve-historical-states"]
            if self._block_seconds is not None:
                arguments += ["--block-time", str(self._block_seconds)]
        else:
            arguments = ["--database.dbPath", str(self._saved)]
            whole_seconds = None if self._block_seconds is None else int(self._block_seconds)
        node = self._stack.enter_context(
            start_node(
                self.ground.kind,
                block_time_seconds=whole_seconds,
                accounts=ACCOUNTS,
                arguments=arguments,
                log_folder=self._folder,
            )
        )
        self._first = node.block_number()
        return node


@cache
def keys() -> dict[str, bytes]:
    """The keys by role."""
    return {role: key_of(MNEMONIC, role) for role in ROLES}


@cache
def signers() -> dict[str, PrivateKeySigner]:
    """Who signs, by role."""
    return {role: PrivateKeySigner.from_key(key) for role, key in keys().items()}


def secret_of(role: str) -> bytes:
    """The reference secret of a participant."""
    return keccak(text=f"the reference secret of the {role}")


def make_sheet(ground: Ground, payments: dict[str, Payment]) -> Sheet:
    """Prepare and sign payments, and say who is who."""
    signer_of = signers()
    manifest = ground.deployed
    domain = escrow_domain(manifest.chain_id, manifest.escrow)
    signed, amounts = {}, {}
    for reference, payment in payments.items():
        amount = Money(payment.currency, payment.amount_minor)
        issuer = signer_of[payment.issuer].address
        identity = Identity(issuer, secret_of(payment.issuer))
        authorize_before = ground.now + payment.authorize_seconds
        capture_before = authorize_before + HOLD_DAYS * DAY_SECONDS
        terms = Terms(
            issuer=issuer,
            acquirer=signer_of[payment.acquirer].address,
            token=manifest.token(payment.currency),
            merchant=ground.shops[payment.acquirer],
            card=signer_of[payment.card].address,
            amount_minor=payment.amount_minor,
            authorize_before=authorize_before,
            capture_before=capture_before,
            refund_before=capture_before + REFUND_DAYS * DAY_SECONDS,
            interchange_bps=100,
            uetr=identity.uetr(reference),
            reference_hash=identity.commitment("payment", reference),
        )
        id_ = terms.payment_id(domain)
        prepared = PreparedPayment(id_, terms, amount, reference)
        signed[reference] = SignedPayment(prepared, signer_of[payment.card].sign_digest(id_))
        amounts[reference] = amount
    addresses = {role: key.address for role, key in signer_of.items()}
    return Sheet(addresses, signed, amounts)


def read_json(text: str) -> Any:
    """One line of a log; None where a process was killed in the middle of writing it."""
    try:
        return json.loads(text)
    except ValueError:
        return None


def lines(path: Path) -> Iterator[dict[str, Any]]:
    """What a client wrote down, line by line."""
    if path.exists():
        for line in path.read_text().splitlines():
            value = read_json(line)
            if value is not None:
                yield value
