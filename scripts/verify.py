"""Check a deployment: every role, member, delay, guardian, function, module, cap and code hash.

Exit code 0 if the chain is as plan and manifest say, 1 if not.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from tael.client import Client
from tael.config import Settings
from tael.deployment import DeploymentPlan, verify
from tael.errors import TaelError
from tael.manifest import Manifest


def verify_with(settings: Settings) -> int:
    """Print what differs, and what is scheduled; return the exit code.

    Raises:
        TaelError: What went wrong and what to do.
    """
    chain = settings.connect()
    manifest = Manifest.load(settings.manifest_path(chain.chain_id))
    plan = DeploymentPlan.load(settings.plan) if settings.plan else None
    findings = verify(chain, manifest, plan)
    console = Console()
    if findings:
        table = Table("what", "expected", "found", title=f"{len(findings)} differences on {chain}")
        for each in findings:
            table.add_row(each.subject, each.expected, each.actual)
        console.print(table)
        return 1
    for operation in Client(chain, manifest).operations.scheduled():
        ready = datetime.fromtimestamp(operation.ready_at, UTC).isoformat()
        console.print(
            f"scheduled by {operation.caller}: {operation.verb} of {operation.target} with "
            f"0x{operation.data.hex()}, ready at {ready}",
            soft_wrap=True,
        )
    console.print(f"{chain}: {len(manifest.contracts)} contracts are as planned")
    return 0


def main() -> None:
    """Entry point of `brownie run verify`."""
    brownie: Any = importlib.import_module("brownie")
    settings = Settings.load(str(brownie.network.show_active()))
    if verify_with(replace(settings, rpc_urls=(str(brownie.web3.provider.endpoint_uri),))):
        raise SystemExit(1)


def command_line(arguments: list[str] | None = None) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Check a deployment against plan and manifest.")
    parser.add_argument("--network", default="", help="a name with TAEL_NETWORK_<NAME>_URL set")
    parser.add_argument("--plan", type=Path, help="default: the plan in the manifest")
    parser.add_argument("--manifest", type=Path, help="default: TAEL_MANIFEST")
    options = parser.parse_args(arguments)
    try:
        settings = Settings.load(options.network)
        return verify_with(
            replace(settings, plan=options.plan, manifest=options.manifest or settings.manifest)
        )
    except TaelError as error:
        print(f"verify: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    raise SystemExit(command_line())
