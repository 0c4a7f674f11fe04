"""SettlementToken: ERC-3009 at its limits, and calls that do not decode."""

from __future__ import annotations

from typing import Any

import pytest

from tael import typed_data

from .actors import (
    ACQUIRER,
    BANKS,
    CARDS,
    CLEARING,
    GOVERNOR,
    GUARDIAN,
    HASH,
    ISSUER,
    NONCES,
    OUTSIDER,
    REGISTRAR,
    SECOND_ACQUIRER,
    SECOND_ISSUER,
    STRANGER,
    WALLET_OWNER,
)
from .chain import EMPTY_REVERT, Done, Event, Refused, address
from .lockstep import Lockstep
from .messages import ORDER, compact, mirrored, vrs
from .model import Status
from .scenario import FUNDS, authorization, closed, owner_of

FORMS = ("vrs", "65", "64", "wallet vrs", "wallet 65")
KINDS = ("transfer", "receive", "cancel")


@pytest.fixture
def with_wallet(tael: Lockstep) -> Lockstep:
    tael.ok(REGISTRAR, tael.cny, "admit", tael.wallet)
    tael.ok(ISSUER, tael.cny, "transfer", tael.wallet, 100)
    return tael


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", KINDS)
def test_authorization_counts_once_in_every_form(
    with_wallet: Lockstep, kind: str, form: str
) -> None:
    tael, token = with_wallet, with_wallet.cny
    owner, _ = owner_of(tael, form)
    name, call = authorization(tael, kind, form)
    done = tael.ok(ACQUIRER, token, name, *call)
    used = "AuthorizationCanceled" if kind == "cancel" else "AuthorizationUsed"
    assert done.events[0] == Event(token.address, used, (owner, NONCES[0]))
    if kind != "cancel":
        assert done.events[1:] == (Event(token.address, "Transfer", (owner, ACQUIRER, 10)),)
    for again in KINDS:
        name, call = authorization(tael, again, form)
        tael.refuse("AuthorizationConsumed", (owner, NONCES[0]), ACQUIRER, token, name, *call)
    name, call = authorization(tael, "transfer", form, nonce=NONCES[1])
    tael.ok(OUTSIDER, token, name, *call)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", ["transfer", "receive"])
def test_authorization_is_refused_when_not_in_time(
    with_wallet: Lockstep, kind: str, form: str
) -> None:
    tael, token, now = with_wallet, with_wallet.cny, with_wallet.now
    name, call = authorization(tael, kind, form, after=0)
    tael.refuse("AuthorizationNotYetValid", (now, now), ACQUIRER, token, name, *call)
    name, call = authorization(tael, kind, form, before=0)
    tael.refuse("AuthorizationExpired", (now, now), ACQUIRER, token, name, *call)
    name, call = authorization(tael, kind, form, after=0, before=0)
    tael.refuse("AuthorizationNotYetValid", (now, now), ACQUIRER, token, name, *call)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", KINDS)
def test_authorization_is_refused_when_any_field_differs(
    with_wallet: Lockstep, kind: str, form: str
) -> None:
    tael, token, now = with_wallet, with_wallet.cny, with_wallet.now
    owner, _ = owner_of(tael, form)
    name, call = authorization(tael, kind, form)
    other: tuple[Any, ...] = (SECOND_ISSUER, NONCES[1])
    if kind != "cancel":
        other = (SECOND_ISSUER, SECOND_ACQUIRER, 11, now - 2, now + 2, NONCES[1])
    for index, value in enumerate(other):
        changed = list(call)
        changed[index] = value
        sender = changed[1] if kind == "receive" else ACQUIRER
        expected = ("InvalidSignature", (changed[0],))
        tael.refuse(*expected, sender, token, name, *changed)
    _, foreign = authorization(tael, "cancel" if kind == "transfer" else "transfer", form)
    signature = foreign[2:] if kind == "transfer" else foreign[6:]
    keep = 2 if kind == "cancel" else 6
    tael.refuse("InvalidSignature", (owner,), ACQUIRER, token, name, *call[:keep], *signature)
    if kind == "transfer":
        _, foreign = authorization(tael, "receive", form)
        tael.refuse(
            "InvalidSignature", (owner,), ACQUIRER, token, name, *call[:keep], *foreign[keep:]
        )


@pytest.mark.parametrize("length", [0, 1, 32, 63, 64, 65, 66, 130])
def test_authorization_is_refused_when_the_signature_has_another_length(
    tael: Lockstep, length: int
) -> None:
    name, call = authorization(tael, "transfer", "65")
    signature = (call[6] * 2)[:length]
    if length == 65:
        signature = mirrored(call[6])
    if length == 64:
        signature = compact(call[6][:64] + bytes([55 - call[6][64]]))
    tael.refuse("InvalidSignature", (ISSUER,), OUTSIDER, tael.cny, name, *call[:6], signature)


def test_authorization_is_refused_when_the_wallet_answers_badly(tael: Lockstep) -> None:
    token = tael.cny
    for index, wallet in enumerate(tael.wallets):
        tael.ok(REGISTRAR, token, "admit", wallet)
        call = (wallet, ACQUIRER, 0, tael.now - 1, tael.now + 1, NONCES[0])
        digest = typed_data.transfer_digest(token.domain, *call)
        signature = WALLET_OWNER.sign(digest)
        for form in ((signature,), vrs(signature)):
            name = "transferWithAuthorization"
            if index in (0, 7):
                continue
            tael.refuse("InvalidSignature", (wallet,), OUTSIDER, token, name, *call, *form)
        if index == 7:
            tael.ok(OUTSIDER, token, name, *call, b"")
    # A wallet is asked for signatures alone: a permit needs a key.
    fields = (tael.wallet, OUTSIDER, 1)
    digest = typed_data.permit_digest(token.domain, *fields, 0, tael.now)
    signature = WALLET_OWNER.sign(digest)
    tael.refuse(
        "InvalidSignature",
        (tael.wallet,),
        OUTSIDER,
        token,
        "permit",
        *fields,
        tael.now,
        *vrs(signature),
    )


def test_wallet_may_not_burn_more_than_its_share(tael: Lockstep) -> None:
    """Threat C07: a hostile wallet costs 150,000 gas and no more."""
    greedy = tael.wallets[6]
    call = (greedy, NONCES[0], b"")
    tael.refuse("InvalidSignature", (greedy,), OUTSIDER, tael.cny, "cancelAuthorization", *call)
    tael.chain.send(OUTSIDER, tael.cny.address, "cancelAuthorization", *call)
    assert 150_000 < tael.chain.gas_used < 250_000


@pytest.mark.parametrize(("seen", "valid"), [(149_997, False), (149_998, True), (149_999, False)])
def test_wallet_is_given_exactly_its_share(tael: Lockstep, seen: int, valid: bool) -> None:
    """A wallet that says yes when it finds so much gas: the share less what looking costs."""
    at = address(0x6A5)
    tael.chain.set_code(at, bytes.fromhex(f"5a62{seen:06x}14631626ba7e60e01b0260005260206000f3"))
    call = (at, NONCES[0], b"")
    outcome = tael.chain.send(OUTSIDER, tael.cny.address, "cancelAuthorization", *call)
    assert isinstance(outcome, Done) == valid


def test_receive_is_refused_when_another_sends_it(tael: Lockstep) -> None:
    for form in ("vrs", "65"):
        name, call = authorization(tael, "receive", form)
        tael.refuse("CallerNotPayee", (OUTSIDER, ACQUIRER), OUTSIDER, tael.cny, name, *call)


def test_authorization_is_refused_when_the_transfer_would_be(tael: Lockstep) -> None:
    token = tael.cny
    name, call = authorization(tael, "transfer", "65")
    tael.ok(GUARDIAN, token, "pause")
    tael.refuse("TokenPaused", (), OUTSIDER, token, name, *call)
    tael.ok(GOVERNOR, token, "unpause")
    tael.ok(ISSUER, token, "transfer", ACQUIRER, FUNDS - 9)
    tael.refuse("InsufficientAvailable", (ISSUER, 9, 10), OUTSIDER, token, name, *call)
    tael.ok(ACQUIRER, token, "transfer", ISSUER, 1)
    tael.ok(GUARDIAN, token, "suspend", ISSUER, HASH)
    tael.refuse("AccountNotActive", (ISSUER, Status.SUSPENDED), OUTSIDER, token, name, *call)
    tael.ok(GOVERNOR, token, "reinstate", ISSUER)
    closed(tael, ACQUIRER)
    tael.refuse("AccountCannotReceive", (ACQUIRER, Status.CLOSED), OUTSIDER, token, name, *call)


def test_authorization_can_be_cancelled_when_paused(tael: Lockstep) -> None:
    tael.ok(GUARDIAN, tael.cny, "pause")
    for nonce, form in zip(NONCES, ("vrs", "65", "64"), strict=True):
        name, call = authorization(tael, "cancel", form, nonce=nonce)
        tael.ok(OUTSIDER, tael.cny, name, *call)


def test_signature_counts_nowhere_else(tael: Lockstep) -> None:
    """Threats C01, C02: another chain or another token of the same name refuses it."""
    fields = (ISSUER, ACQUIRER, 1, tael.now - 1, tael.now + 1, NONCES[0])
    domains = [
        typed_data.Domain(tael.cny.domain.name, 1, tael.cny.address),
        typed_data.Domain(tael.cny.domain.name, 1337, tael.jpy.address),
        typed_data.Domain(tael.jpy.domain.name, 1337, tael.cny.address),
    ]
    for domain in domains:
        signature = BANKS[0].sign(typed_data.transfer_digest(domain, *fields))
        name = "transferWithAuthorization"
        tael.refuse("InvalidSignature", (ISSUER,), OUTSIDER, tael.cny, name, *fields, signature)


# Encoding


def test_calls_are_refused_when_they_do_not_decode(tael: Lockstep) -> None:
    """Threats C27, C52: dirty high bits, a selector nobody has, ether."""
    chain, at = tael.chain, tael.cny.address
    data = bytearray(chain.interfaces["SettlementToken"].calldata("holdFunds", ISSUER, 1))
    for position in (4, 36):
        dirty = data.copy()
        dirty[position] = 1
        assert chain.send_raw(CLEARING, at, bytes(dirty)) == EMPTY_REVERT
    for data_ in (b"", b"\x12\x34\x56\x78", bytes(data[:40])):
        assert chain.send_raw(CLEARING, at, data_) == EMPTY_REVERT
    settle = bytearray(chain.interfaces["SettlementToken"].calldata("settleNet", [], [], 0))
    settle[4 + 95] = 2
    assert isinstance(chain.send_raw(CLEARING, at, bytes(settle)), Refused)
    tael.compare()


def test_recovery_takes_low_s_up_to_half_the_order(tael: Lockstep) -> None:
    """Threat C05: at the half exactly a signature may be good, one above it never."""
    name, call = authorization(tael, "transfer", "vrs")
    half = ORDER // 2
    for s in (half + 1, ORDER - 1, ORDER, 2**256 - 1):
        bad = (*call[:8], s.to_bytes(32, "big"))
        tael.refuse("InvalidSignature", (ISSUER,), OUTSIDER, tael.cny, name, *bad)
    assert STRANGER.address == OUTSIDER
    assert CARDS[0].address not in tael.cny.accounts
