"""Keeps the index in step with the chain: catches up in bounded ranges, then follows live.

Each step is one transaction with the cursor in it, so it can be killed at any point and goes on
where it was. A step begins by asking whether the block it stopped in is still on the chain; if not,
the index goes back to the last block that is.
"""

from __future__ import annotations

import enum
import gc
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

import sqlalchemy as sa

from tael.errors import DeepReorgError, LedgerError, NodeUnavailableError, StoreError
from tael.index.accounts import Accounts
from tael.index.chain_reader import ChainReader
from tael.index.deployed import Cursor, read_cursor, set_up
from tael.index.fetching import KEPT_BLOCKS, Fetching
from tael.index.replay import Replay
from tael.index.rows import Header
from tael.index.undoing import undo
from tael.index.writing import put_accounts, put_cursor, put_rows
from tael.outbox.finality import Finality
from tael.store import is_duplicate
from tael.store.tables import blocks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from tael.client import Client
    from tael.index.additions import Rows
    from tael.store import Store

__all__ = ["Indexer", "Progress", "IndexerStep"]

MAX_FRUITLESS = 100
FRUITLESS_PAUSE_SECONDS = 0.05
_HEADERS_AT_ONCE = 64


class IndexerStep(enum.Enum):
    """What a step did."""

    ADVANCED = "advanced"
    CURRENT = "current"
    """There is nothing new."""
    REWOUND = "rewound"
    """The chain took blocks back, and so did the index."""
    REPEATED = "repeated"
    """Nothing came of it: the chain moved meanwhile, or the node wants to be asked for less."""
    BEHIND = "behind"
    """The node has not come as far as the index."""


class Progress(NamedTuple):
    """How far a step has come.

    Attributes:
        step: What it did.
        block: The number of the last block in the index; None before the first.
        head: The number of the chain's latest block.
        logs: How many logs were added.
        undone: How many transactions were taken back.
    """

    step: IndexerStep
    block: int | None
    head: int
    logs: int = 0
    undone: int = 0

    @property
    def lag(self) -> int:
        """How many blocks of the chain are not in the index yet."""
        return self.head - (-1 if self.block is None else self.block)


class _OvertakenError(Exception):
    """Another process was quicker: what was read and made since is worth nothing."""


class Indexer:
    """Writes the index of one deployment. Several may run on one database; they take turns.

    Args:
        store: The database.
        client: Of the deployment; it need not have a signer.
        finality: When a block cannot be taken back any more; None is what fits the chain.

    Raises:
        IndexStateError: There is an index already, of another version or of other contracts.
        NodeUnavailableError: The node did not answer properly.

    Example:
        >>> indexer = Indexer(store, client)  # doctest: +SKIP
        >>> indexer.catch_up().lag  # doctest: +SKIP
        0
    """

    def __init__(self, store: Store, client: Client, *, finality: Finality | None = None) -> None:
        self.store = store
        self.client = client
        self.finality = finality or Finality.of(client.chain)
        self.deployed = set_up(store, client)
        self._reader = ChainReader(
            client.chain, [each.address for each in self.deployed.contracts.values()]
        )
        self._first_block = client.manifest.first_block
        self._fetching = Fetching(self._reader)
        self._replay: Replay | None = None
        self._cursor: Cursor

    def catch_up(self, tell: Callable[[Progress], None] | None = None) -> Progress:
        """Take steps until there is nothing new.

        Args:
            tell: Called after each step.

        Returns:
            The last one's progress.

        Raises:
            DeepReorgError: The chain took back more than the index goes along with.
            LedgerError: The logs contradict each other.
            NodeUnavailableError: The node did not answer properly.
            StoreError: The database took nothing.
        """
        stopped = threading.Event()
        for progress in self._steps(stopped):
            if tell is not None:
                tell(progress)
            if progress.step in (IndexerStep.CURRENT, IndexerStep.BEHIND):
                return progress
        raise AssertionError("nobody stops it")

    def follow(
        self,
        stopped: threading.Event,
        *,
        poll_seconds: float = 1.0,
        tell: Callable[[Progress], None] | None = None,
    ) -> None:
        """Stay in step with the chain until told to stop.

        Args:
            stopped: Ends it, after the step at hand.
            poll_seconds: How long to wait when there is nothing new.
            tell: Called after each step.

        Raises:
            DeepReorgError, LedgerError, NodeUnavailableError, StoreError: As `catch_up`.
        """
        for progress in self._steps(stopped):
            if tell is not None:
                tell(progress)
            if progress.step in (IndexerStep.CURRENT, IndexerStep.BEHIND):
                stopped.wait(poll_seconds)

    def _steps(self, stopped: threading.Event) -> Iterator[Progress]:
        fruitless = 0
        while not stopped.is_set():
            progress = self.step()
            fruitless = fruitless + 1 if progress.step is IndexerStep.REPEATED else 0
            if fruitless == MAX_FRUITLESS:
                raise NodeUnavailableError(
                    f"the chain moved {fruitless} times while blocks after {progress.block} were "
                    "read, or its nodes contradict each other; try again later"
                )
            yield progress
            if fruitless:
                stopped.wait(FRUITLESS_PAUSE_SECONDS)

    def step(self) -> Progress:
        """Do the next bit of work; see `catch_up` for what it raises."""
        head = self._reader.head()
        replay, cursor = self._load()
        before = cursor.block
        if before is not None and not self._stands(before, head):
            return self._rewind(cursor, head)
        number = None if before is None else before.number
        if number is not None and head.number < number:
            return Progress(IndexerStep.BEHIND, number, head.number)
        first = self._first_block if number is None else number + 1
        if first > head.number:
            self._note_finality(cursor)
            return Progress(IndexerStep.CURRENT, number, head.number)
        try:
            with _collector_paused():
                return self._advance(replay, first, head)
        except _OvertakenError:
            self._replay = None
            return Progress(IndexerStep.ADVANCED, self._number(self._cursor), head.number)
        except BaseException:
            # Half of a step may be in the accounts.
            self._replay = None
            raise

    def _load(self) -> tuple[Replay, Cursor]:
        if self._replay is None:
            deployed = self.deployed
            with self.store.read() as connection:
                cursor = read_cursor(connection, deployed.id)
                accounts = Accounts.load(connection, deployed)
            self._cursor = cursor
            self._replay = Replay(
                deployed, accounts, next_block=cursor.next_block, next_receipt=cursor.next_receipt
            )
        return self._replay, self._cursor

    # Reorganisations

    def _stands(self, block: Header, head: Header) -> bool:
        """Whether a block of the index is still on the chain, as far as its node can tell."""
        if head.number < block.number:
            with self.store.read() as connection:
                stored = self._stored(connection, head.number, head.number)
            return not stored or stored[0].hash == head.hash
        found = head if head.number == block.number else self._reader.header(block.number)
        return found is not None and found.hash == block.hash

    def _rewind(self, cursor: Cursor, head: Header) -> Progress:
        self._replay = None
        with self.store.read() as connection:
            ancestor = self._find_ancestor(connection, cursor, head)
        with self.store.write() as connection:
            if not self._is_mine(connection, cursor):
                return Progress(IndexerStep.REPEATED, self._number(cursor), head.number)
            undone = undo(connection, self.deployed, cursor, ancestor)
        number = None if ancestor is None else ancestor.number
        return Progress(IndexerStep.REWOUND, number, head.number, undone=undone)

    def _find_ancestor(
        self, connection: sa.Connection, cursor: Cursor, head: Header
    ) -> Header | None:
        last = self._number(cursor) or 0
        oldest = max(self._first_block, last - KEPT_BLOCKS)
        stored = self._stored(connection, oldest, min(last, head.number))
        for start in range(0, len(stored), _HEADERS_AT_ONCE):
            part = stored[start : start + _HEADERS_AT_ONCE]
            found = self._reader.headers([each.number for each in part])
            for each in part:
                if each.number in found and found[each.number].hash == each.hash:
                    self._require_not_final(cursor, each.number)
                    return each
        if oldest > self._first_block:
            raise DeepReorgError(
                f"none of the last {KEPT_BLOCKS} blocks of the index, up to {last}, is on the "
                "chain any more. Find out what happened to the chain; if this is the right one, "
                "run `tael index rebuild`."
            )
        self._require_not_final(cursor, -1)
        return None

    def _require_not_final(self, cursor: Cursor, ancestor: int) -> None:
        # A development chain is set back on purpose.
        if self.finality.kind != "simulated" and ancestor < cursor.final_number:
            raise DeepReorgError(
                f"the chain took back blocks from {ancestor + 1} on, and {cursor.final_number} was "
                "final. Find out what happened to the chain; if this is the right one, run "
                "`tael index rebuild`."
            )

    def _stored(self, connection: sa.Connection, first: int, last: int) -> list[Header]:
        """Blocks of the index, the last one first."""
        rows = connection.execute(
            sa.select(blocks)
            .where(
                blocks.c.deployment == self.deployed.id,
                blocks.c.number.between(first, last),
                ~blocks.c.is_orphan,
            )
            .order_by(blocks.c.number.desc())
        )
        return [Header(row.number, row.hash, row.parent, row.time) for row in rows]

    # Going on

    def _advance(self, replay: Replay, first: int, head: Header) -> Progress:
        logs = 0
        pieces = self._fetching.next(first, head.number, self._cursor.block)
        final_number = self.finality.final_number(self.client.chain) if pieces else -1
        for piece in pieces:
            rows = replay.take(piece.logs, piece.positions, piece.headers, self._fetch)
            self._commit(rows, piece.last, final_number)
            logs += len(piece.logs)
        step = IndexerStep.ADVANCED if pieces else IndexerStep.REPEATED
        return Progress(step, self._number(self._cursor), head.number, logs)

    def _fetch(self, ids: Iterable[bytes]) -> None:
        wanted = list(ids)
        if wanted and self._replay is not None:
            with self.store.read() as connection:
                self._replay.accounts.fetch(connection, wanted)
                # Asked behind it: what another process has written since would be counted twice.
                if not self._is_mine(connection, self._cursor, lock=False):
                    raise _OvertakenError

    def _commit(self, rows: Rows, last: Header, final_number: int) -> None:
        try:
            self._write(rows, last, final_number, wide=False)
        except OverflowError:
            self._write(rows, last, final_number, wide=True)
        except StoreError as error:
            if not is_duplicate(error):
                raise
            raise LedgerError(
                "A payment is opened twice, or the index is damaged; run `tael index rebuild`."
            ) from error

    def _write(self, rows: Rows, last: Header, final_number: int, *, wide: bool) -> None:
        replay, before = self._load()
        cursor = Cursor(
            last._replace(parent=None),
            max(before.final_number, min(final_number, last.number)),
            replay.next_block,
            replay.next_receipt,
        )
        with self.store.write() as connection:
            if not self._is_mine(connection, before):
                raise _OvertakenError
            put_rows(connection, self.deployed.id, rows, wide=wide)
            changed = put_accounts(connection, replay.accounts)
            put_cursor(
                connection,
                self.deployed.id,
                self._number(before),
                cursor.block,
                final_number=cursor.final_number,
                next_block=cursor.next_block,
                next_receipt=cursor.next_receipt,
            )
        for account in changed:
            account.is_changed = False
        replay.accounts.forget_old_payments()
        self._cursor = cursor

    def _note_finality(self, cursor: Cursor) -> None:
        final_number = self.finality.final_number(self.client.chain)
        number = self._number(cursor)
        if number is None or min(final_number, number) <= cursor.final_number:
            return
        cursor = cursor._replace(final_number=min(final_number, number))
        with self.store.write() as connection:
            if self._is_mine(connection, cursor):
                put_cursor(
                    connection,
                    self.deployed.id,
                    None,
                    cursor.block,
                    final_number=cursor.final_number,
                    next_block=cursor.next_block,
                    next_receipt=cursor.next_receipt,
                )
                self._cursor = cursor

    def _is_mine(self, connection: sa.Connection, cursor: Cursor, *, lock: bool = True) -> bool:
        """Lock the deployment, and see whether the cursor is where this process left it."""
        found = read_cursor(connection, self.deployed.id, lock=lock)
        return (found.block, found.next_receipt) == (cursor.block, cursor.next_receipt)

    @staticmethod
    def _number(cursor: Cursor) -> int | None:
        return None if cursor.block is None else cursor.block.number


@contextmanager
def _collector_paused() -> Iterator[None]:
    # Thousands of values are made and kept here, and none of them refers back to another: looking
    # for cycles among them takes a third of the time.
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
