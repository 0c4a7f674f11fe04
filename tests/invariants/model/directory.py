"""What the Directory, a base of PaymentEscrow, must do."""

from __future__ import annotations

from eth_abi import encode
from eth_utils import keccak

from ..chain import EMPTY_REVERT
from .token import Token
from .values import (
    ALL_VERBS,
    MAX_ENTRIES,
    ZERO,
    Card,
    Entry,
    Merchant,
    Refusal,
    Status,
    Verb,
    require,
)
from .world import Governance, Managed, World


class Directory(Managed):
    """Merchants, cards and delegates."""

    STATE = ("tokens", "verbs", "merchants", "acceptances", "cards")

    def __init__(self, world: World, address: str, governance: Governance, scheme: str) -> None:
        super().__init__(world, address, governance)
        self.scheme = scheme
        self.tokens: set[str] = set()
        self.verbs: dict[tuple[str, str], int] = {}
        self.merchants: dict[bytes, Merchant] = {}
        self.acceptances: dict[tuple[bytes, str], tuple[str, int, Entry]] = {}
        self.cards: dict[tuple[str, str, str], Card] = {}

    def token(self, address: str) -> Token:
        token = self.world.contracts.get(address)
        if not isinstance(token, Token):
            raise Refusal(EMPTY_REVERT.error)
        return token

    def card(self, issuer: str, card: str, token: str) -> Card:
        return self.cards.get((issuer, card, token), Card())

    def spent_today(self, issuer: str, card: str, token: str) -> int:
        entry = self.card(issuer, card, token)
        return entry.spent if entry.day == self.world.today else 0

    def permitted(self, caller: str, participant: str, verb: Verb) -> bool:
        return caller == participant or self.verbs.get((participant, caller), 0) & verb != 0

    def only_permitted(self, caller: str, participant: str, verb: Verb) -> None:
        allowed = self.permitted(caller, participant, verb)
        require(allowed, "NotPermitted", caller, participant, int(verb))

    def admit_token(self, token: str) -> None:
        self.restricted("admitToken")
        require(token not in self.tokens, "TokenAlreadyAdmitted", token)
        status = self.token(token).account(self.scheme).status
        require(status != Status.NONE, "SchemeAccountMissing", token, self.scheme)
        self.tokens.add(token)
        self.emit("TokenAdmitted", token)

    def set_delegate(self, delegate: str, verbs: int) -> None:
        require(verbs <= ALL_VERBS, "VerbsInvalid", verbs)
        self.verbs[self.sender, delegate] = verbs
        self.emit("DelegateSet", self.sender, delegate, verbs)

    def set_merchant(
        self, acquirer: str, commitment: bytes, signer: str, category: int, name_hash: bytes
    ) -> bytes:
        self.only_permitted(self.sender, acquirer, Verb.MERCHANTS)
        merchant = merchant_id(acquirer, commitment)
        require(signer != ZERO, "MerchantSignerInvalid", merchant)
        self.merchants[merchant] = Merchant(acquirer, category, signer, name_hash)
        self.emit("MerchantSet", merchant, acquirer, signer, category, name_hash)
        return merchant

    def set_acceptances(self, merchant: bytes, entries: tuple[tuple[str, int, int], ...]) -> None:
        require(merchant in self.merchants, "MerchantUnknown", merchant)
        acquirer = self.merchants[merchant].acquirer
        self.only_permitted(self.sender, acquirer, Verb.MERCHANTS)
        require(len(entries) <= MAX_ENTRIES, "EntriesTooMany", len(entries), MAX_ENTRIES)
        for token, limit, status in entries:
            self._valid_entry(acquirer, token, status)
            self.acceptances[merchant, token] = (acquirer, limit, Entry(status))
            self.emit("AcceptanceSet", merchant, token, limit, status)

    def set_cards(self, issuer: str, entries: tuple[tuple[str, str, int, int, int], ...]) -> None:
        self.only_permitted(self.sender, issuer, Verb.CARDS)
        require(len(entries) <= MAX_ENTRIES, "EntriesTooMany", len(entries), MAX_ENTRIES)
        for card, token, payment_limit, day_limit, status in entries:
            require(card != ZERO, "CardInvalid")
            self._valid_entry(issuer, token, status)
            old = self.card(issuer, card, token)
            self.cards[issuer, card, token] = old._replace(
                payment_limit=payment_limit, day_limit=day_limit, status=Entry(status)
            )
            self.emit("CardSet", issuer, card, token, payment_limit, day_limit, status)

    def _valid_entry(self, participant: str, token: str, status: int) -> None:
        require(status != Entry.NONE, "StatusInvalid")
        require(token in self.tokens, "TokenNotAdmitted", token)
        active = self.token(token).account(participant).status == Status.ACTIVE
        allowed = active or status == Entry.BLOCKED
        require(allowed, "ParticipantNotActive", participant, token)


def merchant_id(acquirer: str, commitment: bytes) -> bytes:
    return keccak(encode(["address", "bytes32"], [acquirer, commitment]))
