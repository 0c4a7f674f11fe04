"""A participant's statement: what it had, what moved, what it has; every line proves itself."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from tael.addresses import require_address
from tael.errors import InvalidInputError, LedgerError
from tael.index.deployed import read_cursor
from tael.index.kinds import Standing
from tael.money import Currency
from tael.reporting.references import References
from tael.store.tables import blocks, movements, receipts

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tael.index.models import Movement
    from tael.index.reading import Index

__all__ = ["Holding", "Statement", "StatementLine", "statement"]

_PAGE = 2_000


@dataclass(frozen=True, slots=True)
class Holding:
    """What a participant has at one moment, minor units."""

    available_minor: int
    held_minor: int

    @property
    def balance_minor(self) -> int:
        """Available and held together."""
        return self.available_minor + self.held_minor


@dataclass(frozen=True, slots=True)
class StatementLine:
    """One movement, with the participant's own reference for it; empty if it is not known."""

    movement: Movement
    reference: str


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement of one account over one period.

    Args:
        participant: Whose, checksummed.
        currency: In which.
        since: Unix seconds by the chain's clock; None is from the first block on.
        before: Unix seconds, exclusive; None is up to the last block indexed.
        opening: At the beginning of the period.
        closing: At its end.
        movements: How many lines there are.
        block_number: The last block indexed when it was made.
        block_hash: Of that block, 0x and 64 digits.
        block_time: Of that block, Unix seconds.
        is_complete: Whether the chain's clock has passed the end of the period.
        is_final: Whether no line of it can be taken back any more.
        lines: The movements, in the order of the chain; read once, while the statement is open.
        names: What to call participants, by address.
    """

    participant: str
    currency: Currency
    since: int | None
    before: int | None
    opening: Holding
    closing: Holding
    movements: int
    block_number: int
    block_hash: str
    block_time: int
    is_complete: bool
    is_final: bool
    lines: Iterator[StatementLine]
    names: Mapping[str, str]

    def name_of(self, address: str | None) -> str:
        """What a participant is called; empty if nobody said."""
        return "" if address is None else self.names.get(address, "")

    def amount(self, amount_minor: int) -> str:
        """A signed amount in major units, as in `-12.34`."""
        # `Money` is never negative, and checks what was checked when it was booked.
        sign, exponent = "-" if amount_minor < 0 else "", self.currency.exponent
        digits = str(abs(amount_minor)).rjust(exponent + 1, "0")
        return f"{sign}{digits[:-exponent]}.{digits[-exponent:]}" if exponent else sign + digits


@contextmanager
def statement(
    index: Index,
    participant: str,
    currency: str | Currency,
    *,
    since: int | None = None,
    before: int | None = None,
    names: Mapping[str, str] | None = None,
) -> Iterator[Statement]:
    """Make a statement. The index stands still for it until the block ends.

    Args:
        index: Where the movements are.
        participant: Whose.
        currency: In which.
        since: Unix seconds by the chain's clock; None is from the first block on.
        before: Unix seconds, exclusive; None is up to the last block indexed.
        names: What to call participants, by checksummed address; the chain knows no names.

    Yields:
        The statement; its lines are read as they are asked for, so it may be of any length.

    Raises:
        InvalidInputError: The period ends before it begins.
        AddressError: That is no participant's address, or a name is given to something else.
        CurrencyUnknownError: The deployment has no such currency.
        LedgerError: The lines do not lead from the opening balance to the closing one; raised
            where the last line was read.

    Example:
        >>> with statement(index, bank, "CNY") as made:  # doctest: +SKIP
        ...     for line in made.lines:
        ...         print(line.reference, line.movement.change_minor)
    """
    if since is not None and before is not None and before < since:
        raise InvalidInputError("the period ends before it begins; swap its ends")
    named = {
        require_address(address, name="a named participant"): name
        for address, name in (names or {}).items()
    }
    with index.snapshot() as connection:
        account = index.account_row(connection, participant, currency)
        cursor = read_cursor(connection, index.deployed.id)
        if cursor.block is None:
            raise InvalidInputError("nothing is indexed yet: run `tael index run`")
        first = 0 if since is None else index.first_receipt(connection, since)
        end = cursor.next_receipt if before is None else index.first_receipt(connection, before)
        opening, lines_before = _holding(index, connection, account, first)
        closing, lines_until = _holding(index, connection, account, end)
        yield Statement(
            participant=participant,
            currency=Currency.of(currency),
            since=since,
            before=before,
            opening=opening,
            closing=closing,
            movements=lines_until - lines_before,
            block_number=cursor.block.number,
            block_hash="0x" + cursor.block.hash.hex(),
            block_time=cursor.block.time,
            is_complete=before is not None and cursor.block.time >= before,
            is_final=_last_block(index, connection, end) <= cursor.final_number,
            lines=_proven(
                _lines(
                    References(index.manifest, participant),
                    index.movements(
                        participant, currency, since=since, before=before, connection=connection
                    ),
                    connection,
                ),
                opening,
                closing,
            ),
            names=named,
        )


def _holding(
    index: Index, connection: sa.Connection, account: Any, end: int
) -> tuple[Holding, int]:
    """What an account has before a receipt, and how many movements it had."""
    if account is None:
        return Holding(0, 0), 0
    last = connection.execute(
        sa.select(movements.c.available, movements.c.held, movements.c.number)
        .where(
            movements.c.deployment == index.deployed.id,
            movements.c.account == account.account,
            movements.c.receipt < end,
        )
        .order_by(movements.c.receipt.desc(), movements.c.number.desc())
        .limit(1)
    ).first()
    return (Holding(0, 0), 0) if last is None else (Holding(last[0], last[1]), last[2])


def _last_block(index: Index, connection: sa.Connection, end: int) -> int:
    """The number of the block with the last transaction before a receipt; -1 if there is none."""
    found = connection.execute(
        sa.select(blocks.c.number)
        .join(
            receipts,
            sa.and_(receipts.c.deployment == blocks.c.deployment, receipts.c.block == blocks.c.id),
        )
        .where(
            receipts.c.deployment == index.deployed.id,
            receipts.c.id < end,
            receipts.c.standing == Standing.STANDS,
        )
        .order_by(receipts.c.id.desc())
        .limit(1)
    ).scalar()
    return -1 if found is None else int(found)


def _lines(
    references: References, moved: Iterator[Movement], connection: sa.Connection
) -> Iterator[StatementLine]:
    while page := list(islice(moved, _PAGE)):
        keys = {
            each.number: (each.payment_id or each.subject or b"", each.transaction_hash)
            for each in page
        }
        found = references.find(connection, {key for key in keys.values() if key[0]})
        for each in page:
            yield StatementLine(each, found.get(keys[each.number], ""))


def _proven(
    lines: Iterator[StatementLine], opening: Holding, closing: Holding
) -> Iterator[StatementLine]:
    """The lines, added up on the way."""
    available, held = opening.available_minor, opening.held_minor
    for line in lines:
        moved = line.movement
        available += moved.available_change_minor
        held += moved.held_change_minor
        if (available, held) != (moved.available_minor, moved.held_minor):
            raise LedgerError(
                f"movement {moved.number} does not lead from the balance before it to the one "
                "after it: the index is damaged, run `tael index rebuild`"
            )
        yield line
    if Holding(available, held) != closing:
        raise LedgerError(
            "the movements do not lead from the opening balance to the closing one: the index is "
            "damaged, run `tael index rebuild`"
        )
