"""HTTP to one node: connections kept open, any number of threads, nothing ever repeated.

A JSON-RPC call is a few hundred bytes there and back, so a call costs what the HTTP client costs.
The standard library's takes a quarter of the time of `requests`, which web3 would use.
"""

from __future__ import annotations

import base64
import http.client
import os
import select
import ssl
import threading
import time
import urllib.request
import zlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

from requests.utils import DEFAULT_CA_BUNDLE_PATH

from tael.errors import ConfigurationError

LOOPBACK = ("localhost", "127.0.0.1", "::1")
MAX_ANSWER_BYTES = 256 * 1024 * 1024
"""More is no answer to anything asked here; a node gone mad must not take all memory."""
MAX_IDLE_CONNECTIONS = 32

# Ganache, as every server on Node.js, closes what is idle for five seconds.
_IDLE_SECONDS = 4.0
_PIECE_BYTES = 256 * 1024


Post = Callable[[bytes], bytes]
"""Sends a request and gives its answer."""


class NodeFailure(OSError):  # noqa: N818 - reaches callers only through `Chain.w3`
    """The way to a node, or the node itself, failed for the moment.

    `tael.chain.connection` makes a `NodeUnavailableError` of it when repeating does not help.

    Args:
        message: Which node did what.
        is_busy: Whether it is only too busy, so that what it said before still counts.
    """

    def __init__(self, message: str, *, is_busy: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.is_busy = is_busy


class Transport:
    """Connections to one URL. Every `post` is one request, sent at most once.

    Args:
        url: HTTP or HTTPS address; user and password in it become basic authentication.
        timeout_seconds: How long one answer may take, from the first byte sent to the last read.
        greet: Called with a way to post when a connection is new and no other is open: since the
            last one ended, another node may have taken the place. What it raises stops the post.

    Raises:
        ConfigurationError: The URL, or the proxy the environment names for it, is not for HTTP.
    """

    def __init__(
        self, url: str, *, timeout_seconds: float, greet: Callable[[Post], None] = lambda _: None
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or not _has_port(parts):
            raise ConfigurationError(
                "the node's URL must begin with http:// or https:// and name a host"
            )
        self.shown = shown_url(url)
        self.is_loopback = parts.hostname in LOOPBACK
        self._is_https = parts.scheme == "https"
        self._host, self._port = parts.hostname, parts.port or (443 if self._is_https else 80)
        self._target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._tls = _tls(_authorities()) if self._is_https else None
        self._timeout_seconds = timeout_seconds
        self._headers = {"Content-Type": "application/json", "User-Agent": "tael"}
        if parts.username is not None:
            self._headers["Authorization"] = _basic(parts.username, parts.password)
        self._proxy = None if self.is_loopback else _proxy_for(parts.scheme, parts.hostname)
        if self._proxy is not None and not self._is_https:
            self._target = f"{self.shown}{self._target}"
            self._headers.update(self._proxy[2])
        if not self.is_loopback:
            self._headers["Accept-Encoding"] = "gzip"
        self._greet = greet
        self._guard = threading.Lock()
        self._idle: list[tuple[http.client.HTTPConnection, float]] = []
        self._open_count = 0
        self._owner = os.getpid()

    def post(self, body: bytes) -> bytes:
        """Send one request and read its whole answer.

        Raises:
            NodeFailure: Refused, hung up, too slow, too long, or an HTTP status other than 200.
        """
        connection, is_only_one = self._take()
        is_clean = False
        try:
            if is_only_one:
                self._greet(lambda words: self._send(connection, words))
            answer = self._send(connection, body)
            is_clean = True
            return answer
        except NodeFailure as failure:
            is_clean = failure.is_busy
            raise
        finally:
            # What was left in the middle of an answer would give the rest of it to the next one.
            if is_clean and connection.sock is not None:
                self._give_back(connection)
            else:
                self._drop(connection)

    def failure(self, what: str, *, is_busy: bool = False) -> NodeFailure:
        """The failure of this node to raise: what it did, to be read after its URL."""
        return NodeFailure(f"the node at {self.shown} {what}", is_busy=is_busy)

    def close(self) -> None:
        """Close the connections that are kept open and idle."""
        with self._guard:
            idle, self._idle = self._idle, []
        for connection, _ in idle:
            self._drop(connection)

    # One request

    def _send(self, connection: http.client.HTTPConnection, body: bytes) -> bytes:
        deadline = time.monotonic() + self._timeout_seconds
        try:
            connection.request("POST", self._target, body, self._headers)
            response = connection.getresponse()
            answer = self._read(response, deadline)
        except NodeFailure:
            raise
        except (OSError, http.client.HTTPException, zlib.error) as error:
            raise self.failure(_what(error)) from error
        if response.status != 200:
            is_busy = response.status == 429
            raise self.failure(f"answered HTTP {response.status}", is_busy=is_busy)
        return answer

    def _read(self, response: http.client.HTTPResponse, deadline: float) -> bytes:
        pieces = []
        left = MAX_ANSWER_BYTES
        unpack = None
        if response.headers.get("Content-Encoding", "").lower() == "gzip":
            unpack = zlib.decompressobj(zlib.MAX_WBITS | 16)
        # As it comes in, so that one that drips is noticed.
        while piece := response.read1(_PIECE_BYTES):
            if unpack is not None:
                piece = unpack.decompress(piece, left + 1)
            left -= len(piece)
            if left < 0:
                raise self.failure(f"answered more than {MAX_ANSWER_BYTES} bytes")
            if time.monotonic() > deadline:
                raise TimeoutError
            pieces.append(piece)
        # A content length that was not reached raises nothing by itself when read in pieces.
        if response.length:
            raise http.client.IncompleteRead(b"", response.length)
        response.close()
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    # The connections

    def _take(self) -> tuple[http.client.HTTPConnection, bool]:
        """A connection, and whether it is new while no other one is open."""
        with self._guard:
            if self._owner != os.getpid():
                # A forked process would read its parent's answers.
                self._idle, self._open_count, self._owner = [], 0, os.getpid()
            while self._idle:
                connection, since = self._idle.pop()
                if time.monotonic() - since < _IDLE_SECONDS and not _is_readable(connection):
                    return connection, False
                self._open_count -= 1
                connection.close()
            self._open_count += 1
            return self._open(), self._open_count == 1

    def _give_back(self, connection: http.client.HTTPConnection) -> None:
        with self._guard:
            if len(self._idle) < MAX_IDLE_CONNECTIONS:
                self._idle.append((connection, time.monotonic()))
                return
        self._drop(connection)

    def _drop(self, connection: http.client.HTTPConnection) -> None:
        with self._guard:
            self._open_count -= 1
        connection.close()

    def _open(self) -> http.client.HTTPConnection:
        host, port, timeout = self._host, self._port, self._timeout_seconds
        if self._proxy is not None:
            host, port = self._proxy[0], self._proxy[1]
        if self._tls is None:
            return http.client.HTTPConnection(host, port, timeout=timeout)
        connection = http.client.HTTPSConnection(host, port, timeout=timeout, context=self._tls)
        if self._proxy is not None:
            connection.set_tunnel(self._host, self._port, headers=self._proxy[2])
        return connection


def shown_url(url: str) -> str:
    """A URL without user, password, path and query, where keys of hosted nodes are."""
    parts = urlsplit(url)
    port = f":{parts.port}" if parts.port else ""
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{parts.scheme}://{host}{port}"


def _what(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return "did not answer in time"
    if isinstance(error, ssl.SSLCertVerificationError):
        return "has no certificate that is trusted here"
    if isinstance(error, OSError | http.client.RemoteDisconnected):
        return "could not be reached, or hung up"
    return "answered with something that is not JSON-RPC"


def _is_readable(connection: http.client.HTTPConnection) -> bool:
    """Whether something came on an idle connection: its end, or what nobody asked for."""
    if connection.sock is None:
        return True
    poll = select.poll()
    poll.register(connection.sock, select.POLLIN)
    return bool(poll.poll(0))


def _has_port(parts: SplitResult) -> bool:
    try:
        return parts.port is None or parts.port > 0
    except ValueError:
        return False


def _basic(user: str, password: str | None) -> str:
    pair = f"{unquote(user)}:{unquote(password or '')}"
    return "Basic " + base64.b64encode(pair.encode()).decode()


def _proxy_for(scheme: str, host: str) -> tuple[str, int, dict[str, str]] | None:
    """Host, port and headers of the proxy that the environment names for a host, if it does."""
    proxies = urllib.request.getproxies()
    url = proxies.get(scheme) or proxies.get("all")
    if not url or urllib.request.proxy_bypass(host):
        return None
    parts = urlsplit(url if "://" in url else f"http://{url}")
    if parts.scheme != "http" or not parts.hostname:
        raise ConfigurationError(
            f"the proxy {shown_url(url)} is not an HTTP proxy: correct {scheme}_proxy, or name the "
            "node in no_proxy"
        )
    headers = {}
    if parts.username is not None:
        headers["Proxy-Authorization"] = _basic(parts.username, parts.password)
    return parts.hostname, parts.port or 80, headers


def _authorities() -> str:
    named = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE")
    return named or DEFAULT_CA_BUNDLE_PATH


@cache
def _tls(authorities: str) -> ssl.SSLContext:
    try:
        if Path(authorities).is_dir():
            return ssl.create_default_context(capath=authorities)
        return ssl.create_default_context(cafile=authorities)
    except OSError as error:
        raise ConfigurationError(
            f"{authorities} holds no certificates: correct REQUESTS_CA_BUNDLE"
        ) from error
