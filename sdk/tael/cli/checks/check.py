"""One thing that `tael doctor` looked at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Check", "Status"]

Status = Literal["ok", "warn", "fail"]


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Args:
        name: What.
        status: `ok`, `warn` (something will not work, or could be better) or `fail`.
        found: What was found.
        what_now: What to do; empty if nothing.
    """

    name: str
    status: Status
    found: str
    what_now: str = ""

    def to_dict(self) -> dict[str, str]:
        """For programs."""
        return {
            "check": self.name,
            "status": self.status,
            "found": self.found,
            "what_now": self.what_now,
        }
