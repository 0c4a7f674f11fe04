"""The views of the contracts that are asked after every transaction, with the model's answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .actors import (
    ADMIN,
    BANKS,
    DELEGATES,
    DEPLOYER,
    ISSUER,
    NONCES,
    OUTSIDER,
    REFERENCES,
    SECOND_ADMIN,
    SECOND_ISSUER,
    STRANGER,
)
from .model import ZERO, Account, Card, Entry, Merchant

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .lockstep import Lockstep
    from .model import Contract, Escrow


def _data(tael: Lockstep, to: Contract, name: str, *arguments: Any) -> bytes:
    return tael.chain.interfaces[tael.chain.kinds[to.address]].calldata(name, *arguments)


def fixed(tael: Lockstep) -> Iterator[tuple[str, bytes, Any, str]]:
    """What is asked after every transaction, with the model's answer."""

    def ask(to: Contract, expect: Any, name: str, *arguments: Any) -> tuple[str, bytes, Any, str]:
        return to.address, _data(tael, to, name, *arguments), expect, f"{name}{arguments}"

    for token in tael.tokens:
        yield ask(token, lambda t=token: _word(t.supply), "totalSupply")
        yield ask(token, lambda t=token: _word(t.paused), "paused")
        yield ask(token, lambda t=token: _address_word(t.escrow), "escrow")
        yield ask(
            token,
            lambda t=token: _word(t.attested[0]) + _word(t.attested[1]) + t.attested[2],
            "attestation",
        )
        for participant in tael.participants:
            for name, of in (
                ("balanceOf", _balance),
                ("availableOf", _available),
                ("heldOf", _held),
                ("statusOf", _status),
            ):
                expect = lambda t=token, p=participant, of=of: _word(of(t.account(p)))  # noqa: E731
                yield ask(token, expect, name, participant)
            for module in tael.modules:
                expect = lambda t=token, m=module, p=participant: _word(t.held_for(m, p))  # noqa: E731
                yield ask(token, expect, "heldFor", module, participant)
        for module in tael.modules:
            yield ask(token, lambda t=token, m=module: _word(t.is_module(m)), "isModule", module)
        for bank in (*BANKS, STRANGER):
            expect = lambda t=token, o=bank.address: _word(t.nonces.get(o, 0))  # noqa: E731
            yield ask(token, expect, "nonces", bank.address)
            for nonce in NONCES:
                key = (bank.address, nonce)
                expect = lambda t=token, k=key: _word(k in t.consumed)  # noqa: E731
                yield ask(token, expect, "authorizationState", *key)
        for reference in REFERENCES:
            expect = lambda t=token, r=reference: _word(r in t.issued)  # noqa: E731
            yield ask(token, expect, "isIssued", reference)
            expect = lambda t=token, k=(ISSUER, reference): _word(k in t.redeemed)  # noqa: E731
            yield ask(token, expect, "isRedeemed", ISSUER, reference)
    escrow = tael.escrow
    for issuer in (ISSUER, SECOND_ISSUER):
        for card in tael.cards:
            for token in tael.tokens:
                key = (issuer, card, token.address)
                yield ask(escrow, lambda k=key: _card(escrow.card(*k), *k[1:]), "cardOf", *key)
                yield ask(escrow, lambda k=key: _word(escrow.spent_today(*k)), "spentToday", *key)
    for merchant in tael.merchants:
        expect = lambda m=merchant: _merchant(escrow.merchants.get(m, Merchant()))  # noqa: E731
        yield ask(escrow, expect, "merchantOf", merchant)
        for token in tael.tokens:
            expect = lambda k=(merchant, token.address): _acceptance(escrow, k)  # noqa: E731
            yield ask(escrow, expect, "acceptanceOf", merchant, token.address)
    for bank in BANKS:
        for delegate in (*DELEGATES, STRANGER):
            key = (bank.address, delegate.address)
            yield ask(escrow, lambda k=key: _word(escrow.verbs.get(k, 0)), "verbsOf", *key)
    for at in (tael.cny.address, tael.jpy.address, tael.bhd.address, OUTSIDER):
        yield ask(escrow, lambda a=at: _word(a in escrow.tokens), "isTokenAdmitted", at)
    governance = tael.governance
    yield ask(governance, lambda: _word(governance.admins), "adminCount")
    for account in (ADMIN, SECOND_ADMIN, DEPLOYER, OUTSIDER):
        expect = lambda k=(0, account): _word(k in governance.members) + _word(0)  # noqa: E731
        yield ask(governance, expect, "hasRole", 0, account)


def moving(tael: Lockstep) -> Iterator[tuple[str, bytes, bytes, str]]:
    """What there is to ask depends on what happened."""
    escrow = tael.escrow
    selector = tael.chain.interfaces["PaymentEscrow"].functions["paymentOf"][0].selector
    for identity, payment in escrow.payments.items():
        amounts = (payment.captured, payment.voided, payment.refunded, payment.day)
        expected = b"".join(_word(value) for value in (1, *amounts))
        yield escrow.address, selector + identity, expected, f"paymentOf({identity.hex()})"
    for token in tael.tokens:
        for (owner, spender), allowed in token.allowances.items():
            data = _data(tael, token, "allowance", owner, spender)
            yield token.address, data, _word(allowed), f"allowance({owner}, {spender})"
        for key in token.redeemed:
            data = _data(tael, token, "isRedeemed", *key)
            yield token.address, data, _word(1), f"isRedeemed{key}"


def _word(value: int) -> bytes:
    return int(value).to_bytes(32, "big")


def _address_word(value: str) -> bytes:
    return bytes.fromhex(value[2:]).rjust(32, b"\0")


def _balance(account: Account) -> int:
    return account.balance


def _available(account: Account) -> int:
    return account.available


def _held(account: Account) -> int:
    return account.held


def _status(account: Account) -> int:
    return account.status


def _card(entry: Card, card: str, token: str) -> bytes:
    numbers = (entry.payment_limit, entry.day_limit, entry.status)
    return _address_word(card) + _address_word(token) + b"".join(_word(each) for each in numbers)


def _merchant(entry: Merchant) -> bytes:
    acquirer, category, signer, name_hash = entry
    return _address_word(acquirer) + _word(category) + _address_word(signer) + name_hash


def _acceptance(escrow: Escrow, key: tuple[bytes, str]) -> bytes:
    _, limit, status = escrow.acceptances.get(key, (ZERO, 0, Entry.NONE))
    return _address_word(key[1]) + _word(limit) + _word(status)
