"""Delivers events to a receiver: in order, at least once, for as long as it takes."""

from __future__ import annotations

import contextlib
import json
import random
import threading
import time
from collections import deque
from dataclasses import InitVar, dataclass, field
from typing import TYPE_CHECKING

from tael.errors import WebhookAddressError, WebhookGoneError
from tael.index.event_documents import event_document
from tael.secrets import Secret
from tael.webhooks.addresses import look_up, require_allowed, target_of
from tael.webhooks.sending import send
from tael.webhooks.signing import SIGNATURE_HEADER, TIMESTAMP_HEADER, check_secrets, signature

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Sequence

    from tael.index.subscriptions import Delivery, Subscription
    from tael.webhooks.addresses import Address, Network

__all__ = ["Attempt", "Endpoint", "Webhook"]

MAX_BATCH_EVENTS = 50
MAX_BATCH_BYTES = 256 * 1024
TIMEOUT_SECONDS = 10.0
FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 300.0
GONE = 410
"""The one status that ends it: the receiver wants nothing any more."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where events go, and how they are signed. Printing it shows no secret.

    Args:
        url: HTTPS, or HTTP to a network that is allowed.
        secrets: One, or two while one is being renewed; at least 32 bytes each.
        allowed: Networks that may be reached although they are not public.
        timeout_seconds: For one request.
        tls: Whose certificates are trusted; None is this machine's.
        resolve: Looks a host up.

    Raises:
        ConfigurationError: The URL or a secret cannot be used.
    """

    url: str
    secrets: InitVar[Sequence[bytes]]
    allowed: Sequence[Network] = ()
    timeout_seconds: float = TIMEOUT_SECONDS
    tls: ssl.SSLContext | None = field(default=None, repr=False)
    resolve: Callable[[str, int], list[str]] = field(default=look_up, repr=False)

    _hidden: tuple[Secret, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self, secrets: Sequence[bytes]) -> None:
        target_of(self.url)
        hidden = tuple(Secret(each.hex()) for each in check_secrets(secrets))
        object.__setattr__(self, "_hidden", hidden)

    def keys(self) -> list[bytes]:
        """The secrets."""
        return [bytes.fromhex(each.reveal()) for each in self._hidden]


@dataclass(frozen=True, slots=True)
class Attempt:
    """How one request ended.

    Args:
        events: How many it carried.
        status: The HTTP status; None if there was no answer.
        problem: What went wrong; empty if it was taken.
        pause_seconds: How long until the next attempt; zero if there is none.
    """

    events: int
    status: int | None
    problem: str
    pause_seconds: float = 0.0


class Webhook:
    """Hands a subscription's events to an endpoint.

    What was not taken with a 2xx is sent again, first after a second, then less and less often, for
    ever: a receiver that was down for a day misses nothing. Nothing overtakes what waits. A
    receiver must expect an event twice and tell by its `id`.

    Args:
        subscription: What to deliver; its cursor moves when the receiver has taken an event.
        endpoint: Where to.
        batch_events: Most events in one request.
        tell: Called after each request.
    """

    def __init__(
        self,
        subscription: Subscription,
        endpoint: Endpoint,
        *,
        batch_events: int = MAX_BATCH_EVENTS,
        tell: Callable[[Attempt], None] | None = None,
    ) -> None:
        self.subscription = subscription
        self.endpoint = endpoint
        self._batch_events = batch_events
        self._tell = tell or (lambda _: None)
        self._target = target_of(endpoint.url)
        self._waiting: deque[tuple[Delivery, str]] = deque()

    def run(
        self,
        stopped: threading.Event | None = None,
        *,
        poll_seconds: float = 1.0,
        max_attempts: int | None = None,
    ) -> bool:
        """Deliver what there is, and what comes.

        Args:
            stopped: Ends it, after the request at hand; None ends when there is nothing new.
            poll_seconds: How long to wait when there is nothing new.
            max_attempts: After how many failures in a row to give up; None never does.

        Returns:
            Whether everything that was there was taken.

        Raises:
            WebhookAddressError: The address leads where it must not.
            WebhookGoneError: The receiver wants nothing any more (410).
            SubscriptionLostError: The place it stopped at is gone.
            StoreError: The database did not answer.
        """
        with contextlib.suppress(OSError):
            # A name that means nothing now may mean something later; a wrong one never does.
            self._addresses()
        ended = stopped or threading.Event()
        failures = 0
        while not ended.is_set():
            batch = self._batch()
            if not batch:
                if stopped is None:
                    return True
                ended.wait(poll_seconds)
                continue
            attempt = self._attempt(batch, failures)
            self._tell(attempt)
            if not attempt.problem:
                failures = 0
                continue
            failures += 1
            if failures == max_attempts:
                return False
            ended.wait(attempt.pause_seconds)
        return False

    def _batch(self) -> list[tuple[Delivery, str]]:
        if not self._waiting:
            chain_id = self.subscription.index.manifest.chain_id
            for delivery in self.subscription.read():
                self._waiting.append((delivery, json.dumps(event_document(delivery, chain_id))))
        batch: list[tuple[Delivery, str]] = []
        size = 0
        for delivery, text in self._waiting:
            size += len(text) + 1
            if batch and (len(batch) == self._batch_events or size > MAX_BATCH_BYTES):
                break
            batch.append((delivery, text))
        return batch

    def _attempt(self, batch: list[tuple[Delivery, str]], failures: int) -> Attempt:
        body = ('{"events":[' + ",".join(text for _, text in batch) + "]}").encode()
        timestamp = int(time.time())
        headers = {
            TIMESTAMP_HEADER: str(timestamp),
            SIGNATURE_HEADER: signature(timestamp, body, self.endpoint.keys()),
        }
        status, asked = None, None
        try:
            status, asked = send(
                self._target,
                self._addresses(),
                body,
                headers,
                timeout_seconds=self.endpoint.timeout_seconds,
                tls=self.endpoint.tls,
            )
            problem = "" if 200 <= status < 300 else f"answered {status}"
        except WebhookAddressError as error:
            problem = error.message
        except OSError as error:
            problem = f"{type(error).__name__}: {error}"[:200]
        if status == GONE:
            raise WebhookGoneError(
                f"{self._target.host} answers {GONE}: it wants no events any more. "
                f"{self.subscription.name} has them from where it stopped."
            )
        if problem:
            return Attempt(len(batch), status, problem, _pause(failures, asked))
        self.subscription.acknowledge(batch[-1][0])
        for _ in batch:
            self._waiting.popleft()
        return Attempt(len(batch), status, "")

    def _addresses(self) -> list[Address]:
        return require_allowed(self._target, self.endpoint.allowed, self.endpoint.resolve)


def _pause(failures: int, asked: int | None) -> float:
    """How long to wait after so many failures; jitter keeps receivers from being met in step."""
    longest = min(FIRST_PAUSE_SECONDS * (1 << min(failures, 20)), LONGEST_PAUSE_SECONDS)
    pause = longest * (0.5 + random.random() / 2)  # noqa: S311 - spreads load, guards nothing
    return max(pause, min(asked or 0, LONGEST_PAUSE_SECONDS))
