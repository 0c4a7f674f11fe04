"""One node as this process knows it: which chain it serves, how far it is, and whether it failed.

Nothing a node says counts before its chain id and the hash of its first block were checked. A
failure takes that back: what answers next may be another node, or another chain, at the same place.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from tael.chain.jsonrpc import (
    Call,
    MalformedAnswer,
    decode,
    encode,
    hash_text,
    quantity,
    response_of,
)
from tael.chain.transport import NodeFailure, Post, Transport
from tael.errors import NetworkMismatchError, NodeUnavailableError

NodeHealth = Literal["ready", "untried", "failed", "behind", "other_chain"]

FIRST_REST_SECONDS = 1.0
LONGEST_REST_SECONDS = 30.0
OTHER_CHAIN_REST_SECONDS = 60.0
STALL_SECONDS = 30.0
"""A head that stands still for so long while another node's goes on is not the chain's."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Which chain is meant, or answers.

    Attributes:
        chain_id: EIP-155 chain id; None if any will do.
        genesis_hash: Hash of block 0, 0x-prefixed and lower case; None if any will do.
    """

    chain_id: int | None
    genesis_hash: str | None

    def mismatch(self, other: Identity) -> str | None:
        """Why another chain is not the one meant; None if it is."""
        if self.chain_id is not None and other.chain_id != self.chain_id:
            return f"serves chain {other.chain_id}, not chain {self.chain_id}"
        if self.genesis_hash is not None and other.genesis_hash != self.genesis_hash:
            return (
                f"serves a chain {other.chain_id} that began with block {other.genesis_hash}, not "
                f"with {self.genesis_hash}: it is another chain of the same number"
            )
        return None


@dataclass(frozen=True, slots=True)
class NodeState:
    """How one node stands.

    Attributes:
        url: Its URL without secrets.
        health: `ready`; `untried` since the start; `failed` and left alone for a while; `behind`
            the others; `other_chain` if it does not serve the chain that is meant.
        head: The latest block it named; None if it was never asked.
        why: What it did when it is not ready.
        requests: How many it was sent.
        errors: How many of them it did not answer properly.
    """

    url: str
    health: NodeHealth
    head: int | None
    why: str
    requests: int = 0
    errors: int = 0


class Node:
    """One node's JSON-RPC, and how it stands.

    Args:
        url: Where it answers.
        timeout_seconds: How long one answer may take.
    """

    def __init__(self, url: str, *, timeout_seconds: float) -> None:
        self.transport = Transport(url, timeout_seconds=timeout_seconds, greet=self._greet)
        self.health: NodeHealth = "untried"
        self.why = ""
        self.head: int | None = None
        self.identity: Identity | None = None
        self.checked_at = float("-inf")
        self.rests_until = float("-inf")
        self.checking = threading.Lock()
        self.requests = 0
        self.errors = 0
        self._failures = 0
        self._behind_since: float | None = None

    @property
    def is_ready(self) -> bool:
        """Whether it may be asked without being checked first."""
        return self.health == "ready"

    def state(self) -> NodeState:
        """How it stands now."""
        return NodeState(
            self.transport.shown, self.health, self.head, self.why, self.requests, self.errors
        )

    def refusal(self) -> NodeFailure | NetworkMismatchError:
        """The error to raise because it is not ready."""
        if self.health == "other_chain":
            return NetworkMismatchError(self.why)
        return NodeFailure(self.why)

    def ask(self, calls: Sequence[Call], *, as_batch: bool) -> list[dict[str, Any]]:
        """Send calls in one request, once.

        Returns:
            The answers in the order of the calls; an answer may be an error.

        Raises:
            NodeFailure: There is no proper answer to all of them.
            NetworkMismatchError: It serves another chain by now; the calls were not sent.
        """
        self.requests += 1
        try:
            return self._ask(self.transport.post, calls, as_batch=as_batch)
        except (NodeFailure, NetworkMismatchError):
            self.errors += 1
            raise

    def read_identity(self, post: Post | None = None) -> Identity:
        """Which chain answers.

        Args:
            post: The way to ask; None is any connection.

        Raises:
            NodeFailure: It does not say so properly.
        """
        post = post or self.transport.post
        try:
            chain_id = quantity(self._result(post, "eth_chainId"))
            first = self._result(post, "eth_getBlockByNumber", "0x0", False)
            return Identity(chain_id, hash_text(first["hash"]))
        except (TypeError, KeyError, NodeUnavailableError) as error:
            raise self.transport.failure("does not say which chain it serves") from error

    def read_head(self) -> int:
        """The latest block's number.

        Raises:
            NodeFailure: It does not say so properly.
        """
        try:
            return quantity(self._result(self.transport.post, "eth_blockNumber"))
        except NodeUnavailableError as error:
            raise self.transport.failure("does not say how far it is") from error

    def _greet(self, post: Post) -> None:
        """On a connection that nothing joins to the last one: the same chain, or no answer."""
        if self.identity is None:
            return  # nothing was believed so far: it is checked before that
        what = self.identity.mismatch(self.read_identity(post))
        if what is not None:
            raise NetworkMismatchError(self.transport.failure(what).message)
        self.checked_at = time.monotonic()

    def _ask(self, post: Post, calls: Sequence[Call], *, as_batch: bool) -> list[dict[str, Any]]:
        encoded = encode(calls, as_batch=as_batch)
        body = post(encoded.body)
        try:
            return decode(body, encoded)
        except MalformedAnswer as error:
            raise self.transport.failure(str(error)) from error

    def _result(self, post: Post, method: str, *params: object) -> Any:
        response = response_of(self._ask(post, [(method, params)], as_batch=False)[0])
        if response.error is not None:
            raise self.transport.failure(f"does not answer {method}: {response.error.message}")
        return response.result

    # What is noted about it; the selection holds its lock meanwhile.

    def note_checked(self, identity: Identity) -> None:
        """It serves the chain that is meant."""
        self.health, self.why, self.identity = "ready", "", identity
        self.checked_at = time.monotonic()

    def note_success(self) -> None:
        """It answered properly."""
        self._failures = 0

    def note_failure(self, failure: NodeFailure) -> None:
        """It failed: left alone for a while, longer each time."""
        self._failures += 1
        rest = FIRST_REST_SECONDS * 2 ** min(self._failures - 1, 10)
        self.rests_until = time.monotonic() + min(rest, LONGEST_REST_SECONDS)
        self._leave("failed", failure.message)

    def note_other_chain(self, why: str) -> None:
        """It serves another chain: left out, and looked at again much later."""
        self.rests_until = time.monotonic() + OTHER_CHAIN_REST_SECONDS
        self._leave("other_chain", why)

    def note_head(self, head: int, *, highest: int, tolerance: int) -> bool:
        """How far it is, compared with the highest block known before it was asked.

        Returns:
            Whether it is near enough.
        """
        now = time.monotonic()
        if head >= highest:
            self._behind_since = None
        elif self._behind_since is None or head != self.head:
            self._behind_since = now
        self.head = head
        stands_still = self._behind_since is not None and now - self._behind_since > STALL_SECONDS
        if head + tolerance >= highest and not stands_still:
            return True
        failure = self.transport.failure(f"is at block {head}, another was at {highest}")
        self.health, self.why = "behind", failure.message
        self.checked_at = now
        return False

    def _leave(self, health: NodeHealth, why: str) -> None:
        self.health, self.why, self.identity = health, why, None
        self.checked_at = time.monotonic()
        self.transport.close()
