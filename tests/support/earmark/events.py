"""The events of Earmark."""

from __future__ import annotations

from tael.events import Event, event


@event("bytes32 indexed key, address indexed participant, address indexed token, uint256 amount")
class Earmarked(Event):
    """A participant's money was set aside under a key."""

    key: bytes
    participant: str
    token: str
    amount_minor: int


@event(
    "bytes32 indexed key, address indexed participant, address indexed payee, address token, "
    "uint256 amount"
)
class EarmarkSpent(Event):
    """What was set aside under a key was paid to somebody."""

    key: bytes
    participant: str
    payee: str
    token: str
    amount_minor: int


@event("bytes32 indexed key, bytes32 purpose")
class PurposeNoted(Event):
    """What an earmark is for; it moves nothing."""

    key: bytes
    purpose: bytes
