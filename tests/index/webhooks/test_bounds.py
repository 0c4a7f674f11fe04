"""No answer holds the sender up: none that drips, has no end or is no HTTP."""

from __future__ import annotations

import contextlib
import time
from http.server import BaseHTTPRequestHandler

import pytest

from tael.index import Index
from tests.index.webhooks.receiver import Receiver, send_all


@pytest.mark.parametrize("head", [b"HTTP/1.1 200 OK\r\nX-Drip: ", b""])
def test_answer_that_drips_is_cut_off_in_time(
    index: Index, receiver: Receiver, head: bytes
) -> None:
    def drip(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(head)
        with contextlib.suppress(OSError):
            for _ in range(200):
                handler.wfile.write(b"x")
                handler.wfile.flush()
                time.sleep(0.05)

    receiver.answers = [drip]
    started = time.monotonic()
    attempts = send_all(index, receiver.url, timeout_seconds=0.5)
    assert "in time" in attempts[0].problem
    assert time.monotonic() - started < 5


def test_body_of_an_answer_does_not_matter(index: Index, receiver: Receiver) -> None:
    def drip(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "100000")
        handler.end_headers()
        with contextlib.suppress(OSError):
            for _ in range(200):
                handler.wfile.write(b"x")
                time.sleep(0.05)

    receiver.answers = [drip]
    started = time.monotonic()
    assert send_all(index, receiver.url)[0].status == 200
    assert time.monotonic() - started < 5


def test_answer_that_never_comes_is_cut_off_in_time(index: Index, receiver: Receiver) -> None:
    receiver.answers = [lambda handler: time.sleep(2)]
    attempts = send_all(index, receiver.url, timeout_seconds=0.3)
    assert attempts[0].status is None
    assert "in time" in attempts[0].problem or "timed out" in attempts[0].problem


def test_answer_without_end_is_not_read_to_its_end(index: Index, receiver: Receiver) -> None:
    written = []

    def flood(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        with contextlib.suppress(OSError):
            for _ in range(10_000):
                written.append(handler.wfile.write(b"x" * 65_536))

    receiver.answers = [flood]
    attempts = send_all(index, receiver.url)
    assert attempts[0].status == 200
    assert sum(written) < 100 * 65_536


def test_garbage_is_a_failure_like_another(index: Index, receiver: Receiver) -> None:
    receiver.answers = [lambda handler: handler.wfile.write(b"SSH-2.0-hello\r\n")]
    attempts = send_all(index, receiver.url)
    assert "HTTP" in attempts[0].problem
