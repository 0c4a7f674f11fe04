"""Which function does what in which state of currency, account and module."""

from __future__ import annotations

from dataclasses import dataclass

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
