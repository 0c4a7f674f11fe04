"""Several nodes of one chain as if they were one.

A read goes to one node; when that fails, the next one is asked, and the failed one is left alone
for a while, checked again and returned to. Nothing that may change the chain is ever repeated or
handed to a second node in here: that is for whoever wrote it down.
"""

from __future__ import annotations

import os
import time
import weakref
from collections.abc import Callable, Sequence
from typing import Any

from tael.chain.agreement import Votes
from tael.chain.batching import Answers, RequestBatching
from tael.chain.jsonrpc import (
    MAX_BATCH_CALLS,
    MAX_BODY_BYTES,
    Call,
    is_busy,
    quantity,
    response_of,
    split,
)
from tael.chain.node import Identity, Node, NodeState
from tael.chain.node_selection import NodeSelection, together
from tael.chain.transport import NodeFailure
from tael.errors import (
    ConfigurationError,
    NetworkMismatchError,
    NodeUnavailableError,
    TooMuchError,
)
from tael.telemetry import counts

STALE_BLOCKS = 3
"""A node further behind the highest block seen is passed over."""

# Whatever is not known to only read is sent once, to one node.
_READ_PREFIXES = ("eth_", "net_", "web3_", "debug_trace", "trace_", "txpool_")
_WRITE_PREFIXES = ("eth_send", "eth_submit")


class Nodes:
    """The nodes that serve one chain.

    Args:
        urls: HTTP or HTTPS addresses, the preferred one first.
        meant: Which chain must answer; what is open is filled by the first node that answers.
        timeout_seconds: How long one answer may take.
        stale_blocks: A node further behind the highest block seen is passed over.

    Raises:
        ConfigurationError: No URL, one that is not for HTTP, or the same twice.
    """

    def __init__(
        self,
        urls: Sequence[str],
        meant: Identity,
        *,
        timeout_seconds: float,
        stale_blocks: int = STALE_BLOCKS,
    ) -> None:
        if not urls or len(set(urls)) != len(urls):
            raise ConfigurationError("name each of the chain's nodes once, and at least one")
        self._urls = tuple(urls)
        self._timeout_seconds = timeout_seconds
        self._stale_blocks = stale_blocks
        self._begin(meant)
        _EVERY.add(self)
        counts.COUNTS.note_nodes(self)

    def __len__(self) -> int:
        return len(self._selection.nodes)

    # Asking

    def ask(self, method: str, params: Sequence[object]) -> dict[str, Any]:
        """One call; a read goes to another node when the first one fails.

        Returns:
            The answer as the node gave it; it may be an error.

        Raises:
            NodeFailure: No node answered properly.
            NetworkMismatchError: What answers serves another chain.
        """
        return self._ask([(method, params)], as_batch=False)[0]

    def ask_many(self, calls: Sequence[Call]) -> Answers:
        """Many calls in as few requests as their size allows; see `ask`."""
        answers: Answers = []
        for run in split(calls):
            answers += self._ask(run, as_batch=True)
        return answers

    def gather(self, calls: Sequence[Call]) -> Answers:
        """Reads that may share a request with what other threads ask meanwhile; see `ask`."""
        runs = split(calls)
        if len(runs) == 1:
            return self._batching.ask(calls)
        return [answer for run in runs for answer in self._batching.ask(run)]

    def exchange(self, calls: Sequence[Call]) -> Answers:
        """Many calls in one request, sent once to one node, whatever they do.

        Raises:
            NodeFailure: There is no proper answer to all of them; what became of them is open.
            TooMuchError: They do not fit one request; nothing was sent.
            NetworkMismatchError: What answers serves another chain; nothing was sent.
        """
        if len(split(calls)) > 1:
            raise TooMuchError(
                f"one request has at most {MAX_BATCH_CALLS} calls and {MAX_BODY_BYTES} bytes: "
                "send fewer at once"
            )
        answers = self._ask_at(self._selection.next(), calls, as_batch=True)
        if len(self) > 1:
            # What was handed over cannot be asked elsewhere; what it shows is held against others.
            for call, answer in zip(calls, answers, strict=True):
                self._selection.note_block(_block_in(call, answer)[0])
        return answers

    def agree(self, calls: Sequence[Call], needed: int) -> Answers:
        """Calls, each of them answered alike by several nodes.

        Args:
            calls: Few enough for one request.
            needed: How many must give the same answer to each.

        Raises:
            DisagreementError: They contradict each other.
            NodeUnavailableError: Too few answered.
            NodeFailure: None answered.
            NetworkMismatchError: What answers serves another chain.
        """
        self._selection.next()
        votes = [Votes(method, needed) for method, _ in calls]
        agreed: dict[int, dict[str, Any]] = {}
        for node in self._selection.each():
            try:
                answers = self._ask_at(node, calls, as_batch=len(calls) > 1)
                for answer in answers:
                    self._require_time(node, answer)
            except (NodeFailure, NetworkMismatchError):
                continue
            for place, (vote, answer) in enumerate(zip(votes, answers, strict=True)):
                if place not in agreed and vote.add(node.transport.shown, answer):
                    agreed[place] = answer
            if len(agreed) == len(calls):
                return [agreed[place] for place in range(len(calls))]
        raise next(vote for place, vote in enumerate(votes) if place not in agreed).refusal()

    def height(self, tag: str, needed: int) -> int:
        """The number of the newest block that several nodes have reached, whatever one claims.

        Args:
            tag: `latest`, `safe` or `finalized`; a node that knows no such block is at 0.
            needed: How many must have reached it.

        Raises:
            NodeUnavailableError: Too few answered.
            NodeFailure: None answered.
            NetworkMismatchError: What answers serves another chain.
        """
        question: Call = ("eth_getBlockByNumber", [tag, False])
        return self._reached(question, lambda answer: _height_in(tag, answer), "a block", needed)

    def transaction_count(self, address: str, needed: int) -> int:
        """How many transactions of a key several nodes have in blocks; raises as `height`."""
        question: Call = ("eth_getTransactionCount", [address, "latest"])
        return self._reached(question, _count_in, "a nonce", needed)

    def _reached(
        self, question: Call, read: Callable[[dict[str, Any]], int], what: str, needed: int
    ) -> int:
        if needed == 1:
            return read(self.ask(*question))
        self._selection.next()
        numbers: list[int] = []
        for node in self._selection.each():
            try:
                (answer,) = self._ask_at(node, [question], as_batch=False)
                numbers.append(read(answer))
            except (NodeFailure, NetworkMismatchError):
                continue
        if len(numbers) < needed:
            raise NodeUnavailableError(
                f"{needed} nodes must have reached {what}, and {len(numbers)} answered; "
                "try again later"
            )
        return sorted(numbers, reverse=True)[needed - 1]

    # Which chain, and how the nodes stand

    def identify(self) -> Identity:
        """Which chain this is: the one meant, or that of the first node that answers.

        Raises:
            NodeFailure: No node answers properly.
            NetworkMismatchError: What answers serves another chain.
        """
        self._selection.next()
        return self._selection.meant

    def require_same_chain(self, within_seconds: float) -> None:
        """Check again that the node to be asked next serves this chain.

        Args:
            within_seconds: A check that is no older than this will do.

        Raises:
            NodeFailure: No node answers properly.
            NetworkMismatchError: What answers serves another chain.
        """
        tried: list[Node] = []
        while True:
            node = self._selection.next(tried)
            if time.monotonic() - node.checked_at <= within_seconds:
                return
            try:
                self._selection.check(node)
            except (NodeFailure, NetworkMismatchError):
                tried.append(node)
                if len(tried) == len(self):
                    raise
            else:
                return

    def states(self) -> list[NodeState]:
        """How each node stands, in the order they were given."""
        return self._selection.states()

    def telemetry(self) -> list[counts.NodeState]:
        """How each node stands, for those who scrape metrics."""
        return [
            counts.NodeState(each.url, each.requests, each.errors, each.health == "ready")
            for each in self.states()
        ]

    def survey(self) -> None:
        """Look at every node now that is not left alone; otherwise done aside every 2 seconds."""
        self._selection.survey()

    def close(self) -> None:
        """Close the connections that are idle."""
        for node in self._selection.nodes:
            node.transport.close()

    def begin_anew(self) -> None:
        """Forget every connection and how the nodes stand, but not which chain is meant."""
        self._begin(self._selection.meant)

    # Inside

    def _begin(self, meant: Identity) -> None:
        nodes = [Node(url, timeout_seconds=self._timeout_seconds) for url in self._urls]
        self._selection = NodeSelection(nodes, meant, self._stale_blocks)
        self._batching = RequestBatching(self._send)

    def _send(self, calls: Sequence[Call]) -> Answers:
        return self._ask(calls, as_batch=len(calls) > 1)

    def _ask(self, calls: Sequence[Call], *, as_batch: bool) -> Answers:
        tried: list[Node] = []
        failures: list[NodeFailure | NetworkMismatchError] = []
        while True:
            # Read before asking: other threads may hear of newer blocks meanwhile.
            highest = self._selection.highest
            node = self._selection.next(tried)
            try:
                answers = self._ask_at(node, calls, as_batch=as_batch)
                if len(self) > 1:
                    self._require_fit(node, calls, answers, highest)
                return answers
            except (NodeFailure, NetworkMismatchError) as failure:
                failures.append(failure)
                tried.append(node)
                if not all(map(_only_reads, calls)) or self._is_hopeless(tried):
                    raise together(failures) from failure

    def _ask_at(self, node: Node, calls: Sequence[Call], *, as_batch: bool) -> Answers:
        try:
            answers = node.ask(calls, as_batch=as_batch)
        except NodeFailure as failure:
            self._selection.note_failure(node, failure)
            raise
        except NetworkMismatchError as error:
            self._selection.note_other_chain(node, error.message)
            raise
        node.note_success()
        return answers

    def _require_fit(
        self, node: Node, calls: Sequence[Call], answers: Answers, highest: int
    ) -> None:
        """With others to turn to, a node that is too busy or behind is not taken at its word."""
        for call, answer in zip(calls, answers, strict=True):
            self._require_time(node, answer)
            number, is_head = _block_in(call, answer)
            if not is_head:
                self._selection.note_block(number)
            elif not self._selection.note_head(node, number, highest):
                raise NodeFailure(node.why)

    def _is_hopeless(self, tried: Sequence[Node]) -> bool:
        """Whether every node was tried, and failed: those behind may turn out to be the chain."""
        if len(tried) < len(self):
            return False
        return len(tried) >= 2 * len(self) or all(each.health != "behind" for each in tried)

    def _require_time(self, node: Node, answer: dict[str, Any]) -> None:
        problem = response_of(answer).error
        if problem is not None and is_busy(problem):
            failure = node.transport.failure(f"answered: {problem.message}", is_busy=True)
            self._selection.note_failure(node, failure)
            raise failure


_EVERY: weakref.WeakSet[Nodes] = weakref.WeakSet()


def _begin_all_anew() -> None:
    for nodes in list(_EVERY):
        nodes.begin_anew()


# A forked process has its parent's locks as they were, held by threads that it has not, and would
# read its parent's answers.
os.register_at_fork(after_in_child=_begin_all_anew)


def _only_reads(call: Call) -> bool:
    return call[0].startswith(_READ_PREFIXES) and not call[0].startswith(_WRITE_PREFIXES)


def _height_in(tag: str, answer: dict[str, Any]) -> int:
    """The number of the block that a node gives for a tag; 0 if it knows no such block."""
    block, problem = response_of(answer)
    if problem is not None and is_busy(problem):
        raise NodeFailure(f"a node answered: {problem.message}", is_busy=True)
    if block is None and tag != "latest":
        # Every client words differently that it does not know the tag.
        return 0
    try:
        return quantity(block["number"])
    except (KeyError, TypeError, NodeUnavailableError):
        raise NodeFailure(f"a node gives no valid {tag} block: {str(answer)[:200]}") from None


def _count_in(answer: dict[str, Any]) -> int:
    try:
        return quantity(answer.get("result"))
    except NodeUnavailableError:
        raise NodeFailure(f"a node gives no valid number: {str(answer)[:200]}") from None


def _block_in(call: Call, answer: dict[str, Any]) -> tuple[int, bool]:
    """The highest block that an answer shows to exist, and whether it is the node's latest."""
    method, params = call
    value = answer.get("result")
    is_head = method == "eth_blockNumber"
    if isinstance(value, dict) and method == "eth_getBlockByNumber":
        is_head = bool(params) and params[0] == "latest"
        value = value.get("number")
    elif isinstance(value, dict) and method == "eth_getTransactionReceipt":
        value = value.get("blockNumber")
    elif not is_head:
        return 0, False
    try:
        return quantity(value), is_head
    except NodeUnavailableError:
        return 0, False
