"""A node that answers every method with every kind of garbage, over real HTTP.

It stands before a real node, so that the truth is known, and what it says instead is made from it:

    with HostileNode(node.url).serving() as hostile:
        hostile.garble("eth_getLogs", GARBAGE["a field is missing"])
        ...
        hostile.behave()
"""

from __future__ import annotations

import contextlib
import copy
import http.client
import json
import random
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = dict[str, Any]


@dataclass(frozen=True)
class Body:
    """A whole HTTP answer; None in place of the bytes hangs up."""

    content: bytes | None
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()


Garbage = Callable[[Answer, random.Random], Any]
"""Makes of a true answer what is said instead: a document, or a `Body`."""

HUGE = "0x" + "f" * 64
VALUES: tuple[Any, ...] = (
    None,
    True,
    7,
    -1,
    10**30,
    1.5,
    "",
    "0x",
    "0xzz",
    "0x123",
    "0x0",
    HUGE,
    HUGE * 3,
    "-0x1",
    "nonsense",
    "0x" + "00" * 31,
    "0x" + "ab" * 500,
    [],
    {},
    [None],
    [[]],
    {"hash": 5, "number": []},
    ["0x", {}],
)
"""What may stand where something else belongs."""

_SELECTOR = "0x" + "4ca88867"


def _says(value: Any) -> Garbage:
    return lambda answer, _: {"jsonrpc": "2.0", "id": answer["id"], "result": copy.deepcopy(value)}


def _refuses(error: Any) -> Garbage:
    return lambda answer, _: {"jsonrpc": "2.0", "id": answer["id"], "error": error}


def _body(content: bytes | None, status: int = 200, **headers: str) -> Garbage:
    named = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return lambda _answer, _choose: Body(content, status, named)


def _paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    if isinstance(value, dict):
        for key, each in value.items():
            yield from _paths(each, (*path, key))
    elif isinstance(value, list):
        for index, each in enumerate(value[:8]):
            yield from _paths(each, (*path, index))


def _damaged(answer: Answer, choose: random.Random, damage: Callable[[Any, Any], None]) -> Answer:
    """A true answer in which one thing, however deep, is damaged."""
    damaged = copy.deepcopy(answer)
    paths = [path for path in _paths(damaged.get("result"), ("result",)) if len(path) > 1]
    if not paths:
        return {**answer, "result": choose.choice(VALUES)}
    *way, last = choose.choice(paths)
    holder: Any = damaged
    for step in way:
        holder = holder[step]
    damage(holder, last)
    return damaged


def _missing(answer: Answer, choose: random.Random) -> Answer:
    return _damaged(answer, choose, lambda holder, last: holder.__delitem__(last))


def _misfit(answer: Answer, choose: random.Random) -> Answer:
    value = choose.choice(VALUES)
    return _damaged(answer, choose, lambda holder, last: holder.__setitem__(last, value))


def _flipped(answer: Answer, choose: random.Random) -> Answer:
    """One hexadecimal digit is another, or gone."""

    def flip(holder: Any, last: Any) -> None:
        text = holder[last]
        if isinstance(text, str) and len(text) > 2:
            at = choose.randrange(2, len(text))
            holder[last] = text[:at] + choose.choice(("", "0", "f", "z")) + text[at + 1 :]

    return _damaged(answer, choose, flip)


def _doubled(answer: Answer, _choose: random.Random) -> Answer:
    result = answer.get("result")
    return {**answer, "result": result * 2 if isinstance(result, list | str) else [result, result]}


GARBAGE: Mapping[str, Garbage] = {
    **{f"result {str(value)[:24]!r} {place}": _says(value) for place, value in enumerate(VALUES)},
    "a field is missing": _missing,
    "a field is missing, again": _missing,
    "a field does not fit": _misfit,
    "a field does not fit, again": _misfit,
    "a field does not fit, once more": _misfit,
    "a digit is another": _flipped,
    "a digit is another, again": _flipped,
    "everything twice": _doubled,
    "the id of another": lambda answer, _: {**answer, "id": answer["id"] + 1},
    "an id as text": lambda answer, _: {**answer, "id": str(answer["id"])},
    "no id": lambda answer, _: {"jsonrpc": "2.0", "result": answer.get("result")},
    "neither result nor error": lambda answer, _: {"jsonrpc": "2.0", "id": answer["id"]},
    "result and error": lambda answer, _: {**answer, "error": {"code": 1, "message": "both"}},
    "no object": lambda _answer, _choose: "0x1",
    "nothing": lambda _answer, _choose: None,
    "a list": lambda answer, _: [answer],
    "error in words": _refuses("no"),
    "error as a list": _refuses([1, 2]),
    "error as a number": _refuses(5),
    "empty error": _refuses({}),
    "error with odd fields": _refuses({"code": "three", "message": {"a": []}, "data": 5}),
    "error with a huge code": _refuses({"code": 10**40, "message": None, "data": None}),
    "method not found": _refuses({"code": -32601, "message": "the method does not exist"}),
    "busy": _refuses({"code": -32005, "message": "limit exceeded"}),
    "too much": _refuses({"code": -32005, "message": "query returned more than 10000 results"}),
    "internal error": _refuses({"code": -32603, "message": "header not found", "data": []}),
    "reverted": _refuses({"code": 3, "message": "execution reverted", "data": "0x"}),
    "reverted with a named error cut off": _refuses(
        {"code": 3, "message": "execution reverted", "data": _SELECTOR + "00" * 7}
    ),
    "reverted with garbage": _refuses(
        {"code": 3, "message": "execution reverted", "data": {"data": {"data": {"data": "0xzz"}}}}
    ),
    "reverted in words": _refuses(
        {"code": -32000, "message": f"reverted: {_SELECTOR}" + "ff" * 64}
    ),
    "HTML": _body(b"<html><h1>Bad gateway</h1></html>", Content_Type="text/html"),
    "truncated JSON": _body(b'{"jsonrpc": "2.0", "id": 1, "resu'),
    "no body": _body(b""),
    "no UTF-8": _body(b'{"jsonrpc": "2.0", "result": "\xff\xfe"}'),
    "brackets": _body(b"[" * 5_000),
    "no gzip": _body(b"\x1f\x8b garbage", Content_Encoding="gzip"),
    "a float too large": _body(b'{"jsonrpc": "2.0", "id": 1, "result": 1e999}'),
    "HTTP 404": _body(b"not here", 404),
    "HTTP 429": _body(b"slow down", 429),
    "HTTP 500": _body(b"", 500),
    "HTTP 302": _body(b"", 302, Location="http://127.0.0.1:1/"),
    "hangs up": _body(None),
}


class HostileNode:
    def __init__(self, target: str) -> None:
        self.asked: set[str] = set()
        """The methods asked since the last call of `behave`."""
        self._target = target.removeprefix("http://")
        self._garbled: dict[str, Garbage] = {}
        self._choose = random.Random(1)
        self._guard = threading.Lock()
        self._server = self._listen()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def garble(self, method: str, garbage: Garbage, *, seed: int = 0) -> None:
        """Say this from now on instead of the truth; `*` is every method."""
        self._choose = random.Random(seed)
        self._garbled = {method: garbage}

    def behave(self) -> None:
        """Say the truth again."""
        self._garbled = {}
        self.asked = set()

    @contextmanager
    def serving(self) -> Iterator[HostileNode]:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()

    def _listen(self) -> ThreadingHTTPServer:
        hostile = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                size = int(self.headers["Content-Length"])
                body = hostile._answer(json.loads(self.rfile.read(size)))
                if body.content is None:
                    self.close_connection = True
                    return
                with contextlib.suppress(OSError):
                    self.send_response(body.status)
                    for name, value in body.headers:
                        self.send_header(name, value)
                    self.send_header("Content-Length", str(len(body.content)))
                    self.end_headers()
                    self.wfile.write(body.content)

            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        return server

    def _answer(self, request: Any) -> Body:
        calls = request if isinstance(request, list) else [request]
        garbled = self._garbled
        answers = []
        for call, truth in zip(calls, self._forward(calls), strict=True):
            self.asked.add(call["method"])
            garbage = garbled.get(call["method"]) or garbled.get("*")
            with self._guard:
                said = truth if garbage is None else garbage(truth, self._choose)
            if isinstance(said, Body):
                return said
            answers.append(said)
        return Body(json.dumps(answers if isinstance(request, list) else answers[0]).encode())

    def _forward(self, calls: list[Answer]) -> list[Answer]:
        connection = http.client.HTTPConnection(self._target, timeout=30)
        try:
            connection.request("POST", "/", json.dumps(calls), {"Content-Type": "application/json"})
            by_id = {each["id"]: each for each in json.loads(connection.getresponse().read())}
        finally:
            connection.close()
        return [by_id[call["id"]] for call in calls]
