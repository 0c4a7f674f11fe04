"""SettlementToken: a currency's balances and holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tael.contracts.governance import GOVERNANCE
from tael.contracts.kinds import ContractKind, SetUpCall, Site
from tael.contracts.verbs import SETS_STATE, Gas, KeyEvent, VerbRow
from tael.events import AuthorizationCanceled, AuthorizationUsed, Issued, Redeemed

if TYPE_CHECKING:
    from tael.contracts.calls import Contract

__all__ = ["SETTLEMENT_TOKEN"]


def _constructor(site: Site) -> tuple[object, ...]:
    each = site.of_currency()
    return (
        site.addresses[GOVERNANCE.key],
        each.name,
        each.symbol,
        each.iso.numeric,
        each.iso.exponent,
    )


def _set_up(site: Site, own: Contract) -> tuple[SetUpCall, ...]:
    return (SetUpCall(own, "admit", (site.plan.scheme_account,)),)


def _plain(function: str) -> VerbRow:
    """A function for wallets and other contracts, not for a bank's books: it has no reference."""
    return VerbRow(function=function, effect=None, service=None, command=None, gas=None)


def _governed(function: str, role: str, service: str | None, command: str | None) -> VerbRow:
    return VerbRow(
        function=function,
        effect=None if service is None else SETS_STATE,
        service=service,
        command=command,
        gas=None,
        role=role,
    )


SETTLEMENT_TOKEN = ContractKind(
    name="SettlementToken",
    key="token",
    number=2,
    is_per_currency=True,
    constructor=_constructor,
    set_up=_set_up,
    verbs=(
        _governed("admit", "REGISTRAR", "participants.admit", "participant admit"),
        VerbRow(
            function="issue",
            effect=KeyEvent((Issued,), derived="bank_reference"),
            service="balances.issue",
            command="issue",
            gas=None,
            role="ISSUANCE",
        ),
        VerbRow(
            function="redeem",
            effect=KeyEvent((Redeemed,), ("subject", "participant"), derived="bank_reference"),
            service="balances.redeem",
            command="redeem",
            gas=None,
        ),
        VerbRow(
            function="transferWithAuthorization",
            effect=KeyEvent(
                (AuthorizationUsed,), ("participant", "subject"), derived="transfer_nonce"
            ),
            service="balances.transfer",
            command="transfer",
            gas=Gas(160_000),
        ),
        VerbRow(
            function="cancelAuthorization",
            # Its key is the transfer's: that it was cancelled does not settle the reference.
            effect=KeyEvent((AuthorizationCanceled,), ("participant", "subject"), derived=None),
            service="balances.cancel_transfer",
            command=None,
            gas=None,
        ),
        _governed("attest", "ATTESTOR", "participants.attest", "attest"),
        _governed("pause", "GUARDIAN", "participants.pause", None),
        _governed("suspend", "GUARDIAN", "participants.suspend", "participant suspend"),
        _governed("cutOffModule", "GUARDIAN", None, None),
        _governed("unpause", "CONTROLLER", "participants.unpause", None),
        _governed("reinstate", "CONTROLLER", "participants.reinstate", "participant reinstate"),
        _governed("close", "CONTROLLER", "participants.close", "participant close"),
        _governed("forceTransfer", "CONTROLLER", "participants.force_transfer", None),
        _governed("admitEscrow", "CONTROLLER", None, None),
        _governed("admitModule", "CONTROLLER", None, None),
        # Modules
        _plain("holdFunds"),
        _plain("releaseHold"),
        _plain("executeHold"),
        _plain("pay"),
        _plain("payBack"),
        _plain("settleNet"),
        # ERC-20, ERC-2612, ERC-3009
        _plain("approve"),
        _plain("permit"),
        _plain("transfer"),
        _plain("transferFrom"),
        _plain("receiveWithAuthorization"),
        # Governance alone
        _plain("setAuthority"),
    ),
)
