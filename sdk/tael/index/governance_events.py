"""Governance changes who may do what, no money and no holds: the index leaves its logs out."""

from __future__ import annotations

from tael import events as ev
from tael.contracts.governance import GOVERNANCE
from tael.index.handlers import ContractEvents, register

__all__ = ["GovernanceEvents"]


@register(
    GOVERNANCE,
    is_read=False,
    without_effect=(
        *(ev.OperationScheduled, ev.OperationExecuted, ev.OperationCanceled),
        *(ev.RoleGranted, ev.RoleRevoked, ev.RoleLabel, ev.RoleAdminChanged),
        *(ev.RoleGuardianChanged, ev.RoleGrantDelayChanged),
        *(ev.TargetFunctionRoleUpdated, ev.TargetAdminDelayUpdated, ev.TargetClosed),
    ),
)
class GovernanceEvents(ContractEvents):
    """Applies nothing."""
