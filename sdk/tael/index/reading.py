"""Reading the index: needs no node, only the manifest and the database."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from tael.addresses import require_address
from tael.errors import CurrencyUnknownError, IndexStateError
from tael.index.deployed import find, read_cursor
from tael.index.kinds import Kind
from tael.index.models import AccountBalance, IndexedPayment, IndexStatus, Movement
from tael.money import Currency
from tael.store.tables import balances, blocks, movements, payments, receipts
from tael.terms import Terms

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tael.manifest import Manifest
    from tael.store import Store

__all__ = ["Index"]

_PAGE = 2_000


class Index:
    """Reads the index of one deployment.

    Args:
        store: The database.
        manifest: Of the deployment.

    Raises:
        IndexStateError: There is none, or it is of another version or other contracts.

    Example:
        >>> index = Index(store, manifest)  # doctest: +SKIP
        >>> index.balance(bank, "CNY").available_minor  # doctest: +SKIP
        100000
    """

    def __init__(self, store: Store, manifest: Manifest) -> None:
        self.store = store
        self.manifest = manifest
        with store.read() as connection:
            found = find(connection, manifest)
        if found is None:
            raise IndexStateError(
                f"the deployment on chain {manifest.chain_id} is not indexed in this database: "
                "run `tael index run` first, or name the database (TAEL_STORE)"
            )
        self.deployed = found
        self._currencies = {
            number: alpha
            for number, address in found.tokens.items()
            for alpha, token in manifest.tokens.items()
            if token == address
        }

    @contextmanager
    def snapshot(self) -> Iterator[sa.Connection]:
        """A connection for which the index stands still, whatever is written meanwhile.

        Give it to whatever is read together.
        """
        with self.store.read() as connection:
            if self.store.dialect == "postgresql":
                connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            yield connection

    def status(self, connection: sa.Connection | None = None) -> IndexStatus:
        """How far the index has come."""
        mine = self.deployed.id
        with self._reading(connection) as connection:
            cursor = read_cursor(connection, mine)
            opened = connection.execute(
                sa.select(sa.func.max(payments.c.number)).where(payments.c.deployment == mine)
            ).scalar()
            moved = connection.execute(
                sa.select(sa.func.sum(balances.c.movements)).where(balances.c.deployment == mine)
            ).scalar()
        block = cursor.block
        return IndexStatus(
            block_number=None if block is None else block.number,
            block_hash=None if block is None else _hex(block.hash),
            block_time=None if block is None else block.time,
            final_number=cursor.final_number,
            payments=int(opened or 0),
            movements=int(moved or 0),
            receipts=cursor.next_receipt - 1,
        )

    def balances(
        self, currency: str | Currency | None = None, *, connection: sa.Connection | None = None
    ) -> list[AccountBalance]:
        """What everybody has, in one currency or in all of them."""
        query = (
            sa.select(balances)
            .where(balances.c.deployment == self.deployed.id)
            .order_by(balances.c.account)
        )
        if currency is not None:
            query = query.where(balances.c.token == self.token_number(currency))
        with self._reading(connection) as connection:
            return [
                AccountBalance(
                    row.participant,
                    self._currencies[row.token],
                    row.available,
                    row.held,
                    row.movements,
                )
                for row in connection.execute(query)
            ]

    def balance(self, participant: str, currency: str | Currency) -> AccountBalance:
        """What a participant has in a currency: nothing, if it was never seen in it.

        Raises:
            AddressError: That is no participant's address.
            CurrencyUnknownError: The deployment has no such currency.
        """
        alpha = Currency.of(currency).alpha
        with self.store.read() as connection:
            row = self.account_row(connection, participant, alpha)
        if row is None:
            return AccountBalance(participant, alpha, 0, 0, 0)
        return AccountBalance(participant, alpha, row.available, row.held, row.movements)

    def payment(self, payment_id: bytes) -> IndexedPayment | None:
        """A payment by its id; None if none was opened."""
        query = self._payments().where(payments.c.id == payment_id)
        with self.store.read() as connection:
            row = connection.execute(query).first()
        return None if row is None else self._payment(row)

    def payments(
        self, *, issuer: str | None = None, connection: sa.Connection | None = None
    ) -> Iterator[IndexedPayment]:
        """Payments in the order they were opened, a page at a time.

        Args:
            issuer: Only this one's; None is everybody's.
            connection: To read with; None opens one for each page.
        """
        query = self._payments().order_by(payments.c.number).limit(_PAGE)
        if issuer is not None:
            query = query.where(_issuer.c.participant == require_address(issuer, name="issuer"))
        last = 0
        while True:
            with self._reading(connection) as reading:
                rows = reading.execute(query.where(payments.c.number > last)).all()
            yield from map(self._payment, rows)
            if len(rows) < _PAGE:
                return
            last = rows[-1].number

    def movements(
        self,
        participant: str,
        currency: str | Currency,
        *,
        since: int | None = None,
        before: int | None = None,
        connection: sa.Connection | None = None,
    ) -> Iterator[Movement]:
        """A participant's movements in a currency, in the order of the chain, a page at a time.

        Args:
            participant: Whose.
            currency: In which.
            since: Unix seconds by the chain's clock; None is from the first on.
            before: Unix seconds, exclusive; None is up to the last.
            connection: To read with; None opens one for each page.

        Raises:
            AddressError, CurrencyUnknownError: As `balance`.
        """
        with self._reading(connection) as reading:
            account = self.account_row(reading, participant, currency)
            first = 0 if since is None else self.first_receipt(reading, since)
            end = None if before is None else self.first_receipt(reading, before)
        if account is None:
            return
        query = _movements(self.deployed.id, account.account)
        if end is not None:
            query = query.where(movements.c.receipt < end)
        place = (first - 1, 2**62)
        while True:
            page = query.where(sa.tuple_(movements.c.receipt, movements.c.number) > place).limit(
                _PAGE
            )
            with self._reading(connection) as reading:
                rows = reading.execute(page).all()
            yield from map(_movement, rows)
            if len(rows) < _PAGE:
                return
            place = (rows[-1].receipt, rows[-1].number)

    # For the modules beside this one

    def token_number(self, currency: str | Currency) -> int:
        """`contracts.id` of a currency's token.

        Raises:
            CurrencyUnknownError: The deployment has no such currency.
        """
        alpha = Currency.of(currency).alpha
        for number, name in self._currencies.items():
            if name == alpha:
                return number
        raise CurrencyUnknownError(
            f"{alpha} is not a currency of this deployment; there are "
            f"{', '.join(self._currencies.values())}."
        )

    def account_row(
        self, connection: sa.Connection, participant: str, currency: str | Currency
    ) -> Any:
        """A row of `balances`, or None."""
        who = require_address(participant, name="participant", other_than=self.manifest.addresses)
        return connection.execute(
            sa.select(balances).where(
                balances.c.deployment == self.deployed.id,
                balances.c.token == self.token_number(currency),
                balances.c.participant == who,
            )
        ).first()

    def first_receipt(self, connection: sa.Connection, since: int) -> int:
        """The key of the first receipt at or after a time, or of the next one."""
        found = connection.execute(
            sa.select(blocks.c.first_receipt)
            .where(
                blocks.c.deployment == self.deployed.id,
                blocks.c.time >= since,
                ~blocks.c.is_orphan,
            )
            .order_by(blocks.c.time, blocks.c.number)
            .limit(1)
        ).scalar()
        if found is not None:
            return int(found)
        return read_cursor(connection, self.deployed.id).next_receipt

    @contextmanager
    def _reading(self, connection: sa.Connection | None) -> Iterator[sa.Connection]:
        if connection is not None:
            yield connection
            return
        with self.store.read() as own:
            yield own

    def _payments(self) -> sa.Select[Any]:
        return (
            sa.select(
                payments,
                _issuer.c.participant.label("issuer_address"),
                _acquirer.c.participant.label("acquirer_address"),
                _issuer.c.token,
                receipts.c.transaction_hash,
                blocks.c.number.label("block_number"),
                blocks.c.hash.label("block_hash"),
                blocks.c.time,
            )
            .join(_issuer, _same(_issuer, payments, account="issuer"))
            .join(_acquirer, _same(_acquirer, payments, account="acquirer"))
            .join(receipts, _same(receipts, payments, id="receipt"))
            .join(blocks, _same(blocks, receipts, id="block"))
            .where(payments.c.deployment == self.deployed.id)
        )

    def _payment(self, row: Any) -> IndexedPayment:
        words = row.terms
        packed = (words[:32], words[32:64], words[64:96], words[96:])
        parties = (row.issuer_address, row.acquirer_address, self.deployed.tokens[row.token])
        return IndexedPayment(
            payment_id=row.id,
            terms=Terms.unpack(parties, packed),
            currency=self._currencies[row.token],
            is_charged=bool(row.is_charged),
            captured_minor=row.captured,
            voided_minor=row.voided,
            refunded_minor=row.refunded,
            opened_at=row.time,
            transaction_hash=_hex(row.transaction_hash),
            log_index=row.log_index,
            block_number=row.block_number,
            block_hash=_hex(row.block_hash),
        )


_issuer, _acquirer, _counterparty = (
    balances.alias(name) for name in ("issuer", "acquirer", "counterparty")
)


def _movements(deployment: int, account: int) -> sa.Select[Any]:
    return (
        sa.select(
            movements,
            _counterparty.c.participant,
            payments.c.id.label("payment_id"),
            payments.c.uetr,
            payments.c.terms,
            receipts.c.transaction_hash,
            blocks.c.number.label("block_number"),
            blocks.c.hash.label("block_hash"),
            blocks.c.time,
        )
        .join(receipts, _same(receipts, movements, id="receipt"))
        .join(blocks, _same(blocks, receipts, id="block"))
        .outerjoin(_counterparty, _same(_counterparty, movements, account="counterparty"))
        .outerjoin(payments, _same(payments, movements, number="payment"))
        .where(movements.c.deployment == deployment, movements.c.account == account)
        .order_by(movements.c.receipt, movements.c.number)
    )


def _same(left: Any, right: Any, **columns: str) -> sa.ColumnElement[bool]:
    pairs = {"deployment": "deployment", **columns}
    return sa.and_(*(left.c[mine] == right.c[theirs] for mine, theirs in pairs.items()))


def _movement(row: Any) -> Movement:
    return Movement(
        number=row.number,
        kind=Kind(row.kind),
        at=row.time,
        counterparty=row.participant,
        payment_id=row.payment_id,
        uetr=row.uetr,
        reference_hash=None if row.terms is None else row.terms[32:64],
        subject=row.subject,
        gross_minor=row.gross or 0,
        interchange_minor=row.interchange or 0,
        available_change_minor=row.available_change,
        held_change_minor=row.held_change,
        available_minor=row.available,
        held_minor=row.held,
        transaction_hash=_hex(row.transaction_hash),
        log_index=row.log_index,
        block_number=row.block_number,
        block_hash=_hex(row.block_hash),
    )


def _hex(data: bytes) -> str:
    return "0x" + data.hex()
