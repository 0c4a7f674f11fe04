"""A JSON-RPC proxy in front of Anvil that notes which markers every transaction and call meets.

It changes nothing that passes through. For each call it asks for a trace of the same call, for each
transaction it asks for the trace as soon as the receipt is there, and at the latest before a
snapshot is restored, which would make the node forget it.
"""

from __future__ import annotations

import http.client
import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any

from scripts.coverage_tools.instrument import MARKER_PREFIX

REQUEST_TIMEOUT_SECONDS = 120
RECEIPT_TIMEOUT_SECONDS = 5
POLL_SECONDS = 0.01

_MARKER = re.compile(
    rb'"to"\s*:\s*"0x' + MARKER_PREFIX.encode() + rb'([0-9a-f]{8})"', re.IGNORECASE
)
_TRACER = {"tracer": "callTracer"}
_SENDING = {"eth_sendTransaction", "eth_sendRawTransaction"}
_CALLING = {"eth_call", "eth_estimateGas"}
_FORGETTING = {"evm_revert", "anvil_revert", "anvil_reset", "hardhat_reset"}


class Recorder:
    """What was met so far.

    Args:
        upstream: The node's `host:port`.
    """

    def __init__(self, upstream: str) -> None:
        self.upstream = upstream
        self.met: set[int] = set()
        self.traces = 0
        self.lost: list[str] = []
        """What could not be traced, in the node's words: coverage is too low then."""
        self._untraced: set[str] = set()
        self._lock = Lock()

    def answer(self, body: bytes) -> tuple[int, bytes]:
        """Pass a request on, record what it does, and return the node's status and answer."""
        request = json.loads(body)
        requests = request if isinstance(request, list) else [request]
        if any(each["method"] in _FORGETTING for each in requests):
            self.finish()
        status, raw = self._post(body)
        answers = json.loads(raw)
        by_id = {
            each.get("id"): each for each in (answers if isinstance(answers, list) else [answers])
        }
        for each in requests:
            self._record(each["method"], each.get("params") or [], by_id.get(each.get("id"), {}))
        return status, raw

    def finish(self) -> None:
        """Trace what was mined without anyone asking for the receipt.

        What is not mined ran no contract; on a node that mines by itself it is missed, though.
        """
        with self._lock:
            waiting = set(self._untraced)
        automatic = bool(waiting) and self._rpc("anvil_getAutomine", [])
        deadline = time.monotonic() + RECEIPT_TIMEOUT_SECONDS
        while waiting:
            mined = {each for each in waiting if self._rpc("eth_getTransactionReceipt", [each])}
            for each in mined:
                self._trace_sent(each)
            waiting -= mined
            if not automatic or time.monotonic() > deadline:
                break
            time.sleep(POLL_SECONDS)
        with self._lock:
            self._untraced -= waiting
            if automatic:
                self.lost += [f"no receipt for {each}" for each in sorted(waiting)]

    def _record(self, method: str, params: list[Any], answer: dict[str, Any]) -> None:
        result = answer.get("result")
        if method in _SENDING and result:
            with self._lock:
                self._untraced.add(result)
        elif method == "eth_getTransactionReceipt" and result:
            self._trace_sent(params[0])
        elif method in _CALLING:
            block = params[1] if len(params) > 1 and params[1] is not None else "latest"
            options: dict[str, Any] = dict(_TRACER)
            for name, value in zip(("stateOverrides", "blockOverrides"), params[2:4], strict=False):
                if value:
                    options[name] = value
            refused = "error" in answer and "revert" not in str(answer["error"]).lower()
            self._trace("debug_traceCall", [params[0], block, options], may_fail=refused)

    def _trace_sent(self, transaction: str) -> None:
        with self._lock:
            known = transaction in self._untraced
            self._untraced.discard(transaction)
        if known:
            self._trace("debug_traceTransaction", [transaction, _TRACER], may_fail=False)

    def _trace(self, method: str, params: list[Any], *, may_fail: bool) -> None:
        _, raw = self._post(_request(method, params))
        with self._lock:
            # Reading the markers out of the text is ten times faster than parsing a long trace.
            if raw.startswith(b'{"jsonrpc":"2.0","id":0,"result":'):
                self.traces += 1
                self.met.update(int(number, 16) for number in _MARKER.findall(raw))
            elif not may_fail:
                self.lost.append(f"{method}: {raw[:300].decode(errors='replace')}")

    def _rpc(self, method: str, params: list[Any]) -> Any:
        return json.loads(self._post(_request(method, params))[1]).get("result")

    def _post(self, body: bytes) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection(self.upstream, timeout=REQUEST_TIMEOUT_SECONDS)
        try:
            connection.request("POST", "/", body, {"Content-Type": "application/json"})
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()


def _request(method: str, params: list[Any]) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": 0, "method": method, "params": params}).encode()


@contextmanager
def recording(url: str) -> Iterator[tuple[str, Recorder]]:
    """Serve a recording proxy on a free loopback port.

    Args:
        url: The node's, such as `http://127.0.0.1:8545`.

    Yields:
        The proxy's URL and its recorder, whose `finish` is to be called before the node ends.
    """
    recorder = Recorder(url.removeprefix("http://"))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # Head and body in one piece: two would wait for the other side's acknowledgement.
        wbufsize = -1

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status, raw = recorder.answer(body)
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", recorder
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
