"""Keys and reference secrets must be in nothing that a client writes: no log, no store."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

from tests.chaos.ground import keys, secret_of
from tests.chaos.plan import Plan
from tests.chaos.stores import Stores


def find_canaries(plan: Plan, folder: Path, stores: Stores) -> Iterator[str]:
    """Where a secret was found, in words; nothing if all kept quiet."""
    canaries = [
        (f"{what} of the {role}", form)
        for role in {worker.role for worker in plan.workers}
        for what, secret in (("key", keys()[role]), ("reference secret", secret_of(role)))
        for form in _forms(secret)
    ]
    for name, content in _written(folder, stores):
        lower = content.lower()
        for what, form in canaries:
            if form in content or form in lower:
                yield f"the {what} is in {name}"


def _forms(secret: bytes) -> list[bytes]:
    return [
        secret,
        secret.hex().encode(),
        base64.b64encode(secret).rstrip(b"="),
        base64.urlsafe_b64encode(secret).rstrip(b"="),
        str(int.from_bytes(secret, "big")).encode(),
    ]


def _written(folder: Path, stores: Stores) -> Iterator[tuple[str, bytes]]:
    for pattern in ("*.log", "*.jsonl"):
        for file in folder.glob(pattern):
            # The nodes' own logs show the keys of their accounts; they are no part of the SDK.
            if not file.name.startswith(("anvil-", "ganache-")):
                yield file.name, file.read_bytes()
    for name in stores.names():
        yield from stores.bytes_of(name)
