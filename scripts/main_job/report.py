"""The report: one page that stands alone, for people who were not there."""

from __future__ import annotations

import statistics
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime

from scripts.main_job import charts
from scripts.main_job.books import Verdict
from scripts.main_job.pages import embed, render
from scripts.main_job.record import BPS, Batch
from scripts.main_job.show import grouped
from scripts.main_job.stage import CURRENCIES, SCHEME_BPS, Stage, local_clock
from scripts.main_job.statements import Account, Statement, file_stem
from tael import Money

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


@dataclass(frozen=True)
class Position:
    """A bank's day in one currency, as text.

    Args:
        bank: Name.
        currency: ISO 4217 letters.
        issued: Issued to it, less redeemed.
        transferred: To and from other banks' treasuries.
        paid: By its cards, gross.
        received: By its merchants, gross.
        refunds: Given to its cards less returned by its merchants.
        interchange: Kept less left with others.
        scheme: Paid to the operator.
        closing: What it owns.
        held: Of that, set aside.
    """

    bank: str
    currency: str
    issued: str
    transferred: str
    paid: str
    received: str
    refunds: str
    interchange: str
    scheme: str
    closing: str
    held: str


@dataclass(frozen=True)
class Gas:
    """What one verb took, per payment or entry.

    Args:
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


@dataclass(frozen=True)
class Flow:
    """What one bank's cards paid at the merchants of the others, in the busy day.

    Args:
        issuer: Name.
        currency: ISO 4217 letters.
        cells: One for each acquirer: text, and how dark, 0 to 100.
    """

    issuer: str
    currency: str
    cells: list[tuple[str, int]]


def write(stage: Stage, verdict: Verdict, statements: list[Statement]) -> None:
    """Write `report.html`, pictures and all."""
    record = stage.record
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
        day_chart=_day_chart(stage),
        flows=_flows(stage),
        banks=[bank.name for bank in stage.banks],
        positions=_positions(statements),
        position_chart=_position_chart(statements),
        operator_fees=_operator_fees(stage),
        scheme_bps=SCHEME_BPS,
        gas=_gas(stage),
        gas_chart=_gas_chart(stage),
        statements=[(each.bank.name, file_stem(each.bank)) for each in statements],
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


def _day_chart(stage: Stage) -> str:
    counts: dict[int, dict[str, int]] = defaultdict(lambda: dict.fromkeys(CURRENCIES, 0))
    for payment in stage.record.payments.values():
        if payment.second is not None:
            counts[payment.second // _HALF_HOUR][payment.currency] += 1
    columns = [
        charts.Column(f"{slot // 2}:00" if slot % 2 == 0 else "", counts[slot])
        for slot in range(min(counts), max(counts) + 1)
    ]
    return charts.stacked_columns(columns, "Payments of the day by half hour", "payments")


def _flows(stage: Stage) -> list[Flow]:
    sums: dict[tuple[str, str], list[Batch]] = defaultdict(list)
    for batch in stage.record.batches:
        sums[batch.issuer, batch.acquirer].append(batch)
    highest = max(sum(each.amount_minor for each in batches) for batches in sums.values())
    flows = []
    for issuer in stage.banks:
        cells = []
        for acquirer in stage.banks:
            batches = sums.get((issuer.address, acquirer.address), [])
            amount = sum(each.amount_minor for each in batches)
            count = sum(each.payments for each in batches)
            text = f"{grouped(Money(issuer.currency, amount).amount)} in {count}" if batches else ""
            cells.append((text, amount * 100 // highest))
        flows.append(Flow(issuer.name, issuer.currency, cells))
    return flows


def _net_minor(account: Account) -> int:
    """What payments and refunds did to a balance."""
    return account.sum_of("amount_minor", "payment", "refund")


def _positions(statements: list[Statement]) -> list[Position]:
    positions = []
    for statement in statements:
        for account in statement.accounts:
            currency = account.currency
            gross = [line.gross_minor for line in account.lines if line.kind == "payment"]
            signed = (
                account.sum_of("amount_minor", "issue", "redemption"),
                account.sum_of("amount_minor", "transfer"),
                sum(each for each in gross if each < 0),
                sum(each for each in gross if each > 0),
                account.sum_of("gross_minor", "refund"),
                account.sum_of("interchange_minor", "payment", "refund"),
                account.sum_of("scheme_fee_minor", "payment"),
            )
            unsigned = (account.closing_minor, account.held_minor)
            positions.append(
                Position(
                    statement.bank.name,
                    currency,
                    *(_signed(currency, value) for value in signed),
                    *(grouped(Money(currency, value).amount) for value in unsigned),
                )
            )
    return positions


def _position_chart(statements: list[Statement]) -> str:
    rows = [
        charts.Bar(
            f"{statement.bank.name}, {account.currency}",
            _net_minor(account),
            _signed(account.currency, _net_minor(account)),
            charts.COLOURS[account.currency],
        )
        for statement in statements
        for account in statement.accounts
    ]
    return charts.bars(rows, "Net of payments and refunds by bank and currency")


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


def _gas(stage: Stage) -> list[Gas]:
    by_verb: dict[str, list[tuple[int, int, int]]] = defaultdict(list)
    for write in stage.record.writes:
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


def _gas_chart(stage: Stage) -> str:
    rows = [
        charts.Bar(row.verb, row.median, f"{row.median:,}")
        for row in _gas(stage)
        if row.verb in _VERBS
    ]
    return charts.bars(rows, "Gas per payment by verb, median")
