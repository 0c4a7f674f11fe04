"""Logs as the index keeps them: one run of bytes for each transaction.

A log is a head (log index, contract, first four bytes of the first topic, length of the rest) and
the rest: its other topics, then its data. Of a log that opened a payment the rest is only the
payment's number, for everything else of it is in the payment's row.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, NamedTuple

from tael import events as ev

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["OPENING_PREFIXES", "Log", "Values", "head", "prefix_of", "restore", "unpack"]

Values = tuple[Any, ...]
"""A log cut by its event's layout: four bytes of its topic, then the event's parameters in order:
20 bytes for an address, an integer for up to 64 bits, the 32 bytes of the word for more."""

_HEAD = struct.Struct(">IHII")
_NUMBER = struct.Struct(">Q")
_PADDING = bytes(12)

head = _HEAD.pack
"""The head of a log: log index, contract, first four bytes of the first topic, length."""
pack_number = _NUMBER.pack
"""What stands for the rest of a log that opened a payment."""


class Log(NamedTuple):
    """One log.

    Attributes:
        log_index: Within its block.
        contract: `contracts.id`.
        prefix: First four bytes of its first topic.
        rest: Its other topics, then its data; or a payment's number.
    """

    log_index: int
    contract: int
    prefix: int
    rest: bytes

    @property
    def payment(self) -> int | None:
        """The number of the payment it opened, if that is all that was kept of it."""
        if self.prefix in OPENING_PREFIXES and len(self.rest) == _NUMBER.size:
            return int(_NUMBER.unpack(self.rest)[0])
        return None


def prefix_of(topic: str) -> int:
    """The first four bytes of a topic, 0x and 64 digits: enough to tell our events apart."""
    return int(topic[2:10], 16)


def unpack(logs: bytes) -> Iterator[Log]:
    """The logs of a transaction, in order."""
    at = 0
    while at < len(logs):
        log_index, contract, prefix, length = _HEAD.unpack_from(logs, at)
        at += _HEAD.size
        yield Log(log_index, contract, prefix, logs[at : at + length])
        at += length


def restore(logs: bytes, rest_of: Callable[[int], bytes]) -> bytes:
    """The logs of a transaction with everything in them.

    Args:
        logs: As they are kept.
        rest_of: Gives the rest of the log that opened the payment with a number.
    """
    whole = []
    for log in unpack(logs):
        number = log.payment
        rest = log.rest if number is None else rest_of(number)
        whole.append(head(log.log_index, log.contract, log.prefix, len(rest)) + rest)
    return b"".join(whole)


def opening_rest(
    payment_id: bytes, issuer: bytes, acquirer: bytes, token: bytes, terms: bytes
) -> bytes:
    """The rest of a log that opened a payment, made from what its row has.

    Args:
        payment_id: 32 bytes.
        issuer: 20 bytes.
        acquirer: 20 bytes.
        token: 20 bytes.
        terms: 128 bytes.
    """
    parties = (_PADDING + party for party in (issuer, acquirer, token))
    return payment_id + b"".join(parties) + terms


OPENING_PREFIXES = frozenset(
    prefix_of(ev.topic_of(kind)) for kind in (ev.PaymentAuthorized, ev.PaymentCharged)
)
