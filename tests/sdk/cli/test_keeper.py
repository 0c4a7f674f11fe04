"""`tael keeper` reclaims and voids, goes on and ends cleanly."""

import json
import signal

import pytest

from tael.errors import NodeUnavailableError
from tael.keeper import Keeper, KeeperReport
from tests.sdk.cli.steps import dynamic
from tests.support.world import OPENING_MINOR


def test_keeper_reclaims_what_is_due_and_voids_what_was_given_up(paying, acting, world):
    first = paying.json("pay", dynamic(world), "--reference", "P1", "--yes")
    second = paying.json(
        "pay", dynamic(world, reference="INV-2"), "--reference", "P2", "--yes", "--hold", "8d"
    )
    assert acting("outsider").json("keeper", "--once")["reclaimed"] == []
    world.node.advance_time(first["capture_before"] - world.chain.now())
    (acting("acquirer").folder / "given-up").write_text(second["payment_id"] + "\n")
    document = acting("acquirer").json("keeper", "--once", "--void", "given-up")
    assert document["reclaimed"] == [first["payment_id"]]
    assert document["voided"] == [second["payment_id"]]
    assert (document["failed"], document["left"]) == ([], 0)
    assert world.balances()["issuer", "CNY"] == (OPENING_MINOR, 0)
    shown = acting("outsider")("keeper", "--once")
    assert "0 reclaimed, 0 voided" in shown.out
    assert acting("outsider").json("keeper", "--once", "--void", "none", code=2)["error"]
    assert acting("outsider").json("keeper", "--interval", "often", code=2)["error"]


def test_keeper_goes_on_when_the_node_fails_for_a_while(acting, monkeypatch):
    reports = iter([NodeUnavailableError("the node sleeps"), KeeperReport(5, [b"\1" * 32])])

    def run(_keeper, *, once):
        assert once
        report = next(reports, KeyboardInterrupt())
        if isinstance(report, BaseException):
            raise report
        return report

    monkeypatch.setattr(Keeper, "run", run)
    result = acting("outsider")("keeper", "--interval", "1s")
    assert result.code == 130
    assert "warning: the node sleeps; looking again in 1s" in result.err
    assert "✓ reclaimed 0x0101" in result.out
    failing = KeeperReport(5, failed={b"\2" * 32: NodeUnavailableError("no")}, left=3)
    monkeypatch.setattr(Keeper, "run", lambda _keeper, *, once: failing)
    shown = acting("outsider")("keeper", "--once")
    assert (shown.code, "1 failed, 3 left" in shown.out) == (1, True)


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)], ids=["term", "ctrl-c"]
)
def test_keeper_ends_cleanly_when_stopped(acting, number, code):
    process = acting("outsider").start("keeper", "--interval", "1s", "--json")
    assert json.loads(process.stdout.readline())["left"] == 0
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    assert process.returncode == code
    assert "Traceback" not in out + err
