"""`tael resolve` and `tael resume`: what a shell is told of what was sent."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.cli_runner import CommandLine, key_of
from tests.support.world import World


@pytest.fixture
def tael(tael: CommandLine, world: World) -> CommandLine:
    return tael.on(world, "issuer")


def pay(
    tael: CommandLine, world: World, *, reference: str = "T-1", code: int = 0
) -> dict[str, Any]:
    words = ("transfer", world.address("acquirer"), "1.00", "CNY", "--wait", "1s")
    return tael.json(*words, "--reference", reference, code=code)


def test_resolve_gives_the_evidence_when_it_is_settled(tael: CommandLine, world: World) -> None:
    written = pay(tael, world)
    found = tael.json("resolve", "T-1")
    assert (found["reference"], found["state"], found["status"]) == ("T-1", "settled", "final")
    assert found["transaction_hashes"] == [written["transaction_hash"]]
    assert found["block_number"] == written["block_number"]
    assert found["subject"] == written["subject"]
    assert found["refusal"] is None
    shown = tael("resolve", "T-1")
    assert shown.out.startswith("settled, final: T-1\n")
    assert written["transaction_hash"] in shown.out
    assert tael("resolve", "T-1", "--quiet").out == "settled\n"


def test_resolve_ends_with_4_when_it_is_pending(
    tael: CommandLine, world: World, manual: Callable[[], None]
) -> None:
    unheard = tael.json("resolve", "T-0", code=4)
    assert (unheard["state"], unheard["status"], unheard["transaction_hashes"]) == (
        "pending",
        None,
        [],
    )
    error = pay(tael, world, code=4)["error"]
    assert error["code"] == "outcome_unknown"
    found = tael.json("resolve", "T-1", code=4)
    assert (found["state"], found["status"]) == ("pending", "submitted")
    assert found["transaction_hashes"] == [error["transaction_hash"]]
    assert found["valid_before"] > world.chain.now()
    shown = tael("resolve", "T-1")
    assert (shown.code, "may still be included" in shown.out) == (4, True)
    manual()
    assert tael.json("resolve", "T-1")["state"] == "settled"


def test_resolve_ends_with_1_when_it_is_absent(tael: CommandLine, world: World) -> None:
    tael.set(TAEL_KEY=key_of(world, "operator"))
    words = ("issue", world.address("issuer"), "999999999.00", "CNY", "--reference", "I-1")
    refused = tael.json(*words, code=1)["error"]
    found = tael.json("resolve", "I-1", code=1)
    assert (found["state"], found["status"]) == ("absent", "final")
    assert found["refusal"]["code"] == refused["code"]
    assert found["refusal"]["name"] == refused["name"]
    shown = tael("resolve", "I-1")
    assert shown.code == 1
    assert "refused" in shown.out


def test_resolve_is_refused_when_the_reference_is_none(tael: CommandLine) -> None:
    assert tael.json("resolve", "A_B", code=2)["error"]["code"] == "invalid_input"
    assert tael("resolve").code == 2


def test_resume_finishes_what_another_process_left(
    tael: CommandLine, world: World, manual: Callable[[], None]
) -> None:
    pay(tael, world, reference="T-1", code=4)
    pay(tael, world, reference="T-2", code=4)
    waiting = tael("resume", "--wait", "1s", "--json")
    assert waiting.code == 4
    assert [each["state"] for each in waiting.documents] == ["pending", "pending"]
    manual()
    shown = tael("resume")
    assert shown.code == 0
    assert shown.out.splitlines()[0].split() == ["REFERENCE", "STATE", "STATUS", "BLOCK", "WHY"]
    assert [line.split()[:3] for line in shown.out.splitlines()[1:]] == [
        ["T-1", "settled", "final"],
        ["T-2", "settled", "final"],
    ]
    again = tael("resume")
    assert (again.code, again.out) == (0, "")
    assert "nothing was in flight" in again.err
    assert tael("resume", "--json").out == ""


def test_resume_tells_of_a_refusal(
    tael: CommandLine, world: World, manual: Callable[[], None]
) -> None:
    tael.set(TAEL_KEY=key_of(world, "operator"))
    words = ("issue", world.address("issuer"), "1.00", "CNY", "--reference", "I-1", "--wait", "1s")
    assert tael.json(*words, code=4)["error"]["code"] == "outcome_unknown"
    # A pause comes first, in the same block.
    guardian = world.client("guardian")
    sending = guardian.contract("SettlementToken", "CNY").function("pause").encode()
    raw = world.signers["guardian"].sign_transaction(
        {
            "to": world.manifest.token("CNY"),
            "data": "0x" + sending.hex(),
            "value": 0,
            "gas": 200_000,
            "nonce": int(
                world.node.rpc("eth_getTransactionCount", world.address("guardian"), "latest"), 16
            ),
            "chainId": world.chain.chain_id,
            "maxFeePerGas": 10**12,
            "maxPriorityFeePerGas": 10**11,
        }
    )
    world.node.rpc("eth_sendRawTransaction", "0x" + raw.hex())
    manual()
    result = tael("resume", "--json")
    (found,) = result.documents
    assert (result.code, found["state"]) == (1, "absent")
    assert found["refusal"]["name"] == "TokenPaused"
    assert json.loads(tael("resolve", "I-1", "--json").out)["state"] == "absent"
