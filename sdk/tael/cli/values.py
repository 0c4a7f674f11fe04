"""Values as people type and read them: amounts, times, ids, files. Nothing here needs a chain."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tael.errors import InvalidInputError

if TYPE_CHECKING:
    from tael.models import ScheduledOperation, Written
    from tael.money import Money

__all__ = [
    "bytes32",
    "hexed",
    "read_document",
    "seconds",
    "shown_time",
    "to_money",
    "when",
    "written",
]

MAX_DOCUMENT_BYTES = 64 * 1024 * 1024
_SPAN = re.compile(r"([1-9][0-9]{0,8})(s|m|h|d)?", re.ASCII)
_UNIT_SECONDS = {None: 1, "s": 1, "m": 60, "h": 3_600, "d": 86_400}
_BYTES32 = re.compile(r"0x[0-9a-fA-F]{64}", re.ASCII)
_UNIX = re.compile(r"[0-9]{1,12}", re.ASCII)


def to_money(amount: str, currency: str) -> Money:
    """An amount in major units and the letters of its currency."""
    from tael.money import Money

    return Money.parse(amount, currency)


def seconds(text: str, *, name: str) -> int:
    """A span such as `90s`, `15m`, `2h` or `7d`, in seconds; a bare number counts seconds."""
    match = _SPAN.fullmatch(text)
    if match is None:
        raise InvalidInputError(f"{name} is a span such as 90s, 15m, 2h or 7d, not {text[:40]!r}")
    return int(match[1]) * _UNIT_SECONDS[match[2]]


def when(text: str, *, name: str) -> int:
    """A point in time, Unix seconds: as such, or in ISO 8601 with its offset from UTC."""
    if _UNIX.fullmatch(text):
        return int(text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise InvalidInputError(
            f"{name} is Unix seconds, or ISO 8601 with an offset as in 2026-01-31T18:00:00+08:00, "
            f"not {text[:40]!r}"
        )
    return int(moment.timestamp())


def bytes32(text: str, *, name: str) -> bytes:
    """32 bytes, written as 0x and 64 digits."""
    if not _BYTES32.fullmatch(text):
        raise InvalidInputError(f"{name} is 0x and 64 hexadecimal digits")
    return bytes.fromhex(text[2:])


def hexed(data: bytes | None) -> str | None:
    """Bytes as 0x and digits."""
    return None if data is None else "0x" + data.hex()


def read_document(path: Path) -> bytes:
    """A document of which only a hash goes on the chain."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_DOCUMENT_BYTES + 1)
    except OSError as error:
        raise InvalidInputError(f"{path}: {error.strerror or 'cannot be read'}") from error
    if not content or len(content) > MAX_DOCUMENT_BYTES:
        raise InvalidInputError(f"{path}: a document has 1 to {MAX_DOCUMENT_BYTES} bytes")
    return content


def shown_time(unix_seconds: int, *, now: int | None = None) -> str:
    """A time in UTC and as the clock on the wall has it; how far off, if `now` is given."""
    try:
        moment = datetime.fromtimestamp(unix_seconds, UTC)
    except (OverflowError, ValueError, OSError):
        return f"{unix_seconds} (Unix seconds)"
    local = moment.astimezone()
    text = f"{moment:%Y-%m-%d %H:%M:%S} UTC"
    if local.utcoffset():
        text += f" · {local:%Y-%m-%d %H:%M:%S %Z}"
    return text if now is None else f"{text} · {_distance(unix_seconds - now)}"


def written(done: Written) -> dict[str, Any]:
    """A write that is in a block, for programs."""
    return {
        "status": done.status,
        "reference": done.reference,
        "transaction_hash": done.transaction_hash,
        "block_number": done.block_number,
        "gas_used": done.gas_used,
        "repeated": done.repeated,
        "subject": hexed(done.subject),
    }


def scheduled(operation: ScheduledOperation) -> dict[str, Any]:
    """An act of governance that waits, for programs."""
    return {
        "status": "scheduled",
        "operation_id": hexed(operation.operation_id),
        "verb": operation.verb,
        "caller": operation.caller,
        "target": operation.target,
        "state": operation.state,
        "ready_at": operation.ready_at,
        "expires_at": operation.expires_at,
    }


def local_now() -> int:
    """This machine's clock, Unix seconds; deadlines on the chain never obey it."""
    return int(time.time())


def _distance(span_seconds: int) -> str:
    rest = abs(span_seconds)
    parts = []
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)):
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count} {unit}")
    text = " ".join(parts[:2]) or "now"
    if not parts:
        return text
    return f"in {text}" if span_seconds > 0 else f"{text} ago"
