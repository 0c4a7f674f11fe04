"""What the journal keeps: orders, signed transactions, and what became of them."""

from __future__ import annotations

import enum
import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


Name = tuple[str, str, int]
"""What stands for a write in the journal: participant, reference, part."""


class WriteState(enum.IntEnum):
    """Where a write stands."""

    ACCEPTED = 0
    """Written down; nothing signed for it is alive."""
    SIGNED = 1
    """Signed, perhaps sent: its fate is open, and nothing else is ever signed for it meanwhile."""
    REFUSED = 2
    """Without effect: the contract refused. A repeat tries anew."""
    INCLUDED = 3
    """Its effect is in a block that can still be undone."""
    FINAL = 4
    """Its effect cannot be undone any more."""


class Fate(enum.IntEnum):
    """Where a signed transaction stands."""

    OPEN = 0
    INCLUDED = 1
    FINAL = 2
    DEAD = 3
    """Another transaction with its nonce is final, so it can never be included."""


@dataclass(frozen=True, slots=True)
class Item:
    """A payment that travels in a batch, under the reference of its own.

    Args:
        reference: The payment's.
        verb: What is to happen to it, as alone.
        body_hash: Of what is to happen to it, 32 bytes.
        subject: The payment's id, 32 bytes.
        valid_before: Chain time from which on its signatures count no more.
    """

    reference: str
    verb: str
    body_hash: bytes
    subject: bytes
    valid_before: int | None = None

    def name_of(self, order: Order) -> Name:
        """What stands for it in the journal.

        Args:
            order: The batch that it travels in.
        """
        return (order.participant, self.reference, 0)


@dataclass(frozen=True, slots=True)
class Order:
    """One write as it was asked for, before anything is signed.

    Args:
        participant: Whose reference it is.
        reference: The caller's.
        verb: The contract's function.
        body_hash: Of what is to happen, 32 bytes; the same reference never stands for two.
        to: The contract; None where the transaction creates one.
        data: Call data, or creation code with its arguments.
        part: 0; a batch's transactions count from 1.
        gas: A limit that is known to suffice; None estimates, which finds refusals out early.
        subject: The key of what is written, 32 bytes, if it has one.
        total_minor: The new total of a capture, void or refund.
        valid_before: Chain time from which on no signed message for it counts; None without one.
        value: Wei sent along.
        items: The payments of a batch.
    """

    participant: str
    reference: str
    verb: str
    body_hash: bytes
    to: str | None
    data: bytes
    part: int = 0
    gas: int | None = None
    subject: bytes | None = None
    total_minor: int | None = None
    valid_before: int | None = None
    value: int = 0
    items: tuple[Item, ...] = ()

    @property
    def name(self) -> Name:
        """What stands for it in the journal."""
        return (self.participant, self.reference, self.part)

    @property
    def contract(self) -> str:
        """The contract as the journal keeps it: empty where the transaction creates one."""
        return self.to or ""


@dataclass(frozen=True, slots=True)
class SignedTransaction:
    """A signed transaction as the journal keeps it.

    Args:
        id: Its row; 0 if it is in none yet.
        write: The row of the write it is for; None if it only fills its nonce.
        sender: Checksummed address.
        nonce: Its place in the sender's order.
        hash: 0x and 64 digits.
        raw: The bytes.
        fate: Where it stands.
        block_number: Where it was last seen.
        block_hash: Of that block.
        created_ms: When it was signed, by this machine's clock.
    """

    id: int
    write: int | None
    sender: str
    nonce: int
    hash: str
    raw: bytes = field(repr=False)
    fate: Fate = Fate.OPEN
    block_number: int | None = None
    block_hash: str | None = None
    created_ms: int = 0


@dataclass(frozen=True, slots=True)
class Record:
    """A write as the journal has it; the fields are those of `Order` and of its result."""

    id: int
    participant: str
    reference: str
    part: int
    verb: str
    body_hash: bytes
    contract: str
    subject: bytes | None
    total_minor: int | None
    carrier: int | None
    valid_before: int | None
    state: WriteState
    transaction_hash: str | None
    block_number: int | None
    block_hash: str | None
    log_index: int | None
    gas_used: int | None
    repeated: bool
    refusal: bytes | None

    @property
    def name(self) -> Name:
        """What stands for it in the journal."""
        return (self.participant, self.reference, self.part)

    def stands_for(self, body_hash: bytes) -> bool:
        """Whether the reference is this body's, or still free.

        Refused before anything was signed, a reference binds to nothing: the order may be
        corrected under it.
        """
        is_free = self.state is WriteState.REFUSED and self.transaction_hash is None
        return is_free or self.body_hash == body_hash

    @property
    def is_done(self) -> bool:
        """Whether its effect is in a block."""
        return self.state >= WriteState.INCLUDED


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a write, to be written down.

    Args:
        write: Its row.
        state: Where it stands now.
        transaction_hash: Of the transaction with the effect, or with the refusal.
        block_number: The block that includes it.
        block_hash: That block's hash.
        log_index: The first log of the effect in its block.
        gas_used: By the whole transaction.
        repeated: The chain had the effect before this write.
        refusal: The contract's error, encoded.
    """

    write: int
    state: WriteState
    transaction_hash: str | None = None
    block_number: int | None = None
    block_hash: str | None = None
    log_index: int | None = None
    gas_used: int | None = None
    repeated: bool = False
    refusal: bytes | None = None


def log_fields(write: Order | Record) -> dict[str, str | int | None]:
    """What a log says of a write, as `tael.telemetry` takes it."""
    return {
        "reference": write.reference,
        "part": write.part or None,
        "verb": write.verb,
        "participant": write.participant,
    }


def body_hash(verb: str, values: Sequence[object]) -> bytes:
    """The fingerprint of what a write is to do, 32 bytes.

    Args:
        verb: The contract's function.
        values: Strings, integers, bytes, booleans, None, and sequences of these.
    """
    return hashlib.sha256(_text([verb, _plain(values)]).encode()).digest()


# Made once: `json.dumps` makes one each time, which takes longer than to use it.
_text = json.JSONEncoder(separators=(",", ":")).encode


def _plain(value: object) -> object:
    if isinstance(value, bytes):
        return "0x" + value.hex()
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    if value is None or isinstance(value, (str, int)):
        # An integer beyond what other readers hold exactly is text to them, never to us.
        return value
    raise TypeError(f"{type(value).__name__} has no fingerprint")
