"""The books are opened: banks admitted, reserves attested, money issued, cards and shops known."""

from __future__ import annotations

from scripts.main_job import tills
from scripts.main_job.cast import Bank, Card, make_card, make_day_cards, make_shop
from scripts.main_job.day import read_shops
from scripts.main_job.generate import STATIC_LIMIT_MINOR
from scripts.main_job.show import Progress
from scripts.main_job.stage import CURRENCIES, Stage, money
from tael import Acceptance, CardEntry, Money

RESERVE = "40000000.00"
ISSUED = "5000000.00"
TRANSFERRED = "250000.00"
ATTESTATION_SECONDS = 30 * 86_400

PAYMENT_LIMIT = "5000.00"
DAY_LIMIT = "10000.00"

# Holder and the number of the bank; the last one's limits are low, to be exceeded.
PEOPLE = (("Mei", 0), ("Bo", 1), ("Grace", 2), ("Ken", 3), ("Lena", 0), ("Tom", 3))
LOW_LIMITS = {"Lena": ("300.00", "500.00")}


def open_books(stage: Stage) -> None:
    """Admit, attest, issue."""
    operator, record = stage.operator, stage.record
    for bank in stage.banks:
        for currency in CURRENCIES:
            reference = f"ADM-{bank.code}-{currency}"
            written = operator.participants.admit(bank.address, currency, reference=reference)
            record.wrote("admit", written)
        stage.step("Operator", f"admits {bank.name} to CNY and HKD")
    for currency in CURRENCIES:
        written = stage.auditor.participants.attest(
            money(RESERVE, currency),
            document=f"Reserve held for {currency}, audited this morning".encode(),
            valid_before=stage.reader.now() + ATTESTATION_SECONDS,
            reference=f"ATT-{currency}-1",
        )
        record.wrote("attest", written)
        stage.step("Auditor", f"attests a reserve of {RESERVE} {currency}", written)
        for bank in stage.banks:
            amount = money(ISSUED, currency)
            reference = f"ISS-{bank.code}-{currency}"
            written = operator.balances.issue(bank.address, amount, reference=reference)
            record.wrote("issue", written)
            record.move(bank.address, currency, amount.amount_minor)
        stage.step("Operator", f"issues {ISSUED} {currency} to each bank")
    payer, payee = stage.banks[0], stage.banks[3]
    amount = money(TRANSFERRED, "CNY")
    written = payer.client.balances.transfer(payee.address, amount, reference="TREASURY-1")
    record.wrote("transferWithAuthorization", written)
    record.move(payer.address, "CNY", -amount.amount_minor)
    record.move(payee.address, "CNY", amount.amount_minor)
    stage.step(payer.name, f"transfers {amount} to {payee.name}", written)
    stage.show.line(
        f"4 banks admitted; {RESERVE} attested, {ISSUED} issued to each bank, in CNY and in HKD"
    )


def fill_directory(stage: Stage) -> None:
    """Every bank registers its cards and its merchants, and hands these their stickers."""
    stage.shops = [make_shop(row, stage.banks[row.bank - 1]) for row in read_shops()]
    stage.day_cards = make_day_cards(stage.banks)
    stage.people = {holder: make_card(holder, stage.banks[bank]) for holder, bank in PEOPLE}
    cards = [*stage.day_cards, *stage.people.values()]
    total = len(stage.shops) + len(cards)
    with stage.show.progress(total, "Merchants and cards registered") as (registered,):
        stage.for_each_bank(lambda bank: _register(stage, bank, cards, registered))
    stage.step("Banks", f"vouch for {len(stage.shops)} merchants and {len(cards)} cards")


def _register(stage: Stage, bank: Bank, cards: list[Card], registered: Progress) -> None:
    directory, record = bank.client.directory, stage.record
    own = [_entry(card, bank) for card in cards if card.bank is bank]
    written = directory.set_cards(own, reference=f"CARDS-{bank.code}")
    record.wrote("setCards", written, len(own))
    registered.add(len(own))
    limits = [Acceptance(Money(currency, STATIC_LIMIT_MINOR)) for currency in CURRENCIES]
    for shop in stage.shops:
        if shop.bank is not bank:
            continue
        written = directory.set_merchant(
            shop.reference,
            signer=shop.till.address,
            name=shop.vouched_name,
            category_code=shop.row.category_code,
            reference=f"{shop.reference}-SET",
        )
        record.wrote("setMerchant", written)
        written = directory.accept(shop.merchant_id, limits, reference=f"{shop.reference}-ACC")
        record.wrote("setAcceptances", written)
        # While the node works for the other banks.
        tills.show_static(stage, shop, bank.currency)
        registered.add()


def _entry(card: Card, bank: Bank) -> CardEntry:
    payment, day = LOW_LIMITS.get(card.holder, (PAYMENT_LIMIT, DAY_LIMIT))
    return CardEntry(card.address, money(payment, bank.currency), money(day, bank.currency))
