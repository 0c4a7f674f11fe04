"""Another chain, other code, and `tael deploy`."""

import json

import pytest

from tael import file_lock
from tael.chain import Chain
from tests.support.cli_runner import key_of

pytestmark = pytest.mark.usefixtures("on_chain", "no_programs")


def test_everything_is_refused_when_the_manifest_is_of_another_chain(acting, world):
    tael = acting("issuer")
    document = json.loads((tael.folder / "manifest.json").read_text())
    document["genesis_hash"] = "0x" + "00" * 32
    (tael.folder / "other.json").write_text(json.dumps(document))
    words = ("redeem", "1.00", "CNY", "--reference", "R", "--manifest", "other.json")
    assert tael.json(*words, code=2)["error"]["code"] == "network_mismatch"
    tael.set(TAEL_MANIFEST="other.json")
    failed = [each["check"] for each in tael.json("doctor", code=1)["checks"]
              if each["status"] == "fail"]  # fmt: skip
    assert failed == ["manifest"]
    tael.set(TAEL_CHAIN_ID="5")
    assert tael.json(*words, code=2)["error"]["code"] == "network_mismatch"


def test_verify_and_doctor_find_other_code(acting, world):
    tael = acting("issuer")
    assert tael.json("verify") == {"ok": True, "chain_id": 1337, "findings": []}
    assert "as planned" in tael("verify").out
    healthy = tael.json("doctor")
    assert healthy["counts"]["fail"] == 0
    world.node.rpc("anvil_setCode", world.manifest.escrow, "0x6001600101")
    findings = tael.json("verify", code=1)["findings"]
    assert findings
    assert tael("verify").code == 1
    code = [each for each in tael.json("doctor", code=1)["checks"] if each["check"] == "code"]
    assert code[0]["status"] == "fail"
    words = ("redeem", "1.00", "CNY", "--reference", "R")
    assert tael.json(*words, code=2)["error"]["code"] == "code_mismatch"


def test_doctor_warns_when_the_chains_clock_was_moved(acting, world):
    world.node.advance_time(100_000)
    clock = [each for each in acting("issuer").json("doctor")["checks"] if each["check"] == "clock"]
    assert clock[0]["status"] == "warn"


def test_deploy_finishes_once_and_changes_nothing_again(tael, world):
    plain = ("deploy", "--manifest", "new.json")
    operator = ("--operator", world.address("operator"))
    # The world's own deployer has other nonces by now; any funded key deploys.
    tael.set(TAEL_KEY=key_of(world, "outsider"))
    document = tael.json(*plain, *operator)
    assert document["complete"] is True
    assert set(document["tokens"]) == {"CNY", "HKD"}
    before = world.node.block_number()
    again = tael(*plain, *operator)
    assert again.code == 0
    assert "nothing to do" in again.err
    assert world.node.block_number() == before
    assert tael.json("verify", "--manifest", "new.json")["ok"] is True
    other = ("--operator", world.address("guardian"))
    assert tael.json(*plain, *other, code=2)["error"]["code"] == "configuration"
    both = (*plain, *operator, "--plan", "plan.toml")
    assert tael.json(*both, code=2)["error"]["code"] == "usage"
    assert tael.json(*plain, "--plan", "none.toml", code=2)["error"]["code"] == "configuration"


def test_deploy_is_refused_when_another_one_is_under_way(tael, world):
    block = world.node.block_number()
    with file_lock.hold(tael.folder / ".mine.json.lock", refusal="held by the test"):
        error = tael.json("deploy", "--manifest", "mine.json", code=1)["error"]
    assert error["code"] == "already_running"
    assert "mine.json" in error["message"]
    assert world.node.block_number() == block
    assert tael.json("deploy", "--manifest", "mine.json")["complete"] is True
    assert not (tael.folder / ".mine.json.lock").exists()


def test_deploy_needs_no_words_when_the_chain_is_local(tael, world):
    shown = tael("deploy", "--manifest", "new.json")
    assert shown.code == 0
    assert "deployed on chain 1337" in shown.out
    document = json.loads((tael.folder / "new.json").read_text())
    assert document["deployer"] == world.address("deployer")
    assert document["plan"]["scheme"]["account"] == world.address("operator")


def test_deploy_asks_when_the_chain_is_not_local(acting, world, monkeypatch):
    monkeypatch.setattr(Chain, "is_local", False)
    tael = acting("outsider")
    before = world.node.block_number()
    assert tael.json("deploy", "--manifest", "n.json", code=2)["error"]["code"] == "usage"
    operator = ("--operator", world.address("operator"))
    assert tael.json("deploy", *operator, code=2)["error"]["code"] == "usage"
    assert world.node.block_number() == before
