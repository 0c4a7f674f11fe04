"""A connection to one chain: identity checked, reads repeated when the nodes stumble.

What goes wrong between here and a node (refused connections, time-outs, HTML instead of JSON, 429,
5xx, truncated answers) becomes a `NodeUnavailableError`; a contract's refusal becomes the typed
error of `tael.errors`. Only reads are ever repeated here.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar
from urllib.parse import urlsplit

from tael.addresses import any_case_address
from tael.chain.jsonrpc import Call, data_bytes, hash_text, quantity, split
from tael.chain.node import Identity
from tael.chain.node_errors import result_of, unavailable
from tael.chain.nodes import STALE_BLOCKS, Nodes
from tael.chain.single_flight import SingleFlight
from tael.chain.transport import LOOPBACK, NodeFailure
from tael.chain.transport import shown_url as shown_url
from tael.errors import (
    ConfigurationError,
    NetworkMismatchError,
    NodeUnavailableError,
    TooMuchError,
)

if TYPE_CHECKING:
    from web3 import Web3

Result = TypeVar("Result")

_LATEST = ("eth_getBlockByNumber", ("latest", False))
_PENDING = ("eth_getBlockByNumber", ("pending", False))

TIMEOUT_SECONDS = 10.0
RETRY_SECONDS = 20.0
CONNECT_RETRY_SECONDS = 3.0
"""A node that is there answers within this; waiting longer for a wrong URL helps nobody."""
AGREE_RETRY_SECONDS = 3.0
"""Nodes that are only late agree within this; those that lie never will."""
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
        self.nodes = nodes
        self.url = urls[0]
        self.agreement = agreement
        self._other_urls = tuple(urls[1:])
        self._clock = SingleFlight(self._time)
        self._w3: Web3 | None = None
        self.retry_seconds = min(retry_seconds, CONNECT_RETRY_SECONDS)
        identity = self.read(nodes.identify)
        self.chain_id: int = identity.chain_id or 0
        self.genesis_hash: str = identity.genesis_hash or ""
        self.client_version: str = str(self._ask("web3_clientVersion"))[:200]
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
            ConfigurationError: A URL is not for HTTP, or more nodes must agree than there are.
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

    @property
    def w3(self) -> Web3:
        """A web3 instance over the same nodes, for calls of your own that are not covered here.

        It repeats no failed call on the same node and sends nothing twice. What it raises is web3's
        and the transport's; `tael.chain.revert_from` tells whether a contract refused. Nothing in
        this package uses it, and web3 is imported when it is first asked for.
        """
        if self._w3 is None:
            from tael.chain.web3_provider import web3_over

            self._w3 = web3_over(self.nodes)
        return self._w3

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
        return self._head(self._ask(_LATEST[0], *_LATEST[1]))

    def _head(self, block: Any) -> Head:
        try:
            time_ = quantity(block["timestamp"], bits=_TIME_BITS)
            return Head(quantity(block["number"]), hash_text(block["hash"]), time_)
        except (TypeError, KeyError) as error:
            raise NodeUnavailableError(
                f"the node at {shown_url(self.url)} gives no valid latest block; try again later"
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
        return [result for run in split(calls) for result in self._agree(run)]

    def _agree(self, calls: Sequence[Call]) -> list[Any]:
        if self.agreement == 1 and len(calls) == 1:
            return [self._ask(calls[0][0], *calls[0][1])]
        if self.agreement == 1:
            return self.read(lambda: _results(self.nodes.ask_many(calls), calls))
        for pause in pauses(min(self.retry_seconds, AGREE_RETRY_SECONDS)):
            try:
                return self.read(lambda: _results(self.nodes.agree(calls, self.agreement), calls))
            except TooMuchError:
                raise
            except NodeUnavailableError:
                if pause is None:
                    raise
                time.sleep(pause)
        raise AssertionError("the last pause is None")

    def _ask(self, method: str, *params: object) -> Any:
        return self.read(lambda: result_of(self.nodes.ask(method, params), (method, params)))

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

        def ask() -> tuple[Any, Any]:
            latest, pending = self.nodes.ask_many([_LATEST, _PENDING])
            try:
                next_block = result_of(pending, _PENDING)
            except NodeUnavailableError:  # No busy node, which is asked again: one without any.
                next_block = None
            return result_of(latest, _LATEST), next_block

        latest, pending = self.read(ask)
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
        return quantity(self._ask("eth_blockNumber"))

    def code(self, address: str, block: str = "latest") -> bytes:
        """The code at an address, empty if there is none."""
        return data_bytes(self._ask("eth_getCode", any_case_address(address), block))

    def storage(self, address: str, slot: int) -> int:
        """One word of a contract's storage."""
        word = self._ask("eth_getStorageAt", any_case_address(address), hex(slot), "latest")
        return quantity(word, bits=256)

    def wei(self, address: str) -> int:
        """What an address has to pay for gas, in wei."""
        balance = self._ask("eth_getBalance", any_case_address(address), "latest")
        return quantity(balance, bits=256)

    def read(self, request: Callable[[], Result]) -> Result:
        """Run something that only reads, and run it again while the node stumbles.

        Args:
            request: What to run; it may run several times.

        Returns:
            What it returned.

        Raises:
            NodeUnavailableError: The node did not answer properly in `retry_seconds`.
            TaelError: What else the request raises.
        """
        for pause in pauses(self.retry_seconds):
            try:
                return request()
            except NodeFailure as failure:
                if pause is None:
                    raise unavailable(failure) from failure
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


def _results(answers: Sequence[Mapping[str, Any]], calls: Sequence[Call]) -> list[Any]:
    return [result_of(answer, call) for answer, call in zip(answers, calls, strict=True)]
