"""The two tables that say what the contracts do: docs/statuses.md and docs/payments.md.

The rows here are the single source: the documents are written from them, and tests/contracts tries
every cell on a chain. A function that is added to a contract must be added here, or a test fails.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

ALLOWED = ""
"""The cell of a call that goes through. Any other cell names the error it is refused with."""

NO_PARTY = "-"
"""The cell of a party that the call does not have."""

IMPOSSIBLE = "impossible"
"""The cell of a state that cannot be: an account with anything held cannot be closed."""

STATES = {
    "paused": "currency paused",
    "debtor_suspended": "debtor suspended",
    "debtor_closed": "debtor closed",
    "creditor_suspended": "creditor suspended",
    "creditor_closed": "creditor closed",
    "cut_off": "module cut off",
}


@dataclass(frozen=True)
class StatusRow:
    """What a function does in each state.

    Attributes:
        contract: `SettlementToken` or `PaymentEscrow`.
        function: Its name.
        debtor: Whose available or hold goes down, or whose entry it is; empty if nobody's.
        creditor: Whose available goes up; empty if nobody's.
        cells: By key of `STATES`.
        variant: Which of several rows of the function, in words.
        last: How the function's parameter types end, where several have its name.
    """

    contract: str
    function: str
    debtor: str
    creditor: str
    cells: dict[str, str]
    variant: str = ""
    last: str = ""

    @property
    def name(self) -> str:
        """The function as a reader sees it."""
        return f"{self.function} ({self.variant})" if self.variant else self.function

    @property
    def key(self) -> str:
        """What tests find the row by."""
        return f"{self.contract}.{self.name}"


def _token(
    function: str,
    debtor: str = "",
    creditor: str = "",
    *,
    variant: str = "",
    last: str = "",
    paused: str = ALLOWED,
    debtor_suspended: str = ALLOWED,
    debtor_closed: str = ALLOWED,
    creditor_suspended: str = ALLOWED,
    creditor_closed: str = ALLOWED,
    cut_off: str = NO_PARTY,
    contract: str = "SettlementToken",
) -> StatusRow:
    cells = {
        "paused": paused,
        "debtor_suspended": debtor_suspended if debtor else NO_PARTY,
        "debtor_closed": debtor_closed if debtor else NO_PARTY,
        "creditor_suspended": creditor_suspended if creditor else NO_PARTY,
        "creditor_closed": creditor_closed if creditor else NO_PARTY,
        "cut_off": cut_off,
    }
    return StatusRow(contract, function, debtor, creditor, cells, variant, last)


def _transfer(function: str, *, variant: str = "", last: str = "") -> StatusRow:
    return _token(
        function,
        "sender",
        "receiver",
        variant=variant,
        last=last,
        paused="TokenPaused",
        debtor_suspended="AccountNotActive",
        debtor_closed="AccountNotActive",
        creditor_closed="AccountCannotReceive",
    )


def _status_change(function: str, suspended: str, closed: str) -> StatusRow:
    return _token(function, "participant", debtor_suspended=suspended, debtor_closed=closed)


def _opening(function: str, *, creditor_closed: str) -> StatusRow:
    return _token(
        function,
        "issuer",
        "acquirer",
        contract="PaymentEscrow",
        paused="TokenPaused",
        debtor_suspended="AccountNotActive",
        debtor_closed="AccountNotActive",
        creditor_closed=creditor_closed,
        cut_off="ModuleNotAdmitted",
    )


def _completing(function: str, creditor: str) -> StatusRow:
    return _token(
        function,
        "issuer",
        creditor,
        contract="PaymentEscrow",
        debtor_closed=IMPOSSIBLE,
        cut_off="ModuleNotAdmitted",
    )


_VRS, _BYTES = "uint8,bytes32,bytes32", "bytes"

STATUSES: tuple[StatusRow, ...] = (
    _transfer("transfer"),
    _transfer("transferFrom"),
    _token("approve", "owner"),
    _token("permit", "owner"),
    _transfer("transferWithAuthorization", variant="v, r, s", last=_VRS),
    _transfer("transferWithAuthorization", variant="bytes", last=_BYTES),
    _transfer("receiveWithAuthorization", variant="v, r, s", last=_VRS),
    _transfer("receiveWithAuthorization", variant="bytes", last=_BYTES),
    _token("cancelAuthorization", "authorizer", variant="v, r, s", last=_VRS),
    _token("cancelAuthorization", "authorizer", variant="bytes", last=_BYTES),
    _status_change("admit", "AccountStatusMismatch", "AccountStatusMismatch"),
    _status_change("suspend", "AccountStatusMismatch", "AccountStatusMismatch"),
    _status_change("reinstate", ALLOWED, "AccountStatusMismatch"),
    _status_change("close", ALLOWED, "AccountStatusMismatch"),
    _token("forceTransfer", "from", "to", creditor_closed="AccountCannotReceive"),
    _token("attest"),
    _token(
        "issue",
        "",
        "participant",
        paused="TokenPaused",
        creditor_suspended="AccountNotActive",
        creditor_closed="AccountNotActive",
    ),
    _token(
        "redeem",
        "caller",
        paused="TokenPaused",
        debtor_suspended="AccountNotActive",
        debtor_closed="AccountNotActive",
    ),
    _token("pause", paused="TokenPaused"),
    _token("unpause"),
    _token("admitEscrow", cut_off=ALLOWED),
    _token("admitModule", cut_off=ALLOWED),
    _token("cutOffModule", cut_off="ModuleNotAdmitted"),
    _token(
        "holdFunds",
        "participant",
        paused="TokenPaused",
        debtor_suspended="AccountNotActive",
        debtor_closed="AccountNotActive",
        cut_off="ModuleNotAdmitted",
    ),
    _token("releaseHold", "participant", debtor_closed=IMPOSSIBLE, cut_off="ModuleNotAdmitted"),
    _token(
        "executeHold",
        "debtor",
        "creditor",
        debtor_closed=IMPOSSIBLE,
        cut_off="ModuleNotAdmitted",
    ),
    _token(
        "pay",
        "debtor",
        "creditor",
        paused="TokenPaused",
        debtor_suspended="AccountNotActive",
        debtor_closed="AccountNotActive",
        creditor_closed="AccountCannotReceive",
        cut_off="ModuleNotAdmitted",
    ),
    _token(
        "payBack",
        "debtor",
        "creditor",
        debtor_suspended="AccountNotActive",
        debtor_closed="AccountNotActive",
        cut_off="ModuleNotAdmitted",
    ),
    _token(
        "settleNet",
        "debtors",
        "creditors",
        variant="from available",
        paused="TokenPaused",
        debtor_suspended="AccountNotActive",
        debtor_closed="AccountNotActive",
        cut_off="ModuleNotAdmitted",
    ),
    _token(
        "settleNet",
        "debtors",
        "creditors",
        variant="from hold",
        debtor_closed=IMPOSSIBLE,
        cut_off="ModuleNotAdmitted",
    ),
    _token("setAuthority"),
    _opening("authorize", creditor_closed=ALLOWED),
    _opening("authorizeWith", creditor_closed=ALLOWED),
    _opening("authorizeMany", creditor_closed=ALLOWED),
    _opening("charge", creditor_closed="AccountCannotReceive"),
    _opening("chargeWith", creditor_closed="AccountCannotReceive"),
    _completing("capture", "acquirer"),
    _completing("captureMany", "acquirer"),
    _completing("void", ""),
    _completing("reclaim", ""),
    _token(
        "refund",
        "acquirer",
        "issuer",
        contract="PaymentEscrow",
        debtor_suspended="AccountNotActive",
        debtor_closed="AccountNotActive",
        cut_off="ModuleNotAdmitted",
    ),
    _token("setDelegate", "participant", contract="PaymentEscrow", cut_off=ALLOWED),
    _token("setMerchant", "acquirer", contract="PaymentEscrow", cut_off=ALLOWED),
    _token(
        "setAcceptances",
        "acquirer",
        variant="opening",
        contract="PaymentEscrow",
        debtor_suspended="ParticipantNotActive",
        debtor_closed="ParticipantNotActive",
        cut_off=ALLOWED,
    ),
    _token(
        "setAcceptances",
        "acquirer",
        variant="blocking",
        contract="PaymentEscrow",
        cut_off=ALLOWED,
    ),
    _token(
        "setCards",
        "issuer",
        variant="opening",
        contract="PaymentEscrow",
        debtor_suspended="ParticipantNotActive",
        debtor_closed="ParticipantNotActive",
        cut_off=ALLOWED,
    ),
    _token("setCards", "issuer", variant="blocking", contract="PaymentEscrow", cut_off=ALLOWED),
    _token("admitToken", contract="PaymentEscrow", cut_off=ALLOWED),
    _token("setAuthority", contract="PaymentEscrow", cut_off=ALLOWED),
)


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


def statuses_document() -> str:
    """Return the text of docs/statuses.md."""
    lines = [
        "# Which function does what in which state",
        "",
        "<!-- Written by scripts/tables.py; tried by tests/contracts/test_statuses.py. -->",
        "",
        "Every function that can change something, of every contract, in every state that stops "
        "something. `yes` goes",
        "through, a name is the error it is refused with, `-` means that the call has no such "
        "party. `never` cannot",
        "occur: an account of which anything is held cannot be closed. The debtor is the account "
        "that pays, or whose",
        "entry it is; the creditor is the account that is paid. For the functions of a module, "
        "`module cut off` is about",
        "the module that calls; for the escrow's verbs, about the escrow in the currency of the "
        "payment.",
        "",
        "The rule behind the table: a pause stops new obligations, a suspension stops spending, a "
        "closure stops new",
        "credits, and what is owed already is paid whatever happens.",
    ]
    for contract in ("SettlementToken", "PaymentEscrow"):
        lines += ["", f"## {contract}", ""]
        header = ["function", "debtor", "creditor", *STATES.values()]
        rows = [
            [
                f"`{row.function}`" + (f" ({row.variant})" if row.variant else ""),
                row.debtor or "-",
                row.creditor or "-",
                *(_cell(row.cells[state]) for state in STATES),
            ]
            for row in STATUSES
            if row.contract == contract
        ]
        lines += _table(header, rows)
    return "\n".join(lines) + "\n"


def payments_document() -> str:
    """Return the text of docs/payments.md."""
    lines = [
        "# Payments: who may call what, when, and what each refusal is called",
        "",
        "<!-- Written by scripts/tables.py; tried by tests/contracts/test_payments.py. -->",
        "",
        "A payment's id is the EIP-712 digest of its terms. Totals are cumulative, in minor units: "
        "a repeated capture, void",
        "or refund is refused by name and never pays twice. Every refusal carries the values it "
        "compared; the interfaces",
        "have them. All times are Unix seconds; *before* means strictly before.",
        "",
        "## Verbs",
        "",
    ]
    header = ["verb", "who may call", "when", "from which state", "effect"]
    lines += _table(
        header, [[f"`{v.function}`", v.caller, v.when, v.state, v.effect] for v in VERBS]
    )
    lines += [
        "",
        "What nobody can do: the issuer cannot take an authorized amount back before "
        "`captureBefore`; capture and reclaim",
        "are never possible at the same moment; the same terms are never opened twice.",
        "",
        "## Refusals",
        "",
        "In the order of the checks: the first that applies is the one reported. A batch reverts "
        "as a whole only for the",
        "errors in the second column; for those in the third it reports the item with "
        "`PaymentSkipped` and goes on.",
        "",
    ]
    lines += _table(
        ["verb", "the call is refused with", "an item is skipped with"],
        [[f"`{v.function}`", _names(v.refusals), _names(v.skips)] for v in VERBS],
    )
    lines += [
        "",
        "## States",
        "",
        "What each verb does when asked for as much as there is: capture of all that was not "
        "voided, void of all that was",
        "not captured, refund of all that was captured.",
        "",
    ]
    verbs = list(next(iter(TRANSITIONS.values())))
    lines += _table(
        ["payment", *(f"`{verb}`" for verb in verbs)],
        [
            [state, *(_by_time(outcomes[verb]) for verb in verbs)]
            for state, outcomes in TRANSITIONS.items()
        ],
    )
    lines += ["", "## The Directory", ""]
    lines += _table(
        ["verb", "who may call", "effect", "refused with"],
        [[f"`{v.function}`", v.caller, v.effect, _names(v.refusals)] for v in DIRECTORY],
    )
    return "\n".join(lines) + "\n"


def _cell(value: str) -> str:
    if value == ALLOWED:
        return "yes"
    if value == NO_PARTY:
        return "-"
    return "never" if value == IMPOSSIBLE else f"`{value}`"


def _names(errors: tuple[str, ...]) -> str:
    return ", ".join(f"`{error}`" for error in errors) or "-"


def _by_time(outcomes: dict[str, str]) -> str:
    parts = []
    for outcome, moments in groupby(outcomes, key=lambda moment: outcomes[moment]):
        first = next(moments)
        said = "yes" if outcome == ALLOWED else f"`{outcome}`"
        parts.append(said if first == "open" else f"{MOMENTS[first]}: {said}")
    return "; ".join(parts)


def _table(header: list[str], rows: list[list[str]]) -> list[str]:
    lines = [f"| {' | '.join(header)} |", f"| {' | '.join('---' for _ in header)} |"]
    return [*lines, *(f"| {' | '.join(row)} |" for row in rows)]


def documents(root: Path = ROOT) -> dict[Path, str]:
    """Return the text of each document by its path."""
    return {
        root / "docs" / "statuses.md": statuses_document(),
        root / "docs" / "payments.md": payments_document(),
    }


def main(arguments: list[str] | None = None) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Write docs/statuses.md and docs/payments.md.")
    parser.add_argument(
        "--check", action="store_true", help="change nothing; fail when they are out of date"
    )
    options = parser.parse_args(arguments)
    stale = [
        path
        for path, text in documents().items()
        if not path.is_file() or path.read_text(encoding="utf-8") != text
    ]
    if options.check:
        names = ", ".join(path.relative_to(ROOT).as_posix() for path in stale)
        if stale:
            print(f"out of date, run scripts/tables.py: {names}", file=sys.stderr)
        return 1 if stale else 0
    for path, text in documents().items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
