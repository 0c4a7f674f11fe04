"""What the package tells at each event of a write: it is counted, and logged if one listens.

Everything here takes plain values and returns whatever happens: no payment waits on a log. What is
told of a write are fields by the names in `tael.telemetry.logs.FIELDS`. Where they must be looked
up they come as an iterator, which is asked only if somebody listens.
"""

from __future__ import annotations

import functools
import logging
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, ParamSpec

from tael.errors import (
    ContractRevertedError,
    IdempotencyConflictError,
    OutcomeUnknownError,
    TaelError,
    TransactionRefusedError,
)
from tael.telemetry.counts import COUNTS
from tael.telemetry.logs import EventLog, Value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

Fields = Mapping[str, Value]

_WRITES = EventLog("tael.outbox")
_NODES = EventLog("tael.nodes")
_log = logging.getLogger(__name__)

Arguments = ParamSpec("Arguments")


def harmless(function: Callable[Arguments, None]) -> Callable[Arguments, None]:
    """A function that tells something, made to return whatever goes wrong with it."""

    @functools.wraps(function)
    def run(*args: Arguments.args, **kwargs: Arguments.kwargs) -> None:
        try:
            function(*args, **kwargs)
        except Exception:  # noqa: BLE001 - whatever goes wrong with telling, payments go on
            _log.exception("telling of an event failed")

    return run


def is_included_told() -> bool:
    """Whether anybody listens to what is included."""
    return _WRITES.is_on(logging.INFO)


# Orders


@harmless
def accepted(orders: Iterable[Fields]) -> None:
    """Orders were handed over; nothing of them is written down yet."""
    _tell_all(logging.DEBUG, "accepted", orders)


@harmless
def signed(transactions: Iterable[Fields]) -> None:
    """Orders were signed and written down."""
    _tell_all(logging.DEBUG, "signed", transactions)


@harmless
def sent(transactions: Iterable[Fields]) -> None:
    """What was signed was handed to a node, which did not refuse it."""
    _tell_all(logging.DEBUG, "sent", transactions)


@harmless
def conflict(write: Fields) -> None:
    """A reference was given for another order than the one it stands for."""
    COUNTS.fail(IdempotencyConflictError.code)
    _tell_all(logging.WARNING, "conflict", [write], code=IdempotencyConflictError.code)


@harmless
def unknown(order: Fields, why: str) -> None:
    """Somebody was told that nobody knows yet what became of an order."""
    COUNTS.fail(OutcomeUnknownError.code)
    _tell_all(logging.WARNING, "outcome unknown", [order], code=OutcomeUnknownError.code, why=why)


@harmless
def failed(order: Fields, error: BaseException) -> None:
    """An order was refused, or came to nothing, before it was in a block.

    Args:
        order: Which.
        error: What its caller is told; what is told of elsewhere is not told again.
    """
    if isinstance(error, (IdempotencyConflictError, OutcomeUnknownError)):
        return
    if isinstance(error, ContractRevertedError) and error.transaction_hash is not None:
        return
    was_refused = isinstance(error, (ContractRevertedError, TransactionRefusedError))
    code = error.code if isinstance(error, TaelError) else type(error).__name__
    name = error.name if isinstance(error, ContractRevertedError) else None
    COUNTS.fail(code)
    event = "refused" if was_refused else "failed"
    _tell_all(logging.WARNING, event, [order], code=code, name=name)


# Transactions


@harmless
def confirmed(found: Sequence[tuple[Fields, float]], *, is_final: bool) -> None:
    """Transactions took effect in blocks.

    Args:
        found: Of each what is told, and how many seconds after it was handed over.
        is_final: Whether that cannot be undone any more.
    """
    with COUNTS.lock:
        COUNTS.confirmed.update(Counter(str(each.get("verb") or "unknown") for each, _ in found))
        for _, seconds in found:
            COUNTS.inclusion.add(seconds)
            if is_final:
                COUNTS.finality.add(seconds)
    event = "final" if is_final else "included"
    _tell_all(logging.INFO, event, (fields for fields, _ in found))


@harmless
def refused(transaction: Fields, error: ContractRevertedError) -> None:
    """A contract refused a transaction, which is in a block."""
    COUNTS.fail(error.code)
    _tell_all(logging.WARNING, "refused", [transaction], code=error.code, name=error.name)


@harmless
def final(seconds: Sequence[float], transactions: Iterable[Fields]) -> None:
    """Transactions that took effect cannot be undone any more.

    Args:
        seconds: How long after each was signed.
        transactions: What is told of each.
    """
    with COUNTS.lock:
        for each in seconds:
            COUNTS.finality.add(each)
    _tell_all(logging.INFO, "final", transactions)


@harmless
def reorganised(count: int, transactions: Iterable[Fields]) -> None:
    """A reorganisation took transactions out of their blocks; the same bytes are sent again."""
    COUNTS.happen("reorganised", count)
    _tell_all(logging.WARNING, "reorganised", transactions)


@harmless
def replaced(old_hash: str, transactions: Iterable[Fields]) -> None:
    """A transaction that was stuck is sent again for a higher fee, with the same nonce."""
    COUNTS.happen("replaced")
    _tell_all(logging.WARNING, "replaced", transactions, replaced_hash=old_hash)


@harmless
def overtaken(transactions: Iterable[Fields]) -> None:
    """A nonce went to a transaction that this journal does not know, for good."""
    COUNTS.happen("overtaken")
    _tell_all(logging.WARNING, "overtaken", transactions)


@harmless
def gap_filled(count: int, transactions: Iterable[Fields]) -> None:
    """Nonces that nothing used were used for nothing."""
    COUNTS.happen("gap_filled", count)
    _tell_all(logging.WARNING, "gap filled", transactions)


# Nodes


@harmless
def node_left_out(node: str, why: str) -> None:
    """A node is not asked for a while.

    Args:
        node: Its URL without secrets.
        why: What it did.
    """
    _NODES.tell(logging.WARNING, "node left out", node=node, why=why)


@harmless
def node_in_use(node: str) -> None:
    """A node is asked from now on, or again."""
    _NODES.tell(logging.INFO, "node in use", node=node)


def _tell_all(level: int, event: str, told: Iterable[Fields], **more: Value) -> None:
    if _WRITES.is_on(level):
        for fields in told:
            _WRITES.tell(level, event, **{**fields, **more})
