"""Balances: the same reference never moves money twice, and nothing but exact money gets in."""

from __future__ import annotations

import time
from decimal import Decimal
from pathlib import Path

import pytest

from tael import Client, IdempotencyConflictError, Money
from tael.errors import (
    AddressError,
    AlreadyDoneError,
    AmountError,
    AmountTypeError,
    ConfigurationError,
    ContractRevertedError,
    CurrencyUnknownError,
    InsufficientFundsError,
    InvalidInputError,
    LimitExceededError,
    NotPermittedError,
    WrongStateError,
    WrongTimeError,
)
from tael.events import AuthorizationCanceled, Issued, Redeemed, Transfer
from tael.store import Store
from tests.support.world import DAY_SECONDS, OPENING_MINOR, World, cny, hkd


def block_of(world: World) -> int:
    return world.chain.block_number()


# Refusals


@pytest.mark.threat("S18")
@pytest.mark.parametrize("amount", [1.15, 115, "1.15", Decimal("1.15"), None, True])
def test_transfer_is_refused_when_the_amount_is_no_money(
    world: World, issuer: Client, amount: object
) -> None:
    before = block_of(world)
    for write in (
        lambda: issuer.balances.transfer(world.address("acquirer"), amount, reference="T-1"),
        lambda: issuer.balances.redeem(amount, reference="T-1"),
        lambda: issuer.balances.issue(world.address("acquirer"), amount, reference="T-1"),
    ):
        with pytest.raises(AmountTypeError):
            write()
    assert block_of(world) == before


@pytest.mark.threat("S19")
@pytest.mark.parametrize("text", ["NaN", "1e2", "1_0", "+1", " 1", "٢", "1.005", "-1", "1,0"])
def test_transfer_is_refused_when_the_amount_is_written_strangely(
    issuer: Client, text: str
) -> None:
    with pytest.raises(AmountError):
        issuer.balances.transfer(issuer.participant, cny(text), reference="T-1")


@pytest.mark.threat("S20")
def test_transfer_is_refused_when_the_amount_overflows(world: World, issuer: Client) -> None:
    before = block_of(world)
    for amount_minor in (2**80, 2**128, 2**256):
        with pytest.raises(AmountError):
            issuer.balances.transfer(
                world.address("acquirer"), Money("CNY", amount_minor), reference="T-1"
            )
    with pytest.raises(InsufficientFundsError):
        issuer.balances.transfer(
            world.address("acquirer"), Money("CNY", 2**80 - 1), reference="T-1"
        )
    assert block_of(world) == before


@pytest.mark.threat("S21")
def test_transfer_is_refused_when_the_payee_is_mistyped_or_a_contract(
    world: World, issuer: Client
) -> None:
    before = block_of(world)
    good = world.address("acquirer")
    for payee in (
        good.lower(),
        good[:-1] + ("0" if good[-1] != "0" else "1"),
        "acquirer.eth",
        "0x" + "0" * 40,
        world.manifest.escrow,
        world.manifest.governance,
        *world.manifest.tokens.values(),
    ):
        with pytest.raises(AddressError):
            issuer.balances.transfer(payee, cny("1.00"), reference="T-1")
    assert block_of(world) == before


def test_transfer_is_refused_when_the_currency_is_not_deployed(
    world: World, issuer: Client
) -> None:
    with pytest.raises(CurrencyUnknownError, match="JPY"):
        issuer.balances.transfer(world.address("acquirer"), Money("JPY", 1), reference="T-1")


def test_transfer_is_refused_when_the_amount_is_zero(world: World, issuer: Client) -> None:
    with pytest.raises(InvalidInputError):
        issuer.balances.transfer(world.address("acquirer"), Money("CNY", 0), reference="T-1")


def test_transfer_is_refused_when_the_payee_is_no_participant(world: World, issuer: Client) -> None:
    with pytest.raises(ContractRevertedError) as caught:
        issuer.balances.transfer(world.address("outsider"), cny("1.00"), reference="T-1")
    assert caught.value.name == "AccountCannotReceive"


def test_transfer_is_refused_when_a_delegate_signs(world: World) -> None:
    delegate = Client(
        world.chain,
        world.manifest,
        world.signers["delegate"],
        participant=world.address("issuer"),
        reference_secret=bytes(32),
        store=Store.temporary(),
    )
    with pytest.raises(ConfigurationError, match="own key"):
        delegate.balances.transfer(world.address("acquirer"), cny("1.00"), reference="T-1")


def test_issue_is_refused_when_the_signer_is_no_issuance_desk(world: World, issuer: Client) -> None:
    with pytest.raises(NotPermittedError):
        issuer.balances.issue(issuer.participant, cny("1.00"), reference="I-1")


def test_issue_is_refused_when_the_reserve_is_exceeded_or_stale(
    world: World, operator: Client
) -> None:
    bank = world.address("issuer")
    reserve = operator.balances.reserve("CNY")
    room = reserve.amount - reserve.supply
    with pytest.raises(LimitExceededError):
        operator.balances.issue(bank, room + Money("CNY", 1), reference="I-1")
    operator.balances.issue(bank, room, reference="I-1")
    world.node.advance_time(35 * DAY_SECONDS)
    assert operator.balances.reserve("HKD").is_stale
    with pytest.raises(WrongTimeError):
        operator.balances.issue(bank, hkd("1.00"), reference="I-2")


# Success, and again


@pytest.mark.threat("S25")
def test_payments_can_be_made_when_the_chain_made_no_block_for_a_day(
    world: World, issuer: Client
) -> None:
    latest = world.chain.head()
    world.node.rpc("evm_increaseTime", DAY_SECONDS)
    assert world.chain.head() == latest
    assert world.chain.now() >= latest.timestamp + DAY_SECONDS
    done = issuer.balances.transfer(world.address("acquirer"), cny("1.00"), reference="T-1")
    assert done.block_number == latest.number + 1
    world.authorize("P-1", cny("5.00"))


def test_transfer_moves_money_once_when_repeated(world: World, issuer: Client) -> None:
    payee = world.address("acquirer")
    before = world.balances()
    first = issuer.balances.transfer(payee, cny("12.34"), reference="T-1")
    again = issuer.balances.transfer(payee, cny("12.34"), reference="T-1")
    other = issuer.balances.transfer(payee, hkd("5.00"), reference="T-2")
    assert (first.repeated, again.repeated, other.repeated) == (False, True, False)
    assert again.transaction_hash == first.transaction_hash
    assert (again.block_number, again.gas_used) == (first.block_number, first.gas_used)
    expected = dict(before)
    expected["issuer", "CNY"] = (OPENING_MINOR - 1234, 0)
    expected["acquirer", "CNY"] = (OPENING_MINOR + 1234, 0)
    expected["issuer", "HKD"] = (OPENING_MINOR - 500, 0)
    expected["acquirer", "HKD"] = (OPENING_MINOR + 500, 0)
    assert world.balances() == expected


def test_transfer_moves_money_once_when_another_process_repeats_it(
    world: World, tmp_path: Path
) -> None:
    def new_client() -> Client:
        signer, store = world.signers["issuer"], tmp_path / "store.db"
        return Client(world.chain.url, world.manifest, signer, store=store)

    first = new_client().balances.transfer(world.address("acquirer"), cny("1.00"), reference="T-1")
    again = new_client().balances.transfer(world.address("acquirer"), cny("1.00"), reference="T-1")
    assert again.repeated
    assert again.transaction_hash == first.transaction_hash


def test_transfer_gives_the_first_result_when_repeated_while_paused_or_too_late(
    world: World, issuer: Client, guardian: Client
) -> None:
    payee = world.address("acquirer")
    first = issuer.balances.transfer(payee, cny("1.00"), reference="T-1")
    guardian.participants.pause("CNY", reference="P-1")
    again = issuer.balances.transfer(payee, cny("1.00"), reference="T-1")
    assert again.transaction_hash == first.transaction_hash
    with pytest.raises(WrongStateError) as caught:
        issuer.balances.transfer(payee, cny("1.00"), reference="T-2")
    assert caught.value.name == "TokenPaused"


@pytest.mark.threat("S29")
def test_transfer_conflicts_when_the_reference_has_another_body(
    world: World, issuer: Client
) -> None:
    issuer.balances.transfer(world.address("acquirer"), cny("1.00"), reference="T-1")
    before = world.balances()
    for payee, amount in (
        (world.address("acquirer"), cny("1.01")),
        (world.address("other_acquirer"), cny("1.00")),
    ):
        with pytest.raises(IdempotencyConflictError):
            issuer.balances.transfer(payee, amount, reference="T-1")
    assert world.balances() == before


@pytest.mark.threat("S25")
def test_transfer_is_valid_by_chain_time_when_the_host_clock_is_off(
    world: World, issuer: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = time.time
    for index, skew in enumerate((-600, 600)):
        monkeypatch.setattr(time, "time", lambda skew=skew: real() + skew)
        written = issuer.balances.transfer(
            world.address("acquirer"), cny("1.00"), reference=f"T-{index}", valid_seconds=60
        )
        assert not written.repeated


def test_cancel_transfer_makes_it_impossible_when_it_has_not_happened(
    world: World, issuer: Client
) -> None:
    cancelled = issuer.balances.cancel_transfer("CNY", reference="T-1")
    assert issuer.balances.cancel_transfer("CNY", reference="T-1").repeated
    before = world.balances()
    with pytest.raises(IdempotencyConflictError, match="cancelled"):
        issuer.balances.transfer(world.address("acquirer"), cny("1.00"), reference="T-1")
    assert world.balances() == before
    events = [e for e in issuer.history().events() if isinstance(e, AuthorizationCanceled)]
    assert [(e.authorizer, e.nonce) for e in events] == [(issuer.participant, cancelled.subject)]


def test_cancel_transfer_is_refused_when_it_has_happened(world: World, issuer: Client) -> None:
    issuer.balances.transfer(world.address("acquirer"), cny("1.00"), reference="T-1")
    with pytest.raises(AlreadyDoneError) as caught:
        issuer.balances.cancel_transfer("CNY", reference="T-1")
    assert caught.value.name == "AuthorizationConsumed"


def test_issue_and_redeem_count_once_when_repeated(any_world: World) -> None:
    operator, bank = any_world.client("operator"), any_world.client("issuer")
    supply = operator.balances.supply("CNY")
    issued = operator.balances.issue(bank.participant, cny("10.00"), reference="I-1")
    assert operator.balances.issue(bank.participant, cny("10.00"), reference="I-1").repeated
    redeemed = bank.balances.redeem(cny("4.00"), reference="I-1")
    again = bank.balances.redeem(cny("4.00"), reference="I-1")
    assert again.transaction_hash == redeemed.transaction_hash
    assert operator.balances.supply("CNY") == supply + cny("6.00")
    assert bank.balances.available("CNY") == Money("CNY", OPENING_MINOR + 600)
    for write in (
        lambda: operator.balances.issue(bank.participant, cny("10.01"), reference="I-1"),
        lambda: operator.balances.issue(
            any_world.address("acquirer"), cny("10.00"), reference="I-1"
        ),
        lambda: bank.balances.redeem(cny("4.01"), reference="I-1"),
    ):
        with pytest.raises(IdempotencyConflictError):
            write()
    first = operator.chain.block_number() - 1
    events = list(operator.history().events(first=first, with_times=False))
    assert [type(e) for e in events] == [Issued, Transfer, Redeemed, Transfer]
    assert (events[0].bank_reference, events[2].bank_reference) == (
        issued.subject,
        redeemed.subject,
    )


def test_of_adds_up_when_part_is_held(world: World, issuer: Client) -> None:
    world.authorize("P-1", cny("30.00"))
    balance = issuer.balances.of("CNY")
    assert balance.total == balance.available + balance.held
    assert balance.held == cny("30.00") == issuer.balances.held("CNY")
    assert issuer.balances.held("HKD") == hkd("0.00")
