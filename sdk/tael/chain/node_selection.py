"""Which of a chain's nodes to ask next: in the order given, unless failed, behind or elsewhere."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence

from tael.chain.node import Identity, Node, NodeState
from tael.chain.transport import NodeFailure
from tael.errors import NetworkMismatchError
from tael.telemetry import log_events

SURVEY_SECONDS = 2.0
"""How often all nodes are looked at, while any of them is asked at all."""


class NodeSelection:
    """The nodes of one chain and how each stands.

    Any thread may ask here, and the survey's own thread notes things meanwhile. `_guard` is held
    for every change of how a node stands, of the highest block and of the chain that is meant, and
    never while a node is asked: what was read before it is compared again under it. A node's own
    `checking` keeps two threads from checking it at once; `_surveying` lets one survey run at a
    time. Reading how a node stands takes no lock: it may be old by then, and whoever asks the node
    finds out.

    Args:
        nodes: The nodes, the preferred one first.
        meant: Which chain must answer; what is open is filled by the first node that answers.
        stale_blocks: A node further behind the highest block seen is passed over.
    """

    def __init__(self, nodes: Sequence[Node], meant: Identity, stale_blocks: int) -> None:
        self.nodes = tuple(nodes)
        self.meant = meant
        self.highest = 0
        self._stale_blocks = stale_blocks
        self._guard = threading.Lock()
        self._surveying = threading.Lock()
        self._surveyed_at = float("-inf")

    @property
    def is_single(self) -> bool:
        """Whether there is no other node to turn to or to compare with."""
        return len(self.nodes) == 1

    def next(self, tried: Sequence[Node] = ()) -> Node:
        """The node to ask now, none of those tried already; it is checked first if need be.

        Raises:
            NodeFailure: None of them can be asked.
            NetworkMismatchError: All that answer serve another chain.
        """
        self._survey_when_due()
        for node in self.nodes:
            if node not in tried and self._is_ready(node):
                return node
        now = time.monotonic()
        left = [each for each in self.nodes if each not in tried]
        left.sort(key=lambda each: each.rests_until)
        # When all of them rest, only the one that has rested longest is disturbed.
        for node in [each for each in left if each.rests_until <= now] or left[:1]:
            try:
                self.check(node)
            except (NodeFailure, NetworkMismatchError):
                continue
            return node
        return self._level()

    def each(self) -> Iterator[Node]:
        """The nodes that serve this chain, ready ones first, however far they are."""
        self._survey_when_due()
        order = sorted(self.nodes, key=lambda each: (not each.is_ready, each.rests_until))
        for node in order:
            if not node.is_ready:
                try:
                    self.check(node)
                except (NodeFailure, NetworkMismatchError):
                    if node.health != "behind":
                        continue
            yield node

    def check(self, node: Node) -> None:
        """Ask a node which chain it serves and how far it is.

        Raises:
            NodeFailure: It does not answer properly, or is behind.
            NetworkMismatchError: It serves another chain.
        """
        asked_at = time.monotonic()
        with node.checking:
            # Another thread may have checked it while this one waited.
            if node.checked_at < asked_at:
                self._check(node)
        if not node.is_ready:
            raise node.refusal()

    def survey(self) -> None:
        """Look at every node that does not rest: its chain unless it is ready, and its head."""
        with self._surveying:
            self._survey()

    def states(self) -> list[NodeState]:
        """How each node stands, in the order they were given."""
        return [node.state() for node in self.nodes]

    # What an answer tells about the node it came from

    def note_failure(self, node: Node, failure: NodeFailure) -> None:
        """A node failed: others are asked first for a while."""
        if self.is_single and failure.is_busy:
            return  # checking it again would only make it busier
        with self._guard, _Reported(node):
            node.note_failure(failure)

    def note_other_chain(self, node: Node, why: str) -> None:
        """A node serves another chain than the one meant."""
        with self._guard, _Reported(node):
            node.note_other_chain(why)

    def note_block(self, number: int) -> None:
        """A node named a block that is in the chain: others have it too, or are behind."""
        with self._guard:
            self.highest = max(self.highest, number)

    def note_head(self, node: Node, head: int, highest: int) -> bool:
        """A node named its latest block.

        Args:
            node: The node.
            head: The block's number.
            highest: The highest block known before the node was asked.

        Returns:
            Whether it is near enough to the others to count.
        """
        with self._guard, _Reported(node):
            return self._is_near(node, head, highest)

    # Inside

    def _is_ready(self, node: Node) -> bool:
        """Whether a node may be asked; one that was not asked lately is measured first."""
        if node.is_ready and self._lags(node):
            self._measure(node)
        return node.is_ready

    def _lags(self, node: Node) -> bool:
        return (node.head or 0) + self._stale_blocks < self.highest

    def _check(self, node: Node) -> None:
        highest = self.highest
        try:
            identity = node.read_identity()
            what = self.meant.mismatch(identity)
            if what is not None:
                self.note_other_chain(node, node.transport.failure(what).message)
                return
            head = None if self.is_single else node.read_head()
        except NodeFailure as failure:
            self.note_failure(node, failure)
            return
        with self._guard, _Reported(node):
            # Another node may have filled what was open while this one was asked.
            what = self.meant.mismatch(identity)
            if what is not None:
                node.note_other_chain(node.transport.failure(what).message)
                return
            self.meant = identity
            if head is None or self._is_near(node, head, highest):
                node.note_checked(identity)

    def _is_near(self, node: Node, head: int, highest: int) -> bool:
        is_near = node.note_head(head, highest=highest, tolerance=self._stale_blocks)
        self.highest = max(self.highest, head)
        return is_near

    def _level(self) -> Node:
        """No node is ready: what that means, unless most of them merely lack a block nobody has."""
        behind = [each for each in self.nodes if each.health == "behind"]
        with self._guard:
            # A chain that went back, or a node that is gone and had claimed a block that never was.
            # Of two nodes one cannot outvote the other.
            if 2 * len(behind) > len(self.nodes):
                self.highest = max(each.head or 0 for each in behind)
                best = max(behind, key=lambda each: each.head or 0)
                best.note_checked(self.meant)
                return best
        raise together([each.refusal() for each in self.nodes if not each.is_ready])

    def _survey_when_due(self) -> None:
        if self.is_single or time.monotonic() - self._surveyed_at < SURVEY_SECONDS:
            return
        if not self._surveying.acquire(blocking=False):
            return
        self._surveyed_at = time.monotonic()
        try:
            # Aside, so that no call waits for a node that it does not need.
            threading.Thread(target=self._survey_aside, name="tael-nodes", daemon=True).start()
        except RuntimeError:
            self._surveying.release()  # the interpreter is ending

    def _survey_aside(self) -> None:
        try:
            self._survey()
        finally:
            self._surveying.release()

    def _survey(self) -> None:
        self._surveyed_at = time.monotonic()
        for node in self.nodes:
            if node.is_ready:
                self._measure(node)
            elif node.rests_until <= time.monotonic():
                try:
                    self.check(node)
                except (NodeFailure, NetworkMismatchError):
                    continue  # noted; whoever asks next takes another one
        # Those asked first were compared with what the later ones had not said yet.
        for node in self.nodes:
            if node.is_ready and self._lags(node):
                self._measure(node)

    def _measure(self, node: Node) -> None:
        highest = self.highest
        try:
            self.note_head(node, node.read_head(), highest)
        except NodeFailure as failure:
            self.note_failure(node, failure)
        except NetworkMismatchError as error:
            self.note_other_chain(node, error.message)


class _Reported:
    """Reports a node that changed its standing within the block."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._before = node.health

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        after = self._node.health
        if after == self._before:
            return
        if after == "ready":
            log_events.node_in_use(self._node.transport.shown)
        else:
            log_events.node_left_out(self._node.transport.shown, self._node.why)


def together(
    refusals: Sequence[NodeFailure | NetworkMismatchError],
) -> NodeFailure | NetworkMismatchError:
    """One error for what several nodes did, each named; a mismatch only if all serve another chain.

    A node that is merely gone may come back and be the right one.
    """
    failures = [each for each in refusals if isinstance(each, NodeFailure)]
    if len(refusals) == 1 or (refusals and not failures):
        return refusals[0]
    return NodeFailure("no node answers: " + "; ".join(each.message for each in refusals))
