"""The report: one page that stands alone, for people who were not there."""

from __future__ import annotations

import statistics
from collections import defaultdict
from datetime import UTC, datetime
from typing import NamedTuple

from markupsafe import Markup

from scripts.main_job import charts
from scripts.main_job.books import Verdict
from scripts.main_job.pages import code, embed, render, short_hash
from scripts.main_job.record import BPS, Batch, Record
from scripts.main_job.show import grouped
from scripts.main_job.stage import CURRENCIES, SCHEME_BPS, Stage, local_clock
from scripts.main_job.statements import Account
from tael import Money
from tael.index import Kind

_HALF_HOUR = 1_800
# Verbs as the contracts name them, in the order of a payment's life; all others follow.
_VERBS = (
    "authorizeMany",
    "captureMany",
    "authorize",
    "charge",
    "capture",
    "void",
    "reclaim",
    "refund",
    "transferWithAuthorization",
    "issue",
    "redeem",
)


Row = tuple[object, ...]
"""The cells of a table's row; what is no markup yet is text."""


class Gas(NamedTuple):
    """What one verb took, per payment or entry.

    Attributes:
        verb: As the contract names it.
        transactions: How many.
        items: Payments or entries in them.
        least: Gas each.
        median: Gas each.
        most: Gas each.
        total: Gas of all its transactions.
    """

    verb: str
    transactions: int
    items: int
    least: int
    median: int
    most: int
    total: int


def write(stage: Stage, verdict: Verdict, accounts: list[Account]) -> None:
    """Write `report.html`, pictures and all."""
    record = stage.record
    gas = _gas(record)
    page = render(
        "report.html.j2",
        verdict=verdict,
        line=verdict.closing_line() if verdict.holds else None,
        date=f"{datetime.fromtimestamp(stage.reader.now(), UTC):%-d %B %Y}",
        node=stage.node.kind.capitalize(),
        chain=stage.chain,
        manifest=stage.manifest,
        record=record,
        tiles=_tiles(stage, verdict),
        pictures={
            str(path.relative_to(stage.folder)): embed(path)
            for folder in ("dynamic", "static", "foreign", "refused")
            for path in sorted((stage.folder / "qr" / folder).glob("*.png"))
            if folder != "static" or _is_shown(stage, str(path.relative_to(stage.folder)))
        },
        banks=[f"{bank.name}>" for bank in stage.banks],
        day_charts=[_day_chart(record, currency) for currency in CURRENCIES],
        flows=_flows(stage),
        rounds=_rounds(record),
        net_charts=[_net_chart(accounts, currency) for currency in CURRENCIES],
        positions={currency: _positions(accounts, currency) for currency in CURRENCIES},
        operator_fees=_operator_fees(stage),
        scheme_bps=SCHEME_BPS,
        gas=[(code(row.verb), *(f"{number:,}" for number in row[1:])) for row in gas],
        gas_charts=[_gas_chart(gas)],
        refusals=_refusals(record),
        proofs=_proofs(verdict),
        timeline=_timeline(record),
        accounts=accounts,
        clock=local_clock,
    )
    (stage.folder / "report.html").write_text(page, encoding="utf-8")


def _is_shown(stage: Stage, picture: str) -> bool:
    return any(scene.picture == picture for scene in stage.record.scenes)


def _signed(currency: str, amount_minor: int) -> str:
    if amount_minor == 0:
        return "0.00" if Money(currency, 0).currency.exponent else "0"
    sign = "-" if amount_minor < 0 else "+"
    return sign + grouped(Money(currency, abs(amount_minor)).amount)


def _tiles(stage: Stage, verdict: Verdict) -> list[tuple[str, str]]:
    record = stage.record
    values = []
    for currency in CURRENCIES:
        total = sum(
            payment.captured_minor for payment in record.settled() if payment.currency == currency
        )
        values.append((f"{currency} settled", grouped(Money(currency, total).amount)))
    transactions = len({write.written.transaction_hash for write in record.writes})
    return [
        ("payments settled", f"{verdict.settled:,}"),
        *values,
        ("still open, on purpose", str(len(record.open()))),
        ("attempts refused by name", str(len(record.refusals))),
        ("transactions", f"{transactions:,}"),
        ("things proved", str(len(verdict.proofs))),
        ("seconds", f"{verdict.seconds:.0f}"),
    ]


def _refusals(record: Record) -> list[Row]:
    return [
        (
            refusal.title,
            refusal.by,
            Markup('{}<br><span class="soft">{}</span>').format(code(refusal.name), refusal.error),
            refusal.message,
        )
        for refusal in record.refusals
    ]


def _proofs(verdict: Verdict) -> list[Row]:
    mark = Markup('<span class="{}">{}</span>')
    return [
        (
            *(proof.claim, proof.left, proof.right),
            mark.format("ok", "✓") if proof.holds else mark.format("bad", "✗"),
        )
        for proof in verdict.proofs
    ]


def _timeline(record: Record) -> list[Row]:
    return [
        (
            local_clock(step.at),
            step.who,
            step.what,
            short_hash(step.transaction, whole_on_paper=True),
        )
        for step in record.timeline
    ]


def _day_chart(record: Record, currency: str) -> charts.Chart:
    seconds = [each.second for each in record.payments.values() if each.second is not None]
    slots = [second // _HALF_HOUR for second in seconds]
    counts = dict.fromkeys(range(min(slots), max(slots) + 1), 0)
    for payment in record.payments.values():
        if payment.second is not None and payment.currency == currency:
            counts[payment.second // _HALF_HOUR] += 1
    columns = [
        charts.Bar(f"{slot // 2}:00" if slot % 4 == 0 else "", count)
        for slot, count in counts.items()
    ]
    return charts.columns(columns, f"Payments in {currency} by half hour")


def _flows(stage: Stage) -> list[Row]:
    """What one bank's cards paid at the merchants of the others, the most of a currency darkest."""
    sums: dict[tuple[str, str], list[Batch]] = defaultdict(list)
    for batch in stage.record.batches:
        sums[batch.issuer, batch.acquirer].append(batch)
    amounts = {key: sum(each.amount_minor for each in batches) for key, batches in sums.items()}
    rows: list[Row] = []
    for issuer in stage.banks:
        highest = max(
            amount
            for (payer, _), amount in amounts.items()
            if stage.bank_at(payer).currency == issuer.currency
        )
        cells: list[object] = [f"{issuer.name}, {issuer.currency}"]
        for acquirer in stage.banks:
            key = (issuer.address, acquirer.address)
            if key not in sums:
                cells.append("")
                continue
            shown = grouped(Money(issuer.currency, amounts[key]).amount)
            count = sum(each.payments for each in sums[key])
            cells.append(
                Markup('<span class="heat" style="--weight: {:.2f}">{} in {}</span>').format(
                    amounts[key] / highest, shown, count
                )
            )
        rows.append(tuple(cells))
    return rows


def _rounds(record: Record) -> list[Row]:
    by_window: dict[int, list[Batch]] = defaultdict(list)
    for batch in record.batches:
        by_window[batch.window].append(batch)
    return [
        (window, len(batches), f"{sum(each.payments for each in batches):,}")
        for window, batches in sorted(by_window.items())
    ]


class _Position:
    """A bank's day in one currency, minor units: its statement, added up by what moved."""

    def __init__(self, account: Account) -> None:
        self.issued = self.transfers = self.paid = self.received = self.refunds = 0
        self.interchange = self.scheme = 0
        for line in account.lines:
            moved = line.movement
            change, sign = moved.change_minor, 1 if moved.change_minor > 0 else -1
            gross, interchange = sign * moved.gross_minor, -sign * moved.interchange_minor
            if moved.kind in (Kind.ISSUE, Kind.REDEEM):
                self.issued += change
            elif moved.kind is Kind.TRANSFER:
                self.transfers += change
            elif moved.kind in (Kind.CAPTURE, Kind.CHARGE, Kind.REFUND):
                if moved.kind is Kind.REFUND:
                    self.refunds += gross
                elif sign > 0:
                    self.received += gross
                else:
                    self.paid += gross
                self.interchange += interchange
                self.scheme += change - gross - interchange

    @property
    def net(self) -> int:
        """What payments and refunds did to the balance."""
        return self.paid + self.received + self.refunds + self.interchange + self.scheme


def _positions(accounts: list[Account], currency: str) -> list[Row]:
    """A row for each thing that moved, a column for each bank."""
    own = [account for account in accounts if account.currency == currency]
    positions = [_Position(account) for account in own]
    moved = {
        "Issued, less redeemed": [each.issued for each in positions],
        "Transfers": [each.transfers for each in positions],
        "Paid by its cards": [each.paid for each in positions],
        "Received for its merchants": [each.received for each in positions],
        "Refunds": [each.refunds for each in positions],
        "Interchange": [each.interchange for each in positions],
        "Scheme fee": [each.scheme for each in positions],
    }
    rows: list[Row] = [
        (name, *(_signed(currency, value) for value in values)) for name, values in moved.items()
    ]
    for name, shares in (
        ("Closing balance", [each.statement.closing.balance_minor for each in own]),
        ("Held of it", [each.statement.closing.held_minor for each in own]),
    ):
        rows.append((name, *(grouped(Money(currency, value).amount) for value in shares)))
    return rows


def _net_chart(accounts: list[Account], currency: str) -> charts.Chart:
    nets = {
        account.bank.name: _Position(account).net
        for account in accounts
        if account.currency == currency
    }
    rows = [charts.Bar(name, net, _signed(currency, net)) for name, net in nets.items()]
    return charts.bars(rows, f"Net of payments and refunds in {currency} by bank")


def _operator_fees(stage: Stage) -> list[tuple[str, str]]:
    fees = []
    for currency in CURRENCIES:
        total = sum(
            payment.captured_minor * SCHEME_BPS // BPS
            for payment in stage.record.payments.values()
            if payment.currency == currency
        )
        fees.append((currency, grouped(Money(currency, total).amount)))
    return fees


def _gas(record: Record) -> list[Gas]:
    by_verb: dict[str, list[tuple[int, int, int]]] = defaultdict(list)
    for write in record.writes:
        by_verb[write.verb].append((write.gas_each, write.items, write.written.gas_used))
    ordered = [verb for verb in _VERBS if verb in by_verb]
    ordered += sorted(verb for verb in by_verb if verb not in _VERBS)
    rows = []
    for verb in ordered:
        each = [gas for gas, _, _ in by_verb[verb]]
        rows.append(
            Gas(
                verb,
                len(each),
                sum(items for _, items, _ in by_verb[verb]),
                min(each),
                int(statistics.median_low(each)),
                max(each),
                sum(total for _, _, total in by_verb[verb]),
            )
        )
    return rows


def _gas_chart(gas: list[Gas]) -> charts.Chart:
    rows = [
        charts.Bar(row.verb, row.median, f"{row.median:,}") for row in gas if row.verb in _VERBS
    ]
    return charts.bars(rows, "Gas per payment by verb, median")
