"""`tael deploy` and `tael verify`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tael.cli.command import Needs, YesOption, command, group
from tael.cli.failures import ExitCode, InterruptionError, UsageError
from tael.cli.session import Session

if TYPE_CHECKING:
    from tael.deployment import DeploymentPlan
    from tael.manifest import Manifest
    from tael.signers import Signer

app = group("Deploying.")

_Plan = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Deployment plan, TOML. [TAEL_PLAN]")
]


@command(app, "deploy", needs=Needs.KEY)
def deploy(
    session: Session,
    plan: _Plan = None,
    operator: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="On a local chain, instead of a plan: holds every role. [its second account]",
        ),
    ] = None,
    yes: YesOption = False,
) -> int:
    """Deploy the contracts, or finish a deployment."""
    from tael.deployment import deploy as run

    chain, output = session.chain, session.output
    signer, chosen = _signer(session), _plan(session, plan, operator)
    path = session.settings.manifest_path(chain.chain_id)
    currencies = ", ".join(each.currency for each in chosen.currencies)
    if not chain.is_local and not _is_complete(path):
        question = f"{signer.address} deploys {currencies} on chain {chain.chain_id}. Go on?"
        if not output.confirm(question, yes=yes):
            output.note("nothing was deployed")
            return ExitCode.REFUSED
    try:
        with output.working("deploying"):
            manifest = run(
                chain,
                signer,
                chosen,
                manifest_path=path,
                wait_seconds=session.options.wait_seconds,
                finality=session.settings.finality,
                progress=output.note,
            )
    except KeyboardInterrupt:
        raise InterruptionError(
            f"Interrupted while deploying; what was signed is written down beside {path}.",
            "Run the same command again: it goes on from there, and deploys nothing twice.",
        ) from None
    document = _document(manifest, path)
    facts = [
        ("governance", manifest.governance),
        ("escrow", manifest.escrow),
        *manifest.tokens.items(),
        ("manifest", path),
    ]
    said = f"✓ deployed on chain {manifest.chain_id}"
    output.result(document, [output.styled(said, "green"), output.facts(facts)], bare=str(path))
    return ExitCode.OK


@command(app, "verify")
def verify(session: Session, plan: _Plan = None) -> int:
    """Compare what is on the chain with plan and manifest."""
    from tael.deployment import DeploymentPlan
    from tael.deployment import verify as run

    output, manifest, chain = session.output, session.manifest, session.chain
    path = plan or session.settings.plan
    wanted = None if path is None else DeploymentPlan.load(path)
    with output.working("reading roles, delays, modules and code"):
        findings = run(chain, manifest, wanted)
    document = {
        "ok": not findings,
        "chain_id": manifest.chain_id,
        "findings": [
            {"subject": each.subject, "expected": each.expected, "actual": each.actual}
            for each in findings
        ],
    }
    if findings:
        rows = [[each.subject, each.expected, each.actual] for each in findings]
        human: list[Any] = [
            output.styled(f"✗ {len(findings)} findings on chain {manifest.chain_id}", "bold red"),
            output.table(["SUBJECT", "EXPECTED", "FOUND"], rows),
        ]
    else:
        said = f"✓ chain {manifest.chain_id} is as planned: code, roles, delays, modules, caps"
        human = [output.styled(said, "green")]
    output.result(document, human, bare="ok" if not findings else f"{len(findings)} findings")
    return ExitCode.REFUSED if findings else ExitCode.OK


def _signer(session: Session) -> Signer:
    from tael import devnet

    chain = session.chain
    if session.options.key.is_named or session.settings.has_signer or not chain.is_local:
        return session.signer
    return devnet.signers_of(devnet.known_phrase(chain), 1)[0]


def _plan(session: Session, plan: Path | None, operator: str | None) -> DeploymentPlan:
    from tael import devnet
    from tael.deployment import DeploymentPlan

    if plan is not None and operator is not None:
        raise UsageError("Name a --plan or an --operator, not both.")
    path = plan or session.settings.plan
    chain = session.chain
    if operator is not None and not chain.is_local:
        raise UsageError("One operator with every role is for local chains; write a --plan.")
    if operator is None and path is not None:
        return DeploymentPlan.load(path)
    if not chain.is_local:
        raise UsageError("Name the deployment --plan.")
    if operator is None:
        operator = devnet.signers_of(devnet.known_phrase(chain), 2)[1].address
    return DeploymentPlan.development(operator)


def _is_complete(path: Path) -> bool:
    from tael.manifest import Manifest

    return path.exists() and Manifest.load(path).complete


def _document(manifest: Manifest, path: Path) -> dict[str, Any]:
    return {
        "chain_id": manifest.chain_id,
        "governance": manifest.governance,
        "escrow": manifest.escrow,
        "tokens": dict(manifest.tokens),
        "deployer": manifest.deployer,
        "complete": manifest.complete,
        "manifest": str(path),
    }
