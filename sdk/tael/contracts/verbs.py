"""What the SDK knows of each function that changes something: one row, from which the rest follows.

Gas limits, what `resolve` looks for, which governance role a function needs, which delegate may
call it, the service method and the word on the command line are all said here and nowhere else.
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from tael.events import Event
    from tael.models import Verb

__all__ = ["SETS_STATE", "Gas", "KeyEvent", "SetsState", "VerbRow"]

Topic = Literal["subject", "participant"]
Derivation = Literal["transfer_nonce", "bank_reference"]


@dataclass(frozen=True, slots=True)
class Gas:
    """A gas limit that suffices without asking a node: first use and cold storage included.

    About half more than the dearest call that the contract tests know; what is not used is not
    paid. With as many entries as a list may have it stays within half a block of 30,000,000.

    Args:
        fixed: For the call.
        each: For each entry of its list, if it takes one.
    """

    fixed: int
    each: int = 0

    def limit(self, entries: int = 0) -> int:
        """The limit for a call with so many entries."""
        return self.fixed + self.each * entries


@dataclass(frozen=True, slots=True)
class KeyEvent:
    """The chain shows whether it took effect: an event under a key of the reference's own.

    Args:
        events: The event, or those of which one shows it.
        topics: What the event's indexed fields are, in order: the write's subject (the key), or
            the participant it was made for.
        derived: The method of `Identifiers` that makes the key from the reference alone, so that a
            lost journal can still look it up; None if the key is another thing's (a payment's id),
            or if finding it would not say that the reference's own order took effect.
        total: For a verb that says a new total: the event's field that must equal it.
    """

    events: tuple[type[Event], ...]
    topics: tuple[Topic, ...] = ("subject",)
    _: KW_ONLY
    derived: Derivation | None
    total: str | None = None


@dataclass(frozen=True, slots=True)
class SetsState:
    """It sets something to a value; nothing on the chain tells whose order did."""


SETS_STATE = SetsState()


@dataclass(frozen=True, slots=True, kw_only=True)
class VerbRow:
    """One function that changes something.

    What nothing else would notice if it were forgotten has no default, so that it is thought of.

    Args:
        function: Its Solidity name; overloads that a standard demands share a row.
        effect: How it is known later that it took effect; None if the SDK never sends it.
        service: What sends it, `service.method` of a client; None if nothing does: a module's
            verb, or one that goes through `operations`.
        command: The words after `tael`; None if it is called from Python alone.
        gas: The limit when no node is asked; None always asks, for what an operator does by hand.
        verb: The plain word that the journal has for it, where several functions are one verb.
        batch: Whether one call does it for many.
        delegate: What a delegate needs to call it for its participant; None if none may.
        role: The role of governance that it takes; None if anyone may call it.
    """

    function: str
    effect: KeyEvent | SetsState | None
    service: str | None
    command: str | None
    gas: Gas | None
    verb: str = ""
    batch: bool = False
    delegate: Verb | None = None
    role: str | None = None

    @property
    def word(self) -> str:
        """The verb as the journal writes it."""
        return self.verb or self.function
