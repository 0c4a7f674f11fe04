"""What a bank runs to receive webhooks, and how events are sent to it."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tael.index import Index, Subscription
from tael.webhooks import Attempt, Endpoint, Webhook, networks, verify

SECRET = bytes(range(32))
HERE = networks(["127.0.0.0/8", "::1/128"])


@dataclass
class Receiver:
    """What a bank runs: checks, remembers, and answers as it is told to."""

    url: str = ""
    answers: list[int | str | Callable] = field(default_factory=list)
    requests: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    events: list[dict] = field(default_factory=list)

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers["Content-Length"]))
        headers = dict(handler.headers)
        self.requests.append((headers, body))
        what = self.answers.pop(0) if self.answers else 200
        if callable(what):
            what(handler)
            return
        if what == "hang up":
            handler.connection.close()
            return
        if isinstance(what, int) and 200 <= what < 300:
            self.events += verify(body, headers, [SECRET]).events
        status = what if isinstance(what, int) else 302
        handler.send_response(status)
        if isinstance(what, str):
            handler.send_header("Location", what)
        handler.send_header("Content-Length", "0")
        handler.end_headers()


@contextmanager
def receiving(tls: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            receiver.answer(self)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    scheme = "http" if tls is None else "https"
    receiver.url = f"{scheme}://127.0.0.1:{server.server_address[1]}/hook?bank=1"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def endpoint(url: str, **options: object) -> Endpoint:
    return Endpoint(url, **{"secrets": [SECRET], "allowed": HERE, **options})


def send_all(index: Index, url: str, **options: object) -> list[Attempt]:
    attempts: list[Attempt] = []
    webhook = Webhook(
        Subscription(index, "hook"), endpoint(url, **options), batch_events=7, tell=attempts.append
    )
    assert webhook.run(max_attempts=20)
    return attempts
