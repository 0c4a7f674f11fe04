"""What the events of Earmark say of the token's: which hold, and which payment, is for what."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tael import events as ev
from tael.contracts.token import SETTLEMENT_TOKEN
from tael.index import ModuleMovementKind
from tael.index.entries import Announcement
from tael.index.handlers import ContractEvents, handles, register
from tests.support.earmark.events import Earmarked, EarmarkSpent, PurposeNoted
from tests.support.earmark.kind import EARMARK

if TYPE_CHECKING:
    from tael.index.entries import Entries
    from tael.index.handlers import Values
    from tael.index.rows import IndexedContract

SET_ASIDE = ModuleMovementKind(300, "earmark")
TAKEN = ModuleMovementKind(301, "take earmark")
SPENT = ModuleMovementKind(302, "spend earmark")


@register(EARMARK, without_effect=(PurposeNoted, ev.AuthorityUpdated))
class EarmarkEvents(ContractEvents):
    """Says what the token's events are for."""

    def __init__(self, entries: Entries, contract: IndexedContract) -> None:
        super().__init__(entries, contract)
        self._own = bytes.fromhex(contract.address[2:])
        self._tokens = {
            bytes.fromhex(each.address[2:]): each.number
            for each in entries.deployed.of_kind(SETTLEMENT_TOKEN)
        }

    @handles(Earmarked)
    def earmarked(self, values: Values) -> None:
        """The hold that follows."""
        _, key, participant, token, amount = values
        held = (self._own, participant, amount)
        self.entries.announce(
            Announcement(SET_ASIDE, self._tokens[token], ev.HoldPlaced, held, key)
        )

    @handles(EarmarkSpent)
    def spent(self, values: Values) -> None:
        """The hold that is executed, and what is paid of it."""
        _, key, participant, payee, token, amount = values
        number = self._tokens[token]
        held, paid = (self._own, participant, amount, bytes(32)), (participant, payee, amount)
        self.entries.announce(
            Announcement(TAKEN, number, ev.HoldExecuted, held, key),
            Announcement(SPENT, number, ev.Transfer, paid, key),
        )
