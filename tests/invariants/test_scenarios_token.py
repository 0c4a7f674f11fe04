"""SettlementToken at its limits: every refusal with its arguments, every boundary on both sides.

Each call goes to contract and model; what is written out here is what the specification says of it.
"""

from __future__ import annotations

from typing import Any

import pytest

from tael import typed_data

from .chain import EMPTY_REVERT, Done, Event, Refused, address
from .lockstep import (
    ACQUIRER,
    ATTESTOR,
    BANKS,
    CARDS,
    CLEARING,
    DESK,
    GOVERNOR,
    GUARDIAN,
    HASH,
    ISSUER,
    NONCES,
    OUTSIDER,
    QUEUE,
    REFERENCES,
    REGISTRAR,
    SCHEME,
    SECOND_ACQUIRER,
    SECOND_ISSUER,
    STRANGER,
    SUCCESSOR,
    WALLET_OWNER,
    Lockstep,
)
from .messages import ORDER, Key, compact, mirrored, vrs
from .model import DAY, MAX_SUPPLY, MAX_WORD, ZERO, Source, Status
from .scenario import available, balance

FUNDS = 1_000_000


def suspended(tael: Lockstep, participant: str) -> str:
    tael.ok(GUARDIAN, tael.cny, "suspend", participant, HASH)
    return participant


def closed(tael: Lockstep, participant: str) -> str:
    tael.ok(GOVERNOR, tael.cny, "close", participant)
    return participant


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


def permit(
    tael: Lockstep, key: Key, nonce: int, deadline: int, spender: str = OUTSIDER
) -> tuple[Any, ...]:
    fields = (key.address, spender, 5)
    digest = typed_data.permit_digest(tael.cny.domain, *fields, nonce, deadline)
    return (*fields, deadline, *vrs(key.sign(digest)))


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


# ERC-3009

FORMS = ("vrs", "65", "64", "wallet vrs", "wallet 65")
KINDS = ("transfer", "receive", "cancel")


def owner_of(tael: Lockstep, form: str) -> tuple[str, Key]:
    return (tael.wallet, WALLET_OWNER) if form.startswith("wallet") else (ISSUER, BANKS[0])


def authorization(
    tael: Lockstep,
    kind: str,
    form: str,
    *,
    after: int = -1,
    before: int = 1,
    nonce: bytes = NONCES[0],
) -> tuple[str, tuple[Any, ...]]:
    """The function and its arguments; times relative to now."""
    owner, key = owner_of(tael, form)
    call: tuple[Any, ...] = (owner, nonce)
    if kind != "cancel":
        call = (owner, ACQUIRER, 10, tael.now + after, tael.now + before, nonce)
    digest = {
        "transfer": typed_data.transfer_digest,
        "receive": typed_data.receive_digest,
        "cancel": typed_data.cancel_digest,
    }[kind](tael.cny.domain, *call)
    signature = key.sign(digest)
    last = compact(signature) if form == "64" else signature
    name = "cancelAuthorization" if kind == "cancel" else f"{kind}WithAuthorization"
    return name, (*call, *(vrs(signature) if form.endswith("vrs") else (last,)))


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


# Accounts


def test_status_goes_only_the_ways_there_are(tael: Lockstep) -> None:
    token, who = tael.cny, OUTSIDER
    steps: dict[str, tuple[str, tuple[Any, ...], str]] = {
        "admit": (REGISTRAR, (), "AccountAdmitted"),
        "suspend": (GUARDIAN, (HASH,), "AccountSuspended"),
        "reinstate": (GOVERNOR, (), "AccountReinstated"),
        "close": (GOVERNOR, (), "AccountClosed"),
    }
    allowed = {
        Status.NONE: {"admit": Status.ACTIVE},
        Status.ACTIVE: {"suspend": Status.SUSPENDED},
        Status.SUSPENDED: {"reinstate": Status.ACTIVE},
    }
    status = Status.NONE
    for _ in range(3):
        for name, (sender, rest, _event) in steps.items():
            if name not in allowed[status] and not (name == "close" and status != Status.NONE):
                tael.refuse("AccountStatusMismatch", (who, status), sender, token, name, who, *rest)
        name, following = next(iter(allowed[status].items()))
        sender, rest, event = steps[name]
        done = tael.ok(sender, token, name, who, *rest)
        assert done.events == (Event(token.address, event, (who, *rest)),)
        status = following
    done = tael.ok(GOVERNOR, token, "close", who)
    assert done.events == (Event(token.address, "AccountClosed", (who,)),)
    for name, (sender, rest, _event) in steps.items():
        tael.refuse("AccountStatusMismatch", (who, Status.CLOSED), sender, token, name, who, *rest)
    tael.refuse("InvalidAccount", (ZERO,), REGISTRAR, token, "admit", ZERO)


def test_restricted_functions_are_refused_when_another_calls(tael: Lockstep) -> None:
    calls: dict[str, tuple[Any, ...]] = {
        "admit": (OUTSIDER,),
        "suspend": (ISSUER, HASH),
        "reinstate": (ISSUER,),
        "close": (ISSUER,),
        "forceTransfer": (ISSUER, ACQUIRER, 1, HASH),
        "attest": (1, HASH, tael.now + 1),
        "issue": (ISSUER, 1, HASH),
        "pause": (),
        "unpause": (),
        "admitEscrow": (SUCCESSOR,),
        "admitModule": (QUEUE,),
        "cutOffModule": (CLEARING,),
    }
    holders = (REGISTRAR, GUARDIAN, DESK, ATTESTOR, GOVERNOR)
    for name, call in calls.items():
        role = tael.governance.roles[tael.cny.address, name]
        for number, holder in enumerate(holders, start=1):
            if number != role:
                tael.refuse("AccessManagedUnauthorized", (holder,), holder, tael.cny, name, *call)
        tael.refuse("AccessManagedUnauthorized", (ISSUER,), ISSUER, tael.cny, name, *call)


@pytest.mark.parametrize("module", ["escrow", "module"])
def test_close_is_refused_when_anything_is_held(tael: Lockstep, module: str) -> None:
    token = tael.cny
    tael.ok(GOVERNOR, token, "admitEscrow", SUCCESSOR)
    holder = SUCCESSOR if module == "escrow" else CLEARING
    tael.ok(holder, token, "holdFunds", ISSUER, 1)
    tael.refuse("AccountHoldsOpen", (ISSUER, 1), GOVERNOR, token, "close", ISSUER)
    tael.ok(holder, token, "releaseHold", ISSUER, 1)
    tael.ok(GUARDIAN, token, "pause")
    tael.ok(GOVERNOR, token, "close", ISSUER)
    done = tael.ok(GOVERNOR, token, "forceTransfer", ISSUER, ACQUIRER, FUNDS, HASH)
    assert done.events == (
        Event(token.address, "TransferForced", (ISSUER, ACQUIRER, FUNDS, HASH)),
        Event(token.address, "Transfer", (ISSUER, ACQUIRER, FUNDS)),
    )


def test_forced_transfer_reaches_available_alone(tael: Lockstep) -> None:
    token = tael.cny
    tael.ok(CLEARING, token, "holdFunds", ISSUER, 400)
    rest = FUNDS - 400
    expected = ("InsufficientAvailable", (ISSUER, rest, rest + 1))
    tael.refuse(*expected, GOVERNOR, token, "forceTransfer", ISSUER, ACQUIRER, rest + 1, HASH)
    tael.refuse(
        "AccountCannotReceive",
        (OUTSIDER, Status.NONE),
        GOVERNOR,
        token,
        "forceTransfer",
        ISSUER,
        OUTSIDER,
        1,
        HASH,
    )
    suspended(tael, ISSUER)
    tael.ok(GOVERNOR, token, "forceTransfer", ISSUER, ACQUIRER, rest, HASH)
    closed(tael, SECOND_ISSUER)
    tael.refuse(
        "AccountCannotReceive",
        (SECOND_ISSUER, Status.CLOSED),
        GOVERNOR,
        token,
        "forceTransfer",
        ACQUIRER,
        SECOND_ISSUER,
        1,
        HASH,
    )
    suspended(tael, SECOND_ACQUIRER)
    tael.ok(GOVERNOR, token, "forceTransfer", ACQUIRER, SECOND_ACQUIRER, 1, HASH)


# Reserve


def test_attestation_is_at_most_35_days(tael: Lockstep) -> None:
    token, now = tael.cny, tael.now
    for before in (0, now - 1, now, now + 35 * DAY + 1, 2**40, MAX_WORD):
        expected = ("AttestationPeriodInvalid", (now, before))
        tael.refuse(*expected, ATTESTOR, token, "attest", 1, HASH, before)
    tael.ok(ATTESTOR, token, "attest", 1, HASH, now + 1)
    done = tael.ok(ATTESTOR, token, "attest", MAX_SUPPLY, HASH, now + 35 * DAY)
    event = Event(token.address, "ReserveAttested", (MAX_SUPPLY, now + 35 * DAY, HASH))
    assert done.events == (event,)
    for amount in (MAX_SUPPLY + 1, MAX_WORD):
        expected = ("AmountTooLarge", (amount, MAX_SUPPLY))
        tael.refuse(*expected, ATTESTOR, token, "attest", amount, HASH, now + 1)
    found = tael.chain.read(token.address, "attestation")
    assert found == (MAX_SUPPLY, now + 35 * DAY, HASH)


def test_issue_stays_within_the_reserve(tael: Lockstep) -> None:
    token, supply = tael.cny, 4 * FUNDS
    tael.ok(ATTESTOR, token, "attest", supply + 7, HASH, tael.now + 10)
    expected = ("ReserveExceeded", (supply + 8, supply + 7))
    tael.refuse(*expected, DESK, token, "issue", ISSUER, 8, REFERENCES[0])
    tael.refuse("AmountZero", (REFERENCES[0],), DESK, token, "issue", ISSUER, 0, REFERENCES[0])
    done = tael.ok(DESK, token, "issue", ISSUER, 5, REFERENCES[0])
    assert done.events == (
        Event(token.address, "Issued", (REFERENCES[0], ISSUER, 5)),
        Event(token.address, "Transfer", (ZERO, ISSUER, 5)),
    )
    tael.refuse(
        "BankReferenceUsed", (REFERENCES[0],), DESK, token, "issue", ACQUIRER, 1, REFERENCES[0]
    )
    tael.ok(DESK, token, "issue", ACQUIRER, 1, REFERENCES[1])
    tael.wait(9)
    tael.ok(DESK, token, "issue", ACQUIRER, 1, REFERENCES[2])
    expected = ("ReserveExceeded", (supply + 8, supply + 7))
    tael.refuse(*expected, DESK, token, "issue", ACQUIRER, 1, REFERENCES[3])
    tael.wait(1)
    expected = ("ReserveStale", (tael.now, tael.now))
    tael.refuse(*expected, DESK, token, "issue", ACQUIRER, 1, REFERENCES[3])


def test_issue_is_refused_when_the_account_is_not_active(tael: Lockstep) -> None:
    token, call = tael.cny, (1, REFERENCES[0])
    tael.refuse("AccountNotActive", (OUTSIDER, Status.NONE), DESK, token, "issue", OUTSIDER, *call)
    suspended(tael, ISSUER)
    tael.refuse("AccountNotActive", (ISSUER, Status.SUSPENDED), DESK, token, "issue", ISSUER, *call)
    closed(tael, ISSUER)
    tael.refuse("AccountNotActive", (ISSUER, Status.CLOSED), DESK, token, "issue", ISSUER, *call)
    tael.ok(GUARDIAN, token, "pause")
    tael.refuse("TokenPaused", (), DESK, token, "issue", ISSUER, *call)


def test_redeem_destroys_once_per_reference(tael: Lockstep) -> None:
    token = tael.cny
    tael.refuse("AmountZero", (REFERENCES[0],), ISSUER, token, "redeem", 0, REFERENCES[0])
    done = tael.ok(ISSUER, token, "redeem", FUNDS, REFERENCES[0])
    assert done.events == (
        Event(token.address, "Redeemed", (REFERENCES[0], ISSUER, FUNDS)),
        Event(token.address, "Transfer", (ISSUER, ZERO, FUNDS)),
    )
    assert tael.chain.read(token.address, "totalSupply") == 3 * FUNDS
    tael.refuse("BankReferenceUsed", (REFERENCES[0],), ISSUER, token, "redeem", 1, REFERENCES[0])
    tael.ok(ACQUIRER, token, "redeem", 1, REFERENCES[0])
    tael.refuse("InsufficientAvailable", (ISSUER, 0, 1), ISSUER, token, "redeem", 1, REFERENCES[1])
    tael.refuse(
        "AccountNotActive", (OUTSIDER, Status.NONE), OUTSIDER, token, "redeem", 1, REFERENCES[1]
    )
    tael.ok(GUARDIAN, token, "pause")
    tael.refuse("TokenPaused", (), ACQUIRER, token, "redeem", 1, REFERENCES[2])


def test_account_holds_the_whole_supply_in_any_part(tael: Lockstep) -> None:
    """Every field of the account word can be full without touching its neighbours."""
    token = tael.bhd
    tael.ok(REGISTRAR, token, "admit", ISSUER)
    tael.ok(REGISTRAR, token, "admit", ACQUIRER)
    tael.ok(ATTESTOR, token, "attest", MAX_SUPPLY, HASH, tael.now + 1)
    tael.ok(DESK, token, "issue", ISSUER, MAX_SUPPLY, REFERENCES[0])
    for amount in (1, MAX_SUPPLY):
        expected = ("ReserveExceeded", (MAX_SUPPLY + amount, MAX_SUPPLY))
        tael.refuse(*expected, DESK, token, "issue", ISSUER, amount, REFERENCES[1])
    for amount in (MAX_SUPPLY + 1, MAX_WORD):
        expected = ("AmountTooLarge", (amount, MAX_SUPPLY))
        tael.refuse(*expected, DESK, token, "issue", ISSUER, amount, REFERENCES[1])
    read = tael.chain.read
    tael.ok(GOVERNOR, token, "admitEscrow", SUCCESSOR)
    tael.ok(GOVERNOR, token, "admitModule", CLEARING)
    for module in (SUCCESSOR, CLEARING):
        tael.ok(module, token, "holdFunds", ISSUER, MAX_SUPPLY)
        assert read(token.address, "availableOf", ISSUER) == 0
        assert read(token.address, "heldOf", ISSUER) == MAX_SUPPLY
        assert read(token.address, "heldFor", module, ISSUER) == MAX_SUPPLY
        assert read(token.address, "balanceOf", ISSUER) == MAX_SUPPLY
        assert read(token.address, "statusOf", ISSUER) == Status.ACTIVE
        expected = ("InsufficientAvailable", (ISSUER, 0, 1))
        tael.refuse(*expected, module, token, "holdFunds", ISSUER, 1)
        expected = ("InsufficientHold", (ISSUER, MAX_SUPPLY, MAX_SUPPLY + 1))
        tael.refuse(*expected, module, token, "releaseHold", ISSUER, MAX_SUPPLY + 1)
        tael.ok(module, token, "releaseHold", ISSUER, MAX_SUPPLY)
        assert read(token.address, "availableOf", ISSUER) == MAX_SUPPLY
    tael.ok(CLEARING, token, "holdFunds", ISSUER, MAX_SUPPLY)
    tael.ok(CLEARING, token, "executeHold", ISSUER, ACQUIRER, MAX_SUPPLY - 2, ACQUIRER, 1, 1)
    assert read(token.address, "availableOf", ACQUIRER) == MAX_SUPPLY - 1
    tael.ok(ACQUIRER, token, "redeem", MAX_SUPPLY - 1, REFERENCES[0])
    tael.ok(DESK, token, "issue", ACQUIRER, MAX_SUPPLY - 1, REFERENCES[1])


# Stopping


def test_pause_stops_new_obligations_and_nothing_else(tael: Lockstep) -> None:
    """Threat C46."""
    token = tael.cny
    tael.ok(CLEARING, token, "holdFunds", ISSUER, 100)
    tael.refuse("TokenNotPaused", (), GOVERNOR, token, "unpause")
    done = tael.ok(GUARDIAN, token, "pause")
    assert done.events == (Event(token.address, "Paused", (GUARDIAN,)),)
    pair = [ISSUER, ACQUIRER]
    pair.sort()
    changes = [-1, 1] if pair[0] == ISSUER else [1, -1]
    for sender, name, call in (
        (GUARDIAN, "pause", ()),
        (ISSUER, "transfer", (ACQUIRER, 1)),
        (OUTSIDER, "transferFrom", (ISSUER, ACQUIRER, 1)),
        (ISSUER, "redeem", (1, REFERENCES[0])),
        (CLEARING, "holdFunds", (ISSUER, 1)),
        (CLEARING, "pay", (ISSUER, ACQUIRER, 1, SCHEME, 1)),
        (CLEARING, "settleNet", (pair, changes, int(Source.AVAILABLE))),
        (OUTSIDER, "holdFunds", (ISSUER, 1)),
        (OUTSIDER, "pay", (ISSUER, ACQUIRER, 1, SCHEME, 1)),
    ):
        tael.refuse("TokenPaused", (), sender, token, name, *call)
    tael.ok(CLEARING, token, "executeHold", ISSUER, ACQUIRER, 10, SCHEME, 1, 1)
    tael.ok(CLEARING, token, "releaseHold", ISSUER, 1)
    tael.ok(CLEARING, token, "payBack", ACQUIRER, ISSUER, 5)
    tael.ok(CLEARING, token, "settleNet", pair, changes, int(Source.HOLD))
    tael.ok(ISSUER, token, "approve", OUTSIDER, 1)
    tael.ok(OUTSIDER, token, "permit", *permit(tael, BANKS[0], 0, tael.now))
    tael.ok(GOVERNOR, token, "forceTransfer", ISSUER, ACQUIRER, 1, HASH)
    tael.ok(GUARDIAN, token, "suspend", ISSUER, HASH)
    tael.ok(GOVERNOR, token, "reinstate", ISSUER)
    tael.ok(ATTESTOR, token, "attest", 1, HASH, tael.now + 1)
    tael.ok(GUARDIAN, token, "cutOffModule", CLEARING)
    tael.ok(GOVERNOR, token, "admitModule", CLEARING)
    assert tael.chain.read(token.address, "escrow") == tael.escrow.address
    done = tael.ok(GOVERNOR, token, "unpause")
    assert done.events == (Event(token.address, "Unpaused", (GOVERNOR,)),)


# Modules


def test_modules_are_admitted_and_cut_off(tael: Lockstep) -> None:
    token, escrow = tael.cny, tael.escrow.address
    for name in ("admitEscrow", "admitModule"):
        tael.refuse("InvalidAccount", (ZERO,), GOVERNOR, token, name, ZERO)
        for module in (escrow, CLEARING):
            tael.refuse("ModuleAlreadyAdmitted", (module,), GOVERNOR, token, name, module)
    for module in (ZERO, OUTSIDER, QUEUE):
        tael.refuse("ModuleNotAdmitted", (module,), GUARDIAN, token, "cutOffModule", module)
    done = tael.ok(GOVERNOR, token, "admitModule", QUEUE)
    assert done.events == (Event(token.address, "ModuleAdmitted", (QUEUE,)),)
    done = tael.ok(GUARDIAN, token, "cutOffModule", QUEUE)
    assert done.events == (Event(token.address, "ModuleCutOff", (QUEUE,)),)
    done = tael.ok(GOVERNOR, token, "admitEscrow", SUCCESSOR)
    assert done.events == (
        Event(token.address, "ModuleCutOff", (escrow,)),
        Event(token.address, "EscrowAdmitted", (SUCCESSOR,)),
    )
    assert not tael.chain.read(token.address, "isModule", escrow)
    tael.ok(GUARDIAN, token, "cutOffModule", SUCCESSOR)
    assert not tael.chain.read(token.address, "isModule", ZERO)
    tael.refuse("ModuleNotAdmitted", (ZERO,), GUARDIAN, token, "cutOffModule", ZERO)
    assert tael.chain.read(token.address, "isModule", CLEARING)
    done = tael.ok(GOVERNOR, token, "admitEscrow", escrow)
    assert done.events == (Event(token.address, "EscrowAdmitted", (escrow,)),)


@pytest.mark.parametrize("sender", [OUTSIDER, ISSUER, GOVERNOR, ZERO])
def test_module_functions_are_refused_when_another_calls(tael: Lockstep, sender: str) -> None:
    tael.ok(GUARDIAN, tael.cny, "cutOffModule", tael.escrow.address)
    for name, call in (
        ("holdFunds", (ISSUER, 1)),
        ("releaseHold", (ISSUER, 0)),
        ("executeHold", (ISSUER, ACQUIRER, 0, SCHEME, 0, 0)),
        ("pay", (ISSUER, ACQUIRER, 1, SCHEME, 0)),
        ("payBack", (ISSUER, ACQUIRER, 1)),
        ("settleNet", ([], [], 0)),
        ("settleNet", ([], [], 1)),
    ):
        if sender == ZERO:
            # No key belongs to zero; where the escrow was is nobody, not everybody.
            continue
        tael.refuse("ModuleNotAdmitted", (sender,), sender, tael.cny, name, *call)


def test_module_cannot_touch_what_another_holds(tael: Lockstep) -> None:
    token = tael.cny
    tael.ok(GOVERNOR, token, "admitModule", QUEUE)
    tael.ok(GOVERNOR, token, "admitEscrow", SUCCESSOR)
    amounts = {CLEARING: 300, QUEUE: 200, SUCCESSOR: 100}
    for module, amount in amounts.items():
        done = tael.ok(module, token, "holdFunds", ISSUER, amount)
        placed = (Event(token.address, "HoldPlaced", (module, ISSUER, amount)),)
        assert done.events == (() if module == SUCCESSOR else placed)
    for module, amount in amounts.items():
        expected = ("InsufficientHold", (ISSUER, amount, amount + 1))
        tael.refuse(*expected, module, token, "releaseHold", ISSUER, amount + 1)
        tael.refuse(*expected, module, token, "executeHold", ISSUER, ACQUIRER, amount, SCHEME, 1, 0)
        tael.refuse(*expected, module, token, "executeHold", ISSUER, ACQUIRER, amount, SCHEME, 0, 1)
        tael.refuse("InsufficientHold", (ACQUIRER, 0, 1), module, token, "releaseHold", ACQUIRER, 1)
    for module, amount in amounts.items():
        call = (ISSUER, ACQUIRER, amount - 50, SCHEME, 20, 10)
        done = tael.ok(module, token, "executeHold", *call)
        moved = (
            Event(token.address, "Transfer", (ISSUER, ACQUIRER, amount - 50)),
            Event(token.address, "Transfer", (ISSUER, SCHEME, 20)),
        )
        executed = Event(token.address, "HoldExecuted", (module, ISSUER, amount - 20, 10))
        assert done.events == (moved if module == SUCCESSOR else (executed, *moved))
        done = tael.ok(module, token, "releaseHold", ISSUER, 20)
        executed = Event(token.address, "HoldExecuted", (module, ISSUER, 20, 20))
        assert done.events == (() if module == SUCCESSOR else (executed,))
    assert available(tael, ISSUER) == balance(tael, ISSUER) == FUNDS - 600 + 150 - 60


def test_hold_goes_to_the_successor_when_the_escrow_is_replaced(tael: Lockstep) -> None:
    token, read = tael.cny, tael.chain.read
    tael.ok(GOVERNOR, token, "admitEscrow", SUCCESSOR)
    tael.ok(SUCCESSOR, token, "holdFunds", ISSUER, 100)
    tael.ok(GUARDIAN, token, "cutOffModule", SUCCESSOR)
    tael.refuse("ModuleNotAdmitted", (SUCCESSOR,), SUCCESSOR, token, "releaseHold", ISSUER, 1)
    assert read(token.address, "heldOf", ISSUER) == 100
    assert read(token.address, "heldFor", ZERO, ISSUER) == 0
    tael.ok(GOVERNOR, token, "admitEscrow", QUEUE)
    assert read(token.address, "heldFor", QUEUE, ISSUER) == 100
    tael.ok(QUEUE, token, "releaseHold", ISSUER, 100)


@pytest.mark.parametrize("module", [CLEARING, SUCCESSOR])
def test_hold_is_executed_and_released_when_everybody_is_stopped(
    tael: Lockstep, module: str
) -> None:
    token = tael.cny
    if module == SUCCESSOR:
        tael.ok(GOVERNOR, token, "admitEscrow", SUCCESSOR)
    tael.ok(module, token, "holdFunds", ISSUER, 100)
    suspended(tael, ISSUER)
    closed(tael, ACQUIRER)
    closed(tael, SCHEME)
    tael.ok(module, token, "executeHold", ISSUER, ACQUIRER, 50, SCHEME, 5, 5)
    tael.ok(module, token, "releaseHold", ISSUER, 40)
    assert (available(tael, ACQUIRER), available(tael, SCHEME)) == (FUNDS + 50, 5)
    tael.refuse(
        "AccountNotActive", (ISSUER, Status.SUSPENDED), module, token, "holdFunds", ISSUER, 1
    )


def test_zero_parts_are_skipped(tael: Lockstep) -> None:
    token = tael.cny
    tael.ok(CLEARING, token, "holdFunds", ISSUER, 100)
    done = tael.ok(CLEARING, token, "executeHold", ISSUER, OUTSIDER, 0, SCHEME, 3, 0)
    assert [event.name for event in done.events] == ["HoldExecuted", "Transfer"]
    done = tael.ok(CLEARING, token, "executeHold", ISSUER, ACQUIRER, 3, OUTSIDER, 0, 0)
    assert done.events[1].arguments == (ISSUER, ACQUIRER, 3)
    tael.ok(CLEARING, token, "executeHold", ISSUER, OUTSIDER, 0, OUTSIDER, 0, 94)
    done = tael.ok(CLEARING, token, "pay", ISSUER, OUTSIDER, 0, SCHEME, 3)
    assert done.events == (Event(token.address, "Transfer", (ISSUER, SCHEME, 3)),)
    done = tael.ok(CLEARING, token, "pay", ISSUER, ACQUIRER, 3, OUTSIDER, 0)
    assert done.events == (Event(token.address, "Transfer", (ISSUER, ACQUIRER, 3)),)
    assert tael.ok(CLEARING, token, "payBack", ISSUER, OUTSIDER, 0).events == ()
    tael.refuse(
        "AccountNotActive", (OUTSIDER, Status.NONE), CLEARING, token, "payBack", OUTSIDER, ISSUER, 0
    )


def test_payee_is_refused_when_never_admitted(tael: Lockstep) -> None:
    token, none = tael.cny, (OUTSIDER, Status.NONE)
    tael.ok(CLEARING, token, "holdFunds", ISSUER, 100)
    for name, call in (
        ("executeHold", (ISSUER, OUTSIDER, 1, SCHEME, 0, 0)),
        ("executeHold", (ISSUER, ACQUIRER, 1, OUTSIDER, 1, 0)),
        ("pay", (ISSUER, OUTSIDER, 1, SCHEME, 0)),
        ("pay", (ISSUER, ACQUIRER, 1, OUTSIDER, 1)),
        ("payBack", (ISSUER, OUTSIDER, 1)),
    ):
        tael.refuse("AccountCannotReceive", none, CLEARING, token, name, *call)


def test_pay_is_a_new_obligation_and_pay_back_an_old_one(tael: Lockstep) -> None:
    token = tael.cny
    expected = ("InsufficientAvailable", (ISSUER, FUNDS, FUNDS + 1))
    tael.refuse(*expected, CLEARING, token, "pay", ISSUER, ACQUIRER, FUNDS, SCHEME, 1)
    huge = 2**128 - 1
    expected = ("InsufficientAvailable", (ISSUER, FUNDS, 2 * huge))
    tael.refuse(*expected, CLEARING, token, "pay", ISSUER, ACQUIRER, huge, SCHEME, huge)
    tael.ok(CLEARING, token, "holdFunds", ISSUER, 1)
    expected = ("InsufficientHold", (ISSUER, 1, 3 * huge))
    tael.refuse(
        *expected, CLEARING, token, "executeHold", ISSUER, ACQUIRER, huge, SCHEME, huge, huge
    )
    tael.ok(CLEARING, token, "releaseHold", ISSUER, 1)
    closed(tael, SCHEME)
    tael.ok(CLEARING, token, "pay", ISSUER, ACQUIRER, FUNDS - 1, SCHEME, 1)
    expected = ("InsufficientAvailable", (ISSUER, 0, 1))
    tael.refuse(*expected, CLEARING, token, "payBack", ISSUER, ACQUIRER, 1)
    closed(tael, SECOND_ACQUIRER)
    expected = ("AccountCannotReceive", (SECOND_ACQUIRER, Status.CLOSED))
    tael.refuse(*expected, CLEARING, token, "pay", ACQUIRER, SECOND_ACQUIRER, 1, SCHEME, 0)
    done = tael.ok(CLEARING, token, "payBack", ACQUIRER, SECOND_ACQUIRER, 1)
    assert done.events == (Event(token.address, "Transfer", (ACQUIRER, SECOND_ACQUIRER, 1)),)
    suspended(tael, ACQUIRER)
    for name, call in (
        ("pay", (ACQUIRER, ISSUER, 1, SCHEME, 0)),
        ("payBack", (ACQUIRER, ISSUER, 1)),
    ):
        tael.refuse("AccountNotActive", (ACQUIRER, Status.SUSPENDED), CLEARING, token, name, *call)


# Net settlement


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
