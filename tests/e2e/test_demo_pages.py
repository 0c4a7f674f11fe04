"""The pages of the main job: what a stranger's code says stays text, wherever it is shown."""

from __future__ import annotations

import csv
import json
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import pytest

from scripts.main_job import statements
from scripts.main_job.show import grouped

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'; DROP TABLE payments; --",
    "{{ 7 * 7 }}{% raw %}",
    "</td></table><h1>Paid</h1>",
    "=cmd|' /C calc'!A0",
    "\u202egnp.exe",
    "\x1b[31mred\x1b[0m",
)


class Elements(HTMLParser):
    """Which elements and texts a browser would find."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def statement_of(merchant: str) -> statements.Statement:
    line = statements.Line(
        at=1_800_000_000,
        kind="payment",
        reference=merchant,
        uetr="",
        counterparty="Bank of Jinshan",
        merchant=merchant,
        gross_minor=-1_234_56,
        interchange_minor=0,
        scheme_fee_minor=0,
        amount_minor=-1_234_56,
        balance_minor=98_765_44,
        transaction="0x" + "12" * 32,
        block=7,
        block_hash="0x" + "34" * 32,
        log_index=0,
    )
    bank = SimpleNamespace(name="Nine Rivers Bank", address="0x" + "56" * 20)
    return statements.Statement(bank, [statements.Account("CNY", [line], 98_765_44, 0)])


@pytest.mark.threat("Q15")
@pytest.mark.parametrize("text", HOSTILE)
def test_what_a_code_says_stays_text_when_it_is_shown(tmp_path: Path, text: str) -> None:
    statements.write(tmp_path, [statement_of(text)])
    stem = tmp_path / "statements" / "nine-rivers-bank"
    page = stem.with_suffix(".html").read_text(encoding="utf-8")
    found = Elements()
    found.feed(page)
    plain = Elements()
    statements.write(tmp_path / "plain", [statement_of("Corner Shop")])
    harmless = tmp_path / "plain" / "statements" / "nine-rivers-bank.html"
    plain.feed(harmless.read_text(encoding="utf-8"))
    assert (found.tags, found.attributes) == (plain.tags, plain.attributes)
    assert "\u202e" not in page
    assert "\x1b" not in page
    if text.isprintable():
        assert text in found.texts
    assert "default-src 'none'" in page

    with stem.with_suffix(".csv").open(encoding="utf-8", newline="") as file:
        (row,) = csv.DictReader(file)
    assert row["merchant"].lstrip("'") == text.lstrip("'")
    assert not row["merchant"].startswith(("=", "+", "-", "@", "\t", "\r"))
    document = json.loads(stem.with_suffix(".json").read_text(encoding="utf-8"))
    assert document["accounts"][0]["lines"][0]["merchant"] == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("1280.00 HKD of 3280.00 HKD", "1,280.00 HKD of 3,280.00 HKD"),
        ("-1234567.89", "-1,234,567.89"),
        ("12345.678 KWD", "12,345.678 KWD"),
        ("999.00, 100 JPY, expired at 1795392006", "999.00, 100 JPY, expired at 1795392006"),
        ("192.168.1234.5678, 0xab1234.00, 1.2345", "192.168.1234.5678, 0xab1234.00, 1.2345"),
    ],
)
def test_thousands_are_apart_in_amounts_alone(text: str, shown: str) -> None:
    assert grouped(text) == shown
