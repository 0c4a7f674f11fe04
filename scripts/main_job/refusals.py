"""What must not work, and by which name it is refused."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from scripts.main_job import tills
from scripts.main_job.cast import Card, Shop
from scripts.main_job.opening import ISSUED, RESERVE
from scripts.main_job.scenes import PARKING_SECONDS, Counter, Open, Sale
from scripts.main_job.stage import GOVERNANCE_DELAY_SECONDS, DemoError, Stage, money
from tael import Money, ScheduledOperation, SignedPayment, qr
from tael.contracts.calls import Contract
from tael.rpc import call

WALLET, ESCROW, TOKEN, SDK = "Payer's wallet", "Escrow", "Token", "SDK"


def play(stage: Stage, left: Open) -> None:
    """Everything that is refused while the chain's clock stands where it is, and after it moved."""
    _codes(stage, left)
    _limits(stage)
    _in_a_batch(stage)
    _repeats(stage, left.captured)
    _strangers(stage, left)
    _reserve(stage)
    operation = _suspended(stage, left.before_suspension)
    stage.refuse(
        "Reclaiming before the time to capture is over",
        ESCROW,
        "ReclaimTooEarly",
        lambda: stage.stranger.payments.reclaim(left.parked.signed, reference="EARLY-1"),
    )
    wait = max(GOVERNANCE_DELAY_SECONDS, tills.CODE_SECONDS + PARKING_SECONDS) + 60
    stage.advance(wait, f"{wait // 60} minutes pass")
    _reinstate(stage, operation)
    _too_late(stage, left.parked)


def _codes(stage: Stage, left: Open) -> None:
    """Four codes that a payer's phone must not pay, as pictures."""
    shop, other = stage.shops[33], stage.shops[45]
    # The amount is altered and the check sum made anew: only the signature tells.
    honest = qr.read(left.dynamic.text)
    tampered = qr.write(replace(honest, amount_minor=(honest.amount_minor or 0) // 10, text=""))
    cases = [
        (
            "tampered",
            "A code whose amount was altered, check sum and all",
            tampered,
            "qr_signature_mismatch",
        ),
        (
            "foreign-till",
            "A sticker signed by another merchant's till",
            tills.static_code(stage, replace(shop, till=other.till), "CNY"),
            "qr_wrong_signer",
        ),
        (
            "other-name",
            "A code with a name its bank does not vouch for",
            tills.dynamic_code(
                stage,
                _renamed(shop, "Golden Crane Tea House"),
                money("88.00", "CNY"),
                bill="OTHER-1",
                expires_at=stage.reader.now() + tills.CODE_SECONDS,
            ),
            "qr_name_not_vouched",
        ),
        (
            "expired",
            "A code that has expired",
            tills.dynamic_code(
                stage, shop, money("88.00", "CNY"), bill="OLD-1", expires_at=stage.reader.now() - 1
            ),
            "qr_expired",
        ),
    ]
    for name, title, text, expected in cases:
        printed = tills.draw(stage, f"refused/{name}", text)
        attempt = partial(tills.scan, stage, printed.picture)
        stage.refuse(title, WALLET, expected, attempt, picture=printed.picture)


def _renamed(shop: Shop, name: str) -> Shop:
    return replace(shop, row=replace(shop.row, name=name, local_name=""))


def _limits(stage: Stage) -> None:
    """The merchant's static limit and the card's own."""
    counter = Counter(stage)
    sticker = tills.show_static(stage, stage.shops[33], "CNY")
    code = tills.scan(stage, sticker.picture)
    mei, lena = stage.people["Mei"], stage.people["Lena"]

    def try_amount(card: Card, amount: str, reference: str) -> object:
        signed = tills.sign(card, code, money(amount, "CNY"), reference=reference)
        return card.bank.client.payments.authorize(signed, reference=reference)

    stage.refuse(
        "680.00 CNY on a sticker for up to 500.00, without the merchant's signature",
        ESCROW,
        "DynamicCodeMissing",
        lambda: try_amount(mei, "680.00", "TRY-STATIC"),
    )
    stage.refuse(
        "350.00 CNY with a card for up to 300.00 a payment",
        ESCROW,
        "CardPaymentLimitExceeded",
        lambda: try_amount(lena, "350.00", "TRY-LIMIT"),
    )
    amount = money("280.00", "CNY")
    scene, printed = counter.ring_up("Within the card's limits", 34, amount)
    sale = counter.pay(scene, printed, "Lena", amount)
    counter.capture(sale, amount)
    counter.end(scene, f"{amount} captured")
    stage.refuse(
        "260.00 CNY more with a card for up to 500.00 a day",
        ESCROW,
        "CardDayLimitExceeded",
        lambda: try_amount(lena, "260.00", "TRY-DAY"),
    )


def _in_a_batch(stage: Stage) -> None:
    """One bad payment in a batch is left out, and the others go on."""
    bank, record = stage.banks[0], stage.record
    sticker = tills.show_static(stage, stage.shops[33], "CNY")
    code = tills.scan(stage, sticker.picture)
    buyers = (
        (stage.people["Mei"], "35.00"),
        (stage.people["Lena"], "410.00"),
        (stage.people["Mei"], "54.00"),
    )
    signed = [
        tills.sign(card, code, money(amount, "CNY"), reference=f"TRIO-{number}")
        for number, (card, amount) in enumerate(buyers, start=1)
    ]
    outcomes = bank.client.payments.authorize_many(signed, reference="TRIO")
    if [outcome.accepted for outcome in outcomes] != [True, False, True]:
        raise DemoError(f"of the batch of three only the middle one may fail: {outcomes}")
    bad = outcomes[1].refusal
    if bad is None:
        raise DemoError("a refused payment of a batch has no reason")
    stage.refused(
        "The same in a batch of three: it is left out, the others go on",
        ESCROW,
        "CardPaymentLimitExceeded",
        bad,
    )
    good: list[SignedPayment] = [signed[0], signed[2]]
    records = [record.opened(each.prepared, stage.shops[33].row.name) for each in good]
    first = outcomes[0].written
    if first is not None:
        record.wrote("authorizeMany", first, len(good))
    captures = stage.shops[33].bank.client.payments.capture_many(
        [(each, each.prepared.amount) for each in good], reference="TRIO-CAP"
    )
    for outcome, own in zip(captures, records, strict=True):
        if outcome.refusal is not None:
            raise outcome.refusal
        own.captured_minor = own.amount_minor
    written = captures[0].written
    if written is not None:
        record.wrote("captureMany", written, len(good))


def _repeats(stage: Stage, sale: Sale) -> None:
    """The same capture again: the SDK gives the first answer, the chain refuses by name."""
    bank, total = sale.shop.bank, sale.amount
    before = bank.client.balances.of(total.currency).total
    again = bank.client.payments.capture(sale.signed, total, reference="CAP-AGAIN")
    if not again.repeated or bank.client.balances.of(total.currency).total != before:
        raise DemoError("a repeated capture must give the first answer and pay nothing")
    stage.show.line("The same capture again, through the SDK: the first answer, nothing is paid")
    terms = sale.signed.terms
    escrow = Contract("PaymentEscrow", stage.manifest.escrow)
    stage.refuse(
        "The same capture again, past the SDK",
        ESCROW,
        "CaptureRepeated",
        lambda: call(
            stage.chain,
            escrow,
            "capture",
            terms.parties,
            terms.packed,
            total.amount_minor,
            sender=bank.address,
        ),
    )


def _strangers(stage: Stage, left: Open) -> None:
    """Who is not the merchant's bank captures nothing."""
    sale = left.before_suspension
    stage.refuse(
        "A capture by somebody who is not the merchant's bank",
        ESCROW,
        "NotPermitted",
        lambda: stage.stranger.payments.capture(sale.signed, sale.amount, reference="STEAL-1"),
    )


def _reserve(stage: Stage) -> None:
    """No money without a reserve, and no reference twice."""
    bank, operator = stage.banks[1], stage.operator
    stage.refuse(
        f"Issuing beyond the attested reserve of {RESERVE} HKD",
        TOKEN,
        "ReserveExceeded",
        lambda: operator.balances.issue(
            bank.address, money(RESERVE, "HKD"), reference="ISS-TOO-MUCH"
        ),
    )
    stage.refuse(
        "An issue under a reference that stands for another amount",
        SDK,
        "idempotency_conflict",
        lambda: operator.balances.issue(
            bank.address,
            money(ISSUED, "CNY") + Money("CNY", 1),
            reference=f"ISS-{bank.code}-CNY",
        ),
    )


def _suspended(stage: Stage, held: Sale) -> ScheduledOperation:
    """A suspended bank opens nothing new, yet what was promised before is paid."""
    bank, guardian = stage.banks[3], stage.guardian
    written = guardian.participants.suspend(
        bank.address, "HKD", document=b"Unusual outflow since 08:40", reference="SUSPEND-1"
    )
    stage.record.wrote("suspend", written)
    stage.step("Guardian", f"suspends {bank.name} in HKD", written)
    sticker = tills.show_static(stage, stage.shops[18], "HKD")
    code = tills.scan(stage, sticker.picture)
    ken = stage.people["Ken"]

    def attempt() -> object:
        signed = tills.sign(ken, code, money("25.00", "HKD"), reference="TRY-SUSPENDED")
        return bank.client.payments.authorize(signed, reference="TRY-SUSPENDED")

    stage.refuse("A new payment of a suspended bank", ESCROW, "AccountNotActive", attempt)
    counter = Counter(stage)
    counter.capture(held, held.amount)
    counter.end(held.scene, f"{held.amount} captured all the same")
    operation = stage.operator.participants.reinstate(bank.address, "HKD", reference="REINSTATE-1")
    if not isinstance(operation, ScheduledOperation):
        raise DemoError("a reinstatement must wait for its delay")
    if operation.written is not None:
        stage.record.wrote("schedule", operation.written)
    stage.step("Operator", f"announces to reinstate {bank.name}", operation.written)
    return operation


def _reinstate(stage: Stage, operation: ScheduledOperation) -> None:
    bank = stage.banks[3]
    done = stage.operator.participants.reinstate(bank.address, "HKD", reference="REINSTATE-1")
    if isinstance(done, ScheduledOperation):
        raise DemoError(f"the reinstatement of {operation.ready_at} is still waiting")
    stage.record.wrote("execute", done)
    stage.step("Operator", f"reinstates {bank.name} in HKD", done)


def _too_late(stage: Stage, sale: Sale) -> None:
    """After the time to capture only the way back to the payer's bank is open, for anyone."""
    bank = sale.shop.bank
    stage.refuse(
        "A capture after the time for it",
        ESCROW,
        "CaptureTooLate",
        lambda: bank.client.payments.capture(sale.signed, sale.amount, reference="LATE-1"),
    )
    written = stage.stranger.payments.reclaim(sale.signed, reference="RECLAIM-1")
    stage.record.wrote("reclaim", written)
    sale.record.voided_minor = sale.record.amount_minor
    stage.step(
        "A stranger", f"reclaims {sale.amount} for {sale.card.bank.name}", written, sale.scene
    )
    Counter(stage).end(sale.scene, f"{sale.amount} back at the payer's bank")
