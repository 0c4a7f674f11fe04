"""The events of SettlementToken. Amounts are minor units."""

from __future__ import annotations

from tael.events.declaring import event
from tael.events.event import Event

# Accounts


@event("address indexed participant")
class AccountAdmitted(Event):
    """A participant was admitted to a currency."""

    participant: str


@event("address indexed participant, bytes32 reasonHash")
class AccountSuspended(Event):
    """A participant was stopped."""

    participant: str
    reason_hash: bytes


@event("address indexed participant")
class AccountReinstated(Event):
    """A suspended participant is active again."""

    participant: str


@event("address indexed participant")
class AccountClosed(Event):
    """An account was closed for ever."""

    participant: str


# Money


@event("address indexed from, address indexed to, uint256 value")
class Transfer(Event):
    """Money changed hands; the zero address stands for issue and redemption."""

    sender: str
    recipient: str
    amount_minor: int


@event("address indexed owner, address indexed spender, uint256 value")
class Approval(Event):
    """An owner allowed a spender an amount."""

    owner: str
    spender: str
    amount_minor: int


@event("uint256 amount, uint256 validBefore, bytes32 documentHash")
class ReserveAttested(Event):
    """The attested reserve was replaced."""

    amount_minor: int
    valid_before: int
    document_hash: bytes


@event("bytes32 indexed bankReference, address indexed participant, uint256 amount")
class Issued(Event):
    """Money was issued against the reserve; the `Transfer` from zero follows."""

    bank_reference: bytes
    participant: str
    amount_minor: int


@event("bytes32 indexed bankReference, address indexed participant, uint256 amount")
class Redeemed(Event):
    """Money was given back for reserve money; the `Transfer` to zero follows."""

    bank_reference: bytes
    participant: str
    amount_minor: int


@event("address indexed from, address indexed to, uint256 amount, bytes32 reasonHash")
class TransferForced(Event):
    """Available was moved by order; the `Transfer` follows."""

    sender: str
    recipient: str
    amount_minor: int
    reason_hash: bytes


@event("address indexed authorizer, bytes32 indexed nonce")
class AuthorizationUsed(Event):
    """A signed transfer took effect; the `Transfer` follows."""

    authorizer: str
    nonce: bytes


@event("address indexed authorizer, bytes32 indexed nonce")
class AuthorizationCanceled(Event):
    """A signed transfer was made void before it was used."""

    authorizer: str
    nonce: bytes


# Stopping, modules


@event("address indexed by")
class Paused(Event):
    """New obligations in a currency are stopped."""

    by: str


@event("address indexed by")
class Unpaused(Event):
    """New obligations in a currency are possible again."""

    by: str


@event("address indexed escrow")
class EscrowAdmitted(Event):
    """An escrow was admitted, or a successor took over its predecessor's holds."""

    escrow: str


@event("address indexed module")
class ModuleAdmitted(Event):
    """Another module was admitted."""

    module: str


@event("address indexed module")
class ModuleCutOff(Event):
    """A module, the escrow included, lost every right."""

    module: str


@event("address indexed module, address indexed participant, uint256 amount")
class HoldPlaced(Event):
    """A module other than the escrow placed a hold."""

    module: str
    participant: str
    amount_minor: int


@event("address indexed module, address indexed participant, uint256 amount, uint256 released")
class HoldExecuted(Event):
    """A module other than the escrow took an amount out of its hold, part of it released."""

    module: str
    participant: str
    amount_minor: int
    released_minor: int
