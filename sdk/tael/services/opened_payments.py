"""Which payments an issuer opened, read from the chain as it grows."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tael.errors import IdempotencyConflictError
from tael.events import PaymentAuthorized, PaymentCharged, PaymentOpened, opened_in, topic_of
from tael.journal.openings import OpeningsTable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tael.services.gateway import Gateway
    from tael.services.writer import Writer
    from tael.terms import Terms

OPENING_TOPICS = (topic_of(PaymentAuthorized), topic_of(PaymentCharged))
CATCH_UP_SECONDS = 30.0
"""How often the chain is read for openings that this journal knows nothing of. Its own references
it knows anyway; others are there only if another journal was used, or this one was lost."""
_PUT_AT_ONCE = 5_000


class OpenedPayments:
    """Knows, per issuer, which reference hash stands for which payment.

    The chain refuses the same terms twice, yet the same reference under new deadlines is another
    payment to it. What was read from it is how the second one is refused, whatever journal the
    first was written in.
    """

    def __init__(self, gateway: Gateway, writer: Writer) -> None:
        self._gateway = gateway
        self._writer = writer
        self._read_at: dict[str, float] = {}

    def find(self, payment_id: bytes) -> PaymentOpened | None:
        """The event that opened a payment; None if none did."""
        found = self.find_many([payment_id])
        return found.get(payment_id)

    def find_many(self, payment_ids: list[bytes]) -> dict[bytes, PaymentOpened]:
        """The events that opened payments, by id; payments that were never opened are left out."""
        gateway = self._gateway
        found: dict[bytes, PaymentOpened] = {}
        for start in range(0, len(payment_ids), 200):
            words = ["0x" + id_.hex() for id_ in payment_ids[start : start + 200]]
            history = gateway.history(gateway.escrow)
            if len(words) == 1:
                event = history.find_last(OPENING_TOPICS, words)
                events = [] if event is None else [event]
            else:
                events = list(history.events(topics=(OPENING_TOPICS, words), with_times=False))
            found |= {event.id: event for event in events if isinstance(event, PaymentOpened)}
        return found

    def other_payment(self, terms: Terms, payment_id: bytes) -> bytes | None:
        """Another payment that this issuer opened under the same reference, or None."""
        return self.other_payments([(terms, payment_id)]).get(payment_id)

    def other_payments(self, payments: Sequence[tuple[Terms, bytes]]) -> dict[bytes, bytes]:
        """Other payments that were opened under the same references, by the ids given."""
        return {
            payment_id: opened
            for payment_id, opened in self.under_references(payments).items()
            if opened != payment_id
        }

    def under_references(self, payments: Sequence[tuple[Terms, bytes]]) -> dict[bytes, bytes]:
        """What was opened under the same references, by the ids given: these payments or others.

        Up to `CATCH_UP_SECONDS` old for these payments; others are looked up on the chain.
        """
        found = {}
        for issuer in {terms.issuer for terms, _ in payments}:
            self._catch_up(issuer, at_most_every=CATCH_UP_SECONDS)
            known = self._table.find(issuer, [terms.reference_hash for terms, _ in payments])
            for terms, payment_id in payments:
                opened = known.get(terms.reference_hash)
                if opened is None or terms.issuer != issuer:
                    continue
                if opened == payment_id or self._exists(opened):
                    found[payment_id] = opened
        return found

    def find_by_reference(self, issuer: str, reference_hash: bytes) -> bytes | None:
        """The payment that an issuer opened under a reference, or None.

        The UETR would not do: two of its cardholders may pay the same dynamic code.
        """
        self._catch_up(issuer)
        found = self._table.find(issuer, [reference_hash]).get(reference_hash)
        return found if found is not None and self._exists(found) else None

    @property
    def _table(self) -> OpeningsTable:
        journal = self._writer.journal
        return OpeningsTable(journal.store, journal.chain_row, self._gateway.escrow.address)

    def _catch_up(self, issuer: str, *, at_most_every: float = 0.0) -> None:
        now = time.monotonic()
        read_at = self._read_at.get(issuer)
        if read_at is not None and now - read_at < at_most_every:
            return
        gateway, table = self._gateway, self._table
        history = gateway.history(gateway.escrow)
        final = self._writer.outbox.finality.final_number(gateway.chain)
        head = history.head()
        first = table.next_block(issuer) or history.first_block
        if first > head + 1:
            # A development chain that began anew.
            first = history.first_block
        topic = "0x" + issuer[2:].lower().rjust(64, "0")
        found: dict[bytes, bytes] = {}
        for logs in history.logs(
            first=max(history.first_block, first), last=head, topics=(OPENING_TOPICS, None, topic)
        ):
            for log in logs:
                payment_id, reference_hash = opened_in(log)
                found[reference_hash] = payment_id
            if len(found) >= _PUT_AT_ONCE:
                table.put(issuer, found, first)
                found = {}
        # What is not final is read again: it may be another block by then.
        next_block = max(first, min(head, final) + 1)
        if found or next_block != first:
            table.put(issuer, found, next_block)
        self._read_at[issuer] = now

    def _exists(self, payment_id: bytes) -> bool:
        # A reorganisation may have taken away what was seen.
        return bool(self._gateway.read(self._gateway.escrow, "paymentOf", payment_id)[0])


def conflict(payment_id: bytes, other: bytes) -> IdempotencyConflictError:
    """The refusal of a payment whose reference stands for another one already."""
    return IdempotencyConflictError(
        f"The reference of payment 0x{payment_id.hex()} already stands for payment "
        f"0x{other.hex()}. Nothing was sent; look at that payment, or use a new reference."
    )
