"""What is logged, and that it neither costs a payment nor gives anything away."""

from __future__ import annotations

import io
import json
import logging
import subprocess
import sys
import time
from collections.abc import Callable

import pytest

from tael import Chain, telemetry
from tael.errors import (
    ContractRevertedError,
    IdempotencyConflictError,
    InsufficientFundsError,
    OutcomeUnknownError,
)
from tael.outbox import FeePolicy
from tael.store import Store
from tael.telemetry import steps
from tael.telemetry.logs import FIELDS, StepLog
from tests.sdk.telemetry.heard import Heard
from tests.support.bank import DEEP, SHORTLY, client, transfer
from tests.support.faulty_proxy import FaultyProxy
from tests.support.waiting import wait_until
from tests.support.world import World, cny

# Steps


def test_a_write_is_told_at_each_of_its_steps(world: World, heard: Heard) -> None:
    with client(world) as bank:
        written = transfer(bank, world, "T-1")
    found = heard.steps("accepted", "signed", "sent", "final")
    assert sorted(each["event"] for each in found) == ["accepted", "final", "sent", "signed"]
    what = {
        "reference": "T-1",
        "verb": "transferWithAuthorization",
        "participant": world.address("issuer"),
    }
    where = {"sender": world.address("issuer"), "transaction_hash": written.transaction_hash}
    by_event = {each.pop("event"): each for each in found}
    assert by_event["accepted"] == {**what, "level": "DEBUG"}
    nonce = by_event["signed"]["nonce"]
    assert by_event["signed"] == {**what, **where, "nonce": nonce, "level": "DEBUG"}
    assert by_event["sent"] == by_event["signed"]
    assert by_event["final"] == {
        **by_event["signed"],
        "block": written.block_number,
        "level": "INFO",
    }
    (record,) = [each for each in heard.records if each.getMessage().startswith("final")]
    assert (record.name, record.filename) == ("tael.outbox", "steps.py")
    assert record.getMessage().startswith("final reference=T-1 verb=transferWithAuthorization ")


def test_included_final_and_reorganised_are_told_apart(world: World, heard: Heard) -> None:
    bank = client(world, finality=DEEP)
    written = transfer(bank, world, "T-1")
    world.node.rpc("anvil_reorg", 1, [])
    wait_until(lambda: bank.resolve("T-1") and len(heard.steps("included")) == 2)
    world.node.mine()
    world.node.mine()
    wait_until(lambda: heard.steps("final"))
    bank.close()
    events = [each for each in heard.events() if each in ("included", "reorganised", "final")]
    assert events in (
        ["included", "reorganised", "included", "final"],
        # The node put it back into a block before anybody looked.
        ["included", "included", "final"],
    )
    for each in heard.steps("included", "reorganised", "final"):
        assert each["reference"] == "T-1"
        assert each["transaction_hash"] == written.transaction_hash


def test_refusals_are_told_with_code_and_name(world: World, heard: Heard) -> None:
    with client(world) as bank, pytest.raises(InsufficientFundsError):
        transfer(bank, world, "T-1", "99999999.00")
    (early,) = heard.steps("refused")
    assert (early["code"], early["name"]) == (InsufficientFundsError.code, "InsufficientAvailable")
    assert (early["reference"], early["level"]) == ("T-1", "WARNING")
    assert "transaction_hash" not in early
    # Simulated by nobody, it is refused in a block.
    with client(world, simulate=False) as bank, pytest.raises(ContractRevertedError) as refused:
        transfer(bank, world, "T-2", "99999999.00")
    included = heard.steps("refused")[1:]
    assert [each["reference"] for each in included] == ["T-2"]
    assert included[0]["transaction_hash"] == refused.value.transaction_hash
    assert included[0]["block"] == world.chain.block_number()
    assert included[0]["name"] == refused.value.name


def test_a_conflict_is_told_once(world: World, heard: Heard) -> None:
    with client(world) as bank:
        transfer(bank, world, "T-1")
        with pytest.raises(IdempotencyConflictError):
            transfer(bank, world, "T-1", "2.00")
    (conflict,) = heard.steps("conflict")
    assert (conflict["reference"], conflict["code"]) == ("T-1", IdempotencyConflictError.code)


def test_an_unknown_outcome_a_replacement_and_a_resumed_write_are_told(
    world: World, manual: Callable[[], None], heard: Heard
) -> None:
    store = Store.temporary()
    bank = client(world, store=store, wait_seconds=SHORTLY, fees=FeePolicy(bump_after_seconds=2))
    with pytest.raises(OutcomeUnknownError) as unknown:
        transfer(bank, world, "T-1")
    (told,) = heard.steps("outcome unknown")
    assert told["transaction_hash"] == unknown.value.transaction_hash
    wait_until(lambda: heard.steps("replaced"))
    (replaced,) = heard.steps("replaced")
    assert replaced["replaced_hash"] == unknown.value.transaction_hash
    assert replaced["transaction_hash"] != replaced["replaced_hash"]
    assert replaced["reference"] == "T-1"
    bank.close()
    # Nobody in this process ordered it: the journal knows what it is.
    heard.records.clear()
    manual()
    again = client(world, store=store)
    again.resume()
    again.close()
    (final,) = heard.steps("final")
    assert (final["reference"], final["verb"]) == ("T-1", "transferWithAuthorization")


def test_a_filled_gap_is_told(world: World, heard: Heard) -> None:
    with FaultyProxy(world.node.url).serving() as proxy:
        bank = client(world, chain=Chain.connect(proxy.url))
        count = int(world.node.rpc("eth_getTransactionCount", bank.participant, "latest"), 16)
        proxy.arm("eth_getTransactionCount", lie=hex(count + 2), times=2)
        transfer(bank, world, "T-1")
        bank.close()
    told = heard.steps("gap filled")
    assert [each["nonce"] for each in told] == [count, count + 1]
    assert all("reference" not in each for each in told)


def test_an_overtaken_nonce_is_told(world: World, manual: Callable[[], None], heard: Heard) -> None:
    bank = client(world, wait_seconds=SHORTLY)
    with pytest.raises(OutcomeUnknownError):
        transfer(bank, world, "T-1")
    (signed,) = heard.steps("signed")
    other = world.signers["issuer"].sign_transaction(
        {
            "to": world.address("issuer"),
            "value": 0,
            "gas": 21_000,
            "nonce": signed["nonce"],
            "chainId": world.chain.chain_id,
            "maxFeePerGas": 10**11,
            "maxPriorityFeePerGas": 10**10,
        }
    )
    world.node.rpc("eth_sendRawTransaction", "0x" + other.hex())
    manual()
    wait_until(lambda: heard.steps("overtaken"))
    (told,) = heard.steps("overtaken")
    assert (told["nonce"], told["reference"]) == (signed["nonce"], "T-1")
    bank.close()


def test_a_node_that_is_left_out_is_told(world: World, heard: Heard) -> None:
    with FaultyProxy(world.node.url).serving() as proxy:
        chain = Chain.connect([proxy.url, world.node.url])
        proxy.down()
        assert chain.block_number()
        (told,) = heard.steps("node left out")
        assert (told["node"], told["level"]) == (proxy.url, "WARNING")
        assert told["why"]
    assert heard.steps("node in use")[0]["node"]


# What is never told


def test_only_known_fields_with_plain_values_are_told(heard: Heard) -> None:
    log = StepLog("tael.test")
    log.tell(
        logging.INFO,
        "done",
        reference="T-1",
        nonce=0,
        key="ab" * 32,
        raw=b"\x02",
        block=None,
        transaction_hash=b"\x03",  # type: ignore[arg-type]
    )
    (record,) = heard.records
    assert record.tael == {"event": "done", "reference": "T-1", "nonce": 0}  # type: ignore[attr-defined]
    assert record.getMessage() == "done reference=T-1 nonce=0"
    assert not {"key", "raw", "signature", "data"} & set(FIELDS)


def test_what_a_stranger_wrote_cannot_steer_a_terminal(heard: Heard) -> None:
    steps.node_left_out("http://node", "\x1b[2Jgone\nfinal reference=PAY-1 \u202e 100%")
    (record,) = heard.records
    assert record.getMessage().isprintable()
    assert record.getMessage().startswith("node left out node=http://node why=")


def test_no_signature_and_no_transaction_is_told(world: World, heard: Heard) -> None:
    bank = client(world)
    payment = world.sign("P-1", cny("5.00"))
    bank.payments.authorize(payment, reference="P-1")
    signed = bank._writer.journal.transactions_of(1)
    bank.close()
    told = "\n".join(record.getMessage() + repr(vars(record)) for record in heard.records)
    assert signed
    for each in signed:
        assert each.raw.hex() not in told
    assert payment.card_signature.hex() not in told
    assert "final reference=P-1 verb=authorize" in told


# Where it goes


def test_nothing_is_printed_unless_asked_for() -> None:
    code = """
import tael
from tael.telemetry import configure, steps
steps.node_left_out("http://node", "it is gone")
stop = configure(json=True)
steps.node_left_out("http://node", "it is gone")
stop()
steps.node_left_out("http://node", "it is gone")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert json.loads(line)["event"] == "node left out"


def test_nothing_is_formed_when_nobody_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    log = StepLog("tael.quiet")
    logging.getLogger("tael.quiet").setLevel(logging.CRITICAL)
    monkeypatch.setattr("tael.telemetry.logs._structured", lambda _: 1 / 0)
    log.tell(logging.WARNING, "done", reference="T-1")
    assert not log.is_on(logging.WARNING)
    with pytest.raises(ZeroDivisionError):
        log.tell(logging.CRITICAL, "done")


def test_json_lines_have_the_fields_of_the_step() -> None:
    stream = io.StringIO()
    stop = telemetry.configure(json=True, level="DEBUG", stream=stream)
    try:
        StepLog("tael.outbox").tell(logging.DEBUG, "sent", reference="T-1", nonce=7)
        logging.getLogger("tael.keeper").warning("plain %s", "words")
        try:
            raise ValueError("broken")
        except ValueError:
            logging.getLogger("tael.keeper").exception("it went wrong")
    finally:
        stop()
    sent, plain, failed = (json.loads(line) for line in stream.getvalue().splitlines())
    moment = sent.pop("time")
    assert moment.endswith("Z")
    assert abs(time.time() - _seconds(moment)) < 60
    assert sent == {
        "level": "debug",
        "logger": "tael.outbox",
        "event": "sent",
        "reference": "T-1",
        "nonce": 7,
    }
    assert (plain["event"], plain["level"]) == ("plain words", "warning")
    assert "ValueError: broken" in failed["exception"]


def test_text_lines_are_for_people_and_taken_back() -> None:
    logger, stream = logging.getLogger("tael"), io.StringIO()
    before = (logger.level, logger.propagate, list(logger.handlers))
    stop = telemetry.configure(stream=stream)
    StepLog("tael.outbox").tell(logging.INFO, "included", reference="T-1", block=7)
    StepLog("tael.outbox").tell(logging.DEBUG, "sent", reference="T-1")
    logging.getLogger("tael").info("forged\n2026-01-01 warning")
    try:
        raise ValueError("broken")
    except ValueError:
        logging.getLogger("tael").exception("it went wrong")
    stop()
    assert (logger.level, logger.propagate, logger.handlers) == before
    first, forged, *trace = stream.getvalue().splitlines()
    assert first.split(" ", 1)[1] == "info    tael.outbox included reference=T-1 block=7"
    assert forged.endswith(r"forged\n2026-01-01 warning")
    assert trace[-1] == "ValueError: broken"


def test_an_applications_own_logging_applies(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        steps.node_left_out("http://node", "it is gone")
    assert 'node left out node=http://node why="it is gone"' in caplog.text


def _seconds(moment: str) -> float:
    from datetime import datetime

    return datetime.fromisoformat(moment).timestamp()


# Whatever goes wrong with it


def test_payments_go_on_when_telling_fails(
    world: World, monkeypatch: pytest.MonkeyPatch, heard: Heard
) -> None:
    monkeypatch.setattr(steps, "_named", lambda _: 1 / 0)
    with client(world) as bank:
        written = transfer(bank, world, "T-1")
        assert bank.resolve("T-1").state == "settled"
        assert written.block_number
        with pytest.raises(InsufficientFundsError):
            transfer(bank, world, "T-2", "99999999.00")
    assert "telling of a step failed" in {record.getMessage() for record in heard.records}
