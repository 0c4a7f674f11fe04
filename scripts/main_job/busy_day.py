"""The busy day: 2,000 payments of 400 cards at 60 merchants, in batches between the banks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from scripts.main_job import tills
from scripts.main_job.cast import Bank
from scripts.main_job.day import DayRow, read_day
from scripts.main_job.record import Batch, PaymentRecord
from scripts.main_job.show import Progress
from scripts.main_job.stage import CURRENCIES, Stage, opening_of_day
from tael import BatchOutcome, Money, SignedPayment, qr

# Clocks in China and Hong Kong: by when the payments since the last round are cleared.
WINDOW_ENDS = (14, 18, 22)
_UTC_OFFSET_HOURS = 8
REFUND_EVERY = 100
"""Every so many payments somebody brings half of it back."""

Signed = tuple[DayRow, SignedPayment, PaymentRecord]


@dataclass(frozen=True)
class Sticker:
    """A shop's static code in one currency.

    Args:
        code: As scanned and checked.
        entry: What the Directory said of the shop.
    """

    code: qr.VerifiedCode
    entry: qr.MerchantEntry


Stickers = dict[tuple[int, str], Sticker]
"""By the shop's number and the currency."""


def play(stage: Stage) -> None:
    """Clear the whole day."""
    rows = read_day()
    stickers = _scan_stickers(stage)
    labels = ("Payments authorized", "Payments captured")
    with stage.show.progress(len(rows), *labels) as (authorized, captured):
        opened: list[Signed] = []
        first_hour = 0
        for window, end in enumerate(WINDOW_ENDS, start=1):
            _advance_to(stage, end)
            due = [row for row in rows if first_hour <= row.second < end * 3600]
            first_hour = end * 3600
            opened += _clear(stage, window, due, stickers, authorized, captured)
    _bring_back(stage, opened)
    settled = sum(payment.second is not None for payment in stage.record.settled())
    stage.show.line(f"{settled:,} of {len(rows):,} payments of the day settled")


def _scan_stickers(stage: Stage) -> Stickers:
    """Every shop's static codes, checked against the Directory as a payer's phone does.

    That for the currency of the place is a sticker, read from its picture; that for the other one
    is on the till's screen.
    """

    def work(bank: Bank) -> Stickers:
        found: Stickers = {}
        for shop in stage.shops:
            if shop.bank is not bank:
                continue
            for currency in CURRENCIES:
                if currency == bank.currency:
                    text = qr.read_image(stage.folder / tills.sticker(shop, currency))
                else:
                    text = tills.static_code(stage, shop, currency)
                entry = tills.look_up(bank.client, shop, currency)
                code = tills.check(stage, text, entry, at=bank.client.now())
                found[shop.row.number, currency] = Sticker(code, entry)
        return found

    stickers: Stickers = {}
    for found in stage.for_each_bank(work):
        stickers |= found
    stage.show.line(f"{len(stickers)} static codes shown, scanned and checked")
    return stickers


def _advance_to(stage: Stage, local_hour: int) -> None:
    moment = int(opening_of_day().timestamp()) + (local_hour - _UTC_OFFSET_HOURS) * 3600
    stage.advance(moment - stage.reader.now(), f"it is {local_hour}:00")


def _clear(
    stage: Stage,
    window: int,
    rows: list[DayRow],
    stickers: Stickers,
    authorized: Progress,
    captured: Progress,
) -> list[Signed]:
    """One round: issuers authorize what their cards paid, then acquirers capture it."""

    def authorize(bank: Bank) -> list[Signed]:
        own = [row for row in rows if stage.day_cards[row.card - 1].bank is bank]
        at = bank.client.now()
        opened: list[Signed] = []
        # A bank's payments to one other bank make one transaction. They are signed just before it,
        # so that the node works on one bank's batch while the cards of the others sign.
        for group in _by_acquirer(stage, own):
            signed = [_sign(stage, row, stickers, at) for row in group]
            outcomes = bank.client.payments.authorize_many(
                signed, reference=f"DAY-{bank.code}-{window}-{len(opened)}"
            )
            _count(stage, "authorizeMany", outcomes)
            for row, payment in zip(group, signed, strict=True):
                name = stage.shops[row.merchant - 1].row.name
                record = stage.record.opened(payment.prepared, name, row.second)
                opened.append((row, payment, record))
            authorized.add(len(group))
        return opened

    opened = [each for batch in stage.for_each_bank(authorize) for each in batch]
    _write_batches(stage, window, opened)

    def capture(bank: Bank) -> None:
        groups: dict[tuple[str, str, str], list[Signed]] = defaultdict(list)
        for each in opened:
            if each[1].terms.acquirer == bank.address:
                groups[each[1].terms.parties].append(each)
        for number, group in enumerate(groups.values(), start=1):
            outcomes = bank.client.payments.capture_many(
                [(payment, payment.prepared.amount) for _, payment, _ in group],
                reference=f"CAP-{bank.code}-{window}-{number}",
            )
            _count(stage, "captureMany", outcomes)
            for _, _, record in group:
                record.captured_minor = record.amount_minor
            captured.add(len(group))

    stage.for_each_bank(capture)
    total = len(opened)
    stage.step("Banks", f"authorize and capture {total} payments, round {window}")
    return opened


def _sign(stage: Stage, row: DayRow, stickers: Stickers, at: int) -> SignedPayment:
    """What happens at the counter: a code, a look at it, the card's signature."""
    card, shop = stage.day_cards[row.card - 1], stage.shops[row.merchant - 1]
    amount = Money(row.currency, row.amount_minor)
    sticker = stickers[row.merchant, row.currency]
    code = sticker.code
    if row.is_dynamic:
        text = tills.dynamic_code(
            stage,
            shop,
            amount,
            bill=f"DAY-{row.number:04d}",
            expires_at=at + tills.CODE_SECONDS,
        )
        # Phones keep what they looked up: the Directory is asked once a shop, not once a bill.
        code = tills.check(stage, text, sticker.entry, at=at)
    return tills.sign(card, code, amount, reference=f"DAY-{row.number:04d}", at=at)


def _by_acquirer(stage: Stage, rows: Iterable[DayRow]) -> list[list[DayRow]]:
    groups: dict[int, list[DayRow]] = defaultdict(list)
    for row in rows:
        groups[stage.shops[row.merchant - 1].bank.index].append(row)
    return list(groups.values())


def _count(stage: Stage, verb: str, outcomes: list[BatchOutcome]) -> None:
    """Write down the transactions of a batch; of the day's payments none may be refused."""
    items: dict[str, int] = defaultdict(int)
    for outcome in outcomes:
        if outcome.written is None:
            raise outcome.refusal or AssertionError("refused without a reason")
        items[outcome.written.transaction_hash] += 1
    for outcome in outcomes:
        written = outcome.written
        if written is not None and written.transaction_hash in items:
            stage.record.wrote(verb, written, items.pop(written.transaction_hash))


def _write_batches(stage: Stage, window: int, opened: list[Signed]) -> None:
    sums: dict[tuple[str, str, str], list[int]] = defaultdict(list)
    for row, payment, _ in opened:
        terms = payment.terms
        sums[terms.issuer, terms.acquirer, row.currency].append(row.amount_minor)
    stage.record.add_batches(
        Batch(window, issuer, acquirer, currency, len(amounts), sum(amounts))
        for (issuer, acquirer, currency), amounts in sums.items()
    )


def _bring_back(stage: Stage, opened: list[Signed]) -> None:
    """A few customers return something: half of what they paid is refunded."""
    returned = [each for each in opened if each[0].number % REFUND_EVERY == 0]

    def refund(bank: Bank) -> None:
        for row, payment, record in returned:
            if record.acquirer != bank.address:
                continue
            total = Money(row.currency, record.captured_minor // 2)
            reference = f"RET-{row.number:04d}"
            written = bank.client.payments.refund(payment, total, reference=reference)
            stage.record.wrote("refund", written)
            record.refunded_minor = total.amount_minor

    stage.for_each_bank(refund)
    stage.step("Banks", f"refund half of {len(returned)} payments")
