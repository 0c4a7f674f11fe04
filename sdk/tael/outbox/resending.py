"""Sending again what waits too long: the same bytes, or the same for a higher fee."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from tael.errors import TransactionRefusedError
from tael.outbox import telling
from tael.outbox.broadcasting import broadcast
from tael.outbox.fees import FEE_FIELDS
from tael.raw_transaction import read_plain
from tael.rpc import exchange

if TYPE_CHECKING:
    from tael.outbox.environment import Environment
    from tael.outbox.flights import Flight, FlightTable
    from tael.outbox.signing import TransactionSigner

LONGEST_RESEND_SECONDS = 5.0
_GROUP = 200


class Resending:
    """Sends one key's flights again. Only the watch uses it, one turn at a time.

    Args:
        environment: Of the outbox.
        signer: Makes the key's transactions.
        flights: What is in flight.
    """

    def __init__(
        self, environment: Environment, signer: TransactionSigner, flights: FlightTable
    ) -> None:
        self._environment = environment
        self._signer = signer
        self._flights = flights

    def look_after(self, waiting: Sequence[Flight]) -> None:
        """Send again what the node forgot, and replace what is stuck or offers too little."""
        now = time.monotonic()
        due = [each for each in waiting if now - each.sent_at >= each.resend_after][:_GROUP]
        if not due:
            return
        chain = self._environment.chain
        answers = exchange(
            chain, [("eth_getTransactionByHash", [each.newest.hash]) for each in due]
        )
        patience = self._environment.fees.patience_seconds(is_local=chain.is_local)
        lost, stuck = [], []
        for flight, answer in zip(due, answers, strict=True):
            flight.sent_at = now
            flight.resend_after = min(flight.resend_after * 2, LONGEST_RESEND_SECONDS)
            if answer.error is not None:
                continue
            if not isinstance(answer.result, dict):
                flight.known_since = None
                lost.append(flight)
            elif not answer.result.get("blockNumber"):
                flight.refused = ""
                since = flight.known_since = flight.known_since or now
                if now - since >= patience:
                    stuck.append(flight)
        for flight in lost:
            self._tell_refused(flight)
        if lost:
            broadcast(chain, lost)
        self._replace_all(stuck, [each for each in lost if each.refused])

    def _tell_refused(self, flight: Flight) -> None:
        """Tell who waits that the node does not take it; it stays written down."""
        tickets, why = self._flights.take_refused(flight)
        for ticket in tickets:
            ticket.fail(
                TransactionRefusedError(
                    f"the node refused it: {why}. Mend that and call again with the same "
                    "reference: the same bytes are sent",
                    transaction_hash=flight.newest.hash,
                )
            )

    def _replace_all(self, stuck: Sequence[Flight], refused: Sequence[Flight]) -> None:
        """Replace what is stuck, and what no pool takes because it offers less than is asked."""
        if not (stuck or refused):
            return
        try:
            now = self._signer.fees()
        except TransactionRefusedError:
            return  # dearer than the policy allows: what is offered already has to do
        for flight in stuck:
            self._replace(flight, now)
        for flight in refused:
            self._replace(flight, now, only_if_dearer=True)

    def _replace(
        self, flight: Flight, now: Mapping[str, int], *, only_if_dearer: bool = False
    ) -> None:
        """Replace a transaction by itself for a higher fee.

        What is signed again is read from the journal's own bytes. A node that was asked for it
        could have anything at all signed.

        Args:
            flight: Which.
            now: What a transaction offers at present.
            only_if_dearer: Leave one be that offers as much.
        """
        stuck, journal = flight.newest, self._environment.journal
        old = read_plain(stuck.raw)
        if old is None:
            return
        offered = {name: old.pop(name) for name in FEE_FIELDS if name in old}
        if only_if_dearer and all(offered.get(name, fee) >= fee for name, fee in now.items()):
            return
        fees = self._environment.fees.bump(offered, now)
        if fees is None:
            return
        fields = {**old, **fees}
        new = journal.replace(stuck, lambda: self._signer.sign(fields, stuck.nonce))
        if new is None:
            return
        telling.replaced(journal, stuck, new)
        flight.known_since = None
        self._flights.add(flight, new)
        broadcast(self._environment.chain, [flight])
