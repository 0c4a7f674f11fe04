"""Threads that ask the same question at the same time share one answer."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from tael.chain.single_flight import SingleFlight
from tael.errors import NodeUnavailableError


def test_threads_that_ask_at_the_same_time_ask_once() -> None:
    asked, may_answer = [], threading.Event()

    def ask() -> int:
        asked.append(1)
        assert may_answer.wait(10)
        return 7

    shared = SingleFlight(ask)
    with ThreadPoolExecutor(8) as pool:
        answers = [pool.submit(shared.answer) for _ in range(8)]
        while sum(answer.running() for answer in answers) < 8:
            pass
        may_answer.set()
        assert [answer.result() for answer in answers] == [7] * 8
    assert len(asked) < 8


def test_an_answer_is_not_kept() -> None:
    numbers = iter(range(3))
    shared = SingleFlight(lambda: next(numbers))
    assert [shared.answer() for _ in range(3)] == [0, 1, 2]


def test_an_error_is_told_to_each_and_the_question_can_be_asked_again() -> None:
    tries = []

    def ask() -> int:
        tries.append(1)
        if len(tries) == 1:
            raise NodeUnavailableError("gone")
        return 1

    shared = SingleFlight(ask)
    with pytest.raises(NodeUnavailableError, match="gone"):
        shared.answer()
    assert shared.answer() == 1
