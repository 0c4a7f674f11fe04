"""Participants, merchants and cards."""

from tests.sdk.cli.steps import ID
from tests.support.world import BANKS, DELAY_SECONDS

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
