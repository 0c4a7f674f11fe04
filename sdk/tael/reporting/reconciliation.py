"""A bank's own list against the chain: what both have, what one of them has, what differs.

The list's references are mapped to what stands for them on the chain with the participant's
reference secret; nobody without it can do the same.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, Literal, NamedTuple, TypeVar

import sqlalchemy as sa

from tael.errors import InvalidInputError
from tael.index.deployed import read_cursor
from tael.index.kinds import Kind
from tael.money import Currency, Money
from tael.reporting.bank_file import BadRow, BankRow, RowState
from tael.reporting.references import References
from tael.store.tables import balances, movements, payments, receipts

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tael.identifiers import Identifiers
    from tael.index.reading import Index

__all__ = ["ChainEntry", "Differing", "Reconciliation", "Tally", "reconcile"]

MAX_KEPT = 10_000
"""How many findings of a kind are kept; all are counted."""

_PAGE = 5_000
_Finding = TypeVar("_Finding")


class ChainEntry(NamedTuple):
    """What stands on the chain for one reference.

    Attributes:
        kind: `payment`, `transfer` or `redeem`.
        key: Payment id, nonce or bank reference, 32 bytes.
        amount: Of what the state is about.
        state: How it stands.
        transaction_hash: Of the transaction it began with, 0x and 64 digits.
        reference: As the journal has it; empty if it does not.
    """

    kind: str
    key: bytes
    amount: Money
    state: RowState
    transaction_hash: str
    reference: str = ""


class Differing(NamedTuple):
    """A row of the list and what stands on the chain for it, where they are not the same."""

    row: BankRow
    entry: ChainEntry


@dataclass
class Tally(Generic[_Finding]):
    """Findings of one kind.

    Args:
        count: How many there are.
        kept: The first `MAX_KEPT` of them.
    """

    count: int = 0
    kept: list[_Finding] = field(default_factory=list)

    def add(self, finding: _Finding) -> None:
        """Count one."""
        self.count += 1
        if len(self.kept) < MAX_KEPT:
            self.kept.append(finding)


@dataclass
class Reconciliation:
    """What the comparison found.

    Args:
        participant: Whose list it is.
        side: Whether its payments are those it issued or those it acquired.
        block_number: The last block indexed.
        block_hash: Of that block, 0x and 64 digits.
        rows: How many rows the list has, bad ones among them.
        matched: How many of them the chain has just so.
        missing_here: On the chain, and not in the list.
        missing_there: In the list, and not on the chain.
        differing: In both, with another amount, currency or state.
        bad: Rows that could not be compared.
    """

    participant: str
    side: Literal["issuer", "acquirer"]
    block_number: int
    block_hash: str
    rows: int = 0
    matched: int = 0
    missing_here: Tally[ChainEntry] = field(default_factory=Tally)
    missing_there: Tally[BankRow] = field(default_factory=Tally)
    differing: Tally[Differing] = field(default_factory=Tally)
    bad: Tally[BadRow] = field(default_factory=Tally)

    @property
    def breaks(self) -> int:
        """How many findings there are that somebody has to look at; zero is a clean day."""
        tallies = (self.missing_here, self.missing_there, self.differing, self.bad)
        return sum(tally.count for tally in tallies)


def reconcile(
    index: Index,
    rows: Iterable[BankRow | BadRow],
    identifiers: Identifiers,
    *,
    side: Literal["issuer", "acquirer"] = "issuer",
    transfers: bool = False,
    since: int | None = None,
    before: int | None = None,
) -> Reconciliation:
    """Compare a list with the chain.

    Args:
        index: What is on the chain.
        rows: The list, as `read_bank_file` gives it.
        identifiers: The participant's: they map its references.
        side: `issuer` compares payments the participant opened, by their reference hash; `acquirer`
            those it was paid, by UETR: the list's, or that of its own dynamic codes.
        transfers: Whether transfers and redemptions of the participant count too.
        since: What began before this is not missing in the list; Unix seconds by the chain's clock.
        before: What began at this or later is not; exclusive.

    Returns:
        What was found.

    Raises:
        InvalidInputError: Nothing is indexed yet.
    """
    with index.snapshot() as connection:
        cursor = read_cursor(connection, index.deployed.id)
        if cursor.block is None:
            raise InvalidInputError("nothing is indexed yet: run `tael index run`")
        found = Reconciliation(
            identifiers.participant, side, cursor.block.number, "0x" + cursor.block.hash.hex()
        )
        period = (
            0 if since is None else index.first_receipt(connection, since),
            cursor.next_receipt if before is None else index.first_receipt(connection, before),
        )
        comparison = _Comparison(index, connection, identifiers, found, period)
        comparison.read(rows, transfers=transfers)
        comparison.compare_payments()
        if transfers:
            comparison.compare_transfers()
        comparison.finish()
    return found


class _Entry(NamedTuple):
    """A `ChainEntry` before it is known whether anybody wants to see it."""

    kind: str
    key: bytes
    amount: Money
    state: RowState
    receipt: int


class _Comparison:
    """One comparison under way."""

    def __init__(
        self,
        index: Index,
        connection: sa.Connection,
        identifiers: Identifiers,
        found: Reconciliation,
        period: tuple[int, int],
    ) -> None:
        self._index = index
        self._connection = connection
        self._identifiers = identifiers
        self._found = found
        self._period = period
        self._by_reference: dict[str, BankRow] = {}
        # By what stands for the row on the chain.
        self._waiting: dict[bytes, BankRow] = {}
        self._settled: dict[str, BankRow] = {}
        self._unlisted: list[_Entry] = []
        self._different: list[tuple[BankRow, _Entry]] = []
        self._currencies = {
            row.account: Currency.of(alpha)
            for row in connection.execute(
                sa.select(balances.c.account, balances.c.token).where(
                    balances.c.deployment == index.deployed.id,
                    balances.c.participant == identifiers.participant,
                )
            )
            for alpha in index.manifest.tokens
            if index.token_number(alpha) == row.token
        }

    def read(self, rows: Iterable[BankRow | BadRow], *, transfers: bool) -> None:
        """Take the list in, and find the rows that contradict others."""
        for row in rows:
            self._found.rows += 1
            if isinstance(row, BadRow):
                problem = row.problem
            elif row.state is RowState.SETTLED and not transfers:
                problem = "is a transfer, and transfers are not compared this time"
            else:
                problem = self._take(row)
            if problem:
                self._found.bad.add(BadRow(row.line, problem))

    def _take(self, row: BankRow) -> str:
        other = self._by_reference.setdefault(row.reference, row)
        if other is not row:
            same = (other.amount, other.state, other.uetr) == (row.amount, row.state, row.uetr)
            return f"{'repeats' if same else 'contradicts'} line {other.line}"
        if row.state is RowState.SETTLED:
            self._settled[row.reference] = row
            return ""
        identifiers = self._identifiers
        key = (
            identifiers.reference_hash(row.reference)
            if self._found.side == "issuer"
            else row.uetr or identifiers.uetr(row.reference)
        )
        other = self._waiting.setdefault(key, row)
        return "" if other is row else f"has the UETR of line {other.line}"

    def compare_payments(self) -> None:
        """Compare the payments of the participant's side."""
        best: dict[bytes, _Entry] = {}
        for key, entry in self._payments():
            if key not in self._waiting:
                self._note_unlisted(entry)
                continue
            known = best.get(key)
            if known is None or known.state is RowState.VOIDED:
                # Two cards may pay the same code: the acquirer keeps one and voids the others.
                best[key] = entry
            elif entry.state is not RowState.VOIDED:
                self._note_unlisted(entry)
        for key, entry in best.items():
            self._compare(self._waiting.pop(key), entry)

    def compare_transfers(self) -> None:
        """Compare what the participant sent by itself."""
        identifiers = self._identifiers
        waiting = {
            key: row
            for reference, row in self._settled.items()
            for key in (
                identifiers.transfer_nonce(reference),
                identifiers.bank_reference(reference),
            )
        }
        for entry in self._transfers():
            row = waiting.get(entry.key)
            if row is None:
                self._note_unlisted(entry)
            elif self._settled.pop(row.reference, None) is not None:
                self._compare(row, entry)

    def finish(self) -> None:
        """Count what is left, and look up what people want to know of it."""
        found = self._found
        rest = [*self._waiting.values(), *self._settled.values()]
        for row in sorted(rest, key=lambda each: each.line):
            found.missing_there.add(row)
        self._different.sort(key=lambda each: each[0].line)
        entries = [*(entry for _, entry in self._different), *self._unlisted]
        shown = self._show(entries)
        found.differing.kept = [
            Differing(row, entry) for (row, _), entry in zip(self._different, shown, strict=False)
        ]
        found.missing_here.kept = shown[len(self._different) :]

    def _note_unlisted(self, entry: _Entry) -> None:
        first, end = self._period
        if first <= entry.receipt < end:
            self._found.missing_here.count += 1
            if len(self._unlisted) < MAX_KEPT:
                self._unlisted.append(entry)

    def _compare(self, row: BankRow, entry: _Entry) -> None:
        if (row.amount, row.state) == (entry.amount, entry.state):
            self._found.matched += 1
            return
        self._found.differing.count += 1
        if len(self._different) < MAX_KEPT:
            self._different.append((row, entry))

    def _payments(self) -> Iterator[tuple[bytes, _Entry]]:
        is_issuer = self._found.side == "issuer"
        account = payments.c.issuer if is_issuer else payments.c.acquirer
        query = (
            sa.select(
                *(payments.c.number, payments.c.id, payments.c.receipt, account.label("account")),
                *(payments.c.amount, payments.c.captured, payments.c.voided, payments.c.refunded),
                (payments.c.terms if is_issuer else payments.c.uetr).label("named"),
            )
            .where(
                payments.c.deployment == self._index.deployed.id,
                account.in_(list(self._currencies)),
            )
            .order_by(payments.c.number)
            .limit(_PAGE)
        )
        last = 0
        while rows := self._connection.execute(query.where(payments.c.number > last)).all():
            last = rows[-1].number
            for row in rows:
                key = row.named[32:64] if is_issuer else row.named
                state, amount = _state_of(row)
                money = Money(self._currencies[row.account], amount)
                yield key, _Entry("payment", row.id, money, state, row.receipt)

    def _transfers(self) -> Iterator[_Entry]:
        kinds = {int(Kind.TRANSFER): "transfer", int(Kind.REDEEM): "redeem"}
        for account, currency in self._currencies.items():
            rows = self._connection.execute(
                sa.select(movements).where(
                    movements.c.deployment == self._index.deployed.id,
                    movements.c.account == account,
                    movements.c.kind.in_(list(kinds)),
                )
            )
            for row in rows:
                if row.available_change < 0:
                    amount = Money(currency, -row.available_change)
                    yield _Entry(
                        kinds[row.kind], row.subject or b"", amount, RowState.SETTLED, row.receipt
                    )

    def _show(self, entries: list[_Entry]) -> list[ChainEntry]:
        """Add transactions and references to what is shown."""
        hashes: dict[int, str] = {}
        wanted = sorted({entry.receipt for entry in entries})
        for start in range(0, len(wanted), 500):
            for row in self._connection.execute(
                sa.select(receipts.c.id, receipts.c.transaction_hash).where(
                    receipts.c.deployment == self._index.deployed.id,
                    receipts.c.id.in_(wanted[start : start + 500]),
                )
            ):
                hashes[row.id] = "0x" + row.transaction_hash.hex()
        keys = [(entry.key, hashes[entry.receipt]) for entry in entries]
        names = References(self._index.manifest, self._identifiers.participant).find(
            self._connection, [key for key in keys if key[0]]
        )
        return [
            ChainEntry(entry.kind, entry.key, entry.amount, entry.state, key[1], names.get(key, ""))
            for entry, key in zip(entries, keys, strict=True)
        ]


def _state_of(payment: Any) -> tuple[RowState, int]:
    """A payment's state, and the amount it is about."""
    if payment.amount - payment.captured - payment.voided:
        return RowState.OPEN, payment.amount
    if not payment.captured:
        return RowState.VOIDED, payment.amount
    if payment.refunded == payment.captured:
        return RowState.REFUNDED, payment.refunded
    return RowState.CAPTURED, payment.captured
