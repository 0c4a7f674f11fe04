"""A fourth kind of contract, which only tests have: it takes banks' money into jars.

On the chain it is a puppet: whoever calls it says what it logs and what it calls then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tael import events as ev
from tael.contracts.kinds import ContractKind
from tael.contracts.token import SETTLEMENT_TOKEN
from tael.index import ModuleMovementKind
from tael.index.entries import Announcement
from tael.index.handlers import ContractEvents, handles, register

if TYPE_CHECKING:
    from tael.index.entries import Entries
    from tael.index.logs import Values
    from tael.index.rows import IndexedContract

JAR = ContractKind(name="Jar", key="jar", number=250, verbs=(), constructor=lambda _: ())
FILL = ModuleMovementKind(200, "fill jar")
EMPTY = ModuleMovementKind(201, "empty jar")
GIVE = ModuleMovementKind(202, "give from jar")

# Logs two topics and a word, then calls: target, topics, word and call data follow each other.
PUPPET = bytes.fromhex(
    "606035600052"
    "60403560203560206000a2"
    "60803603"
    "806080600037"
    "6000600082600060006000355af1"
    "603157"
    "60006000fd"
    "5b00"
)


@ev.event("bytes32 indexed purpose, uint256 amount")
class JarFilled(ev.Event):
    """Money was put into a jar."""

    purpose: bytes
    amount_minor: int


@ev.event("bytes32 indexed purpose, uint256 amount")
class JarEmptied(ev.Event):
    """Everything in a jar was given away."""

    purpose: bytes
    amount_minor: int


@ev.event("bytes32 indexed purpose, uint64 colour")
class JarPainted(ev.Event):
    """A jar looks different."""

    purpose: bytes
    colour: int


@register(JAR, without_effect=(JarPainted,))
class JarEvents(ContractEvents):
    """Says what the token's events are for."""

    def __init__(self, entries: Entries, contract: IndexedContract) -> None:
        super().__init__(entries, contract)
        self._own = bytes.fromhex(contract.address[2:])
        (self._token,) = (
            each.number
            for each in entries.deployed.of_kind(SETTLEMENT_TOKEN)
            if each.currency == "CNY"
        )

    @handles(JarFilled)
    def filled(self, values: Values) -> None:
        """The hold that follows."""
        _, purpose, amount = values
        self.entries.announce(
            Announcement(FILL, self._token, ev.HoldPlaced, (self._own, None, amount), purpose)
        )

    @handles(JarEmptied)
    def emptied(self, values: Values) -> None:
        """The hold that is executed, and what is paid of it."""
        _, purpose, amount = values
        held, paid = (self._own, None, amount, None), (None, None, amount)
        self.entries.announce(
            Announcement(EMPTY, self._token, ev.HoldExecuted, held, purpose),
            Announcement(GIVE, self._token, ev.Transfer, paid, purpose),
        )
