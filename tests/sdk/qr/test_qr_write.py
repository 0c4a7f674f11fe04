"""Writing: what is written reads back equal, and nothing outside the rules is written."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tael import errors, qr
from tael.qr.amounts import MAX_AMOUNT_CHARACTERS
from tests.sdk.qr.qr_cases import Merchant, payload

ANS = st.characters(min_codepoint=0x20, max_codepoint=0x7E)
LETTERS = st.sampled_from("最佳运输北京ร้านกាហ្វេ咖啡Café Moon🙂")


def ans(most: int, least: int = 1) -> st.SearchStrategy[str]:
    # Surrounding spaces of the whole payload are trimmed; inside a value they stay.
    return st.text(ANS, min_size=least, max_size=most)


def optional(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | strategy


def templates(first: int, last: int, count: int) -> st.SearchStrategy[list[qr.Template]]:
    values = st.dictionaries(st.integers(1, 99).map("{:02d}".format), ans(15), max_size=2)
    ids = st.integers(first, last).map("{:02d}".format)
    built = st.builds(qr.Template.of, ids, ans(32), values)
    return st.lists(built, max_size=count, unique_by=lambda template: template.id)


ADDITIONAL = st.builds(
    qr.AdditionalData,
    bill_number=ans(12),
    reference_label=optional(st.just(qr.PROMPT) | ans(10)),
    consumer_data_request=optional(st.sampled_from(["A", "M", "E", "ME", "AME"])),
    merchant_channel=optional(st.sampled_from(["000", "112", "733"])),
    systems=st.just(()) | st.just((qr.Template.of("50", "guid", {"01": "x"}),)),
)
LANGUAGE = st.builds(
    qr.LanguageTemplate,
    language=st.sampled_from(["ZH", "th", "km"]),
    name=st.text(LETTERS, min_size=1, max_size=25),
    city=optional(st.text(LETTERS, min_size=1, max_size=15)),
)
CODES = st.builds(
    qr.MerchantCode,
    accounts=templates(26, 51, 2).map(lambda t: (qr.DataObject("04", "5123456789"), *t)),
    category_code=st.integers(0, 9999).map("{:04d}".format),
    currency=st.sampled_from(["CNY", "JPY", "KWD", "HKD", "KHR"]),
    country=st.sampled_from(["CN", "HK", "KH"]),
    name=ans(25),
    city=ans(15),
    initiation=st.sampled_from([None, *qr.Initiation]),
    amount_minor=optional(st.integers(1, 10**9)),
    tip=optional(
        st.just(qr.PromptedTip())
        | st.builds(qr.FixedFee, st.integers(1, 10**6))
        | st.builds(qr.PercentageFee, st.integers(10, 9_999))
    ),
    postal_code=optional(ans(10)),
    additional=optional(ADDITIONAL),
    language=optional(LANGUAGE),
    unreserved=templates(80, 99, 1).map(tuple),
)


@pytest.mark.threat("Q16")
@settings(max_examples=150)
@given(code=CODES)
def test_read_gives_equal_code_when_written(code: qr.MerchantCode) -> None:
    """Q16: read(write(x)) == x, and write(read(s)) == s for what write made."""
    text = qr.write(code)
    assert len(text.encode()) <= 512
    found = qr.read(text, strict=True)
    assert found == code
    assert [w for w in found.warnings if w.code != "deceptive_characters"] == []
    assert qr.write(found) == text
    assert found.text == text


def test_write_orders_objects_when_given_in_any_order() -> None:
    code = qr.MerchantCode(
        accounts=(
            qr.Template.of("29", "D15600000000", {"05": "A93FO3230Q"}),
            qr.encode_account(qr.UnionPayAccount("25000344", "00020344", "100000000000006")),
        ),
        category_code="4111",
        currency="CNY",
        country="CN",
        name="BEST TRANSPORT",
        city="BEIJING",
        initiation=qr.Initiation.DYNAMIC,
        amount_minor=2372,
    )
    assert qr.write(code) == payload(t15=None)[:12] + qr.write(code)[12:]
    assert [item.id for item in code.accounts] == ["15", "29"]
    assert qr.write(code)[12:47] == "15312500034400020344100000000000006"


BAD_CHANGES: list[tuple[dict[str, Any], type[errors.TaelError]]] = [
    ({"name": None}, errors.NonConformingCodeError),
    ({"name": "最佳"}, errors.NonConformingCodeError),
    ({"name": "N" * 26}, errors.MalformedCodeError),
    ({"name": "N" * 100}, errors.OversizeCodeError),
    ({"name": ""}, errors.MalformedCodeError),
    ({"name": 7}, errors.InvalidInputError),
    ({"city": "A\nB"}, errors.MalformedCodeError),
    ({"city": "\ud800"}, errors.InvalidInputError),
    ({"accounts": ()}, errors.NonConformingCodeError),
    ({"accounts": (qr.DataObject("5", "x"),)}, errors.InvalidInputError),
    ({"accounts": (qr.DataObject("٠٤", "x"),)}, errors.InvalidInputError),
    ({"accounts": (qr.DataObject("61", "x"),)}, errors.InvalidInputError),
    ({"accounts": (qr.Template("29", None),)}, errors.QrError),
    ({"accounts": (qr.DataObject("04", "x"), qr.DataObject("04", "y"))}, errors.QrError),
    ({"accounts": (qr.Template.of("29", "g", {"01": "x" * 99}),)}, errors.OversizeCodeError),
    ({"unreserved": (qr.DataObject("81", "text"),)}, errors.NonConformingCodeError),
    ({"unreserved": (qr.DataObject("81", "0004guid"),)}, errors.InvalidInputError),
    ({"reserved": (qr.DataObject("65", "x"),)}, errors.NonConformingCodeError),
    ({"currency": None}, errors.NonConformingCodeError),
    ({"currency": "XAU"}, errors.InvalidInputError),
    ({"currency": "156"}, errors.InvalidInputError),
    ({"country": "cn"}, errors.MalformedCodeError),
    ({"category_code": "41"}, errors.MalformedCodeError),
    ({"additional": qr.AdditionalData()}, errors.MalformedCodeError),
    ({"additional": qr.AdditionalData(bill_number="b" * 26)}, errors.MalformedCodeError),
    ({"amount_minor": 0}, errors.AmountFormatError),
    ({"amount_minor": -1}, errors.AmountFormatError),
    ({"amount_minor": 1.15}, errors.AmountFormatError),
    ({"amount_minor": True}, errors.AmountFormatError),
    ({"amount_minor": "5"}, errors.AmountFormatError),
    ({"amount_minor": 10**12}, errors.AmountFormatError),
    ({"amount_minor": 10**40}, errors.AmountFormatError),
    ({"tip": qr.FixedFee(0)}, errors.AmountFormatError),
    ({"tip": qr.PercentageFee(9)}, errors.AmountFormatError),
    ({"tip": qr.PercentageFee(99_991)}, errors.AmountFormatError),
    ({"tip": qr.PercentageFee(10_125)}, errors.AmountFormatError),
    ({"tip": qr.PercentageFee(-5)}, errors.AmountFormatError),
    ({"tip": qr.PercentageFee(3.0)}, errors.AmountFormatError),  # type: ignore[arg-type]
]


@pytest.mark.parametrize(("changes", "expected"), BAD_CHANGES, ids=str)
def test_write_refuses_when_a_rule_would_break(
    merchant: Merchant, changes: dict[str, Any], expected: type[errors.TaelError]
) -> None:
    sound = {"accounts": (qr.DataObject("04", "512345"),)}
    with pytest.raises(expected):
        qr.write(merchant.make_code(**(sound | changes)))


def test_write_fits_amount_when_it_has_the_most_digits(merchant: Merchant) -> None:
    account = {"accounts": (qr.DataObject("04", "512345"),)}
    text = qr.write(merchant.make_code(amount_minor=10**12 - 1, **account))
    assert "5413" + "9999999999.99" in text
    assert len("9999999999.99") == MAX_AMOUNT_CHARACTERS
    assert "54040.05" in qr.write(merchant.make_code(amount_minor=5, **account))
    yen = qr.write(merchant.make_code(amount_minor=5, currency="JPY", **account))
    assert "54015" in yen


@pytest.mark.parametrize(
    ("amount_minor", "thousandths", "fee_minor"),
    [(2372, 3000, 71), (50, 1000, 1), (49, 1000, 0), (10_000, 125, 13), (1, 99_990, 1)],
)
def test_compute_fee_rounds_half_up_when_percentage(
    amount_minor: int, thousandths: int, fee_minor: int
) -> None:
    assert qr.compute_percentage_fee(amount_minor, thousandths) == fee_minor
    code = qr.MerchantCode(
        accounts=(),
        category_code=None,
        currency="CNY",
        country=None,
        name=None,
        city=None,
        amount_minor=amount_minor,
        tip=qr.PercentageFee(thousandths),
    )
    assert code.total_minor == amount_minor + fee_minor


@pytest.mark.parametrize(
    "account",
    [
        qr.UnionPayAccount("2500034", "00020344", "100000000000006"),
        qr.UnionPayAccount("25000344", "0002034x", "100000000000006"),
        qr.UnionPayAccount("25000344", "00020344", "10000000000000"),
        qr.UnionPayAccount("25000344", "00020344", "1000000000000\u4e00\u4e00"),
        qr.UnionPayAccount("25000344", "00020344", "100000000000006", id="17"),
    ],
)
def test_encode_account_refuses_when_layout_differs(account: qr.UnionPayAccount) -> None:
    with pytest.raises(errors.InvalidInputError):
        qr.encode_account(account)


def test_write_keeps_reserved_objects_out_when_code_was_read_leniently() -> None:
    code = qr.read(payload(t62="1201x", t64="0002ZH0101一0301x"))
    assert code.additional is not None
    assert code.additional.reserved == (qr.DataObject("12", "x"),)
    with pytest.raises(errors.NonConformingCodeError):
        qr.write(code)
