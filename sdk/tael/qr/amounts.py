"""Amounts and percentages between a code's text and integer minor units; no float, no Decimal.

Source: EMVCo QRCPS Merchant-Presented Mode, 4.7.4 to 4.7.8; ISO 4217.
"""

from __future__ import annotations

import re
from functools import lru_cache

import iso4217

from tael.errors import AmountFormatError, InvalidInputError
from tael.qr.names import show

__all__ = [
    "MAX_AMOUNT_CHARACTERS",
    "compute_percentage_fee",
    "find_currency",
    "format_amount",
    "format_percent",
    "get_currency_number",
    "get_exponent",
    "parse_amount",
    "parse_percent",
]

MAX_AMOUNT_CHARACTERS = 13
MAX_PERCENT_CHARACTERS = 5
THOUSANDTHS_PER_WHOLE = 100_000
_MIN_PERCENT_THOUSANDTHS = 10
_MAX_PERCENT_THOUSANDTHS = 99_990

# A leading zero only before the mark: 00012 is refused because two spellings of one amount are one
# too many. The mark may stand without decimals after it (4.7.4.1), never without digits before.
_AMOUNT = re.compile(r"(?P<whole>0|[1-9][0-9]*)(?:\.(?P<decimals>[0-9]*))?")
_PERCENT = re.compile(r"(?P<whole>[0-9]{1,2})(?:\.(?P<decimals>[0-9]*))?")


def parse_amount(text: str, exponent: int | None) -> tuple[int | None, bool]:
    """Read an amount as it stands in objects 54 and 56.

    Args:
        text: 1 to 13 characters.
        exponent: Decimals of the currency; None when the currency is not known.

    Returns:
        The amount in minor units (None without an exponent), and whether the text had surplus
        zeros behind the decimals the currency has.

    Raises:
        AmountFormatError: Not the one format EMVCo allows, zero, or finer than the currency.
    """
    match = _AMOUNT.fullmatch(text)
    if match is None or len(text) > MAX_AMOUNT_CHARACTERS:
        raise AmountFormatError(
            f"“{show(text)}” is not an amount: up to {MAX_AMOUNT_CHARACTERS} digits with at most "
            "one decimal point, nothing else. Ask the merchant for a new code."
        )
    whole, decimals = match["whole"], match["decimals"] or ""
    if not (whole + decimals).strip("0"):
        raise AmountFormatError(
            "The amount is zero. A code without an amount leaves it out; ask for a new code."
        )
    if exponent is None:
        return None, False
    kept, surplus = decimals[:exponent], decimals[exponent:]
    if surplus.strip("0"):
        raise AmountFormatError(
            f"“{text}” has more decimals than the currency's {exponent}. Ask for a new code."
        )
    return int(whole + kept.ljust(exponent, "0")), bool(surplus)


def format_amount(amount_minor: int, exponent: int) -> str:
    """Write an amount with all the decimals of its currency.

    Args:
        amount_minor: Minor units, above zero.
        exponent: Decimals of the currency.

    Returns:
        For example ``23.72``; ``98`` where the currency has no decimals.

    Raises:
        AmountFormatError: Not an integer above zero, or longer than 13 characters.
    """
    if isinstance(amount_minor, bool) or not isinstance(amount_minor, int) or amount_minor <= 0:
        raise AmountFormatError("An amount is an integer of minor units above zero; pass an int.")
    digits = str(amount_minor).rjust(exponent + 1, "0") if amount_minor < 10**18 else ""
    text = f"{digits[:-exponent]}.{digits[-exponent:]}" if exponent else digits
    if not digits or len(text) > MAX_AMOUNT_CHARACTERS:
        raise AmountFormatError(
            f"The amount needs more than {MAX_AMOUNT_CHARACTERS} characters; split the payment."
        )
    return text


def parse_percent(text: str) -> int:
    """Read a percentage fee as it stands in object 57.

    Args:
        text: 1 to 5 characters without the percent sign, leading zero allowed.

    Returns:
        Thousandths of a percent: ``3.00`` is 3000.

    Raises:
        AmountFormatError: Another format, or outside 0.01 to 99.99.
    """
    match = _PERCENT.fullmatch(text)
    if match is None or len(text) > MAX_PERCENT_CHARACTERS:
        raise AmountFormatError(
            f"“{show(text)}” is not a percentage: 0.01 to 99.99 without a sign. Ask for a new code."
        )
    thousandths = int(match["whole"] + (match["decimals"] or "").ljust(3, "0"))
    if not _MIN_PERCENT_THOUSANDTHS <= thousandths <= _MAX_PERCENT_THOUSANDTHS:
        raise AmountFormatError(f"A fee of {text} % is outside 0.01 to 99.99. Ask for a new code.")
    return thousandths


def format_percent(percent_thousandths: int) -> str:
    """Write a percentage fee with two decimals, or three where it needs and can have them.

    Args:
        percent_thousandths: Thousandths of a percent, 10 to 99990.

    Returns:
        For example ``3.00``.

    Raises:
        AmountFormatError: Out of range or not writable in five characters.
    """
    if isinstance(percent_thousandths, bool) or not isinstance(percent_thousandths, int):
        raise AmountFormatError("A percentage is an integer of thousandths; pass an int.")
    if percent_thousandths < 0:
        raise AmountFormatError("A fee is above zero; correct it.")
    whole, rest = divmod(percent_thousandths, 1000)
    decimals = f"{rest:03d}" if rest % 10 else f"{rest // 10:02d}"
    text = f"{whole}.{decimals}"
    parse_percent(text)
    return text


def compute_percentage_fee(amount_minor: int, percent_thousandths: int) -> int:
    """The fee of object 57 on an amount, rounded half up to the minor unit.

    Args:
        amount_minor: Minor units.
        percent_thousandths: Thousandths of a percent.

    Returns:
        Minor units; may be zero on a small amount.
    """
    return (amount_minor * percent_thousandths + THOUSANDTHS_PER_WHOLE // 2) // (
        THOUSANDTHS_PER_WHOLE
    )


def find_currency(number: str) -> str | None:
    """The ISO 4217 letters of a numeric code such as ``156``, or None if it is no currency."""
    return _load_currencies()[0].get(number)


def get_currency_number(currency: str) -> str:
    """The three digits of an ISO 4217 currency.

    Raises:
        InvalidInputError: Unknown or without minor units (gold, test codes).
    """
    return _get(currency)[0]


def get_exponent(currency: str) -> int:
    """How many decimals an ISO 4217 currency has.

    Raises:
        InvalidInputError: Unknown or without minor units (gold, test codes).
    """
    return _get(currency)[1]


def _get(currency: str) -> tuple[str, int]:
    found = _load_currencies()[1].get(currency)
    if found is None:
        raise InvalidInputError(
            f"“{show(str(currency))}” is no ISO 4217 currency with minor units; use letters as CNY."
        )
    return found


@lru_cache(maxsize=1)
def _load_currencies() -> tuple[dict[str, str], dict[str, tuple[str, int]]]:
    by_number: dict[str, str] = {}
    by_letters: dict[str, tuple[str, int]] = {}
    for currency in iso4217.Currency:
        if currency.exponent is not None and currency.number is not None:
            number = f"{currency.number:03d}"
            by_number[number] = currency.code
            by_letters[currency.code] = (number, currency.exponent)
    return by_number, by_letters
