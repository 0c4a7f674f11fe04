"""Reads of many threads that share a request: what waits while one is under way goes out together.

Nobody waits for company: a lone read leaves at once. Under load the requests grow by themselves.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from tael.chain.jsonrpc import MAX_BATCH_CALLS, MAX_BODY_BYTES, Call, size_of
from tael.chain.transport import NodeFailure

Answers = list[dict[str, Any]]

MAX_REQUESTS_UNDER_WAY = 2
"""One being answered while the next is on its way: more would only make each of them smaller."""


class _Turn:
    """One thread's calls, waiting for their answers or for the turn to send everybody's."""

    __slots__ = ("answers", "calls", "failure", "leads", "size", "woken")

    def __init__(self, calls: Sequence[Call]) -> None:
        self.calls = calls
        self.size = sum(size_of(call) for call in calls)
        self.answers: Answers = []
        self.failure: BaseException | None = None
        self.leads = False
        self.woken = threading.Event()


class RequestBatching:
    """Gathers the calls of many threads into few requests.

    Any thread may ask. `_guard` protects the queue and the count of requests under way, and is
    never held while one is sent. Whoever has sent a request passes the right to send on to the
    thread that has waited longest; one that stops waiting passes it on too, so that it is never
    lost. A turn's answers are written before its `woken` is set, and read only after.

    Args:
        send: Sends calls in one request and returns their answers in order.
    """

    def __init__(self, send: Callable[[Sequence[Call]], Answers]) -> None:
        self._send = send
        self._guard = threading.Lock()
        self._waiting: deque[_Turn] = deque()
        self._under_way = 0

    def ask(self, calls: Sequence[Call]) -> Answers:
        """Send calls, perhaps with those of other threads.

        Args:
            calls: Few enough for one request.

        Returns:
            The answers to these calls, in their order.

        Raises:
            NodeFailure: The request they went out with failed.
            NetworkMismatchError: What answers serves another chain.
        """
        with self._guard:
            goes_alone = self._under_way < MAX_REQUESTS_UNDER_WAY and not self._waiting
            if goes_alone:
                self._under_way += 1
            else:
                turn = _Turn(calls)
                self._waiting.append(turn)
        if goes_alone:
            try:
                return self._send(calls)
            finally:
                self._pass_on()
        try:
            turn.woken.wait()
        except BaseException:
            self._give_up(turn)
            raise
        if turn.leads:
            self._lead(turn)
        if turn.failure is not None:
            raise turn.failure
        return turn.answers

    def _lead(self, first: _Turn) -> None:
        """Send what waits, the leader's own calls first, and hand out the answers."""
        turns = self._take(first)
        try:
            answers = self._send([call for turn in turns for call in turn.calls])
            start = 0
            for turn in turns:
                turn.answers = answers[start : start + len(turn.calls)]
                start += len(turn.calls)
        except BaseException as error:
            for turn in turns:
                turn.failure = _copy_of(error)
            raise
        finally:
            for turn in turns[1:]:
                turn.woken.set()
            self._pass_on()

    def _give_up(self, turn: _Turn) -> None:
        """A thread stopped waiting: it must not be the one that the others wait for."""
        with self._guard:
            if turn in self._waiting:
                self._waiting.remove(turn)
        if turn.leads:
            self._pass_on()

    def _take(self, first: _Turn) -> list[_Turn]:
        turns, calls, size = [first], len(first.calls), first.size
        with self._guard:
            while self._waiting:
                turn = self._waiting[0]
                calls, size = calls + len(turn.calls), size + turn.size
                if calls > MAX_BATCH_CALLS or size > MAX_BODY_BYTES:
                    break
                turns.append(self._waiting.popleft())
        return turns

    def _pass_on(self) -> None:
        """A request came back: the longest waiting thread sends the next one."""
        with self._guard:
            if not self._waiting:
                self._under_way -= 1
                return
            turn = self._waiting.popleft()
        turn.leads = True
        turn.woken.set()


def _copy_of(error: BaseException) -> BaseException:
    """An error for another thread to raise: a shared one would gather everybody's tracebacks."""
    if isinstance(error, NodeFailure):
        return NodeFailure(error.message, is_busy=error.is_busy)
    if isinstance(error, Exception):
        return type(error)(*error.args)
    return NodeFailure("the request was given up by the thread that sent it")
