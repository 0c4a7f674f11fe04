"""Deploying the contracts, and checking what was deployed."""

from tael.deployment.deploy import deploy, journal_path
from tael.deployment.plan import ROLES, CurrencyPlan, DeploymentPlan, Role
from tael.deployment.verify import Finding, verify

__all__ = [
    "deploy",
    "journal_path",
    "verify",
    "Finding",
    "DeploymentPlan",
    "CurrencyPlan",
    "Role",
    "ROLES",
]
