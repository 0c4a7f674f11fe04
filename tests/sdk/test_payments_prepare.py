"""Terms come from the code, the chain's clock and the reference; nothing else decides."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest

from tael import Acceptance, CardEntry, Client, EntryStatus, Money, PrivateKeySigner, qr
from tael.contracts.calls import Contract
from tael.errors import (
    AddressError,
    AmountTypeError,
    CodeExpiredError,
    InvalidInputError,
    MerchantInactiveError,
    StaticLimitError,
    WrongSignerError,
)
from tael.rpc import call
from tests.support.world import DAY_SECONDS, World, cny, hkd

# Refusals


@pytest.mark.threat("S18")
@pytest.mark.parametrize("amount", [80.0, 8000, "80.00", True])
def test_prepare_is_refused_when_the_amount_is_no_money(world: World, amount: object) -> None:
    with pytest.raises(AmountTypeError):
        world.prepare("P-1", amount)


@pytest.mark.threat("S20")
def test_prepare_is_refused_when_the_amount_overflows_a_payment(world: World) -> None:
    assert world.prepare("P-1", Money("CNY", 2**64 - 1)).terms.amount_minor == 2**64 - 1
    with pytest.raises(InvalidInputError):
        world.prepare("P-1", Money("CNY", 2**64))


@pytest.mark.threat("S21")
def test_prepare_is_refused_when_the_card_is_mistyped_or_a_contract(
    world: World, issuer: Client
) -> None:
    for card in (world.address("cardholder").lower(), "0x" + "0" * 40, world.manifest.escrow):
        with pytest.raises(AddressError):
            issuer.payments.prepare(
                reference="P-1",
                card=card,
                amount=cny("1.00"),
                merchant_id=world.shops["acquirer"],
            )


def test_prepare_is_refused_when_values_are_missing_or_do_not_go_together(
    world: World, issuer: Client
) -> None:
    card = world.address("cardholder")
    code = world.code(10_00, reference="INV-1")
    for arguments in (
        {"amount": cny("1.00")},
        {"merchant_id": world.shops["acquirer"]},
        {"merchant_id": bytes(32), "amount": cny("1.00")},
        {"code": code, "merchant_id": world.shops["acquirer"]},
        {"code": world.code(None)},
        {"merchant_id": world.shops["acquirer"], "amount": cny("0.00")},
    ):
        with pytest.raises(InvalidInputError):
            issuer.payments.prepare(reference="P-1", card=card, **arguments)


def test_prepare_is_refused_when_deadlines_exceed_the_contract(world: World) -> None:
    for options in (
        {"hold_seconds": 31 * DAY_SECONDS},
        {"refund_seconds": 540 * DAY_SECONDS + 1},
    ):
        with pytest.raises(InvalidInputError):
            world.prepare("P-1", cny("1.00"), **options)


def test_prepare_is_refused_when_less_is_paid_than_the_code_asks(world: World) -> None:
    code = world.code(10_00, reference="INV-1")
    with pytest.raises(InvalidInputError, match=r"10\.00 CNY"):
        world.prepare("P-1", cny("9.99"), code=code)


def test_prepare_is_refused_when_the_code_is_not_to_be_paid(world: World, acquirer: Client) -> None:
    with pytest.raises(StaticLimitError):
        world.prepare("P-1", code=world.code(100_01))
    with pytest.raises(WrongSignerError):
        world.prepare("P-1", code=world.code(10_00, reference="INV-1", till="other_till"))
    expiring = world.code(10_00, reference="INV-2", valid_seconds=60)
    world.prepare("P-1", code=expiring)
    world.node.advance_time(60)
    with pytest.raises(CodeExpiredError):
        world.prepare("P-1", code=expiring)
    code = world.code(10_00, reference="INV-3")
    acquirer.directory.accept(
        world.shops["acquirer"],
        [Acceptance(cny("100.00"), EntryStatus.BLOCKED)],
        reference="BLOCK-1",
    )
    with pytest.raises(MerchantInactiveError):
        world.prepare("P-1", code=code)


def test_sign_is_refused_when_another_card_signs(world: World, issuer: Client) -> None:
    prepared = world.prepare("P-1", cny("1.00"))
    with pytest.raises(InvalidInputError):
        issuer.payments.sign(prepared, world.signers["other_cardholder"])


# Success


def test_prepare_takes_all_from_the_code_when_it_is_dynamic(
    world: World, issuer: Client, acquirer: Client
) -> None:
    text = qr.write(world.code(150_00, reference="INV-1", valid_seconds=600))
    prepared = world.prepare("P-1", code=text)
    terms = prepared.terms
    assert prepared.amount == cny("150.00")
    assert prepared.merchant_name == "Tea House"
    assert prepared.proof is not None
    assert prepared.proof.amount_minor == 150_00
    assert (terms.merchant, terms.acquirer) == (world.shops["acquirer"], acquirer.participant)
    assert terms.uetr == acquirer.uetr("INV-1")
    assert terms.authorize_before == prepared.proof.expires_at
    assert (terms.issuer, terms.card) == (issuer.participant, world.address("cardholder"))


def test_prepare_gives_the_same_payment_when_a_dynamic_code_is_prepared_again(
    world: World,
) -> None:
    code = world.code(150_00, reference="INV-1")
    first = world.prepare("P-1", code=code)
    world.node.advance_time(30)
    world.forget_clients()
    assert world.prepare("P-1", code=code) == first
    assert world.prepare("P-2", code=code).payment_id != first.payment_id


def test_prepare_adds_a_tip_when_more_is_paid_than_a_code_asks(world: World) -> None:
    code = world.code(150_00, reference="INV-1", tip=qr.PROMPT)
    prepared = world.prepare("P-1", cny("165.00"), code=code)
    assert prepared.terms.amount_minor == 165_00
    assert prepared.proof is not None
    assert prepared.proof.amount_minor == 150_00


def test_prepare_takes_the_payers_amount_when_a_static_code_has_none(
    world: World, issuer: Client
) -> None:
    code = world.code(None, currency=None)
    prepared = world.prepare("P-1", hkd("20.00"), code=code)
    assert prepared.terms.token == world.manifest.token("HKD")
    assert prepared.terms.uetr == issuer.uetr("P-1")
    assert prepared.proof is None


@pytest.mark.threat("S25")
@pytest.mark.parametrize("skew", [-600, 600, 86_400 * 400])
def test_prepare_uses_chain_time_when_the_host_clock_is_off(
    world: World, monkeypatch: pytest.MonkeyPatch, skew: int
) -> None:
    expected = world.prepare("P-1", cny("1.00")).terms
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + skew)
    assert world.prepare("P-1", cny("1.00")).terms == expected
    now = world.chain.now()
    assert world.prepare("P-1", cny("1.00"), at=now).terms == expected
    assert world.prepare("P-1", cny("1.00"), at=now - 7).terms.authorize_before == now - 7 + 15 * 60
    assert expected.authorize_before == now + 15 * 60
    assert expected.capture_before == expected.authorize_before + 7 * DAY_SECONDS
    assert expected.refund_before == expected.capture_before + 180 * DAY_SECONDS


def test_prepare_makes_the_contracts_id_when_terms_are_explicit(
    world: World, cardholder: PrivateKeySigner
) -> None:
    prepared = world.prepare("P-1", cny("1.00"), interchange_bps=150)
    escrow, terms = Contract("PaymentEscrow", world.manifest.escrow), prepared.terms
    found = call(world.chain, escrow, "paymentId", terms.parties, terms.packed)
    assert found == prepared.payment_id


# The Directory


def test_set_merchant_is_refused_when_name_or_category_is_bad(
    world: World, acquirer: Client
) -> None:
    for name, category in (("", 5812), ("Tea\u202eHouse", 5812), ("Tea", "58x2"), ("Tea", 10_000)):
        with pytest.raises(InvalidInputError):
            acquirer.directory.set_merchant(
                "SHOP-2",
                signer=world.address("till"),
                name=name,
                category_code=category,
                reference="M-1",
            )


def test_set_merchant_sends_nothing_when_nothing_changes(world: World, acquirer: Client) -> None:
    def set_merchant(**changes: object) -> object:
        values = {"signer": world.address("till"), "name": "Tea House", "category_code": "5812"}
        reference = f"M-{len(changes)}"
        return acquirer.directory.set_merchant("SHOP-1", reference=reference, **(values | changes))

    before = world.chain.block_number()
    same = set_merchant()
    assert same.repeated
    assert same.subject == world.shops["acquirer"]
    assert world.chain.block_number() == before
    changed = set_merchant(signer=world.address("other_till"))
    assert not changed.repeated
    record = acquirer.directory.merchant(world.shops["acquirer"])
    assert record is not None
    assert record.signer == world.address("other_till")
    assert record.name_hash == qr.compute_name_hash(record.merchant_id, "Tea House")
    assert acquirer.directory.merchant(bytes(32)) is None


def test_set_cards_sends_only_what_changes_when_repeated(world: World, issuer: Client) -> None:
    card = world.address("cardholder")
    entry = CardEntry(card, cny("1.00"), cny("2.00"))
    first = issuer.directory.set_cards([entry], reference="C-1")
    again = issuer.directory.set_cards([entry], reference="C-1")
    assert (first.repeated, again.repeated) == (False, True)
    assert again.transaction_hash == first.transaction_hash
    now = issuer.directory.card(card, "CNY")
    assert (now.payment_limit, now.day_limit, now.status, now.spent_today) == (
        cny("1.00"),
        cny("2.00"),
        EntryStatus.ACTIVE,
        cny("0.00"),
    )
    mixed = CardEntry(card, cny("1.00"), hkd("2.00"))
    huge = CardEntry(card, cny("1.00"), Money("CNY", 2**64))
    for bad in ([mixed], [huge], [], [entry] * 257):
        with pytest.raises(InvalidInputError):
            issuer.directory.set_cards(bad, reference="C-2")


def test_accept_changes_the_limit_when_it_differs(world: World, acquirer: Client) -> None:
    shop = world.shops["acquirer"]
    first = acquirer.directory.accept(shop, [Acceptance(cny("7.00"))], reference="A-1")
    again = acquirer.directory.accept(shop, [Acceptance(cny("7.00"))], reference="A-1")
    assert (first.repeated, again.repeated) == (False, True)
    assert acquirer.directory.acceptance(shop, "CNY") == Acceptance(cny("7.00"))
    assert acquirer.directory.acceptance(shop, "HKD") == Acceptance(hkd("100.00"))


def test_card_counts_the_day_of_the_chain_when_asked(world: World, issuer: Client) -> None:
    world.authorize("P-1", cny("30.00"))
    card = world.address("cardholder")
    assert issuer.directory.card(card, "CNY").spent_today == cny("30.00")
    day = datetime.fromtimestamp(world.chain.now(), UTC).date()
    world.node.advance_time(DAY_SECONDS)
    assert datetime.fromtimestamp(world.chain.now(), UTC).date() != day
    assert issuer.directory.card(card, "CNY").spent_today == cny("0.00")
