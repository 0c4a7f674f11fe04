"""What docs/deployment.md says of plan and roles is so, and so are the tables of errors."""

import os
import re

import pytest

from tael.deployment import ROLES, DeploymentPlan
from tests.e2e.deployment.commands import ROOT, run, script
from tests.e2e.deployment.plans import DEPLOYER


def test_documented_plan_is_the_default_when_loaded(tmp_path):
    text = (ROOT / "docs" / "deployment.md").read_text()
    path = tmp_path / "plan.toml"
    path.write_text(re.search(r"```toml\n(.*?)```", text, re.DOTALL)[1])
    plan = DeploymentPlan.load(path)
    without_delays = {key: value for key, value in plan.to_dict().items() if key != "delays"}
    assert DeploymentPlan.from_dict(without_delays) == plan
    plan.require_deployable(DEPLOYER.address, is_local=False)


def test_documented_roles_are_the_roles_of_the_plan():
    text = (ROOT / "docs" / "deployment.md").read_text()
    rows = dict(re.findall(r"^\| (\d+) \| `([A-Z]+)` \|", text, re.MULTILINE))
    assert {int(number): name for number, name in rows.items()} == {
        role.id: role.name for role in ROLES
    }
    for role in ROLES:
        row = next(
            line for line in text.splitlines() if line.startswith(f"| {role.id} | `{role.name}`")
        )
        if role.has_members and role.functions:
            for names in role.functions.values():
                assert all(f"`{name}`" in row for name in names)


@pytest.mark.threat("S26")
def test_documented_errors_are_those_of_the_tables():
    done = run(*script("errors_doc.py", "--check"), cwd=ROOT, env=dict(os.environ))
    assert done.stdout == "docs/errors.md is up to date\n"
