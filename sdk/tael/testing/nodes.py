"""Start Ganache or Anvil as a child process and move its clock.

Nothing here is needed to use Tael on a real network. A node listens on a free loopback port, so it
never meets a chain that already runs, and it ends with the process that started it, however that
one ends.
"""

from __future__ import annotations

import http.client
import itertools
import json
import os
import re
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tael.errors import NodeError, NodeStartError
from tael.testing.programs import NodeKind, find_program, folders_above

MNEMONIC = "test test test test test test test test test test test junk"
"""The development phrase that everybody knows: its keys belong on local chains only."""

LOCAL_CHAIN_ID = 1337
BLOCK_GAS_LIMIT = 30_000_000
START_TIMEOUT_SECONDS = 60
STOP_TIMEOUT_SECONDS = 5
REQUEST_TIMEOUT_SECONDS = 120

_LISTENING = re.compile(r"Listening on 127\.0\.0\.1:(\d+)")
_PORT_ATTEMPTS = 5

# Standard input is a pipe whose other end this process holds. When that end closes, because the
# node is to stop or because this process is gone, killed or crashed, `cat` returns and the node is
# killed. A local chain keeps nothing, so it needs no gentler end; what it wrote into its folder for
# temporary files, Ganache its whole database, goes with it.
_GUARD = """
exec 3<&0
scratch=$1
shift
TMPDIR=$scratch "$@" </dev/null 3<&- &
node=$!
{ cat <&3; kill -9 "$node"; } >/dev/null 2>&1 &
wait "$node"
rm -rf "$scratch"
"""


@dataclass(frozen=True)
class LocalNode:
    """A running local chain.

    Attributes:
        kind: Which program it is.
        url: Where its JSON-RPC answers, on loopback.
        chain_id: The chain id it reports.
        pid: The id of its process group.
        log_file: Where its output goes.
        mnemonic: The phrase its unlocked, funded accounts derive from (`m/44'/60'/0'/0/i`).
    """

    kind: NodeKind
    url: str
    chain_id: int
    pid: int
    log_file: Path
    mnemonic: str
    _request_ids: Iterator[int] = field(default_factory=itertools.count, repr=False, compare=False)

    def rpc(self, method: str, *params: object) -> Any:
        """Send one JSON-RPC request and return its result.

        A connection is made for each request: Ganache closes idle ones, and a request that was
        sent twice could act twice.

        Args:
            method: The method's name.
            params: Its parameters, ready for JSON.

        Returns:
            The value of `result` in the answer.

        Raises:
            NodeError: The node refused the request, or is gone.
        """
        body = {
            "jsonrpc": "2.0",
            "id": next(self._request_ids),
            "method": method,
            "params": list(params),
        }
        host = self.url.removeprefix("http://")
        connection = http.client.HTTPConnection(host, timeout=REQUEST_TIMEOUT_SECONDS)
        try:
            connection.request("POST", "/", json.dumps(body), {"Content-Type": "application/json"})
            answer = json.loads(connection.getresponse().read())
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise NodeError(
                f"{self.kind} at {self.url} did not answer {method}: {error}; see {self.log_file}",
                method=method,
            ) from error
        finally:
            connection.close()
        if "error" in answer:
            problem = answer["error"]
            raise NodeError(str(problem["message"]), method=method, data=problem.get("data"))
        return answer["result"]

    def timestamp(self, block: str = "latest") -> int:
        """Return a block's timestamp in Unix seconds; that of `pending` is the next one's."""
        return int(self.rpc("eth_getBlockByNumber", block, False)["timestamp"], 16)

    def block_number(self) -> int:
        """Return the latest block's number."""
        return int(self.rpc("eth_blockNumber"), 16)

    def accounts(self) -> list[str]:
        """Return the unlocked, funded accounts in the order they derive from the mnemonic."""
        return list(self.rpc("eth_accounts"))

    def mine(self, blocks: int = 1, *, timestamp: int | None = None) -> int:
        """Mine blocks at once.

        Args:
            blocks: How many, at least one.
            timestamp: The first block's timestamp in Unix seconds; later than the latest block's.

        Returns:
            The latest block's timestamp in Unix seconds.

        Raises:
            NodeError: The timestamp is not later than the latest block's, or the node refused.
        """
        for index in range(blocks):
            if timestamp is not None and index == 0:
                latest = self.timestamp()
                if timestamp <= latest:
                    raise NodeError(
                        f"timestamp {timestamp} is not later than the latest block's, {latest}",
                        method="evm_mine",
                    )
                self.rpc("evm_mine", timestamp)
            else:
                self.rpc("evm_mine")
        return self.timestamp()

    def advance_time(self, seconds: int) -> int:
        """Move the clock forward and mine a block, so that calls see the new time too.

        Args:
            seconds: How far from what `Chain.now` gives, at least one: the next block's time where
                the node tells it, or the latest block's.

        Returns:
            The latest block's timestamp in Unix seconds.
        """
        now = max(self.timestamp(), self.timestamp("pending"))
        return self.mine(timestamp=now + seconds)

    def set_next_timestamp(self, timestamp: int) -> None:
        """Give the next block an exact timestamp.

        Anvil holds it until a block is mined. Ganache sets its clock by it, which runs on unless
        it is frozen: send the transaction at once.

        Args:
            timestamp: Unix seconds, later than the latest block's.
        """
        if self.kind == "anvil":
            self.rpc("evm_setNextBlockTimestamp", timestamp)
        else:
            self.rpc("evm_setTime", timestamp * 1000)

    @contextmanager
    def mining_when_idle(self, seconds: float) -> Iterator[None]:
        """Mine a block whenever none came for so long, so that the chain's clock goes on.

        A chain that mines for transactions alone tells the time of its last one for ever: no
        deadline passes on it, and no code expires.

        Args:
            seconds: At least so long without a block, and at most twice as long.
        """
        stopped = threading.Event()

        def run() -> None:
            seen = -1
            with suppress(NodeError):  # it has ended, or refuses: there is nothing to keep going
                while not stopped.wait(seconds):
                    latest = self.block_number()
                    seen = latest if latest != seen else self._mine_one()

        thread = threading.Thread(target=run, name="mining-when-idle", daemon=True)
        thread.start()
        try:
            yield
        finally:
            stopped.set()
            thread.join(STOP_TIMEOUT_SECONDS)

    def _mine_one(self) -> int:
        self.rpc("evm_mine")
        return self.block_number()

    def snapshot(self) -> str:
        """Remember the chain's state and return an id for `revert`."""
        return str(self.rpc("evm_snapshot"))

    def revert(self, snapshot_id: str) -> None:
        """Return to a snapshot; it and all later ones are used up.

        Raises:
            NodeError: There is no such snapshot any more.
        """
        if self.rpc("evm_revert", snapshot_id) is not True:
            raise NodeError(f"there is no snapshot {snapshot_id}", method="evm_revert")


@contextmanager
def start_node(
    kind: NodeKind,
    *,
    chain_id: int = LOCAL_CHAIN_ID,
    port: int | None = None,
    block_time_seconds: int | None = None,
    mine_automatically: bool = True,
    frozen_clock: bool = False,
    accounts: int = 10,
    mnemonic: str = MNEMONIC,
    gas_limit: int = BLOCK_GAS_LIMIT,
    hardfork: str = "shanghai",
    arguments: Sequence[str] = (),
    log_folder: Path | None = None,
) -> Iterator[LocalNode]:
    """Start a local chain, wait until it answers, and end it with the `with` block.

    The node is a process group of its own: Ctrl-C reaches this process first, which then ends the
    node. It is killed as well when this process is killed.

    Args:
        kind: `anvil` or `ganache`. The program is taken from TAEL_ANVIL or TAEL_GANACHE, else from
            `node_modules` here or above, else from PATH.
        chain_id: The chain id it reports.
        port: A loopback port; None takes a free one.
        block_time_seconds: A block every so many seconds; None mines when a transaction arrives.
        mine_automatically: False mines only when `Node.mine` is called (Anvil only).
        frozen_clock: True lets block time pass only when it is moved here, by `Node.advance_time`,
            `Node.mine` with a timestamp, or `Node.set_next_timestamp`; two blocks may then have the
            same timestamp. What a slow machine does to a test of a deadline is nothing that way.
            Anvil ignores a bare `evm_increaseTime` then.
        accounts: How many unlocked accounts, each with 10,000 ether.
        mnemonic: The phrase they derive from.
        gas_limit: Gas per block.
        hardfork: Rules of the EVM; Ganache knows nothing newer than `shanghai`.
        arguments: Further arguments for the program.
        log_folder: Where the log goes; None takes `build/nodes` of the checkout, or a temporary
            folder outside of one.

    Yields:
        The running node.

    Raises:
        NodeStartError: The program is missing, ended early or did not answer in time.

    Example:
        >>> with start_node("anvil") as node:  # doctest: +SKIP
        ...     node.advance_time(3600)
    """
    common = (chain_id, block_time_seconds, accounts, mnemonic, gas_limit, hardfork)
    if kind == "anvil":
        command = [*find_program(kind), *_anvil_arguments(*common)]
        if not mine_automatically:
            command.append("--no-mining")
    else:
        if not mine_automatically:
            raise NodeStartError("Ganache cannot start without mining; use Anvil for that.")
        command = [*find_program(kind), *_ganache_arguments(*common)]
        if frozen_clock:
            command += ["--miner.timestampIncrement", "0"]
    command += arguments
    folder = log_folder if log_folder is not None else _log_folder()
    folder.mkdir(parents=True, exist_ok=True)
    process, log_file, url = _start(kind, command, port, folder)
    try:
        node = LocalNode(kind, url, chain_id, process.pid, log_file, mnemonic)
        reported = int(node.rpc("eth_chainId"), 16)
        if reported != chain_id:
            raise NodeStartError(f"{kind} reports chain id {reported} instead of {chain_id}.")
        if kind == "anvil" and frozen_clock:
            node.rpc("anvil_setBlockTimestampInterval", 0)
        yield node
    finally:
        _stop(process)


def _anvil_arguments(
    chain_id: int,
    block_time_seconds: int | None,
    accounts: int,
    mnemonic: str,
    gas_limit: int,
    hardfork: str,
) -> list[str]:
    arguments = ["--host", "127.0.0.1", "--chain-id", str(chain_id), "--accounts", str(accounts)]
    arguments += ["--mnemonic", mnemonic, "--gas-limit", str(gas_limit), "--hardfork", hardfork]
    arguments += ["--balance", "10000"]
    if block_time_seconds is not None:
        arguments += ["--block-time", str(block_time_seconds)]
    return arguments


def _ganache_arguments(
    chain_id: int,
    block_time_seconds: int | None,
    accounts: int,
    mnemonic: str,
    gas_limit: int,
    hardfork: str,
) -> list[str]:
    limit = str(gas_limit)
    return [
        *("--server.host", "127.0.0.1", "--chain.chainId", str(chain_id)),
        *("--chain.networkId", str(chain_id), "--chain.hardfork", hardfork),
        *("--wallet.totalAccounts", str(accounts), "--wallet.mnemonic", mnemonic),
        *("--wallet.defaultBalance", "10000", "--miner.blockGasLimit", limit),
        *("--miner.callGasLimit", limit, "--miner.blockTime", str(block_time_seconds or 0)),
    ]


def _log_folder() -> Path:
    for folder in folders_above():
        if (folder / "node_modules").is_dir() and (folder / "pyproject.toml").is_file():
            return folder / "build" / "nodes"
    return Path(tempfile.gettempdir()) / f"tael-nodes-{os.getuid()}"


def _start(
    kind: NodeKind, command: Sequence[str], port: int | None, folder: Path
) -> tuple[subprocess.Popen[bytes], Path, str]:
    attempts = 1 if port is not None else _PORT_ATTEMPTS
    for attempt in range(1, attempts + 1):
        log_file = _new_log_file(kind, folder)
        chosen = port if port is not None else _port_to_try(kind)
        flag = "--port" if kind == "anvil" else "--server.port"
        process = _spawn([*command, flag, str(chosen)], log_file)
        try:
            listening = _wait_until_listening(process, log_file)
        except BaseException:
            _stop(process)
            raise
        if listening is not None:
            return process, log_file, f"http://127.0.0.1:{listening}"
        _stop(process)
        log = log_file.read_text(errors="replace")
        in_use = "in use" in log or "EADDRINUSE" in log
        if not in_use or attempt == attempts:
            reason = (
                f"port {chosen} is in use" if in_use else f"its last words: {log[-500:].strip()}"
            )
            raise NodeStartError(f"{kind} did not start; {reason} (log: {log_file}).")
    raise AssertionError("the last attempt returns or raises")


def _new_log_file(kind: NodeKind, folder: Path) -> Path:
    descriptor, name = tempfile.mkstemp(prefix=f"{kind}-", suffix=".log", dir=folder)
    os.close(descriptor)
    return Path(name)


def _port_to_try(kind: NodeKind) -> int:
    if kind == "anvil":
        return 0  # the system chooses, and the log says which
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _spawn(command: Sequence[str], log_file: Path) -> subprocess.Popen[bytes]:
    scratch = tempfile.mkdtemp(prefix="tael-node-")
    with log_file.open("wb") as log:
        return subprocess.Popen(
            ["/bin/sh", "-c", _GUARD, "tael-node", scratch, *command],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def _wait_until_listening(process: subprocess.Popen[bytes], log_file: Path) -> int | None:
    # The node's own log, not an answer on the port, which could come from somebody else's chain.
    deadline = time.monotonic() + START_TIMEOUT_SECONDS
    while time.monotonic() < deadline:
        found = _LISTENING.search(log_file.read_text(errors="replace"))
        if found is not None:
            return int(found[1])
        if process.poll() is not None:
            return None
        time.sleep(0.01)
    return None


def _stop(process: subprocess.Popen[bytes]) -> None:
    # The guard ends after its node, so waiting for the one is waiting for both.
    if process.stdin is not None:
        process.stdin.close()
    try:
        process.wait(STOP_TIMEOUT_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
