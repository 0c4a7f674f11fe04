"""A statement per bank and currency, which the bank makes from the index in its own database.

Its lines are proven against what knows nothing of the index: the contracts, the replayed events,
and the token's own transfers.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from scripts.main_job.books import Proof
from scripts.main_job.stage import CURRENCIES, Stage
from tael import Money
from tael.events import Event, Transfer
from tael.index import Index, Indexer
from tael.reporting import Statement, StatementLine, as_csv, as_html, as_json, statement

if TYPE_CHECKING:
    from pathlib import Path

    from scripts.main_job.cast import Bank
    from tael import Ledger

_FORMATS = {"json": as_json, "csv": as_csv, "html": as_html}


@dataclass(frozen=True)
class Account:
    """A bank's statement in one currency, and its lines."""

    bank: Bank
    statement: Statement
    lines: list[StatementLine]

    @property
    def currency(self) -> str:
        """ISO 4217 letters."""
        return self.statement.currency.alpha

    @property
    def stem(self) -> str:
        """What its files are called."""
        return f"{self.bank.name.lower().replace(' ', '-')}-{self.currency.lower()}"


def make(stage: Stage) -> list[Account]:
    """The statements of all banks, by bank and currency."""
    made = [
        account for each in stage.for_each_bank(lambda bank: _of(stage, bank)) for account in each
    ]
    stage.show.line(f"{len(made)} statements, each bank's from an index in its own database")
    return made


def _of(stage: Stage, bank: Bank) -> list[Account]:
    Indexer(bank.store, bank.client).catch_up()
    index = Index(bank.store, stage.manifest)
    accounts = []
    for currency in CURRENCIES:
        with statement(index, bank.address, currency, names=stage.names) as made:
            accounts.append(Account(bank, made, list(made.lines)))
    return accounts


def prove(
    accounts: list[Account], ledger: Ledger, events: list[Event], stage: Stage
) -> list[Proof]:
    """Every statement ends at the contract's balance, and its lines are the token's transfers."""
    proofs = []
    for account in accounts:
        who, token = account.bank.address, stage.manifest.token(account.currency)
        now = stage.reader.balances.of(account.currency, who)
        closing = account.statement.closing
        by_transaction: dict[str, int] = defaultdict(int)
        for line in account.lines:
            by_transaction[line.movement.transaction_hash] += line.movement.change_minor
        total = Money(account.currency, sum(by_transaction.values()))
        proofs.append(
            Proof(
                f"{account.bank.name}: {len(account.lines):,} lines of its statement give the "
                "token's balance",
                str(total),
                str(now.total),
                total.amount_minor
                == closing.balance_minor
                == now.total.amount_minor
                == ledger.tokens[token].balances.get(who, 0)
                and closing.held_minor == now.held.amount_minor
                and _not_zero(by_transaction) == _not_zero(_transfers(events, token, who)),
            )
        )
    return proofs


def write(folder: Path, accounts: list[Account]) -> None:
    """Each statement as JSON, CSV and a page to print, below `statements/`."""
    target = folder / "statements"
    target.mkdir(parents=True, exist_ok=True)
    for account in accounts:
        for ending, form in _FORMATS.items():
            text = "".join(form(replace(account.statement, lines=iter(account.lines))))
            path = target / f"{account.stem}.{ending}"
            path.write_text(text, encoding="utf-8", newline="")


def _transfers(events: list[Event], token: str, who: str) -> dict[str, int]:
    """What the token's own `Transfer` events changed a balance by, by transaction."""
    changes: dict[str, int] = defaultdict(int)
    for event in events:
        if isinstance(event, Transfer) and event.at.contract == token:
            if event.recipient == who:
                changes[event.at.transaction_hash] += event.amount_minor
            if event.sender == who:
                changes[event.at.transaction_hash] -= event.amount_minor
    return changes


def _not_zero(changes: dict[str, int]) -> dict[str, int]:
    return {transaction: amount for transaction, amount in changes.items() if amount}
