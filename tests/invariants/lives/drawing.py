"""What every part of a life shares: chance, what is drawn by it, and the passing of time."""

from __future__ import annotations

from itertools import count
from random import Random
from typing import TYPE_CHECKING, Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from ..actors import BANKS, CARDS, DELEGATES, GUARDIAN, OUTSIDER, STRANGER, TILLS
from ..lockstep import Lockstep
from ..model import DAY, MAX_SUPPLY, MAX_WORD

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..messages import Terms
    from ..model import Token

KEYS = {key.address: key for key in (*BANKS, *CARDS, *TILLS, *DELEGATES, STRANGER)}
BANK_ADDRESSES = tuple(bank.address for bank in BANKS)
SEEDS = st.integers(0, 2**32 - 1)


class Drawing(RuleBasedStateMachine):
    """One life of the system.

    Most steps are made to succeed, some to fail in one chosen way, many to land exactly on a limit
    or a deadline.
    """

    tael: ClassVar[Lockstep]
    first_payments: ClassVar[list[Terms]]
    """What is open when a life begins: two banks on each side, both currencies."""

    def __init__(self) -> None:
        super().__init__()
        self.tael.start_over()
        self.numbers = count(1)
        self.steps = 0
        self.escrow = self.tael.escrow
        self.terms: list[Terms] = list(self.first_payments)

    # Drawing

    def chance(self, seed: int) -> Random:
        """What is left to chance in one step.

        One seed a step, because Hypothesis's own draws lean towards repeats and zeros so much that
        deep states are seldom reached; mixed with the step's number, so that equal seeds do
        different things.
        """
        self.steps += 1
        return Random(seed << 16 | self.steps)

    def odds(self, chance: Random, percent: int) -> bool:
        return chance.randrange(100) >= 100 - percent

    def pick(self, chance: Random, options: Sequence[Any]) -> Any:
        return chance.choice(options)

    def token(self, chance: Random) -> Token:
        return self.pick(chance, self.tael.tokens)

    def bank(self, chance: Random) -> str:
        return self.pick(chance, BANK_ADDRESSES)

    def amount(self, chance: Random, limit: int, most: int = MAX_WORD) -> int:
        """Mostly a small part of the limit, often just at it, seldom far beyond."""
        kind = chance.randrange(100)
        if kind < 60:
            return chance.randint(1, max(1, min(limit // 8, 20_000)))
        options = (0, 1, limit - 1, limit, limit + 1, limit // 2, MAX_SUPPLY, most)
        return min(most, max(0, options[kind % 8]))

    def sender(self, chance: Random, rightful: Sequence[str]) -> str:
        if self.odds(chance, 6):
            return self.pick(chance, (OUTSIDER, *BANK_ADDRESSES, DELEGATES[0].address, GUARDIAN))
        return self.pick(chance, rightful)

    # Time

    @rule(seed=SEEDS)
    def wait(self, seed: int) -> None:
        chance = self.chance(seed)
        now = self.tael.now
        kind = chance.randrange(100)
        if kind < 40:
            self.tael.wait(chance.randint(1, 7200))
        elif kind < 65 and self.terms:
            terms = self.pick(chance, self.terms[-12:])
            deadlines = (terms.authorize_before, terms.capture_before, terms.refund_before)
            at = self.pick(chance, deadlines) + self.pick(chance, (-1, 0, 1))
            if now < at < now + 12 * DAY:
                self.tael.set_time(at)
        elif kind < 70:
            at = self.token(chance).attested[1] + self.pick(chance, (-1, 0, 1))
            if now < at < now + (12 if self.odds(chance, 80) else 40) * DAY:
                self.tael.set_time(at)
        elif kind < 82:
            self.tael.set_time((now // DAY + 1) * DAY + self.pick(chance, (-1, 0, 1)))
        elif kind < 86:
            self.tael.wait(chance.randint(1, 9) * DAY)
        self.tael.compare()
