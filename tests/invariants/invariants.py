"""What must hold after every transaction, whatever the model says: the project's invariants by
their numbers.

They are computed from the state that was just found equal to the contracts', and never use the
model's functions. What the ledger proves is not asked again (`oracle.py`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .messages import Terms
from .model import Account, Token

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .chain import Done
    from .lockstep import Lockstep
    from .model import Contract, Payment

BLOCKED_WHILE_PAUSED = frozenset(
    {
        "transfer",
        "transferFrom",
        "transferWithAuthorization",
        "receiveWithAuthorization",
        "issue",
        "redeem",
        "pause",
        "holdFunds",
        "pay",
        "authorize",
        "authorizeWith",
        "charge",
        "chargeWith",
    }
)
"""Functions that stop with the token; authorizeMany and settleNet stop only where they would
spend."""

ESCROW_VERBS = frozenset(
    {
        "authorize",
        "authorizeWith",
        "authorizeMany",
        "charge",
        "chargeWith",
        "capture",
        "captureMany",
        "void",
        "reclaim",
        "refund",
    }
)
_MODULE_FUNCTIONS = frozenset(
    {"holdFunds", "releaseHold", "executeHold", "pay", "payBack", "settleNet"}
)
_RESTRICTED = frozenset(
    {
        "admit",
        "suspend",
        "reinstate",
        "close",
        "forceTransfer",
        "attest",
        "issue",
        "pause",
        "unpause",
        "admitEscrow",
        "admitModule",
        "cutOffModule",
        "admitToken",
    }
)

Saved = dict[str, dict[str, Any]]


class Step:
    """One transaction that went through: the state before, the state after, and the call."""

    def __init__(
        self,
        lockstep: Lockstep,
        before: Saved,
        caller: str,
        to: Contract,
        function: str,
        arguments: Any,
    ) -> None:
        self.lockstep = lockstep
        self.before = before
        self.caller = caller
        self.to = to
        self.function = function
        self.arguments = arguments
        self.payments_before: Mapping[bytes, Payment] = before[lockstep.escrow.address]["payments"]
        self.payments = lockstep.escrow.payments

    def account_changes(self, token: Token) -> dict[str, tuple[Account, Account]]:
        old = self.before[token.address]["accounts"]
        new = token.accounts
        everybody = old.keys() | new.keys()
        pairs = {each: (old.get(each, Account()), new.get(each, Account())) for each in everybody}
        return {each: pair for each, pair in pairs.items() if pair[0] != pair[1]}

    def terms(self) -> list[Terms]:
        """Of every payment the call names."""
        if self.function in ("authorize", "charge"):
            found = [Terms.unpack(self.arguments[1], self.arguments[2])]
        elif self.function in ("authorizeMany", "captureMany"):
            found = [Terms.unpack(self.arguments[0], item[0]) for item in self.arguments[1]]
        else:
            found = [Terms.unpack(self.arguments[0], self.arguments[1])]
        return [each for each in found if each is not None]


def check_step(
    lockstep: Lockstep,
    before: Saved,
    caller: str,
    to: Contract,
    function: str,
    arguments: Any,
    outcome: Done,
) -> None:
    step = Step(lockstep, before, caller, to, function, arguments)
    check_money(step)
    check_payments(step)
    check_authority(step)
    check_interference(step)
    check_fees(step)
    check_state(step, outcome)


def check_money(step: Step) -> None:
    """I-01 and I-02 beyond what the ledger proves."""
    for token in step.lockstep.tokens:
        assert token.supply < 2**80, "I-01"
        if step.function not in ("issue", "redeem") or step.to is not token:
            assert token.supply == step.before[token.address]["supply"], "I-02"


def check_payments(step: Step) -> None:
    """I-09 and I-12: each total moves by its own verbs only, in its own time."""
    now = step.lockstep.now
    for identity, payment in step.payments.items():
        old = step.payments_before.get(identity)
        if old is None:
            assert step.function.startswith(("authorize", "charge")), "I-09"
            assert now < payment.terms.authorize_before, "I-12"
            continue
        if payment.captured > old.captured:
            assert step.function in ("capture", "captureMany"), "I-09"
            assert now < payment.terms.capture_before, "I-12"
        if payment.voided > old.voided:
            assert step.function in ("void", "reclaim"), "I-09"
            assert step.function == "void" or now >= payment.terms.capture_before, "I-12"
        if payment.refunded > old.refunded:
            assert step.function == "refund", "I-09"
            assert now < payment.terms.refund_before, "I-12"


def check_authority(step: Step) -> None:
    """I-13: who loses anything has agreed, or a named role decided."""
    for token in step.lockstep.tokens:
        for participant, (old, new) in step.account_changes(token).items():
            loses = (
                new.balance < old.balance or new.held < old.held or new.available < old.available
            )
            if loses:
                assert participant in _may_lose(step, token), (
                    f"I-13: {participant} in {step.function}"
                )


def _may_lose(step: Step, token: Token) -> Iterable[str]:
    function, arguments = step.function, step.arguments
    if function in ESCROW_VERBS:
        all_terms = step.terms()
        if function == "refund":
            return {terms.acquirer for terms in all_terms}
        return {terms.issuer for terms in all_terms}
    if step.to is not token:
        return ()
    if function in ("transfer", "redeem"):
        return {step.caller}
    if function == "transferFrom":
        allowed = step.before[token.address]["allowances"].get((arguments[0], step.caller), 0)
        return {arguments[0]} if allowed >= arguments[2] else ()
    if function in ("transferWithAuthorization", "receiveWithAuthorization"):
        used = (arguments[0], arguments[5])
        fresh = used not in step.before[token.address]["consumed"] and used in token.consumed
        return {arguments[0]} if fresh else ()
    if function == "forceTransfer":
        return {arguments[0]}
    if function in _MODULE_FUNCTIONS:
        before = step.before[token.address]
        assert step.caller in before["modules"] or step.caller == before["escrow"], "I-13"
        return set(arguments[0]) if function == "settleNet" else {arguments[0]}
    return ()


def check_interference(step: Step) -> None:
    """I-14: nothing changes but what the call names."""
    if step.function not in ESCROW_VERBS:
        assert step.payments == step.payments_before, "I-14"
        for token in step.lockstep.tokens:
            if step.to is not token:
                assert not step.account_changes(token), "I-14"
        return
    all_terms = step.terms()
    parties = {each for terms in all_terms for each in (terms.issuer, terms.acquirer)}
    parties.add(step.lockstep.escrow.scheme)
    tokens = {terms.token for terms in all_terms}
    for token in step.lockstep.tokens:
        changed = step.account_changes(token).keys()
        assert changed <= (parties if token.address in tokens else set()), "I-14"
    named = set(all_terms)
    for identity, payment in step.payments.items():
        if step.payments_before.get(identity) != payment:
            assert payment.terms in named, "I-14"
    cards_before = step.before[step.lockstep.escrow.address]["cards"]
    for key, card in step.lockstep.escrow.cards.items():
        if cards_before.get(key) != card:
            assert key in {(terms.issuer, terms.card, terms.token) for terms in all_terms}, "I-14"


def check_fees(step: Step) -> None:
    """I-10, I-11: each side got its share of the totals, however they were reached."""
    if step.function not in ESCROW_VERBS:
        return
    escrow = step.lockstep.escrow
    for token in step.lockstep.tokens:
        due: dict[str, int] = {}
        for identity, payment in step.payments.items():
            terms = payment.terms
            if terms.token != token.address:
                continue
            old = step.payments_before.get(identity)
            totals = _shares(escrow.scheme_bps, payment)
            earlier = _shares(escrow.scheme_bps, old) if old else (0, 0, 0)
            scheme, interchange, refunded = (a - b for a, b in zip(totals, earlier, strict=True))
            gross = payment.captured - (old.captured if old else 0)
            for who, amount in (
                (escrow.scheme, scheme),
                (terms.issuer, refunded - gross + interchange),
                (terms.acquirer, gross - scheme - interchange - refunded),
            ):
                due[who] = due.get(who, 0) + amount
        changes = step.account_changes(token)
        for who in due.keys() | changes.keys():
            old_account, new_account = changes.get(who, (Account(), Account()))
            assert new_account.balance - old_account.balance == due.get(who, 0), "I-10"


def _shares(scheme_bps: int, payment: Payment) -> tuple[int, int, int]:
    """Scheme fee, interchange, and what the acquirer paid back, of all so far."""
    bps = payment.terms.interchange_bps
    scheme = payment.captured * scheme_bps // 10_000
    interchange = payment.captured * bps // 10_000
    assert scheme + interchange <= payment.captured, "I-10"
    return scheme, interchange, payment.refunded - payment.refunded * bps // 10_000


def check_state(step: Step, outcome: Done) -> None:
    """I-23, I-24, I-25."""
    for token in step.lockstep.tokens:
        before = step.before[token.address]
        for owner, nonce in token.nonces.items():
            assert nonce - before["nonces"].get(owner, 0) in (0, 1), "I-23"
        if before["paused"] and _target(step) == token.address:
            assert step.function not in BLOCKED_WHILE_PAUSED, "I-24"
            if step.function == "settleNet":
                assert step.arguments[2] == 1, "I-24"
    governance = step.lockstep.governance
    assert governance.admins >= 1, "I-25"
    if governance.members != step.before[governance.address]["members"]:
        admin = (0, step.caller) in step.before[governance.address]["members"]
        assert admin or step.function == "renounceRole", "I-25"
    if step.function in _RESTRICTED:
        assert outcome.events, "I-25: a privileged call left no event"


def _target(step: Step) -> str:
    """The token whose pause counts for this call."""
    if step.function not in ESCROW_VERBS:
        return step.to.address
    parties: tuple[str, str, str] = step.arguments[
        1 if step.function in ("authorize", "charge") else 0
    ]
    return parties[2]
