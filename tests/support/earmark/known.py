"""Earmark as one of the package's contracts, for as long as a test lasts."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from scripts.artifacts import ROOT, artifact_text, compile_contracts
from tael import ledger
from tael.contracts import artifacts
from tael.contracts.registry import REGISTRY
from tests.support.earmark import index
from tests.support.earmark.effects import EFFECTS
from tests.support.earmark.kind import EARMARK

SOURCE = "tests/support/earmark/Earmark.sol"

__all__ = ["index", "known"]


@contextlib.contextmanager
def known(folder: Path) -> Iterator[None]:
    """Compile it into a folder, and have registry and ledger know it; the index does by import."""
    compilation = compile_contracts(only=[], extra_sources={SOURCE: (ROOT / SOURCE).read_text()})
    (folder / "Earmark.json").write_text(artifact_text(compilation, "Earmark"))
    artifacts.read(folder, "Earmark")
    with REGISTRY.having(EARMARK):
        ledger.EFFECTS.update(EFFECTS)
        try:
            yield
        finally:
            for event in EFFECTS:
                del ledger.EFFECTS[event]
