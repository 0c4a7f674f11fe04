"""What is logged and counted, and that neither costs a payment or gives anything away."""

from __future__ import annotations

import io
import json
import logging
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
import requests
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from tael import Chain, Client, telemetry
from tael.errors import (
    ConfigurationError,
    ContractRevertedError,
    IdempotencyConflictError,
    InsufficientFundsError,
    NodeUnavailableError,
    OutcomeUnknownError,
    TransactionRefusedError,
)
from tael.models import Written
from tael.outbox import FeePolicy
from tael.store import Store
from tael.telemetry import steps
from tael.telemetry.counts import BOUNDS_SECONDS, COUNTS, Counts
from tael.telemetry.logs import FIELDS, StepLog
from tests.sdk.faulty_proxy import FaultyProxy
from tests.sdk.world import World, cny

DEEP = "2"


def client(
    world: World, role: str = "issuer", chain: Chain | None = None, **options: Any
) -> Client:
    options.setdefault("wait_seconds", 20)
    options.setdefault("store", Store.temporary())
    return Client(chain or world.chain, world.manifest, world.signers[role], **options)


def transfer(bank: Client, world: World, reference: str, amount: str = "1.00") -> Written:
    return bank.balances.transfer(world.address("acquirer"), cny(amount), reference=reference)


def wait_until(condition: Callable[[], object], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.02)


class Heard(logging.Handler):
    """The steps that were told, as dictionaries with their level."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)

    def steps(self, *events: str) -> list[dict[str, Any]]:
        return [
            record.tael | {"level": record.levelname}
            for record in self.records
            if hasattr(record, "tael") and (not events or record.tael["event"] in events)
        ]

    def events(self) -> list[str]:
        return [each["event"] for each in self.steps()]


@pytest.fixture
def heard() -> Iterator[Heard]:
    logger, handler = logging.getLogger("tael"), Heard()
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    yield handler
    logger.setLevel(level)
    logger.removeHandler(handler)


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
    bank = client(world, store=store, wait_seconds=0.3, fees=FeePolicy(bump_after_seconds=0.5))
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
    bank = client(world, wait_seconds=0.2)
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
    signed = bank._gateway.journal.transactions_of(1)
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


# Metrics


Values = dict[tuple[str, ...], float]


def scrape(registry: CollectorRegistry | None = None) -> Values:
    """Samples by name and label values."""
    if registry is None:
        registry = CollectorRegistry()
        registry.register(telemetry.Collector())
    return parse(generate_latest(registry).decode())


def parse(text: str) -> Values:
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def grown(before: Values, *name: str) -> float:
    return scrape().get(name, 0) - before.get(name, 0)


def test_what_is_confirmed_is_counted_and_measured(world: World) -> None:
    before = scrape()
    with client(world) as bank:
        transfer(bank, world, "T-1")
        transfer(bank, world, "T-1")
        transfer(bank, world, "T-2")
    assert grown(before, "tael_confirmed_total", "transferWithAuthorization") == 2
    for name in ("tael_inclusion_seconds", "tael_finality_seconds"):
        assert grown(before, f"{name}_count") == 2
        assert 0 < grown(before, f"{name}_sum") < 40
        assert grown(before, f"{name}_bucket", "+Inf") == 2
        assert grown(before, f"{name}_bucket", "300.0") == 2


def test_finality_is_measured_apart_when_it_comes_later(world: World) -> None:
    before = scrape()
    bank = client(world, finality=DEEP)
    transfer(bank, world, "T-1")
    assert grown(before, "tael_inclusion_seconds_count") == 1
    assert grown(before, "tael_finality_seconds_count") == 0
    for _ in range(int(DEEP)):
        world.node.mine()
    wait_until(lambda: grown(before, "tael_finality_seconds_count"))
    bank.close()
    assert grown(before, "tael_confirmed_total", "transferWithAuthorization") == 1


def test_what_fails_is_counted_by_code(world: World, manual: Callable[[], None]) -> None:
    before = scrape()
    with client(world, wait_seconds=0.2) as bank:
        with pytest.raises(InsufficientFundsError):
            transfer(bank, world, "T-1", "99999999.00")
        with pytest.raises(OutcomeUnknownError):
            transfer(bank, world, "T-2")
        with pytest.raises(IdempotencyConflictError):
            transfer(bank, world, "T-2", "2.00")
    with FaultyProxy(world.node.url).serving() as proxy:
        chain = Chain.connect(proxy.url, retry_seconds=0)
        with client(world, chain=chain) as bank:
            message = bank.now()
            assert message
            proxy.down()
            with suppress(NodeUnavailableError, TransactionRefusedError):
                bank.balances.issue(world.address("issuer"), cny("1.00"), reference="I-1")
    for error in (InsufficientFundsError, OutcomeUnknownError, IdempotencyConflictError):
        assert grown(before, "tael_failed_total", error.code) == 1
    assert grown(before, "tael_failed_total", NodeUnavailableError.code) == 1
    assert grown(before, "tael_confirmed_total", "transferWithAuthorization") == 0


def test_a_refusal_in_a_block_counts_as_failed(world: World) -> None:
    before = scrape()
    with client(world, simulate=False) as bank, pytest.raises(ContractRevertedError) as refused:
        transfer(bank, world, "T-1", "99999999.00")
    assert grown(before, "tael_failed_total", refused.value.code) == 1
    assert grown(before, "tael_confirmed_total", "transferWithAuthorization") == 0
    assert grown(before, "tael_inclusion_seconds_count") == 0


def test_in_flight_and_the_journals_depth_are_what_they_are_when_asked(
    world: World, manual: Callable[[], None]
) -> None:
    before = scrape()
    chain_id = str(world.chain.chain_id)
    store = Store.temporary()
    bank, sharing = (client(world, store=store, wait_seconds=0.2) for _ in range(2))
    with suppress(InsufficientFundsError):
        transfer(bank, world, "T-0", "99999999.00")
    for reference in ("T-1", "T-2", "T-3"):
        with suppress(OutcomeUnknownError):
            transfer(bank, world, reference)
    # Two clients on one store count its journal once.
    assert sharing.resolve("T-1").state == "pending"
    assert grown(before, "tael_in_flight", chain_id) >= 3
    assert grown(before, "tael_journal_writes", chain_id, "signed") == 3
    assert grown(before, "tael_journal_writes", chain_id, "refused") == 1
    sharing.close()
    manual()
    wait_until(lambda: not grown(before, "tael_in_flight", chain_id))
    assert grown(before, "tael_journal_writes", chain_id, "signed") == 0
    bank.close()
    # Closed, it is not asked any more.
    assert grown(before, "tael_journal_writes", chain_id, "refused") == 0


@pytest.mark.threat("O14")
def test_what_nobody_can_look_at_is_told_by_its_age(
    world: World, manual: Callable[[], None]
) -> None:
    name = ("tael_unwatched_seconds", str(world.chain.chain_id))
    with FaultyProxy(world.node.url).serving() as proxy:
        bank = client(world, chain=Chain.connect(proxy.url, retry_seconds=0.1), wait_seconds=0.2)
        with suppress(OutcomeUnknownError):
            transfer(bank, world, "T-1")
        proxy.arm("*", "503", times=10_000)
        wait_until(lambda: scrape()[name] > 1.5)
        proxy.calm()
        wait_until(lambda: scrape()[name] < 1.5)
        manual()
        wait_until(lambda: not bank._gateway.outbox.in_flight())
        assert scrape()[name] == 0
        bank.close()


def test_a_journal_that_is_away_leaves_the_rest(world: World, tmp_path: Any) -> None:
    bank = client(world, store=tmp_path / "store.db")
    transfer(bank, world, "T-1")
    chain_id = str(world.chain.chain_id)
    before = scrape()
    assert ("tael_journal_writes", chain_id, "signed") in before
    engine = bank._gateway.journal.store.engine
    with engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE writes RENAME TO gone")
    assert ("tael_in_flight", chain_id) in scrape()
    bank.close()


def test_nodes_are_counted_by_their_url_without_secrets(world: World) -> None:
    with FaultyProxy(world.node.url).serving() as proxy:
        before = scrape()
        chain = Chain.connect([proxy.url, world.node.url])
        chain.block_number()
        assert grown(before, "tael_node_requests_total", proxy.url) >= 1
        assert scrape()["tael_node_ready", proxy.url] == 1
        proxy.down()
        chain.block_number()
        assert grown(before, "tael_node_errors_total", proxy.url) >= 1
        assert grown(before, "tael_node_requests_total", world.node.url) >= 1
        assert scrape()["tael_node_ready", proxy.url] == 0


def test_the_lag_of_an_index_is_what_its_runner_says() -> None:
    telemetry.set_index_lag(12, chain_id=99)
    assert scrape()["tael_index_lag_blocks", "99"] == 12
    # A node that is behind its index makes no lag.
    telemetry.set_index_lag(-3, chain_id=99)
    assert scrape()["tael_index_lag_blocks", "99"] == 0
    COUNTS.index_lag.clear()


def test_any_registry_takes_the_collector() -> None:
    counts = Counts()
    counts.confirmed["authorize"] = 3
    with counts.lock:
        counts.inclusion.add(0.02)
        counts.inclusion.add(-5)
        counts.inclusion.add(10_000)
    registry = CollectorRegistry()
    registry.register(telemetry.Collector(counts))
    found = scrape(registry)
    assert all(name[0].startswith("tael_") for name in found)
    assert found["tael_confirmed_total", "authorize"] == 3
    assert found["tael_inclusion_seconds_bucket", "0.01"] == 1
    assert found["tael_inclusion_seconds_bucket", "0.025"] == 2
    assert found["tael_inclusion_seconds_bucket", str(BOUNDS_SECONDS[-1])] == 2
    assert found["tael_inclusion_seconds_bucket", "+Inf"] == 3
    assert found["tael_inclusion_seconds_sum",] == pytest.approx(10_000.02)
    assert found["tael_reorganised_total",] == 0


def test_metrics_are_served_on_loopback_until_closed() -> None:
    with pytest.raises(ConfigurationError):
        telemetry.serve(70_000)
    served = telemetry.serve(0)
    try:
        assert served.host == "127.0.0.1"
        found = parse(requests.get(served.url, timeout=10).text)
        assert ("tael_inclusion_seconds_count",) in found
        with pytest.raises(ConfigurationError) as taken:
            telemetry.serve(served.port)
        assert str(served.port) in taken.value.message
    finally:
        served.close()
    with pytest.raises(requests.ConnectionError):
        requests.get(served.url, timeout=10)
