"""What SettlementToken refuses."""

from __future__ import annotations

from tael.contracts.refusals.refusal import Refusal, Sections
from tael.errors import (
    AlreadyDoneError,
    InsufficientFundsError,
    LimitExceededError,
    NotPermittedError,
    TermsRefusedError,
    WrongStateError,
    WrongTimeError,
)

TOKEN: Sections = {
    "SettlementToken: accounts, holds and balances": (
        Refusal(
            "AccountNotActive",
            NotPermittedError,
            "The participant's account is not active, so it takes on no new obligation.",
            "Look at its status: admit it, or have it reinstated.",
        ),
        Refusal(
            "AccountCannotReceive",
            NotPermittedError,
            "The payee is not a participant of this currency, or its account is closed.",
            "Have the payee admitted, or choose another account.",
        ),
        Refusal(
            "AccountStatusMismatch",
            WrongStateError,
            "The account is not in the status that this step starts from.",
            "Look at its status; the step may have been taken already.",
        ),
        Refusal(
            "AccountHoldsOpen",
            WrongStateError,
            "Something is still held of this account, so it cannot be closed.",
            "Capture, void or reclaim its open payments first.",
        ),
        Refusal(
            "InsufficientAvailable",
            InsufficientFundsError,
            "The participant's available amount is too low.",
            "Fund the participant, or wait until holds are released.",
        ),
        Refusal(
            "InsufficientHold",
            InsufficientFundsError,
            "The module holds less of this participant than it is to pay or release.",
            "Reconcile the module's records with `heldFor`; do not repeat.",
        ),
        Refusal(
            "InsufficientAllowance",
            InsufficientFundsError,
            "The spender's allowance is too low.",
            "Have the owner approve more.",
        ),
        Refusal(
            "InvalidSpender",
            TermsRefusedError,
            "The zero address cannot be given an allowance.",
            "Name the spender.",
        ),
        Refusal(
            "InvalidAccount",
            TermsRefusedError,
            "The zero address cannot be an account or a module.",
            "Name the account.",
        ),
        Refusal(
            "InvalidAccountNonce",
            WrongStateError,
            "The nonce is not the account's next one.",
            "Read the current nonce and sign again.",
        ),
        Refusal(
            "PermitExpired",
            WrongTimeError,
            "The permit's deadline is over.",
            "Have a new permit signed.",
        ),
        Refusal(
            "InvalidSignature",
            TermsRefusedError,
            "The signature is not that of the account named.",
            "Sign with that account's key, for this contract and chain.",
        ),
        Refusal(
            "CallerNotPayee",
            NotPermittedError,
            "Only the payee may send this authorization.",
            "Let the payee send it, or use a transfer authorization.",
        ),
        Refusal(
            "AuthorizationConsumed",
            AlreadyDoneError,
            "This authorization was used or cancelled before.",
            "Look the transfer up by its nonce; do not send it again.",
        ),
        Refusal(
            "AuthorizationNotYetValid",
            WrongTimeError,
            "The authorization is not valid yet.",
            "Wait until after `validAfter`.",
        ),
        Refusal(
            "AuthorizationExpired",
            WrongTimeError,
            "The authorization is no longer valid and can never take effect.",
            "Have a new one signed.",
        ),
    ),
    "SettlementToken: reserve, issue, redeem, stopping, modules": (
        Refusal(
            "BankReferenceUsed",
            AlreadyDoneError,
            "An issue or redemption with this bank reference was made before.",
            "Look it up by its reference; do not send it again.",
        ),
        Refusal(
            "ReserveStale",
            WrongTimeError,
            "The attestation of the reserve has run out, or there is none.",
            "Have the reserve attested anew.",
        ),
        Refusal(
            "ReserveExceeded",
            LimitExceededError,
            "The supply would exceed the attested reserve.",
            "Issue less, or have a larger reserve attested.",
        ),
        Refusal(
            "AttestationPeriodInvalid",
            WrongTimeError,
            "An attestation must end in the future and within 35 days.",
            "Give a `validBefore` in that span of chain time.",
        ),
        Refusal(
            "AmountTooLarge",
            LimitExceededError,
            "More than the token can represent.",
            "Check the amount's unit: minor units.",
        ),
        Refusal(
            "TokenPaused",
            WrongStateError,
            "The currency is paused: no new obligations.",
            "Wait until it is unpaused; capture, void, reclaim and refund go on.",
        ),
        Refusal(
            "TokenNotPaused",
            AlreadyDoneError,
            "The currency is not paused.",
            "Nothing to do.",
        ),
        Refusal(
            "ModuleNotAdmitted",
            NotPermittedError,
            "The caller or named contract is not an admitted module of this currency.",
            "Have governance admit it.",
        ),
        Refusal(
            "ModuleAlreadyAdmitted",
            AlreadyDoneError,
            "The module is admitted already.",
            "Nothing to do.",
        ),
        Refusal(
            "NetLengthInvalid",
            TermsRefusedError,
            "Participants and changes differ in number, or there are too many or none.",
            "Split the settlement, and give one change each.",
        ),
        Refusal(
            "NetOrderInvalid",
            TermsRefusedError,
            "Participants are not in strictly ascending order.",
            "Sort by address and merge repeats.",
        ),
        Refusal(
            "NetSumNotZero",
            TermsRefusedError,
            "Debits and credits of the settlement differ.",
            "Compute the net positions again.",
        ),
    ),
}
