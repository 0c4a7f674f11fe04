"""The data files of the busy day, read into rows."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).resolve().parent / "data"


@dataclass(frozen=True)
class ShopRow:
    """One line of `merchants.csv`.

    Args:
        number: 1 to 60.
        bank: The number of its acquirer, 1 to 4.
        name: As its codes spell it in ASCII.
        local_name: The same in its own script; empty if it has none.
        country: ISO 3166-1 letters.
        city: As its codes spell it.
        category_code: ISO 18245.
    """

    number: int
    bank: int
    name: str
    local_name: str
    country: str
    city: str
    category_code: str


@dataclass(frozen=True)
class DayRow:
    """One line of `busy_day.csv`.

    Args:
        number: 1 to 2,000, in the order of the day.
        second: Of the day, China and Hong Kong time.
        card: 1 to 400.
        merchant: 1 to 60.
        currency: ISO 4217 letters.
        amount_minor: Minor units.
        is_dynamic: Whether the till shows a code made for this payment.
    """

    number: int
    second: int
    card: int
    merchant: int
    currency: str
    amount_minor: int
    is_dynamic: bool


def read_shops() -> list[ShopRow]:
    """The 60 merchants."""
    with (FOLDER / "merchants.csv").open(encoding="utf-8", newline="") as file:
        return [
            ShopRow(
                number=int(row["merchant"]),
                bank=int(row["bank"]),
                name=row["name"],
                local_name=row["local_name"],
                country=row["country"],
                city=row["city"],
                category_code=row["category_code"],
            )
            for row in csv.DictReader(file)
        ]


def read_day() -> list[DayRow]:
    """The 2,000 payments."""
    with (FOLDER / "busy_day.csv").open(encoding="utf-8", newline="") as file:
        return [
            DayRow(
                number=int(row["payment"]),
                second=_second(row["time"]),
                card=int(row["card"]),
                merchant=int(row["merchant"]),
                currency=row["currency"],
                amount_minor=int(row["amount_minor"]),
                is_dynamic=row["code"] == "dynamic",
            )
            for row in csv.DictReader(file)
        ]


def _second(clock: str) -> int:
    hours, minutes, seconds = (int(part) for part in clock.split(":"))
    return hours * 3600 + minutes * 60 + seconds
