"""A receiver takes only what was signed with its secret, and lately (W08)."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable

import pytest

from tael.errors import ConfigurationError, WebhookRefusedError
from tael.webhooks import SIGNATURE_HEADER, TIMESTAMP_HEADER, Endpoint, signature, verify
from tests.index.webhooks.receiver import SECRET

NEXT, FOREIGN = bytes(range(1, 33)), bytes(range(2, 34))
BODY = b'{"events":[{"id":"evt_1"}]}'


def signed(body: bytes, *secrets: bytes, at: int = 1_000) -> dict[str, str]:
    return {TIMESTAMP_HEADER: str(at), SIGNATURE_HEADER: signature(at, body, secrets)}


@pytest.mark.threat("W08")
def test_signature_is_the_hmac_of_timestamp_and_body() -> None:
    mac = hmac.new(SECRET, b"1000." + BODY, hashlib.sha256).hexdigest()
    assert signature(1_000, BODY, [SECRET]) == f"v1={mac}"
    received = verify(BODY, signed(BODY, SECRET), [SECRET], now=1_000)
    assert (received.sent_at, received.events) == (1_000, ({"id": "evt_1"},))


@pytest.mark.threat("W08")
def test_secret_is_renewed_without_losing_anything() -> None:
    # The sender signs with both; a receiver that has the old one, the new one or both takes it.
    both = signed(BODY, SECRET, NEXT)
    assert both[SIGNATURE_HEADER].count("v1=") == 2
    for mine in ([SECRET], [NEXT], [SECRET, NEXT], [FOREIGN, NEXT]):
        assert verify(BODY, both, mine, now=1_000).events
    with pytest.raises(WebhookRefusedError):
        verify(BODY, both, [FOREIGN], now=1_000)


@pytest.mark.threat("W08")
def test_header_names_may_be_in_any_case() -> None:
    headers = {name.upper(): value for name, value in signed(BODY, SECRET).items()}
    assert verify(BODY, headers, [SECRET], now=1_000).events


@pytest.mark.threat("W08")
@pytest.mark.parametrize(
    ("what", "change"),
    [
        ("another body", lambda body, headers: (body.replace(b"_1", b"_2"), headers)),
        ("a space more", lambda body, headers: (body + b" ", headers)),
        ("another time", lambda body, headers: (body, {**headers, TIMESTAMP_HEADER: "1001"})),
        ("no time", lambda body, headers: (body, {SIGNATURE_HEADER: headers[SIGNATURE_HEADER]})),
        ("no signature", lambda body, headers: (body, {TIMESTAMP_HEADER: "1000"})),
        ("an empty one", lambda body, headers: (body, {**headers, SIGNATURE_HEADER: "v1="})),
        (
            "another scheme",
            lambda body, headers: (
                body,
                {**headers, SIGNATURE_HEADER: headers[SIGNATURE_HEADER].replace("v1", "v0")},
            ),
        ),
        ("letters", lambda body, headers: (body, {**headers, TIMESTAMP_HEADER: "1000\n"})),
        ("signs", lambda body, headers: (body, {**headers, TIMESTAMP_HEADER: "+1000"})),
        ("digits", lambda body, headers: (body, {**headers, TIMESTAMP_HEADER: "\u0661000"})),
        ("much", lambda body, headers: (body, {**headers, SIGNATURE_HEADER: "v1=a," * 900})),
        (
            "no ASCII",
            lambda body, headers: (body, {**headers, SIGNATURE_HEADER: "v1=\udcff\u00e9"}),
        ),
    ],
)
def test_webhook_that_was_altered_is_refused(what: str, change: Callable) -> None:
    body, headers = change(BODY, signed(BODY, SECRET))
    with pytest.raises(WebhookRefusedError):
        verify(body, headers, [SECRET], now=1_000)


@pytest.mark.threat("W08")
def test_webhook_that_is_too_old_is_refused() -> None:
    headers = signed(BODY, SECRET)
    for now in (1_000 - 300, 1_000, 1_300):
        assert verify(BODY, headers, [SECRET], now=now).events
    for now in (1_000 - 301, 1_301, 10**9):
        with pytest.raises(WebhookRefusedError, match="off"):
            verify(BODY, headers, [SECRET], now=now)


@pytest.mark.threat("W08")
@pytest.mark.parametrize(
    "body", [b"", b"{}", b"[]", b'{"events":1}', b'{"events":[1]}', b"[" * 100_000]
)
def test_webhook_that_says_nothing_is_refused_although_it_is_signed(body: bytes) -> None:
    with pytest.raises(WebhookRefusedError, match="says nothing"):
        verify(body, signed(body, SECRET), [SECRET], now=1_000)


def test_webhook_that_is_too_long_is_refused() -> None:
    body = b" " * (1024 * 1024 + 1)
    with pytest.raises(WebhookRefusedError, match="longer"):
        verify(body, {**signed(b"", SECRET)}, [SECRET], now=1_000)


@pytest.mark.parametrize("secrets", [[], [b"short"], [SECRET, NEXT, FOREIGN], ["x" * 32]])
def test_secrets_that_protect_nothing_are_refused(secrets: list) -> None:
    with pytest.raises(ConfigurationError, match="secret"):
        Endpoint("https://hooks.example/", secrets)
    with pytest.raises(ConfigurationError, match="secret"):
        verify(BODY, signed(BODY, SECRET), secrets)


def test_secret_is_in_no_text() -> None:
    one = Endpoint("https://hooks.example/", [SECRET])
    assert SECRET.hex() not in repr(one) + str(vars(type(one))) + repr(one._hidden)
    assert one.keys() == [SECRET]
