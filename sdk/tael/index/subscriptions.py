"""Events for whoever has to act on them: in order, at least once, with a cursor that lasts.

A subscription reads either everything as soon as it is in a block, and is told when the chain takes
something back; or only what cannot be taken back any more.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import sqlalchemy as sa

from tael import events as ev
from tael.errors import InvalidInputError, SubscriptionLostError, UnknownEventError
from tael.events.declaring import found_by_prefix
from tael.index.deployed import read_cursor
from tael.index.logs import unpack
from tael.index.movement_kinds import ReceiptStatus
from tael.index.opening_logs import opening_logs
from tael.store.tables import blocks, receipts, subscriptions

if TYPE_CHECKING:
    import threading
    from collections.abc import Collection, Iterator, Sequence

    from tael.index.reading import Index

__all__ = ["Delivery", "Subscription"]

PAGE_RECEIPTS = 100
"""How many transactions are read at once."""
ACKNOWLEDGED_AT_ONCE = 100

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}", re.ASCII)
_NO_HASH = bytes(32)
_LAST_LOG = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Delivery:
    """An event, or the notice that the chain took one back.

    Args:
        event: What happened; `event.at` says where, with the block's time.
        is_removed: Whether it is this event that was taken back: undo what followed from it.
        place: Where the subscription is once this is acknowledged.
    """

    event: ev.Event
    is_removed: bool
    place: Place


class Place(NamedTuple):
    """Where a reader of events is."""

    receipt: int
    log_index: int
    status: int
    block_number: int
    block_hash: bytes


class Subscription:
    """Reads the events of a deployment from where it stopped.

    What is delivered and not acknowledged is delivered again after a restart. One process reads
    under a name at a time: two would each get everything.

    Args:
        index: What to read.
        name: Of the cursor: 1 to 64 of a-z, 0-9, dot, hyphen and underscore. It is made when it is
            first used.
        final_only: Whether to leave out what can still be taken back. It belongs to the name.
        begin_block: Where a new subscription begins; None is the first block. It changes nothing
            for one that exists.
        kinds: Classes of `tael.events`; None is all.

    Raises:
        InvalidInputError: Another name is needed, or the name reads the other way.

    Example:
        >>> for delivery in Subscription(index, "core-banking").follow(stopped):  # doctest: +SKIP
        ...     book(delivery.event, delivery.is_removed)
    """

    def __init__(
        self,
        index: Index,
        name: str,
        *,
        final_only: bool = False,
        begin_block: int | None = None,
        kinds: Collection[type[ev.Event]] | None = None,
    ) -> None:
        if not _NAME.fullmatch(name):
            raise InvalidInputError(
                "a subscription's name has 1 to 64 of a-z, 0-9, dot, hyphen and underscore, and "
                "begins with a letter or digit"
            )
        self.index = index
        self.name = name
        self.final_only = final_only
        self._kinds = None if kinds is None else frozenset(kinds)
        self._mine = (
            subscriptions.c.deployment == index.deployed.id,
            subscriptions.c.name == name,
        )
        self._place = self._open(begin_block)

    def read(self) -> list[Delivery]:
        """What comes next; nothing if there is nothing new.

        Calling it again goes on from there, acknowledged or not; a restart does not.

        Raises:
            SubscriptionLostError: The place it stopped at is gone, after the index was rebuilt.
            StoreError: The database did not answer.
        """
        while True:
            with self.index.snapshot() as connection:
                cursor = read_cursor(connection, self.index.deployed.id)
                place = self._locate(connection, self._place)
                if place is None:
                    return []
                rows = self._rows(connection, place, cursor.final_number)
                rests = opening_logs(connection, self.index.deployed, _numbers(rows))
            found = [
                delivery
                for row in rows
                for delivery in self._deliveries(row, rests)
                if (delivery.place.receipt, delivery.place.log_index) > place[:2]
            ]
            if rows:
                last = rows[-1]
                *_, log = unpack(last.logs)
                self._place = Place(last.id, log.log_index, last.status, last.number, last.hash)
            wanted = [each for each in found if self._is_wanted(each)]
            if wanted or len(rows) < PAGE_RECEIPTS:
                return wanted

    def acknowledge(self, delivery: Delivery) -> None:
        """Never deliver this again, nor anything before it.

        Raises:
            StoreError: The database took nothing; it may be delivered again.
        """
        self._save(delivery.place)

    def follow(
        self,
        stopped: threading.Event | None = None,
        *,
        poll_seconds: float = 1.0,
        acknowledged_at_once: int = ACKNOWLEDGED_AT_ONCE,
    ) -> Iterator[Delivery]:
        """Deliver events as they come, and acknowledge each when the next one is asked for.

        Args:
            stopped: Ends it once everything is delivered that was there; None ends when there is
                nothing new.
            poll_seconds: How long to wait when there is nothing new.
            acknowledged_at_once: After how many the cursor is written; so many may come again
                after a crash.

        Yields:
            The events, in order.
        """
        handled: Delivery | None = None
        waiting = 0
        try:
            while True:
                found = self.read()
                for delivery in found:
                    yield delivery
                    handled, waiting = delivery, waiting + 1
                    if waiting >= acknowledged_at_once:
                        self.acknowledge(handled)
                        handled, waiting = None, 0
                if handled is not None:
                    self.acknowledge(handled)
                    handled, waiting = None, 0
                if found:
                    continue
                if stopped is None or stopped.wait(poll_seconds):
                    return
        finally:
            if handled is not None:
                self.acknowledge(handled)

    def restart(self, begin_block: int) -> None:
        """Begin again with the events of a block, whatever was acknowledged."""
        self._place = _before(begin_block)
        self._save(self._place)

    def forget(self) -> None:
        """Remove the cursor; the same name begins anew."""
        with self.index.store.write() as connection:
            connection.execute(sa.delete(subscriptions).where(*self._mine))

    # Internals

    def _open(self, begin_block: int | None) -> Place:
        with self.index.store.read() as connection:
            row = connection.execute(sa.select(subscriptions).where(*self._mine)).first()
        if row is None:
            place = _before(0 if begin_block is None else begin_block)
            self._save(place)
            return place
        if bool(row.final_only) != self.final_only:
            raise InvalidInputError(
                f"subscription {self.name} reads "
                f"{'only what is final' if row.final_only else 'everything, and what is undone'}; "
                "use another name to read otherwise"
            )
        return Place(row.receipt, row.log_index, row.status, row.block_number, row.block_hash)

    def _save(self, place: Place) -> None:
        store = self.index.store
        values = {**place._asdict(), "final_only": self.final_only}
        with store.write() as connection:
            connection.execute(
                store.insert(subscriptions)
                .values(deployment=self.index.deployed.id, name=self.name, **values)
                .on_conflict_do_update(index_elements=["deployment", "name"], set_=values)
            )

    def _locate(self, connection: sa.Connection, place: Place) -> Place | None:
        """The same place in the index as it is now; None if it has not come that far."""
        mine = self.index.deployed.id
        if place.block_hash == _NO_HASH:
            first = connection.execute(
                sa.select(sa.func.min(blocks.c.first_receipt)).where(
                    blocks.c.deployment == mine, blocks.c.number > place.block_number
                )
            ).scalar()
            return None if first is None else place._replace(receipt=first - 1)
        at = connection.execute(
            sa.select(receipts.c.status, blocks.c.hash)
            .join(
                blocks,
                sa.and_(
                    blocks.c.deployment == receipts.c.deployment, blocks.c.id == receipts.c.block
                ),
            )
            .where(receipts.c.deployment == mine, receipts.c.id == place.receipt)
        ).first()
        if at is not None and at.hash == place.block_hash and _fits(at.status, place.status):
            return place
        return self._find_again(connection, place)

    def _find_again(self, connection: sa.Connection, place: Place) -> Place | None:
        """The place after a rebuild, which gives other keys to the same transactions."""
        mine = self.index.deployed.id
        block = connection.execute(
            sa.select(blocks.c.id).where(
                blocks.c.deployment == mine,
                blocks.c.number == place.block_number,
                blocks.c.hash == place.block_hash,
                ~blocks.c.is_orphan,
            )
        ).scalar()
        if block is not None and place.status == ReceiptStatus.STANDS:
            rows = connection.execute(
                sa.select(receipts.c.id, receipts.c.logs)
                .where(receipts.c.deployment == mine, receipts.c.block == block)
                .order_by(receipts.c.id)
            )
            for row in rows:
                if any(log.log_index == place.log_index for log in unpack(row.logs)):
                    self._place = place._replace(receipt=row.id)
                    return self._place
        cursor = read_cursor(connection, mine)
        if cursor.block is None or cursor.block.number < place.block_number:
            return None
        raise SubscriptionLostError(
            f"subscription {self.name} stopped in block {place.block_number} "
            f"(0x{place.block_hash.hex()}), which is not on the chain any more, and the index was "
            "rebuilt since: compare what you did after that block, then restart from a block "
            "before it"
        )

    def _rows(self, connection: sa.Connection, place: Place, final_number: int) -> Sequence[Any]:
        query = (
            sa.select(receipts, blocks.c.number, blocks.c.hash, blocks.c.time)
            .join(
                blocks,
                sa.and_(
                    blocks.c.deployment == receipts.c.deployment, blocks.c.id == receipts.c.block
                ),
            )
            .where(
                receipts.c.deployment == self.index.deployed.id,
                receipts.c.id >= place.receipt,
            )
            .order_by(receipts.c.id)
            .limit(PAGE_RECEIPTS)
        )
        if self.final_only:
            query = query.where(
                receipts.c.status == ReceiptStatus.STANDS, blocks.c.number <= final_number
            )
        return connection.execute(query).all()

    def _deliveries(self, row: Any, rests: dict[int, bytes]) -> Iterator[Delivery]:
        contracts = self.index.deployed.contracts
        for log in unpack(row.logs):
            found, address = found_by_prefix(log.prefix), contracts[log.contract].address
            if found is None:
                raise UnknownEventError.of(
                    {"address": address, "topics": [f"0x{log.prefix:08x}"]}, row.number
                )
            indexed = found.topics - 1
            rest = log.rest if log.payment is None else rests[log.payment]
            topics = [rest[at : at + 32] for at in range(0, 32 * indexed, 32)]
            event = ev.decode_own(
                {
                    "address": address,
                    "topics": [bytes.fromhex(found.topic), *topics],
                    "data": rest[32 * indexed :],
                    "blockNumber": row.number,
                    "blockHash": row.hash,
                    "transactionHash": row.transaction_hash,
                    "logIndex": log.log_index,
                    "blockTimestamp": row.time,
                }
            )
            place = Place(row.id, log.log_index, row.status, row.number, row.hash)
            yield Delivery(event, row.status == ReceiptStatus.NOTICE, place)

    def _is_wanted(self, delivery: Delivery) -> bool:
        return self._kinds is None or isinstance(delivery.event, tuple(self._kinds))


def _before(block: int) -> Place:
    """The place before everything in a block."""
    return Place(0, _LAST_LOG, ReceiptStatus.STANDS, block - 1, _NO_HASH)


def _fits(status: int, remembered: int) -> bool:
    """Whether a receipt that stood, and may be undone since, is the one remembered."""
    return (status == ReceiptStatus.NOTICE) == (remembered == ReceiptStatus.NOTICE)


def _numbers(rows: Sequence[Any]) -> list[int]:
    return [log.payment for row in rows for log in unpack(row.logs) if log.payment is not None]
