"""Deployments that end like a killed process: no clean-up, nothing said to anybody."""

import multiprocessing
import os

from tael.chain import Chain
from tael.deployment import DeploymentPlan, deploy
from tael.manifest import Manifest
from tests.e2e.deployment.plans import DEPLOYER

STEPS = ("asked", "checked", "journaled", "sent", "included", "recorded")
SAVING = "saving"
"""Before the manifest is written, when the journal knows already."""

# Forked from a server without threads, which has imported everything once.
_server = multiprocessing.get_context("forkserver")
_server.set_forkserver_preload([__name__, "tael.store.migrate"])


def killed(url, path, plan, step, number):
    """Deploy in a process of its own that is gone when it comes to a step for the n-th time."""
    arguments = (url, str(path), plan.to_dict(), step, number)
    process = _server.Process(target=_deploy_until, args=arguments)
    process.start()
    process.join(60)
    assert process.exitcode == 9, "it was to be killed there"


def _deploy_until(url, path, plan, step, number):
    seen = dict.fromkeys((*STEPS, SAVING), 0)

    def die(name, _count=1):
        seen[name] += 1
        if (name, seen[name]) == (step, number):
            os._exit(9)

    save = Manifest.save

    def save_unless_killed(self, file):
        die(SAVING)
        save(self, file)

    Manifest.save = save_unless_killed
    deploy(
        Chain.connect(url),
        DEPLOYER,
        DeploymentPlan.from_dict(plan),
        manifest_path=path,
        on_step=die,
    )
