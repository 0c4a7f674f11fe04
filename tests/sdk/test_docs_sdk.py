"""The guide's examples run as they stand, in their order."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tael import qr
from tests.sdk.world import World

GUIDE = Path(__file__).parents[2] / "docs" / "sdk.md"


def key_of(world: World, role: str) -> bytes:
    from eth_account import Account

    from tests.sdk.world import ROLES

    path = f"m/44'/60'/0'/0/{ROLES.index(role)}"
    return bytes(Account.from_mnemonic(world.node.mnemonic, account_path=path).key)


def test_guide_runs_when_followed(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.manifest.save(tmp_path / "deployments" / "1337.json")
    monkeypatch.chdir(tmp_path)
    examples = re.findall(r"^```python\n(.*?)^```", GUIDE.read_text(), re.MULTILINE | re.DOTALL)
    assert len(examples) >= 8
    names = {
        "node_url": world.node.url,
        "issuer_key": key_of(world, "issuer"),
        "acquirer_key": key_of(world, "acquirer"),
        "card": world.signers["cardholder"],
        "scanned_text": qr.write(world.code(150_00, reference="INVOICE-1")),
    }
    for number, example in enumerate(examples):
        exec(compile(example, f"docs/sdk.md, example {number + 1}", "exec"), names)  # noqa: S102
