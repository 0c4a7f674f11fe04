"""The token as its operator uses it, modules, and governance."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis.stateful import rule

from ..actors import (
    ADMIN,
    CLEARING,
    GOVERNOR,
    GUARDIAN,
    HASH,
    OUTSIDER,
    QUEUE,
    REGISTRAR,
    SCHEME,
    SECOND_ADMIN,
    SUCCESSOR,
)
from ..model import ZERO, Source, Status
from .drawing import BANK_ADDRESSES, SEEDS, Drawing

if TYPE_CHECKING:
    from random import Random

    from ..model import Token


class Operator(Drawing):
    """Statuses, stops, modules and what modules do, roles."""

    @rule(seed=SEEDS)
    def change_status(self, seed: int) -> None:
        chance = self.chance(seed)
        token = self.token(chance)
        kind = chance.randint(0, 7)
        if token.paused and self.odds(chance, 60):
            kind = 7
        # Banks are stopped seldom, or nothing would happen any more.
        whom = self.pick(chance, (OUTSIDER, QUEUE, SUCCESSOR, OUTSIDER, QUEUE, *BANK_ADDRESSES))
        if kind == 0:
            new = [each for each in self.tael.participants if each not in token.accounts]
            whom = self.pick(chance, new) if self.odds(chance, 70) else whom
            self.tael.send(self.sender(chance, (REGISTRAR,)), token, "admit", whom)
        elif kind == 1:
            active = [
                each for each, entry in token.accounts.items() if entry.status == Status.ACTIVE
            ]
            whom = self.pick(chance, active) if self.odds(chance, 40) else whom
            self.tael.send(self.sender(chance, (GUARDIAN,)), token, "suspend", whom, HASH)
        elif kind <= 3:
            stopped = [a for a, entry in token.accounts.items() if entry.status == Status.SUSPENDED]
            whom = self.pick(chance, stopped) if stopped and self.odds(chance, 80) else whom
            self.tael.send(self.sender(chance, (GOVERNOR,)), token, "reinstate", whom)
        elif kind == 4:
            leaving = [
                each
                for each, entry in token.accounts.items()
                if entry.status in (Status.ACTIVE, Status.SUSPENDED)
                and (each not in (*BANK_ADDRESSES, SCHEME) or entry.held)
            ]
            strangers = [each for each in leaving if each not in BANK_ADDRESSES]
            leaving = strangers if self.odds(chance, 85) else leaving
            whom = self.pick(chance, leaving) if leaving else whom
            if whom in BANK_ADDRESSES and token.account(whom).held == 0 and self.odds(chance, 95):
                whom = OUTSIDER
            self.tael.send(self.sender(chance, (GOVERNOR,)), token, "close", whom)
        elif kind == 5:
            amount = self.amount(chance, token.account(whom).available)
            to = self.pick(chance, (*BANK_ADDRESSES, OUTSIDER, CLEARING))
            caller = self.sender(chance, (GOVERNOR,))
            self.tael.send(caller, token, "forceTransfer", whom, to, amount, HASH)
        elif kind == 6 and self.odds(chance, 60):
            self.tael.send(self.sender(chance, (GUARDIAN,)), token, "pause")
        elif token.paused or self.odds(chance, 20):
            self.tael.send(self.sender(chance, (GOVERNOR,)), token, "unpause")

    @rule(seed=SEEDS)
    def change_modules(self, seed: int) -> None:
        chance = self.chance(seed)
        token = self.token(chance)
        kind = chance.randint(0, 4)
        if kind == 0:
            module = self.pick(chance, (QUEUE, SUCCESSOR, CLEARING, self.escrow.address, ZERO))
            if module == self.escrow.address and token.escrow != module:
                return  # Governance would hand our escrow's holds to nobody.
            self.tael.send(self.sender(chance, (GOVERNOR,)), token, "admitModule", module)
        elif kind == 1:
            module = self.pick(chance, (QUEUE, SUCCESSOR, CLEARING, self.escrow.address, OUTSIDER))
            self.tael.send(self.sender(chance, (GUARDIAN,)), token, "cutOffModule", module)
        else:
            escrow = self.escrow.address
            if self.odds(chance, 15):
                escrow = self.pick(chance, (SUCCESSOR, ZERO))
            self.tael.send(self.sender(chance, (GOVERNOR,)), token, "admitEscrow", escrow)

    @rule(seed=SEEDS)
    def use_module(self, seed: int) -> None:
        chance = self.chance(seed)
        token = self.token(chance)
        admitted = sorted(token.modules)
        if token.escrow == SUCCESSOR:
            admitted.append(SUCCESSOR)
        module = self.pick(chance, admitted) if admitted else CLEARING
        if self.odds(chance, 4):
            module = OUTSIDER
        debtor, creditor = self.bank(chance), self.pick(chance, (*BANK_ADDRESSES, SCHEME, OUTSIDER))
        account = token.account(debtor)
        most = 2**128 - 1
        kind = chance.randint(0, 11)
        holding = [bank for bank in BANK_ADDRESSES if token.held_for(module, bank)]
        if 3 <= kind <= 5 and holding and self.odds(chance, 85):
            debtor = self.pick(chance, holding)
        held = token.held_for(module, debtor)
        if kind <= 2:
            amount = self.amount(chance, account.available, most)
            self.tael.send(module, token, "holdFunds", debtor, amount)
        elif kind == 3:
            self.tael.send(module, token, "releaseHold", debtor, self.amount(chance, held, most))
        elif kind <= 5:
            amount, fee, released = (self.amount(chance, held // 2, most) for _ in range(3))
            if self.odds(chance, 30):
                fee = 0
            if self.odds(chance, 60):
                released = max(0, held - amount - fee)
            arguments = (debtor, creditor, amount, SCHEME, fee, released)
            self.tael.send(module, token, "executeHold", *arguments)
        elif kind == 6:
            amount = self.amount(chance, account.available, most)
            fee = self.pick(chance, (0, 1, max(0, account.available - amount)))
            fee = min(fee, most)
            self.tael.send(module, token, "pay", debtor, creditor, amount, SCHEME, fee)
        elif kind == 7:
            amount = self.amount(chance, account.available, most)
            self.tael.send(module, token, "payBack", debtor, creditor, amount)
        else:
            self.settle_net(chance, token, module)

    def settle_net(self, chance: Random, token: Token, module: str) -> None:
        source = self.pick(chance, tuple(Source))
        banks = sorted(BANK_ADDRESSES)[: chance.randint(2, 4)]
        changes = []
        for bank in banks[:-1]:
            limit = (
                token.account(bank).available
                if source == Source.AVAILABLE
                else token.held_for(module, bank)
            )
            change = self.pick(chance, (-1, -1, 1, 0)) * min(2**200, self.amount(chance, limit))
            changes.append(change)
        changes.append(-sum(changes))
        fault = chance.randrange(100)
        if fault >= 94:
            changes[0] += 1
        elif fault >= 88:
            banks = banks[::-1]
        elif fault >= 82:
            changes = changes[:-1]
        elif fault >= 76:
            changes[-1] = -(2**255)
        elif fault >= 70:
            banks, changes = [OUTSIDER, SCHEME], [0, 0]
            banks.sort(reverse=fault % 2 == 0)
        self.tael.send(module, token, "settleNet", banks, changes, int(source))

    @rule(seed=SEEDS)
    def govern(self, seed: int) -> None:
        chance = self.chance(seed)
        governance = self.tael.governance
        admins = [each for each in (ADMIN, SECOND_ADMIN) if (0, each) in governance.members]
        caller = self.pick(chance, admins) if self.odds(chance, 90) else OUTSIDER
        other = self.pick(chance, (ADMIN, SECOND_ADMIN))
        kind = chance.randint(0, 5)
        if kind <= 2:
            self.tael.send(caller, governance, "grantRole", 0, other, 0)
        elif kind == 3:
            self.tael.send(caller, governance, "revokeRole", 0, other)
        elif kind == 4:
            confirmed = caller if self.odds(chance, 85) else other
            self.tael.send(caller, governance, "renounceRole", 0, confirmed)
        else:
            role = chance.randint(1, 5)
            verb = "grantRole" if self.odds(chance, 50) else "revokeRole"
            rest = (0,) if verb == "grantRole" else ()
            self.tael.send(caller, governance, verb, role, QUEUE, *rest)
