"""Logs into events by slicing: the topic names the class, its declaration where each value is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tael.addresses import checksummed
from tael.errors import InvalidInputError, UnknownEventError
from tael.events.declaring import found_by_topic
from tael.events.event import Event, Position

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["decode", "decode_all", "decode_own"]


def decode(log: Mapping[str, Any]) -> Event | None:
    """Decode one log.

    Args:
        log: As a node answers (`eth_getLogs`, receipts) with hexadecimal text, or as web3 gives it.

    Returns:
        The event; None if its topic is none of ours. That the log comes from a contract of ours is
        the caller's to check: `at.contract` says from which.

    Raises:
        InvalidInputError: The topic is ours and the rest does not fit it: no log of our contracts.
    """
    topics = log["topics"]
    if not topics:
        return None
    found = found_by_topic(_digits(topics[0]))
    if found is None:
        return None
    if len(topics) != found.topics:
        # ERC-721 has the topic of `Transfer` with another number of indexed fields.
        return None
    words = [_digits(topic) for topic in topics]
    data = _digits(log["data"])
    try:
        values = [read(words, data) for read in found.readers]
    except (ValueError, IndexError) as error:
        raise InvalidInputError(
            f"A log of {found.kind.__name__} does not have the data that it declares; check the "
            "address."
        ) from error
    return found.kind(_position(log), *values)


def decode_own(log: Mapping[str, Any]) -> Event:
    """Decode a log of one of our own contracts.

    Raises:
        UnknownEventError: This version does not know such an event.
        InvalidInputError: As `decode`.
    """
    found = decode(log)
    if found is None:
        raise UnknownEventError.of(log)
    return found


def decode_all(logs: Iterable[Mapping[str, Any]]) -> list[Event]:
    """Decode logs in their order, leaving out those with a topic that is none of ours."""
    return [event for event in map(decode, logs) if event is not None]


def _position(log: Mapping[str, Any]) -> Position:
    timestamp = log.get("blockTimestamp")
    return Position(
        checksummed("0x" + _digits(log["address"])),
        _number(log["blockNumber"]),
        "0x" + _digits(log["blockHash"]),
        "0x" + _digits(log["transactionHash"]),
        _number(log["logIndex"]),
        None if timestamp is None else _number(timestamp),
    )


def _digits(value: object) -> str:
    if isinstance(value, str):
        return value[2:].lower()
    if isinstance(value, bytes):
        return bytes(value).hex()
    raise InvalidInputError(f"A log holds {type(value).__name__} where hexadecimal text belongs.")


def _number(value: object) -> int:
    return value if isinstance(value, int) else int(str(value), 16)
