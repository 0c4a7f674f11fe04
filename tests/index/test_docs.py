"""The examples of the pages run as they stand, in their order."""

from __future__ import annotations

from pathlib import Path

import pytest

from tael import Identifiers
from tael.webhooks import SIGNATURE_HEADER, TIMESTAMP_HEADER, signature
from tests.support.examples import run
from tests.support.world import World, cny


def test_pages_run_when_followed(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.manifest.save(tmp_path / "deployments" / "1337.json")
    monkeypatch.chdir(tmp_path)
    payment = world.authorize("P-1", cny("5.00"))
    world.client("acquirer").payments.capture(payment, cny("5.00"), reference="C-1")
    (tmp_path / "payments.csv").write_text(
        "reference,amount,currency,state\nP-1,5.01,CNY,captured\n"
    )
    signer = world.signers["issuer"]
    body, secret = b'{"events":[{"id":"evt_1"}]}', bytes(range(32))
    import time

    handled: list[str] = []
    now = int(time.time())
    names: dict[str, object] = {
        "node_url": world.node.url,
        "bank": signer.address,
        "identifiers": Identifiers.from_signer(signer.address, signer.sign_digest),
        "body": body,
        "secret": secret,
        "headers": {TIMESTAMP_HEADER: str(now), SIGNATURE_HEADER: signature(now, body, [secret])},
        "handle_once": lambda id_, _: handled.append(id_),
    }
    assert run("index.md", names) == 2
    assert run("reconciliation.md", names) == 2
    assert names["outcome"].breaks == 1
    assert run("webhooks.md", names) == 1
    assert (handled, names["status"]) == (["evt_1"], 200)
    names["headers"] = {}
    assert run("webhooks.md", names) == 1
    assert names["status"] == 400
    names["store"].close()
