"""The events of SettlementToken. Amounts are minor units."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from tael.events.event import Event

# Accounts


@dataclass(frozen=True, slots=True)
class AccountAdmitted(Event):
    """A participant was admitted to a currency."""

    declaration: ClassVar[str] = "AccountAdmitted(address indexed participant)"
    participant: str


@dataclass(frozen=True, slots=True)
class AccountSuspended(Event):
    """A participant was stopped."""

    declaration: ClassVar[str] = "AccountSuspended(address indexed participant, bytes32 reasonHash)"
    participant: str
    reason_hash: bytes


@dataclass(frozen=True, slots=True)
class AccountReinstated(Event):
    """A suspended participant is active again."""

    declaration: ClassVar[str] = "AccountReinstated(address indexed participant)"
    participant: str


@dataclass(frozen=True, slots=True)
class AccountClosed(Event):
    """An account was closed for ever."""

    declaration: ClassVar[str] = "AccountClosed(address indexed participant)"
    participant: str


# Money


@dataclass(frozen=True, slots=True)
class Transfer(Event):
    """Money changed hands; the zero address stands for issue and redemption."""

    declaration: ClassVar[str] = "Transfer(address indexed from, address indexed to, uint256 value)"
    sender: str
    recipient: str
    amount_minor: int


@dataclass(frozen=True, slots=True)
class Approval(Event):
    """An owner allowed a spender an amount."""

    declaration: ClassVar[str] = (
        "Approval(address indexed owner, address indexed spender, uint256 value)"
    )
    owner: str
    spender: str
    amount_minor: int


@dataclass(frozen=True, slots=True)
class ReserveAttested(Event):
    """The attested reserve was replaced."""

    declaration: ClassVar[str] = (
        "ReserveAttested(uint256 amount, uint256 validBefore, bytes32 documentHash)"
    )
    amount_minor: int
    valid_before: int
    document_hash: bytes


@dataclass(frozen=True, slots=True)
class Issued(Event):
    """Money was issued against the reserve; the `Transfer` from zero follows."""

    declaration: ClassVar[str] = (
        "Issued(bytes32 indexed bankReference, address indexed participant, uint256 amount)"
    )
    bank_reference: bytes
    participant: str
    amount_minor: int


@dataclass(frozen=True, slots=True)
class Redeemed(Event):
    """Money was given back for reserve money; the `Transfer` to zero follows."""

    declaration: ClassVar[str] = (
        "Redeemed(bytes32 indexed bankReference, address indexed participant, uint256 amount)"
    )
    bank_reference: bytes
    participant: str
    amount_minor: int


@dataclass(frozen=True, slots=True)
class TransferForced(Event):
    """Available was moved by order; the `Transfer` follows."""

    declaration: ClassVar[str] = (
        "TransferForced(address indexed from, address indexed to, uint256 amount,"
        " bytes32 reasonHash)"
    )
    sender: str
    recipient: str
    amount_minor: int
    reason_hash: bytes


@dataclass(frozen=True, slots=True)
class AuthorizationUsed(Event):
    """A signed transfer took effect; the `Transfer` follows."""

    declaration: ClassVar[str] = (
        "AuthorizationUsed(address indexed authorizer, bytes32 indexed nonce)"
    )
    authorizer: str
    nonce: bytes


@dataclass(frozen=True, slots=True)
class AuthorizationCanceled(Event):
    """A signed transfer was made void before it was used."""

    declaration: ClassVar[str] = (
        "AuthorizationCanceled(address indexed authorizer, bytes32 indexed nonce)"
    )
    authorizer: str
    nonce: bytes


# Stopping, modules


@dataclass(frozen=True, slots=True)
class Paused(Event):
    """New obligations in a currency are stopped."""

    declaration: ClassVar[str] = "Paused(address indexed by)"
    by: str


@dataclass(frozen=True, slots=True)
class Unpaused(Event):
    """New obligations in a currency are possible again."""

    declaration: ClassVar[str] = "Unpaused(address indexed by)"
    by: str


@dataclass(frozen=True, slots=True)
class EscrowAdmitted(Event):
    """An escrow was admitted, or a successor took over its predecessor's holds."""

    declaration: ClassVar[str] = "EscrowAdmitted(address indexed escrow)"
    escrow: str


@dataclass(frozen=True, slots=True)
class ModuleAdmitted(Event):
    """Another module was admitted."""

    declaration: ClassVar[str] = "ModuleAdmitted(address indexed module)"
    module: str


@dataclass(frozen=True, slots=True)
class ModuleCutOff(Event):
    """A module, the escrow included, lost every right."""

    declaration: ClassVar[str] = "ModuleCutOff(address indexed module)"
    module: str


@dataclass(frozen=True, slots=True)
class HoldPlaced(Event):
    """A module other than the escrow placed a hold."""

    declaration: ClassVar[str] = (
        "HoldPlaced(address indexed module, address indexed participant, uint256 amount)"
    )
    module: str
    participant: str
    amount_minor: int


@dataclass(frozen=True, slots=True)
class HoldExecuted(Event):
    """A module other than the escrow took an amount out of its hold, part of it released."""

    declaration: ClassVar[str] = (
        "HoldExecuted(address indexed module, address indexed participant, uint256 amount,"
        " uint256 released)"
    )
    module: str
    participant: str
    amount_minor: int
    released_minor: int
