"""Where a webhook may go: not into the network it is sent from, unless that is allowed.

What is checked is what is connected to: a name is looked up once for each request, every address it
stands for is checked, and the connection goes to one of these. A name that means another address a
moment later changes nothing.
"""

from __future__ import annotations

import ipaddress
import socket
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from tael.errors import ConfigurationError, WebhookAddressError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

__all__ = ["Address", "Network", "Target", "look_up", "networks", "require_allowed", "target_of"]

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

MAX_URL_CHARACTERS = 2_000

# An IPv4 address inside: what a gateway makes of it is what counts.
_NAT64 = (ipaddress.ip_network("64:ff9b::/96"), ipaddress.ip_network("64:ff9b:1::/48"))
# Python counts these as global.
_NEVER = (
    ipaddress.ip_network("192.88.99.0/24"),  # 6to4 relays, withdrawn
    ipaddress.ip_network("100.64.0.0/10"),  # carriers' own
    ipaddress.ip_network("fec0::/10"),  # site-local, withdrawn
)


class Target(NamedTuple):
    """Where a webhook goes.

    Attributes:
        is_https: Whether it goes there encrypted.
        host: Name or address, for the certificate and the header.
        port: TCP port.
        path: With the query.
    """

    is_https: bool
    host: str
    port: int
    path: str


def target_of(url: str) -> Target:
    """Take a webhook's URL apart.

    Raises:
        WebhookAddressError: It is none for HTTP, or carries what does not belong there.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise WebhookAddressError("the webhook's URL is not a valid URL") from error
    if (
        parts.scheme not in ("https", "http")
        or not parts.hostname
        or len(url) > MAX_URL_CHARACTERS
        or not url.isascii()
        or not url.isprintable()
        or " " in url
    ):
        raise WebhookAddressError("a webhook's URL begins with https:// and names a host")
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise WebhookAddressError("a webhook's URL has no user, password or fragment")
    is_https = parts.scheme == "https"
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(is_https, parts.hostname, port or (443 if is_https else 80), path)


def networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """Read networks, as in `10.1.0.0/16`.

    Raises:
        ConfigurationError: One is none.
    """
    found = []
    for text in texts:
        try:
            found.append(ipaddress.ip_network(text))
        except ValueError as error:
            raise ConfigurationError(
                f"a network is written as in 10.1.0.0/16, not {text[:60]!r}"
            ) from error
    return tuple(found)


def look_up(host: str, port: int) -> list[str]:
    """The addresses a host stands for now."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(each[4][0]) for each in found]


def require_allowed(
    target: Target, allowed: Sequence[Network], resolve: Callable[[str, int], list[str]]
) -> list[Address]:
    """Look a target up, and refuse it unless every address of it may be reached.

    Args:
        target: Where to.
        allowed: Networks that may be reached although they are not public.
        resolve: Looks a host up.

    Returns:
        Its addresses, in the order of preference.

    Raises:
        WebhookAddressError: One of them may not be reached, or it would go there unencrypted.
        OSError: The host stands for nothing now.
    """
    texts = resolve(target.host, target.port)
    addresses: list[Address] = []
    for text in dict.fromkeys(texts):
        address = ipaddress.ip_address(text.partition("%")[0])
        is_own = any(address in network for network in allowed)
        if not (is_own or _is_public(address)):
            raise WebhookAddressError(
                f"{target.host} stands for {address}, which is not a public address: allow its "
                "network if the webhook is meant to go there"
            )
        if not (is_own or target.is_https):
            raise WebhookAddressError(
                f"events would go to {target.host} for anybody to read: use https://"
            )
        addresses.append(address)
    if not addresses:
        raise OSError(f"{target.host} stands for no address")
    return addresses


def _is_public(address: Address) -> bool:
    inner = _inner(address)
    if inner is not None:
        return _is_public(inner)
    return (
        address.is_global
        and not address.is_multicast
        and not address.is_reserved
        and not any(address in network for network in _NEVER)
    )


def _inner(address: Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address that an IPv6 address carries, if it does."""
    if isinstance(address, ipaddress.IPv4Address):
        return None
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address.teredo is not None:
        return address.teredo[1]
    if any(address in network for network in _NAT64):
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return None
