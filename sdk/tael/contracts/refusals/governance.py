"""What OpenZeppelin's AccessManager and our Governance refuse."""

from __future__ import annotations

from tael.contracts.refusals.refusal import Refusal, Sections
from tael.errors import (
    AlreadyDoneError,
    InsufficientFundsError,
    NotPermittedError,
    TermsRefusedError,
    UnknownRevertError,
    WrongStateError,
    WrongTimeError,
)

GOVERNANCE: Sections = {
    "OpenZeppelin AccessManager and AccessManaged: who may call what, after which delay": (
        Refusal(
            "AccessManagedUnauthorized",
            NotPermittedError,
            "The caller lacks the role that this function needs.",
            "Call from an account that holds the role; the deployment plan names its members.",
        ),
        Refusal(
            "AccessManagedRequiredDelay",
            NotPermittedError,
            "The caller holds the role, but must schedule the call and wait first.",
            "Schedule it through Governance, and execute it there after the delay.",
        ),
        Refusal(
            "AccessManagedInvalidAuthority",
            TermsRefusedError,
            "The new authority is an account without code.",
            "Name the address of an AccessManager contract.",
        ),
        Refusal(
            "AccessManagerUnauthorizedAccount",
            NotPermittedError,
            "The caller lacks the role that this change of governance needs.",
            "Call from an account that holds the role.",
        ),
        Refusal(
            "AccessManagerUnauthorizedCall",
            NotPermittedError,
            "The caller may not schedule or execute this call, or not so soon.",
            "Check role and delay; schedule no earlier than the delay allows.",
        ),
        Refusal(
            "AccessManagerUnauthorizedCancel",
            NotPermittedError,
            "Only its scheduler, the guardian of its role or an administrator may cancel it.",
            "Cancel from one of those accounts.",
        ),
        Refusal(
            "AccessManagerUnauthorizedConsume",
            NotPermittedError,
            "A contract tried to use up a scheduled operation that is not being executed.",
            "Execute the operation through Governance.",
        ),
        Refusal(
            "AccessManagerNotScheduled",
            WrongStateError,
            "The call needs to be scheduled first, and is not: never, or not any more.",
            "Schedule it through Governance, wait for the delay, then call again.",
        ),
        Refusal(
            "AccessManagerAlreadyScheduled",
            AlreadyDoneError,
            "The same operation is scheduled already.",
            "Wait for it, or cancel it first.",
        ),
        Refusal(
            "AccessManagerNotReady",
            WrongTimeError,
            "The delay of the scheduled operation is not over.",
            "Wait until the operation is ready, then execute it.",
        ),
        Refusal(
            "AccessManagerExpired",
            WrongTimeError,
            "The scheduled operation was not executed within a week of being ready.",
            "Schedule it again.",
        ),
        Refusal(
            "AccessManagerBadConfirmation",
            TermsRefusedError,
            "To renounce a role, the caller must name itself.",
            "Pass the address that sends the call.",
        ),
        Refusal(
            "AccessManagerInvalidInitialAdmin",
            TermsRefusedError,
            "Governance cannot begin with the zero address as administrator.",
            "Name the deployer's address.",
        ),
        Refusal(
            "AccessManagerLockedRole",
            TermsRefusedError,
            "This role is fixed by AccessManager and cannot be changed.",
            "Leave ADMIN and PUBLIC as they are.",
        ),
        Refusal(
            "AddressEmptyCode",
            TermsRefusedError,
            "The target of the operation is an account without code.",
            "Check the target's address and the chain.",
        ),
        Refusal(
            "FailedCall",
            UnknownRevertError,
            "The operation's target failed without saying why.",
            "Call the target directly to see the reason; do not repeat the operation.",
        ),
        Refusal(
            "InsufficientBalance",
            InsufficientFundsError,
            "Governance does not hold the ether that the operation would send along.",
            "Send no ether with the operation.",
        ),
        Refusal(
            "SafeCastOverflowedUintDowncast",
            TermsRefusedError,
            "A number is too large for its field.",
            "Give a smaller number.",
        ),
    ),
    "Governance": (
        Refusal(
            "LastAdmin",
            WrongStateError,
            "The last administrator cannot be removed and cannot leave.",
            "Grant ADMIN to a successor first.",
        ),
    ),
}
