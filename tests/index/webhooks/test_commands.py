"""`tael webhooks` and `tael watch`."""

from __future__ import annotations

import pytest

from tests.index.webhooks.receiver import SECRET, Receiver
from tests.support.cli_runner import CommandLine
from tests.support.world import World, cny


@pytest.fixture
def tael(tael: CommandLine, world: World) -> CommandLine:
    return tael.on(world).set(
        TAEL_STORE=str(tael.folder / "own.db"), TAEL_WEBHOOK_SECRET=SECRET.hex()
    )


def test_command_posts_what_there_is(tael: CommandLine, world: World, receiver: Receiver) -> None:
    tael("index", "run", "--once")
    words = ("webhooks", "run", "core", "--url", receiver.url, "--once")
    refused = tael(*words)
    assert refused.code == 2
    assert "webhook_address" in refused.err
    here = ("--allow-network", "127.0.0.0/8")
    done = tael.json(*words, *here)
    assert (done["taken"], done["complete"]) == (len(receiver.events), True)
    world.authorize("P-1", cny("5.00"))
    tael("index", "run", "--once")
    assert tael(*words, *here, "--event", "PaymentCaptured", "-q").out == "0\n"
    again = tael.json(*words, *here, "--from-block", str(world.node.block_number()))
    assert again["taken"] == 1
    assert receiver.events[-1]["type"] == "PaymentAuthorized"


def test_command_refuses_what_cannot_be(tael: CommandLine, receiver: Receiver) -> None:
    tael("index", "run", "--once")
    words = ("webhooks", "run", "core", "--url", receiver.url, "--once")
    assert tael(*words, "--event", "Nothing").code == 2
    assert tael(*words, "--allow-network", "here").code == 2
    for secret in ("", "abc", "zz" * 32):
        tael.set(TAEL_WEBHOOK_SECRET=secret)
        result = tael(*words)
        assert result.code == 2
        assert "TAEL_WEBHOOK_SECRET" in result.err
        assert "zzz" not in result.err


def test_watch_prints_events_from_where_it_stopped(tael: CommandLine, world: World) -> None:
    tael("index", "run", "--once")
    first = tael("watch", "me", "--once", "--json").documents
    assert len(first) == len(list(world.client("outsider").history().events()))
    world.authorize("P-1", cny("5.00"))
    tael("index", "run", "--once")
    shown = tael("watch", "me", "--once").out
    assert "PaymentAuthorized" in shown
    assert "amount_minor=500" in shown
    assert tael("watch", "me", "--once").out == ""
    kinds = {
        each["type"]
        for each in tael("watch", "x", "--once", "--json", "--event", "Transfer").documents
    }
    assert kinds == {"Transfer"}
    assert tael("watch", "bad name", "--once").code == 2
