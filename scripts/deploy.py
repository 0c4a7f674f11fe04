"""Deploy the contracts, or finish or confirm a deployment.

`python scripts/deploy.py --network sepolia` takes the network's settings from the environment or
`.env`; `brownie run deploy --network NAME` does the same on the node brownie is connected to. The
work is done by `tael.deployment`, on the bytecode that ships in the package.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from tael import devnet
from tael.chain import Chain
from tael.config import Settings
from tael.deployment import DeploymentPlan, deploy
from tael.errors import ConfigurationError, TaelError
from tael.manifest import Manifest
from tael.signers import Signer


def deploy_with(settings: Settings) -> Manifest:
    """Deploy as the settings say; on a local chain a development plan and its accounts will do.

    Raises:
        TaelError: What went wrong and what to do.
    """
    chain = settings.connect()
    print(f"{chain}, {chain.client_version}")
    signer, plan = _who_and_what(settings, chain)
    path = settings.manifest_path(chain.chain_id)
    manifest = deploy(
        chain, signer, plan, manifest_path=path, finality=settings.finality, progress=print
    )
    print(f"manifest: {path}")
    return manifest


def _who_and_what(settings: Settings, chain: Chain) -> tuple[Signer, DeploymentPlan]:
    if chain.is_local and not (settings.has_signer and settings.plan):
        # As `tael devnet` does it: the first account deploys, the second is the operator.
        signers = devnet.signers_of(devnet.known_phrase(chain), 2)
        signer: Signer = settings.signer() if settings.has_signer else signers[0]
        plan = (
            DeploymentPlan.load(settings.plan)
            if settings.plan
            else DeploymentPlan.development(signers[1].address)
        )
        return signer, plan
    if settings.plan is None:
        raise ConfigurationError("set TAEL_PLAN to the deployment plan; see docs/deployment.md")
    return settings.signer(), DeploymentPlan.load(settings.plan)


def main() -> None:
    """Entry point of `brownie run deploy`."""
    brownie: Any = importlib.import_module("brownie")
    settings = Settings.load(str(brownie.network.show_active()))
    # Brownie's own connection wins, so that what is shown as active is what is deployed to.
    deploy_with(replace(settings, rpc_urls=(str(brownie.web3.provider.endpoint_uri),)))


def command_line(arguments: list[str] | None = None) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Deploy, or finish or confirm a deployment.")
    parser.add_argument("--network", default="", help="a name with TAEL_NETWORK_<NAME>_URL set")
    parser.add_argument("--plan", type=Path, help="deployment plan (TOML); default: TAEL_PLAN")
    parser.add_argument("--manifest", type=Path, help="default: TAEL_MANIFEST")
    options = parser.parse_args(arguments)
    try:
        settings = Settings.load(options.network)
        deploy_with(
            replace(
                settings,
                plan=options.plan or settings.plan,
                manifest=options.manifest or settings.manifest,
            )
        )
    except TaelError as error:
        print(f"deploy: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(command_line())
