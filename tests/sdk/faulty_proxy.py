"""A small HTTP proxy that stands before a real node and does to answers what networks do.

Each fault is armed for a JSON-RPC method and a number of requests, then it is gone:

    proxy.arm("eth_sendRawTransaction", "drop_after")    # forwarded, the answer is lost
    proxy.arm("eth_chainId", lie="0x1")                  # the node claims another chain
"""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

FAULTS = (
    "drop_before",
    "drop_after",
    "html",
    "truncate",
    "429",
    "503",
    "slow",
    "busy",
    "refuse",
    "lie",
)
SLOW_SECONDS = 1.5


@dataclass
class Fault:
    kind: str
    times: int
    lie: Any = None


class FaultyProxy:
    def __init__(self, target: str) -> None:
        self.target = target
        self.requests: Counter[str] = Counter()
        self.forwarded: Counter[str] = Counter()
        self.limit_log_blocks: int | None = None
        self.bodies: list[dict[str, Any]] = []
        self._faults: dict[str, list[Fault]] = {}
        self._guard = threading.Lock()
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # Header and body leave in two writes, and waiting to join them costs 40 ms an answer.
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                proxy._answer(self)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def arm(self, method: str, kind: str = "lie", *, times: int = 1, lie: Any = None) -> None:
        """Let the next `times` requests of `method` (`*` for any) fail in this way."""
        assert kind in FAULTS
        with self._guard:
            self._faults.setdefault(method, []).append(Fault(kind, times, lie))

    def calm(self) -> None:
        with self._guard:
            self._faults.clear()

    def _take(self, method: str) -> Fault | None:
        with self._guard:
            for name in (method, "*"):
                for fault in self._faults.get(name, []):
                    if fault.times > 0:
                        fault.times -= 1
                        return fault
        return None

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers["Content-Length"]))
        request = json.loads(body)
        method = request["method"]
        with self._guard:
            self.requests[method] += 1
            self.bodies.append(request)
        fault = self._take(method)
        kind = fault.kind if fault else ""
        if kind == "drop_before":
            return self._hang_up(handler)
        if kind in ("429", "503"):
            return self._reply(handler, b"slow down", status=int(kind), content="text/plain")
        if kind == "html":
            return self._reply(handler, b"<html><h1>Bad gateway</h1></html>", content="text/html")
        if kind in ("busy", "refuse"):
            error = {
                "busy": {"code": -32005, "message": "limit exceeded"},
                "refuse": {"code": -32601, "message": "the method is not available here"},
            }[kind]
            answer = {"jsonrpc": "2.0", "id": request["id"], "error": error}
            return self._reply(handler, json.dumps(answer).encode())
        if method == "eth_getLogs" and self.limit_log_blocks is not None:
            wanted = request["params"][0]
            if int(wanted["toBlock"], 16) - int(wanted["fromBlock"], 16) >= self.limit_log_blocks:
                error = {"code": -32602, "message": "block range is too wide"}
                answer = {"jsonrpc": "2.0", "id": request["id"], "error": error}
                return self._reply(handler, json.dumps(answer).encode())
        answer = self._forward(body)
        with self._guard:
            self.forwarded[method] += 1
        if kind == "drop_after":
            return self._hang_up(handler)
        if kind == "truncate":
            return self._reply(handler, answer[: len(answer) // 2])
        if kind == "slow":
            time.sleep(SLOW_SECONDS)
        if fault is not None and kind == "lie":
            document = json.loads(answer)
            lie: Callable[[Any], Any] | Any = fault.lie
            document["result"] = lie(document.get("result")) if callable(lie) else lie
            answer = json.dumps(document).encode()
        return self._reply(handler, answer)

    def _forward(self, body: bytes) -> bytes:
        connection = http.client.HTTPConnection(self.target.removeprefix("http://"), timeout=30)
        try:
            connection.request("POST", "/", body, {"Content-Type": "application/json"})
            return connection.getresponse().read()
        finally:
            connection.close()

    def _reply(
        self,
        handler: BaseHTTPRequestHandler,
        body: bytes,
        *,
        status: int = 200,
        content: str = "application/json",
    ) -> None:
        try:
            handler.send_response(status)
            handler.send_header("Content-Type", content)
            handler.send_header("Content-Length", str(len(body)))
            handler.end_headers()
            handler.wfile.write(body)
        except OSError:
            handler.close_connection = True  # the client had enough of waiting

    def _hang_up(self, handler: BaseHTTPRequestHandler) -> None:
        handler.close_connection = True

    @contextmanager
    def serving(self):
        thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()
            thread.join()
