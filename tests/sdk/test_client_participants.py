"""Participants and governance: what may be done at once, what waits, and what a repeat does."""

from __future__ import annotations

import pytest

from tael import (
    AccountStatus,
    Client,
    IdempotencyConflictError,
    Money,
    ScheduledOperation,
    Written,
)
from tael.errors import (
    AmountTypeError,
    ContractRevertedError,
    InvalidInputError,
    NotPermittedError,
    WrongStateError,
    WrongTimeError,
)
from tael.events import TransferForced
from tests.support.world import DAY_SECONDS, DELAY_SECONDS, OPENING_MINOR, World, cny, hkd


def waiting(result: Written | ScheduledOperation) -> ScheduledOperation:
    assert isinstance(result, ScheduledOperation)
    assert result.state == "waiting"
    return result


def done(result: Written | ScheduledOperation) -> Written:
    assert isinstance(result, Written)
    return result


def test_admit_opens_once_when_repeated(world: World, operator: Client) -> None:
    newcomer = world.address("outsider")
    assert operator.participants.status("CNY", newcomer).status is AccountStatus.NONE
    first = operator.participants.admit(newcomer, "CNY", reference="A-1")
    again = operator.participants.admit(newcomer, "CNY", reference="A-1")
    assert (first.repeated, again.repeated) == (False, True)
    assert operator.participants.status("CNY", newcomer).status is AccountStatus.ACTIVE
    assert operator.participants.status("HKD", newcomer).status is AccountStatus.NONE


def test_admit_is_refused_when_the_account_was_stopped(
    world: World, operator: Client, guardian: Client
) -> None:
    bank = world.address("issuer")
    guardian.participants.suspend(bank, "CNY", document=b"why", reference="S-1")
    with pytest.raises(WrongStateError) as caught:
        operator.participants.admit(bank, "CNY", reference="A-1")
    assert caught.value.name == "AccountStatusMismatch"


def test_restricted_verbs_are_refused_when_the_signer_has_no_role(
    world: World, outsider: Client
) -> None:
    bank = world.address("issuer")
    participants = outsider.participants
    for verb in (
        lambda: participants.admit(world.address("outsider"), "CNY", reference="A-1"),
        lambda: participants.suspend(bank, "CNY", document=b"", reference="S-1"),
        lambda: participants.pause("CNY", reference="P-1"),
        lambda: participants.close(bank, "CNY", reference="C-1"),
        lambda: participants.attest(
            cny("1.00"), document=b"", valid_before=outsider.now() + 60, reference="T-1"
        ),
    ):
        with pytest.raises(NotPermittedError):
            verb()


def test_attest_is_sent_once_when_repeated(world: World, operator: Client) -> None:
    attest = operator.participants.attest
    until = operator.now() + DAY_SECONDS
    first = attest(cny("900.00"), document=b"audit", valid_before=until, reference="T-1")
    again = attest(cny("900.00"), document=b"audit", valid_before=until, reference="T-1")
    assert again.transaction_hash == first.transaction_hash
    reserve = operator.balances.reserve("CNY")
    assert (reserve.amount, reserve.valid_before) == (cny("900.00"), until)
    with pytest.raises(WrongTimeError):
        attest(cny("1.00"), document=b"", valid_before=until + 36 * DAY_SECONDS, reference="T-2")
    with pytest.raises(AmountTypeError):
        attest(900.0, document=b"", valid_before=until, reference="T-3")  # type: ignore[arg-type]


def test_suspend_stops_at_once_and_reinstate_waits_when_governance_says_so(
    any_world: World,
) -> None:
    world = any_world
    operator, guardian = world.client("operator"), world.client("guardian")
    bank = world.address("issuer")
    first = guardian.participants.suspend(bank, "CNY", document=b"order 7", reference="S-1")
    again = guardian.participants.suspend(bank, "CNY", document=b"order 7", reference="S-1")
    assert again.transaction_hash == first.transaction_hash
    with pytest.raises(WrongStateError):
        guardian.participants.suspend(bank, "CNY", document=b"order 8", reference="S-2")
    with pytest.raises(ContractRevertedError) as caught:
        world.authorize("P-1", cny("1.00"))
    assert caught.value.name == "AccountNotActive"
    world.authorize("P-1", hkd("1.00"))

    scheduled = waiting(operator.participants.reinstate(bank, "CNY", reference="R-1"))
    assert scheduled.written is not None
    assert waiting(operator.participants.reinstate(bank, "CNY", reference="R-1")).written is None
    with pytest.raises(WrongTimeError):
        operator.operations.execute(scheduled, reference="R-1 X")
    world.node.mine(timestamp=scheduled.ready_at)
    finished = done(operator.participants.reinstate(bank, "CNY", reference="R-1"))
    assert done(operator.participants.reinstate(bank, "CNY", reference="R-1")).transaction_hash == (
        finished.transaction_hash
    )
    assert operator.participants.status("CNY", bank).status is AccountStatus.ACTIVE
    world.authorize("P-2", cny("1.00"))


def test_reinstate_is_not_scheduled_when_there_is_nothing_to_reinstate(
    world: World, operator: Client
) -> None:
    before = world.chain.block_number()
    with pytest.raises(InvalidInputError, match="active"):
        operator.participants.reinstate(world.address("issuer"), "CNY", reference="R-1")
    with pytest.raises(InvalidInputError, match="none"):
        operator.participants.close(world.address("outsider"), "CNY", reference="C-1")
    with pytest.raises(InvalidInputError, match="not paused"):
        operator.participants.unpause("CNY", reference="U-1")
    assert world.chain.block_number() == before


def test_execute_is_refused_when_the_guardian_has_cancelled(
    world: World, operator: Client, guardian: Client
) -> None:
    bank = world.address("issuer")
    guardian.participants.suspend(bank, "CNY", document=b"why", reference="S-1")
    scheduled = waiting(operator.participants.reinstate(bank, "CNY", reference="R-1"))
    guardian.operations.cancel(scheduled, reference="X-1")
    world.node.mine(timestamp=scheduled.ready_at)
    with pytest.raises(ContractRevertedError) as caught:
        operator.operations.execute(scheduled, reference="R-2")
    assert caught.value.name == "AccessManagerNotScheduled"
    assert operator.participants.status("CNY", bank).status is AccountStatus.SUSPENDED


def test_close_waits_and_is_refused_when_money_is_held(world: World, operator: Client) -> None:
    bank = world.address("issuer")
    payment = world.authorize("P-1", cny("5.00"))
    scheduled = waiting(operator.participants.close(bank, "CNY", reference="C-1"))
    world.node.mine(timestamp=scheduled.ready_at)
    with pytest.raises(ContractRevertedError) as caught:
        operator.participants.close(bank, "CNY", reference="C-1")
    assert caught.value.name == "AccountHoldsOpen"
    world.client("acquirer").payments.void(payment, cny("5.00"), reference="V-1")
    finished = done(operator.participants.close(bank, "CNY", reference="C-1"))
    assert done(operator.participants.close(bank, "CNY", reference="C-1")).transaction_hash == (
        finished.transaction_hash
    )
    assert operator.participants.status("CNY", bank).status is AccountStatus.CLOSED
    assert operator.participants.status("HKD", bank).status is AccountStatus.ACTIVE


def test_pause_and_unpause_count_once_when_repeated(
    world: World, operator: Client, guardian: Client
) -> None:
    first = guardian.participants.pause("CNY", reference="P-1")
    assert guardian.participants.pause("CNY", reference="P-1").transaction_hash == (
        first.transaction_hash
    )
    assert (operator.participants.is_paused("CNY"), operator.participants.is_paused("HKD")) == (
        True,
        False,
    )
    scheduled = waiting(operator.participants.unpause("CNY", reference="U-1"))
    world.node.mine(timestamp=scheduled.ready_at)
    finished = done(operator.participants.unpause("CNY", reference="U-1"))
    assert done(operator.participants.unpause("CNY", reference="U-1")).transaction_hash == (
        finished.transaction_hash
    )
    assert not operator.participants.is_paused("CNY")


def test_force_transfer_moves_money_once_when_repeated(world: World, operator: Client) -> None:
    def force(amount: Money, reference: str = "F-1") -> Written | ScheduledOperation:
        return operator.participants.force_transfer(
            world.address("issuer"),
            world.address("acquirer"),
            amount,
            document=b"court order",
            reference=reference,
        )

    scheduled = waiting(force(cny("7.00")))
    world.node.mine(timestamp=scheduled.ready_at)
    finished = done(force(cny("7.00")))
    for _ in range(2):
        assert done(force(cny("7.00"))).transaction_hash == finished.transaction_hash
        world.node.advance_time(DELAY_SECONDS)
    with pytest.raises(IdempotencyConflictError):
        force(cny("8.00"))
    waiting(force(cny("7.00"), "F-2"))
    events = [e for e in operator.history().events() if isinstance(e, TransferForced)]
    assert [e.amount_minor for e in events] == [700]
    assert world.balances()["issuer", "CNY"] == (OPENING_MINOR - 700, 0)


def test_schedule_reaches_any_contract_when_a_role_is_delayed(
    world: World, operator: Client
) -> None:
    token = operator.contract("SettlementToken", "CNY")
    module = world.address("outsider")
    scheduled = operator.operations.schedule(token, "admitModule", module, reference="M-1")
    same = operator.operations.schedule(token, "admitModule", module, reference="M-1")
    assert (same.operation_id, same.written) == (scheduled.operation_id, None)
    world.node.mine(timestamp=scheduled.ready_at)
    ready = operator.operations.find(token, "admitModule", module)
    assert ready is not None
    assert ready.state == "ready"
    operator.operations.execute(ready, reference="M-2")
    assert operator.operations.find(token, "admitModule", module) is None
    assert operator.read_many([(token, "isModule", (module,))]) == [True]
