"""A connection to one chain: identity checked, reads repeated when the node stumbles.

What goes wrong between here and a node (refused connections, time-outs, HTML instead of JSON, 429,
5xx, truncated answers) becomes a `NodeUnavailableError`; a contract's refusal becomes the typed
error of `tael.errors`. Only reads are ever repeated here. Sending is `tael.chain.sender`'s alone.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import requests
from eth_utils import to_checksum_address
from web3 import HTTPProvider, Web3
from web3.exceptions import (
    BadFunctionCallOutput,
    BadResponseFormat,
    Web3Exception,
    Web3RPCError,
)

from tael.chain.artifacts import load
from tael.chain.reverts import revert_from
from tael.errors import (
    CodeMismatchError,
    ConfigurationError,
    NetworkMismatchError,
    NodeUnavailableError,
)

if TYPE_CHECKING:
    from web3.contract import Contract
    from web3.contract.contract import ContractFunction
    from web3.types import BlockIdentifier, LogReceipt, TxParams

Result = TypeVar("Result")

TIMEOUT_SECONDS = 10.0
RETRY_SECONDS = 20.0
CONNECT_RETRY_SECONDS = 3.0
"""A node that is there answers within this; waiting longer for a wrong URL helps nobody."""
MAX_LOG_BLOCKS = 10_000
"""Most blocks asked for in one request for logs; halved when a node finds it too many."""

DEVELOPMENT_CHAIN_IDS = frozenset({1337, 5777, 31337})
_DEVELOPMENT_CLIENTS = ("anvil", "ganache", "hardhat", "eth-tester")
_LOOPBACK = ("localhost", "127.0.0.1", "::1")

_FIRST_PAUSE_SECONDS = 0.05
_LONGEST_PAUSE_SECONDS = 2.0

# JSON-RPC codes for "too busy": limits of EIP-1474, and what hosted nodes use for rate limits.
_BUSY_CODES = frozenset({-32005, -32016, -32097, 429})
_BUSY_WORDS = ("rate limit", "too many requests", "try again", "timeout", "timed out", "overloaded")


class Chain:
    """One chain behind one JSON-RPC endpoint.

    Make it with `connect`, which checks that the node serves the chain that is meant.

    Attributes:
        w3: The web3 instance, for what is not covered here. It repeats nothing by itself.
        chain_id: EIP-155 chain id.
        genesis_hash: Hash of block 0, 0x-prefixed.
        client_version: How the node names itself.
    """

    def __init__(self, w3: Web3, url: str, *, retry_seconds: float = RETRY_SECONDS) -> None:
        self.w3 = w3
        self.url = url
        self.retry_seconds = min(retry_seconds, CONNECT_RETRY_SECONDS)
        self.chain_id: int = self.read(lambda: int(w3.eth.chain_id))
        self.genesis_hash: str = self.read(self._read_genesis_hash)
        self.client_version: str = self.read(lambda: str(w3.client_version))
        self.retry_seconds = retry_seconds

    @classmethod
    def connect(
        cls,
        url: str,
        expected_chain_id: int | None = None,
        genesis_hash: str | None = None,
        *,
        timeout_seconds: float = TIMEOUT_SECONDS,
        retry_seconds: float = RETRY_SECONDS,
    ) -> Chain:
        """Connect and check which chain answers.

        Args:
            url: HTTP or HTTPS address of the node's JSON-RPC.
            expected_chain_id: Chain id that must answer; None takes what answers.
            genesis_hash: Hash of block 0 that must answer, 0x-prefixed; None takes what answers.
            timeout_seconds: How long one answer may take.
            retry_seconds: How long a read is repeated before it fails.

        Returns:
            The connected chain.

        Raises:
            ConfigurationError: The URL is none for HTTP.
            NetworkMismatchError: Another chain answers.
            NodeUnavailableError: Nothing answers properly.

        Example:
            >>> chain = Chain.connect("http://127.0.0.1:8545")  # doctest: +SKIP
        """
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigurationError("the node's URL must begin with http:// or https://")
        # web3 would send a timed-out transaction again by itself; here every repeat is deliberate.
        session = requests.Session()
        # Looking up proxies takes a third of a request's time, and none serves loopback.
        session.trust_env = urlsplit(url).hostname not in _LOOPBACK
        provider = HTTPProvider(
            url,
            request_kwargs={"timeout": timeout_seconds},
            session=session,
            exception_retry_configuration=None,
        )
        chain = cls(Web3(provider), url, retry_seconds=retry_seconds)
        if expected_chain_id is not None and chain.chain_id != expected_chain_id:
            raise NetworkMismatchError(
                f"the node serves chain {chain.chain_id}, not chain {expected_chain_id}"
            )
        if genesis_hash is not None and chain.genesis_hash != genesis_hash.lower():
            raise NetworkMismatchError(
                f"chain {chain.chain_id} here began with block {chain.genesis_hash}, not with "
                f"{genesis_hash.lower()}: it is another chain of the same number"
            )
        return chain

    def require_same_chain(self) -> None:
        """Check again, before something is signed, that the node still serves this chain.

        Raises:
            NetworkMismatchError: It serves another one now.
            NodeUnavailableError: It does not answer properly.
        """
        chain_id = self.read(lambda: int(self.w3.eth.chain_id))
        genesis_hash = self.read(self._read_genesis_hash)
        if (chain_id, genesis_hash) != (self.chain_id, self.genesis_hash):
            raise NetworkMismatchError(
                f"the node now serves chain {chain_id} ({genesis_hash}), no longer chain "
                f"{self.chain_id} ({self.genesis_hash}); nothing was signed"
            )

    @property
    def is_local(self) -> bool:
        """Whether this is a development chain on this machine, where public test keys do no harm.

        A loopback address alone is not enough: a real node may run here too.
        """
        if (urlsplit(self.url).hostname or "") not in _LOOPBACK:
            return False
        client = self.client_version.lower()
        return self.chain_id in DEVELOPMENT_CHAIN_IDS or client.startswith(_DEVELOPMENT_CLIENTS)

    def now(self) -> int:
        """The latest block's timestamp in Unix seconds: the only clock that deadlines obey."""
        return self.read(lambda: int(self.w3.eth.get_block("latest")["timestamp"]))

    def block_number(self) -> int:
        """The latest block's number."""
        return self.read(lambda: int(self.w3.eth.block_number))

    def code(self, address: str) -> bytes:
        """The code at an address, empty if there is none."""
        checked = to_checksum_address(address)
        return self.read(lambda: bytes(self.w3.eth.get_code(checked)))

    def storage(self, address: str, slot: int) -> int:
        """One word of a contract's storage."""
        checked = to_checksum_address(address)
        return self.read(lambda: int.from_bytes(self.w3.eth.get_storage_at(checked, slot), "big"))

    def contract(self, name: str, address: str) -> Contract:
        """A web3 contract with the ABI that ships with the package.

        Args:
            name: Solidity name, as in `SettlementToken`.
            address: Where it is deployed.
        """
        abi: Any = load(name).abi
        return self.w3.eth.contract(address=to_checksum_address(address), abi=abi)

    def call(
        self,
        function: ContractFunction,
        *,
        sender: str | None = None,
        block: BlockIdentifier = "latest",
    ) -> Any:
        """Call a contract function without sending anything.

        Args:
            function: As in `chain.contract("SettlementToken", address).functions.paused()`.
            sender: Who the call is from; None is the zero address.
            block: The block whose state is asked.

        Returns:
            What the function returns.

        Raises:
            ContractRevertedError: One of its subclasses, as the contract refused.
            CodeMismatchError: There is no such contract at that address.
            NodeUnavailableError: The node did not answer properly.
        """
        transaction: TxParams = {} if sender is None else {"from": to_checksum_address(sender)}
        return self.read(lambda: function.call(transaction, block_identifier=block))

    def logs(
        self,
        addresses: Sequence[str],
        *,
        topics: Sequence[Any] | None = None,
        from_block: int = 0,
        to_block: int | None = None,
    ) -> Iterator[LogReceipt]:
        """Read logs in bounded ranges, in order.

        Args:
            addresses: Contracts whose logs are wanted.
            topics: Filter as in `eth_getLogs`.
            from_block: First block.
            to_block: Last block; None is the latest one.

        Yields:
            The logs as web3 gives them.

        Raises:
            NodeUnavailableError: The node did not answer properly, however small the range.
        """
        last = self.block_number() if to_block is None else to_block
        size = MAX_LOG_BLOCKS
        start = from_block
        checked = [to_checksum_address(each) for each in addresses]
        while start <= last:
            end = min(start + size - 1, last)
            wanted: Any = {"address": checked, "fromBlock": start, "toBlock": end}
            if topics is not None:
                wanted["topics"] = list(topics)
            try:
                found = self.read(partial(self.w3.eth.get_logs, wanted))
            except Web3RPCError as error:
                # Every hosted node words its own limit on ranges and answers differently.
                if size == 1:
                    raise NodeUnavailableError(
                        f"the node gives no logs: {_words(error)}"
                    ) from error
                size = max(1, size // 4)
                continue
            yield from found
            start = end + 1

    def read(self, request: Callable[[], Result]) -> Result:
        """Run something that only reads, and run it again while the node stumbles.

        Args:
            request: What to run; it may run several times.

        Returns:
            What it returned.

        Raises:
            ContractRevertedError: A contract refused.
            CodeMismatchError: A contract that should be there is not.
            NodeUnavailableError: The node did not answer properly in `retry_seconds`.
        """
        for pause in pauses(self.retry_seconds):
            try:
                return request()
            except Exception as error:
                refusal = revert_from(error)
                if refusal is not None:
                    raise refusal from error
                if isinstance(error, BadFunctionCallOutput):
                    raise CodeMismatchError(
                        "the address answers like no contract of ours: check the manifest"
                    ) from error
                if not is_node_failure(error):
                    raise
                if pause is None:
                    raise unavailable(error, self.url) from error
                time.sleep(pause)
        raise AssertionError("the last pause is None")

    def _read_genesis_hash(self) -> str:
        return "0x" + bytes(self.w3.eth.get_block(0)["hash"]).hex()

    def __repr__(self) -> str:
        return f"Chain({self.chain_id} at {shown_url(self.url)})"


def pauses(budget_seconds: float) -> Iterator[float | None]:
    """Yield how long to pause before each repeat, with jitter; None when the budget is used up."""
    deadline = time.monotonic() + budget_seconds
    pause = _FIRST_PAUSE_SECONDS
    while True:
        jittered = pause * (0.5 + random.random())  # noqa: S311 - spreads load, guards nothing
        if time.monotonic() + jittered >= deadline:
            yield None
            return
        yield jittered
        pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)


def is_node_failure(error: BaseException) -> bool:
    """Whether the way to the node, or the node itself, failed for the moment."""
    if isinstance(error, Web3RPCError):
        problem = (error.rpc_response or {}).get("error")
        code = problem.get("code") if isinstance(problem, dict) else None
        words = _words(error).lower()
        return code in _BUSY_CODES or any(each in words for each in _BUSY_WORDS)
    # A truncated or HTML answer surfaces as a JSON error, which is a ValueError; web3's own
    # complaints about wrong arguments are ValueErrors too, and no failure of the node.
    return isinstance(error, (requests.RequestException, BadResponseFormat, OSError)) or (
        isinstance(error, ValueError) and not isinstance(error, Web3Exception)
    )


def unavailable(error: BaseException, url: str) -> NodeUnavailableError:
    """The error to raise when a node failed for too long. The URL's secrets are left out."""
    if isinstance(error, requests.HTTPError) and error.response is not None:
        what = f"answered HTTP {error.response.status_code}"
    elif isinstance(error, requests.Timeout):
        what = "did not answer in time"
    elif isinstance(error, requests.ConnectionError):
        what = "could not be reached, or hung up"
    elif isinstance(error, Web3RPCError):
        what = f"answered: {_words(error)}"
    else:
        what = "answered with something that is not JSON-RPC"
    return NodeUnavailableError(f"the node at {shown_url(url)} {what}; try again later")


def shown_url(url: str) -> str:
    """A URL without user, password, path and query, where keys of hosted nodes are."""
    parts = urlsplit(url)
    port = f":{parts.port}" if parts.port else ""
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{parts.scheme}://{host}{port}"


def _words(error: Web3RPCError) -> str:
    problem = (error.rpc_response or {}).get("error")
    words = problem.get("message") if isinstance(problem, dict) else None
    return str(words if words is not None else error.message)[:300]


def ordered(logs: Iterable[LogReceipt]) -> list[LogReceipt]:
    """Sort logs as the chain ordered them."""
    return sorted(logs, key=lambda log: (log["blockNumber"], log["logIndex"]))
