"""Interruptions and lost answers: what is known is said, nothing is sent twice."""

import json
import signal

import pytest

from tael.outbox import Finality, Outbox
from tests.sdk.cli.steps import pending
from tests.support.faulty_proxy import FaultyProxy
from tests.support.waiting import wait_until
from tests.support.world import OPENING_MINOR, cny


@pytest.mark.threat("S05")
def test_interruption_says_what_is_known_when_a_write_is_under_way(acting, not_mining):
    world = not_mining
    tael = acting("operator")
    words = ("issue", world.address("issuer"), "7.00", "CNY", "--reference", "ISS-9", "--json")
    process = tael.start(*words)
    wait_until(lambda: pending(world))
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (130, "")
    error = json.loads(out)["error"]
    assert (error["code"], error["fate"], error["reference"]) == ("interrupted", "pending", "ISS-9")
    assert error["transaction_hash"] in pending(world)
    world.node.mine()
    again = tael.json(*words[:-1])
    assert (again["repeated"], again["transaction_hash"]) == (True, error["transaction_hash"])
    assert world.client("issuer").balances.of("CNY").total == cny("1000007.00")


@pytest.mark.parametrize("fate", ["included", "unknown"])
def test_interruption_names_the_fate_of_what_was_under_way(acting, world, monkeypatch, fate):
    with FaultyProxy(world.node.url).serving() as proxy:
        tael = acting("issuer").set(TAEL_RPC_URL=proxy.url)
        send = Outbox.send

        def sent(*words, **more):
            send(*words, **more)
            if fate == "unknown":
                proxy.arm("*", "503", times=1_000)
            raise KeyboardInterrupt

        monkeypatch.setattr(Outbox, "send", sent)
        if fate == "unknown":
            # As on a chain whose blocks can be undone: the journal alone does not know.
            monkeypatch.setattr(Finality, "is_immediate", property(lambda _: False))
        error = tael.json("redeem", "1.00", "CNY", "--reference", "R-1", code=130)["error"]
        assert (error["code"], error["fate"], error["reference"]) == ("interrupted", fate, "R-1")
        assert world.balances()["issuer", "CNY"] == (OPENING_MINOR - 100, 0)


@pytest.mark.threat("S05")
def test_exit_is_4_and_the_repeat_is_harmless_when_no_block_comes(acting, not_mining):
    tael = acting("operator")
    words = ("issue", not_mining.address("issuer"), "7.00", "CNY", "--reference", "ISS-9")
    result = tael(*words, "--wait", "1s")
    assert result.code == 4
    assert result.err.splitlines()[-1] == " code: outcome_unknown"
    not_mining.node.mine()
    assert tael.json(*words)["repeated"] is True


def test_an_interrupted_deployment_goes_on_when_it_is_run_again(acting, not_mining):
    tael = acting("outsider")
    words = ("deploy", "--manifest", "new.json", "--operator", not_mining.address("operator"))
    process = tael.start(*words, "--json")
    wait_until(lambda: pending(not_mining))
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "is written down beside new.json" in json.loads(out)["error"]["message"]
    (first,) = pending(not_mining)
    not_mining.node.rpc("evm_setAutomine", True)
    not_mining.node.mine()
    assert tael.json(*words)["complete"] is True
    document = json.loads((tael.folder / "new.json").read_text())
    assert document["contracts"]["governance"]["transaction_hash"] == first


@pytest.mark.threat("S06")
def test_nothing_is_sent_twice_when_the_answer_is_lost(acting, world):
    with FaultyProxy(world.node.url).serving() as proxy:
        tael = acting("operator").set(TAEL_RPC_URL=proxy.url)
        words = ("issue", world.address("issuer"), "7.00", "CNY", "--reference", "ISS-9")
        proxy.arm("eth_sendRawTransaction", "drop_after")
        assert tael.json(*words)["repeated"] is False
        assert tael.json(*words)["repeated"] is True
        assert world.client("issuer").balances.of("CNY").total == cny("1000007.00")


def test_exit_is_3_when_the_node_fails_before_anything_is_signed(acting, world, monkeypatch):
    monkeypatch.setattr("tael.cli.session.NODE_RETRY_SECONDS", 0.2)
    with FaultyProxy(world.node.url).serving() as proxy:
        tael = acting("operator").set(TAEL_RPC_URL=proxy.url)
        words = ("issue", world.address("issuer"), "7.00", "CNY", "--reference", "ISS-9")
        proxy.arm("eth_estimateGas", "503", times=1_000)
        assert tael.json(*words, code=3)["error"]["code"] == "node_unavailable"
        assert proxy.requests["eth_sendRawTransaction"] == 0
