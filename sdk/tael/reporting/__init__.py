"""Reports from the index: statements that prove themselves, and reconciliation."""

from __future__ import annotations

from tael.reporting.bank_file import BadRow, BankRow, State, read_bank_file
from tael.reporting.documents import as_csv, as_json
from tael.reporting.page import as_html
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
    # reconciliation
    "reconcile",
    "read_bank_file",
    "Reconciliation",
    "BankRow",
    "BadRow",
    "ChainEntry",
    "Differing",
    "State",
    "Tally",
]
