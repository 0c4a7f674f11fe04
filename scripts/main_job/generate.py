"""Make the busy day: 2,000 payments of 400 cards at 60 merchants, always the same ones.

`python -m scripts.main_job.generate` writes `data/merchants.csv` and `data/busy_day.csv`; with
`--check` it changes nothing and fails when the committed files differ. Every choice comes from a
seed through SHA-256 and integers, so the files come out the same with every Python on every
machine.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import io
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

FOLDER = Path(__file__).resolve().parent / "data"
SEED = "Tael, a busy day, 1"

BANKS = 4
CARDS = 400
MERCHANTS = 60
PAYMENTS = 2_000
STATIC_LIMIT_MINOR = 500_00

CARDS_PER_BANK = CARDS // BANKS
MERCHANTS_PER_BANK = MERCHANTS // BANKS
CURRENCY_OF_BANK = ("CNY", "CNY", "HKD", "HKD")
_PLACES = (("CN", "Shanghai"), ("CN", "Wuhan"), ("HK", "Hong Kong"), ("HK", "Kowloon"))

_Item = TypeVar("_Item")


@dataclass(frozen=True)
class _Trade:
    """What a kind of shop is called, and what it sells for."""

    category_code: str
    name: str
    local_name: str
    low_minor: int
    high_minor: int
    visits: int


_TRADES = (
    _Trade("5411", "Grocers", "超市", 18_00, 360_00, 16),
    _Trade("5812", "Restaurant", "酒家", 45_00, 780_00, 14),
    _Trade("5814", "Noodles", "面馆", 12_00, 98_00, 15),
    _Trade("5499", "Tea House", "茶馆", 9_00, 128_00, 13),
    _Trade("5912", "Pharmacy", "药房", 15_00, 290_00, 7),
    _Trade("4121", "Taxi", "出租车", 14_00, 190_00, 12),
    _Trade("5942", "Books", "书店", 25_00, 460_00, 6),
    _Trade("5651", "Tailors", "服装店", 99_00, 1_600_00, 5),
    _Trade("5732", "Electronics", "电器", 149_00, 4_900_00, 3),
    _Trade("7011", "Hotel", "酒店", 380_00, 2_700_00, 2),
    _Trade("7832", "Cinema", "影院", 40_00, 260_00, 5),
    _Trade("5462", "Bakery", "饼店", 8_00, 86_00, 11),
)
_HOUSES = (
    ("Jade Spring", "玉泉"),
    ("Golden Lotus", "金莲"),
    ("White Crane", "白鹤"),
    ("Harbour View", "海景"),
    ("Old Town", "老城"),
    ("Lucky Star", "福星"),
    ("Bamboo Grove", "竹林"),
    ("Silver Moon", "银月"),
    ("East Gate", "东门"),
    ("Red Lantern", "红灯笼"),
    ("Plum Garden", "梅园"),
    ("Stone Bridge", "石桥"),
    ("Cloud Peak", "云峰"),
    ("River Bend", "河湾"),
    ("Morning Bell", "晨钟"),
)
# A name made of what breaks careless pages and tables.
_AWKWARD = (7, "O'Brien & Sons <Books>")

# How busy each hour is, in China and Hong Kong time: 10:00 to 22:00, with lunch and dinner.
_FIRST_HOUR = 10
_HOURS = (5, 7, 13, 11, 6, 5, 6, 8, 13, 14, 8, 4)


class Dice:
    """Numbers from a seed; no float and no library whose results may change."""

    def __init__(self, seed: str) -> None:
        self._seed = seed.encode()
        self._rolls = 0

    def below(self, limit: int) -> int:
        """A number from 0 to `limit` - 1; the bias of the remainder is far below 2^-200."""
        self._rolls += 1
        digest = hashlib.sha256(self._seed + b"\0" + str(self._rolls).encode()).digest()
        return int.from_bytes(digest, "big") % limit

    def weighted(self, weights: Sequence[int]) -> int:
        """An index, more often where the weight is larger."""
        roll = self.below(sum(weights))
        for index, weight in enumerate(weights):
            roll -= weight
            if roll < 0:
                return index
        raise AssertionError("the roll is below the sum of the weights")

    def shuffled(self, items: Sequence[_Item]) -> list[_Item]:
        """The items in another order (Fisher and Yates)."""
        mixed = list(items)
        for last in range(len(mixed) - 1, 0, -1):
            other = self.below(last + 1)
            mixed[last], mixed[other] = mixed[other], mixed[last]
        return mixed


@dataclass(frozen=True)
class _Shop:
    number: int
    bank: int
    trade: _Trade


def make_merchants() -> tuple[list[_Shop], str]:
    """The shops, and the text of `merchants.csv`."""
    dice = Dice(SEED + ", merchants")
    shops: list[_Shop] = []
    rows = []
    for bank in range(BANKS):
        country, city = _PLACES[bank]
        # Each bank has every trade, and three trades twice; houses differ within a bank.
        trades = [*_TRADES, *dice.shuffled(_TRADES)[: MERCHANTS_PER_BANK - len(_TRADES)]]
        houses = dice.shuffled(_HOUSES)
        for (house, local_house), trade in zip(houses, trades, strict=True):
            number = len(shops) + 1
            name, local = f"{house} {trade.name}", f"{local_house}{trade.local_name}"
            if number == _AWKWARD[0]:
                name, local = _AWKWARD[1], ""
            if country == "HK":
                local = ""
            shops.append(_Shop(number, bank, trade))
            rows.append((number, bank + 1, name, local, country, city, trade.category_code))
    head = ("merchant", "bank", "name", "local_name", "country", "city", "category_code")
    return shops, _to_csv(head, rows)


def make_day(shops: Sequence[_Shop]) -> str:
    """The text of `busy_day.csv`."""
    dice = Dice(SEED + ", payments")
    cards = [*dice.shuffled(range(1, CARDS + 1))]
    cards += [1 + dice.below(CARDS) for _ in range(PAYMENTS - CARDS)]
    drawn = []
    for index, card in enumerate(cards):
        # Everybody is there at least once: each card in the first 400, each merchant in the first
        # 60 whose own bank does not stand on both sides.
        shop = shops[index] if index < MERCHANTS else _draw_shop(dice, shops)
        bank = (card - 1) // CARDS_PER_BANK
        while shop.bank == bank:
            if index < MERCHANTS:
                card = 1 + dice.below(CARDS)
                bank = (card - 1) // CARDS_PER_BANK
            else:
                shop = _draw_shop(dice, shops)
        drawn.append((_draw_second(dice), card, shop, _draw_amount(dice, shop.trade)))
    drawn.sort(key=lambda each: each[0])
    rows = []
    for number, (second, card, shop, amount) in enumerate(drawn, start=1):
        clock = f"{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}"
        # Above the limit the till has to show a code of its own; some do it for small sums too.
        dynamic = amount > STATIC_LIMIT_MINOR or dice.below(100) < 3
        currency = CURRENCY_OF_BANK[(card - 1) // CARDS_PER_BANK]
        kind = "dynamic" if dynamic else "static"
        rows.append((number, clock, card, shop.number, currency, amount, kind))
    head = ("payment", "time", "card", "merchant", "currency", "amount_minor", "code")
    return _to_csv(head, rows)


def _draw_shop(dice: Dice, shops: Sequence[_Shop]) -> _Shop:
    return shops[dice.weighted([shop.trade.visits for shop in shops])]


def _draw_second(dice: Dice) -> int:
    return (_FIRST_HOUR + dice.weighted(_HOURS)) * 3600 + dice.below(3600)


def _draw_amount(dice: Dice, trade: _Trade) -> int:
    # The product of two rolls leans to small sums, as baskets do.
    span = trade.high_minor - trade.low_minor
    amount = trade.low_minor + span * dice.below(1000) * dice.below(1000) // 1_000_000
    return amount - amount % 10 if dice.below(10) else amount - amount % 100 + 99


def _to_csv(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(head)
    writer.writerows(rows)
    return text.getvalue()


def make_files() -> dict[str, str]:
    """The files by name."""
    shops, merchants = make_merchants()
    return {"merchants.csv": merchants, "busy_day.csv": make_day(shops)}


def main(arguments: list[str] | None = None) -> int:
    """Write the files, or compare them."""
    parser = argparse.ArgumentParser(description="Write the busy day's data files.")
    parser.add_argument("--check", action="store_true", help="change nothing, fail if they differ")
    options = parser.parse_args(arguments)
    different = []
    for name, text in make_files().items():
        path = FOLDER / name
        if options.check:
            if not path.is_file() or path.read_text(encoding="utf-8") != text:
                different.append(name)
        else:
            path.write_text(text, encoding="utf-8", newline="\n")
    if different:
        print(f"{', '.join(different)}: not what the generator makes", file=sys.stderr)
    return 1 if different else 0


if __name__ == "__main__":
    raise SystemExit(main())
