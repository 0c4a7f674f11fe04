"""Money is exact or refused: S18, S19, S20."""

from decimal import Decimal

import iso4217
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tael.errors import AmountError, AmountTypeError, CurrencyUnknownError, InvalidInputError
from tael.money import MAX_AMOUNT_MINOR, Currency, Money

CURRENCIES = sorted({each.code for each in iso4217.Currency if each.exponent is not None})


@pytest.mark.threat("S18")
@pytest.mark.parametrize("value", [1.15, 0.1 + 0.2, float("nan"), 1e30, 0.0])
def test_parse_refuses_when_given_a_float(value):
    with pytest.raises(TypeError) as refused:
        Money.parse(value, "CNY")
    assert isinstance(refused.value, AmountTypeError)
    assert isinstance(refused.value, InvalidInputError)
    with pytest.raises(AmountTypeError):
        Money("CNY", value)


@pytest.mark.threat("S18")
def test_parse_is_exact_when_a_float_would_not_be():
    assert int(1.15 * 100) == 114
    assert Money.parse("1.15", "CNY").amount_minor == 115
    assert Money.parse(Decimal("1.15"), "CNY").amount_minor == 115


@pytest.mark.parametrize("value", [True, None, b"1", 12, [1], 1 + 0j])
def test_parse_refuses_when_given_another_type(value):
    with pytest.raises(AmountTypeError):
        Money.parse(value, "CNY")


@pytest.mark.threat("S19")
@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "NaN",
        "Infinity",
        "-Infinity",
        "sNaN",
        "-0",
        "-1",
        "+1",
        "1e3",
        "1E+2",
        "1e999",
        "1_000",
        "1,000",
        "1 000",
        " 1",
        "1 ",
        "1\n",
        "01",
        "00",
        "00.50",
        ".5",
        "5.",
        "1.2.3",
        "1.234",
        "0x10",
        "٢٣",
        "๑๒",
        "\uff11\uff12",
        "1\u066b5",
        "12¥",
        "--1",
        "1" * 26,
    ],
)
def test_parse_refuses_when_the_amount_is_not_plain(text):
    with pytest.raises(AmountError):
        Money.parse(text, "CNY")


@pytest.mark.threat("S19")
@pytest.mark.parametrize("text", ["NaN", "Infinity", "-0", "1E+2", "-1", "1.234"])
def test_parse_refuses_when_the_decimal_is_not_plain(text):
    with pytest.raises(AmountError):
        Money.parse(Decimal(text), "CNY")


@pytest.mark.parametrize(
    ("text", "alpha", "minor"),
    [
        ("0", "CNY", 0),
        ("12.34", "CNY", 1234),
        ("12.3", "CNY", 1230),
        ("12", "CNY", 1200),
        ("0.01", "HKD", 1),
        ("500", "JPY", 500),
        ("1.234", "KWD", 1234),
        ("1.2345", "CLF", 12345),
    ],
)
def test_parse_gives_minor_units_when_the_amount_is_plain(text, alpha, minor):
    assert Money.parse(text, alpha).amount_minor == minor


def test_parse_refuses_when_the_currency_has_fewer_places():
    with pytest.raises(AmountError, match="JPY has 0 decimal places"):
        Money.parse("1.0", "JPY")


@given(st.sampled_from(CURRENCIES), st.integers(0, MAX_AMOUNT_MINOR))
def test_amount_reads_back_when_written(alpha, minor):
    money = Money(alpha, minor)
    assert Money.parse(money.amount, alpha) == money
    assert str(money) == f"{money.amount} {alpha}"
    assert Decimal(money.amount).scaleb(money.currency.exponent) == minor


@given(st.text(max_size=30))
def test_parse_gives_an_amount_or_a_refusal_when_given_any_text(text):
    try:
        money = Money.parse(text, "CNY")
    except AmountError:
        return
    assert text.isascii()
    assert Decimal(text) * 100 == money.amount_minor


@pytest.mark.threat("S20")
def test_money_refuses_when_beyond_what_a_token_holds():
    most = Money("CNY", MAX_AMOUNT_MINOR)
    for amount in (MAX_AMOUNT_MINOR + 1, 2**128 - 1, 2**128, 2**256, -1):
        with pytest.raises(AmountError):
            Money("CNY", amount)
    with pytest.raises(AmountError):
        most + Money("CNY", 1)
    with pytest.raises(AmountError):
        most * 2
    assert most - most == Money("CNY", 0)


def test_arithmetic_refuses_when_currencies_differ():
    cny, hkd = Money("CNY", 5), Money("HKD", 5)
    for operation in (
        lambda: cny + hkd,
        lambda: cny - hkd,
        lambda: cny < hkd,
        lambda: cny <= hkd,
        lambda: cny > hkd,
        lambda: cny >= hkd,
    ):
        with pytest.raises(AmountError, match="do not mix"):
            operation()
    assert cny != hkd


def test_arithmetic_refuses_when_the_other_is_no_money():
    for operation in (
        lambda: Money("CNY", 5) + 5,
        lambda: Money("CNY", 5) * 1.5,
        lambda: Money("CNY", 5) * True,
        lambda: Money("CNY", 5) < 6,
    ):
        with pytest.raises(AmountTypeError):
            operation()


def test_subtract_refuses_when_it_would_be_negative():
    with pytest.raises(AmountError):
        Money("CNY", 5) - Money("CNY", 6)


def test_arithmetic_is_exact_when_currencies_agree():
    a, b = Money("CNY", 7), Money("CNY", 5)
    assert (a + b).amount_minor == 12
    assert (a - b).amount_minor == 2
    assert 3 * a == a * 3 == Money("CNY", 21)
    assert b < a
    assert b <= a
    assert a > b
    assert a >= a
    assert a
    assert not Money("CNY", 0)
    assert {a, Money("CNY", 7)} == {a}


@pytest.mark.parametrize("code", ["cny", "XXQ", "CN", "", "¥", "XAU", "XXX", "XTS", 1, 0, True])
def test_currency_refuses_when_there_is_none_to_settle(code):
    with pytest.raises(CurrencyUnknownError):
        Currency.of(code)


def test_currency_is_found_when_named_by_letters_or_number():
    assert Currency.of("CNY") == Currency.of(156) == Currency("CNY", 156, 2)
    assert Currency.of(Currency.of("HKD")).numeric == 344
    assert str(Currency.of("JPY")) == "JPY"


def test_money_stays_when_assigned_to():
    with pytest.raises(AttributeError):
        Money("CNY", 1).amount_minor = 2
