"""Money: a currency and an integer number of its minor units. No float ever comes near it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Any

import iso4217

from tael.errors import AmountError, AmountTypeError, CurrencyUnknownError

MAX_AMOUNT_MINOR = 2**80 - 1
"""The most a SettlementToken can hold, in minor units (`AccountLib.MAX_SUPPLY`)."""

# ASCII digits only: `int` and `Decimal` also read other scripts' digits, underscores and exponents.
_AMOUNT = re.compile(r"(0|[1-9][0-9]{0,24})(?:\.([0-9]{1,6}))?", re.ASCII)
_ALPHA = re.compile(r"[A-Z]{3}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Currency:
    """A currency of ISO 4217 that has minor units or counts in whole ones.

    Args:
        alpha: Three letters, as in `CNY`.
        numeric: Numeric code, as in 156.
        exponent: Decimal places of the minor unit; `decimals()` of its SettlementToken.
    """

    alpha: str
    numeric: int
    exponent: int

    @classmethod
    def of(cls, code: str | int | Currency) -> Currency:
        """Look a currency up.

        Args:
            code: Alphabetic code in upper case, numeric code, or a currency, which is returned.

        Returns:
            The currency.

        Raises:
            CurrencyUnknownError: There is none, or it has no minor unit (gold, test codes).

        Example:
            >>> Currency.of("CNY")
            Currency(alpha='CNY', numeric=156, exponent=2)
        """
        if isinstance(code, Currency):
            return code
        return _lookup(code)

    def __str__(self) -> str:
        return self.alpha


@cache
def _lookup(code: str | int) -> Currency:
    if isinstance(code, str) and not _ALPHA.fullmatch(code):
        raise CurrencyUnknownError(f"a currency is three capital letters, as in CNY, not {code!r}")
    for each in iso4217.Currency:
        if code == (each.code if isinstance(code, str) else each.number):
            exponent = each.exponent
            if exponent is None:
                raise CurrencyUnknownError(f"{each.code} has no minor unit and cannot be settled")
            return Currency(each.code, int(each.number), int(exponent))
    raise CurrencyUnknownError(f"{code!r} is not a currency of ISO 4217")


@dataclass(frozen=True, slots=True)
class Money:
    """An amount of a currency, never negative and never rounded.

    Args:
        currency: The currency, or its code.
        amount_minor: Minor units, 0 to `MAX_AMOUNT_MINOR`.

    Raises:
        AmountTypeError: The amount is no integer; a float is refused like any other type.
        AmountError: It is negative or more than a token can hold.
        CurrencyUnknownError: There is no such currency.

    Example:
        >>> str(Money.parse("12.34", "CNY") + Money("CNY", 66))
        '13.00 CNY'
    """

    currency: Currency
    amount_minor: int

    def __init__(self, currency: Currency | str | int, amount_minor: int) -> None:
        _require_integer(amount_minor, "amount_minor")
        object.__setattr__(self, "currency", Currency.of(currency))
        if not 0 <= amount_minor <= MAX_AMOUNT_MINOR:
            raise AmountError(
                f"an amount is 0 to {MAX_AMOUNT_MINOR} minor units, not {amount_minor}"
            )
        object.__setattr__(self, "amount_minor", amount_minor)

    @classmethod
    def parse(cls, amount: str | Decimal, currency: Currency | str | int) -> Money:
        """Read an amount in major units, as people write it.

        Plain ASCII only: no sign, space, group separator, exponent or leading zero, and no more
        decimal places than the currency has.

        Args:
            amount: As in `"12.34"`; a Decimal must be finite and written without exponent.
            currency: The currency, or its code.

        Returns:
            The exact amount.

        Raises:
            AmountTypeError: A float, an integer (of which units? use `Money`), or another type.
            AmountError: Not a plain amount, or more decimal places than the currency has.
        """
        if isinstance(amount, Decimal):
            amount = str(amount)
        if not isinstance(amount, str):
            raise AmountTypeError(
                f"write an amount as text or Decimal, not as {type(amount).__name__}; "
                "for minor units use Money(currency, amount_minor)"
            )
        unit = Currency.of(currency)
        match = _AMOUNT.fullmatch(amount)
        if match is None:
            raise AmountError(f"not a plain amount, as in 12.34: {amount[:40]!r}")
        whole, places = match[1], match[2] or ""
        if len(places) > unit.exponent:
            raise AmountError(f"{unit} has {unit.exponent} decimal places, not {len(places)}")
        return cls(unit, int(whole + places.ljust(unit.exponent, "0")))

    @property
    def amount(self) -> str:
        """The amount in major units without the currency, as in `12.34`; `parse` reads it back."""
        exponent = self.currency.exponent
        if exponent == 0:
            return str(self.amount_minor)
        digits = str(self.amount_minor).rjust(exponent + 1, "0")
        return f"{digits[:-exponent]}.{digits[-exponent:]}"

    def __str__(self) -> str:
        return f"{self.amount} {self.currency.alpha}"

    def __add__(self, other: Money) -> Money:
        return Money(self.currency, self.amount_minor + self._same(other))

    def __sub__(self, other: Money) -> Money:
        return Money(self.currency, self.amount_minor - self._same(other))

    def __mul__(self, times: int) -> Money:
        _require_integer(times, "the factor")
        return Money(self.currency, self.amount_minor * times)

    __rmul__ = __mul__

    def __lt__(self, other: Money) -> bool:
        return self.amount_minor < self._same(other)

    def __le__(self, other: Money) -> bool:
        return self.amount_minor <= self._same(other)

    def __gt__(self, other: Money) -> bool:
        return self.amount_minor > self._same(other)

    def __ge__(self, other: Money) -> bool:
        return self.amount_minor >= self._same(other)

    def __bool__(self) -> bool:
        return self.amount_minor != 0

    def _same(self, other: object) -> int:
        if not isinstance(other, Money):
            raise AmountTypeError(f"money goes with money only, not with {type(other).__name__}")
        if other.currency != self.currency:
            raise AmountError(f"{self.currency} and {other.currency} do not mix without a rate")
        return other.amount_minor


def _require_integer(value: Any, name: str) -> None:
    # bool is an int in Python, and never what a caller means here.
    if not isinstance(value, int) or isinstance(value, bool):
        raise AmountTypeError(f"{name} must be an integer, not {type(value).__name__}")
