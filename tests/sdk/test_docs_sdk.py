"""The guides' examples run as they stand, in their order."""

from __future__ import annotations

from pathlib import Path

import pytest

from tael import qr
from tests.support.examples import run
from tests.support.world import World, cny, key_of


def test_guide_runs_when_followed(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.manifest.save(tmp_path / "deployments" / "1337.json")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    names = {
        "node_url": world.node.url,
        "other_node_url": world.node.url.replace("127.0.0.1", "localhost"),
        "issuer_key": key_of(world.node.mnemonic, "issuer"),
        "acquirer_key": key_of(world.node.mnemonic, "acquirer"),
        "card": world.signers["cardholder"],
        "scanned_text": qr.write(world.code(150_00, reference="INVOICE-1")),
    }
    assert run("sdk.md", names) >= 8
    names |= {
        "payee": world.address("acquirer"),
        "amount": cny("1.00"),
        "wait": lambda: None,
        # Python wants it before its first use, and the page explains it after.
        "attempt": lambda call: call(),
    }
    assert run("outcomes.md", names) >= 4
    names["signed_payments"] = [world.sign(f"ASYNC-{n}", cny("1.00")) for n in range(5)]
    assert run("async.md", names) == 3
    assert run("telemetry.md", names) == 3
    assert run("extending.md", {}) == 1
    for role in ("issuer", "acquirer"):
        names[role].close()
