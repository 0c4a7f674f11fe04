"""What the model counts in: limits, statuses, entries, refusals."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Any, NamedTuple

from ..chain import Refused

if TYPE_CHECKING:
    from ..messages import Terms

ZERO = "0x" + "00" * 20
DAY = 86_400
MAX_SUPPLY = 2**80 - 1
MAX_WORD = 2**256 - 1
MAX_ATTESTATION_SECONDS = 35 * DAY
MAX_NET_PARTICIPANTS = 256
MAX_ENTRIES = 256
MAX_BATCH = 200
MAX_HOLD_SECONDS = 31 * DAY
MAX_REFUND_SECONDS = 540 * DAY
BPS = 10_000


class Status(IntEnum):
    """Of an account."""

    NONE = 0
    ACTIVE = 1
    SUSPENDED = 2
    CLOSED = 3


class Entry(IntEnum):
    """Of a card or of a merchant's acceptance."""

    NONE = 0
    ACTIVE = 1
    BLOCKED = 2


class Source(IntEnum):
    """Where a net settlement takes its debits from."""

    AVAILABLE = 0
    HOLD = 1


class Verb(IntEnum):
    """What a delegate may do, one bit each."""

    AUTHORIZE = 1
    CHARGE = 2
    CAPTURE = 4
    VOID = 8
    REFUND = 16
    CARDS = 32
    MERCHANTS = 64


ALL_VERBS = 127


class Account(NamedTuple):
    """A participant's account in one currency."""

    available: int = 0
    escrowed: int = 0
    reserved: int = 0
    status: Status = Status.NONE

    @property
    def held(self) -> int:
        return self.escrowed + self.reserved

    @property
    def balance(self) -> int:
        return self.available + self.held


class Payment(NamedTuple):
    """A payment as stored, and the terms it was opened with."""

    terms: Terms
    captured: int
    voided: int
    refunded: int
    day: int

    @property
    def open(self) -> int:
        return self.terms.amount - self.captured - self.voided


class Card(NamedTuple):
    """A card's limits in one currency and what it spent on `day`."""

    payment_limit: int = 0
    day_limit: int = 0
    status: Entry = Entry.NONE
    spent: int = 0
    day: int = 0


class Merchant(NamedTuple):
    """A merchant's entry."""

    acquirer: str = ZERO
    category: int = 0
    signer: str = ZERO
    name_hash: bytes = bytes(32)


class Refusal(Exception):  # noqa: N818
    """Raised inside the model; the caller of the model sees a `Refused`."""

    def __init__(self, error: str, *arguments: Any) -> None:
        super().__init__(error, arguments)
        self.refused = Refused(error, arguments)


def share(amount: int, bps: int) -> int:
    return amount * bps // BPS


def require(condition: bool, error: str, *arguments: Any) -> None:
    if not condition:
        raise Refusal(error, *arguments)
