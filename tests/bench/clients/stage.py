"""What every client of the throughput bench runs on: a node, a deployed token, a funded bank."""

from __future__ import annotations

import os
import resource
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

from eth_utils import keccak

from tael import devnet
from tael.chain import Chain, load
from tael.rpc import request
from tael.testing import LocalNode, start_node

ROOT = Path(__file__).resolve().parents[3]

Mining = Literal["at_once", "by_interval", "in_large_blocks"]

INTERVAL_SECONDS = "0.1"
"""Anvil loses pipelined transactions when each is mined as it comes: blocks come by the clock."""

BLOCK_GAS = 200_000_000
"""What networks of banks set: Anvil's own limit would let two full batches into a block, and what a
block costs this node grows with the state behind it."""
LARGE_BLOCK_GAS = 1_000_000_000
LARGE_BLOCK_SECONDS = 1

TRANSFER_GAS = 60_000
MAX_FEE_WEI = 100 * 10**9
TIP_WEI = 10**9
WAIT_SECONDS = 120


class ClientFailed(Exception):  # noqa: N818 - a result of the bench, not an error of it
    """A client did not make its transfers, and why: that too is told."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Where a run takes place.

    Attributes:
        node: The node.
        chain: A connection of ours to it, for what is not measured.
        token: Address of the settlement token.
        sender: Address of the bank that pays.
        key: Its private key, public as all keys of a development chain.
        recipient: Address of the bank that is paid.
        mining: When the node makes blocks.
        world: The whole deployment, for clients of ours.
    """

    node: LocalNode
    chain: Chain
    token: str
    sender: str
    key: str
    recipient: str
    mining: Mining
    world: devnet.Devnet

    @property
    def call_data(self) -> bytes:
        """`transfer(recipient, 1)`."""
        selector = keccak(text="transfer(address,uint256)")[:4]
        return selector + bytes.fromhex(self.recipient[2:]).rjust(32, b"\0") + bytes(31) + b"\1"

    @property
    def abi(self) -> list[dict[str, Any]]:
        """The token's."""
        return [dict(entry) for entry in load("SettlementToken").abi]

    def next_nonce(self) -> int:
        """How many transactions of the sender are in blocks."""
        return int(request(self.chain, "eth_getTransactionCount", self.sender, "latest"), 16)

    def received(self) -> int:
        """What the recipient has, in minor units: each transfer adds one."""
        data = keccak(text="balanceOf(address)")[:4] + bytes.fromhex(self.recipient[2:]).rjust(
            32, b"\0"
        )
        call = {"to": self.token, "data": "0x" + data.hex()}
        return int(request(self.chain, "eth_call", call, "latest"), 16)

    def wait_for_nonce(self, nonce: int) -> None:
        """Wait until that many transactions of the sender are in blocks.

        Raises:
            ClientFailed: They never were.
        """
        deadline = time.monotonic() + WAIT_SECONDS
        while self.next_nonce() < nonce:
            if time.monotonic() > deadline:
                left = nonce - self.next_nonce()
                raise ClientFailed(f"{left} transactions never came into a block")
            time.sleep(0.01)


@dataclass(frozen=True, slots=True)
class Row:
    """What one client did on one node.

    Attributes:
        node: `anvil` or `ganache`.
        client: Which client, and how it sends.
        count: How many transfers.
        seconds: From the first call until the last transfer is in a block.
        per_second: Transfers per second.
        cpu_seconds: Processor time the client took.
        node_cpu_seconds: Processor time the node took; None where the system does not tell.
    """

    node: str
    client: str
    count: int
    seconds: float
    per_second: float
    cpu_seconds: float
    node_cpu_seconds: float | None

    def as_json(self) -> dict[str, Any]:
        """As `throughput.json` has it, rounded to what can be told apart."""
        return {
            name: round(value, 3) if isinstance(value, float) else value
            for name, value in asdict(self).items()
        }


@dataclass(frozen=True, slots=True)
class Client:
    """A way to make transfers.

    Attributes:
        name: What it is called in the result.
        run: Makes so many transfers and returns when all are in blocks. It may return the seconds
            and processor seconds it measured by itself, if it has to load something first.
        mining: What it needs of the node.
        counts: How many transfers on each kind of node, so that a run takes some seconds.
        effect: Counts on the chain what was done, so that only what happened is measured.
    """

    name: str
    run: Callable[[Stage, int], tuple[float, float] | None]
    mining: Mining
    counts: dict[str, int]
    effect: Callable[[Stage], int] = Stage.received


def measure(stage: Stage, client: Client, count: int) -> Row:
    """Run a client and check that the transfers were made.

    Raises:
        ClientFailed: The recipient has not got exactly what was sent.
    """
    before, node_before = client.effect(stage), node_cpu_seconds(stage.node)
    started, cpu_started = time.perf_counter(), cpu_seconds()
    own = client.run(stage, count)
    seconds, cpu = own or (time.perf_counter() - started, cpu_seconds() - cpu_started)
    arrived = client.effect(stage) - before
    if arrived != count:
        raise ClientFailed(f"{arrived} of {count} transfers arrived")
    node_after = node_cpu_seconds(stage.node)
    return Row(
        node=stage.node.kind,
        client=client.name,
        count=count,
        seconds=seconds,
        per_second=count / seconds,
        cpu_seconds=cpu,
        node_cpu_seconds=None
        if node_before is None or node_after is None
        else node_after - node_before,
    )


def cpu_seconds() -> float:
    """Processor time of this process and of its children that ended."""
    return sum(
        each.ru_utime + each.ru_stime
        for each in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )


def node_cpu_seconds(node: LocalNode) -> float | None:
    """Processor time of a node, from Linux' own files; None elsewhere."""
    if not Path("/proc/self/stat").exists():
        return None
    ticks = 0
    for file in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = file.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it ended meanwhile
        if int(fields[2]) == node.pid:
            ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


@contextmanager
def staged(kind: Literal["anvil", "ganache"], mining: Mining) -> Iterator[Stage]:
    """A fresh node with everything deployed."""
    arguments: list[str] = []
    gas = LARGE_BLOCK_GAS if mining == "in_large_blocks" else BLOCK_GAS
    if kind == "anvil":
        # The whole history would slow it down as blocks add up, and each of them is a copy of the
        # state; with none at all it loses sight of the latest block while it makes the next.
        states, blocks = ("3", "200") if mining == "in_large_blocks" else ("50", "5000")
        arguments += ["--prune-history", states, "--transaction-block-keeper", blocks]
        if mining == "by_interval":
            arguments += ["--block-time", INTERVAL_SECONDS]
    with (
        start_node(kind, accounts=20, gas_limit=gas, arguments=arguments) as node,
        TemporaryDirectory() as folder,
    ):
        chain = Chain.connect(node.url)
        world = devnet.prepare(chain, Path(folder) / "manifest.json", node=node)
        accounts = devnet.to_dict(world)["accounts"]
        yield Stage(
            node=node,
            chain=chain,
            token=world.manifest.token("CNY"),
            sender=accounts["amber"]["address"],
            key=accounts["amber"]["key"],
            recipient=accounts["birch"]["address"],
            mining=mining,
            world=world,
        )


@contextmanager
def large_blocks(stage: Stage) -> Iterator[None]:
    """Have a node of `in_large_blocks` make a block a second, once everything is set up."""
    stage.node.rpc("evm_setIntervalMining", LARGE_BLOCK_SECONDS)
    yield
    stage.node.rpc("evm_setAutomine", True)


def in_threads(count: int, work: Callable[[int], None]) -> None:
    """Run something in so many threads; the first error is raised at the end."""
    errors: list[BaseException] = []

    def guarded(index: int) -> None:
        try:
            work(index)
        except BaseException as error:  # noqa: BLE001 - raised below, in the thread that waits
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(index,)) for index in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
