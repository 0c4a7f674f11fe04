"""Changes of entries, accounts and money refused in the ways that chance alone meets too seldom,
and what happens too seldom to succeed often enough.

The model says, as ever, which refusal comes out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis.stateful import rule

from tael import typed_data

from ..actors import (
    ACQUIRER,
    ADMIN,
    ATTESTOR,
    BANKS,
    CARDS,
    CLEARING,
    COMMITMENTS,
    DELEGATES,
    DESK,
    GOVERNOR,
    GUARDIAN,
    HASH,
    ISSUER,
    NONCES,
    OUTSIDER,
    REFERENCES,
    REGISTRAR,
    SCHEME,
    SECOND_ADMIN,
)
from ..messages import vrs
from ..model import ALL_VERBS, DAY, MAX_ENTRIES, ZERO, Entry, Source
from .drawing import BANK_ADDRESSES, SEEDS, Drawing

if TYPE_CHECKING:
    from random import Random

    from ..model import Token


class RefusedChanges(Drawing):
    """Everything but payments."""

    @rule(seed=SEEDS)
    def refuse_an_entry(self, seed: int) -> None:
        """A card that is nobody or nobody's, currencies admitted never and twice, too many entries,
        unknown merchants and verbs."""
        chance = self.chance(seed)
        token, card, escrow = self.token(chance).address, CARDS[0].address, self.escrow
        limits = (20_000, 60_000, int(Entry.ACTIVE))
        many = MAX_ENTRIES + 1
        for entries in ([(ZERO, token, *limits)], [(card, token, *limits)] * many):
            self.tael.send(ISSUER, escrow, "setCards", ISSUER, entries)
        for issuer, at in ((ISSUER, OUTSIDER), (OUTSIDER, token)):
            self.tael.send(issuer, escrow, "setCards", issuer, [(card, at, *limits)])
        acceptances = [(token, 5_000, int(Entry.ACTIVE))] * many
        for merchant in (HASH, self.tael.merchants[0]):
            self.tael.send(ACQUIRER, escrow, "setAcceptances", merchant, acceptances)
        nobody = (ACQUIRER, COMMITMENTS[0], ZERO, 5411, HASH)
        self.tael.send(ACQUIRER, escrow, "setMerchant", *nobody)
        self.tael.send(ISSUER, escrow, "setDelegate", DELEGATES[0].address, ALL_VERBS + 1)
        for at in (token, self.tael.bhd.address, OUTSIDER):
            self.tael.send(GOVERNOR, escrow, "admitToken", at)

    @rule(seed=SEEDS)
    def refuse_money(self, seed: int) -> None:
        """Nets that do not add up, an authorization that another sends, an account that is held
        of and should be closed."""
        chance = self.chance(seed)
        token, banks = self._busy_token(chance), sorted(BANK_ADDRESSES)
        module = self.pick(chance, sorted(token.modules) or [CLEARING])
        for changed, names in (
            ([-3, 1, 1, 2], banks),
            ([-3, 1, 1, 0], banks),
            ([-3, 1, 1, 1], banks[::-1]),
            ([-3, 1, 1, 1], banks[:3]),
        ):
            self.tael.send(module, token, "settleNet", names, changed, int(Source.AVAILABLE))
        key, now = self.pick(chance, BANKS), self.tael.now
        call = (key.address, SCHEME, 1, now - 1, now + 1, self.pick(chance, NONCES))
        signature = vrs(key.sign(typed_data.receive_digest(token.domain, *call)))
        self.tael.send(OUTSIDER, token, "receiveWithAuthorization", *call, *signature)
        for bank in BANK_ADDRESSES:
            if token.account(bank).held:
                self.tael.send(GOVERNOR, token, "close", bank)

    @rule(seed=SEEDS)
    def outrun_the_reserve(self, seed: int) -> None:
        """The reserve is a little above the supply, one unit too many is asked for, then what is
        there; then it is stale."""
        chance = self.chance(seed)
        token, room = self._busy_token(chance), chance.randint(1, 9)
        bank, references = self.bank(chance), chance.sample(REFERENCES, 2)
        attested = (token.supply + room, HASH, self.tael.now + 1)
        self.tael.send(ATTESTOR, token, "attest", *attested)
        for amount in (0, room + 1, room):
            self.tael.send(DESK, token, "issue", bank, amount, references[0])
        self.tael.wait(1)
        self.tael.send(DESK, token, "issue", bank, 1, references[1])
        self.tael.send(ATTESTOR, token, "attest", 10_000_000, HASH, self.tael.now + 30 * DAY)

    @rule(seed=SEEDS)
    def come_and_go(self, seed: int) -> None:
        """An account's whole life, a hold's, a pause's, and an administrator's who first gets the
        name wrong."""
        chance = self.chance(seed)
        token = self._busy_token(chance)
        new = [each for each in self.tael.participants if each not in token.accounts]
        if len(new) > 1 and self.odds(chance, 50):
            whom = self.pick(chance, new)
            self.tael.send(REGISTRAR, token, "admit", whom)
            self.tael.send(GUARDIAN, token, "suspend", whom, HASH)
            self.tael.send(GOVERNOR, token, "reinstate", whom)
            self.tael.send(GOVERNOR, token, "close", whom)
        self._hold_and_pay(chance, token)
        self.tael.send(GUARDIAN, token, "pause")
        self.tael.send(GOVERNOR, token, "forceTransfer", self.bank(chance), SCHEME, 1, HASH)
        self.tael.send(GOVERNOR, token, "unpause")
        governance = self.tael.governance
        admin, other = self.pick(chance, ((ADMIN, SECOND_ADMIN), (SECOND_ADMIN, ADMIN)))
        self.tael.send(admin, governance, "grantRole", 0, other, 0)
        for confirmed in (admin, other):
            self.tael.send(other, governance, "renounceRole", 0, confirmed)

    def _hold_and_pay(self, chance: Random, token: Token) -> None:
        module = self.pick(chance, sorted(token.modules) or [CLEARING])
        debtor, creditor = chance.sample(BANK_ADDRESSES, 2)
        calls: tuple[tuple[str, tuple[Any, ...]], ...] = (
            ("holdFunds", (debtor, 10)),
            ("executeHold", (debtor, creditor, 3, SCHEME, 1, 2)),
            ("releaseHold", (debtor, 4)),
            ("pay", (debtor, creditor, 3, SCHEME, 1)),
            ("payBack", (creditor, debtor, 3)),
        )
        for verb, arguments in calls:
            self.tael.send(module, token, verb, *arguments)

    def _busy_token(self, chance: Random) -> Token:
        busy = [each for each in self.tael.tokens if not each.paused]
        return self.pick(chance, busy or self.tael.tokens)
