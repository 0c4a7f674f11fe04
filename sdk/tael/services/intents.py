"""What a write is to do, apart from how it is called: that is what its reference stands for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tael.journal import body_hash

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tael.contracts.calls import Contract
    from tael.terms import Terms


@dataclass(frozen=True, slots=True)
class Intent:
    """What a write is to do.

    Two calls with the same reference must mean the same intent. Signatures, deadlines of messages
    and the form of a call are no part of it, so a repeat that signs anew is still a repeat.

    Args:
        verb: The contract's function, by its plain name.
        body: Everything that makes it this intent and no other.
        subject: The key of what is written, 32 bytes, if it has one.
        total_minor: The new total of a capture, void or refund.
        valid_before: Chain time from which on no signed message for it counts; None without one.
        target: The contract it is about, where the call goes to another.
    """

    verb: str
    body: Sequence[object]
    subject: bytes | None = None
    total_minor: int | None = None
    valid_before: int | None = None
    target: Contract | None = None

    def body_hash(self, contract: Contract) -> bytes:
        """The fingerprint of the intent, 32 bytes.

        Args:
            contract: Where the call goes.
        """
        return body_hash(self.verb, [(self.target or contract).address, *self.body])


def opening_intent(verb: str, terms: Terms, payment_id: bytes) -> Intent:
    """What opening a payment is to the journal, alone or in a batch."""
    return Intent(verb, (payment_id,), payment_id, valid_before=terms.authorize_before)
