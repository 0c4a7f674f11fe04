"""What those who run `tael` watch it by: its log on standard error, and metrics over HTTP."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from tael.cli.failures import UsageError
from tael.errors import ConfigurationError

if TYPE_CHECKING:
    from tael.cli.session import Session

__all__ = ["LOG_VARIABLE", "MetricsOption", "log_as_asked", "metrics_served"]

LOG_VARIABLE = "TAEL_LOG"

MetricsOption = Annotated[
    str | None,
    typer.Option(
        "--metrics",
        metavar="[HOST:]PORT",
        help="Serve Prometheus metrics there; on loopback unless a host is named.",
    ),
]

_LOG = re.compile(r"(text|json)(?::(debug|info|warning|error))?", re.ASCII)
_PLACE = re.compile(r"(?:(\[[0-9a-fA-F:.]+\]|[^:\[\]]+):)?([0-9]{1,5})", re.ASCII)


def log_as_asked() -> Callable[[], None]:
    """Log to standard error if `TAEL_LOG` says so: `text` or `json`, with `:debug` for every step.

    Returns:
        A function that ends it.

    Raises:
        ConfigurationError: The variable says something else.
    """
    asked = os.environ.get(LOG_VARIABLE, "")
    if not asked:
        return lambda: None
    match = _LOG.fullmatch(asked)
    if match is None:
        raise ConfigurationError(
            f"{LOG_VARIABLE} is text or json, and :debug, :info, :warning or :error after it"
        )
    from tael.telemetry import configure

    return configure(json=match[1] == "json", level=(match[2] or "info").upper())


@contextmanager
def metrics_served(session: Session, where: str | None) -> Iterator[None]:
    """Serve metrics as long as the block runs, if a place for them was named.

    Raises:
        UsageError: It is no place.
        ConfigurationError: Nothing can be served there.
    """
    if where is None:
        yield
        return
    match = _PLACE.fullmatch(where)
    if match is None or int(match[2]) > 65_535:
        raise UsageError("--metrics is a port, or a host and a port, as in 9464 or 10.0.0.7:9464.")
    from tael import telemetry

    host = (match[1] or "127.0.0.1").strip("[]")
    serving = telemetry.serve(int(match[2]), host)
    session.output.note(f"metrics at {serving.url}")
    try:
        yield
    finally:
        serving.close()
