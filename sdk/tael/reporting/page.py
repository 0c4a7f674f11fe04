"""A statement as a page: for a browser, a phone, and A4 paper."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from tael.identifiers import uetr_text
from tael.qr.names import escape_html
from tael.reporting.cells import in_pieces, utc

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tael.reporting.statement import Statement, StatementLine

__all__ = ["as_html", "style_sheet"]

# Nothing is loaded and nothing runs: the page is one file, and what strangers wrote is text in it.
_HEAD = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{title}</title>
<style>
{style}</style>
</head>
<body>
"""

_TEXTS = ("No.", "Time, UTC", "Kind", "Reference, counterparty")
_AMOUNTS = ("Gross", "Interchange", "Amount", "Held change", "Balance")
_TABLE = (
    '<table class="movements">\n<thead><tr>'
    + "".join(f"<th>{name}</th>" for name in _TEXTS)
    + "".join(f'<th class="n">{name}</th>' for name in _AMOUNTS)
    + "</tr></thead>\n"
)
_WIDEST_AMOUNT = 16
"""Characters that a column on A4 has room for; a longer amount may break after a comma."""


@cache
def style_sheet() -> str:
    """The CSS of every page: on a screen, on a phone, in the dark, on paper.

    On a phone the cells of a row stand below each other, so each needs a `data-label`.
    """
    return files("tael.reporting").joinpath("page.css").read_text(encoding="utf-8")


def as_html(statement: Statement) -> Iterator[str]:
    """A page that prints on A4; each line says which log on the chain proves it."""
    alpha, name = statement.currency.alpha, statement.name_of(statement.participant)
    title = escape_html(f"{name or statement.participant}: statement in {alpha}")
    yield _HEAD.format(title=title, style=style_sheet())
    yield f"<h1>{escape_html(name + ': s') if name else 'S'}tatement in {alpha}</h1>\n"
    yield f"<p><code>{in_pieces(statement.participant)}</code></p>\n<dl>\n"
    yield from _facts(statement)
    yield '</dl>\n<div class="totals">\n'
    for word, holding in (("Opening", statement.opening), ("Closing", statement.closing)):
        yield (
            f"<div>{word} balance<b>{_amount(statement, holding.balance_minor)} {alpha}</b>"
            f'<span class="soft">of it held {_amount(statement, holding.held_minor)}</span></div>\n'
        )
    yield "</div>\n"
    yield from _warnings(statement)
    yield _TABLE
    counterparties: set[str] = set()
    for line in statement.lines:
        counterparties.add(line.movement.counterparty or "")
        yield _row(statement, line)
    yield "</table>\n"
    yield from _counterparties(statement, sorted(counterparties - {""}))
    yield "</body>\n</html>\n"


def _facts(statement: Statement) -> Iterator[str]:
    since, before = statement.since, statement.before
    facts = {
        "From": "the first block" if since is None else _time(since),
        "To": "the last block" if before is None else f"before {_time(before)}",
        "Movements": f"{statement.movements:,}",
        "Made at block": f"{statement.block_number}, {_time(statement.block_time)}",
        "Its hash": in_pieces(statement.block_hash),
    }
    for name, value in facts.items():
        yield f"<dt>{name}</dt><dd>{value}</dd>\n"


def _warnings(statement: Statement) -> Iterator[str]:
    if statement.before is not None and not statement.is_complete:
        yield '<p class="open">The period is not over yet by the chain\'s clock.</p>\n'
    if not statement.is_final:
        yield '<p class="open">The last lines are in blocks that can still be undone.</p>\n'


def _row(statement: Statement, line: StatementLine) -> str:
    moved = line.movement
    other = statement.name_of(moved.counterparty) or _short(moved.counterparty)
    names = "<br>".join(in_pieces(each) for each in (line.reference, other) if each)
    amounts = (
        *(moved.gross_minor or None, moved.interchange_minor or None, moved.change_minor),
        *(moved.held_change_minor or None, moved.balance_minor),
    )
    cells = "".join(
        f'<td class="n" data-label="{name}">{_amount(statement, amount)}</td>'
        for name, amount in zip(_AMOUNTS, amounts, strict=True)
    )
    when = utc(moved.at).rstrip("Z").replace("T", " ")
    proof = "".join(f"<span>{in_pieces(each)}</span> " for each in _proof(line))
    return (
        f'<tbody><tr class="moved"><td data-label="No.">{moved.number}</td><td>{when}</td>'
        f"<td>{moved.kind.word}</td><td>{names}</td>{cells}</tr>\n"
        f'<tr class="proof"><td colspan="{len(_TEXTS + _AMOUNTS)}">{proof}</td></tr></tbody>\n'
    )


def _proof(line: StatementLine) -> Iterator[str]:
    moved = line.movement
    if moved.uetr is not None:
        yield f"UETR {uetr_text(moved.uetr)}"
    yield f"transaction {moved.transaction_hash} log {moved.log_index}"
    if moved.payment_id is not None:
        yield f"payment 0x{moved.payment_id.hex()}"
    elif moved.subject is not None:
        yield f"key 0x{moved.subject.hex()}"
    yield f"block {moved.block_number} {moved.block_hash}"


def _counterparties(statement: Statement, addresses: list[str]) -> Iterator[str]:
    """Whose the short addresses and the names are, in full: paper shows no more when touched."""
    if addresses:
        yield "<h2>Counterparties</h2>\n<dl>\n"
        for address in addresses:
            name = escape_html(statement.name_of(address)) or _short(address)
            yield f"<dt>{name}</dt><dd><code>{in_pieces(address)}</code></dd>\n"
        yield "</dl>\n"


def _time(unix_seconds: int) -> str:
    return f"<time>{utc(unix_seconds)}</time>"


def _short(address: str | None) -> str:
    return "" if address is None else f"{address[:8]}…{address[-6:]}"


def _amount(statement: Statement, amount_minor: int | None) -> str:
    """An amount with commas between thousands; only for people."""
    if amount_minor is None:
        return ""
    whole, point, places = statement.amount(amount_minor).partition(".")
    sign = "-" if whole.startswith("-") else ""
    shown = f"{sign}{int(whole.lstrip('-')):,}{point}{places}"
    return shown if len(shown) <= _WIDEST_AMOUNT else shown.replace(",", ",<wbr>")
