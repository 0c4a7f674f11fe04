"""What SettlementToken must do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tael import typed_data

from ..chain import CHAIN_ID
from ..messages import recover
from .values import (
    MAX_ATTESTATION_SECONDS,
    MAX_NET_PARTICIPANTS,
    MAX_SUPPLY,
    MAX_WORD,
    ZERO,
    Account,
    Source,
    Status,
    require,
)
from .world import Governance, Managed, World

if TYPE_CHECKING:
    from collections.abc import Iterable


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
