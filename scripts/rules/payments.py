"""Who may call a verb of the escrow, when, from which state, and what each refusal is named."""

from __future__ import annotations

from dataclasses import dataclass

from scripts.rules.statuses import ALLOWED


@dataclass(frozen=True)
class Verb:
    """Who may call a function of the escrow, when, and what it refuses.

    Attributes:
        function: Its name.
        caller: Who may send it.
        when: In which span of time.
        state: From which state of the payment.
        effect: What it does.
        refusals: Errors the whole call reverts with, in the order of the checks.
        skips: In a batch, errors by which one item is left out, in the order of the checks.
    """

    function: str
    caller: str
    when: str
    state: str
    effect: str
    refusals: tuple[str, ...]
    skips: tuple[str, ...] = ()


_TERMS_REFUSED = (
    "PaymentExists",
    "AmountZero",
    "InterchangeTooHigh",
    "AuthorizeTooLate",
    "DeadlinesInvalid",
    "CardNotActive",
    "CardPaymentLimitExceeded",
    "CardDayLimitExceeded",
    "MerchantNotOfAcquirer",
    "MerchantNotActive",
    "DynamicCodeMissing",
)
_CODE_REFUSED = (
    "DynamicCodeExpired",
    "DynamicCodeAmountAbove",
    "DynamicCodeSignatureInvalid",
)
_CONSENT_REFUSED = (
    "ConsentExpired",
    "NotPermitted",
    "ConsentSignatureInvalid",
    "ConsentsTooMany",
)
_HOLD_REFUSED = (
    "TokenPaused",
    "ModuleNotAdmitted",
    "AccountNotActive",
    "InsufficientAvailable",
)
_PAY_REFUSED = (*_HOLD_REFUSED, "AccountCannotReceive")
_CAPTURE_REFUSED = (
    "PaymentUnknown",
    "CaptureTooLate",
    "CaptureRepeated",
    "CaptureTooLarge",
    "CaptureBelowFees",
)
_RELAYED = "issuer, its delegate for {verb}, or anyone with the consent of one of them"

VERBS: tuple[Verb, ...] = (
    Verb(
        "authorize",
        "issuer, or its delegate for AUTHORIZE",
        "before `authorizeBefore`",
        "unknown",
        "the amount moves from the issuer's available to its hold; the card's day limit counts it",
        (
            "TermsNotCanonical",
            "NotPermitted",
            *_TERMS_REFUSED,
            "CardSignatureInvalid",
            *_HOLD_REFUSED,
        ),
    ),
    Verb(
        "authorizeWith",
        _RELAYED.format(verb="AUTHORIZE"),
        "before `authorizeBefore`; consent and code before their own ends",
        "unknown",
        "as authorize; with a dynamic code, or for a card that is a contract account",
        (
            "TermsNotCanonical",
            *_CONSENT_REFUSED,
            *_TERMS_REFUSED,
            *_CODE_REFUSED,
            "CardSignatureInvalid",
            *_HOLD_REFUSED,
        ),
    ),
    Verb(
        "authorizeMany",
        "issuer, or its delegate for AUTHORIZE",
        "before each `authorizeBefore`",
        "each unknown",
        "as authorize for up to 200 payments between one issuer and one acquirer, with one hold; "
        "signers are ordinary keys",
        (
            "NotPermitted",
            "BatchSizeInvalid",
            "TokenNotAdmitted",
            "TermsNotCanonical",
            "TokenPaused",
            "ModuleNotAdmitted",
            "AccountNotActive",
        ),
        (*_TERMS_REFUSED, *_CODE_REFUSED, "AvailableTooLow", "CardSignatureInvalid"),
    ),
    Verb(
        "charge",
        "issuer, or its delegate for CHARGE",
        "before `authorizeBefore`",
        "unknown",
        "authorize and capture in full at once, out of available: acquirer and scheme are paid, "
        "the interchange never leaves the issuer",
        (
            "TermsNotCanonical",
            "NotPermitted",
            *_TERMS_REFUSED,
            "CardSignatureInvalid",
            *_PAY_REFUSED,
        ),
    ),
    Verb(
        "chargeWith",
        _RELAYED.format(verb="CHARGE"),
        "before `authorizeBefore`; consent and code before their own ends",
        "unknown",
        "as charge; with a dynamic code, or for a card that is a contract account",
        (
            "TermsNotCanonical",
            *_CONSENT_REFUSED,
            *_TERMS_REFUSED,
            *_CODE_REFUSED,
            "CardSignatureInvalid",
            *_PAY_REFUSED,
        ),
    ),
    Verb(
        "capture",
        "acquirer, or its delegate for CAPTURE",
        "before `captureBefore`",
        "something held",
        "out of the hold up to the new total: acquirer and scheme are paid, the interchange goes "
        "back to the issuer's available",
        ("TermsNotCanonical", "NotPermitted", *_CAPTURE_REFUSED, "ModuleNotAdmitted"),
    ),
    Verb(
        "captureMany",
        "acquirer, or its delegate for CAPTURE",
        "before each `captureBefore`",
        "each something held",
        "as capture for up to 200 payments between one issuer and one acquirer, with one payout",
        ("NotPermitted", "BatchSizeInvalid", "TermsNotCanonical", "ModuleNotAdmitted"),
        _CAPTURE_REFUSED,
    ),
    Verb(
        "void",
        "acquirer, or its delegate for VOID",
        "at any time",
        "something held",
        "the hold goes back to the issuer's available up to the new total; on the day of the "
        "payment the card's limit too",
        (
            "TermsNotCanonical",
            "NotPermitted",
            "PaymentUnknown",
            "VoidRepeated",
            "VoidTooLarge",
            "ModuleNotAdmitted",
        ),
    ),
    Verb(
        "reclaim",
        "anyone",
        "from `captureBefore` on",
        "something held",
        "as void, of everything that is left",
        (
            "TermsNotCanonical",
            "PaymentUnknown",
            "ReclaimTooEarly",
            "ReclaimEmpty",
            "ModuleNotAdmitted",
        ),
    ),
    Verb(
        "refund",
        "acquirer, or its delegate for REFUND",
        "before `refundBefore`",
        "something captured and not refunded",
        "the acquirer's available pays the issuer up to the new total, less the interchange the "
        "issuer kept; the scheme fee stays",
        (
            "TermsNotCanonical",
            "NotPermitted",
            "PaymentUnknown",
            "RefundTooLate",
            "RefundRepeated",
            "RefundTooLarge",
            "ModuleNotAdmitted",
            "AccountNotActive",
            "InsufficientAvailable",
        ),
    ),
)

DIRECTORY: tuple[Verb, ...] = (
    Verb(
        "admitToken",
        "governance, delayed",
        "at any time",
        "",
        "payments may run in a currency",
        ("AccessManagedUnauthorized", "TokenAlreadyAdmitted", "SchemeAccountMissing"),
    ),
    Verb(
        "setDelegate",
        "the participant",
        "at any time",
        "",
        "a key may use the named verbs; none takes all back",
        ("VerbsInvalid",),
    ),
    Verb(
        "setMerchant",
        "acquirer, or its delegate for MERCHANTS",
        "at any time",
        "",
        "registers a merchant, or changes its key, category or name",
        ("NotPermitted", "MerchantSignerInvalid"),
    ),
    Verb(
        "setAcceptances",
        "acquirer, or its delegate for MERCHANTS",
        "at any time",
        "",
        "opens, limits or blocks a merchant in up to 256 currencies",
        (
            "MerchantUnknown",
            "NotPermitted",
            "EntriesTooMany",
            "StatusInvalid",
            "TokenNotAdmitted",
            "ParticipantNotActive",
        ),
    ),
    Verb(
        "setCards",
        "issuer, or its delegate for CARDS",
        "at any time",
        "",
        "opens, limits or blocks up to 256 cards",
        (
            "NotPermitted",
            "EntriesTooMany",
            "CardInvalid",
            "StatusInvalid",
            "TokenNotAdmitted",
            "ParticipantNotActive",
        ),
    ),
)

MOMENTS = {
    "open": "before `authorizeBefore`",
    "held": "from `authorizeBefore`",
    "over": "from `captureBefore`",
    "closed": "from `refundBefore`",
}

_ALL = tuple(MOMENTS)


def _by_moment(*outcomes: str) -> dict[str, str]:
    return dict(zip(_ALL, outcomes, strict=True))


_EXISTS = _by_moment(*["PaymentExists"] * 4)
_NEW = _by_moment(ALLOWED, *["AuthorizeTooLate"] * 3)
_UNKNOWN = _by_moment(*["PaymentUnknown"] * 4)
_CAPTURE = _by_moment(ALLOWED, ALLOWED, "CaptureTooLate", "CaptureTooLate")
_NO_CAPTURE = _by_moment("CaptureRepeated", "CaptureRepeated", "CaptureTooLate", "CaptureTooLate")
_VOID = _by_moment(*[ALLOWED] * 4)
_NO_VOID = _by_moment(*["VoidRepeated"] * 4)
_RECLAIM = _by_moment("ReclaimTooEarly", "ReclaimTooEarly", ALLOWED, ALLOWED)
_NO_RECLAIM = _by_moment("ReclaimTooEarly", "ReclaimTooEarly", "ReclaimEmpty", "ReclaimEmpty")
_REFUND = _by_moment(ALLOWED, ALLOWED, ALLOWED, "RefundTooLate")
_NO_REFUND = _by_moment("RefundRepeated", "RefundRepeated", "RefundRepeated", "RefundTooLate")


def _transitions(
    opening: dict[str, str],
    capture: dict[str, str],
    void: dict[str, str],
    reclaim: dict[str, str],
    refund: dict[str, str],
) -> dict[str, dict[str, str]]:
    return {
        "authorize": opening,
        "charge": opening,
        "capture": capture,
        "void": void,
        "reclaim": reclaim,
        "refund": refund,
    }


TRANSITIONS: dict[str, dict[str, dict[str, str]]] = {
    "unknown": _transitions(_NEW, _UNKNOWN, _UNKNOWN, _UNKNOWN, _UNKNOWN),
    "authorized": _transitions(_EXISTS, _CAPTURE, _VOID, _RECLAIM, _NO_REFUND),
    "captured in part": _transitions(_EXISTS, _CAPTURE, _VOID, _RECLAIM, _REFUND),
    "captured": _transitions(_EXISTS, _NO_CAPTURE, _NO_VOID, _NO_RECLAIM, _REFUND),
    "voided in part": _transitions(_EXISTS, _CAPTURE, _VOID, _RECLAIM, _NO_REFUND),
    "voided or reclaimed": _transitions(_EXISTS, _NO_CAPTURE, _NO_VOID, _NO_RECLAIM, _NO_REFUND),
    "captured in part, the rest voided": _transitions(
        _EXISTS, _NO_CAPTURE, _NO_VOID, _NO_RECLAIM, _REFUND
    ),
    "charged": _transitions(_EXISTS, _NO_CAPTURE, _NO_VOID, _NO_RECLAIM, _REFUND),
    "refunded in part": _transitions(_EXISTS, _NO_CAPTURE, _NO_VOID, _NO_RECLAIM, _REFUND),
    "refunded": _transitions(_EXISTS, _NO_CAPTURE, _NO_VOID, _NO_RECLAIM, _NO_REFUND),
}
"""What each verb does in each state at each moment, asked for as much as there is.

That is: capture of all that was not voided, void of all that was not captured, refund of all that
was captured.
"""
