"""A connection to one chain: identity checked, reads repeated when the nodes stumble.

What goes wrong between here and a node (refused connections, time-outs, HTML instead of JSON, 429,
5xx, truncated answers) becomes a `NodeUnavailableError`; a contract's refusal becomes the typed
error of `tael.errors`. Only reads are ever repeated here. Sending is `tael.chain.sender`'s alone.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar
from urllib.parse import urlsplit

from eth_utils import to_checksum_address
from web3 import Web3
from web3.exceptions import (
    BadFunctionCallOutput,
    BadResponseFormat,
    Web3Exception,
    Web3RPCError,
)

from tael.chain.endpoint import Identity
from tael.chain.jsonrpc import (
    Call,
    is_busy,
    quantity,
    result_of,
    runs_contracts,
    split,
    words_of,
)
from tael.chain.nodes import STALE_BLOCKS, Nodes, NodesProvider
from tael.chain.reverts import revert_from
from tael.chain.sharing import Shared
from tael.chain.transport import LOOPBACK, NodeFailure
from tael.chain.transport import shown_url as shown_url
from tael.contracts.artifacts import load
from tael.errors import (
    CodeMismatchError,
    ConfigurationError,
    ContractRevertedError,
    NetworkMismatchError,
    NodeUnavailableError,
    TooMuchError,
)

if TYPE_CHECKING:
    from web3.contract import Contract
    from web3.contract.contract import ContractFunction
    from web3.types import BlockIdentifier, LogReceipt, TxParams

    from tael.chain.gathering import Answers

Result = TypeVar("Result")

_LATEST = ("eth_getBlockByNumber", ("latest", False))
_PENDING = ("eth_getBlockByNumber", ("pending", False))

TIMEOUT_SECONDS = 10.0
RETRY_SECONDS = 20.0
CONNECT_RETRY_SECONDS = 3.0
"""A node that is there answers within this; waiting longer for a wrong URL helps nobody."""
AGREE_RETRY_SECONDS = 3.0
"""Nodes that are only late agree within this; those that lie never will."""
MAX_LOG_BLOCKS = 10_000
"""Most blocks asked for in one request for logs; halved when a node finds it too many."""

DEVELOPMENT_CHAIN_IDS = frozenset({1337, 5777, 31337})
_DEVELOPMENT_CLIENTS = ("anvil", "ganache", "hardhat", "eth-tester")

_TIME_BITS = 48
"""As many as the contracts' deadlines have."""

_FIRST_PAUSE_SECONDS = 0.05
_LONGEST_PAUSE_SECONDS = 2.0


class Head(NamedTuple):
    """The latest block.

    Attributes:
        number: Its number.
        hash: Its hash, 0x-prefixed.
        timestamp: Its time, Unix seconds UTC.
    """

    number: int
    hash: str
    timestamp: int


class Chain:
    """One chain behind one or several JSON-RPC nodes. Any number of threads may use it.

    Make it with `connect`, which checks that the nodes serve the chain that is meant.

    Attributes:
        w3: The web3 instance, for what is not covered here. It repeats no failed call on the same
            node, and sends nothing twice.
        nodes: The nodes behind it; `nodes.states()` tells how each stands.
        url: The preferred node's URL.
        chain_id: EIP-155 chain id.
        genesis_hash: Hash of block 0, 0x-prefixed.
        client_version: How the first node that answered names itself.
        agreement: How many nodes must say the same where `agree` is asked.
    """

    def __init__(
        self, urls: Sequence[str], nodes: Nodes, *, agreement: int, retry_seconds: float
    ) -> None:
        self.w3 = Web3(NodesProvider(nodes))
        self.nodes = nodes
        self.url = urls[0]
        self.agreement = agreement
        self._other_urls = tuple(urls[1:])
        self._clock = Shared(self._time)
        self.retry_seconds = min(retry_seconds, CONNECT_RETRY_SECONDS)
        identity = self.read(nodes.identify)
        self.chain_id: int = identity.chain_id or 0
        self.genesis_hash: str = identity.genesis_hash or ""
        self.client_version: str = self.read(lambda: str(self.w3.client_version))
        self.retry_seconds = retry_seconds

    @classmethod
    def connect(
        cls,
        url: str | Sequence[str],
        expected_chain_id: int | None = None,
        genesis_hash: str | None = None,
        *,
        timeout_seconds: float = TIMEOUT_SECONDS,
        retry_seconds: float = RETRY_SECONDS,
        agreement: int = 1,
        stale_blocks: int = STALE_BLOCKS,
    ) -> Chain:
        """Connect and check which chain answers.

        With several nodes the first that is well is asked; a failed one is returned to when it is
        well again, one that serves another chain is left out, one that is behind is passed over.

        Args:
            url: HTTP or HTTPS address of the node's JSON-RPC, or of several nodes, the preferred
                one first.
            expected_chain_id: Chain id that must answer; None takes what answers.
            genesis_hash: Hash of block 0 that must answer, 0x-prefixed; None takes what answers.
            timeout_seconds: How long one answer may take.
            retry_seconds: How long a read is repeated before it fails.
            agreement: How many nodes must say the same where `agree` is asked.
            stale_blocks: A node further behind the highest block seen is passed over.

        Returns:
            The connected chain.

        Raises:
            ConfigurationError: A URL is none for HTTP, or more nodes must agree than there are.
            NetworkMismatchError: Another chain answers.
            NodeUnavailableError: Nothing answers properly.

        Example:
            >>> chain = Chain.connect("http://127.0.0.1:8545")  # doctest: +SKIP
        """
        urls = (url,) if isinstance(url, str) else tuple(url)
        meant = Identity(expected_chain_id, genesis_hash.lower() if genesis_hash else None)
        nodes = Nodes(urls, meant, timeout_seconds=timeout_seconds, stale_blocks=stale_blocks)
        if not 1 <= agreement <= len(urls):
            raise ConfigurationError(
                f"{agreement} of {len(urls)} nodes cannot agree: name more, or ask fewer"
            )
        return cls(urls, nodes, agreement=agreement, retry_seconds=retry_seconds)

    def require_same_chain(self, *, within_seconds: float = 0.0) -> None:
        """Check again, before something is signed, that the node still serves this chain.

        Args:
            within_seconds: A check that is no older than this will do; 0 always asks.

        Raises:
            NetworkMismatchError: It serves another one now.
            NodeUnavailableError: It does not answer properly.
        """
        try:
            self.read(lambda: self.nodes.require_same_chain(within_seconds))
        except NetworkMismatchError as error:
            raise NetworkMismatchError(f"{error.message}; nothing was signed") from error

    @property
    def is_local(self) -> bool:
        """Whether this is a development chain on this machine, where public test keys do no harm.

        A loopback address alone is not enough: a real node may run here too.
        """
        for url in (self.url, *self._other_urls):
            if (urlsplit(url).hostname or "") not in LOOPBACK:
                return False
        client = self.client_version.lower()
        return self.chain_id in DEVELOPMENT_CHAIN_IDS or client.startswith(_DEVELOPMENT_CLIENTS)

    def head(self) -> Head:
        """The latest block: its number, hash and time."""
        return self._head(self.read(lambda: result_of(self.nodes.ask(*_LATEST))))

    def _head(self, block: Any) -> Head:
        try:
            time_ = quantity(block["timestamp"], bits=_TIME_BITS)
            return Head(quantity(block["number"]), str(block["hash"]), time_)
        except (TypeError, KeyError) as error:
            raise NodeUnavailableError(
                f"the node at {shown_url(self.url)} gives no latest block; try again later"
            ) from error

    def agree(self, method: str, params: Sequence[object]) -> Any:
        """A read that `agreement` of the nodes must answer alike before it counts.

        Compared is what decides: of blocks the hash, number, parent and time; of receipts the
        transaction, block, status and logs.

        Args:
            method: JSON-RPC method.
            params: Its parameters; name the block by hash or number, as `latest` moves.

        Returns:
            The result as one of the agreeing nodes gave it.

        Raises:
            ContractRevertedError: A contract refused, and the nodes agree on that.
            TooMuchError: The answer would be larger than the nodes give.
            DisagreementError: The nodes contradict each other; the message says who said what.
            NodeUnavailableError: Too few of them answered properly.
        """
        return self.agree_many([(method, params)])[0]

    def agree_many(self, calls: Sequence[Call]) -> list[Any]:
        """Many such reads in as few requests as their size allows; see `agree`."""
        results: list[Any] = []
        for run in split(calls):
            try:
                results += self._agree(run)
            except Web3RPCError as error:
                raise NodeUnavailableError(
                    f"{run[0][0]} is refused: {words_of(_answer_of(error))}; try again later"
                ) from error
            except ContractRevertedError as error:
                if any(runs_contracts(method) for method, _ in run):
                    raise
                raise NodeUnavailableError(
                    f"{run[0][0]} is refused: {error.message}; try again later"
                ) from error
        return results

    def _agree(self, calls: Sequence[Call]) -> list[Any]:
        if self.agreement == 1:
            ask = self.nodes.ask_many if len(calls) > 1 else self._ask_one
            return self.read(lambda: [result_of(answer) for answer in ask(calls)])
        for pause in pauses(min(self.retry_seconds, AGREE_RETRY_SECONDS)):
            try:
                return self.read(
                    lambda: [
                        result_of(answer) for answer in self.nodes.agree(calls, self.agreement)
                    ]
                )
            except TooMuchError:
                raise
            except NodeUnavailableError:
                if pause is None:
                    raise
                time.sleep(pause)
        raise AssertionError("the last pause is None")

    def _ask_one(self, calls: Sequence[Call]) -> Answers:
        return [self.nodes.ask(*calls[0])]

    def close(self) -> None:
        """Close the connections that are idle; the chain may still be used."""
        self.nodes.close()

    def now(self) -> int:
        """The latest block's timestamp in Unix seconds: the only clock that deadlines obey.

        A development chain makes blocks for transactions alone, so its latest may be of yesterday:
        what counts there is the next one's, where the node tells it.
        """
        return self._clock.answer()

    def _time(self) -> int:
        if not self.is_local:
            return self.head().timestamp
        asked = [_LATEST, _PENDING]
        try:
            found = self.read(lambda: [result_of(each) for each in self.nodes.ask_many(asked)])
        except Web3RPCError:  # No busy node, which is asked again: one without a pending block.
            return self.head().timestamp
        latest, pending = found
        next_time = self._head(pending).timestamp if pending else 0
        return max(self._head(latest).timestamp, next_time)

    def height(self, tag: str = "latest") -> int:
        """The number of the newest block that `agreement` of the nodes have reached.

        Args:
            tag: `latest`, `safe` or `finalized`; a node that knows no such block is at 0.

        Raises:
            NodeUnavailableError: Too few of them answered properly.
        """
        return self.read(lambda: self.nodes.height(tag, self.agreement))

    def transaction_count(self, address: str) -> int:
        """How many transactions of a key are in blocks that `agreement` of the nodes have.

        Raises:
            NodeUnavailableError: Too few of them answered properly.
        """
        return self.read(lambda: self.nodes.transaction_count(address, self.agreement))

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
                        f"the node gives no logs: {words_of(_answer_of(error))}"
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
        return is_busy(_answer_of(error))
    # web3's own complaints about wrong arguments are ValueErrors, and no failure of the node; any
    # other comes from an answer that has not the form it should have.
    return isinstance(error, (BadResponseFormat, OSError)) or (
        isinstance(error, ValueError) and not isinstance(error, Web3Exception)
    )


def unavailable(error: BaseException, url: str) -> NodeUnavailableError:
    """The error to raise when a node failed for too long. The URL's secrets are left out."""
    if isinstance(error, NodeFailure):
        what = error.message
    elif isinstance(error, Web3RPCError):
        what = f"the node at {shown_url(url)} answered: {words_of(_answer_of(error))}"
    else:
        what = f"the node at {shown_url(url)} answered with something that is not JSON-RPC"
    return NodeUnavailableError(f"{what}; try again later")


def _answer_of(error: Web3RPCError) -> dict[str, Any]:
    answer = error.rpc_response or {}
    return {"error": answer.get("error") or error.message}


def ordered(logs: Iterable[LogReceipt]) -> list[LogReceipt]:
    """Sort logs as the chain ordered them."""
    return sorted(logs, key=lambda log: (log["blockNumber"], log["logIndex"]))
