"""What the package does, for those who watch it: structured logs and Prometheus metrics.

Nothing is printed and nothing is served unless an application asks for it. Logs go to the standard
library's loggers under `tael`, so whatever an application has set up for logging applies to them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tael.telemetry.counts import set_index_lag
from tael.telemetry.logs import configure

if TYPE_CHECKING:
    from tael.telemetry.metrics import Collector, Serving, serve

__all__ = ["Collector", "Serving", "configure", "serve", "set_index_lag"]


def __getattr__(name: str) -> Any:
    # Only who serves metrics loads what serves them.
    if name not in ("Collector", "Serving", "serve"):
        raise AttributeError(f"module 'tael.telemetry' has no attribute {name!r}")
    from tael.telemetry import metrics

    return getattr(metrics, name)
