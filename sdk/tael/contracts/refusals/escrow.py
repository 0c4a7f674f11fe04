"""What PaymentEscrow, its directory and its delegates refuse."""

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

ESCROW: Sections = {
    "PaymentEscrow: directory": (
        Refusal(
            "NotPermitted",
            NotPermittedError,
            "The caller is neither the participant nor its delegate for this verb.",
            "Call from the participant, or have it set a delegate with the verb.",
        ),
        Refusal(
            "ParticipantNotActive",
            NotPermittedError,
            "The participant's account in this currency is not active.",
            "Have it admitted or reinstated.",
        ),
        Refusal(
            "TokenNotAdmitted",
            NotPermittedError,
            "Payments do not run in this currency.",
            "Have governance admit the token.",
        ),
        Refusal(
            "TokenAlreadyAdmitted",
            AlreadyDoneError,
            "The token is admitted already.",
            "Nothing to do.",
        ),
        Refusal(
            "SchemeAccountMissing",
            WrongStateError,
            "The scheme account has no account in this token.",
            "Admit the scheme account there first.",
        ),
        Refusal(
            "VerbsInvalid",
            TermsRefusedError,
            "The set of verbs has bits that are no verb.",
            "Sum the constants of `Verbs`.",
        ),
        Refusal(
            "MerchantUnknown",
            TermsRefusedError,
            "No such merchant is registered.",
            "Check the merchant id, or register the merchant.",
        ),
        Refusal(
            "MerchantSignerInvalid",
            TermsRefusedError,
            "A merchant needs a signing key.",
            "Give the signer's address.",
        ),
        Refusal(
            "StatusInvalid",
            TermsRefusedError,
            "An entry can be set to active or blocked only.",
            "Give one of these.",
        ),
        Refusal(
            "CardInvalid",
            TermsRefusedError,
            "The zero address cannot be a card.",
            "Give the card's address.",
        ),
        Refusal(
            "EntriesTooMany",
            LimitExceededError,
            "Too many entries in one call.",
            "Split the list.",
        ),
    ),
    "PaymentEscrow: opening a payment": (
        Refusal(
            "PaymentExists",
            AlreadyDoneError,
            "A payment with these terms was opened before.",
            "Look at its state; do not send it again.",
        ),
        Refusal(
            "AmountZero",
            TermsRefusedError,
            "A payment, issue or redemption of nothing.",
            "Give an amount of at least one minor unit.",
        ),
        Refusal(
            "TermsNotCanonical",
            TermsRefusedError,
            "Bits that must be zero are not: an encoding fault.",
            "Encode with `tael.terms`.",
        ),
        Refusal(
            "DeadlinesInvalid",
            TermsRefusedError,
            "The deadlines are out of order or too far away.",
            "Keep their order; capture within 31 days, refund within 540 days after that.",
        ),
        Refusal(
            "AuthorizeTooLate",
            WrongTimeError,
            "The time to authorize or charge is over.",
            "Make new terms and have the card sign them.",
        ),
        Refusal(
            "InterchangeTooHigh",
            LimitExceededError,
            "The interchange share is above the scheme's cap.",
            "Make new terms within `interchangeCapBps`.",
        ),
        Refusal(
            "MerchantNotOfAcquirer",
            TermsRefusedError,
            "The acquirer in the terms does not vouch for this merchant in this currency.",
            "Check acquirer, merchant and currency against the directory.",
        ),
        Refusal(
            "MerchantNotActive",
            NotPermittedError,
            "The merchant does not accept this currency at present.",
            "Ask its acquirer to open it.",
        ),
        Refusal(
            "CardNotActive",
            NotPermittedError,
            "The card is not active in this currency.",
            "Ask its issuer to open it, or use another card.",
        ),
        Refusal(
            "CardPaymentLimitExceeded",
            LimitExceededError,
            "Above the card's limit per payment.",
            "Ask for less, or have the issuer raise the limit.",
        ),
        Refusal(
            "CardDayLimitExceeded",
            LimitExceededError,
            "Above what the card may spend in one UTC day.",
            "Wait for the next day, or have the issuer raise the limit.",
        ),
        Refusal(
            "CardSignatureInvalid",
            TermsRefusedError,
            "The terms are not signed by the card they name.",
            "Have the card sign this payment id.",
        ),
        Refusal(
            "DynamicCodeMissing",
            LimitExceededError,
            "Above the merchant's static limit without the merchant's signature.",
            "Ask the merchant for a dynamic code and use the full form.",
        ),
        Refusal(
            "DynamicCodeExpired",
            WrongTimeError,
            "The merchant's dynamic code has expired.",
            "Ask the merchant for a fresh code.",
        ),
        Refusal(
            "DynamicCodeAmountAbove",
            TermsRefusedError,
            "The dynamic code asks for more than the terms say.",
            "Make terms with at least the code's amount.",
        ),
        Refusal(
            "DynamicCodeSignatureInvalid",
            TermsRefusedError,
            "The dynamic code is not signed by the merchant's key.",
            "Treat the code as forged, and ask for a fresh one.",
        ),
        Refusal(
            "ConsentExpired",
            WrongTimeError,
            "The issuer's consent is no longer valid.",
            "Ask the issuer for a new consent.",
        ),
        Refusal(
            "ConsentSignatureInvalid",
            TermsRefusedError,
            "The consent is not signed by the account it names.",
            "Ask the issuer for a new consent.",
        ),
        Refusal(
            "ConsentsTooMany",
            TermsRefusedError,
            "More than one dynamic code or consent in one payment.",
            "Give at most one of each.",
        ),
        Refusal(
            "AvailableTooLow",
            InsufficientFundsError,
            "The issuer's available amount does not reach for this payment of the batch.",
            "Fund the issuer, then authorize this payment again.",
        ),
        Refusal(
            "BatchSizeInvalid",
            TermsRefusedError,
            "A batch takes at least one payment and at most the limit.",
            "Split the batch.",
        ),
    ),
    "PaymentEscrow: capture, void, reclaim, refund": (
        Refusal(
            "PaymentUnknown",
            WrongStateError,
            "No payment with these terms was opened.",
            "Check terms and contract; authorize first.",
        ),
        Refusal(
            "CaptureTooLate",
            WrongTimeError,
            "The time to capture is over; the money can be reclaimed.",
            "Agree on a new payment.",
        ),
        Refusal(
            "CaptureRepeated",
            AlreadyDoneError,
            "This much is captured already: the total is not above what it was.",
            "Read the captured total; do not send it again.",
        ),
        Refusal(
            "CaptureTooLarge",
            LimitExceededError,
            "The total exceeds the amount less what is voided.",
            "Capture at most the limit.",
        ),
        Refusal(
            "CaptureBelowFees",
            LimitExceededError,
            "The fees on this step would exceed what it captures.",
            "Capture more at once.",
        ),
        Refusal(
            "VoidRepeated",
            AlreadyDoneError,
            "This much is voided already: the total is not above what it was.",
            "Read the voided total; do not send it again.",
        ),
        Refusal(
            "VoidTooLarge",
            LimitExceededError,
            "The total exceeds the amount less what is captured.",
            "Void at most the limit; refund what is captured.",
        ),
        Refusal(
            "ReclaimTooEarly",
            WrongTimeError,
            "The acquirer may still capture.",
            "Wait until `captureBefore`.",
        ),
        Refusal(
            "ReclaimEmpty",
            AlreadyDoneError,
            "Nothing is held for this payment any more.",
            "Nothing to do.",
        ),
        Refusal(
            "RefundTooLate",
            WrongTimeError,
            "The time to refund through the escrow is over.",
            "Return the money by a transfer.",
        ),
        Refusal(
            "RefundRepeated",
            AlreadyDoneError,
            "This much is refunded already: the total is not above what it was.",
            "Read the refunded total; do not send it again.",
        ),
        Refusal(
            "RefundTooLarge",
            LimitExceededError,
            "The total exceeds what is captured.",
            "Refund at most the captured total; void what is still held.",
        ),
    ),
}
