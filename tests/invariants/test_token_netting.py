"""SettlementToken: net settlement at its limits."""

from __future__ import annotations

import pytest

from .actors import (
    ACQUIRER,
    CLEARING,
    GOVERNOR,
    ISSUER,
    OUTSIDER,
    SECOND_ACQUIRER,
    SECOND_ISSUER,
    SUCCESSOR,
)
from .chain import address
from .lockstep import Lockstep
from .model import ZERO, Source, Status
from .scenario import FUNDS, closed, suspended


def ordered(*changes: tuple[str, int]) -> tuple[list[str], list[int]]:
    pairs = sorted(changes)
    return [who for who, _ in pairs], [change for _, change in pairs]


@pytest.mark.parametrize("source", list(Source))
@pytest.mark.parametrize("module", [CLEARING, SUCCESSOR])
def test_net_settlement_moves_all_or_nothing(tael: Lockstep, module: str, source: Source) -> None:
    token = tael.cny
    if module == SUCCESSOR:
        tael.ok(GOVERNOR, token, "admitEscrow", SUCCESSOR)
    banks = (ISSUER, ACQUIRER, SECOND_ISSUER, SECOND_ACQUIRER)
    limit = FUNDS
    if source == Source.HOLD:
        limit = 500
        for bank in banks:
            tael.ok(module, token, "holdFunds", bank, limit)
    who, changes = ordered(
        (ISSUER, -limit), (ACQUIRER, -30), (SECOND_ISSUER, limit + 30), (SECOND_ACQUIRER, 0)
    )
    done = tael.ok(module, token, "settleNet", who, changes, int(source))
    transfers = [event.arguments for event in done.events if event.name == "Transfer"]
    debits = [
        (each, module, -change) for each, change in zip(who, changes, strict=True) if change < 0
    ]
    assert transfers == [*debits, (module, SECOND_ISSUER, limit + 30)]
    who, changes = ordered((ISSUER, -1), (SECOND_ISSUER, 1))
    error = "InsufficientAvailable" if source == Source.AVAILABLE else "InsufficientHold"
    tael.refuse(error, (ISSUER, 0, 1), module, token, "settleNet", who, changes, int(source))
    who, changes = ordered((ACQUIRER, -1), (OUTSIDER, 1))
    tael.refuse(
        "AccountCannotReceive",
        (OUTSIDER, Status.NONE),
        module,
        token,
        "settleNet",
        who,
        changes,
        int(source),
    )
    suspended(tael, ACQUIRER)
    closed(tael, SECOND_ISSUER) if source == Source.AVAILABLE else None
    who, changes = ordered((ACQUIRER, -1), (SECOND_ISSUER, 1))
    if source == Source.AVAILABLE:
        expected = ("AccountNotActive", (ACQUIRER, Status.SUSPENDED))
        tael.refuse(*expected, module, token, "settleNet", who, changes, int(source))
        tael.ok(GOVERNOR, token, "reinstate", ACQUIRER)
    tael.ok(module, token, "settleNet", who, changes, int(source))


def test_net_settlement_is_refused_when_the_sum_is_not_zero(tael: Lockstep) -> None:
    """Threats C35, C36."""
    token = tael.cny
    for debit, credit in ((-2, 1), (-1, 2), (-1, 0), (0, 1), (-1, 2**255 - 1)):
        who, changes = ordered((ISSUER, debit), (ACQUIRER, credit))
        expected = ("NetSumNotZero", (-debit, credit))
        tael.refuse(*expected, CLEARING, token, "settleNet", who, changes, 0)
    who = sorted((ISSUER, ACQUIRER, SECOND_ISSUER))
    tael.refuse(
        "NetSumNotZero", (0, 2**255 - 1), CLEARING, token, "settleNet", who, [2**255 - 1] * 3, 0
    )
    tael.refuse("NetSumNotZero", (3, 4), CLEARING, token, "settleNet", who, [-3, 2, 2], 0)


@pytest.mark.parametrize("source", list(Source))
def test_net_settlement_is_refused_when_the_least_number_is_asked(
    tael: Lockstep, source: Source
) -> None:
    """Threat C28."""
    who, changes = ordered((ISSUER, -(2**255)), (ACQUIRER, 2**255 - 1))
    names = {
        Source.AVAILABLE: ("InsufficientAvailable", FUNDS),
        Source.HOLD: ("InsufficientHold", 0),
    }
    error, limit = names[source]
    expected = (error, (ISSUER, limit, 2**255))
    tael.refuse(*expected, CLEARING, tael.cny, "settleNet", who, changes, int(source))


def test_net_settlement_is_refused_when_the_list_is_not_ascending(tael: Lockstep) -> None:
    token, call = tael.cny, "settleNet"
    low, high = sorted((ISSUER, ACQUIRER))
    tael.refuse("NetOrderInvalid", (low, low), CLEARING, token, call, [low, low], [-1, 1], 0)
    tael.refuse("NetOrderInvalid", (high, low), CLEARING, token, call, [high, low], [0, 0], 1)
    tael.refuse("NetOrderInvalid", (ZERO, ZERO), CLEARING, token, call, [ZERO], [0], 0)
    tael.ok(CLEARING, token, call, [address(1), low, high], [0, -1, 1], 0)


@pytest.mark.parametrize(
    ("participants", "changes"), [(1, 0), (0, 1), (257, 257), (256, 257), (2, 3)]
)
def test_net_settlement_is_refused_when_the_lengths_do_not_fit(
    tael: Lockstep, participants: int, changes: int
) -> None:
    call = ([address(1 + each) for each in range(participants)], [0] * changes, 0)
    expected = ("NetLengthInvalid", (participants, changes, 256))
    tael.refuse(*expected, CLEARING, tael.cny, "settleNet", *call)


def test_net_settlement_takes_256_participants(tael: Lockstep) -> None:
    everybody = [address(1 + each) for each in range(256)]
    assert tael.ok(CLEARING, tael.cny, "settleNet", everybody, [0] * 256, 0).events == ()
    assert tael.ok(CLEARING, tael.cny, "settleNet", [], [], 1).events == ()
