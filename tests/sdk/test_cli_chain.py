"""The command line against a real chain: every command that needs one, and what can go wrong."""

import binascii
import contextlib
import json
import os
import pty
import signal
import subprocess
import time

import pytest
from eth_account import Account

from tael import Client, file_lock, qr
from tael.chain import Chain
from tael.errors import NodeUnavailableError
from tael.identifiers import uetr_text
from tael.keeper import Keeper, KeeperReport
from tael.models import Verb
from tael.outbox import Finality, Outbox
from tael.store import Store
from tests.sdk.cli_runner import PROGRAM, key_of
from tests.sdk.faulty_proxy import FaultyProxy
from tests.sdk.world import BANKS, DELAY_SECONDS, OPENING_MINOR, cny

ID = "0x" + "12" * 32


@pytest.fixture
def tael(tael, world):
    (tael.folder / "document.txt").write_text("why")
    return tael.on(world)


@pytest.fixture
def acting(tael, world):
    """Signs as a role from now on."""

    def act(role):
        return tael.set(TAEL_KEY=key_of(world, role))

    return act


@pytest.fixture(autouse=True)
def no_programs(monkeypatch):
    """What `doctor` says of programs is tested elsewhere; Ganache alone takes seconds to load."""
    monkeypatch.setattr("tael.cli.checks.machine.first_line_of", lambda words: "v20.0.0")


def wait_until(condition, seconds=30):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.05)


def pending(world):
    block = world.node.rpc("eth_getBlockByNumber", "pending", False)
    return block["transactions"]


@pytest.fixture
def not_mining(world):
    """No block is made until the test makes one."""
    world.node.rpc("evm_setAutomine", False)
    yield world
    world.node.rpc("anvil_dropAllTransactions")
    world.node.rpc("evm_setAutomine", True)


def test_colours_appear_on_a_terminal_only(acting, world, monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    tael = acting("issuer")

    def on_terminal(*words):
        ours, theirs = pty.openpty()
        process = subprocess.Popen([*PROGRAM, *words], stdin=theirs, stdout=theirs, stderr=theirs)
        os.close(theirs)
        said = b""
        with contextlib.suppress(OSError):
            while piece := os.read(ours, 65_536):
                said += piece
        os.close(ours)
        assert process.wait(60) == 0
        return said

    words = ("participant", "status", world.address("issuer"))
    assert b"\x1b[32mactive" in on_terminal(*words)
    assert "\x1b" not in tael(*words).out
    monkeypatch.setenv("NO_COLOR", "1")
    assert b"\x1b[32m" not in on_terminal(*words)


# Balances


def test_balance_shows_every_currency_when_none_is_named(tael, world):
    result = tael("balance", world.address("issuer"), world.address("acquirer"), "--json")
    assert result.documents == [
        {
            "participant": world.address(role),
            "currency": currency,
            "available_minor": OPENING_MINOR,
            "held_minor": 0,
            "total_minor": OPENING_MINOR,
        }
        for role in ("issuer", "acquirer")
        for currency in ("CNY", "HKD")
    ]
    shown = tael("balance", world.address("issuer"), "-c", "CNY")
    assert shown.out.splitlines()[0].split() == [
        "PARTICIPANT",
        "CURRENCY",
        "AVAILABLE",
        "HELD",
        "TOTAL",
    ]
    assert "1000000.00" in shown.out
    assert tael("balance", world.address("issuer"), "-c", "CNY", "-q").out == "1000000.00 CNY\n"


def test_balance_is_the_signers_when_nobody_is_named(acting, world):
    (document, _) = acting("issuer")("balance", "--json").documents
    assert document["participant"] == world.address("issuer")


def test_balance_is_refused_when_nobody_can_be_meant(tael, world):
    assert tael.json("balance", code=2)["error"]["code"] == "usage"
    assert tael.json("balance", "0x12", code=2)["error"]["code"] == "address_invalid"
    lower = world.address("issuer").lower()
    assert tael.json("balance", lower, code=2)["error"]["code"] == "address_invalid"
    words = ("balance", world.address("issuer"))
    assert tael.json(*words, "-c", "XAU", code=2)["error"]["code"] == "currency_unknown"
    assert tael.json(*words, "-c", "JPY", code=2)["error"]["code"] == "currency_unknown"


def test_supply_shows_what_is_issued_and_its_reserve(tael):
    cny_document, _ = tael("balance", "--supply", "--json").documents
    assert cny_document["supply_minor"] == len(BANKS) * OPENING_MINOR
    assert cny_document["reserve_minor"] == 100 * OPENING_MINOR
    assert cny_document["stale"] is False
    assert tael("balance", "--supply", "0x12").code == 2
    assert "VALID BEFORE" in tael("balance", "--supply").out


def test_issue_moves_money_once_when_repeated(acting, world):
    words = ("issue", world.address("issuer"), "100.00", "CNY", "--reference", "ISS-1")
    first = acting("operator").json(*words)
    assert first["status"] == "final"
    assert (first["amount_minor"], first["currency"], first["repeated"]) == (10_000, "CNY", False)
    again = acting("operator").json(*words)
    assert again == {**first, "repeated": True}
    assert world.client("issuer").balances.of("CNY").total == cny("1000100.00")
    said = acting("operator")(*words)
    assert "(before; nothing was sent)" in said.out


def test_issue_is_refused_when_the_reference_means_something_else(acting, world):
    who = world.address("issuer")
    acting("operator").json("issue", who, "1.00", "CNY", "--reference", "ISS-1")
    error = acting("operator").json("issue", who, "2.00", "CNY", "--reference", "ISS-1", code=1)[
        "error"
    ]
    assert error["code"] == "idempotency_conflict"
    assert world.client("issuer").balances.of("CNY").total == cny("1000001.00")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("1.00", "CNY"), "usage"),
        (("1.00", "CNY", "--reference", "a//b"), "invalid_input"),
        (("1.00", "CNY", "--reference", "x" * 36), "invalid_input"),
        (("1.001", "CNY", "--reference", "R"), "amount_invalid"),
        (("1e3", "CNY", "--reference", "R"), "amount_invalid"),
        (("0", "CNY", "--reference", "R"), "invalid_input"),
        (("1.00", "cny", "--reference", "R"), "currency_unknown"),
        (("1.00", "CNY", "--reference", "R", "--wait", "soon"), "invalid_input"),
    ],
)
def test_issue_sends_nothing_when_the_words_are_wrong(acting, world, words, code):
    before = world.node.block_number()
    error = acting("operator").json("issue", world.address("issuer"), *words, code=2)["error"]
    assert error["code"] == code
    assert world.node.block_number() == before


def test_issue_is_refused_when_the_signer_may_not(acting, world):
    words = ("issue", world.address("issuer"), "1.00", "CNY", "--reference", "R")
    result = acting("outsider")(*words)
    assert (result.code, result.out) == (1, "")
    happened, now, code = result.err.splitlines()
    assert happened.startswith("error: AccessManagedUnauthorized(")
    assert now.startswith("  now: ")
    assert code == " code: not_permitted"
    error = acting("outsider").json(*words, code=1)["error"]
    assert error["name"] == "AccessManagedUnauthorized"
    assert error["arguments"] == {"caller": world.address("outsider")}


def test_transfer_and_redeem_move_money_when_funded(acting, world):
    words = ("transfer", world.address("acquirer"), "5.00", "CNY", "--reference", "T-1")
    document = acting("issuer").json(*words)
    assert (document["from"], document["to"]) == (
        world.address("issuer"),
        world.address("acquirer"),
    )
    assert acting("issuer").json("redeem", "7.00", "HKD", "--reference", "R-1")["currency"] == "HKD"
    balances = world.balances()
    assert balances["issuer", "CNY"] == (OPENING_MINOR - 500, 0)
    assert balances["acquirer", "CNY"] == (OPENING_MINOR + 500, 0)
    assert balances["issuer", "HKD"] == (OPENING_MINOR - 700, 0)
    too_much = ("transfer", world.address("acquirer"), "9999999.00", "CNY", "--reference", "T-2")
    assert acting("issuer").json(*too_much, code=1)["error"]["code"] == "insufficient_funds"
    assert world.balances() == balances


def test_attest_replaces_the_reserve_when_the_document_is_there(acting, world):
    words = ("attest", "5000000.00", "CNY", "--document", "document.txt", "--reference", "A-1")
    document = acting("operator").json(*words, "--valid-for", "2d")
    assert document["valid_before"] >= world.chain.now() + 2 * 86_400 - 60
    reserve = world.client("operator").balances.reserve("CNY")
    assert reserve.amount == cny("5000000.00")
    missing = ("attest", "1.00", "CNY", "--document", "none", "--reference", "A-2")
    assert acting("operator").json(*missing, code=2)["error"]["code"] == "invalid_input"


# Participants


def test_participant_is_admitted_when_the_registrar_says(acting, world):
    who = world.address("outsider")
    documents = acting("operator")("participant", "admit", who, "--json").documents
    assert [each["currency"] for each in documents] == ["CNY", "HKD"]
    again = acting("operator")("participant", "admit", who, "--json").documents
    assert [each["repeated"] for each in again] == [True, True]
    listed = acting("operator")("participant", "list", "-c", "CNY", "--json").documents
    assert [each["participant"] for each in listed] == [
        world.address(role) for role in ("operator", *BANKS, "outsider")
    ]
    assert {each["status"] for each in listed} == {"active"}


def test_participant_is_suspended_at_once_and_reinstated_after_the_delay(acting, world):
    who = world.address("issuer")
    words = ("participant", "suspend", who, "-c", "CNY", "--document", "document.txt")
    acting("guardian").json(*words)
    shown = acting("guardian")("participant", "status", who, "--json").documents
    assert [each["status"] for each in shown] == ["suspended", "active"]
    assert "suspended" in acting("guardian")("participant", "status", who).out
    reinstate = ("participant", "reinstate", who, "-c", "CNY")
    waits = acting("operator").json(*reinstate)
    assert (waits["status"], waits["state"], waits["verb"]) == ("scheduled", "waiting", "reinstate")
    assert waits["ready_at"] - world.chain.now() <= DELAY_SECONDS
    said = acting("operator")(*reinstate)
    assert "announced" in said.out
    assert "run the same command again" in said.out
    world.node.advance_time(DELAY_SECONDS)
    assert acting("operator").json(*reinstate)["status"] == "final"
    status = acting("operator")("participant", "status", who, "-c", "CNY", "-q")
    assert status.out == f"{who} CNY active\n"


def test_participant_is_not_closed_when_nobody_can_confirm(acting, world, monkeypatch):
    words = ("participant", "close", world.address("issuer"), "-c", "CNY")
    before = world.node.block_number()
    assert acting("operator").json(*words, code=2)["error"]["code"] == "usage"
    assert world.node.block_number() == before
    assert acting("operator").json(*words, "--yes")["verb"] == "close"


# Merchants and cards


def test_merchant_is_registered_limited_and_blocked_by_its_acquirer(acting, world):
    words = ("merchant", "add", "till 7", "--name", "BEST TRANSPORT", "--category", "4111")
    words += ("--signer", world.address("till"), "--accept", "CNY:200.00")
    merchant = acting("acquirer").json(*words)["merchant_id"]
    shown = acting("outsider").json("merchant", "show", merchant)
    assert shown["acquirer"] == world.address("acquirer")
    assert shown["category_code"] == "4111"
    assert shown["acceptances"] == [
        {"currency": "CNY", "status": "active", "static_limit_minor": 20_000},
        {"currency": "HKD", "status": "none", "static_limit_minor": 0},
    ]
    acting("acquirer").json("merchant", "accept", merchant, "HKD", "30.00")
    acting("acquirer").json("merchant", "accept", merchant, "CNY", "--block")
    after = acting("outsider").json("merchant", "show", merchant)["acceptances"]
    assert [(each["status"], each["static_limit_minor"]) for each in after] == [
        ("blocked", 20_000),
        ("active", 3_000),
    ]
    assert "STATIC LIMIT" in acting("outsider")("merchant", "show", merchant).out
    assert acting("acquirer").json("merchant", "accept", merchant, "CNY", code=2)["error"]
    assert acting("outsider").json("merchant", "show", ID, code=1)["error"]["code"] == "not_there"
    assert acting("outsider").json("merchant", "show", "0x12", code=2)["error"]["code"]
    wrong = (*words[:-1], "CNY")
    assert acting("acquirer").json(*wrong, code=2)["error"]["code"] == "usage"


def test_merchant_is_refused_when_somebody_else_changes_it(acting, world):
    shop = "0x" + world.shops["acquirer"].hex()
    error = acting("outsider").json("merchant", "accept", shop, "CNY", "1.00", code=1)["error"]
    assert error["code"] == "not_permitted"


def test_card_is_opened_limited_and_blocked_by_its_issuer(acting, world):
    card = world.address("outsider")
    limits = ("--payment-limit", "5.00", "--day-limit", "9.00")
    added = acting("issuer").json("card", "add", card, "HKD", *limits)
    assert (added["payment_limit_minor"], added["card_status"]) == (500, "active")
    acting("issuer").json("card", "block", card, "HKD")
    (shown,) = acting("issuer")("card", "show", card, "-c", "HKD", "--json").documents
    assert shown == {
        "card": card,
        "issuer": world.address("issuer"),
        "currency": "HKD",
        "card_status": "blocked",
        "payment_limit_minor": 500,
        "day_limit_minor": 900,
        "spent_today_minor": 0,
    }
    assert "SPENT TODAY" in acting("issuer")("card", "show", card).out
    other = ("card", "show", card, "-c", "HKD", "--issuer", world.address("other_issuer"), "-q")
    assert acting("issuer")(*other).out == "HKD none\n"
    error = acting("issuer").json("card", "block", card, "CNY", code=1)["error"]
    assert error["code"] == "not_there"


# Payments


def dynamic(world, amount_minor=2_372, reference="INV-1"):
    return qr.write(world.code(amount_minor, reference=reference))


@pytest.fixture
def paying(acting, world):
    return acting("issuer").set(TAEL_CARD_KEY=key_of(world, "cardholder"))


def test_pay_authorizes_once_when_a_picture_is_scanned_twice(paying, world):
    qr.write_image(paying.folder / "till.png", dynamic(world))
    words = ("pay", "till.png", "--reference", "PAY-1", "--yes")
    document = paying.json(*words)
    assert document["verb"] == "authorize"
    assert document["merchant_name"] == "Tea House"
    assert (document["amount_minor"], document["currency"]) == (2_372, "CNY")
    assert (document["state"], document["verbs"]) == ("open", ["capture", "void"])
    assert document["uetr"] == uetr_text(world.client("acquirer").uetr("INV-1"))
    assert paying.json(*words)["repeated"] is True
    assert world.balances()["issuer", "CNY"] == (OPENING_MINOR - 2_372, 2_372)
    shown = paying(*words)
    for each in ("Tea House", "23.72 CNY", document["payment_id"], "dynamic"):
        assert each in shown.out


def test_pay_asks_and_sends_nothing_when_declined(paying, world, monkeypatch):
    text = dynamic(world)
    before = world.balances()
    assert paying.json("pay", text, "--reference", "P", code=2)["error"]["code"] == "usage"
    monkeypatch.setattr("sys.stdin", type("Terminal", (), {
        "isatty": lambda _: True, "readline": lambda _: "n\n"})())  # fmt: skip
    declined = paying("pay", text, "--reference", "P")
    assert declined.code == 1
    assert "Pay 23.72 CNY to Tea House? [y/N]" in declined.err
    assert world.balances() == before
    monkeypatch.setattr("sys.stdin.readline", lambda: "y\n")
    assert paying("pay", text, "--reference", "P").code == 0
    assert world.balances() != before


def test_pay_takes_a_static_code_up_again_when_repeated(paying, world):
    text = qr.write(world.code(None))
    assert paying.json("pay", text, "--reference", "P", "--yes", code=2)["error"]["code"] == "usage"
    words = ("pay", text, "--reference", "P", "--amount", "12.00", "--yes")
    first = paying.json(*words)
    world.node.advance_time(60)
    again = paying.json(*words)
    assert (again["payment_id"], again["repeated"]) == (first["payment_id"], True)
    assert world.balances()["issuer", "CNY"] == (OPENING_MINOR - 1_200, 1_200)
    other = ("pay", text, "--reference", "P", "--amount", "13.00", "--yes")
    assert paying.json(*other, code=1)["error"]["code"] == "idempotency_conflict"


def test_pay_waits_when_an_earlier_payment_is_in_no_block(paying, not_mining):
    text = qr.write(not_mining.code(None))
    words = ("pay", text, "--reference", "P", "--amount", "12.00", "--yes")
    first = paying.json(*words, "--wait", "1s", code=4)["error"]
    assert first["code"] == "outcome_unknown"
    assert paying.json(*words, code=1)["error"]["code"] == "transactions_pending"
    not_mining.node.mine()
    again = paying.json(*words)
    assert (again["repeated"], again["transaction_hash"]) == (True, first["transaction_hash"])
    assert not_mining.balances()["issuer", "CNY"] == (OPENING_MINOR - 1_200, 1_200)


def test_pay_adds_a_tip_and_charges_when_told(paying, world):
    text = qr.write(world.code(1_000, reference="INV-2", tip=qr.PromptedTip()))
    words = ("pay", text, "--reference", "P", "--yes")
    assert (
        paying.json(*words, "--tip", "1.00", "--amount", "2.00", code=2)["error"]["code"] == "usage"
    )
    document = paying.json(*words, "--tip", "1.00", "--charge")
    assert (document["verb"], document["amount_minor"]) == ("charge", 1_100)
    assert (document["state"], document["captured_minor"]) == ("captured", 1_100)


def test_pay_sends_the_merchants_signature_when_above_the_static_limit(paying, world):
    text = dynamic(world, amount_minor=150_00)
    assert paying.json("pay", text, "--reference", "P", "--yes")["amount_minor"] == 150_00
    static = qr.write(world.code(None))
    words = ("pay", static, "--reference", "P2", "--amount", "150.00", "--yes")
    error = paying.json(*words, code=1)["error"]
    assert error["name"].startswith("DynamicCode")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("https://example.com",), "qr_not_payment"),
        (("00020101",), "qr_malformed"),
        (("nothing.png",), "qr_not_payment"),
    ],
)
def test_pay_is_refused_when_the_code_is_none(paying, world, words, code):
    before = world.node.block_number()
    error = paying.json("pay", *words, "--reference", "P", "--yes", code=2)["error"]
    assert error["code"].startswith("qr_")
    assert world.node.block_number() == before


@pytest.mark.threat("Q02")
def test_pay_is_refused_when_the_code_was_altered(paying, world):
    code = dynamic(world)
    assert "540523.72" in code
    altered = code.replace("540523.72", "540513.72")[:-4]
    altered += f"{binascii.crc_hqx(altered.encode(), 0xFFFF):04X}"
    error = paying.json("pay", altered, "--reference", "P", "--yes", code=2)["error"]
    assert error["code"] == "qr_signature_mismatch"


def test_pay_is_refused_when_the_card_has_no_key(acting, world):
    words = ("pay", dynamic(world), "--reference", "P", "--yes")
    error = acting("issuer").json(*words, code=2)["error"]
    assert error["code"] == "signing_key"
    assert "TAEL_CARD_KEY" in error["message"]


def test_payment_is_captured_voided_and_refunded_up_to_totals(paying, acting, world):
    payment = paying("pay", dynamic(world), "--reference", "P", "--yes", "-q").out.strip()
    captured = acting("acquirer").json("capture", payment, "20.00")
    assert (captured["captured_minor"], captured["held_minor"]) == (2_000, 372)
    assert acting("acquirer").json("capture", payment, "20.00")["repeated"] is True
    error = acting("acquirer").json("capture", payment, "19.00", code=1)["error"]
    assert (error["code"], error["name"]) == ("already_done", "CaptureRepeated")
    voided = acting("acquirer").json("void", payment)
    assert (voided["voided_minor"], voided["held_minor"]) == (372, 0)
    refunded = acting("acquirer").json("refund", payment, "5.00")
    assert refunded["refunded_minor"] == 500
    assert acting("acquirer").json("refund", payment)["state"] == "refunded"
    assert acting("acquirer").json("void", payment, "0", code=2)["error"]["code"] == "invalid_input"
    error = acting("acquirer").json("refund", payment, "99.00", code=1)["error"]
    assert error["code"] == "limit_exceeded"
    error = acting("issuer").json("capture", ID, code=1)["error"]
    assert error["code"] == "wrong_state"


def test_void_is_refused_when_nothing_is_left(paying, acting, world):
    payment = paying.json("pay", dynamic(world), "--reference", "P", "--yes", "--charge")[
        "payment_id"
    ]
    assert acting("acquirer").json("void", payment, code=1)["error"]["code"] == "nothing_left"


def test_status_shows_deadlines_and_verbs_as_time_passes(paying, acting, world):
    document = paying.json("pay", dynamic(world), "--reference", "P", "--yes")
    payment = document["payment_id"]
    by_reference = acting("issuer").json("status", "--reference", "P")
    assert by_reference == acting("outsider").json("status", payment)
    shown = acting("outsider")("status", payment).out
    for each in ("capture", "void", "reclaim", "refund", "UTC", "in 7 d", "held", "23.72 CNY"):
        assert each in shown
    assert acting("outsider")("status", payment, "-q").out == "open\n"
    world.node.advance_time(document["capture_before"] - world.chain.now())
    overdue = acting("outsider").json("status", payment)
    assert (overdue["state"], overdue["verbs"]) == ("overdue", ["void", "reclaim"])
    assert acting("outsider").json("reclaim", payment)["state"] == "voided"
    assert acting("outsider").json("reclaim", payment)["repeated"] is True
    assert world.balances()["issuer", "CNY"] == (OPENING_MINOR, 0)


def test_status_is_refused_when_the_payment_is_not_named_once(acting, world):
    assert acting("issuer").json("status", code=2)["error"]["code"] == "usage"
    words = ("status", ID, "--reference", "P")
    assert acting("issuer").json(*words, code=2)["error"]["code"] == "usage"
    assert acting("issuer").json("status", ID, code=1)["error"]["code"] == "wrong_state"
    assert acting("issuer").json("status", "0x12", code=2)["error"]["code"] == "invalid_input"
    error = acting("issuer").json("status", "--reference", "none", code=1)["error"]
    assert error["code"] == "nothing_left"


# Keeper


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


# Whose key


def test_delegate_acts_for_its_participant_when_it_has_the_secret(acting, world):
    bank = Client(
        world.chain,
        world.manifest,
        world.signers["issuer"],
        store=Store.temporary(),
        reference_secret=b"s" * 32,
    )
    bank.directory.set_delegate(world.address("delegate"), Verb.AUTHORIZE, reference="D-1")
    tael = acting("delegate").set(TAEL_CARD_KEY=key_of(world, "cardholder"))
    words = ("pay", dynamic(world), "--reference", "P", "--yes", "--as", world.address("issuer"))
    assert tael.json(*words, code=2)["error"]["code"] == "configuration"
    tael.set(TAEL_REFERENCE_SECRET=(b"s" * 32).hex())
    assert tael.json(*words)["issuer"] == world.address("issuer")
    tael.set(TAEL_REFERENCE_SECRET="short")
    assert tael.json(*words, code=2)["error"]["code"] == "configuration"


def test_key_comes_from_keystore_or_descriptor_when_named(tael, world):
    keystore = tael.folder / "key.json"
    key = key_of(world, "issuer")
    keystore.write_text(json.dumps(Account.encrypt(key, "pass", kdf="scrypt", iterations=2)))
    keystore.chmod(0o600)
    words = ("redeem", "1.00", "CNY", "--reference", "R-1")
    assert tael.json(*words, code=2)["error"]["code"] == "signing_key"
    assert tael.json(*words, "--keystore", "key.json", code=2)["error"]["code"] == "signing_key"

    def piped(secret):
        read_end, write_end = os.pipe()
        os.write(write_end, secret.encode() + b"\n")
        os.close(write_end)
        return str(read_end)

    wrong = (*words, "--keystore", "key.json", "--password-fd", piped("wrong"))
    error = tael.json(*wrong, code=2)["error"]
    assert "wrong password" in error["message"]
    right = (*words, "--keystore", "key.json", "--password-fd", piped("pass"))
    assert tael.json(*right)["repeated"] is False
    assert tael.json(*words, "--key-fd", piped(key))["repeated"] is True


@pytest.mark.threat("S20")
def test_test_key_is_refused_when_the_chain_is_not_local(acting, world, monkeypatch):
    monkeypatch.setattr(Chain, "is_local", False)
    before = world.node.block_number()
    words = ("redeem", "1.00", "CNY", "--reference", "R-1")
    assert acting("acquirer").json(*words, code=2)["error"]["code"] == "signing_key"
    document = acting("acquirer").json("doctor", code=1)
    (found,) = [each for each in document["checks"] if each["check"] == "test key"]
    assert found["status"] == "fail"
    assert world.node.block_number() == before


# Another chain, other code, a doctor


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


# Interruptions and lost answers


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


# Devnet


@pytest.mark.slow
def test_devnet_ends_with_its_chain_when_interrupted(tael):
    process = tael.start("devnet", "--port", "0", "--json")
    document = json.loads(process.stdout.readline())
    tael.set(TAEL_RPC_URL=document["rpc_url"], TAEL_MANIFEST=document["manifest"])
    tael.set(TAEL_KEY=document["accounts"]["amber"]["key"])
    first, _ = tael("balance", "--json").documents
    assert (first["currency"], first["available_minor"]) == ("CNY", 1_000_000_000)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (0, "", "")
    assert tael("balance", "--rpc-url", document["rpc_url"]).code in (2, 3)


def test_devnet_keeps_its_clock_going_when_nobody_sends(tael):
    process = tael.start("devnet", "--port", "0", "--idle-block", "1", "--json")
    try:
        document = json.loads(process.stdout.readline())
        chain = Chain.connect(document["rpc_url"])
        first = chain.block_number()
        wait_until(lambda: chain.block_number() >= first + 3)
        assert abs(chain.now() - time.time()) <= 4
    finally:
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (0, "")


def test_devnet_ends_with_3_when_its_node_is_gone(tael):
    process = tael.start("devnet", "--port", "0", "--json")
    json.loads(process.stdout.readline())
    listed = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(process.pid)], capture_output=True, text=True, check=True
    )
    os.killpg(int(listed.stdout.split()[0]), signal.SIGKILL)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 3
    assert json.loads(out)["error"]["code"] == "node_error"
    assert err == ""


def test_devnet_is_refused_when_the_program_is_missing(tael):
    tael.set(TAEL_ANVIL=str(tael.folder / "none"))
    error = tael.json("devnet", code=3)["error"]
    assert error["code"] == "node_start"
    assert tael("devnet", "--node", "geth").code == 2
