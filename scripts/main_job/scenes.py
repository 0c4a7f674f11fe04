"""At the till: every way a payment can go, one by one, from the picture to the money."""

from __future__ import annotations

from dataclasses import dataclass

from scripts.main_job import tills
from scripts.main_job.cast import Card, Shop
from scripts.main_job.record import PaymentRecord, Scene
from scripts.main_job.stage import Stage, money
from tael import Money, SignedPayment, qr

PARKING_SECONDS = 1_800
"""How long the hold of the payment that nobody captures lasts."""


@dataclass
class Sale:
    """A payment on its way: who, where, what was signed, and the banks' own record of it."""

    card: Card
    shop: Shop
    signed: SignedPayment
    record: PaymentRecord
    scene: Scene
    reference: str

    @property
    def amount(self) -> Money:
        """What was authorized."""
        return self.signed.prepared.amount


@dataclass
class Open:
    """Payments of the scenes that later acts come back to."""

    captured: Sale
    parked: Sale
    before_suspension: Sale
    sticker: str
    dynamic: tills.Printed


class Counter:
    """Plays the scenes and keeps their stories.

    Args:
        stage: Where.
    """

    def __init__(self, stage: Stage) -> None:
        self.stage = stage

    def shop(self, number: int) -> Shop:
        """A merchant of the data file, by its number."""
        return self.stage.shops[number - 1]

    def ring_up(
        self, title: str, number: int, amount: Money, *, asks_for_tip: bool = False
    ) -> tuple[Scene, tills.Printed]:
        """The till shows a dynamic code for a bill."""
        number_of_bill = len(self.stage.record.scenes) + 1
        printed = tills.show_dynamic(
            self.stage,
            self.shop(number),
            amount,
            bill=f"BILL-{number_of_bill:02d}",
            asks_for_tip=asks_for_tip,
        )
        scene = Scene(title, printed.picture)
        self.stage.record.scenes.append(scene)
        shop = self.shop(number)
        self.stage.step(shop.row.name, f"shows a dynamic code for {amount}", scene=scene)
        return scene, printed

    def look(self, scene: Scene, printed: tills.Printed) -> qr.VerifiedCode:
        """The payer's phone reads the picture, checks it against the chain and shows it."""
        code = tills.scan(self.stage, printed.picture)
        asked = "typed by the payer"
        if code.amount_minor is not None and code.currency is not None:
            asked = str(Money(code.currency, code.amount_minor))
        if not scene.wallet:
            scene.wallet += [
                ("Pay to", code.name),
                ("Amount", asked + (", a tip may be added" if code.asks_for_tip else "")),
                ("Merchant's bank", self.stage.name_of(code.acquirer)),
                ("Category", code.category_code),
            ]
        return code

    def pay(
        self,
        scene: Scene,
        printed: tills.Printed,
        holder: str,
        amount: Money,
        *,
        verb: str = "authorize",
        hold_seconds: int = tills.HOLD_SECONDS,
    ) -> Sale:
        """Read, check, show, sign; then the payer's bank authorizes or charges."""
        stage, card = self.stage, self.stage.people[holder]
        code = self.look(scene, printed)
        shop = next(each for each in stage.shops if each.merchant_id == code.merchant_id)
        reference = f"PAY-{len(stage.record.payments) + 1:03d}"
        signed = tills.sign(card, code, amount, reference=reference, hold_seconds=hold_seconds)
        stage.step(holder, f"sees {code.name} and {amount}; the card signs", scene=scene)
        payments = card.bank.client.payments
        send = payments.charge if verb == "charge" else payments.authorize
        written = send(signed, reference=reference)
        stage.record.wrote(verb, written)
        record = stage.record.opened(signed.prepared, shop.row.name)
        if verb == "charge":
            record.captured_minor = record.amount_minor
        word = "charges" if verb == "charge" else "authorizes"
        stage.step(card.bank.name, f"{word} {amount}", written, scene)
        return Sale(card, shop, signed, record, scene, reference)

    def capture(self, sale: Sale, total: Money) -> None:
        """The merchant's bank captures up to a new total."""
        bank = sale.shop.bank
        reference = f"CAP-{sale.reference[4:]}-{total.amount_minor}"
        written = bank.client.payments.capture(sale.signed, total, reference=reference)
        self.stage.record.wrote("capture", written)
        sale.record.captured_minor = total.amount_minor
        all_of_it = total.amount_minor == sale.record.amount_minor
        what = f"captures {total}" + ("" if all_of_it else f" of {sale.amount}")
        self.stage.step(bank.name, what, written, sale.scene)

    def void(self, sale: Sale, total: Money) -> None:
        """The merchant's bank gives a part of the hold back."""
        bank = sale.shop.bank
        reference = f"VOI-{sale.reference[4:]}-{total.amount_minor}"
        written = bank.client.payments.void(sale.signed, total, reference=reference)
        self.stage.record.wrote("void", written)
        sale.record.voided_minor = total.amount_minor
        self.stage.step(bank.name, f"voids {total}", written, sale.scene)

    def refund(self, sale: Sale, total: Money) -> None:
        """The merchant's bank pays a part back."""
        bank = sale.shop.bank
        reference = f"REF-{sale.reference[4:]}-{total.amount_minor}"
        written = bank.client.payments.refund(sale.signed, total, reference=reference)
        self.stage.record.wrote("refund", written)
        sale.record.refunded_minor = total.amount_minor
        self.stage.step(bank.name, f"refunds {total}", written, sale.scene)

    def end(self, scene: Scene, outcome: str) -> None:
        """How it ended, for the report and for whoever watches."""
        scene.outcome = outcome
        self.stage.show.line(f"{scene.title}: {outcome}")


def play(stage: Stage) -> Open:
    """Play all scenes but the one that needs the clock moved."""
    counter = Counter(stage)
    captured, dynamic = _in_full(counter)
    sticker = _from_a_sticker(counter)
    _in_two_parts(counter)
    _with_a_tip(counter)
    _refunded_in_part(counter)
    _voided_in_part(counter)
    _two_payers(counter)
    _at_once(counter)
    _left_open(counter)
    parked = _never_captured(counter)
    before = _held_before_a_suspension(counter)
    return Open(captured, parked, before, sticker, dynamic)


def _in_full(counter: Counter) -> tuple[Sale, tills.Printed]:
    amount = money("86.00", "CNY")
    scene, printed = counter.ring_up("Captured in full", 34, amount)
    sale = counter.pay(scene, printed, "Mei", amount)
    counter.capture(sale, amount)
    counter.end(scene, f"{amount} captured")
    return sale, printed


def _from_a_sticker(counter: Counter) -> str:
    stage, shop = counter.stage, counter.shop(19)
    printed = tills.show_static(stage, shop, "HKD")
    scene = Scene("From the sticker on the counter", printed.picture)
    stage.record.scenes.append(scene)
    amount = money("42.50", "HKD")
    stage.step(shop.row.name, "has a static code for HKD on its counter", scene=scene)
    sale = counter.pay(scene, printed, "Ken", amount)
    counter.capture(sale, amount)
    counter.end(scene, f"{amount}, typed by the payer, captured")
    return printed.picture


def _in_two_parts(counter: Counter) -> None:
    amount, first = money("3280.00", "HKD"), money("1280.00", "HKD")
    scene, printed = counter.ring_up("Captured in two parts", 54, amount)
    sale = counter.pay(scene, printed, "Grace", amount)
    counter.capture(sale, first)
    counter.capture(sale, amount)
    counter.end(scene, f"{first} on delivery of the first parcel, {amount} in all")


def _with_a_tip(counter: Counter) -> None:
    bill, tip = money("428.00", "CNY"), money("60.00", "CNY")
    scene, printed = counter.ring_up("With a tip", 2, bill, asks_for_tip=True)
    sale = counter.pay(scene, printed, "Bo", bill + tip)
    counter.capture(sale, bill + tip)
    counter.end(scene, f"{bill} and a tip of {tip} captured")


def _refunded_in_part(counter: Counter) -> None:
    amount, returned = money("236.00", "CNY"), money("79.00", "CNY")
    scene, printed = counter.ring_up("Refunded in part", 7, amount)
    sale = counter.pay(scene, printed, "Bo", amount)
    counter.capture(sale, amount)
    counter.refund(sale, returned)
    counter.end(scene, f"{amount} captured, {returned} refunded")


def _voided_in_part(counter: Counter) -> None:
    amount, missing = money("312.40", "HKD"), money("45.90", "HKD")
    scene, printed = counter.ring_up("Voided in part", 31, amount)
    sale = counter.pay(scene, printed, "Tom", amount)
    counter.void(sale, missing)
    counter.capture(sale, amount - missing)
    counter.end(scene, f"{amount - missing} captured, {missing} was out of stock and voided")


def _two_payers(counter: Counter) -> None:
    amount = money("152.00", "CNY")
    scene, printed = counter.ring_up("One code, paid by two people", 47, amount)
    first = counter.pay(scene, printed, "Mei", amount)
    second = counter.pay(scene, printed, "Bo", amount)
    counter.capture(first, amount)
    counter.void(second, amount)
    counter.end(scene, f"{amount} captured once, voided once")


def _at_once(counter: Counter) -> None:
    stage, shop = counter.stage, counter.shop(36)
    printed = tills.show_static(stage, shop, "HKD")
    scene = Scene("Charged at once", printed.picture)
    stage.record.scenes.append(scene)
    amount = money("64.50", "HKD")
    stage.step(shop.row.name, "has a static code for HKD on its dashboard", scene=scene)
    counter.pay(scene, printed, "Ken", amount, verb="charge")
    counter.end(scene, f"{amount} paid without a hold")


def _left_open(counter: Counter) -> None:
    deposit = money("1500.00", "CNY")
    scene, printed = counter.ring_up("A deposit that stays open", 55, deposit)
    counter.pay(scene, printed, "Mei", deposit)
    counter.end(scene, f"{deposit} held until checkout")
    deposit, minibar = money("2000.00", "HKD"), money("415.00", "HKD")
    scene, printed = counter.ring_up("A deposit captured in part", 10, deposit)
    sale = counter.pay(scene, printed, "Grace", deposit)
    counter.capture(sale, minibar)
    counter.end(scene, f"{minibar} captured, {deposit - minibar} still held")


def _never_captured(counter: Counter) -> Sale:
    amount = money("180.00", "HKD")
    scene, printed = counter.ring_up("Expired, reclaimed by a stranger", 26, amount)
    return counter.pay(scene, printed, "Ken", amount, hold_seconds=PARKING_SECONDS)


def _held_before_a_suspension(counter: Counter) -> Sale:
    amount = money("90.00", "HKD")
    scene, printed = counter.ring_up("Held before the bank was suspended", 42, amount)
    return counter.pay(scene, printed, "Tom", amount)
