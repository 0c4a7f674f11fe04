"""The pages of the main job: what a stranger's code says stays text, and no column is ever lost."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from scripts.main_job import report, statements
from scripts.main_job.books import Proof, Verdict
from scripts.main_job.record import (
    Batch,
    ForeignCode,
    PaymentRecord,
    Record,
    Refusal,
    Scene,
    Step,
    Write,
)
from scripts.main_job.show import Show, grouped
from tael.index import Kind, Movement
from tael.money import Currency
from tael.reporting import (
    Holding,
    Statement,
    StatementLine,
    as_csv,
    as_html,
    as_json,
    style_sheet,
)

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
HARMLESS = "Corner Shop"
BANKS = ("0x" + "5A" * 20, "0x" + "6B" * 20)
HASHES = ("0x" + "12" * 32, "0x" + "34" * 32)
CURRENCIES = ("CNY", "HKD")
PHONE_WIDTH = 360
CSS = style_sheet() + (Path(report.__file__).parent / "templates" / "report.css").read_text()


@dataclass
class Table:
    heads: list[str] = field(default_factory=list)
    rows: list[list[str | None]] = field(default_factory=list)


class Elements(HTMLParser):
    """Which elements, texts and tables a browser would find."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.texts: list[str] = []
        self.tables: list[Table] = []
        self._goes_on = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._goes_on = tag == "wbr"
        if tag == "wbr":
            return
        self.tags.append(tag)
        self.attributes += attrs
        if tag == "table":
            self.tables.append(Table())
        elif tag == "th":
            self.tables[-1].heads.append("")
        elif tag == "tr":
            self.tables[-1].rows.append([])
        elif tag == "td":
            self.tables[-1].rows[-1].append(dict(attrs).get("data-label"))

    def handle_endtag(self, tag: str) -> None:
        self._goes_on = False

    def handle_data(self, data: str) -> None:
        if self._goes_on:
            self.texts[-1] += data
            self._goes_on = False
            return
        self.texts.append(data)
        if self.tags and self.tags[-1] == "th" and self.tables and data.strip():
            self.tables[-1].heads[-1] = data


def movement(number: int, kind: Kind, change: int, balance: int, gross: int = 0) -> Movement:
    return Movement(
        number=number,
        kind=kind,
        at=1_800_000_000,
        counterparty=BANKS[1],
        payment_id=bytes(32),
        uetr=bytes(16),
        reference_hash=bytes(32),
        subject=None,
        gross_minor=gross,
        interchange_minor=0,
        available_change_minor=change,
        held_change_minor=0,
        available_minor=balance,
        held_minor=0,
        transaction_hash=HASHES[0],
        log_index=0,
        block_number=7,
        block_hash=HASHES[1],
    )


def statement_of(text: str, currency: str = "CNY") -> tuple[Statement, list[StatementLine]]:
    """A statement in which a stranger wrote the reference and the name of the other bank."""
    lines = [
        StatementLine(movement(1, Kind.ISSUE, 100_000_00, 100_000_00), ""),
        StatementLine(movement(2, Kind.CAPTURE, -1_234_56, 98_765_44, 1_234_56), text),
    ]
    made = Statement(
        participant=BANKS[0],
        currency=Currency.of(currency),
        since=None,
        before=None,
        opening=Holding(0, 0),
        closing=Holding(98_765_44, 0),
        movements=len(lines),
        block_number=7,
        block_hash=HASHES[1],
        block_time=1_800_000_000,
        is_complete=False,
        is_final=True,
        lines=iter(lines),
        names={BANKS[0]: "Nine Rivers Bank", BANKS[1]: text},
    )
    return made, lines


def statement_page(text: str = HARMLESS) -> str:
    return "".join(as_html(statement_of(text)[0]))


def report_page(folder: Path, text: str = HARMLESS) -> str:
    """The report of a short day at which a stranger's code says `text`."""
    banks = [
        SimpleNamespace(name=name, address=address, currency=currency)
        for name, address, currency in zip(
            ("Nine Rivers Bank", "Lion Rock Bank"), BANKS, CURRENCIES, strict=True
        )
    ]
    record = Record()
    step = Step(1_800_000_000, text, text, HASHES[0])
    record.timeline.append(step)
    record.scenes.append(Scene(text, None, [("Pay to", text)], [step], text))
    record.foreign.append(
        ForeignCode(text, "qr/foreign/x.png", text, [("Name", text)], [text], text, text)
    )
    record.refusals.append(Refusal(text, "Escrow", "LimitExceededError", "Refused", text))
    written: Any = SimpleNamespace(transaction_hash=HASHES[0], gas_used=50_000)
    record.writes.append(Write("capture", written, 1))
    for number, currency in enumerate(CURRENCIES):
        record.payments[bytes([number]) * 32] = PaymentRecord(
            *(bytes([number]) * 32, "P-1", BANKS[0], BANKS[1], currency, 5_00, 60, text, bytes(16)),
            second=36_000 + 1_800 * number,
            captured_minor=5_00,
        )
        record.batches.append(
            Batch(1, BANKS[number], BANKS[1 - number], currency, 1_000 + number, 5_00)
        )
    (folder / "qr" / "foreign").mkdir(parents=True)
    (folder / "qr" / "foreign" / "x.png").write_bytes(b"png")
    stage: Any = SimpleNamespace(
        folder=folder,
        record=record,
        banks=banks,
        bank_at={bank.address: bank for bank in banks}.__getitem__,
        reader=SimpleNamespace(now=lambda: 1_800_000_000),
        node=SimpleNamespace(kind="anvil"),
        chain=SimpleNamespace(chain_id=1337, genesis_hash=HASHES[0]),
        manifest=SimpleNamespace(
            governance=BANKS[0], escrow=BANKS[0], tokens=dict.fromkeys(CURRENCIES, BANKS[0])
        ),
    )
    accounts: Any = [
        statements.Account(bank, *statement_of(HARMLESS, currency))
        for bank in banks
        for currency in CURRENCIES
    ]
    verdict = Verdict([Proof("CNY: it balances", "5000.00 CNY", "5000.00 CNY", True)], 2, 1.0)
    report.write(stage, verdict, accounts)
    return (folder / "report.html").read_text(encoding="utf-8")


@pytest.mark.threat("Q15")
@pytest.mark.parametrize("text", HOSTILE)
def test_what_a_stranger_wrote_stays_text_when_it_is_shown(tmp_path: Path, text: str) -> None:
    pages = {
        text: (statement_page(text), report_page(tmp_path / "hostile", text)),
        HARMLESS: (statement_page(), report_page(tmp_path / "harmless")),
    }
    for page, plain in zip(pages[text], pages[HARMLESS], strict=True):
        found, harmless = Elements(page), Elements(plain)
        assert found.tags == harmless.tags
        assert [name for name, _ in found.attributes] == [name for name, _ in harmless.attributes]
        assert {"src", "href"}.isdisjoint(
            name for name, value in found.attributes if value is not None and text in value
        )
        assert "\u202e" not in page
        assert "\x1b" not in page
        if text.isprintable():
            assert text in found.texts
        assert "default-src 'none'" in page

    made, lines = statement_of(text)
    *_, row = csv.DictReader(io.StringIO("".join(as_csv(made)), newline=""))
    for column in ("reference", "counterparty_name"):
        assert row[column].lstrip("'") == text.lstrip("'")
        assert not row[column].startswith(("=", "+", "-", "@", "\t", "\r"))
    document = json.loads("".join(as_json(replace(made, lines=iter(lines)))))
    last = document["lines"][-1]
    assert (last["reference"], last["counterparty_name"]) == (text, text)


def test_cells_keep_their_heads_when_rows_are_stacked_on_a_phone(tmp_path: Path) -> None:
    tables = Elements(report_page(tmp_path)).tables
    assert len(tables) == 8
    for table in tables:
        rows = [row for row in table.rows if row]
        assert rows
        for row in rows:
            assert row == table.heads
    (table,) = Elements(statement_page()).tables
    for row in (row for row in table.rows if len(row) > 1):
        assert len(row) == len(table.heads)
        labelled = [(label, head) for label, head in zip(row, table.heads, strict=True) if label]
        assert all(label == head for label, head in labelled)
        assert {"Gross", "Interchange", "Amount", "Held change", "Balance"} <= set(row)


def test_nothing_is_wider_than_a_phone_or_kept_off_the_paper(tmp_path: Path) -> None:
    report_html = report_page(tmp_path)
    rules = re.sub(r"@media screen and \([^)]*\)", "@media", CSS)
    widths = re.findall(r"(?<![-\w])(?:min-)?width:\s*(\d+)px", rules)
    widths += re.findall(r"minmax\((\d+)px", rules)
    assert widths
    assert max(map(int, widths)) <= PHONE_WIDTH - 40
    assert "nowrap" not in rules
    assert "overflow-x" not in rules
    assert re.search(r"@page \{[^}]*size: A4;", CSS)
    # What paper leaves out it has in full beside it.
    paper = "".join(blocks_of("@media print"))
    assert re.findall(r"([^{}]+)\{[^{}]*display: none", paper) == [" .on-screen "]
    found = Elements(report_html)
    classes = [value or "" for name, value in found.attributes if name == "class"]
    assert sum("on-screen" in each for each in classes) == sum(
        "on-paper" in each for each in classes
    )
    assert HASHES[0] in found.texts


def test_every_colour_has_another_in_the_dark(tmp_path: Path) -> None:
    (dark,) = blocks_of("@media screen and (prefers-color-scheme: dark)")
    light = CSS[: CSS.index("@media")]
    names = re.findall(r"(--[a-z]+):", light)
    assert len(names) >= 10
    assert re.findall(r"(--[a-z]+):", dark) == names
    # Whatever stands on the page uses them; red frames and filled verdicts look alike in both.
    rest = CSS.replace(light, "").replace(dark, "")
    assert set(re.findall(r"#[0-9a-f]{3,6}\b", rest)) == {"#fff", "#11695a", "#9c2f22", "#5b686d"}
    charts = re.findall(r"<svg.*?</svg>", report_page(tmp_path), re.DOTALL)
    assert charts
    assert not any("fill=" in chart or "stroke=" in chart for chart in charts)


def test_no_chart_has_two_currencies_on_one_axis(tmp_path: Path) -> None:
    labels = re.findall(r'<svg [^>]*aria-label="([^"]*)"', report_page(tmp_path))
    named = [[each for each in CURRENCIES if each in label] for label in labels]
    assert named == [["CNY"], ["HKD"], ["CNY"], ["HKD"], []]


def test_addresses_and_hashes_break_in_groups(tmp_path: Path) -> None:
    for page in (statement_page(), report_page(tmp_path)):
        body = page[page.index("<body>") :]
        words = re.findall(r">[^<>]*(?:<wbr>[^<>]*)+<", body)
        assert words
        for word in words:
            pieces = re.split(r"<wbr>", word.strip("><"))
            tails = [re.split(r"\s", piece)[0] for piece in pieces[1:]]
            assert all(4 <= len(tail) < 12 for tail in tails), word
        whole = re.sub(r"<[^>]*>", " ", body)
        assert max(len(each) for each in re.split(r"[\s-]", whole)) < 25


def blocks_of(head: str) -> list[str]:
    """What is in the braces of the style sheets' blocks with this head."""
    found = []
    for match in re.finditer(re.escape(head) + r"\s*\{", CSS):
        depth, end = 1, match.end()
        while depth:
            depth += {"{": 1, "}": -1}.get(CSS[end], 0)
            end += 1
        found.append(CSS[match.end() : end - 1])
    return found


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


def test_progress_counts_each_thing_up_to_the_whole(capsys: pytest.CaptureFixture[str]) -> None:
    show = Show(is_terminal=False)
    with show.progress(2_000, "Payments authorized", "Payments captured") as (opened, captured):
        for progress in (opened, captured):
            for count in (700, 900, 400):
                progress.add(count)
    assert capsys.readouterr().out.split("\n") == [
        "   Payments authorized: 700 of 2,000",
        "   Payments authorized: 1,600 of 2,000",
        "   Payments authorized: 2,000 of 2,000",
        "   Payments captured: 700 of 2,000",
        "   Payments captured: 1,600 of 2,000",
        "   Payments captured: 2,000 of 2,000",
        "",
    ]
