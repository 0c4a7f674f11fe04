"""Cards, merchants, delegates and currencies change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis.stateful import rule

from ..actors import (
    ACQUIRER,
    COMMITMENTS,
    DELEGATES,
    GOVERNOR,
    HASH,
    ISSUER,
    OUTSIDER,
    REGISTRAR,
    SCHEME,
    SECOND_ACQUIRER,
    SECOND_ISSUER,
    TILLS,
)
from ..model import ZERO, Entry, Status
from .drawing import BANK_ADDRESSES, SEEDS, Drawing

if TYPE_CHECKING:
    from random import Random


class Entries(Drawing):
    """What participants vouch for."""

    @rule(seed=SEEDS)
    def change_directory(self, seed: int) -> None:
        chance = self.chance(seed)
        kind = chance.randint(0, 5)
        token = self.token(chance).address if self.odds(chance, 95) else OUTSIDER
        if kind == 0:
            issuer = self.pick(chance, (ISSUER, SECOND_ISSUER))
            stopped = [
                (each, entry.address)
                for entry in self.tael.tokens
                for each in (ISSUER, SECOND_ISSUER)
                if entry.account(each).status == Status.SUSPENDED
            ]
            if stopped and self.odds(chance, 60):
                issuer, token = self.pick(chance, stopped)
            elif self.odds(chance, 6):
                issuer = OUTSIDER
            card = self.pick(chance, self.tael.cards) if self.odds(chance, 95) else ZERO
            status = self.pick(chance, (1, 1, 1, 1, 2, 0))
            limits = self.pick(chance, ((20_000, 60_000), (20_000, 60_000), (9_000, 30_000)))
            if self.odds(chance, 6):
                limits = (0, 0)
            entries = [(card, token, *limits, status)]
            if self.odds(chance, 4):
                entries = entries * 257
            caller = self.sender(chance, (issuer, DELEGATES[0].address))
            self.tael.send(caller, self.escrow, "setCards", issuer, entries)
        elif kind == 1:
            merchant = self.pick(chance, self.tael.merchants) if self.odds(chance, 92) else HASH
            owner = SECOND_ACQUIRER if merchant == self.tael.merchants[2] else ACQUIRER
            status = self.pick(chance, (1, 1, 1, 1, 2, 0))
            entries_ = [(token, self.pick(chance, (5_000, 5_000, 0, 2**64 - 1)), status)]
            if self.odds(chance, 4):
                entries_ = entries_ * 257
            caller = self.sender(chance, (owner,))
            self.tael.send(caller, self.escrow, "setAcceptances", merchant, entries_)
        elif kind == 2:
            index = chance.randint(0, 2)
            owner = (ACQUIRER, ACQUIRER, SECOND_ACQUIRER)[index]
            till = self.tael.wallet if index == 2 else TILLS[index].address
            signer = till if self.odds(chance, 85) else ZERO
            caller = self.sender(chance, (owner,))
            arguments = (owner, COMMITMENTS[index], signer, chance.randint(0, 9999), HASH)
            self.tael.send(caller, self.escrow, "setMerchant", *arguments)
        elif kind == 3:
            delegate = self.pick(chance, DELEGATES).address
            full = 127 if delegate == DELEGATES[0].address else 28
            verbs = (
                full
                if self.odds(chance, 70)
                else self.pick(chance, (0, 1, 2, 3, 4, 8, 16, 31, 96, 128))
            )
            self.tael.send(self.bank(chance), self.escrow, "setDelegate", delegate, verbs)
        elif kind == 4:
            third = self.tael.bhd
            if self.odds(chance, 60):
                self.tael.send(REGISTRAR, third, "admit", SCHEME)
            caller = self.sender(chance, (GOVERNOR,))
            at = third.address if self.odds(chance, 90) else token
            self.tael.send(caller, self.escrow, "admitToken", at)
        else:
            self.open_business_again(chance)

    def open_business_again(self, chance: Random) -> None:
        """What stopped goes on again, so that lives do not end in a standstill."""
        for token in self.tael.tokens:
            if token.paused and self.odds(chance, 60):
                self.tael.send(GOVERNOR, token, "unpause")
            for bank in BANK_ADDRESSES:
                if token.account(bank).status == Status.SUSPENDED and self.odds(chance, 70):
                    self.tael.send(GOVERNOR, token, "reinstate", bank)
            if token.escrow != self.escrow.address and self.odds(chance, 70):
                self.tael.send(GOVERNOR, token, "admitEscrow", self.escrow.address)
        for key, card in list(self.escrow.cards.items()):
            if (card.status == Entry.BLOCKED or card.payment_limit == 0) and self.odds(chance, 70):
                issuer, address, token_ = key
                entries = [(address, token_, 20_000, 60_000, 1)]
                self.tael.send(issuer, self.escrow, "setCards", issuer, entries)
