"""A statement as a page: for a browser, and for A4 paper."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from tael.identifiers import uetr_text
from tael.reporting.cells import utc

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tael.reporting.statement import Statement, StatementLine

__all__ = ["as_html"]

# Nothing is loaded and nothing runs: the page is one file, and what strangers wrote is text in it.
_HEAD = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{title}</title>
<style>
* {{ box-sizing: border-box; }}
html {{ background: #e9eeee; color: #1c2629; font: 13px/1.45 system-ui, "Noto Sans",
  "Noto Sans CJK SC", sans-serif; }}
body {{ background: #fff; margin: 24px auto; max-width: 210mm; padding: 14mm; }}
h1 {{ font-size: 22px; margin: 0 0 2px; }}
p {{ margin: 4px 0 12px; }}
.soft, th {{ color: #5b686d; }}
dl {{ display: grid; gap: 2px 16px; grid-template-columns: max-content 1fr; margin: 12px 0 16px; }}
dt {{ color: #5b686d; }}
dd {{ margin: 0; overflow-wrap: anywhere; }}
.totals {{ border: 1px solid #1c2629; display: grid; grid-template-columns: 1fr 1fr;
  margin: 0 0 18px; }}
.totals div {{ padding: 8px 12px; }}
.totals div + div {{ border-left: 1px solid #dfe5e6; }}
.totals b {{ display: block; font-size: 20px; }}
.open {{ border-left: 4px solid #9c2f22; padding-left: 10px; }}
table {{ border-collapse: collapse; font-size: 12px; width: 100%; }}
thead {{ display: table-header-group; }}
th {{ border-bottom: 1px solid #1c2629; font-weight: 600; padding: 4px 6px; text-align: left;
  vertical-align: bottom; }}
tbody {{ break-inside: avoid; }}
td {{ padding: 4px 6px 0; vertical-align: top; }}
td.proof {{ border-bottom: 1px solid #dfe5e6; color: #5b686d; overflow-wrap: anywhere;
  font: 9.5px/1.35 ui-monospace, "DejaVu Sans Mono", monospace; padding: 0 6px 4px; }}
code {{ font: 11px/1.4 ui-monospace, "DejaVu Sans Mono", monospace; overflow-wrap: anywhere; }}
.n {{ font-variant-numeric: tabular-nums; text-align: right; white-space: nowrap; }}
@page {{ margin: 14mm 12mm 16mm; size: A4; @bottom-right {{ color: #5b686d;
  content: counter(page) " / " counter(pages); font-size: 9px; }} }}
@media print {{ html {{ background: #fff; font-size: 11px; }}
  body {{ margin: 0; max-width: none; padding: 0; }} table {{ font-size: 10px; }}
  td.proof {{ font-size: 7.5px; }} }}
</style>
</head>
<body>
"""

_TABLE = """<table>
<thead><tr><th class="n">No.</th><th>Time, UTC</th><th>Kind</th><th>Reference, counterparty</th>\
<th class="n">Gross</th><th class="n">Interchange</th><th class="n">Amount</th>\
<th class="n">Held change</th><th class="n">Balance</th></tr></thead>
"""


def as_html(statement: Statement) -> Iterator[str]:
    """A page that prints on A4; each line says which log on the chain proves it."""
    alpha = statement.currency.alpha
    yield _HEAD.format(title=escape(f"Statement {alpha} {statement.participant}"))
    yield f"<h1>Statement in {escape(alpha)}</h1>\n"
    yield f"<p><code>{escape(statement.participant)}</code></p>\n<dl>\n"
    yield from _facts(statement)
    yield '</dl>\n<div class="totals">\n'
    for name, holding in (("Opening", statement.opening), ("Closing", statement.closing)):
        yield (
            f"<div>{name} balance<b>{_grouped(statement.amount(holding.balance_minor))} "
            f"{escape(alpha)}</b><span class='soft'>of it held "
            f"{_grouped(statement.amount(holding.held_minor))}</span></div>\n"
        )
    yield "</div>\n"
    yield from _warnings(statement)
    yield _TABLE
    for line in statement.lines:
        yield _row(statement, line)
    yield "</table>\n</body>\n</html>\n"


def _facts(statement: Statement) -> Iterator[str]:
    since = "the first block" if statement.since is None else utc(statement.since)
    before = "the last block" if statement.before is None else f"before {utc(statement.before)}"
    facts = {
        "From": since,
        "To": before,
        "Movements": f"{statement.movements:,}",
        "Made at block": f"{statement.block_number}, {utc(statement.block_time)}",
        "Its hash": statement.block_hash,
    }
    for name, value in facts.items():
        yield f"<dt>{name}</dt><dd>{escape(value)}</dd>\n"


def _warnings(statement: Statement) -> Iterator[str]:
    if statement.before is not None and not statement.is_complete:
        yield '<p class="open">The period is not over yet by the chain\'s clock.</p>\n'
    if not statement.is_final:
        yield '<p class="open">The last lines are in blocks that can still be undone.</p>\n'


def _row(statement: Statement, line: StatementLine) -> str:
    moved = line.movement

    def amount(amount_minor: int) -> str:
        return _grouped(statement.amount(amount_minor))

    names = "<br>".join(
        escape(each) for each in (line.reference, _short(moved.counterparty)) if each
    )
    gross = amount(moved.gross_minor) if moved.gross_minor else ""
    interchange = amount(moved.interchange_minor) if moved.interchange_minor else ""
    proof = [
        f"transaction {moved.transaction_hash} log {moved.log_index}",
        f"block {moved.block_number} {moved.block_hash}",
    ]
    if moved.payment_id is not None and moved.uetr is not None:
        proof = [
            f"UETR {uetr_text(moved.uetr)}",
            f"payment 0x{moved.payment_id.hex()}",
            *proof,
        ]
    elif moved.subject is not None:
        proof.insert(0, f"key 0x{moved.subject.hex()}")
    when = utc(moved.at).rstrip("Z").replace("T", " ")
    return (
        f'<tbody><tr><td class="n">{moved.number}</td><td>{when}</td><td>{moved.kind.word}</td>'
        f'<td>{names}</td><td class="n">{gross}</td><td class="n">{interchange}</td>'
        f'<td class="n"><b>{amount(moved.change_minor)}</b></td>'
        f'<td class="n">{amount(moved.held_change_minor)}</td>'
        f'<td class="n">{amount(moved.balance_minor)}</td></tr>\n'
        f'<tr><td></td><td class="proof" colspan="8">{"<br>".join(map(escape, proof))}</td></tr>'
        "</tbody>\n"
    )


def _short(address: str | None) -> str:
    return "" if address is None else f"{address[:8]}…{address[-6:]}"


def _grouped(amount: str) -> str:
    """An amount with commas between thousands; only for people."""
    whole, point, places = amount.partition(".")
    sign = "-" if whole.startswith("-") else ""
    return f"{sign}{int(whole.lstrip('-')):,}{point}{places}"
