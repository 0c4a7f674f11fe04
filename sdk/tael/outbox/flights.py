"""What is in flight for one nonce."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tael.journal import SignedTransaction
    from tael.outbox.tickets import Ticket

FIRST_RESEND_SECONDS = 0.5


@dataclass(eq=False)
class Flight:
    """What was signed for one nonce, and who waits for it.

    Args:
        transactions: Newest last; all do the same, for different fees.
        tickets: Who is told.
        sent: Whether the node said that it has it.
        has_items: Whether it is a batch; None if that is not known.
        gas: Its gas limit; 0 if that is not known.
    """

    transactions: list[SignedTransaction]
    tickets: list[Ticket] = field(default_factory=list)
    sent: bool = True
    has_items: bool | None = None
    gas: int = 0
    sending: bool = False
    refused: str = ""
    sent_at: float = 0.0
    resend_after: float = FIRST_RESEND_SECONDS
    known_since: float | None = None
    missing_since: float | None = None

    @property
    def newest(self) -> SignedTransaction:
        """The one to send."""
        return self.transactions[-1]

    @property
    def nonce(self) -> int:
        """Which nonce."""
        return self.newest.nonce
