"""Statements as documents: JSON, and CSV for spreadsheets; both are written by the line."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

from tael.identifiers import uetr_text
from tael.reporting.cells import cell, utc

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tael.reporting.statement import Holding, Statement, StatementLine

__all__ = ["COLUMNS", "as_csv", "as_json"]

COLUMNS = (
    *("number", "time", "kind", "reference", "uetr", "counterparty", "counterparty_name"),
    *("currency", "gross", "interchange", "amount", "balance", "held_change", "held"),
    *("payment_id", "subject", "transaction_hash", "log_index", "block_number", "block_hash"),
)
"""Of a CSV. `amount` is what the balance changed by; `held` is part of the balance."""

_LINES_AT_ONCE = 200


def as_json(statement: Statement) -> Iterator[str]:
    """One JSON object, its lines one a line; amounts in minor units, times in Unix seconds."""
    head = {
        "participant": statement.participant,
        "name": statement.name_of(statement.participant),
        "currency": statement.currency.alpha,
        "from": statement.since,
        "to": statement.before,
        "opening": _holding(statement.opening),
        "closing": _holding(statement.closing),
        "movements": statement.movements,
        "block_number": statement.block_number,
        "block_hash": statement.block_hash,
        "block_time": statement.block_time,
        "is_complete": statement.is_complete,
        "is_final": statement.is_final,
    }
    yield json.dumps(head)[:-1] + ', "lines": ['
    separator = "\n"
    for line in statement.lines:
        yield separator + json.dumps(_line(statement, line))
        separator = ",\n"
    yield "\n]}\n"


def as_csv(statement: Statement) -> Iterator[str]:
    """RFC 4180 with a head; amounts in major units, exact; no cell is a formula.

    A reference, a name or another text that a spreadsheet could take for a formula has an
    apostrophe before it.
    """
    yield _rows([COLUMNS])
    rows: list[tuple[object, ...]] = []
    for line in statement.lines:
        rows.append(_csv_row(statement, line))
        if len(rows) == _LINES_AT_ONCE:
            yield _rows(rows)
            rows = []
    yield _rows(rows)


def _rows(rows: list[Any]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()


def _csv_row(statement: Statement, line: StatementLine) -> tuple[object, ...]:
    moved, amount = line.movement, statement.amount
    return (
        moved.number,
        utc(moved.at),
        moved.kind.word,
        cell(line.reference),
        _uetr(moved.uetr),
        moved.counterparty or "",
        cell(statement.name_of(moved.counterparty)),
        statement.currency.alpha,
        amount(moved.gross_minor),
        amount(moved.interchange_minor),
        amount(moved.change_minor),
        amount(moved.balance_minor),
        amount(moved.held_change_minor),
        amount(moved.held_minor),
        _hex(moved.payment_id) or "",
        _hex(moved.subject) or "",
        moved.transaction_hash,
        moved.log_index,
        moved.block_number,
        moved.block_hash,
    )


def _line(statement: Statement, line: StatementLine) -> dict[str, Any]:
    moved = line.movement
    return {
        "number": moved.number,
        "time": moved.at,
        "kind": moved.kind.word,
        "reference": line.reference,
        "uetr": _uetr(moved.uetr),
        "counterparty": moved.counterparty,
        "counterparty_name": statement.name_of(moved.counterparty),
        "gross_minor": moved.gross_minor,
        "interchange_minor": moved.interchange_minor,
        "amount_minor": moved.change_minor,
        "balance_minor": moved.balance_minor,
        "held_change_minor": moved.held_change_minor,
        "held_minor": moved.held_minor,
        "payment_id": _hex(moved.payment_id),
        "reference_hash": _hex(moved.reference_hash),
        "subject": _hex(moved.subject),
        "transaction_hash": moved.transaction_hash,
        "log_index": moved.log_index,
        "block_number": moved.block_number,
        "block_hash": moved.block_hash,
    }


def _holding(holding: Holding) -> dict[str, int]:
    return {
        "balance_minor": holding.balance_minor,
        "available_minor": holding.available_minor,
        "held_minor": holding.held_minor,
    }


def _uetr(uetr: bytes | None) -> str:
    return "" if uetr is None else uetr_text(uetr)


def _hex(data: bytes | None) -> str | None:
    return None if data is None else "0x" + data.hex()
