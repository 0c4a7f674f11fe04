"""The end of the day: what has to be true, and the one sentence that may be said if it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from scripts.main_job.stage import CURRENCIES, SCHEME_BPS, DemoError, Stage, money
from tael import Ledger, Money, compare
from tael.events import Event

if TYPE_CHECKING:
    from collections.abc import Sequence

REDEEMED = "100000.00"

SETTLED_IN_SCENES = 12
OPEN_AT_THE_END = 2
REFUSALS = 15


@dataclass(frozen=True)
class Proof:
    """One thing that has to be true.

    Args:
        claim: In words.
        left: One side of it.
        right: The other side.
        holds: Whether they agree.
    """

    claim: str
    left: str
    right: str
    holds: bool


class Verdict:
    """What the whole run comes to.

    Only this class can make the closing line, and it makes it from proofs that all hold: there is
    no way to say that the books balance when they do not.

    Args:
        proofs: Everything that was checked; at least one.
        settled: Payments that are over and paid.
        seconds: How long the job took.
    """

    def __init__(self, proofs: Sequence[Proof], settled: int, seconds: float) -> None:
        self.proofs = list(proofs)
        self.settled = settled
        self.seconds = seconds

    @property
    def holds(self) -> bool:
        """Whether everything does."""
        return bool(self.proofs) and all(proof.holds for proof in self.proofs)

    @property
    def failures(self) -> list[Proof]:
        """What does not hold."""
        return [proof for proof in self.proofs if not proof.holds]

    def closing_line(self) -> str:
        """The last line of a run that succeeded.

        Raises:
            DemoError: Something does not hold, or nothing was proved.
        """
        if not self.holds:
            broken = "; ".join(proof.claim for proof in self.failures) or "nothing was proved"
            raise DemoError(f"the books do not balance: {broken}")
        return f"{self.settled:,} payments settled, every book balances ({self.seconds:.0f} s)"


def redeem(stage: Stage) -> None:
    """One bank gives money back for reserve money: not all that was issued stays."""
    bank, amount = stage.banks[1], money(REDEEMED, "CNY")
    written = bank.client.balances.redeem(amount, reference="REDEEM-1")
    stage.record.wrote("redeem", written)
    stage.record.move(bank.address, "CNY", -amount.amount_minor)
    stage.step(bank.name, f"redeems {amount}", written)


def prove(stage: Stage, day_payments: int) -> tuple[list[Proof], list[Event], Ledger]:
    """Check everything, from three independent sides.

    All events are replayed into the reference ledger; the contracts must say the same, and so must
    the banks' own records.

    Args:
        stage: When nothing is sent any more.
        day_payments: How many payments the data file has.

    Returns:
        The proofs, and the events and the ledger they rest on.
    """
    events = list(stage.reader.history().events())
    ledger = Ledger.replay(events)
    proofs = _counts(stage, day_payments)
    for currency in CURRENCIES:
        proofs += _currency(stage, ledger, currency)
    proofs += _replay(stage, ledger, events)
    proofs += _own_records(stage, ledger)
    return proofs, events, ledger


def participants(stage: Stage) -> list[str]:
    """Whoever has an account: the banks and the operator, who earns the scheme fee."""
    return [*(bank.address for bank in stage.banks), stage.operator.participant]


def _counts(stage: Stage, day_payments: int) -> list[Proof]:
    record = stage.record
    of_day = [payment for payment in record.settled() if payment.second is not None]
    return [
        _equal("Payments of the busy day that settled", len(of_day), day_payments),
        _equal(
            "Payments of the scenes that settled",
            len(record.settled()) - len(of_day),
            SETTLED_IN_SCENES,
        ),
        _equal("Payments still open, as they must be", len(record.open()), OPEN_AT_THE_END),
        _equal("Refusals, each by its name", len(record.refusals), REFUSALS),
    ]


def _currency(stage: Stage, ledger: Ledger, currency: str) -> list[Proof]:
    address = stage.manifest.token(currency)
    token, everybody = ledger.tokens[address], participants(stage)
    opened = sum(
        payment.held_minor
        for payment in ledger.payments.values()
        if payment.opened.token == address
    )
    return [
        _equal(
            f"{currency}: supply is the sum of all balances",
            Money(currency, token.supply_minor),
            Money(currency, sum(token.balances.get(who, 0) for who in everybody)),
        ),
        _equal(
            f"{currency}: what is held is what the open payments hold",
            Money(currency, sum(token.held_of(who) for who in everybody)),
            Money(currency, opened),
        ),
        _equal(f"{currency}: nobody else owns any", len(token.balances.keys() - set(everybody)), 0),
    ]


def _replay(stage: Stage, ledger: Ledger, events: list[Event]) -> list[Proof]:
    differences = compare(ledger, stage.reader)
    what = f"Replaying all {len(events):,} events gives the contracts' state"
    shown = "no difference" if not differences else f"{len(differences)}: {differences[0]}"
    return [
        Proof(what, shown, "no difference", not differences),
        _equal("Contradictions inside the replayed books", len(ledger.check()), 0),
    ]


def _own_records(stage: Stage, ledger: Ledger) -> list[Proof]:
    """The banks' own records, against the ledger."""
    record = stage.record
    states = {
        payment_id: (payment.captured_minor, payment.voided_minor, payment.refunded_minor)
        for payment_id, payment in ledger.payments.items()
    }
    own = {
        payment_id: (payment.captured_minor, payment.voided_minor, payment.refunded_minor)
        for payment_id, payment in record.payments.items()
    }
    proofs = [
        Proof(
            f"The banks' records of {len(own):,} payments agree with the chain's",
            f"{len(own.items() - states.items())} differ",
            f"{len(states.items() - own.items())} differ",
            own == states,
        )
    ]
    books = record.books(stage.operator.participant, SCHEME_BPS)
    for who in participants(stage):
        for currency in CURRENCIES:
            token = ledger.tokens[stage.manifest.token(currency)]
            mine = Money(currency, books.get((who, currency), 0))
            theirs = Money(currency, token.balances.get(who, 0))
            proofs.append(_equal(f"{stage.name_of(who)}: own books in {currency}", mine, theirs))
    return proofs


def _equal(claim: str, left: object, right: object) -> Proof:
    return Proof(claim, str(left), str(right), left == right)
