"""Governance: OpenZeppelin's AccessManager, whose last administrator cannot leave."""

from __future__ import annotations

from tael.contracts.kinds import ContractKind, Site
from tael.contracts.verbs import SETS_STATE, VerbRow

__all__ = ["GOVERNANCE"]


def _constructor(site: Site) -> tuple[object, ...]:
    return (site.deployer,)


def _announced(function: str, role: str | None = "ADMINISTRATION") -> VerbRow:
    """A function of the manager itself: sent by `operations.schedule` and `execute`."""
    return VerbRow(function=function, effect=None, service=None, command=None, gas=None, role=role)


GOVERNANCE = ContractKind(
    name="Governance",
    key="governance",
    number=1,
    constructor=_constructor,
    verbs=(
        VerbRow(
            function="schedule",
            effect=SETS_STATE,
            service="operations.schedule",
            command=None,
            gas=None,
        ),
        VerbRow(
            function="execute",
            effect=SETS_STATE,
            service="operations.execute",
            command=None,
            gas=None,
        ),
        VerbRow(
            function="cancel",
            effect=SETS_STATE,
            service="operations.cancel",
            command=None,
            gas=None,
        ),
        _announced("grantRole"),
        _announced("labelRole"),
        _announced("setGrantDelay"),
        _announced("setRoleAdmin"),
        _announced("setRoleGuardian"),
        _announced("setTargetAdminDelay"),
        _announced("setTargetClosed"),
        _announced("setTargetFunctionRole"),
        _announced("updateAuthority"),
        # A guardian gone bad must not be able to keep itself in by cancelling its removal.
        _announced("revokeRole", role=None),
        _announced("renounceRole", role=None),
        # Several calls in one transaction; deployment hands over with it.
        _announced("multicall", role=None),
        # For the contracts that it governs.
        _announced("consumeScheduledOp", role=None),
    ),
)
