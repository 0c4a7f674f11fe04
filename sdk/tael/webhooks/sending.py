"""One request to a webhook's receiver: to a checked address, once, bounded in time and size.

Of the answer only its head is read, which the standard library bounds.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

import tael

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tael.webhooks.addresses import Address, Target

__all__ = ["HttpResponse", "send"]


class HttpResponse(NamedTuple):
    """What a receiver answered.

    Attributes:
        status: The HTTP status.
        retry_after_seconds: How long it asks to be left alone; None if it does not.
    """

    status: int
    retry_after_seconds: int | None


class _Pinned(http.client.HTTPConnection):
    """A connection to one address, whatever its host's name means by then."""

    def __init__(
        self, target: Target, address: Address, tls: ssl.SSLContext | None, timeout_seconds: float
    ) -> None:
        super().__init__(target.host, target.port, timeout=timeout_seconds)
        self._address = str(address)
        self._tls = tls

    def connect(self) -> None:
        """Connect to the address; the certificate must be the host's."""
        connected = socket.create_connection((self._address, self.port), self.timeout)
        if self._tls is not None:
            try:
                connected = self._tls.wrap_socket(connected, server_hostname=self.host)
            except BaseException:
                connected.close()
                raise
        self.sock = connected


def send(
    target: Target,
    addresses: Sequence[Address],
    body: bytes,
    headers: Mapping[str, str],
    *,
    timeout_seconds: float,
    tls: ssl.SSLContext | None = None,
) -> HttpResponse:
    """Post once. A redirect is an answer like any other: nobody follows it.

    Args:
        target: Where to.
        addresses: Its addresses, checked; the first that can be connected to is taken.
        body: What to post.
        headers: Beside those every request has.
        timeout_seconds: For all of it, from connecting to the answer's head.
        tls: For https; None trusts what this machine trusts.

    Raises:
        OSError: It could not be reached, or did not answer properly in time.
    """
    deadline = time.monotonic() + timeout_seconds
    context = (tls or ssl.create_default_context()) if target.is_https else None
    connection = _connect(target, addresses, context, deadline)
    try:
        with _ending(connection.sock, deadline):
            connection.request(
                "POST",
                target.path,
                body,
                {
                    "Content-Type": "application/json",
                    "User-Agent": f"tael/{tael.__version__}",
                    "Connection": "close",
                    **headers,
                },
            )
            # The status is all there is to know: nobody reads what comes after the head.
            response = connection.getresponse()
            _left(deadline)
            return HttpResponse(response.status, _seconds(response.getheader("Retry-After")))
    except (OSError, http.client.HTTPException) as error:
        if time.monotonic() >= deadline:
            raise TimeoutError(f"{target.host} did not answer in time") from error
        if isinstance(error, OSError) and not isinstance(error, http.client.HTTPException):
            raise
        raise OSError(f"{target.host} answered something else than HTTP") from error
    finally:
        connection.close()


def _connect(
    target: Target, addresses: Sequence[Address], tls: ssl.SSLContext | None, deadline: float
) -> _Pinned:
    failure: OSError | None = None
    for address in addresses:
        connection = _Pinned(target, address, tls, _left(deadline))
        try:
            connection.connect()
        except OSError as error:
            connection.close()
            failure = error
        else:
            return connection
    raise failure or OSError(f"{target.host} has no address")


@contextmanager
def _ending(connected: socket.socket, deadline: float) -> Iterator[None]:
    """End a connection at its time, however slowly the other side drips."""

    def end() -> None:
        with contextlib.suppress(OSError):
            connected.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(_left(deadline), end)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("it did not answer in time")
    return left


def _seconds(text: str | None) -> int | None:
    if text is None or not text.isascii() or not text.isdigit() or len(text) > 6:
        return None
    return int(text)
