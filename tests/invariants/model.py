"""The reference model: what each function of the contracts must do, in plain Python.

Written from the interfaces and the design, it predicts for every call either the exact refusal or
the returned values, the events and the whole state afterwards. Addresses are lower case, amounts
minor units, times Unix seconds.
"""

from __future__ import annotations

import re
from enum import IntEnum
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from eth_abi import encode
from eth_utils import keccak

from tael import typed_data

from .chain import CHAIN_ID, EMPTY_REVERT, Done, Event, Outcome, Refused
from .messages import Signers, Terms, escrow_domain, payment_id, recover

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

ZERO = "0x" + "00" * 20
DAY = 86_400
MAX_SUPPLY = 2**80 - 1
MAX_WORD = 2**256 - 1
MAX_ATTESTATION_SECONDS = 35 * DAY
MAX_NET_PARTICIPANTS = 256
MAX_ENTRIES = 256
MAX_BATCH = 200
MAX_HOLD_SECONDS = 31 * DAY
MAX_REFUND_SECONDS = 540 * DAY
BPS = 10_000


class Status(IntEnum):
    """Of an account."""

    NONE = 0
    ACTIVE = 1
    SUSPENDED = 2
    CLOSED = 3


class Entry(IntEnum):
    """Of a card or of a merchant's acceptance."""

    NONE = 0
    ACTIVE = 1
    BLOCKED = 2


class Source(IntEnum):
    """Where a net settlement takes its debits from."""

    AVAILABLE = 0
    HOLD = 1


class Verb(IntEnum):
    """What a delegate may do, one bit each."""

    AUTHORIZE = 1
    CHARGE = 2
    CAPTURE = 4
    VOID = 8
    REFUND = 16
    CARDS = 32
    MERCHANTS = 64


ALL_VERBS = 127


class Account(NamedTuple):
    """A participant's account in one currency."""

    available: int = 0
    escrowed: int = 0
    reserved: int = 0
    status: Status = Status.NONE

    @property
    def held(self) -> int:
        return self.escrowed + self.reserved

    @property
    def balance(self) -> int:
        return self.available + self.held


class Payment(NamedTuple):
    """A payment as stored, and the terms it was opened with."""

    terms: Terms
    captured: int
    voided: int
    refunded: int
    day: int

    @property
    def open(self) -> int:
        return self.terms.amount - self.captured - self.voided


class Card(NamedTuple):
    """A card's limits in one currency and what it spent on `day`."""

    payment_limit: int = 0
    day_limit: int = 0
    status: Entry = Entry.NONE
    spent: int = 0
    day: int = 0


class Merchant(NamedTuple):
    """A merchant's entry."""

    acquirer: str = ZERO
    category: int = 0
    signer: str = ZERO
    name_hash: bytes = bytes(32)


class Refusal(Exception):  # noqa: N818
    """Raised inside the model; the caller of the model sees a `Refused`."""

    def __init__(self, error: str, *arguments: Any) -> None:
        super().__init__(error, arguments)
        self.refused = Refused(error, arguments)


def share(amount: int, bps: int) -> int:
    return amount * bps // BPS


def require(condition: bool, error: str, *arguments: Any) -> None:
    if not condition:
        raise Refusal(error, *arguments)


class World:
    """All contracts together: one clock, one sender, one list of events."""

    def __init__(self, signers: Signers) -> None:
        self.now = 0
        self.sender = ZERO
        self.signers = signers
        self.events: list[Event] = []
        self.contracts: dict[str, Contract] = {}

    def send(self, caller: str, to: str, function: str, *arguments: Any) -> Outcome:
        """What the transaction does; the state changes only if it succeeds."""
        before = self.save()
        self.sender, self.events = caller, []
        method: Callable[..., Any] = getattr(self.contracts[to], _snake(function))
        try:
            returned = method(*arguments)
        except Refusal as refusal:
            self.load(before)
            return refusal.refused
        return Done(() if returned is None else (returned,), tuple(self.events))

    def save(self) -> dict[str, dict[str, Any]]:
        return {at: contract.save() for at, contract in self.contracts.items()}

    def load(self, saved: dict[str, dict[str, Any]]) -> None:
        for at, contract in self.contracts.items():
            contract.load(saved[at])

    @property
    def today(self) -> int:
        return self.now // DAY


def _snake(name: str) -> str:
    return re.sub(r"([A-Z])", r"_\1", name).lower()


class Contract:
    """What all contracts share: an address, events, a state that can be put back."""

    STATE: ClassVar[tuple[str, ...]] = ()

    def __init__(self, world: World, address: str) -> None:
        self.world = world
        self.address = address
        world.contracts[address] = self

    def save(self) -> dict[str, Any]:
        values = {name: getattr(self, name) for name in self.STATE}
        return {
            name: value.copy() if isinstance(value, (dict, set)) else value
            for name, value in values.items()
        }

    def load(self, saved: dict[str, Any]) -> None:
        for name, value in saved.items():
            setattr(self, name, value.copy() if isinstance(value, (dict, set)) else value)

    def emit(self, name: str, *arguments: Any) -> None:
        self.world.events.append(Event(self.address, name, arguments))

    @property
    def sender(self) -> str:
        return self.world.sender


class Governance(Contract):
    """AccessManager without delays, and the rule that the last administrator stays."""

    ADMIN = 0
    STATE = ("members",)

    def __init__(self, world: World, address: str, admin: str) -> None:
        super().__init__(world, address)
        self.members: dict[tuple[int, str], bool] = {(self.ADMIN, admin): True}
        self.roles: dict[tuple[str, str], int] = {}

    @property
    def admins(self) -> int:
        return sum(role == self.ADMIN for role, _ in self.members)

    def allows(self, caller: str, target: str, function: str) -> bool:
        return (self.roles.get((target, function), self.ADMIN), caller) in self.members

    def grant_role(self, role: int, account: str, delay: int) -> None:
        self._only_admin()
        new = (role, account) not in self.members
        self.members[role, account] = True
        self.emit("RoleGranted", role, account, delay, self.world.now, new)

    def revoke_role(self, role: int, account: str) -> None:
        self._only_admin()
        self._remove(role, account)

    def renounce_role(self, role: int, confirmation: str) -> None:
        require(confirmation == self.sender, "AccessManagerBadConfirmation")
        self._remove(role, confirmation)

    def _only_admin(self) -> None:
        allowed = (self.ADMIN, self.sender) in self.members
        require(allowed, "AccessManagerUnauthorizedAccount", self.sender, self.ADMIN)

    def _remove(self, role: int, account: str) -> None:
        if (role, account) in self.members:
            del self.members[role, account]
            require(role != self.ADMIN or self.admins > 0, "LastAdmin", account)
            self.emit("RoleRevoked", role, account)


class Managed(Contract):
    """A contract with functions that governance restricts."""

    def __init__(self, world: World, address: str, governance: Governance) -> None:
        super().__init__(world, address)
        self.governance = governance

    def restricted(self, function: str) -> None:
        allowed = self.governance.allows(self.sender, self.address, function)
        require(allowed, "AccessManagedUnauthorized", self.sender)


class Token(Managed):
    """SettlementToken."""

    STATE = (
        "accounts", "reserved", "modules", "escrow", "paused", "supply", "attested", "allowances",
        "nonces", "consumed", "issued", "redeemed",
    )  # fmt: skip

    def __init__(self, world: World, address: str, governance: Governance, name: str) -> None:
        super().__init__(world, address, governance)
        self.domain = typed_data.Domain(name, CHAIN_ID, address)
        self.accounts: dict[str, Account] = {}
        self.reserved: dict[tuple[str, str], int] = {}
        self.modules: set[str] = set()
        self.escrow = ZERO
        self.paused = False
        self.supply = 0
        self.attested: tuple[int, int, bytes] = (0, 0, bytes(32))
        self.allowances: dict[tuple[str, str], int] = {}
        self.nonces: dict[str, int] = {}
        self.consumed: set[tuple[str, bytes]] = set()
        self.issued: set[bytes] = set()
        self.redeemed: set[tuple[str, bytes]] = set()

    def account(self, participant: str) -> Account:
        return self.accounts.get(participant, Account())

    def is_module(self, module: str) -> bool:
        return module in self.modules or (module == self.escrow and module != ZERO)

    def held_for(self, module: str, participant: str) -> int:
        if module == self.escrow and module != ZERO:
            return self.account(participant).escrowed
        return self.reserved.get((module, participant), 0)

    # ERC-20 and ERC-2612

    def transfer(self, to: str, value: int) -> bool:
        self._not_paused()
        self._transfer(self.sender, to, value)
        return True

    def transfer_from(self, owner: str, to: str, value: int) -> bool:
        self._not_paused()
        allowed = self.allowances.get((owner, self.sender), 0)
        if allowed != MAX_WORD:
            require(value <= allowed, "InsufficientAllowance", self.sender, allowed, value)
            self.allowances[owner, self.sender] = allowed - value
        self._transfer(owner, to, value)
        return True

    def approve(self, spender: str, value: int) -> bool:
        self._approve(self.sender, spender, value)
        return True

    def permit(
        self, owner: str, spender: str, value: int, deadline: int, v: int, r: bytes, s: bytes
    ) -> None:
        require(self.world.now <= deadline, "PermitExpired", self.world.now, deadline)
        nonce = self.nonces.get(owner, 0)
        digest = typed_data.permit_digest(self.domain, owner, spender, value, nonce, deadline)
        # Ordinary keys only, as ERC-2612 has it.
        require(recover(digest, v, r, s) == owner, "InvalidSignature", owner)
        self.nonces[owner] = nonce + 1
        self._approve(owner, spender, value)

    def _approve(self, owner: str, spender: str, value: int) -> None:
        require(spender != ZERO, "InvalidSpender", spender)
        self.allowances[owner, spender] = value
        self.emit("Approval", owner, spender, value)

    # ERC-3009

    def transfer_with_authorization(
        self,
        owner: str,
        to: str,
        value: int,
        after: int,
        before: int,
        nonce: bytes,
        *signature: Any,
    ) -> None:
        self._in_time(after, before)
        digest = typed_data.transfer_digest(self.domain, owner, to, value, after, before, nonce)
        self._signed(owner, digest, signature)
        self._authorized(owner, to, value, nonce)

    def receive_with_authorization(
        self,
        owner: str,
        to: str,
        value: int,
        after: int,
        before: int,
        nonce: bytes,
        *signature: Any,
    ) -> None:
        require(self.sender == to, "CallerNotPayee", self.sender, to)
        self._in_time(after, before)
        digest = typed_data.receive_digest(self.domain, owner, to, value, after, before, nonce)
        self._signed(owner, digest, signature)
        self._authorized(owner, to, value, nonce)

    def cancel_authorization(self, authorizer: str, nonce: bytes, *signature: Any) -> None:
        digest = typed_data.cancel_digest(self.domain, authorizer, nonce)
        self._signed(authorizer, digest, signature)
        self._consume(authorizer, nonce)
        self.emit("AuthorizationCanceled", authorizer, nonce)

    def _in_time(self, after: int, before: int) -> None:
        now = self.world.now
        require(now > after, "AuthorizationNotYetValid", now, after)
        require(now < before, "AuthorizationExpired", now, before)

    def _signed(self, signer: str, digest: bytes, signature: tuple[Any, ...]) -> None:
        if len(signature) == 1:
            valid = self.world.signers.counts(signer, digest, signature[0])
        else:
            valid = self.world.signers.counts_vrs(signer, digest, *signature)
        require(valid, "InvalidSignature", signer)

    def _authorized(self, owner: str, to: str, value: int, nonce: bytes) -> None:
        self._not_paused()
        self._consume(owner, nonce)
        self.emit("AuthorizationUsed", owner, nonce)
        self._transfer(owner, to, value)

    def _consume(self, authorizer: str, nonce: bytes) -> None:
        unused = (authorizer, nonce) not in self.consumed
        require(unused, "AuthorizationConsumed", authorizer, nonce)
        self.consumed.add((authorizer, nonce))

    # Accounts

    def admit(self, participant: str) -> None:
        self.restricted("admit")
        require(participant != ZERO, "InvalidAccount", participant)
        self._change_status(participant, (Status.NONE,), Status.ACTIVE)
        self.emit("AccountAdmitted", participant)

    def suspend(self, participant: str, reason: bytes) -> None:
        self.restricted("suspend")
        self._change_status(participant, (Status.ACTIVE,), Status.SUSPENDED)
        self.emit("AccountSuspended", participant, reason)

    def reinstate(self, participant: str) -> None:
        self.restricted("reinstate")
        self._change_status(participant, (Status.SUSPENDED,), Status.ACTIVE)
        self.emit("AccountReinstated", participant)

    def close(self, participant: str) -> None:
        self.restricted("close")
        account = self.account(participant)
        self._change_status(participant, (Status.ACTIVE, Status.SUSPENDED), Status.CLOSED)
        require(account.held == 0, "AccountHoldsOpen", participant, account.held)
        self.emit("AccountClosed", participant)

    def force_transfer(self, owner: str, to: str, amount: int, reason: bytes) -> None:
        self.restricted("forceTransfer")
        self.emit("TransferForced", owner, to, amount, reason)
        self._debit(owner, amount)
        self._credit_open(owner, to, amount)

    def _change_status(self, participant: str, expected: Iterable[Status], to: Status) -> None:
        account = self.account(participant)
        fits = account.status in expected
        require(fits, "AccountStatusMismatch", participant, account.status)
        self.accounts[participant] = account._replace(status=to)

    # Reserve, issue, redeem

    def attest(self, amount: int, document: bytes, before: int) -> None:
        self.restricted("attest")
        now = self.world.now
        fits = now < before <= now + MAX_ATTESTATION_SECONDS
        require(fits, "AttestationPeriodInvalid", now, before)
        require(amount <= MAX_SUPPLY, "AmountTooLarge", amount, MAX_SUPPLY)
        self.attested = (amount, before, document)
        self.emit("ReserveAttested", amount, before, document)

    def issue(self, participant: str, amount: int, reference: bytes) -> None:
        self.restricted("issue")
        self._not_paused()
        require(amount > 0, "AmountZero", reference)
        require(amount <= MAX_SUPPLY, "AmountTooLarge", amount, MAX_SUPPLY)
        require(reference not in self.issued, "BankReferenceUsed", reference)
        reserve, before, _ = self.attested
        require(self.world.now < before, "ReserveStale", self.world.now, before)
        supply = self.supply + amount
        require(supply <= reserve, "ReserveExceeded", supply, reserve)
        self._active(participant)
        self.issued.add(reference)
        self.supply = supply
        self.emit("Issued", reference, participant, amount)
        self._credit(ZERO, participant, amount)

    def redeem(self, amount: int, reference: bytes) -> None:
        self._not_paused()
        require(amount > 0, "AmountZero", reference)
        unused = (self.sender, reference) not in self.redeemed
        require(unused, "BankReferenceUsed", reference)
        self._spend(self.sender, amount)
        self.redeemed.add((self.sender, reference))
        self.supply -= amount
        self.emit("Redeemed", reference, self.sender, amount)
        self.emit("Transfer", self.sender, ZERO, amount)

    # Stopping, modules

    def pause(self) -> None:
        self.restricted("pause")
        self._not_paused()
        self.paused = True
        self.emit("Paused", self.sender)

    def unpause(self) -> None:
        self.restricted("unpause")
        require(self.paused, "TokenNotPaused")
        self.paused = False
        self.emit("Unpaused", self.sender)

    def admit_escrow(self, escrow: str) -> None:
        self.restricted("admitEscrow")
        self._new_module(escrow)
        if self.escrow != ZERO:
            self.emit("ModuleCutOff", self.escrow)
        self.escrow = escrow
        self.emit("EscrowAdmitted", escrow)

    def admit_module(self, module: str) -> None:
        self.restricted("admitModule")
        self._new_module(module)
        self.modules.add(module)
        self.emit("ModuleAdmitted", module)

    def _new_module(self, module: str) -> None:
        require(module != ZERO, "InvalidAccount", module)
        require(not self.is_module(module), "ModuleAlreadyAdmitted", module)

    def cut_off_module(self, module: str) -> None:
        self.restricted("cutOffModule")
        require(self.is_module(module), "ModuleNotAdmitted", module)
        if module == self.escrow:
            self.escrow = ZERO
        else:
            self.modules.discard(module)
        self.emit("ModuleCutOff", module)

    # What modules may do

    def hold_funds(self, participant: str, amount: int) -> None:
        self._not_paused()
        self._only_module()
        self._spend(participant, amount)
        account = self.account(participant)
        if self.sender == self.escrow:
            self.accounts[participant] = account._replace(escrowed=account.escrowed + amount)
            return
        self.accounts[participant] = account._replace(reserved=account.reserved + amount)
        key = (self.sender, participant)
        self.reserved[key] = self.reserved.get(key, 0) + amount
        self.emit("HoldPlaced", self.sender, participant, amount)

    def release_hold(self, participant: str, amount: int) -> None:
        self._only_module()
        self._take_hold(participant, amount, amount)

    def execute_hold(
        self, debtor: str, creditor: str, amount: int, collector: str, fee: int, released: int
    ) -> None:
        self._only_module()
        self._take_hold(debtor, amount + fee + released, released)
        if amount:
            self._credit_owed(debtor, creditor, amount)
        if fee:
            self._credit_owed(debtor, collector, fee)

    def pay(self, debtor: str, creditor: str, amount: int, collector: str, fee: int) -> None:
        self._not_paused()
        self._only_module()
        self._spend(debtor, amount + fee)
        if amount:
            self._credit_open(debtor, creditor, amount)
        if fee:
            self._credit_owed(debtor, collector, fee)

    def pay_back(self, debtor: str, creditor: str, amount: int) -> None:
        self._only_module()
        self._spend(debtor, amount)
        if amount:
            self._credit_owed(debtor, creditor, amount)

    def settle_net(
        self, participants: tuple[str, ...], changes: tuple[int, ...], source: int
    ) -> None:
        self._only_module()
        require(source == Source.HOLD or not self.paused, "TokenPaused")
        fits = len(participants) == len(changes) <= MAX_NET_PARTICIPANTS
        lengths = (len(participants), len(changes), MAX_NET_PARTICIPANTS)
        require(fits, "NetLengthInvalid", *lengths)
        previous = ZERO
        for participant, change in zip(participants, changes, strict=True):
            ascending = int(previous, 16) < int(participant, 16)
            require(ascending, "NetOrderInvalid", previous, participant)
            previous = participant
            if change < 0:
                if source == Source.HOLD:
                    self._take_hold(participant, -change, 0)
                else:
                    self._spend(participant, -change)
                self.emit("Transfer", participant, self.sender, -change)
        debits = sum(-change for change in changes if change < 0)
        credited = 0
        for participant, change in zip(participants, changes, strict=True):
            if change > 0:
                credited += change
                require(credited <= debits, "NetSumNotZero", debits, credited)
                self._credit_owed(self.sender, participant, change)
        require(debits == credited, "NetSumNotZero", debits, credited)

    # Movements

    def _not_paused(self) -> None:
        require(not self.paused, "TokenPaused")

    def _only_module(self) -> None:
        require(self.is_module(self.sender), "ModuleNotAdmitted", self.sender)

    def _active(self, participant: str) -> None:
        status = self.account(participant).status
        require(status == Status.ACTIVE, "AccountNotActive", participant, status)

    def _spend(self, participant: str, amount: int) -> None:
        self._active(participant)
        self._debit(participant, amount)

    def _debit(self, participant: str, amount: int) -> None:
        account = self.account(participant)
        available = account.available
        require(amount <= available, "InsufficientAvailable", participant, available, amount)
        self.accounts[participant] = account._replace(available=available - amount)

    def _take_hold(self, participant: str, amount: int, released: int) -> None:
        account = self.account(participant)
        held = self.held_for(self.sender, participant)
        require(amount <= held, "InsufficientHold", participant, held, amount)
        account = account._replace(available=account.available + released)
        if self.sender == self.escrow:
            self.accounts[participant] = account._replace(escrowed=account.escrowed - amount)
            return
        self.accounts[participant] = account._replace(reserved=account.reserved - amount)
        self.reserved[self.sender, participant] = held - amount
        self.emit("HoldExecuted", self.sender, participant, amount, released)

    def _transfer(self, owner: str, to: str, amount: int) -> None:
        self._spend(owner, amount)
        self._credit_open(owner, to, amount)

    def _credit_open(self, owner: str, to: str, amount: int) -> None:
        status = self.account(to).status
        takes = status in (Status.ACTIVE, Status.SUSPENDED)
        require(takes, "AccountCannotReceive", to, status)
        self._credit(owner, to, amount)

    def _credit_owed(self, debtor: str, creditor: str, amount: int) -> None:
        status = self.account(creditor).status
        require(status != Status.NONE, "AccountCannotReceive", creditor, status)
        self._credit(debtor, creditor, amount)

    def _credit(self, debtor: str, creditor: str, amount: int) -> None:
        account = self.account(creditor)
        self.accounts[creditor] = account._replace(available=account.available + amount)
        self.emit("Transfer", debtor, creditor, amount)


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


class Escrow(Directory):
    """PaymentEscrow."""

    STATE = (*Directory.STATE, "payments")

    def __init__(
        self, world: World, address: str, governance: Governance, scheme: str, bps: int, cap: int
    ) -> None:
        super().__init__(world, address, governance, scheme)
        self.scheme_bps = bps
        self.interchange_cap_bps = cap
        self.domain = escrow_domain(address)
        self.payments: dict[bytes, Payment] = {}

    def identify(self, parties: tuple[str, ...], packed: tuple[bytes, ...]) -> tuple[bytes, Terms]:
        terms = Terms.unpack(parties, packed)
        if terms is None:
            raise Refusal("TermsNotCanonical")
        return payment_id(self.address, terms), terms

    # Opening

    def authorize(self, signature: Any, parties: Any, packed: Any) -> bytes:
        identity, terms = self.identify(parties, packed)
        self.only_permitted(self.sender, terms.issuer, Verb.AUTHORIZE)
        self._open_plain(identity, terms, signature, 0)
        self._hold(identity, terms)
        return identity

    def authorize_with(self, parties: Any, packed: Any, consents: Any) -> bytes:
        identity, terms = self.identify(parties, packed)
        self._consented(identity, terms, Verb.AUTHORIZE, consents[2])
        self._open_full(identity, terms, consents, 0)
        self._hold(identity, terms)
        return identity

    def charge(self, signature: Any, parties: Any, packed: Any) -> bytes:
        identity, terms = self.identify(parties, packed)
        self.only_permitted(self.sender, terms.issuer, Verb.CHARGE)
        self._open_plain(identity, terms, signature, terms.amount)
        self._pay(identity, terms)
        return identity

    def charge_with(self, parties: Any, packed: Any, consents: Any) -> bytes:
        identity, terms = self.identify(parties, packed)
        self._consented(identity, terms, Verb.CHARGE, consents[2])
        self._open_full(identity, terms, consents, terms.amount)
        self._pay(identity, terms)
        return identity

    def authorize_many(self, parties: Any, items: Any, codes: Any) -> int:
        issuer, acquirer, token = parties
        self.only_permitted(self.sender, issuer, Verb.AUTHORIZE)
        require(0 < len(items) <= MAX_BATCH, "BatchSizeInvalid", len(items), MAX_BATCH)
        require(token in self.tokens, "TokenNotAdmitted", token)
        available = self.token(token).account(issuer).available
        total = count = 0
        for packed, signature, code in items:
            identity, terms = self.identify(parties, packed)
            try:
                chosen = codes[code - 1 : code] if code else ()
                limit = self._review(identity, terms)
                self._coded(identity, terms, limit, chosen, self.world.signers.counts_key)
                left = available - total
                require(terms.amount <= left, "AvailableTooLow", identity, left, terms.amount)
                self._card_signed_plain(identity, terms, signature)
            except Refusal as refusal:
                self.emit("PaymentSkipped", identity, refusal.refused)
                continue
            self._open(identity, terms, 0)
            self.emit("PaymentAuthorized", identity, issuer, acquirer, token, packed)
            total += terms.amount
            count += 1
        if total:
            self._as_module(token, "hold_funds", issuer, total)
        return count

    def _open_plain(self, identity: bytes, terms: Terms, signature: Any, captured: int) -> None:
        limit = self._review(identity, terms)
        self._coded(identity, terms, limit, (), self.world.signers.counts)
        self._card_signed_plain(identity, terms, signature)
        self._open(identity, terms, captured)

    def _open_full(self, identity: bytes, terms: Terms, consents: Any, captured: int) -> None:
        lengths = (len(consents[1]), len(consents[2]))
        require(max(lengths) <= 1, "ConsentsTooMany", *lengths)
        limit = self._review(identity, terms)
        self._coded(identity, terms, limit, consents[1], self.world.signers.counts)
        signed = self.world.signers.counts(terms.card, identity, consents[0])
        require(signed, "CardSignatureInvalid", identity, terms.card)
        self._open(identity, terms, captured)

    def _card_signed_plain(self, identity: bytes, terms: Terms, signature: Any) -> None:
        signed = self.world.signers.counts_compact(terms.card, identity, *signature)
        require(signed, "CardSignatureInvalid", identity, terms.card)

    def _review(self, identity: bytes, terms: Terms) -> int:
        """Everything but codes and signatures; returns the merchant's static limit."""
        now, amount = self.world.now, terms.amount
        require(identity not in self.payments, "PaymentExists", identity)
        require(amount > 0, "AmountZero", identity)
        cap = self.interchange_cap_bps
        bps = terms.interchange_bps
        require(bps <= cap, "InterchangeTooHigh", identity, bps, cap)
        deadlines = (terms.authorize_before, terms.capture_before, terms.refund_before)
        require(now < deadlines[0], "AuthorizeTooLate", identity, now, deadlines[0])
        ordered = deadlines[0] <= deadlines[1] <= deadlines[2]
        near = deadlines[1] <= now + MAX_HOLD_SECONDS
        short = deadlines[2] <= deadlines[1] + MAX_REFUND_SECONDS
        require(ordered and near and short, "DeadlinesInvalid", identity, *deadlines)
        card = self.card(terms.issuer, terms.card, terms.token)
        active = card.status == Entry.ACTIVE
        require(active, "CardNotActive", identity, terms.card, card.status)
        limit = card.payment_limit
        require(amount <= limit, "CardPaymentLimitExceeded", identity, amount, limit)
        spent = self.spent_today(terms.issuer, terms.card, terms.token) + amount
        require(spent <= card.day_limit, "CardDayLimitExceeded", identity, spent, card.day_limit)
        entry = self.acceptances.get((terms.merchant, terms.token), (ZERO, 0, Entry.NONE))
        acquirer, static_limit, status = entry
        own = acquirer == terms.acquirer
        require(own, "MerchantNotOfAcquirer", identity, terms.merchant, terms.acquirer)
        open_ = status == Entry.ACTIVE
        require(open_, "MerchantNotActive", identity, terms.merchant, status)
        return static_limit

    def _coded(
        self,
        identity: bytes,
        terms: Terms,
        limit: int,
        codes: Any,
        counts: Callable[[str, bytes, bytes], bool],
    ) -> None:
        if terms.amount <= limit:
            return
        require(len(codes) > 0, "DynamicCodeMissing", identity, terms.amount, limit)
        amount, expires_at, signature = codes[0]
        now = self.world.now
        require(now < expires_at, "DynamicCodeExpired", identity, now, expires_at)
        covered = terms.amount >= amount
        require(covered, "DynamicCodeAmountAbove", identity, terms.amount, amount)
        digest = typed_data.dynamic_code_digest(
            self.domain, terms.merchant, terms.token, amount, terms.uetr, expires_at
        )
        signer = self.merchants[terms.merchant].signer
        signed = counts(signer, digest, signature)
        require(signed, "DynamicCodeSignatureInvalid", identity, terms.merchant)

    def _consented(self, identity: bytes, terms: Terms, verb: Verb, consents: Any) -> None:
        if not consents:
            self.only_permitted(self.sender, terms.issuer, verb)
            return
        signer, before, signature = consents[0]
        require(self.world.now < before, "ConsentExpired", identity, self.world.now, before)
        self.only_permitted(signer, terms.issuer, verb)
        kinds = {
            Verb.AUTHORIZE: typed_data.authorize_consent_digest,
            Verb.CHARGE: typed_data.charge_consent_digest,
        }
        digest = kinds[verb](self.domain, identity, before)
        signed = self.world.signers.counts(signer, digest, signature)
        require(signed, "ConsentSignatureInvalid", identity, signer)

    def _open(self, identity: bytes, terms: Terms, captured: int) -> None:
        today = self.world.today
        self.payments[identity] = Payment(terms, captured, 0, 0, today)
        key = (terms.issuer, terms.card, terms.token)
        spent = self.spent_today(*key) + terms.amount
        self.cards[key] = self.card(*key)._replace(spent=spent, day=today)

    def _hold(self, identity: bytes, terms: Terms) -> None:
        self.emit("PaymentAuthorized", identity, *terms.parties, terms.packed)
        self._as_module(terms.token, "hold_funds", terms.issuer, terms.amount)

    def _pay(self, identity: bytes, terms: Terms) -> None:
        self.emit("PaymentCharged", identity, *terms.parties, terms.packed)
        scheme, interchange = self.fees(terms, terms.amount)
        net = terms.amount - scheme - interchange
        parts = (terms.issuer, terms.acquirer, net, self.scheme, scheme)
        self._as_module(terms.token, "pay", *parts)

    def fees(self, terms: Terms, captured: int) -> tuple[int, int]:
        """Scheme fee and interchange of everything captured so far."""
        return share(captured, self.scheme_bps), share(captured, terms.interchange_bps)

    # What is open

    def find(self, identity: bytes) -> Payment:
        require(identity in self.payments, "PaymentUnknown", identity)
        return self.payments[identity]

    def capture(self, parties: Any, packed: Any, total: int) -> None:
        identity, terms = self.identify(parties, packed)
        self.only_permitted(self.sender, terms.acquirer, Verb.CAPTURE)
        self._execute(terms, self._capture(identity, total))

    def capture_many(self, parties: Any, items: Any) -> int:
        self.only_permitted(self.sender, parties[1], Verb.CAPTURE)
        require(0 < len(items) <= MAX_BATCH, "BatchSizeInvalid", len(items), MAX_BATCH)
        sums = (0, 0, 0)
        count = 0
        last = None
        for packed, total in items:
            identity, terms = self.identify(parties, packed)
            try:
                parts = self._capture(identity, total)
            except Refusal as refusal:
                self.emit("PaymentSkipped", identity, refusal.refused)
                continue
            sums = (sums[0] + parts[0], sums[1] + parts[1], sums[2] + parts[2])
            count += 1
            last = terms
        if last is not None:
            self._execute(last, sums)
        return count

    def _capture(self, identity: bytes, total: int) -> tuple[int, int, int]:
        payment = self.find(identity)
        now, before = self.world.now, payment.terms.capture_before
        require(now < before, "CaptureTooLate", identity, now, before)
        captured = payment.captured
        require(total > captured, "CaptureRepeated", identity, total, captured)
        limit = payment.terms.amount - payment.voided
        require(total <= limit, "CaptureTooLarge", identity, total, limit)
        gross = total - captured
        old, new = self.fees(payment.terms, captured), self.fees(payment.terms, total)
        added = (new[0] - old[0], new[1] - old[1])
        require(sum(added) <= gross, "CaptureBelowFees", identity, gross, sum(added))
        self.payments[identity] = payment._replace(captured=total)
        self.emit("PaymentCaptured", identity, total)
        return gross, *added

    def _execute(self, terms: Terms, parts: tuple[int, int, int]) -> None:
        gross, scheme, interchange = parts
        net = gross - scheme - interchange
        arguments = (terms.issuer, terms.acquirer, net, self.scheme, scheme, interchange)
        self._as_module(terms.token, "execute_hold", *arguments)

    def void(self, parties: Any, packed: Any, total: int) -> None:
        identity, terms = self.identify(parties, packed)
        self.only_permitted(self.sender, terms.acquirer, Verb.VOID)
        payment = self.find(identity)
        require(total > payment.voided, "VoidRepeated", identity, total, payment.voided)
        limit = terms.amount - payment.captured
        require(total <= limit, "VoidTooLarge", identity, total, limit)
        self.emit("PaymentVoided", identity, total)
        self._release(identity, payment, total)

    def reclaim(self, parties: Any, packed: Any) -> None:
        identity, terms = self.identify(parties, packed)
        payment = self.find(identity)
        now, before = self.world.now, terms.capture_before
        require(now >= before, "ReclaimTooEarly", identity, now, before)
        total = terms.amount - payment.captured
        require(total > payment.voided, "ReclaimEmpty", identity)
        self.emit("PaymentReclaimed", identity, total)
        self._release(identity, payment, total)

    def _release(self, identity: bytes, payment: Payment, total: int) -> None:
        terms = payment.terms
        amount = total - payment.voided
        self.payments[identity] = payment._replace(voided=total)
        if payment.day == self.world.today:
            key = (terms.issuer, terms.card, terms.token)
            card = self.card(*key)
            self.cards[key] = card._replace(spent=card.spent - amount)
        self._as_module(terms.token, "release_hold", terms.issuer, amount)

    def refund(self, parties: Any, packed: Any, total: int) -> None:
        identity, terms = self.identify(parties, packed)
        self.only_permitted(self.sender, terms.acquirer, Verb.REFUND)
        payment = self.find(identity)
        now, before = self.world.now, terms.refund_before
        require(now < before, "RefundTooLate", identity, now, before)
        refunded = payment.refunded
        require(total > refunded, "RefundRepeated", identity, total, refunded)
        captured = payment.captured
        require(total <= captured, "RefundTooLarge", identity, total, captured)
        self.payments[identity] = payment._replace(refunded=total)
        self.emit("PaymentRefunded", identity, total)
        bps = terms.interchange_bps
        kept = share(total, bps) - share(refunded, bps)
        parts = (terms.acquirer, terms.issuer, total - refunded - kept)
        self._as_module(terms.token, "pay_back", *parts)

    def _as_module(self, token: str, function: str, *arguments: Any) -> None:
        caller, self.world.sender = self.sender, self.address
        try:
            getattr(self.token(token), function)(*arguments)
        finally:
            self.world.sender = caller
