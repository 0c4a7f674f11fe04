"""Signed webhooks: a deployment's events posted to whoever has to act on them.

:class:`Webhook` sends, :func:`verify` is what a receiver calls first.
"""

from __future__ import annotations

from tael.webhooks.addresses import networks
from tael.webhooks.delivering import Attempt, Endpoint, Webhook
from tael.webhooks.signing import (
    SIGNATURE_HEADER,
    TIMESTAMP_HEADER,
    Received,
    signature,
    verify,
)

__all__ = [
    # sending
    "Webhook",
    "Endpoint",
    "Attempt",
    "networks",
    # receiving
    "verify",
    "Received",
    "signature",
    "SIGNATURE_HEADER",
    "TIMESTAMP_HEADER",
]
