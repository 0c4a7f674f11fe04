"""Nonces that went to transactions of others, and nonces that went to none."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from tael.chain.jsonrpc import quantity
from tael.errors import TransactionRefusedError
from tael.journal import Fate
from tael.outbox import telling
from tael.outbox.flights import Flight
from tael.outbox.tickets import unknown
from tael.rpc import exchange

if TYPE_CHECKING:
    from tael.outbox.environment import Environment
    from tael.outbox.flights import FlightTable
    from tael.outbox.inclusion import Inclusion
    from tael.outbox.signing import TransactionSigner

GAP_SECONDS = 1.0
"""How long a nonce that nothing fills may be a delay of the node's."""
OVERTAKEN_SECONDS = 2.0
TRANSFER_GAS = 21_000
_GROUP = 200


class Nonces:
    """Finds out what became of one key's nonces. Only the watch uses it, one turn at a time.

    Args:
        environment: Of the outbox.
        signer: Makes the key's transactions.
        flights: What is in flight.
        inclusion: Opens again what a reorganisation undid.
        follow: Has flights followed.
    """

    def __init__(
        self,
        environment: Environment,
        signer: TransactionSigner,
        flights: FlightTable,
        inclusion: Inclusion,
        follow: Callable[[Sequence[Flight]], None],
    ) -> None:
        self._environment = environment
        self._signer = signer
        self._flights = flights
        self._inclusion = inclusion
        self._follow = follow
        self._gap_since: float | None = None

    # Used by others

    def check_overtaken(self, flight: Flight) -> None:
        """The nonce is used, and by nothing of ours: believed when it is final."""
        now = time.monotonic()
        if flight.missing_since is None:
            flight.missing_since = now
        if now - flight.missing_since < OVERTAKEN_SECONDS:
            return
        # Another process may have replaced it: that is in the journal, and counts as ours.
        journal, address, nonce = self._environment.journal, self._signer.address, flight.nonce
        ours = journal.reader.transactions_between(address, nonce, nonce + 1)
        if any(each.fate is Fate.FINAL for each in ours):
            why = "another process has written down what became of it"
            for ticket in self._flights.drop(flight):
                ticket.fail(unknown(ticket, why))
            return
        self._flights.join([Flight([each], sent=False) for each in ours])
        if not self._is_overtaken(nonce, [each.hash for each in ours]):
            return
        journal.kill(address, nonce)
        telling.overtaken(journal, flight.newest)
        for ticket in self._flights.drop(flight):
            ticket.fail(
                TransactionRefusedError(
                    f"nonce {nonce} of {address} went to another transaction, so this one can "
                    "never be included; call again",
                    transaction_hash=flight.newest.hash,
                )
            )

    def _is_overtaken(self, nonce: int, hashes: Sequence[str]) -> bool:
        """Whether a nonce is used in a final block, and by none of these transactions."""
        chain = self._environment.chain
        block = hex(max(0, self._environment.finality.final_number(chain)))
        calls: list[tuple[str, list[Any]]] = [
            ("eth_getTransactionCount", [self._signer.address, block]),
            *(("eth_getTransactionReceipt", [each]) for each in hashes),
        ]
        # In one request: a node that is behind another would know the nonce of neither, and what
        # the one says of the nonce must not go with what the other does not know yet.
        answers = exchange(chain, calls)
        if any(each.error is not None for each in answers) or any(
            each.result for each in answers[1:]
        ):
            return False
        if quantity(answers[0].result) <= nonce:
            return False
        if chain.agreement == 1:
            return True
        count, *receipts = (chain.agree(method, params) for method, params in calls)
        return quantity(count) > nonce and not any(receipts)

    # Used by nothing

    def mend_gap(self, count: int, lowest: int) -> None:
        """Fill nonces below the lowest one in flight that nothing is known of.

        Args:
            count: The next nonce as the chain has it.
            lowest: The lowest one in flight that the chain does not have.
        """
        now = time.monotonic()
        if lowest <= count:
            self._gap_since = None
            return
        if self._gap_since is None:
            self._gap_since = now
        if now - self._gap_since < GAP_SECONDS:
            return
        self._gap_since = None
        journal, address = self._environment.journal, self._signer.address
        # Whatever the node claims, a bounded part of it is mended at a time.
        lowest = min(lowest, count + _GROUP)
        known = journal.reader.transactions_between(address, count, lowest)
        undone = [each for each in known if self._inclusion.is_undone(each)]
        if undone:
            self._inclusion.reopen(undone)
        self._follow([Flight([each], sent=False) for each in known if each.fate is Fate.OPEN])
        missing = sorted(set(range(count, lowest)) - {each.nonce for each in known})
        if missing:
            fields = {
                "to": address,
                "data": b"",
                "value": 0,
                "gas": TRANSFER_GAS,
                **self._signer.fees(),
            }
            filled = journal.fill(address, missing, lambda nonce: self._signer.sign(fields, nonce))
            telling.gap_filled(journal, filled)
            self._follow([Flight([each], sent=False) for each in filled])
