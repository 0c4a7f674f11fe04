"""PaymentEscrow, with the Directory that is its base: payments, merchants, cards, delegates."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tael.contracts.governance import GOVERNANCE
from tael.contracts.kinds import ContractKind, SetUpCall, Site
from tael.contracts.token import SETTLEMENT_TOKEN
from tael.contracts.verbs import SETS_STATE, Gas, KeyEvent, VerbRow
from tael.events import (
    PaymentAuthorized,
    PaymentCaptured,
    PaymentCharged,
    PaymentReclaimed,
    PaymentRefunded,
    PaymentVoided,
)
from tael.models import Verb

if TYPE_CHECKING:
    from tael.contracts.calls import Contract

__all__ = ["PAYMENT_ESCROW"]

# The reference's hash is in the terms and not a topic: `OpenedPayments` finds it.
_OPENED = KeyEvent((PaymentAuthorized, PaymentCharged), derived=None)
_CAPTURED = KeyEvent((PaymentCaptured,), derived=None, total="captured_total_minor")
_ENTRY_GAS = 45_000


def _constructor(site: Site) -> tuple[object, ...]:
    plan = site.plan
    return (
        site.addresses[GOVERNANCE.key],
        plan.scheme_account,
        plan.scheme_bps,
        plan.interchange_cap_bps,
    )


def _set_up(site: Site, own: Contract) -> tuple[SetUpCall, ...]:
    tokens = [at for key, at in site.addresses.items() if SETTLEMENT_TOKEN.has_key(key)]
    return tuple(
        call
        for token in tokens
        for call in (
            SetUpCall(SETTLEMENT_TOKEN.at(token), "admitEscrow", (own.address,)),
            SetUpCall(own, "admitToken", (token,)),
        )
    )


PAYMENT_ESCROW = ContractKind(
    name="PaymentEscrow",
    key="escrow",
    number=3,
    domain_name="Tael Payment Escrow",
    constructor=_constructor,
    set_up=_set_up,
    verbs=(
        VerbRow(
            function="authorize",
            effect=_OPENED,
            service="payments.authorize",
            command="pay",
            gas=Gas(150_000),
            delegate=Verb.AUTHORIZE,
        ),
        VerbRow(
            function="authorizeWith",
            verb="authorize",
            effect=_OPENED,
            service="payments.authorize",
            command="pay",
            gas=Gas(260_000),
            delegate=Verb.AUTHORIZE,
        ),
        # At most 42,200 a payment was measured, with a dynamic code each.
        VerbRow(
            function="authorizeMany",
            batch=True,
            effect=_OPENED,
            service="payments.authorize_many",
            command=None,
            gas=Gas(120_000, 70_000),
            delegate=Verb.AUTHORIZE,
        ),
        VerbRow(
            function="charge",
            effect=_OPENED,
            service="payments.charge",
            command=None,
            gas=Gas(170_000),
            delegate=Verb.CHARGE,
        ),
        VerbRow(
            function="chargeWith",
            verb="charge",
            effect=_OPENED,
            service="payments.charge",
            command=None,
            gas=Gas(280_000),
            delegate=Verb.CHARGE,
        ),
        VerbRow(
            function="capture",
            effect=_CAPTURED,
            service="payments.capture",
            command="capture",
            gas=Gas(130_000),
            delegate=Verb.CAPTURE,
        ),
        # At most 35,200 a payment was measured.
        VerbRow(
            function="captureMany",
            batch=True,
            effect=_CAPTURED,
            service="payments.capture_many",
            command=None,
            gas=Gas(120_000, 45_000),
            delegate=Verb.CAPTURE,
        ),
        VerbRow(
            function="void",
            effect=KeyEvent((PaymentVoided,), derived=None, total="voided_total_minor"),
            service="payments.void",
            command="void",
            gas=Gas(100_000),
            delegate=Verb.VOID,
        ),
        VerbRow(
            function="reclaim",
            effect=KeyEvent((PaymentReclaimed,), derived=None),
            service="payments.reclaim",
            command="reclaim",
            gas=Gas(100_000),
        ),
        VerbRow(
            function="refund",
            effect=KeyEvent((PaymentRefunded,), derived=None, total="refunded_total_minor"),
            service="payments.refund",
            command="refund",
            gas=Gas(120_000),
            delegate=Verb.REFUND,
        ),
        # The Directory. New entries through a delegate took 95,600 for setMerchant, 60,600 and
        # 29,300 more a card for setCards, 61,200 and 34,000 more an acceptance.
        VerbRow(
            function="setMerchant",
            effect=SETS_STATE,
            service="directory.set_merchant",
            command="merchant add",
            gas=Gas(140_000),
            delegate=Verb.MERCHANTS,
        ),
        VerbRow(
            function="setAcceptances",
            effect=SETS_STATE,
            service="directory.accept",
            command="merchant accept",
            gas=Gas(80_000, _ENTRY_GAS),
            delegate=Verb.MERCHANTS,
        ),
        VerbRow(
            function="setCards",
            effect=SETS_STATE,
            service="directory.set_cards",
            command="card add",
            gas=Gas(80_000, _ENTRY_GAS),
            delegate=Verb.CARDS,
        ),
        VerbRow(
            function="setDelegate",
            effect=SETS_STATE,
            service="directory.set_delegate",
            command=None,
            gas=None,
        ),
        VerbRow(
            function="admitToken",
            effect=None,
            service=None,
            command=None,
            gas=None,
            role="CONTROLLER",
        ),
        # Governance alone
        VerbRow(function="setAuthority", effect=None, service=None, command=None, gas=None),
    ),
)
