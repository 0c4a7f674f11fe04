"""Capture, void, refund, reclaim: totals make repeats harmless, deadlines hold to the second."""

from __future__ import annotations

import pytest

from tael import Client, IdempotencyConflictError, Money, Verb
from tael.errors import (
    AlreadyDoneError,
    AmountTypeError,
    ContractRevertedError,
    InvalidInputError,
    LimitExceededError,
    NotPermittedError,
    WrongStateError,
    WrongTimeError,
)
from tael.events import PaymentCaptured, PaymentReclaimed, PaymentRefunded, PaymentVoided
from tael.store import Store
from tests.support.world import OPENING_MINOR, SCHEME_BPS, World, cny, hkd


def after(world: World, *kinds: type) -> list[object]:
    return [e for e in world.client("outsider").history().events() if isinstance(e, kinds)]


# Refusals


@pytest.mark.threat("S18")
@pytest.mark.parametrize("total", [50.0, 5000, "50.00", None])
def test_capture_is_refused_when_the_total_is_no_money(
    world: World, acquirer: Client, total: object
) -> None:
    payment = world.authorize("P-1", cny("80.00"))
    for verb in (acquirer.payments.capture, acquirer.payments.void, acquirer.payments.refund):
        with pytest.raises(AmountTypeError):
            verb(payment, total, reference="X-1")


def test_capture_is_refused_when_the_currency_differs(world: World, acquirer: Client) -> None:
    payment = world.authorize("P-1", cny("80.00"))
    with pytest.raises(InvalidInputError, match="CNY"):
        acquirer.payments.capture(payment, hkd("80.00"), reference="C-1")


def test_capture_is_refused_when_somebody_else_sends_it(world: World, issuer: Client) -> None:
    payment = world.authorize("P-1", cny("80.00"))
    with pytest.raises(NotPermittedError):
        issuer.payments.capture(payment, cny("80.00"), reference="C-1")


def test_capture_is_refused_when_more_is_asked_than_held(world: World, acquirer: Client) -> None:
    payment = world.authorize("P-1", cny("80.00"))
    for verb, name in (
        (acquirer.payments.capture, "CaptureTooLarge"),
        (acquirer.payments.void, "VoidTooLarge"),
    ):
        with pytest.raises(LimitExceededError) as caught:
            verb(payment, cny("80.01"), reference="X-1")
        assert caught.value.name == name


def test_capture_is_refused_when_less_is_asked_than_captured(
    world: World, acquirer: Client
) -> None:
    payment = world.authorize("P-1", cny("80.00"))
    acquirer.payments.capture(payment, cny("50.00"), reference="C-1")
    with pytest.raises(AlreadyDoneError) as caught:
        acquirer.payments.capture(payment, cny("40.00"), reference="C-2")
    assert caught.value.name == "CaptureRepeated"
    assert caught.value.arguments["captured"] == 5000


def test_status_is_refused_when_the_payment_was_never_opened(
    world: World, acquirer: Client
) -> None:
    unknown = world.prepare("P-1", cny("80.00"))
    for payment in (unknown.payment_id, unknown, "0x" + unknown.payment_id.hex()):
        with pytest.raises(WrongStateError) as caught:
            acquirer.payments.status(payment)
        assert caught.value.name == "PaymentUnknown"
        assert caught.value.arguments["id"] == unknown.payment_id
    with pytest.raises(WrongStateError):
        acquirer.payments.terms(unknown.payment_id)
    for bad in ("0x12", "payment", b"short", "00" * 32, "0x" + "zz" * 32):
        with pytest.raises(InvalidInputError):
            acquirer.payments.status(bad)


# Totals


def test_capture_pays_once_when_repeated_in_steps(any_world: World) -> None:
    acquirer, issuer = any_world.client("acquirer"), any_world.client("issuer")
    payment = any_world.authorize("P-1", cny("80.01"), interchange_bps=100)
    other = any_world.authorize("P-1", hkd("80.00"), issuer="other_issuer")
    capture = acquirer.payments.capture
    first = capture(payment.payment_id, cny("30.00"), reference="C-1")
    second = capture(payment, cny("80.01"), reference="C-2")
    for total, reference, written in (
        (cny("30.00"), "C-1", first),
        (cny("80.01"), "C-2", second),
    ):
        again = capture(payment.terms, total, reference=reference)
        assert again.repeated
        assert again.transaction_hash == written.transaction_hash
    scheme, interchange = 8001 * SCHEME_BPS // 10_000, 8001 * 100 // 10_000
    status = issuer.payments.status(payment.payment_id)
    assert (status.captured, status.held, status.verbs) == (cny("80.01"), cny("0.00"), ("refund",))
    assert status.terms == payment.terms
    assert any_world.balances() == {
        ("issuer", "CNY"): (OPENING_MINOR - 8001 + interchange, 0),
        ("issuer", "HKD"): (OPENING_MINOR, 0),
        ("acquirer", "CNY"): (OPENING_MINOR + 8001 - scheme - interchange, 0),
        ("acquirer", "HKD"): (OPENING_MINOR, 0),
        ("other_issuer", "CNY"): (OPENING_MINOR, 0),
        ("other_issuer", "HKD"): (OPENING_MINOR - 8000, 8000),
        ("other_acquirer", "CNY"): (OPENING_MINOR, 0),
        ("other_acquirer", "HKD"): (OPENING_MINOR, 0),
        ("operator", "CNY"): (scheme, 0),
        ("operator", "HKD"): (0, 0),
    }
    assert [(e.id, e.captured_total_minor) for e in after(any_world, PaymentCaptured)] == [
        (payment.payment_id, 3000),
        (payment.payment_id, 8001),
    ]
    assert acquirer.payments.status(other).held == hkd("80.00")


def test_capture_more_pays_once_when_repeated_with_the_same_status(
    world: World, acquirer: Client
) -> None:
    payment = world.authorize("P-1", cny("80.00"))
    status = acquirer.payments.status(payment)
    first = acquirer.payments.capture_more(status, cny("30.00"), reference="C-1")
    again = acquirer.payments.capture_more(status, cny("30.00"), reference="C-1")
    assert (first.repeated, again.repeated) == (False, True)
    assert acquirer.payments.status(payment).captured == cny("30.00")


def test_refund_and_void_count_once_when_repeated(world: World, acquirer: Client) -> None:
    payment = world.authorize("P-1", cny("80.00"), interchange_bps=100)
    acquirer.payments.capture(payment, cny("50.00"), reference="C-1")
    status = acquirer.payments.status(payment)
    assert status.verbs == ("capture", "void", "refund")
    for _ in range(2):
        acquirer.payments.void_rest(status, reference="V-1")
        acquirer.payments.refund_more(status, cny("20.00"), reference="R-1")
    now = acquirer.payments.status(payment)
    assert (now.captured, now.voided, now.refunded, now.held) == (
        cny("50.00"),
        cny("30.00"),
        cny("20.00"),
        cny("0.00"),
    )
    assert [e.voided_total_minor for e in after(world, PaymentVoided)] == [3000]
    assert [e.refunded_total_minor for e in after(world, PaymentRefunded)] == [2000]
    # The issuer makes its cardholder whole, out of the interchange it kept.
    assert world.balances()["issuer", "CNY"] == (OPENING_MINOR - 5000 + 50 + 2000 - 20, 0)


@pytest.mark.threat("S27")
def test_capture_is_counted_once_when_two_processes_capture_the_same(
    world: World, acquirer: Client
) -> None:
    payment = world.authorize("P-1", cny("80.00"))
    rival = acquirer.payments

    def overtake(step, _count):
        """The bank's own capture gets in between estimate and broadcast."""
        if step == "journaled" and rival_total:
            total = rival_total.pop()
            rival.capture(payment, total, reference=f"C-0 {total.amount_minor}")

    acquirer.directory.set_delegate(world.address("delegate"), Verb.CAPTURE, reference="D-1")
    racing = Client(
        world.chain,
        world.manifest,
        world.signers["delegate"],
        participant=acquirer.participant,
        reference_secret=bytes(32),
        store=Store.temporary(),
        on_step=overtake,
    )
    rival_total = [cny("30.00")]
    same = racing.payments.capture(payment, cny("30.00"), reference="C-1")
    assert same.repeated
    rival_total = [cny("60.00")]
    with pytest.raises(AlreadyDoneError) as caught:
        racing.payments.capture(payment, cny("50.00"), reference="C-2")
    assert caught.value.transaction_hash is not None
    assert acquirer.payments.status(payment).captured == cny("60.00")


# Deadlines, one second before, exactly at, one after


@pytest.mark.threat("S25")
@pytest.mark.parametrize("offset", [-1, 0, 1])
def test_capture_and_reclaim_never_overlap_when_the_deadline_comes(
    any_world: World, offset: int
) -> None:
    acquirer, outsider = any_world.client("acquirer"), any_world.client("outsider")
    payment = any_world.authorize("P-1", cny("80.00"))
    deadline = payment.terms.capture_before
    any_world.node.mine(timestamp=deadline + offset)
    status = acquirer.payments.status(payment)
    if offset < 0:
        assert status.verbs == ("capture", "void")
        assert (status.may_capture_before, status.may_reclaim_from) == (deadline, deadline)
        return
    assert status.verbs == ("void", "reclaim")
    assert status.may_capture_before is None
    with pytest.raises(WrongTimeError) as caught:
        acquirer.payments.capture(payment, cny("80.00"), reference="C-1")
    assert caught.value.name == "CaptureTooLate"
    written = outsider.payments.reclaim(payment.payment_id, reference="RC-1")
    assert outsider.payments.reclaim(payment, reference="RC-1").transaction_hash == (
        written.transaction_hash
    )
    assert any_world.balances()["issuer", "CNY"] == (OPENING_MINOR, 0)
    events = after(any_world, PaymentReclaimed)
    assert [(e.id, e.voided_total_minor) for e in events] == [(payment.payment_id, 8000)]
    assert outsider.payments.status(payment).verbs == ()


def test_reclaim_is_refused_when_it_is_too_early(world: World, outsider: Client) -> None:
    payment = world.authorize("P-1", cny("80.00"))
    with pytest.raises(WrongTimeError) as caught:
        outsider.payments.reclaim(payment, reference="RC-1")
    assert caught.value.name == "ReclaimTooEarly"


def test_capture_gives_the_first_result_when_repeated_after_the_deadline(
    world: World, acquirer: Client
) -> None:
    payment = world.authorize("P-1", cny("80.00"))
    first = acquirer.payments.capture(payment, cny("30.00"), reference="C-1")
    world.node.mine(timestamp=payment.terms.capture_before)
    again = acquirer.payments.capture(payment, cny("30.00"), reference="C-1")
    assert again.transaction_hash == first.transaction_hash
    with pytest.raises(WrongTimeError):
        acquirer.payments.capture(payment, cny("40.00"), reference="C-2")


def test_refund_is_refused_when_the_deadline_has_come(world: World, acquirer: Client) -> None:
    payment = world.authorize("P-1", cny("80.00"), refund_seconds=60)
    acquirer.payments.capture(payment, cny("80.00"), reference="C-1")
    world.node.mine(timestamp=payment.terms.refund_before - 1)
    assert acquirer.payments.status(payment).may_refund_before == payment.terms.refund_before
    world.node.mine(timestamp=payment.terms.refund_before)
    assert acquirer.payments.status(payment).verbs == ()
    with pytest.raises(ContractRevertedError) as caught:
        acquirer.payments.refund(payment, cny("1.00"), reference="R-1")
    assert caught.value.name == "RefundTooLate"


# Finding


def test_find_gives_the_payment_of_a_reference_when_it_was_opened(
    world: World, issuer: Client, other_issuer: Client
) -> None:
    payment = world.authorize("P-1", cny("80.00"))
    found = issuer.payments.find("P-1")
    assert found is not None
    assert (found.payment_id, found.amount) == (payment.payment_id, cny("80.00"))
    assert issuer.payments.find("P-2") is None
    assert other_issuer.payments.find("P-1") is None


def test_find_forgets_a_payment_when_the_chain_goes_back(world: World, issuer: Client) -> None:
    snapshot = world.node.snapshot()
    world.authorize("P-1", cny("80.00"))
    assert issuer.payments.find("P-1") is not None
    world.node.revert(snapshot)
    assert issuer.payments.find("P-1") is None
    # The journal still knows what was final; only without it can the reference be used anew.
    with pytest.raises(IdempotencyConflictError):
        world.authorize("P-1", Money("CNY", 7))
    world.forget_clients()
    issuer = world.client("issuer")
    assert world.authorize("P-1", Money("CNY", 7)).payment_id
    found = issuer.payments.find("P-1")
    assert found is not None
    assert found.amount == Money("CNY", 7)
    with pytest.raises(IdempotencyConflictError):
        world.authorize("P-1", Money("CNY", 8))
