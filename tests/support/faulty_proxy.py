"""A small HTTP proxy that stands before a real node and does to answers what networks do.

Each fault is armed for a JSON-RPC method and a number of requests, then it is gone; a call inside a
batch meets it as one alone does:

    proxy.arm("eth_sendRawTransaction", "drop_after")    # forwarded, the answer is lost
    proxy.arm("eth_chainId", lie="0x1")                  # the node claims another chain
    proxy.arm("*", "reorder", times=5)                   # batches come back in another order
    proxy.arm("eth_call", "say", lie=lambda answer: {})  # anything at all

and what lasts until it is taken back:

    proxy.freeze()    # the node stays at its block, while the chain goes on
    proxy.down()      # nothing listens any more; up() again at the same port
"""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import threading
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

WHOLE_FAULTS = (
    "drop_before",
    "drop_after",
    "html",
    "truncate",
    "429",
    "503",
    "slow",
    "reorder",
    "lose",
    "duplicate",
    "alien",
    "say",
)
"""What happens to a whole request or its answer: the four before the last to batches; the last
lets the node say whatever is made of the document it answers with."""

CALL_FAULTS = ("busy", "refuse", "lie")
"""What happens to the answer of one call, alone or in a batch."""

SLOW_SECONDS = 1.5

ERRORS = {
    "busy": {"code": -32005, "message": "limit exceeded"},
    "refuse": {"code": -32601, "message": "the method is not available here"},
    "range": {"code": -32602, "message": "block range is too wide"},
}

# Where a method names its block, by the place in its parameters.
BLOCK_PARAMETER = {
    "eth_call": 1,
    "eth_estimateGas": 1,
    "eth_getBalance": 1,
    "eth_getBlockByNumber": 0,
    "eth_getCode": 1,
    "eth_getStorageAt": 2,
    "eth_getTransactionCount": 1,
}
NEWEST = ("latest", "pending", "safe", "finalized")


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
        self.sizes: list[int] = []
        """How many calls each HTTP request carried."""
        self._faults: dict[str, list[Fault]] = {}
        self._frozen_at: int | None = None
        self._guard = threading.Lock()
        self._connections: set[socket.socket] = set()
        self._server = self._listen(0)
        self._port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self._port}"

    # What goes wrong

    def arm(self, method: str, kind: str = "lie", *, times: int = 1, lie: Any = None) -> None:
        """Let the next `times` requests of `method` (`*` for any) fail in this way."""
        assert kind in WHOLE_FAULTS + CALL_FAULTS
        with self._guard:
            self._faults.setdefault(method, []).append(Fault(kind, times, lie))

    def calm(self) -> None:
        with self._guard:
            self._faults.clear()
        self.thaw()

    def freeze(self) -> int:
        """Stay at the present block, as a node does that lost its peers; returns its number."""
        self._frozen_at = int(self._ask("eth_blockNumber"), 16)
        return self._frozen_at

    def thaw(self) -> None:
        self._frozen_at = None

    def down(self) -> None:
        """Refuse connections and cut those that are open, as a node does that was killed."""
        self._server.shutdown()
        self._server.server_close()
        with self._guard:
            for connection in self._connections:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def up(self) -> None:
        """Listen again at the same port."""
        self._server = self._listen(self._port)
        self._start()

    # Serving

    @contextmanager
    def serving(self):
        self._start()
        try:
            yield self
        finally:
            self.down()

    def _listen(self, port: int) -> ThreadingHTTPServer:
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # Header and body leave in two writes, and waiting to join them costs 40 ms an answer.
            disable_nagle_algorithm = True

            def setup(self) -> None:
                super().setup()
                with proxy._guard:
                    proxy._connections.add(self.connection)

            def finish(self) -> None:
                with proxy._guard:
                    proxy._connections.discard(self.connection)
                with contextlib.suppress(OSError):
                    super().finish()

            def do_POST(self) -> None:
                proxy._answer(self)

            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        server.daemon_threads = True
        return server

    def _start(self) -> None:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        request = json.loads(handler.rfile.read(int(handler.headers["Content-Length"])))
        calls = request if isinstance(request, list) else [request]
        whole, of_call = self._take(calls)
        kind = whole.kind if whole else ""
        if kind == "drop_before":
            return self._hang_up(handler)
        if kind in ("429", "503"):
            return self._reply(handler, b"slow down", status=int(kind), content="text/plain")
        if kind == "html":
            return self._reply(handler, b"<html><h1>Bad gateway</h1></html>", content="text/html")
        try:
            answers = self._answers(calls, of_call)
        except (OSError, http.client.HTTPException):
            return self._hang_up(handler)  # the node itself is gone
        if kind == "drop_after":
            return self._hang_up(handler)
        if kind == "slow":
            time.sleep(SLOW_SECONDS)
        document = _disturbed(answers, kind) if isinstance(request, list) else answers[0]
        if whole is not None and kind == "say":
            document = whole.lie(document)
        body = json.dumps(document).encode()
        return self._reply(handler, body[: len(body) // 2] if kind == "truncate" else body)

    def _take(self, calls: list[dict[str, Any]]) -> tuple[Fault | None, list[Fault | None]]:
        """Note the calls; the fault of the request as a whole, and those of each call."""
        with self._guard:
            self.sizes.append(len(calls))
            whole: Fault | None = None
            of_call: list[Fault | None] = []
            for call in calls:
                self.requests[call["method"]] += 1
                self.bodies.append(call)
                of_call.append(None)
                for fault in self._armed(call["method"]):
                    if fault.kind in CALL_FAULTS:
                        of_call[-1] = fault
                    elif whole is None:
                        whole = fault
                    else:
                        continue
                    fault.times -= 1
                    break
        return whole, of_call

    def _armed(self, method: str) -> list[Fault]:
        faults = [*self._faults.get(method, []), *self._faults.get("*", [])]
        return [fault for fault in faults if fault.times > 0]

    def _answers(
        self, calls: list[dict[str, Any]], faults: list[Fault | None]
    ) -> list[dict[str, Any]]:
        own = [self._own_answer(call, fault) for call, fault in zip(calls, faults, strict=True)]
        left = [call for call, answer in zip(calls, own, strict=True) if answer is None]
        found = iter(self._forward([self._as_of_frozen(call) for call in left]) if left else [])
        answers = []
        for call, fault, answer in zip(calls, faults, own, strict=True):
            if answer is None:
                answer = self._seen_frozen(call, next(found))
                with self._guard:
                    self.forwarded[call["method"]] += 1
            if fault is not None and fault.kind == "lie":
                said = answer.get("result")
                lie = fault.lie(said) if callable(fault.lie) else fault.lie
                answer = {"jsonrpc": "2.0", "id": call["id"], "result": lie}
            answers.append(answer)
        return answers

    def _own_answer(self, call: dict[str, Any], fault: Fault | None) -> dict[str, Any] | None:
        """What the proxy says without asking the node; None if it asks."""
        error = None
        if fault is not None and fault.kind in ERRORS:
            error = ERRORS[fault.kind]
        if call["method"] == "eth_getLogs" and self.limit_log_blocks is not None:
            wanted = call["params"][0]
            if int(wanted["toBlock"], 16) - int(wanted["fromBlock"], 16) >= self.limit_log_blocks:
                error = ERRORS["range"]
        return None if error is None else {"jsonrpc": "2.0", "id": call["id"], "error": error}

    # A node that stays behind

    def _as_of_frozen(self, call: dict[str, Any]) -> dict[str, Any]:
        place = BLOCK_PARAMETER.get(call["method"])
        if self._frozen_at is None or place is None:
            return call
        params = list(call.get("params") or [])
        if len(params) > place and params[place] in NEWEST:
            params[place] = hex(self._frozen_at)
        return {**call, "params": params}

    def _seen_frozen(self, call: dict[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
        if self._frozen_at is None:
            return answer
        result = answer.get("result")
        if call["method"] == "eth_blockNumber":
            return {**answer, "result": hex(self._frozen_at)}
        number = (result.get("blockNumber") or result.get("number")) if _is_object(result) else None
        if number is not None and int(number, 16) > self._frozen_at:
            return {**answer, "result": None}
        if call["method"] == "eth_getLogs" and isinstance(result, list):
            known = [log for log in result if int(log["blockNumber"], 16) <= self._frozen_at]
            return {**answer, "result": known}
        return answer

    # To the node and back

    def _ask(self, method: str, *params: object) -> Any:
        call = {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)}
        return self._forward([call])[0]["result"]

    def _forward(self, calls: list[dict[str, Any]]) -> list[dict[str, Any]]:
        connection = http.client.HTTPConnection(self.target.removeprefix("http://"), timeout=30)
        body = json.dumps(calls if len(calls) > 1 else calls[0])
        try:
            connection.request("POST", "/", body, {"Content-Type": "application/json"})
            answers = json.loads(connection.getresponse().read())
        finally:
            connection.close()
        if len(calls) == 1:
            return [answers]
        by_id = {answer["id"]: answer for answer in answers}
        return [by_id[call["id"]] for call in calls]

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


def _disturbed(answers: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    if kind == "reorder":
        return answers[::-1]
    if kind == "lose":
        return answers[:-1]
    if kind == "duplicate":
        return [*answers[:-1], answers[0]]
    if kind == "alien":
        return [*answers[:-1], {**answers[-1], "id": answers[-1]["id"] + 1_000_000}]
    return answers


def _is_object(value: Any) -> bool:
    return isinstance(value, dict)
