"""The token as its participants use it: transfers, permits, authorizations, issue and redeem."""

from __future__ import annotations

from typing import Any

from hypothesis.stateful import rule

from tael import typed_data

from ..actors import (
    ATTESTOR,
    BANKS,
    CARDS,
    DESK,
    HASH,
    ISSUER,
    NONCES,
    OUTSIDER,
    REFERENCES,
    SCHEME,
    STRANGER,
)
from ..messages import compact, vrs
from ..model import DAY, MAX_SUPPLY, MAX_WORD, ZERO
from .drawing import BANK_ADDRESSES, SEEDS, Drawing


class Holders(Drawing):
    """What holders, the attestor and the issuance desk do."""

    @rule(seed=SEEDS)
    def move(self, seed: int) -> None:
        chance = self.chance(seed)
        token = self.token(chance)
        owner = self.bank(chance)
        available = token.account(owner).available
        to = self.pick(chance, (*BANK_ADDRESSES, SCHEME, OUTSIDER, owner))
        kind = chance.randint(0, 4)
        if kind <= 1:
            caller = owner if self.odds(chance, 95) else OUTSIDER
            self.tael.send(caller, token, "transfer", to, self.amount(chance, available))
        elif kind == 2:
            spender = self.pick(
                chance, (OUTSIDER, *BANK_ADDRESSES[:2], *([ZERO] if available % 5 == 0 else []))
            )
            value = MAX_WORD if self.odds(chance, 20) else self.amount(chance, available)
            self.tael.send(owner, token, "approve", spender, value)
        else:
            pairs = [key for key, value in token.allowances.items() if value]
            owner, spender = self.pick(chance, pairs) if pairs else (owner, OUTSIDER)
            allowed = min(token.allowances.get((owner, spender), 0), token.account(owner).available)
            self.tael.send(spender, token, "transferFrom", owner, to, self.amount(chance, allowed))

    @rule(seed=SEEDS)
    def permit(self, seed: int) -> None:
        chance = self.chance(seed)
        token = self.token(chance)
        key = self.pick(chance, BANKS)
        spender = self.pick(chance, (OUTSIDER, ISSUER)) if self.odds(chance, 95) else ZERO
        nonce = token.nonces.get(key.address, 0) - (1 if self.odds(chance, 6) else 0)
        deadline = self.tael.now + self.pick(chance, (0, 0, 1, 60, -1))
        value = self.amount(chance, token.account(key.address).available)
        fields = (key.address, spender, value)
        digest = typed_data.permit_digest(token.domain, *fields, max(0, nonce), deadline)
        signer = key if self.odds(chance, 95) else STRANGER
        self.tael.send(OUTSIDER, token, "permit", *fields, deadline, *vrs(signer.sign(digest)))

    @rule(seed=SEEDS)
    def authorization(self, seed: int) -> None:
        chance = self.chance(seed)
        token = self.token(chance)
        key = self.pick(chance, (*BANKS, STRANGER))
        nonce = self.pick(chance, NONCES)
        kind = self.pick(chance, ("transfer", "transfer", "receive", "receive", "cancel"))
        signer = key if self.odds(chance, 95) else CARDS[0]
        short = self.odds(chance, 50)
        if kind == "cancel":
            digest = typed_data.cancel_digest(token.domain, key.address, nonce)
            call: tuple[Any, ...] = (key.address, nonce)
            caller = OUTSIDER
        else:
            to = self.pick(chance, BANK_ADDRESSES)
            now = self.tael.now
            after = now - self.pick(chance, (1, 1, 1, 60, 0))
            before = now + self.pick(chance, (1, 1, 1, 60, 0))
            value = self.amount(chance, token.account(key.address).available)
            call = (key.address, to, value, after, before, nonce)
            hashes = {"transfer": typed_data.transfer_digest, "receive": typed_data.receive_digest}
            digest = hashes[kind](token.domain, *call)
            caller = self.sender(chance, (to,)) if kind == "receive" else OUTSIDER
        signature = signer.sign(digest)
        form = (compact(signature),) if short else vrs(signature)
        name = "cancelAuthorization" if kind == "cancel" else f"{kind}WithAuthorization"
        self.tael.send(caller, token, name, *call, *form)

    @rule(seed=SEEDS)
    def reserve(self, seed: int) -> None:
        chance = self.chance(seed)
        token = self.token(chance)
        kind = chance.randint(0, 3)
        reserve, before, _ = token.attested
        reference = self.pick(chance, REFERENCES)
        if self.odds(chance, 12):
            used = sorted(token.issued | {each for _, each in token.redeemed})
            reference = self.pick(chance, used)
        if kind == 0:
            amount = self.pick(
                chance, (10_000_000, token.supply, token.supply + 1_000, MAX_SUPPLY + 1)
            )
            until = self.tael.now + self.pick(chance, (DAY, 10 * DAY, 35 * DAY, 35 * DAY + 1, 0, 1))
            self.tael.send(self.sender(chance, (ATTESTOR,)), token, "attest", amount, HASH, until)
        elif kind == 1:
            amount = self.amount(chance, max(0, reserve - token.supply))
            caller = self.sender(chance, (DESK,))
            to = self.pick(chance, (*BANK_ADDRESSES, OUTSIDER))
            self.tael.send(caller, token, "issue", to, amount, reference)
        elif kind == 2:
            owner = self.bank(chance)
            amount = self.amount(chance, token.account(owner).available)
            self.tael.send(owner, token, "redeem", amount, reference)
        elif before < self.tael.now + DAY:
            until = self.tael.now + 30 * DAY
            self.tael.send(ATTESTOR, token, "attest", 10_000_000, HASH, until)
