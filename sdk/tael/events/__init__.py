"""The contracts' events as typed values, decoded from raw logs by slicing.

Each class carries its Solidity declaration, from which topic and decoder are made; a test compares
the declarations with the ABIs and the values with web3's own decoding. Amounts are minor units.

>>> decode({"address": "0x" + "11" * 20, "topics": [], "data": "0x"}) is None
True
"""

from tael.events.decoding import EVENTS, canonical_signature, decode, decode_all, topic_of
from tael.events.escrow import (
    AcceptanceSet,
    CardSet,
    DelegateSet,
    MerchantSet,
    PaymentAuthorized,
    PaymentCaptured,
    PaymentCharged,
    PaymentOpened,
    PaymentReclaimed,
    PaymentRefunded,
    PaymentSkipped,
    PaymentVoided,
    TokenAdmitted,
    opened_in,
)
from tael.events.event import Event, Position
from tael.events.governance import (
    AuthorityUpdated,
    EIP712DomainChanged,
    OperationCanceled,
    OperationExecuted,
    OperationScheduled,
)
from tael.events.token import (
    AccountAdmitted,
    AccountClosed,
    AccountReinstated,
    AccountSuspended,
    Approval,
    AuthorizationCanceled,
    AuthorizationUsed,
    EscrowAdmitted,
    HoldExecuted,
    HoldPlaced,
    Issued,
    ModuleAdmitted,
    ModuleCutOff,
    Paused,
    Redeemed,
    ReserveAttested,
    Transfer,
    TransferForced,
    Unpaused,
)

__all__ = [
    "Event",
    "Position",
    "EVENTS",
    "decode",
    "decode_all",
    "topic_of",
    "canonical_signature",
    "AccountAdmitted",
    "AccountSuspended",
    "AccountReinstated",
    "AccountClosed",
    "Transfer",
    "Approval",
    "ReserveAttested",
    "Issued",
    "Redeemed",
    "TransferForced",
    "AuthorizationUsed",
    "AuthorizationCanceled",
    "Paused",
    "Unpaused",
    "EscrowAdmitted",
    "ModuleAdmitted",
    "ModuleCutOff",
    "HoldPlaced",
    "HoldExecuted",
    "TokenAdmitted",
    "DelegateSet",
    "MerchantSet",
    "AcceptanceSet",
    "CardSet",
    "PaymentOpened",
    "PaymentAuthorized",
    "PaymentCharged",
    "PaymentCaptured",
    "PaymentVoided",
    "PaymentReclaimed",
    "PaymentRefunded",
    "PaymentSkipped",
    "AuthorityUpdated",
    "EIP712DomainChanged",
    "OperationScheduled",
    "OperationExecuted",
    "OperationCanceled",
    "opened_in",
]
