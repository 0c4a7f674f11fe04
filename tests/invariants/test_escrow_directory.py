"""The Directory at its limits."""

from __future__ import annotations

from typing import Any

import pytest

from .actors import (
    ACQUIRER,
    CARDS,
    COMMITMENTS,
    GOVERNOR,
    GUARDIAN,
    HASH,
    ISSUER,
    OUTSIDER,
    REGISTRAR,
    SCHEME,
    SECOND_ACQUIRER,
    SECOND_ISSUER,
)
from .chain import EMPTY_REVERT, Done, Event, Refused, address
from .lockstep import Lockstep
from .model import MAX_WORD, ZERO, Entry
from .scenario import (
    MOST,
    calldata,
)


def test_token_is_admitted_once_and_with_a_scheme_account(tael: Lockstep) -> None:
    at, escrow = tael.bhd.address, tael.escrow
    tael.refuse("AccessManagedUnauthorized", (ISSUER,), ISSUER, escrow, "admitToken", at)
    tael.refuse("SchemeAccountMissing", (at, SCHEME), GOVERNOR, escrow, "admitToken", at)
    tael.ok(REGISTRAR, tael.bhd, "admit", SCHEME)
    done = tael.ok(GOVERNOR, escrow, "admitToken", at)
    assert done.events == (Event(escrow.address, "TokenAdmitted", (at,)),)
    tael.refuse("TokenAlreadyAdmitted", (at,), GOVERNOR, escrow, "admitToken", at)
    assert tael.send(GOVERNOR, escrow, "admitToken", OUTSIDER) == EMPTY_REVERT


def test_delegate_is_refused_when_the_verbs_do_not_exist(tael: Lockstep) -> None:
    for verbs in (128, 255, MAX_WORD):
        tael.refuse("VerbsInvalid", (verbs,), ISSUER, tael.escrow, "setDelegate", OUTSIDER, verbs)
    tael.ok(ISSUER, tael.escrow, "setDelegate", OUTSIDER, 127)
    assert tael.chain.read(tael.escrow.address, "verbsOf", ISSUER, OUTSIDER) == 127


def test_merchant_is_set_by_its_acquirer(tael: Lockstep) -> None:
    escrow, merchant = tael.escrow, tael.merchants[0]
    call = (ACQUIRER, COMMITMENTS[0], CARDS[2].address, 2**16 - 1, bytes(32))
    tael.refuse(
        "NotPermitted",
        (SECOND_ACQUIRER, ACQUIRER, 64),
        SECOND_ACQUIRER,
        escrow,
        "setMerchant",
        *call,
    )
    zero = (*call[:2], ZERO, *call[3:])
    tael.refuse("MerchantSignerInvalid", (merchant,), ACQUIRER, escrow, "setMerchant", *zero)
    done = tael.ok(ACQUIRER, escrow, "setMerchant", *call)
    event = Event(
        escrow.address, "MerchantSet", (merchant, ACQUIRER, CARDS[2].address, 2**16 - 1, bytes(32))
    )
    assert done == Done((merchant,), (event,))
    # The same commitment of another acquirer is another merchant.
    done = tael.ok(OUTSIDER, escrow, "setMerchant", OUTSIDER, *call[1:])
    assert done.returned[0] not in tael.merchants


@pytest.mark.parametrize("count", [256, 257])
def test_entries_are_refused_when_there_are_too_many(tael: Lockstep, count: int) -> None:
    card = (CARDS[0].address, tael.cny.address, 1, 2, int(Entry.ACTIVE))
    acceptance = (tael.cny.address, 1, int(Entry.ACTIVE))
    for sender, name, first, entry in (
        (ISSUER, "setCards", ISSUER, card),
        (ACQUIRER, "setAcceptances", tael.merchants[0], acceptance),
    ):
        if count == 257:
            tael.refuse(
                "EntriesTooMany", (257, 256), sender, tael.escrow, name, first, [entry] * count
            )
        else:
            done = tael.ok(sender, tael.escrow, name, first, [entry] * count)
            assert len(done.events) == 256


@pytest.mark.parametrize("kind", ["card", "acceptance"])
def test_entry_is_refused_when_it_cannot_be(tael: Lockstep, kind: str) -> None:
    escrow = tael.escrow

    def send(
        sender: str, token: str, status: int, error: str = "", values: tuple[Any, ...] = ()
    ) -> None:
        owner = ISSUER if kind == "card" else ACQUIRER
        call: tuple[Any, ...] = (ISSUER, [(CARDS[0].address, token, 7, 9, status)])
        name = "setCards"
        if kind == "acceptance":
            call, name = (tael.merchants[0], [(token, 7, status)]), "setAcceptances"
        if error:
            tael.refuse(error, values, sender, escrow, name, *call)
            return
        done = tael.ok(sender, escrow, name, *call)
        fields: tuple[Any, ...] = (ISSUER, CARDS[0].address, token, 7, 9, status)
        if kind == "acceptance":
            fields = (tael.merchants[0], token, 7, status)
        event = "CardSet" if kind == "card" else "AcceptanceSet"
        assert done.events == (Event(escrow.address, event, fields),)
        assert owner in tael.cny.accounts

    owner, verb = (ISSUER, 32) if kind == "card" else (ACQUIRER, 64)
    token = tael.cny.address
    send(OUTSIDER, token, 1, "NotPermitted", (OUTSIDER, owner, verb))
    send(owner, token, 0, "StatusInvalid", ())
    send(owner, OUTSIDER, 1, "TokenNotAdmitted", (OUTSIDER,))
    send(owner, OUTSIDER, 2, "TokenNotAdmitted", (OUTSIDER,))
    send(owner, token, 1)
    send(owner, token, 2)
    tael.ok(GUARDIAN, tael.cny, "suspend", owner, HASH)
    send(owner, token, 1, "ParticipantNotActive", (owner, token))
    send(owner, token, 2)
    send(owner, tael.jpy.address, 1)
    if kind == "card":
        entries = [(ZERO, token, 7, 9, 1)]
        tael.refuse("CardInvalid", (), ISSUER, escrow, "setCards", ISSUER, entries)
    else:
        tael.refuse("MerchantUnknown", (HASH,), ACQUIRER, escrow, "setAcceptances", HASH, [])
    name = "setCards" if kind == "card" else "setAcceptances"
    call: tuple[Any, ...] = (ISSUER, [(CARDS[0].address, token, 7, 9, 2)])
    if kind == "acceptance":
        call = (tael.merchants[0], [(token, 7, 2)])
    data = calldata(tael, escrow, name, *call)
    data[-1] = 3
    assert isinstance(tael.chain.send_raw(owner, escrow.address, bytes(data)), Refused)


def test_largest_entries_fit_every_field(tael: Lockstep) -> None:
    escrow, token = tael.escrow, tael.cny.address
    for payment, day, status in ((MOST, MOST, 2), (MOST, 0, 1), (0, MOST, 1), (0, 0, 2)):
        entries = [(CARDS[0].address, token, payment, day, status)]
        tael.ok(ISSUER, escrow, "setCards", ISSUER, entries)
        found = tael.chain.read(escrow.address, "cardOf", ISSUER, CARDS[0].address, token)
        assert found == (CARDS[0].address, token, payment, day, status)
    for limit, status in ((MOST, 2), (MOST, 1), (0, 2)):
        tael.ok(ACQUIRER, escrow, "setAcceptances", tael.merchants[0], [(token, limit, status)])
        found = tael.chain.read(escrow.address, "acceptanceOf", tael.merchants[0], token)
        assert found == (token, limit, status)
    assert address(1) not in escrow.tokens
    assert SECOND_ISSUER in tael.cny.accounts
