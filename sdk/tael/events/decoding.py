"""Logs into events by slicing: the topic names the class, its declaration where each value is."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from tael.addresses import checksummed
from tael.errors import InvalidInputError
from tael.events.escrow import (
    AcceptanceSet,
    CardSet,
    DelegateSet,
    MerchantSet,
    PackedTerms,
    PaymentAuthorized,
    PaymentCaptured,
    PaymentCharged,
    PaymentReclaimed,
    PaymentRefunded,
    PaymentSkipped,
    PaymentVoided,
    TokenAdmitted,
)
from tael.events.event import Event, Position
from tael.events.governance import (
    AuthorityUpdated,
    EIP712DomainChanged,
    OperationCanceled,
    OperationExecuted,
    OperationScheduled,
)
from tael.events.token import (
    AccountAdmitted,
    AccountClosed,
    AccountReinstated,
    AccountSuspended,
    Approval,
    AuthorizationCanceled,
    AuthorizationUsed,
    EscrowAdmitted,
    HoldExecuted,
    HoldPlaced,
    Issued,
    ModuleAdmitted,
    ModuleCutOff,
    Paused,
    Redeemed,
    ReserveAttested,
    Transfer,
    TransferForced,
    Unpaused,
)
from tael.hashing import keccak
from tael.models import AccountStatus, EntryStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

EVENTS: tuple[type[Event], ...] = (
    AccountAdmitted,
    AccountSuspended,
    AccountReinstated,
    AccountClosed,
    Transfer,
    Approval,
    ReserveAttested,
    Issued,
    Redeemed,
    TransferForced,
    AuthorizationUsed,
    AuthorizationCanceled,
    Paused,
    Unpaused,
    EscrowAdmitted,
    ModuleAdmitted,
    ModuleCutOff,
    HoldPlaced,
    HoldExecuted,
    TokenAdmitted,
    DelegateSet,
    MerchantSet,
    AcceptanceSet,
    CardSet,
    PaymentAuthorized,
    PaymentCharged,
    PaymentCaptured,
    PaymentVoided,
    PaymentReclaimed,
    PaymentRefunded,
    PaymentSkipped,
    AuthorityUpdated,
    EIP712DomainChanged,
    OperationScheduled,
    OperationExecuted,
    OperationCanceled,
)
"""Every event of SettlementToken and PaymentEscrow, and the operations of Governance."""


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
    decoder = _DECODERS.get(_digits(topics[0]))
    if decoder is None:
        return None
    kind, readers, topic_count = decoder
    if len(topics) != topic_count:
        # ERC-721 has the topic of `Transfer` with another number of indexed fields.
        return None
    words = [_digits(topic) for topic in topics]
    data = _digits(log["data"])
    try:
        values = [read(words, data) for read in readers]
    except (ValueError, IndexError) as error:
        raise InvalidInputError(
            f"A log of {kind.__name__} has other data than its declaration; check the address."
        ) from error
    return kind(_position(log), *values)


def decode_all(logs: Iterable[Mapping[str, Any]]) -> list[Event]:
    """Decode logs in their order, leaving out those with a topic that is none of ours."""
    return [event for event in map(decode, logs) if event is not None]


def topic_of(kind: type[Event]) -> str:
    """The first topic of an event's logs, 0x and 64 digits, to filter by."""
    return "0x" + _TOPICS[kind]


def _position(log: Mapping[str, Any]) -> Position:
    timestamp = log.get("blockTimestamp")
    return Position(
        _checksummed(_digits(log["address"])),
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


@lru_cache(maxsize=65_536)
def _checksummed(digits: str) -> str:
    if len(digits) != 40:
        raise ValueError("an address has 20 bytes")
    return checksummed("0x" + digits)


# What a word means; a word is 64 hexadecimal digits.
_WORDS: dict[str, Callable[[str], Any]] = {
    "address": lambda word: _checksummed(word[24:]),
    "bytes32": bytes.fromhex,
    "EntryStatus": lambda word: EntryStatus(int(word, 16)),
    "AccountStatus": lambda word: AccountStatus(int(word, 16)),
    **{f"uint{bits}": lambda word: int(word, 16) for bits in (16, 32, 48, 64, 256)},
}
_CANONICAL = {
    "EntryStatus": "uint8",
    "AccountStatus": "uint8",
    "PackedTerms": "(bytes32,bytes32,bytes32,bytes32)",
}


def _read_topic(index: int, convert: Callable[[str], Any]) -> Callable[[list[str], str], Any]:
    return lambda topics, _: convert(topics[index])


def _word_at(data: str, offset: int) -> str:
    word = data[offset : offset + 64]
    if len(word) != 64:
        raise ValueError("the data is too short")
    return word


def _read_word(offset: int, convert: Callable[[str], Any]) -> Callable[[list[str], str], Any]:
    def read(_: list[str], data: str) -> Any:
        return convert(_word_at(data, offset))

    return read


def _read_packed(offset: int) -> Callable[[list[str], str], Any]:
    def read(_: list[str], data: str) -> PackedTerms:
        raw = bytes.fromhex(data[offset : offset + 256])
        if len(raw) != 128:
            raise ValueError("the data is too short")
        return (raw[:32], raw[32:64], raw[64:96], raw[96:])

    return read


def _read_bytes(offset: int) -> Callable[[list[str], str], Any]:
    def read(_: list[str], data: str) -> bytes:
        start = 2 * int(_word_at(data, offset), 16)
        size = 2 * int(_word_at(data, start), 16)
        value = data[start + 64 : start + 64 + size]
        if len(value) != size:
            raise ValueError("the data is too short")
        return bytes.fromhex(value)

    return read


def canonical_signature(kind: type[Event]) -> str:
    """An event's signature as the ABI hashes it, for example ``Transfer(address,address,uint256)``.

    Source:
        Solidity ABI specification, "Events".
    """
    name, fields = _parse(kind.declaration)
    return f"{name}({','.join(_CANONICAL.get(type_, type_) for type_, _ in fields)})"


def _parse(declaration: str) -> tuple[str, list[tuple[str, bool]]]:
    name, _, inside = declaration.rstrip(")").partition("(")
    fields = [field.split() for field in re.split(r",\s*", inside) if field]
    return name, [(field[0], "indexed" in field) for field in fields]


def _build(kind: type[Event]) -> tuple[type[Event], list[Callable[[list[str], str], Any]], int]:
    readers: list[Callable[[list[str], str], Any]] = []
    topic, offset = 1, 0
    for type_, indexed in _parse(kind.declaration)[1]:
        if indexed:
            readers.append(_read_topic(topic, _WORDS[type_]))
            topic += 1
            continue
        if type_ == "PackedTerms":
            readers.append(_read_packed(offset))
            offset += 4 * 64
            continue
        readers.append(
            _read_bytes(offset) if type_ == "bytes" else _read_word(offset, _WORDS[type_])
        )
        offset += 64
    return kind, readers, topic


_TOPICS = {kind: keccak(canonical_signature(kind).encode()).hex() for kind in EVENTS}
_DECODERS = {_TOPICS[kind]: _build(kind) for kind in EVENTS}
