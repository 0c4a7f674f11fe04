"""Settles payments between banks on an Ethereum-compatible chain.

Begin with :class:`Client`. Names are imported when they are first used, so that `import tael` is
quick and reading a QR code loads nothing of the chain.
"""

from __future__ import annotations

import logging
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tael import errors, events, qr, telemetry
    from tael.aio import AsyncClient
    from tael.audit import Difference, compare
    from tael.chain import Chain
    from tael.client import Client
    from tael.errors import IdempotencyConflictError, TaelError
    from tael.history import History
    from tael.identifiers import Identifiers
    from tael.keeper import Keeper
    from tael.ledger import Ledger
    from tael.manifest import Manifest
    from tael.models import (
        Acceptance,
        AccountStatus,
        Balance,
        BatchOutcome,
        CardEntry,
        CodeProof,
        Consent,
        EntryStatus,
        MerchantRecord,
        ParticipantStatus,
        PaymentStatus,
        PreparedPayment,
        Reserve,
        ScheduledOperation,
        SignedPayment,
        Verb,
        Written,
    )
    from tael.money import Currency, Money
    from tael.signers import KeystoreSigner, PrivateKeySigner, Signer
    from tael.terms import Terms

__version__ = "0.1.0"

# Nothing is printed unless the application asks for it.
logging.getLogger("tael").addHandler(logging.NullHandler())

__all__ = [
    # the client and what it needs
    "Client",
    "AsyncClient",
    "Chain",
    "Manifest",
    "Signer",
    "PrivateKeySigner",
    "KeystoreSigner",
    # values
    "Money",
    "Currency",
    "Terms",
    "Acceptance",
    "AccountStatus",
    "Balance",
    "BatchOutcome",
    "CardEntry",
    "CodeProof",
    "Consent",
    "EntryStatus",
    "MerchantRecord",
    "ParticipantStatus",
    "PaymentStatus",
    "PreparedPayment",
    "Reserve",
    "ScheduledOperation",
    "SignedPayment",
    "Verb",
    "Written",
    # books and upkeep
    "Identifiers",
    "History",
    "Ledger",
    "Difference",
    "compare",
    "Keeper",
    # errors
    "TaelError",
    "IdempotencyConflictError",
    # modules
    "errors",
    "events",
    "qr",
    "telemetry",
    "__version__",
]

_SUBMODULES = ("errors", "events", "qr", "telemetry")
_SOURCES = {
    "aio": ("AsyncClient",),
    "audit": ("Difference", "compare"),
    "chain": ("Chain",),
    "client": ("Client",),
    "errors": ("IdempotencyConflictError", "TaelError"),
    "history": ("History",),
    "identifiers": ("Identifiers",),
    "keeper": ("Keeper",),
    "ledger": ("Ledger",),
    "manifest": ("Manifest",),
    "models": (
        "Acceptance",
        "AccountStatus",
        "Balance",
        "BatchOutcome",
        "CardEntry",
        "CodeProof",
        "Consent",
        "EntryStatus",
        "MerchantRecord",
        "ParticipantStatus",
        "PaymentStatus",
        "PreparedPayment",
        "Reserve",
        "ScheduledOperation",
        "SignedPayment",
        "Verb",
        "Written",
    ),
    "money": ("Currency", "Money"),
    "signers": ("KeystoreSigner", "PrivateKeySigner", "Signer"),
    "terms": ("Terms",),
}
_MODULE_OF = {name: module for module, names in _SOURCES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name in _SUBMODULES:
        return import_module(f"tael.{name}")
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'tael' has no attribute {name!r}")
    value = getattr(import_module(f"tael.{_MODULE_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
