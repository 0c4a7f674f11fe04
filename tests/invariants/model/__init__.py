"""The reference model: what each function of the contracts must do, in plain Python.

Written from the interfaces and the design, it predicts for every call either the exact refusal or
the returned values, the events and the whole state afterwards. Addresses are lower case, amounts
minor units, times Unix seconds.
"""

from .directory import Directory, merchant_id
from .escrow import Escrow
from .token import Token
from .values import (
    ALL_VERBS,
    DAY,
    MAX_BATCH,
    MAX_ENTRIES,
    MAX_SUPPLY,
    MAX_WORD,
    ZERO,
    Account,
    Card,
    Entry,
    Merchant,
    Payment,
    Source,
    Status,
    Verb,
)
from .world import Contract, Governance, World

__all__ = [
    "ALL_VERBS",
    "Account",
    "Card",
    "Contract",
    "DAY",
    "Directory",
    "Entry",
    "Escrow",
    "Governance",
    "MAX_BATCH",
    "MAX_ENTRIES",
    "MAX_SUPPLY",
    "MAX_WORD",
    "Merchant",
    "Payment",
    "Source",
    "Status",
    "Token",
    "Verb",
    "World",
    "ZERO",
    "merchant_id",
]
