"""Random lives of the whole system: contracts and model must agree on every step (I-01 to I-14,
I-23 to I-27, I-36).

What happens in a life is in `lives/`, one file for each kind of step.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from tael import typed_data

from . import actors
from .actors import (
    ACQUIRER,
    CARDS,
    GOVERNOR,
    HASH,
    ISSUER,
    OUTSIDER,
    SECOND_ACQUIRER,
    SECOND_ISSUER,
    TILLS,
    WALLET_OWNER,
)
from .chain import EMPTY_REVERT
from .lives.completing import Completing
from .lives.directory import Entries
from .lives.holders import Holders
from .lives.operator import Operator
from .lives.refused_changes import RefusedChanges
from .lives.refused_payments import RefusedPayments
from .lockstep import Lockstep, fresh
from .messages import Terms, payment_id
from .model import DAY

UNREACHABLE = {
    "AccessManagedInvalidAuthority": "only when governance moves to another authority: scenarios",
    "AccessManagedRequiredDelay": "OpenZeppelin's, never raised: such a call is `not scheduled`",
    "InvalidShortString": "OpenZeppelin's, in constructors only",
    "StringTooLong": "OpenZeppelin's, in constructors only",
    "InvalidAccountNonce": "OpenZeppelin's, never called: nonces are consumed, not given",
    "SchemeAccountInvalid": "constructor: scenarios",
    "SharesInvalid": "constructor: scenarios",
}
"""Errors of the ABIs that no random transaction can meet, and where they are tested instead."""

MINIMUM = 10
"""How often each function must have succeeded in two hundred lives."""

NOT_ACTIONS = frozenset({"setAuthority"})
"""Functions that only governance's own contract may call: scenarios."""


class Life(Completing, Entries, Holders, Operator, RefusedPayments, RefusedChanges):
    """One life of the system."""

    def teardown(self) -> None:
        """Liveness (I-12): whatever happened, a stranger can give every open hold back once its
        time has come."""
        tael = self.tael
        touched = {token for (token, _), amount in tael.foreign.items() if amount}
        waiting = [t for t in self.terms if self.payment(t).open > 0 and t.token not in touched]
        for token in tael.tokens:
            if token.escrow != self.escrow.address:
                tael.ok(GOVERNOR, token, "admitEscrow", self.escrow.address)
        if waiting:
            tael.set_time(max(tael.now, *(terms.capture_before for terms in waiting)))
        for terms in waiting:
            tael.ok(OUTSIDER, self.escrow, "reclaim", terms.parties, terms.packed)
        for token in tael.tokens:
            if token.address not in touched:
                assert not any(account.escrowed for account in token.accounts.values())


@pytest.mark.slow
def test_contracts_follow_the_model_when_anything_happens(
    code: dict[str, dict[str, Any]],
) -> None:
    """Contracts and model agree on every step, and the steps reached everything there is to reach
    (I-36)."""
    Life.tael, Life.first_payments = _in_business(code)
    deployment = Life.tael
    run_state_machine_as_test(Life)
    if settings.default.max_examples >= 200:
        # Fewer lives, as for mutants, may miss something.
        assert _seldom_succeeded(deployment) == []
        assert _never_refused(deployment) == []


def _in_business(code: dict[str, dict[str, Any]]) -> tuple[Lockstep, list[Terms]]:
    """A deployment with payments open between two banks on each side, in both currencies."""
    tael = fresh(code)
    opened = []
    for index in range(8):
        merchant = index % 3
        terms = Terms(
            issuer=(ISSUER, SECOND_ISSUER)[index // 2 % 2],
            acquirer=(ACQUIRER, ACQUIRER, SECOND_ACQUIRER)[merchant],
            token=tael.tokens[index // 4].address,
            merchant=tael.merchants[merchant],
            card=CARDS[index % 3].address,
            amount=1_000 + 777 * index,
            authorize_before=tael.now + 60,
            capture_before=tael.now + (1 + index) * DAY // 2,
            refund_before=tael.now + (3 + index) * DAY,
            interchange_bps=(150, 299, 0, 300)[index % 4],
            uetr=bytes([0xFF]) * 15 + bytes([index]),
            reference_hash=HASH,
        )
        identity = payment_id(tael.escrow.address, terms)
        signature = CARDS[index % 3].sign(identity)
        code_ = typed_data.dynamic_code(
            tael.escrow.domain, terms.merchant, terms.token, terms.amount, terms.uetr, tael.now + 60
        ).digest
        key = WALLET_OWNER if merchant == 2 else TILLS[merchant]
        full = (signature, [(terms.amount, tael.now + 60, key.sign(code_))], [])
        tael.ok(terms.issuer, tael.escrow, "authorizeWith", terms.parties, terms.packed, full)
        opened.append(terms)
    tael.keep()
    return tael, opened


def _seldom_succeeded(deployment: Lockstep) -> list[str]:
    """Every function that seldom or never succeeded."""
    return [
        f"{kind}.{entry['name']}: {deployment.succeeded[entry['name']]} times"
        for kind in ("SettlementToken", "PaymentEscrow")
        for entry in deployment.chain.code[kind]["abi"]
        if entry["type"] == "function"
        and entry["stateMutability"] == "nonpayable"
        and entry["name"] not in NOT_ACTIONS
        and deployment.succeeded[entry["name"]] < MINIMUM
    ]


def _never_refused(deployment: Lockstep) -> list[str]:
    """Every error that was never met."""
    interfaces = deployment.chain.interfaces
    kinds = ("SettlementToken", "PaymentEscrow")
    errors = {name for kind in kinds for name, _ in interfaces[kind].errors.values()}
    errors -= UNREACHABLE.keys()
    errors |= {"LastAdmin", "AccessManagerBadConfirmation", "AccessManagerUnauthorizedAccount"}
    errors.add(EMPTY_REVERT.error)
    return sorted(name for name in errors if not deployment.refused[name])


def test_unreachable_errors_are_declared_when_excused(deployment: Lockstep) -> None:
    declared = {name for name, _ in deployment.chain.errors.values()}
    assert declared >= UNREACHABLE.keys()
    assert actors.SCHEME_BPS + actors.INTERCHANGE_CAP_BPS <= 10_000
