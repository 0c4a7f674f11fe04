"""What makes a webhook authentic: HMAC-SHA256 over its timestamp and body.

The header carries one signature for each of the sender's secrets, so that a secret can be renewed:
first the sender signs with both, then the receiver takes the new one, then the old one is dropped.
A receiver needs only :func:`verify`.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tael.errors import ConfigurationError, WebhookRefusedError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = [
    "SIGNATURE_HEADER",
    "TIMESTAMP_HEADER",
    "Received",
    "check_secrets",
    "signature",
    "verify",
]

TIMESTAMP_HEADER = "Tael-Timestamp"
SIGNATURE_HEADER = "Tael-Signature"
TOLERANCE_SECONDS = 300
MIN_SECRET_BYTES = 32
MAX_SECRETS = 2
MAX_BODY_BYTES = 1024 * 1024

_SCHEME = "v1="
_TIMESTAMP = re.compile(r"[1-9][0-9]{0,11}", re.ASCII)
_MAX_HEADER_CHARACTERS = 1_000


@dataclass(frozen=True, slots=True)
class Received:
    """A webhook that is authentic.

    Args:
        sent_at: Unix seconds, the sender's clock.
        events: What happened, in order; each has an `id` that never changes: what was handled
            before may come again.
    """

    sent_at: int
    events: tuple[dict[str, Any], ...]


def signature(timestamp: int, body: bytes, secrets: Sequence[bytes]) -> str:
    """The value of the header `Tael-Signature`.

    Args:
        timestamp: Unix seconds, as the header `Tael-Timestamp` has it.
        body: The request's body, byte for byte.
        secrets: One or two.
    """
    return ",".join(_SCHEME + _mac(timestamp, body, each) for each in check_secrets(secrets))


def verify(
    body: bytes,
    headers: Mapping[str, str],
    secrets: Sequence[bytes],
    *,
    now: int | None = None,
    tolerance_seconds: int = TOLERANCE_SECONDS,
) -> Received:
    """Check a webhook that was received, before anything in it is believed.

    Args:
        body: The request's body, byte for byte, before any parsing.
        headers: The request's; names in any case.
        secrets: The receiver's: one, or two while one is being renewed. Each endpoint has its own.
        now: Unix seconds; None is this machine's clock.
        tolerance_seconds: How far the timestamp may be off, either way.

    Returns:
        What it says.

    Raises:
        WebhookRefusedError: It is of somebody else, was altered, or is too old. Answer with 400.

    Example:
        >>> received = verify(body, headers, [secret])  # doctest: +SKIP
        >>> for event in received.events:  # doctest: +SKIP
        ...     handle_once(event["id"], event)
    """
    given = {name.lower(): value for name, value in headers.items()}
    timestamp = given.get(TIMESTAMP_HEADER.lower(), "")
    signatures = given.get(SIGNATURE_HEADER.lower(), "")
    if not _TIMESTAMP.fullmatch(timestamp) or len(signatures) > _MAX_HEADER_CHARACTERS:
        raise WebhookRefusedError("The webhook has no proper timestamp and signature; ignore it.")
    if len(body) > MAX_BODY_BYTES:
        raise WebhookRefusedError("The webhook is longer than any that is sent; ignore it.")
    sent_at = int(timestamp)
    found = [
        each.strip().removeprefix(_SCHEME)
        for each in signatures.split(",")
        if each.strip().startswith(_SCHEME)
    ]
    expected = [_mac(sent_at, body, each) for each in check_secrets(secrets)]
    # Every pair is compared, so that the time it takes tells nothing.
    matches = [
        hmac.compare_digest(mine.encode(), theirs.encode("utf-8", "replace"))
        for mine in expected
        for theirs in found
    ]
    if not any(matches):
        raise WebhookRefusedError("The webhook is not signed with a secret of ours; ignore it.")
    if abs((int(time.time()) if now is None else now) - sent_at) > tolerance_seconds:
        raise WebhookRefusedError(
            f"The webhook's time is more than {tolerance_seconds} seconds off; ignore it."
        )
    return Received(sent_at, _events(body))


def check_secrets(secrets: Sequence[bytes]) -> Sequence[bytes]:
    """Refuse secrets that protect nothing.

    Raises:
        ConfigurationError: None, too many, or too short.
    """
    if not 1 <= len(secrets) <= MAX_SECRETS or any(
        not isinstance(each, bytes) or len(each) < MIN_SECRET_BYTES for each in secrets
    ):
        raise ConfigurationError(
            f"a webhook has one secret, or {MAX_SECRETS} while it is renewed, of at least "
            f"{MIN_SECRET_BYTES} bytes: make one with "
            "`python -c 'import secrets; print(secrets.token_hex(32))'`"
        )
    return secrets


def _mac(timestamp: int, body: bytes, secret: bytes) -> str:
    return hmac.new(secret, b"%d." % timestamp + body, hashlib.sha256).hexdigest()


def _events(body: bytes) -> tuple[dict[str, Any], ...]:
    try:
        events = json.loads(body)["events"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise WebhookRefusedError("The webhook is signed and says nothing; ignore it.") from error
    if not isinstance(events, list) or not all(isinstance(each, dict) for each in events):
        raise WebhookRefusedError("The webhook is signed and says nothing; ignore it.")
    return tuple(events)
