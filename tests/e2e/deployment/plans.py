"""Who takes part in a deployment, and the plan that names them."""

import json

from tael.deployment import DeploymentPlan
from tael.devnet import signers_of
from tael.testing.nodes import MNEMONIC

DEPLOYER, OPERATOR, ADMIN, GUARDIAN, CONTROLLER, BANK, OUTSIDER = signers_of(MNEMONIC, 7)
DAY = 86_400


def production_plan(**changes):
    """Roles apart and every delay on, as it is on a real chain."""
    document = DeploymentPlan.development(OPERATOR.address).to_dict()
    document["members"] |= {
        "ADMIN": [ADMIN.address],
        "GUARDIAN": [GUARDIAN.address],
        "CONTROLLER": [CONTROLLER.address],
    }
    del document["delays"]
    for table, values in changes.items():
        document[table] = {**document.get(table, {}), **values}
    return DeploymentPlan.from_dict(document)


def write_plan(path, plan):
    document = plan.to_dict()
    lines = []
    for table in ("scheme", "members", "delays"):
        lines += [f"[{table}]", *(f"{key} = {json.dumps(v)}" for key, v in document[table].items())]
    for alpha, entry in document["currencies"].items():
        lines += [f"[currencies.{alpha}]", *(f"{k} = {json.dumps(v)}" for k, v in entry.items())]
    path.write_text("\n".join(lines) + "\n")
    return path
