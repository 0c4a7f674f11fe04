"""Keeps banks' liquidity free: reclaims what was never captured, and voids what was given up.

Anyone may reclaim, since the money can only go back to the issuer, so anyone may run a keeper, and
several at once: what another did first is no failure here.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Container
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tael.errors import (
    ContractRevertedError,
    NodeUnavailableError,
    OutcomeUnknownError,
    TaelError,
    TransactionRefusedError,
)
from tael.events import (
    PaymentAuthorized,
    PaymentCaptured,
    PaymentReclaimed,
    PaymentVoided,
    topic_of,
)

if TYPE_CHECKING:
    from tael.client import Client
    from tael.events import Event
    from tael.terms import Terms

__all__ = ["Keeper", "KeeperReport"]

INTERVAL_SECONDS = 30.0
MAX_ACTIONS_PER_RUN = 500
OVERLAP_BLOCKS = 64
"""How far back to read again, in case the chain was reorganised since."""

_TOPICS = [
    topic_of(kind) for kind in (PaymentAuthorized, PaymentCaptured, PaymentVoided, PaymentReclaimed)
]
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class KeeperReport:
    """What one run did; payments by id.

    Args:
        chain_time: Unix seconds; what is due was judged by it.
        reclaimed: Given back to their issuers because the time to capture is over.
        voided: Given up by their acquirer.
        settled_elsewhere: Due, but somebody else was first.
        failed: What stays to be done, and why; the next run tries again.
        left: How many were due beyond what one run does.
    """

    chain_time: int
    reclaimed: list[bytes] = field(default_factory=list)
    voided: list[bytes] = field(default_factory=list)
    settled_elsewhere: list[bytes] = field(default_factory=list)
    failed: dict[bytes, TaelError] = field(default_factory=dict)
    left: int = 0


class Keeper:
    """Finds payments that are due and gives back what is held for them.

    Memory holds the open payments only. It is rebuilt from the chain at every start, so there is
    nothing to keep on disk and nothing to lose.

    Args:
        client: Reads, and signs the reclaims; any funded key will do. To void, it must be the
            acquirer or its delegate for VOID.
        abandoned: Says of an open payment of this client's participant as acquirer whether it is
            given up: a function of id and terms, or a container of ids. None voids nothing.
        max_actions: How many payments one run settles at most.

    Example:
        >>> Keeper(client).run(once=True).reclaimed  # doctest: +SKIP
        []
    """

    def __init__(
        self,
        client: Client,
        *,
        abandoned: Callable[[bytes, Terms], bool] | Container[bytes] | None = None,
        max_actions: int = MAX_ACTIONS_PER_RUN,
    ) -> None:
        self._client = client
        self._abandoned = abandoned
        self._max_actions = max_actions
        self._open: dict[bytes, Terms] = {}
        self._next_block: int | None = None

    def run(
        self,
        *,
        once: bool = False,
        interval_seconds: float = INTERVAL_SECONDS,
        until: Callable[[], bool] = lambda: False,
        report: Callable[[KeeperReport], None] = lambda _: None,
    ) -> KeeperReport:
        """Settle what is due, once or again and again.

        A node that does not answer ends a single run and is waited for otherwise.

        Args:
            once: Whether to return after one run.
            interval_seconds: Pause between runs, by this machine's clock.
            until: Asked before each pause; True ends it.
            report: Told what each run did.

        Returns:
            The last run's report.

        Raises:
            NodeUnavailableError: In a single run, the node did not answer properly.
        """
        while True:
            try:
                done = self._run_once()
            except NodeUnavailableError:
                if once or until():
                    raise
                _log.warning("the node does not answer; trying again")
            else:
                report(done)
                if once or until():
                    return done
            time.sleep(interval_seconds)

    def due(self) -> list[bytes]:
        """The payments that anyone may reclaim now, the longest overdue first."""
        self._catch_up()
        now = self._client.now()
        overdue = [
            (terms.capture_before, id_)
            for id_, terms in self._open.items()
            if now >= terms.capture_before
        ]
        return [id_ for _, id_ in sorted(overdue)]

    def _run_once(self) -> KeeperReport:
        due = self.due()
        given_up = self._given_up(set(due))
        result = KeeperReport(
            self._client.now(), left=max(0, len(due) + len(given_up) - self._max_actions)
        )
        todo = [(id_, False) for id_ in due] + [(id_, True) for id_ in given_up]
        for payment_id, is_void in todo[: self._max_actions]:
            try:
                self._settle(payment_id, is_void, result)
            except (ContractRevertedError, OutcomeUnknownError, TransactionRefusedError) as error:
                _log.warning("payment 0x%s stays open: %s", payment_id.hex(), error)
                result.failed[payment_id] = error
        return result

    def _settle(self, payment_id: bytes, is_void: bool, result: KeeperReport) -> None:
        payments, terms = self._client.payments, self._open[payment_id]
        status = payments.status(terms)
        if not status.held:
            self._settled_elsewhere(payment_id, result)
            return
        reference = f"keeper {payment_id.hex()[:16]}"
        try:
            if is_void:
                left = status.voided + status.held
                payments.void(status, left, reference=f"{reference} {left.amount_minor}"[:35])
                result.voided.append(payment_id)
            else:
                written = payments.reclaim(terms, reference=reference)
                if written.repeated:
                    self._settled_elsewhere(payment_id, result)
                    return
                result.reclaimed.append(payment_id)
        except ContractRevertedError:
            # Somebody may have been first between the look and the transaction.
            if payments.status(terms).held:
                raise
            self._settled_elsewhere(payment_id, result)
            return
        del self._open[payment_id]

    def _settled_elsewhere(self, payment_id: bytes, result: KeeperReport) -> None:
        result.settled_elsewhere.append(payment_id)
        del self._open[payment_id]

    def _given_up(self, due: set[bytes]) -> list[bytes]:
        abandoned = self._abandoned
        if abandoned is None:
            return []
        acquirer = self._client.participant
        mine = {
            id_: terms
            for id_, terms in self._open.items()
            if terms.acquirer == acquirer and id_ not in due
        }
        if callable(abandoned):
            return [id_ for id_, terms in mine.items() if abandoned(id_, terms)]
        return [id_ for id_ in mine if id_ in abandoned]

    def _catch_up(self) -> None:
        history = self._client.history()
        head = history.head()
        first = history.first_block
        if self._next_block is not None:
            first = max(first, min(self._next_block, head) - OVERLAP_BLOCKS)
        touched: set[bytes] = set()
        for event in history.events(first=first, last=head, topics=[_TOPICS], with_times=False):
            self._note(event, touched)
        self._forget_settled(touched)
        self._next_block = head + 1

    def _note(self, event: Event, touched: set[bytes]) -> None:
        if isinstance(event, PaymentAuthorized):
            self._open[event.id] = event.terms
        elif isinstance(event, (PaymentCaptured, PaymentVoided, PaymentReclaimed)):
            touched.add(event.id)

    def _forget_settled(self, touched: set[bytes]) -> None:
        """Drop what holds nothing any more; the contract says so, as totals alone do not."""
        ids = [id_ for id_ in touched if id_ in self._open]
        escrow = self._client.contract("PaymentEscrow")
        states = self._client.read_many([(escrow, "paymentOf", (id_,)) for id_ in ids])
        for id_, (_, captured, voided, *_rest) in zip(ids, states, strict=True):
            if captured + voided == self._open[id_].amount_minor:
                del self._open[id_]
