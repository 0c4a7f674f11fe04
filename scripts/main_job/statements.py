"""A statement per bank: every line proves itself by the transaction it stands in.

Made from the chain's events. The banks' own records add what the chain does not know: references
and the merchants' names.
"""

from __future__ import annotations

import csv
import io
import json
from collections import defaultdict
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from scripts.main_job.books import Proof
from scripts.main_job.cast import Bank
from scripts.main_job.pages import render
from scripts.main_job.record import BPS, PaymentRecord
from scripts.main_job.stage import CURRENCIES, SCHEME_BPS, Stage, local_clock
from tael import Ledger, Money
from tael.events import (
    Event,
    PaymentCaptured,
    PaymentCharged,
    PaymentOpened,
    PaymentRefunded,
    Transfer,
)
from tael.identifiers import uetr_text
from tael.rpc import request_many

_ZERO_ADDRESS = "0x" + "0" * 40
# What a spreadsheet would take for a formula.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True)
class Line:
    """One movement of a bank's balance; amounts in minor units, negative when money left.

    Args:
        at: Unix seconds, the block's time.
        kind: issue, redemption, transfer, payment, refund.
        reference: The issuer's reference of the payment, or the write's own.
        uetr: Text, empty if it is no payment.
        counterparty: Name.
        merchant: Name, empty if it is no payment.
        gross_minor: What the cardholder paid or got back, signed as it concerns this bank.
        interchange_minor: Kept by the issuer: positive for it, negative for the acquirer.
        scheme_fee_minor: Paid by the acquirer.
        amount_minor: What the balance changed by.
        balance_minor: After it.
        transaction: Hash.
        block: Number.
        block_hash: Hash.
        log_index: Of the event the line stands for.
    """

    at: int
    kind: str
    reference: str
    uetr: str
    counterparty: str
    merchant: str
    gross_minor: int
    interchange_minor: int
    scheme_fee_minor: int
    amount_minor: int
    balance_minor: int
    transaction: str
    block: int
    block_hash: str
    log_index: int


@dataclass
class Account:
    """A bank's account in one currency.

    Args:
        currency: ISO 4217 letters.
        lines: In the order of the chain; the account began empty.
        closing_minor: What the token says it owns.
        held_minor: What the token says is set aside of it.
        transfers_minor: Sum of the token's own `Transfer` events for the bank, by transaction.
    """

    currency: str
    lines: list[Line]
    closing_minor: int
    held_minor: int
    transfers_minor: dict[str, int] = field(default_factory=dict)

    @property
    def sum_minor(self) -> int:
        """What all lines come to."""
        return sum(line.amount_minor for line in self.lines)

    def text(self, amount_minor: int) -> str:
        """A signed amount in major units."""
        sign = "-" if amount_minor < 0 else ""
        return sign + Money(self.currency, abs(amount_minor)).amount

    def sum_of(self, column: str, *kinds: str) -> int:
        """One column over some kinds of lines."""
        return sum(getattr(line, column) for line in self.lines if line.kind in kinds)


@dataclass
class Statement:
    """One bank's day.

    Args:
        bank: Whose.
        accounts: One per currency.
    """

    bank: Bank
    accounts: list[Account]


@dataclass(frozen=True)
class _Entry:
    """A line before its balance is known."""

    event: Event
    who: str
    kind: str
    counterparty: str
    gross: int
    interchange: int
    scheme: int
    amount: int
    payment: PaymentRecord | None = None


def make(stage: Stage, events: list[Event]) -> list[Statement]:
    """The statements of all four banks.

    Args:
        stage: When nothing is sent any more.
        events: All of them, in order.
    """
    times = _block_times(stage, events)
    entries = _entries(stage, events)
    statements = []
    for bank in stage.banks:
        accounts = [_account(stage, bank, each, events, entries, times) for each in CURRENCIES]
        statements.append(Statement(bank, accounts))
    return statements


def prove(statements: list[Statement], ledger: Ledger, stage: Stage) -> list[Proof]:
    """Every statement ends at the contract's balance, and its lines are the token's transfers."""
    proofs = []
    for statement in statements:
        for account in statement.accounts:
            token = ledger.tokens[stage.manifest.token(account.currency)]
            replayed = token.balances.get(statement.bank.address, 0)
            by_transaction: dict[str, int] = defaultdict(int)
            for line in account.lines:
                by_transaction[line.transaction] += line.amount_minor
            mine = {key: amount for key, amount in by_transaction.items() if amount}
            theirs = {key: amount for key, amount in account.transfers_minor.items() if amount}
            proofs.append(
                Proof(
                    f"{statement.bank.name}: {len(account.lines)} lines of its statement give the "
                    "token's balance",
                    f"{account.text(account.sum_minor)} {account.currency}",
                    f"{account.text(account.closing_minor)} {account.currency}",
                    account.sum_minor == account.closing_minor == replayed and mine == theirs,
                )
            )
    return proofs


def write(folder: Path, statements: list[Statement]) -> None:
    """Each statement as JSON, CSV and a page to print, below `statements/`."""
    target = folder / "statements"
    target.mkdir(parents=True, exist_ok=True)
    for statement in statements:
        stem = file_stem(statement.bank)
        document = json.dumps(_plain(statement), ensure_ascii=False, indent=1)
        (target / f"{stem}.json").write_text(document + "\n", encoding="utf-8")
        (target / f"{stem}.csv").write_text(_csv(statement), encoding="utf-8", newline="")
        page = render("statement.html.j2", statement=statement, stem=stem, clock=local_clock)
        (target / f"{stem}.html").write_text(page, encoding="utf-8")


def file_stem(bank: Bank) -> str:
    """What a bank's files are called."""
    return bank.name.lower().replace(" ", "-")


def _entries(stage: Stage, events: list[Event]) -> list[_Entry]:
    """What each event means for each bank."""
    captured: dict[bytes, int] = defaultdict(int)
    refunded: dict[bytes, int] = defaultdict(int)
    names = {stage.manifest.token(currency): currency for currency in CURRENCIES}
    payments_in = {
        event.at.transaction_hash
        for event in events
        if isinstance(event, (PaymentCaptured, PaymentCharged, PaymentRefunded))
    }
    entries: list[_Entry] = []
    for event in events:
        if isinstance(event, Transfer):
            # The transfers of payments are aggregated; their lines come from the payments.
            if event.at.contract in names and event.at.transaction_hash not in payments_in:
                entries += _transfer(stage, event)
        elif isinstance(event, PaymentCharged):
            captured[event.id] = event.amount_minor
            entries += _paid(stage, event, event.id, 0, event.amount_minor)
        elif isinstance(event, PaymentCaptured):
            before, captured[event.id] = captured[event.id], event.captured_total_minor
            entries += _paid(stage, event, event.id, before, event.captured_total_minor)
        elif isinstance(event, PaymentRefunded):
            before, refunded[event.id] = refunded[event.id], event.refunded_total_minor
            entries += _returned(stage, event, before)
    return entries


def _transfer(stage: Stage, event: Transfer) -> list[_Entry]:
    kind = "transfer"
    if event.sender == _ZERO_ADDRESS:
        kind = "issue"
    elif event.recipient == _ZERO_ADDRESS:
        kind = "redemption"
    sides = ((event.sender, event.recipient, -1), (event.recipient, event.sender, 1))
    return [
        _Entry(
            event,
            who,
            kind,
            "Operator" if other == _ZERO_ADDRESS else stage.name_of(other),
            sign * event.amount_minor,
            0,
            0,
            sign * event.amount_minor,
        )
        for who, other, sign in sides
        if who != _ZERO_ADDRESS
    ]


def _paid(stage: Stage, event: Event, payment_id: bytes, before: int, total: int) -> list[_Entry]:
    payment = stage.record.payments[payment_id]
    gross = total - before
    interchange = payment.interchange_of(total) - payment.interchange_of(before)
    scheme = total * SCHEME_BPS // BPS - before * SCHEME_BPS // BPS
    issuer, acquirer = stage.name_of(payment.issuer), stage.name_of(payment.acquirer)
    return [
        _Entry(
            event,
            payment.issuer,
            "payment",
            acquirer,
            -gross,
            interchange,
            0,
            interchange - gross,
            payment,
        ),
        _Entry(
            event,
            payment.acquirer,
            "payment",
            issuer,
            gross,
            -interchange,
            -scheme,
            gross - interchange - scheme,
            payment,
        ),
    ]


def _returned(stage: Stage, event: PaymentRefunded, before: int) -> list[_Entry]:
    payment = stage.record.payments[event.id]
    total = event.refunded_total_minor
    gross = total - before
    interchange = payment.interchange_of(total) - payment.interchange_of(before)
    issuer, acquirer = stage.name_of(payment.issuer), stage.name_of(payment.acquirer)
    return [
        _Entry(
            event,
            payment.issuer,
            "refund",
            acquirer,
            gross,
            -interchange,
            0,
            gross - interchange,
            payment,
        ),
        _Entry(
            event,
            payment.acquirer,
            "refund",
            issuer,
            -gross,
            interchange,
            0,
            interchange - gross,
            payment,
        ),
    ]


def _account(
    stage: Stage,
    bank: Bank,
    currency: str,
    events: list[Event],
    entries: list[_Entry],
    times: dict[int, int],
) -> Account:
    token = stage.manifest.token(currency)
    references = {
        write.written.transaction_hash: write.written.reference for write in stage.record.writes
    }
    lines: list[Line] = []
    balance = 0
    for entry in entries:
        payment = entry.payment
        same = currency == payment.currency if payment else entry.event.at.contract == token
        if entry.who != bank.address or not same:
            continue
        balance += entry.amount
        at = entry.event.at
        own = references.get(at.transaction_hash, "")
        lines.append(
            Line(
                at=times[at.block_number],
                kind=entry.kind,
                reference=payment.reference if payment else own,
                uetr=uetr_text(payment.uetr) if payment else "",
                counterparty=entry.counterparty,
                merchant=payment.merchant if payment else "",
                gross_minor=entry.gross,
                interchange_minor=entry.interchange,
                scheme_fee_minor=entry.scheme,
                amount_minor=entry.amount,
                balance_minor=balance,
                transaction=at.transaction_hash,
                block=at.block_number,
                block_hash=at.block_hash,
                log_index=at.log_index,
            )
        )
    transfers: dict[str, int] = defaultdict(int)
    for event in events:
        if isinstance(event, Transfer) and event.at.contract == token:
            if event.recipient == bank.address:
                transfers[event.at.transaction_hash] += event.amount_minor
            if event.sender == bank.address:
                transfers[event.at.transaction_hash] -= event.amount_minor
    now = stage.reader.balances.of(currency, bank.address)
    return Account(currency, lines, now.total.amount_minor, now.held.amount_minor, dict(transfers))


def _block_times(stage: Stage, events: list[Event]) -> dict[int, int]:
    kinds = (Transfer, PaymentOpened, PaymentCaptured, PaymentRefunded)
    numbers = sorted({event.at.block_number for event in events if isinstance(event, kinds)})
    answers = request_many(
        stage.chain, [("eth_getBlockByNumber", [hex(number), False]) for number in numbers]
    )
    return {
        number: int(answer["timestamp"], 16)
        for number, answer in zip(numbers, answers, strict=True)
    }


def _plain(statement: Statement) -> dict[str, Any]:
    return {
        "bank": statement.bank.name,
        "account": statement.bank.address,
        "accounts": [
            {
                "currency": account.currency,
                "opening_minor": 0,
                "closing_minor": account.closing_minor,
                "held_minor": account.held_minor,
                "lines": [asdict(line) for line in account.lines],
            }
            for account in statement.accounts
        ],
    }


_COLUMNS = (
    "currency",
    "time",
    "kind",
    "reference",
    "uetr",
    "counterparty",
    "merchant",
    "gross",
    "interchange",
    "scheme_fee",
    "amount",
    "balance",
    "transaction",
    "block",
    "block_hash",
    "log_index",
)


def _csv(statement: Statement) -> str:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(_COLUMNS)
    for account in statement.accounts:
        for line in account.lines:
            amounts = (
                line.gross_minor,
                line.interchange_minor,
                line.scheme_fee_minor,
                line.amount_minor,
                line.balance_minor,
            )
            names = (line.reference, line.uetr, line.counterparty, line.merchant)
            writer.writerow(
                (
                    account.currency,
                    local_clock(line.at),
                    line.kind,
                    *map(cell, names),
                    *map(account.text, amounts),
                    line.transaction,
                    line.block,
                    line.block_hash,
                    line.log_index,
                )
            )
    return text.getvalue()


def cell(text: str) -> str:
    """Text that no spreadsheet takes for a formula."""
    return "'" + text if text.startswith(_FORMULA_STARTS) else text
