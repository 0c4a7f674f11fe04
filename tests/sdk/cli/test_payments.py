"""Payments from the code to the refund."""

import binascii

import pytest

from tael import qr
from tael.identifiers import uetr_text
from tests.sdk.cli.steps import ID, dynamic
from tests.support.world import OPENING_MINOR


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
