"""What `tael doctor` looks at: the machine, the settings, the chain."""

from __future__ import annotations

from tael.cli.checks.chain import look_at_chain
from tael.cli.checks.check import Check, Status
from tael.cli.checks.configuration import (
    look_at_key,
    look_at_participant,
    look_at_settings,
    look_at_store,
)
from tael.cli.checks.machine import (
    look_at_extras,
    look_at_packages,
    look_at_programs,
    look_at_python,
)

__all__ = ["LOOKS", "Check", "Status"]

LOOKS = {
    "python": look_at_python,
    "packages": look_at_packages,
    "extras": look_at_extras,
    "programs": look_at_programs,
    "settings": look_at_settings,
    "key": look_at_key,
    "participant": look_at_participant,
    "store": look_at_store,
    "node": look_at_chain,
}
"""Each gives what it finds, in the order in which it is shown."""
