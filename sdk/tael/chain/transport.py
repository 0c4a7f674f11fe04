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
import time
import urllib.request
import zlib
from collections import deque
from functools import cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

from requests.utils import DEFAULT_CA_BUNDLE_PATH

from tael.errors import ConfigurationError

LOOPBACK = ("localhost", "127.0.0.1", "::1")
MAX_ANSWER_BYTES = 256 * 1024 * 1024
"""More is no answer to anything asked here; a node gone mad must not take all memory."""
MAX_IDLE_CONNECTIONS = 32

# Ganache, as every server on Node.js, closes what is idle for five seconds.
_IDLE_SECONDS = 4.0
_PIECE_BYTES = 256 * 1024


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

    Raises:
        ConfigurationError: The URL, or the proxy the environment names for it, is none for HTTP.
    """

    def __init__(self, url: str, *, timeout_seconds: float) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigurationError("the node's URL must begin with http:// or https://")
        self.shown = shown_url(url)
        self.is_loopback = parts.hostname in LOOPBACK
        self._is_https = parts.scheme == "https"
        self._host, self._port = parts.hostname, parts.port or (443 if self._is_https else 80)
        self._target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
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
        self._idle: deque[tuple[http.client.HTTPConnection, float]] = deque()
        self._owner = os.getpid()

    def post(self, body: bytes) -> bytes:
        """Send one request and read its whole answer.

        Raises:
            NodeFailure: Refused, hung up, too slow, too long, or an HTTP status other than 200.
        """
        deadline = time.monotonic() + self._timeout_seconds
        connection = self._take()
        is_clean = False
        try:
            connection.request("POST", self._target, body, self._headers)
            response = connection.getresponse()
            answer = self._read(response, deadline)
            is_clean = not response.will_close
        except (OSError, http.client.HTTPException, zlib.error) as error:
            if isinstance(error, NodeFailure):
                raise
            raise self.failure(_what(error)) from error
        finally:
            # What was left in the middle of an answer would give the rest of it to the next one.
            if is_clean:
                self._give_back(connection)
            else:
                connection.close()
        if response.status != 200:
            is_busy = response.status == 429
            raise self.failure(f"answered HTTP {response.status}", is_busy=is_busy)
        return answer

    def failure(self, what: str, *, is_busy: bool = False) -> NodeFailure:
        """The failure of this node to raise: what it did, to be read after its URL."""
        return NodeFailure(f"the node at {self.shown} {what}", is_busy=is_busy)

    def close(self) -> None:
        """Close the connections that are kept open and idle."""
        while self._idle:
            try:
                connection, _ = self._idle.pop()
            except IndexError:
                return
            connection.close()

    def _read(self, response: http.client.HTTPResponse, deadline: float) -> bytes:
        pieces = []
        left = MAX_ANSWER_BYTES
        unpack = None
        if response.headers.get("Content-Encoding", "").lower() == "gzip":
            unpack = zlib.decompressobj(zlib.MAX_WBITS | 16)
        while piece := response.read(_PIECE_BYTES):
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
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _take(self) -> http.client.HTTPConnection:
        if self._owner != os.getpid():
            # A forked process would read its parent's answers.
            self._idle, self._owner = deque(), os.getpid()
        while self._idle:
            try:
                connection, since = self._idle.pop()
            except IndexError:
                break
            if time.monotonic() - since < _IDLE_SECONDS and not _is_readable(connection):
                return connection
            connection.close()
        return self._open()

    def _give_back(self, connection: http.client.HTTPConnection) -> None:
        if len(self._idle) < MAX_IDLE_CONNECTIONS:
            self._idle.append((connection, time.monotonic()))
        else:
            connection.close()

    def _open(self) -> http.client.HTTPConnection:
        host, port, timeout = self._host, self._port, self._timeout_seconds
        if self._proxy is not None:
            host, port = self._proxy[0], self._proxy[1]
        if not self._is_https:
            return http.client.HTTPConnection(host, port, timeout=timeout)
        connection = http.client.HTTPSConnection(
            host, port, timeout=timeout, context=_tls(_authorities())
        )
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
            f"the proxy {shown_url(url)} is none for HTTP: correct {scheme}_proxy, or name the "
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
    if Path(authorities).is_dir():
        return ssl.create_default_context(capath=authorities)
    return ssl.create_default_context(cafile=authorities)
