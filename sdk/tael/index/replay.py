"""Logs into rows: whole blocks as a node answers them, applied and in the tables' shape."""

from __future__ import annotations

import struct
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from tael.errors import NodeUnavailableError
from tael.index.additions import Rows
from tael.index.entries import Entries
from tael.index.log_columns import LogColumns
from tael.index.logs import head
from tael.index.payment_events import LATER, OPENING, PaymentEvents
from tael.index.rows import Header

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from tael.index.accounts import Accounts
    from tael.index.log_columns import LogColumn
    from tael.index.rows import Deployed

__all__ = ["Replay", "block_of", "header_of", "in_order"]

_LOG_INDEX_BITS = 32
_LOG_INDEX_MASK = 2**_LOG_INDEX_BITS - 1
_RECEIPTS = 7
"""Which value of a block's row counts its receipts."""


def in_order(logs: Sequence[Mapping[str, Any]]) -> tuple[Sequence[Mapping[str, Any]], list[int]]:
    """Logs in the order of the chain, each once, and the position of each.

    Nodes give them in order; one that does not, or gives some twice, is put right.

    Raises:
        NodeUnavailableError: It contradicts itself, or says that logs were removed meanwhile.
    """
    try:
        if any(log.get("removed") for log in logs):
            raise NodeUnavailableError("the node took logs back while they were read; read again")
        positions = [
            (int(log["blockNumber"], 16) << _LOG_INDEX_BITS) | int(log["logIndex"], 16)
            for log in logs
        ]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise NodeUnavailableError(
            "the node gives logs without valid places; read them again"
        ) from error
    if all(earlier < later for earlier, later in pairwise(positions)):
        return logs, positions
    unique: dict[int, Mapping[str, Any]] = {}
    for position, log in sorted(zip(positions, logs, strict=True), key=lambda each: each[0]):
        if unique.setdefault(position, log) != log:
            raise NodeUnavailableError(
                f"the node gives two logs for one place of block {block_of(position)}; try again"
            )
    return list(unique.values()), list(unique)


def block_of(position: int) -> int:
    """The number of the block a position is in."""
    return position >> _LOG_INDEX_BITS


def header_of(log: Mapping[str, Any]) -> Header:
    """What a log tells of its block."""
    return Header(
        int(log["blockNumber"], 16),
        bytes.fromhex(log["blockHash"][2:]),
        None,
        int(log["blockTimestamp"], 16),
    )


class Replay:
    """Applies logs, run by run, and gives the rows each run makes.

    Args:
        deployed: What the logs are of.
        accounts: As they stand before the first log. After an error they are worth nothing.
        next_block: The key of the next block.
        next_receipt: The key of the next receipt.
    """

    def __init__(
        self, deployed: Deployed, accounts: Accounts, *, next_block: int, next_receipt: int
    ) -> None:
        self.deployed = deployed
        self.accounts = accounts
        self.next_block = next_block
        self.next_receipt = next_receipt

    def take(
        self,
        logs: Sequence[Mapping[str, Any]],
        positions: Sequence[int],
        headers: Mapping[int, Header],
        fetch: Callable[[Iterable[bytes]], None],
    ) -> Rows:
        """Apply the logs of whole blocks.

        Args:
            logs: As a node answers, in order, of this deployment's contracts.
            positions: Of each, as `in_order` gives them.
            headers: Of blocks, by number; each gets a row. One may miss where the logs themselves
                tell the block's time.
            fetch: Brings payments into memory, by id.

        Returns:
            The rows these logs make.

        Raises:
            LedgerError: They contradict each other or the accounts, or an event is not known.
            NodeUnavailableError: They are not valid logs of this deployment and these blocks.
        """
        rows = Rows()
        rows.logs = len(logs)
        try:
            entries = Entries(self.deployed, self.accounts, rows)
            columns = LogColumns(self.deployed.contracts.values(), entries)
            order = columns.sort(logs)
            later = {values[1] for values in columns.values_of(PaymentEvents, LATER)}
            opened = {values[1] for values in columns.values_of(PaymentEvents, OPENING)}
            fetch(later - opened - self.accounts.payments.keys())
            self._apply(logs, positions, order, headers, entries)
        except (KeyError, IndexError, TypeError, ValueError, struct.error) as error:
            raise NodeUnavailableError(
                f"the node gives logs that are not valid logs of this deployment: {error!r}"
            ) from error
        return rows

    def _apply(
        self,
        logs: Sequence[Mapping[str, Any]],
        positions: Sequence[int],
        order: Sequence[LogColumn],
        headers: Mapping[int, Header],
        entries: Entries,
    ) -> None:
        rows = entries.rows
        blocks, waiting = rows.blocks, sorted(headers, reverse=True)
        block_hash = transaction = ""
        pieces: list[bytes] = []
        for log, position, column in zip(logs, positions, order, strict=True):
            if log["blockHash"] != block_hash:
                block_hash, transaction = log["blockHash"], ""
                self._begin_block(log, headers, waiting, blocks)
            if log["transactionHash"] != transaction:
                entries.require_settled()
                transaction = log["transactionHash"]
                pieces = self._begin_receipt(transaction, rows, entries)
            entries.log_index = log_index = position & _LOG_INDEX_MASK
            handle = column.handle
            # What stands for the rest of a payment's opening; nobody asks its column for it.
            kept = None if handle is None else handle(column.next_values())
            rest = kept or column.next_rest()
            pieces.append(head(log_index, column.contract, column.prefix, len(rest)))
            pieces.append(rest)
        entries.require_settled()
        while waiting:
            self._put_block(headers[waiting.pop()], blocks)

    def _begin_receipt(self, transaction: str, rows: Rows, entries: Entries) -> list[bytes]:
        pieces: list[bytes] = []
        entries.receipt = receipt = self.next_receipt
        entries.transaction_hash = hash_ = bytes.fromhex(transaction[2:])
        self.next_receipt = receipt + 1
        rows.blocks[-1][_RECEIPTS] += 1
        rows.receipts.append((self.deployed.id, receipt, self.next_block - 1, hash_, pieces))
        return pieces

    def _begin_block(
        self,
        log: Mapping[str, Any],
        headers: Mapping[int, Header],
        waiting: list[int],
        blocks: list[list[Any]],
    ) -> None:
        number, hash_ = int(log["blockNumber"], 16), bytes.fromhex(log["blockHash"][2:])
        while waiting and waiting[-1] < number:
            self._put_block(headers[waiting.pop()], blocks)
        header = headers.get(number)
        if header is not None:
            waiting.pop()
        else:
            header = header_of(log)
        if header.hash != hash_:
            raise NodeUnavailableError(
                f"the chain moved while block {number} was read; read it again"
            )
        self._put_block(header, blocks)

    def _put_block(self, header: Header, blocks: list[list[Any]]) -> None:
        blocks.append([self.deployed.id, self.next_block, *header, self.next_receipt, 0, 0])
        self.next_block += 1
