"""Structured logs: named events with fields, on the standard library's loggers.

An event is one record whose message reads `included reference=PAY-1 block=7`, and whose attribute
`tael` has the same as a dictionary. Only fields named here ever get into a record, and only plain
values: neither a key nor a signed transaction has a name to travel under.
"""

from __future__ import annotations

import logging
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, MutableMapping
    from typing import TextIO

    Fields = MutableMapping[str, Any]

__all__ = ["EventLog", "configure"]

ROOT = "tael"
FIELDS = (
    "reference",
    "part",
    "verb",
    "participant",
    "sender",
    "nonce",
    "transaction_hash",
    "replaced_hash",
    "block",
    "code",
    "name",
    "node",
    "why",
)
"""The fields an event may have, in the order they are shown."""

Value = str | int | None

_STACK_LEVEL = 5
"""How far up whoever tells an event stands from where structlog calls the logger."""


class EventLog:
    """Tells events to one of the standard library's loggers.

    Args:
        name: The logger's name, under `tael`.
    """

    def __init__(self, name: str) -> None:
        self._logger = logging.getLogger(name)
        self._structured: Any = None

    def is_on(self, level: int) -> bool:
        """Whether anybody listens at this level."""
        return self._logger.isEnabledFor(level)

    def tell(self, level: int, event: str, **fields: Value) -> None:
        """Log an event.

        Args:
            level: The standard library's.
            event: What happened.
            fields: Of those in `FIELDS`; None is left out.
        """
        if not self._logger.isEnabledFor(level):
            return
        if self._structured is None:
            self._structured = _structured(self._logger)
        self._structured.log(level, event, **fields)


def configure(
    *, json: bool = False, level: int | str = "INFO", stream: TextIO | None = None
) -> Callable[[], None]:
    """Print the package's logs: for applications that have set up no logging of their own.

    Only loggers under `tael` are touched. What they say goes nowhere else until this is taken back.

    Args:
        json: One JSON object a line, with `time`, `level`, `logger`, `event` and its fields; else
            text for people.
        level: The lowest level that is printed: `DEBUG` shows every event of every write.
        stream: Where to; None is standard error.

    Returns:
        A function that takes it back.

    Example:
        >>> stop = configure(level="DEBUG")
        >>> stop()
    """
    logger = logging.getLogger(ROOT)
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(_Formatter(as_json=json))
    before = (logger.level, logger.propagate)
    logger.addHandler(handler)
    logger.setLevel(level)
    logger.propagate = False

    def take_back() -> None:
        logger.removeHandler(handler)
        logger.setLevel(before[0])
        logger.propagate = before[1]

    return take_back


class _Formatter(logging.Formatter):
    """Formats events, and whatever else is logged under `tael`."""

    def __init__(self, *, as_json: bool) -> None:
        super().__init__()
        self._as_json = as_json

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        moment = moment.replace("+00:00", "Z")
        level = record.levelname.lower()
        trace = self.formatException(record.exc_info) if record.exc_info else None
        if not self._as_json:
            line = f"{moment} {level:<7} {record.name} {_printable(record.getMessage())}"
            return line if trace is None else f"{line}\n{trace}"
        from structlog.processors import JSONRenderer

        event = getattr(record, "tael", None) or {"event": record.getMessage()}
        document = {"time": moment, "level": level, "logger": record.name, **event}
        if trace is not None:
            document["exception"] = trace
        return str(JSONRenderer()(None, "", document))


def _structured(logger: logging.Logger) -> Any:
    # Imported when there is something to say: it costs a quarter of a second. Its processors are
    # given here, for what structlog does by default is the application's to configure.
    import structlog

    return structlog.wrap_logger(
        logger,
        processors=[_keep_known, _to_record],
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def _keep_known(_logger: Any, _method: str, event: Fields) -> Fields:
    kept: dict[str, Any] = {"event": event["event"]}
    for name in FIELDS:
        value = event.get(name)
        if isinstance(value, str):
            kept[name] = _printable(value)
        elif isinstance(value, int):
            kept[name] = value
    return kept


def _to_record(_logger: Any, _method: str, event: Fields) -> tuple[tuple[str], dict[str, Any]]:
    from structlog.processors import LogfmtRenderer

    fields = {name: value for name, value in event.items() if name != "event"}
    shown = LogfmtRenderer(bool_as_flag=False)(None, "", fields)
    said = {"extra": {"tael": dict(event)}, "stacklevel": _STACK_LEVEL}
    return (f"{event['event']} {shown}".rstrip(),), said


def _printable(text: str) -> str:
    """Text that cannot steer a terminal or begin a line of its own."""
    if text.isprintable():
        return text
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode("ascii")
        for each in text
    )
