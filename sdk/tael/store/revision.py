"""Which revision of the tables this version of the package works on."""

from __future__ import annotations

HEAD = "0003"
"""The newest file in `migrations/versions`; a test compares."""
