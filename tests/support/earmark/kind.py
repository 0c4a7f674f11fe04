"""The row of Earmark in the registry."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tael.contracts.governance import GOVERNANCE
from tael.contracts.kinds import ContractKind, SetUpCall, Site
from tael.contracts.token import SETTLEMENT_TOKEN
from tael.contracts.verbs import Gas, KeyEvent, VerbRow
from tests.support.earmark.events import Earmarked, EarmarkSpent

if TYPE_CHECKING:
    from tael.contracts.calls import Contract


def _constructor(site: Site) -> tuple[object, ...]:
    return (site.addresses[GOVERNANCE.key],)


def _set_up(site: Site, own: Contract) -> tuple[SetUpCall, ...]:
    return tuple(
        SetUpCall(SETTLEMENT_TOKEN.at(token), "admitModule", (own.address,))
        for key, token in site.addresses.items()
        if SETTLEMENT_TOKEN.has_key(key)
    )


EARMARK = ContractKind(
    name="Earmark",
    key="earmark",
    number=200,
    constructor=_constructor,
    set_up=_set_up,
    verbs=(
        VerbRow(
            function="earmark",
            effect=KeyEvent((Earmarked,), ("subject", "participant"), derived="bank_reference"),
            service="earmarks.set_aside",
            command=None,
            gas=Gas(250_000),
        ),
        VerbRow(
            function="spend",
            effect=KeyEvent((EarmarkSpent,), derived=None),
            service="earmarks.spend",
            command=None,
            gas=None,
            role="REGISTRAR",
        ),
        VerbRow(function="setAuthority", effect=None, service=None, command=None, gas=None),
    ),
)
