"""What became of writes and of what was signed for them, within a transaction."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from tael.journal.records import Fate, Outcome, WriteState
from tael.journal.rows import now_ms
from tael.store.tables import transactions, writes

FoundFate = tuple[int, Fate, int | None, str | None]
"""Row of a transaction, its fate, and number and hash of the block it is in."""


def put_outcomes(connection: sa.Connection, outcomes: Sequence[Outcome]) -> None:
    """Write down what became of writes."""
    now = now_ms()
    fields = (
        "state",
        "transaction_hash",
        "block_number",
        "block_hash",
        "log_index",
        "gas_used",
        "repeated",
        "refusal",
    )
    update = (
        sa.update(writes)
        .where(writes.c.id == sa.bindparam("row"), writes.c.state < WriteState.FINAL)
        .values({name: sa.bindparam(f"new_{name}") for name in fields} | {"changed_ms": now})
    )
    # After a reorganisation an attempt that had been refused may come first and take effect, and
    # the one that had worked be refused: a refusal never covers the effect of another transaction.
    covering = update.where(
        sa.or_(
            writes.c.state < WriteState.INCLUDED,
            writes.c.transaction_hash.is_(None),
            writes.c.transaction_hash == sa.bindparam("new_transaction_hash"),
        )
    )
    for statement, is_refusal in ((update, False), (covering, True)):
        rows = [
            {"row": each.write} | {f"new_{name}": getattr(each, name) for name in fields}
            for each in outcomes
            if (each.state is WriteState.REFUSED) is is_refusal
        ]
        if rows:
            connection.execute(statement, rows)


def move(
    connection: sa.Connection,
    write: int,
    old: WriteState,
    new: WriteState,
    *,
    by: str | None = None,
) -> bool:
    """Move a write, and what travels in it, from one state to another.

    Args:
        connection: In whose transaction.
        write: Its row.
        old: What is in another state stays there.
        new: Where to.
        by: Only what this transaction, a hash, brought there.

    Returns:
        Whether anything was moved.
    """
    update = sa.update(writes).where(
        sa.or_(writes.c.id == write, writes.c.carrier == write), writes.c.state == old
    )
    if by is not None:
        update = update.where(writes.c.transaction_hash == by)
    return bool(connection.execute(update.values(state=new, changed_ms=now_ms())).rowcount)


def put_fates(connection: sa.Connection, fates: Sequence[FoundFate]) -> None:
    """Write down what became of transactions; what is final already stays so."""
    if not fates:
        return
    connection.execute(
        sa.update(transactions)
        .where(
            transactions.c.id == sa.bindparam("row"),
            sa.or_(
                transactions.c.state < Fate.FINAL,
                sa.and_(
                    transactions.c.state == Fate.DEAD,
                    sa.bindparam("fate", type_=sa.SmallInteger) != Fate.OPEN,
                ),
            ),
        )
        .values(
            state=sa.bindparam("fate"),
            block_number=sa.bindparam("number"),
            block_hash=sa.bindparam("block"),
        ),
        [
            {"row": row, "fate": fate, "number": number, "block": block}
            for row, fate, number, block in fates
        ],
    )


def finalize(connection: sa.Connection, row: int) -> bool:
    """Mark a transaction as final, and with it what it did; its rivals are dead.

    Returns:
        Whether its write took effect in it just now.
    """
    changed = connection.execute(
        sa.update(transactions)
        .where(transactions.c.id == row, transactions.c.state == Fate.INCLUDED)
        .values(state=Fate.FINAL)
        .returning(
            transactions.c.key, transactions.c.nonce, transactions.c.write, transactions.c.hash
        )
    ).first()
    if changed is None:
        return False
    key, nonce, write, hash_ = changed
    kill(connection, key, nonce)
    # An earlier attempt that was refused is final before the one that took effect.
    return write is not None and move(
        connection, write, WriteState.INCLUDED, WriteState.FINAL, by=hash_
    )


def reopen(connection: sa.Connection, row: int, undone: Sequence[Fate]) -> bool:
    """The block of a transaction is gone: its fate is open again, and that of what it did.

    Args:
        connection: In whose transaction.
        row: The transaction.
        undone: Which fates can be undone.

    Returns:
        Whether it is open now.
    """
    changed = connection.execute(
        sa.update(transactions)
        .where(transactions.c.id == row, transactions.c.state.in_(undone))
        .values(state=Fate.OPEN, block_number=None, block_hash=None)
        .returning(transactions.c.write, transactions.c.hash)
    ).first()
    if changed is None:
        return False
    write, hash_ = changed
    if write is not None:
        # What another attempt brought about is not undone with this one.
        for state in (WriteState.INCLUDED, WriteState.FINAL, WriteState.REFUSED):
            move(connection, write, state, WriteState.SIGNED, by=hash_)
    return True


def kill(connection: sa.Connection, key: int, nonce: int) -> set[int]:
    """Mark what is open for a nonce as dead; returns the writes it was signed for."""
    rows = connection.execute(
        sa.update(transactions)
        .where(
            transactions.c.key == key,
            transactions.c.nonce == nonce,
            transactions.c.state == Fate.OPEN,
        )
        .values(state=Fate.DEAD)
        .returning(transactions.c.write)
    ).scalars()
    return {write for write in rows if write is not None}


def free(connection: sa.Connection, write: int) -> bool:
    """Let a write be signed anew if nothing that was signed for it is alive."""
    # Another attempt under another nonce may be under way: then nothing is signed.
    alive = connection.execute(
        sa.select(transactions.c.id)
        .where(transactions.c.write == write, transactions.c.state == Fate.OPEN)
        .limit(1)
    ).first()
    if alive is not None:
        return False
    move(connection, write, WriteState.SIGNED, WriteState.ACCEPTED)
    return True
