"""Nothing is sent where it must not go, however the address is written (W07)."""

from __future__ import annotations

import ssl

import pytest

from tael.errors import WebhookAddressError
from tael.index import Index, Subscription
from tael.webhooks import Attempt, Endpoint, Webhook
from tael.webhooks.addresses import look_up, require_allowed, target_of
from tests.index.webhooks.receiver import SECRET, Receiver, endpoint, receiving, send_all
from tests.support.certificates import Authority

PRIVATE = (
    *("127.0.0.1", "127.1.2.3", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.1.1"),  # noqa: S104
    *("169.254.169.254", "100.64.0.1", "192.0.2.1", "198.18.0.1", "224.0.0.1", "240.0.0.1"),
    *("255.255.255.255", "192.88.99.1", "::1", "::", "fe80::1", "fc00::1", "fd12::1"),
    *("ff02::1", "fec0::1", "2001:db8::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1"),
    *("64:ff9b::7f00:1", "64:ff9b:1::a00:1", "2002:7f00:1::", "2002:a9fe:a9fe::1"),
)
PUBLIC = ("8.8.8.8", "1.1.1.1", "2606:4700::1111", "64:ff9b::808:808", "::ffff:8.8.8.8")


@pytest.mark.threat("W07")
@pytest.mark.parametrize("address", PRIVATE)
def test_address_that_is_not_public_is_refused(address: str) -> None:
    target = target_of("https://hooks.example/")
    with pytest.raises(WebhookAddressError, match="not a public address"):
        require_allowed(target, (), lambda *_: [address])
    # One bad address among good ones is enough.
    with pytest.raises(WebhookAddressError):
        require_allowed(target, (), lambda *_: ["8.8.8.8", address])


@pytest.mark.threat("W07")
@pytest.mark.parametrize("address", PUBLIC)
def test_public_address_is_taken(address: str) -> None:
    (found,) = require_allowed(target_of("https://hooks.example/"), (), lambda *_: [address])
    assert str(found) == address or found.version == 6
    with pytest.raises(WebhookAddressError, match="https"):
        require_allowed(target_of("http://hooks.example/"), (), lambda *_: [address])


@pytest.mark.threat("W07")
@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "0x7f.1", "2130706433", "0177.0.0.1", "[::1]", "127.1"]
)
def test_loopback_is_refused_however_it_is_written(host: str) -> None:
    target = target_of(f"https://{host}:9/")
    with pytest.raises((WebhookAddressError, OSError)):
        require_allowed(target, (), look_up)


@pytest.mark.threat("W07")
@pytest.mark.parametrize(
    "url",
    [
        *("file:///etc/passwd", "gopher://x/", "ftp://x/", "//x/", "https://", "x", ""),
        *("https://me:pw@hooks.example/", "https://hooks.example/#a", "https://h\r\nX: y/"),
        *("https://hooks.example/ space", "https://h\u00f6ks.example/", "https://x:99999/"),
        "https://hooks.example/" + "a" * 3_000,
    ],
)
def test_url_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(WebhookAddressError):
        Endpoint(url, [SECRET])


@pytest.mark.threat("W07")
def test_nothing_is_connected_to_when_the_address_is_not_allowed(
    index: Index, receiver: Receiver
) -> None:
    webhook = Webhook(Subscription(index, "hook"), endpoint(receiver.url, allowed=()))
    with pytest.raises(WebhookAddressError):
        webhook.run()
    assert receiver.requests == []


@pytest.mark.threat("W07")
def test_connection_goes_to_the_address_that_was_checked(index: Index, receiver: Receiver) -> None:
    asked: list[str] = []
    port = int(receiver.url.rsplit(":", 1)[1].split("/")[0])

    def rebinding(host: str, _: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"]

    url = f"http://hooks.example:{port}/hook"
    attempts = send_all(index, url, resolve=rebinding)
    # Looked up by us alone, once for each request and once to begin with.
    assert asked == ["hooks.example"] * (len(attempts) + 1)
    assert receiver.requests[0][0]["Host"] == f"hooks.example:{port}"


@pytest.mark.threat("W07")
def test_name_that_changes_its_address_is_refused_from_then_on(
    index: Index, receiver: Receiver
) -> None:
    port = int(receiver.url.rsplit(":", 1)[1].split("/")[0])
    answers = [["127.0.0.1"], ["127.0.0.1"], ["10.0.0.1"], ["169.254.169.254"]]

    def rebinding(*_: object) -> list[str]:
        return answers.pop(0) if answers else ["127.0.0.1"]

    attempts = send_all(index, f"http://hooks.example:{port}/", resolve=rebinding)
    problems = [each.problem for each in attempts if each.problem]
    assert len(problems) == 2
    assert "10.0.0.1" in problems[0]
    assert "169.254.169.254" in problems[1]
    assert len({each["id"] for each in receiver.events}) == len(receiver.events)


@pytest.mark.threat("W07")
def test_redirect_is_not_followed(index: Index, receiver: Receiver) -> None:
    with receiving() as other:
        receiver.answers = [other.url]
        attempts = send_all(index, receiver.url)
        assert attempts[0].status == 302
        assert other.requests == []


def test_certificate_must_be_the_hosts_although_the_address_is_pinned(
    index: Index, authority: Authority
) -> None:
    trusting = ssl.create_default_context(cafile=str(authority.file))
    with receiving(authority.server_side("hooks.example")) as receiver:
        port = receiver.url.rsplit(":", 1)[1].split("/")[0]
        here = {"resolve": lambda *_: ["127.0.0.1"]}
        for host, tls in (("hooks.example", None), ("other.example", trusting)):
            subscription = Subscription(index, "tls")
            attempts: list[Attempt] = []
            webhook = Webhook(
                subscription,
                endpoint(f"https://{host}:{port}/", tls=tls, **here),
                tell=attempts.append,
            )
            assert not webhook.run(max_attempts=1)
            assert "CERTIFICATE" in attempts[0].problem.upper()
        send_all(index, f"https://hooks.example:{port}/", tls=trusting, **here)
        assert len(receiver.events) > 20
