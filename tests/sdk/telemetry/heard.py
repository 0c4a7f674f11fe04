"""Listens to what the SDK tells."""

from __future__ import annotations

import logging
from typing import Any


class Heard(logging.Handler):
    """The events that were told, as dictionaries with their level."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)

    def told(self, *events: str) -> list[dict[str, Any]]:
        return [
            record.tael | {"level": record.levelname}
            for record in self.records
            if hasattr(record, "tael") and (not events or record.tael["event"] in events)
        ]

    def events(self) -> list[str]:
        return [each["event"] for each in self.told()]
