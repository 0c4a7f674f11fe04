"""Balances, supply, and what moves money between participants."""

import pytest

from tests.support.world import BANKS, OPENING_MINOR, cny

pytestmark = pytest.mark.usefixtures("on_chain")


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
