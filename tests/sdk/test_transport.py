"""HTTP to a node: what comes back whole, what never does, and connections that are not mixed up."""

from __future__ import annotations

import gzip
import json
import os
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tael.chain import transport as transport_module
from tael.chain.transport import NodeFailure, Transport
from tael.errors import ConfigurationError
from tests.support.certificates import Authority

Respond = Callable[["Handler", bytes], None]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    respond: Respond
    tunnel_to: int | None = None

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        type(self).respond(self, body)

    def do_CONNECT(self) -> None:
        assert self.tunnel_to is not None
        self.send_response(200)
        self.end_headers()
        with socket.create_connection(("127.0.0.1", self.tunnel_to)) as inner:
            pair = {inner: self.connection, self.connection: inner}
            while ready := select.select(list(pair), [], [], 10)[0]:
                data = ready[0].recv(65536)
                if not data:
                    break
                pair[ready[0]].sendall(data)
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass

    def give(self, body: bytes, *, length: int | None = None, **headers: str) -> None:
        self.send_response(200)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def serving(
    respond: Respond, *, tls: ssl.SSLContext | None = None, tunnel_to: int | None = None
) -> Iterator[int]:
    handler = type("H", (Handler,), {"respond": staticmethod(respond), "tunnel_to": tunnel_to})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


def echo(handler: Handler, body: bytes) -> None:
    handler.give(body)


def reach(port: int, **options: Any) -> Transport:
    return Transport(f"http://127.0.0.1:{port}", timeout_seconds=1.0, **options)


# Answers


def test_post_gives_the_whole_answer_when_it_is_long_chunked_or_packed() -> None:
    long = os.urandom(3_000_000)

    def chunked(handler: Handler, body: bytes) -> None:
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        for start in range(0, len(body), 100_000):
            piece = body[start : start + 100_000]
            handler.wfile.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
        handler.wfile.write(b"0\r\n\r\n")

    def packed(handler: Handler, body: bytes) -> None:
        handler.give(gzip.compress(body), Content_Encoding="gzip")

    def closing(handler: Handler, body: bytes) -> None:
        handler.send_response(200)
        handler.send_header("Connection", "close")
        handler.end_headers()
        handler.wfile.write(body)
        handler.close_connection = True

    for respond in (echo, chunked, packed, closing):
        with serving(respond) as port:
            transport = reach(port)
            for body in (b"{}", long, b"x", b""):
                assert transport.post(body) == body


@pytest.mark.threat("S13")
@pytest.mark.parametrize(
    ("respond", "words"),
    [
        (lambda h, b: h.give(b, length=len(b) + 5), "in time"),
        (lambda h, b: h.wfile.write(b"no http at all\r\n\r\n"), "not JSON-RPC"),
        (lambda h, b: h.give(b"no gzip", Content_Encoding="gzip"), "not JSON-RPC"),
        (lambda h, b: h.send_error(302), "HTTP 302"),
        (lambda h, b: h.send_error(500), "HTTP 500"),
        (lambda h, b: h.connection.shutdown(socket.SHUT_RDWR), "hung up"),
    ],
)
def test_post_fails_when_the_answer_is_none(respond: Respond, words: str) -> None:
    with serving(respond) as port, pytest.raises(NodeFailure, match=words):
        reach(port).post(b"{}")


@pytest.mark.threat("S13")
def test_post_fails_in_time_when_the_answer_drips() -> None:
    def drip(handler: Handler, body: bytes) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "100")
        handler.end_headers()
        for _ in range(100):
            handler.wfile.write(b" ")
            time.sleep(0.1)

    with serving(drip) as port:
        started = time.monotonic()
        with pytest.raises(NodeFailure, match="in time"):
            reach(port).post(b"{}")
        assert time.monotonic() - started < 3


@pytest.mark.threat("S13")
def test_post_fails_when_the_answer_has_no_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport_module, "MAX_ANSWER_BYTES", 1_000_000)
    bomb = gzip.compress(bytes(50_000_000))
    responds: list[Respond] = [
        lambda h, b: h.give(bytes(1_000_001)),
        lambda h, b: h.give(bomb, Content_Encoding="gzip"),
    ]
    for respond in responds:
        with serving(respond) as port, pytest.raises(NodeFailure, match="more than 1000000 bytes"):
            reach(port).post(b"{}")


def test_post_sends_who_asks_when_the_url_says_so() -> None:
    seen: list[str | None] = []

    def note(handler: Handler, body: bytes) -> None:
        seen.append(handler.headers["Authorization"])
        handler.give(handler.path.encode())

    with serving(note) as port:
        url = f"http://us%40er:wo%3Ard@127.0.0.1:{port}/v3/key?a=b"
        assert Transport(url, timeout_seconds=1.0).post(b"") == b"/v3/key?a=b"
        assert reach(port).post(b"") == b"/"
    assert seen == ["Basic dXNAZXI6d286cmQ=", None]


# Connections


def test_connections_are_kept_when_answers_come_and_cut_when_one_fails() -> None:
    peers: list[int] = []
    slow = threading.Event()

    def note(handler: Handler, body: bytes) -> None:
        peers.append(handler.client_address[1])
        if body == b"slow":
            slow.wait(5)
        handler.give(body)

    with serving(note) as port:
        transport = reach(port)
        for _ in range(5):
            transport.post(b"a")
        assert len(set(peers)) == 1
        with pytest.raises(NodeFailure, match="in time"):
            transport.post(b"slow")
        # The late answer to that one is no answer to the next.
        slow.set()
        assert transport.post(b"b") == b"b"
        assert len(set(peers)) == 2


def test_a_connection_is_made_anew_when_the_other_end_closed_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    greeted: list[int] = []

    def hang_up_after(handler: Handler, body: bytes) -> None:
        handler.give(body)
        if body == b"last":
            handler.close_connection = True

    with serving(hang_up_after) as port:
        transport = reach(port, greet=lambda post: greeted.append(len(post(b"who"))))
        assert transport.post(b"a") == b"a"
        assert transport.post(b"last") == b"last"
        time.sleep(0.1)
        assert transport.post(b"b") == b"b"
        # Who answers is asked once per connection that nothing joins to the last one.
        assert greeted == [3, 3]
        monkeypatch.setattr(transport_module, "_IDLE_SECONDS", 0.0)
        assert transport.post(b"c") == b"c"
        assert greeted == [3, 3, 3]


def test_nothing_is_sent_when_the_greeting_fails() -> None:
    bodies: list[bytes] = []

    def note(handler: Handler, body: bytes) -> None:
        bodies.append(body)
        handler.give(body)

    def greet(post: Callable[[bytes], bytes]) -> None:
        post(b"who")
        raise NodeFailure("another")

    with serving(note) as port:
        transport = reach(port, greet=greet)
        for _ in range(2):
            with pytest.raises(NodeFailure, match="another"):
                transport.post(b"order")
    assert bodies == [b"who", b"who"]


def test_every_thread_gets_its_own_answer() -> None:
    peers: set[int] = set()

    def note(handler: Handler, body: bytes) -> None:
        peers.add(handler.client_address[1])
        handler.give(body)

    wrong: list[bytes] = []
    with serving(note) as port:
        transport = reach(port)

        def work(thread: int) -> None:
            for turn in range(50):
                body = b"%d %d" % (thread, turn)
                if transport.post(body) != body:
                    wrong.append(body)

        threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        transport.close()
    assert not wrong
    assert len(peers) <= 8


def test_a_forked_process_makes_connections_of_its_own() -> None:
    peers: list[int] = []

    def note(handler: Handler, body: bytes) -> None:
        peers.append(handler.client_address[1])
        handler.give(body)

    with serving(note) as port:
        transport = reach(port)
        assert transport.post(b"parent") == b"parent"
        child = os.fork()
        if child == 0:
            try:
                os._exit(0 if transport.post(b"child") == b"child" else 1)
            finally:
                os._exit(2)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert transport.post(b"parent") == b"parent"
    assert peers[0] == peers[2] != peers[1]


# TLS and proxies


@pytest.fixture
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    return monkeypatch


def test_a_proxy_is_used_when_the_environment_names_one(no_proxies: pytest.MonkeyPatch) -> None:
    seen: list[tuple[str, str | None, str]] = []

    def note(handler: Handler, body: bytes) -> None:
        headers = handler.headers
        seen.append((handler.path, headers["Proxy-Authorization"], headers["Host"]))
        handler.give(body)

    with serving(note) as port:
        no_proxies.setenv("http_proxy", f"http://u:p@127.0.0.1:{port}")
        transport = Transport("http://node.example:8545/key", timeout_seconds=1.0)
        assert transport.post(b"x") == b"x"
        assert seen == [("http://node.example:8545/key", "Basic dTpw", "node.example:8545")]
        # None serves loopback, and no_proxy is heeded.
        with serving(echo) as direct:
            assert reach(direct).post(b"y") == b"y"
        no_proxies.setenv("no_proxy", "node.example")
        with pytest.raises(NodeFailure, match="could not be reached"):
            Transport("http://node.example:8545/key", timeout_seconds=1.0).post(b"x")
    assert len(seen) == 1
    no_proxies.delenv("no_proxy")
    no_proxies.setenv("http_proxy", "socks5://127.0.0.1:1")
    with pytest.raises(ConfigurationError, match="proxy"):
        Transport("http://node.example", timeout_seconds=1.0)


def test_tls_is_checked_when_the_url_asks_for_it(
    no_proxies: pytest.MonkeyPatch, authority: Authority
) -> None:
    with (
        serving(echo, tls=authority.server_side("node.example")) as inner,
        serving(echo, tunnel_to=inner) as port,
    ):
        no_proxies.setenv("https_proxy", f"http://127.0.0.1:{port}")
        with pytest.raises(NodeFailure, match="no certificate that is trusted"):
            Transport("https://node.example", timeout_seconds=5.0).post(b"x")
        no_proxies.setenv("REQUESTS_CA_BUNDLE", str(authority.file))
        transport = Transport("https://node.example", timeout_seconds=5.0)
        assert transport.post(json.dumps({"a": 1}).encode()) == b'{"a": 1}'
        transport.close()
        with pytest.raises(NodeFailure, match="no certificate that is trusted"):
            Transport("https://other.example", timeout_seconds=5.0).post(b"x")
    no_proxies.setenv("REQUESTS_CA_BUNDLE", str(authority.file.with_name("absent")))
    with pytest.raises(ConfigurationError, match="REQUESTS_CA_BUNDLE"):
        Transport("https://node.example", timeout_seconds=1.0)
