"""Reports from the index: statements that prove themselves, and reconciliation."""

from __future__ import annotations

from tael.reporting.bank_file import BadRow, BankRow, RowState, read_bank_file
from tael.reporting.documents import as_csv, as_json
from tael.reporting.names import read_names
from tael.reporting.page import as_html, style_sheet
from tael.reporting.reconciliation import (
    ChainEntry,
    Differing,
    Reconciliation,
    Tally,
    reconcile,
)
from tael.reporting.statement import Holding, Statement, StatementLine, statement

__all__ = [
    # statements
    "statement",
    "Statement",
    "StatementLine",
    "Holding",
    "as_json",
    "as_csv",
    "as_html",
    "read_names",
    "style_sheet",
    # reconciliation
    "reconcile",
    "read_bank_file",
    "Reconciliation",
    "BankRow",
    "BadRow",
    "ChainEntry",
    "Differing",
    "RowState",
    "Tally",
]
