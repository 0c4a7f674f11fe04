"""The package's `Ledger` against the model: what the events alone tell is the whole state (I-27).

The ledger can only stand in a state in which balances add up to the supply (I-01), what is held for
the escrow is what open payments hold and what others hold is told by module (I-03), totals of
payments grow, stay within the terms and never vanish (I-06 to I-09), and nothing is used twice
(I-23): it refuses events that would lead elsewhere. Being equal to it, so does the model.

The ledger writes addresses with their check sum's capitals, the model in lower case.
"""

from __future__ import annotations

from collections import Counter
from copy import deepcopy
from typing import TYPE_CHECKING, Any

from tael.events import decode
from tael.ledger import Ledger
from tael.ledger_state import LedgerToken

from .model import ZERO, Account, Card

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from .lockstep import Lockstep
    from .model import Escrow, Token


class Oracle:
    """A ledger that is fed with every log of some contracts.

    Args:
        contracts: Tokens and escrow, lower case; logs of others are not the ledger's.
    """

    def __init__(self, contracts: Collection[str]) -> None:
        self.ledger = Ledger()
        self._contracts = frozenset(contracts)

    def take(self, logs: Iterable[Mapping[str, Any]]) -> None:
        """Apply logs, as a node answers."""
        for log in logs:
            if log["address"].lower() in self._contracts:
                event = decode(log)
                assert event is not None, log
                self.ledger.apply(event)

    def save(self) -> Ledger:
        return deepcopy(self.ledger)

    def load(self, saved: Ledger) -> None:
        self.ledger = deepcopy(saved)

    def compare(self, lockstep: Lockstep) -> None:
        """Everything that the events tell equals the state."""
        self._compare_escrow(lockstep.escrow)
        for token in lockstep.tokens:
            _compare_token(self._token(token.address), token, lockstep)
        if not any(lockstep.foreign.values()):
            assert self.ledger.check() == []

    def _token(self, address: str) -> LedgerToken:
        return _named(self.ledger.tokens).get(address, LedgerToken())

    def _compare_escrow(self, escrow: Escrow) -> None:
        ledger = self.ledger
        assert ledger.payments.keys() == escrow.payments.keys()
        for identity, payment in escrow.payments.items():
            told = ledger.payments[identity]
            opened, terms = told.opened, payment.terms
            assert _lower(opened.issuer, opened.acquirer, opened.token) == terms.parties
            assert opened.packed == terms.packed
            totals = (told.captured_minor, told.voided_minor, told.refunded_minor)
            assert (*totals, told.authorized_day) == payment[1:]
        assert {
            _lower(*key): Card(
                card.payment_limit_minor,
                card.day_limit_minor,
                card.status,
                card.spent_minor,
                card.day,
            )
            for (_, *key), card in ledger.cards.items()
        } == escrow.cards
        assert {_lower(*key): verbs for (_, *key), verbs in ledger.delegates.items() if verbs} == {
            key: verbs for key, verbs in escrow.verbs.items() if verbs
        }
        assert {
            identity: (
                set_.acquirer.lower(),
                set_.category_code,
                set_.signer.lower(),
                set_.name_hash,
            )
            for (_, identity), set_ in ledger.merchants.items()
        } == escrow.merchants
        assert {
            (identity, at.lower()): acceptance
            for (_, identity, at), acceptance in ledger.acceptances.items()
        } == {key: entry[1:] for key, entry in escrow.acceptances.items()}
        assert {at.lower() for _, at in ledger.admitted_tokens} == escrow.tokens


def _compare_token(told: LedgerToken, token: Token, lockstep: Lockstep) -> None:
    assert (told.supply_minor, told.paused) == (token.supply, token.paused)
    assert told.attestation == token.attested
    assert (told.escrow or ZERO).lower() == token.escrow
    assert set(_lower(*told.modules)) == token.modules
    assert told.issued == token.issued
    assert {(who.lower(), reference) for who, reference in told.redeemed} == token.redeemed
    assert {(who.lower(), nonce) for who, nonce in told.consumed} == token.consumed
    assert _amounts({_lower(*key): held for key, held in told.reserved.items()}) == _amounts(
        token.reserved
    )
    reserved: Counter[str] = Counter()
    for (_, participant), held in told.reserved.items():
        reserved[participant.lower()] += held
    balances, escrowed, statuses = map(_named, (told.balances, told.escrowed, told.statuses))
    for participant in {*lockstep.participants, *balances, *token.accounts}:
        account = token.accounts.get(participant, Account())
        assert balances.get(participant, 0) == account.balance
        assert statuses.get(participant, 0) == account.status
        foreign = lockstep.foreign.get((token.address, participant), 0)
        assert escrowed.get(participant, 0) + foreign == account.escrowed
        assert reserved[participant] == account.reserved


def _lower(*addresses: str) -> tuple[str, ...]:
    return tuple(address.lower() for address in addresses)


def _named(values: Mapping[str, Any]) -> dict[str, Any]:
    return {address.lower(): value for address, value in values.items()}


def _amounts(held: Mapping[Any, int]) -> dict[Any, int]:
    return {key: amount for key, amount in held.items() if amount}
