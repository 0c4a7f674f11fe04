"""Sending what the journal holds: one lane per key, many transactions in flight."""

from __future__ import annotations

from tael.outbox.changes import Change
from tael.outbox.fees import FeePolicy
from tael.outbox.finality import Finality
from tael.outbox.outbox import Outbox
from tael.outbox.tickets import Ticket

__all__ = ["Change", "FeePolicy", "Finality", "Outbox", "Ticket"]
