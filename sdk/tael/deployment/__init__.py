"""Deploying, checking and governing the contracts."""

from tael.deployment.deploy import deploy
from tael.deployment.operations import Operation, cancel, execute, schedule, scheduled
from tael.deployment.plan import ROLES, CurrencyPlan, DeploymentPlan, Role
from tael.deployment.verify import Finding, verify

__all__ = [
    "deploy",
    "verify",
    "Finding",
    "DeploymentPlan",
    "CurrencyPlan",
    "Role",
    "ROLES",
    "Operation",
    "schedule",
    "execute",
    "cancel",
    "scheduled",
]
