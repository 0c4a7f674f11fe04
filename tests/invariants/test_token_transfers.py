"""SettlementToken: what it was made with, ERC-20 and ERC-2612 at their limits.

Each call goes to contract and model; what is written out here is what the specification says of it.
"""

from __future__ import annotations

import pytest

from .actors import ACQUIRER, BANKS, ISSUER, OUTSIDER, SECOND_ISSUER
from .chain import Done, Event
from .lockstep import Lockstep
from .messages import mirrored, vrs
from .model import MAX_WORD, ZERO, Status
from .scenario import FUNDS, available, closed, permit, suspended


def test_token_says_what_it_was_made_with(tael: Lockstep) -> None:
    read = tael.chain.read
    for token, name, symbol, code, exponent in (
        (tael.cny, "Tael Yuan", "CNY", 156, 2),
        (tael.jpy, "Tael Yen", "JPY", 392, 0),
        (tael.bhd, "Tael Dinar", "BHD", 48, 3),
    ):
        at = token.address
        assert read(at, "name") == name
        assert read(at, "symbol") == symbol
        assert read(at, "currencyCode") == code
        assert read(at, "decimals") == exponent
        assert read(at, "authority") == tael.governance.address
        assert read(at, "DOMAIN_SEPARATOR") == token.domain.separator
    fields = (b"\x0f", tael.cny.domain.name, "1", 1337, tael.cny.address, bytes(32), ())
    assert read(tael.cny.address, "eip712Domain") == fields
    assert tael.cny.domain.separator != tael.jpy.domain.separator


# ERC-20


def test_transfer_moves_exactly_the_amount(tael: Lockstep) -> None:
    done = tael.ok(ISSUER, tael.cny, "transfer", ACQUIRER, FUNDS)
    assert done == Done((True,), (Event(tael.cny.address, "Transfer", (ISSUER, ACQUIRER, FUNDS)),))
    assert (available(tael, ISSUER), available(tael, ACQUIRER)) == (0, 2 * FUNDS)
    tael.refuse("InsufficientAvailable", (ISSUER, 0, 1), ISSUER, tael.cny, "transfer", ACQUIRER, 1)
    tael.ok(ISSUER, tael.cny, "transfer", ACQUIRER, 0)
    tael.ok(ACQUIRER, tael.cny, "transfer", ACQUIRER, 2 * FUNDS)
    assert available(tael, ACQUIRER) == 2 * FUNDS


@pytest.mark.parametrize("amount", [FUNDS + 1, 2**80, 2**128, MAX_WORD])
def test_transfer_is_refused_when_more_than_available(tael: Lockstep, amount: int) -> None:
    expected = ("InsufficientAvailable", (ISSUER, FUNDS, amount))
    tael.refuse(*expected, ISSUER, tael.cny, "transfer", ACQUIRER, amount)


def test_transfer_is_refused_when_a_side_may_not(tael: Lockstep) -> None:
    token = tael.cny
    none, stopped, gone = Status.NONE, Status.SUSPENDED, Status.CLOSED
    tael.refuse("AccountNotActive", (OUTSIDER, none), OUTSIDER, token, "transfer", ISSUER, 0)
    tael.refuse("AccountCannotReceive", (OUTSIDER, none), ISSUER, token, "transfer", OUTSIDER, 1)
    tael.refuse("AccountCannotReceive", (ZERO, none), ISSUER, token, "transfer", ZERO, 1)
    suspended(tael, SECOND_ISSUER)
    tael.refuse(
        "AccountNotActive", (SECOND_ISSUER, stopped), SECOND_ISSUER, token, "transfer", ISSUER, 1
    )
    tael.ok(ISSUER, token, "transfer", SECOND_ISSUER, 1)
    closed(tael, SECOND_ISSUER)
    tael.refuse(
        "AccountNotActive", (SECOND_ISSUER, gone), SECOND_ISSUER, token, "transfer", ISSUER, 1
    )
    tael.refuse(
        "AccountCannotReceive", (SECOND_ISSUER, gone), ISSUER, token, "transfer", SECOND_ISSUER, 1
    )


def test_transfer_from_spends_the_allowance(tael: Lockstep) -> None:
    token = tael.cny
    call = ("transferFrom", ISSUER, ACQUIRER)
    tael.refuse("InsufficientAllowance", (OUTSIDER, 0, 1), OUTSIDER, token, *call, 1)
    done = tael.ok(ISSUER, token, "approve", OUTSIDER, 10)
    assert done == Done((True,), (Event(token.address, "Approval", (ISSUER, OUTSIDER, 10)),))
    tael.refuse("InsufficientAllowance", (OUTSIDER, 10, 11), OUTSIDER, token, *call, 11)
    done = tael.ok(OUTSIDER, token, *call, 4)
    assert done == Done((True,), (Event(token.address, "Transfer", (ISSUER, ACQUIRER, 4)),))
    assert tael.chain.read(token.address, "allowance", ISSUER, OUTSIDER) == 6
    tael.ok(OUTSIDER, token, *call, 6)
    tael.refuse("InsufficientAllowance", (OUTSIDER, 0, 1), OUTSIDER, token, *call, 1)
    tael.ok(ISSUER, token, "approve", OUTSIDER, MAX_WORD)
    tael.ok(OUTSIDER, token, *call, 7)
    assert tael.chain.read(token.address, "allowance", ISSUER, OUTSIDER) == MAX_WORD
    tael.ok(ISSUER, token, "approve", OUTSIDER, MAX_WORD - 1)
    tael.ok(OUTSIDER, token, *call, 7)
    assert tael.chain.read(token.address, "allowance", ISSUER, OUTSIDER) == MAX_WORD - 8
    tael.refuse("InvalidSpender", (ZERO,), ISSUER, token, "approve", ZERO, 1)
    tael.refuse(
        "AccountCannotReceive",
        (OUTSIDER, Status.NONE),
        OUTSIDER,
        token,
        "transferFrom",
        ISSUER,
        OUTSIDER,
        1,
    )


# ERC-2612


def test_permit_counts_once_until_its_deadline(tael: Lockstep) -> None:
    token, key = tael.cny, BANKS[0]
    good = permit(tael, key, 0, tael.now)
    done = tael.ok(OUTSIDER, token, "permit", *good)
    assert done.events == (Event(token.address, "Approval", (ISSUER, OUTSIDER, 5)),)
    assert tael.chain.read(token.address, "nonces", ISSUER) == 1
    tael.refuse("InvalidSignature", (ISSUER,), OUTSIDER, token, "permit", *good)
    late = permit(tael, key, 1, tael.now - 1)
    expected = ("PermitExpired", (tael.now, tael.now - 1))
    tael.refuse(*expected, OUTSIDER, token, "permit", *late)
    tael.ok(OUTSIDER, token, "permit", *permit(tael, key, 1, tael.now + 1))


def test_permit_is_refused_when_the_signature_is_not_the_owners(tael: Lockstep) -> None:
    token, key = tael.cny, BANKS[0]
    good = permit(tael, key, 0, tael.now)
    signature = good[5] + good[6] + bytes([good[4]])
    bad = [mirrored(signature)]
    bad += [signature[:64] + bytes([v]) for v in (0, 1, 26, 29, 255, 55 - signature[64])]
    bad += [bytes(64) + b"\x1b", b"\xff" * 64 + b"\x1b"]
    for each in bad:
        tael.refuse("InvalidSignature", (ISSUER,), OUTSIDER, token, "permit", *good[:4], *vrs(each))
    for index, other in ((0, ACQUIRER), (1, ACQUIRER), (2, 6), (3, tael.now + 1)):
        changed = list(good)
        changed[index] = other
        tael.refuse("InvalidSignature", (changed[0],), OUTSIDER, token, "permit", *changed)
    zero = (ZERO, OUTSIDER, 5, tael.now, 27, bytes(32), bytes(32))
    tael.refuse("InvalidSignature", (ZERO,), OUTSIDER, token, "permit", *zero)
    nobody = permit(tael, key, 0, tael.now, spender=ZERO)
    tael.refuse("InvalidSpender", (ZERO,), OUTSIDER, token, "permit", *nobody)
    tael.ok(OUTSIDER, token, "permit", *good)
