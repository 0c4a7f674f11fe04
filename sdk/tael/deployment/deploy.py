"""Deploying: resumable, on every chain alike, and the deployer keeps nothing.

One transaction per contract, then a single one through Governance that does the set-up (the scheme
account, the escrow and the currencies are admitted), assigns every function, role and delay, hands
over to the governance account and takes the deployer out: all of it or nothing. Each is an order of
the outbox under a reference of its own, written into a journal beside the manifest, signed bytes
and all, before it is sent: so a run that broke off anywhere is finished by the next, and no
contract is deployed twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tael import file_lock
from tael.contracts.governance import GOVERNANCE
from tael.contracts.registry import REGISTRY
from tael.deployment.plan import ROLES, DeploymentPlan
from tael.deployment.verify import verify
from tael.errors import (
    CodeMismatchError,
    ConfigurationError,
    ContractRevertedError,
    IdempotencyConflictError,
    NetworkMismatchError,
    OutcomeUnknownError,
    TransactionRefusedError,
)
from tael.hashing import keccak
from tael.journal import Journal, Order, WriteState, body_hash
from tael.manifest import DeployedContract, Manifest
from tael.outbox import Finality, Outbox
from tael.outbox.outbox import WAIT_SECONDS
from tael.services.gateway import Gateway
from tael.store import Store

if TYPE_CHECKING:
    from tael.chain import Chain, Receipt
    from tael.deployment.plan import PlannedContract
    from tael.outbox.environment import SendingStep
    from tael.signers import Signer

HANDOVER = "handover"
ADMIN_ROLE_ID = 0

_TRIES = 2


def deploy(
    chain: Chain,
    signer: Signer,
    plan: DeploymentPlan,
    *,
    manifest_path: str | Path | None = None,
    store: Store | None = None,
    wait_seconds: float = WAIT_SECONDS,
    finality: Finality | str | None = None,
    progress: Callable[[str], None] = lambda _: None,
    on_step: SendingStep | None = None,
) -> Manifest:
    """Deploy by a plan, or finish or confirm what a run before began.

    Args:
        chain: Where to.
        signer: Who deploys and pays; keeps no right.
        plan: What to deploy.
        manifest_path: Where the manifest is kept; None keeps it in memory, so that nothing can be
            resumed.
        store: The database of the journal; None is the file `journal_path` says, or memory where
            there is no path.
        wait_seconds: How long each transaction may take to be included.
        finality: When included is final; None takes what fits the chain.
        progress: Told one line per step.
        on_step: As of `Outbox`, for tests that break off there.

    Returns:
        The manifest of the finished deployment, which `verify` has found nothing against.

    Raises:
        AlreadyRunningError: Another process deploys by the same manifest now.
        ConfigurationError: The plan is not fit for this chain, differs from what was deployed, or
            what is on the chain differs from it.
        CodeMismatchError: Code at an address is not what was deployed.
        NodeUnavailableError: Run it again.
        OutcomeUnknownError: Run it again: it looks the transaction up first.
        TransactionRefusedError: The node refused a transaction, for lack of ether for example.
        StoreError: The journal took nothing; nothing was sent.

    Example:
        >>> manifest = deploy(chain, signer, plan, manifest_path="deployments/1337.json")
        ... # doctest: +SKIP
    """
    path = None if manifest_path is None else Path(manifest_path)
    with ExitStack() as stack:
        stack.enter_context(_alone(path))
        run = _Run(chain, signer, plan, path, progress)
        if run.manifest.complete:
            return run.confirm()
        if store is None:
            store = Store.temporary() if path is None else Store.open(journal_path(path))
            stack.callback(store.close)
        outbox = Outbox(
            chain,
            Journal(store, chain.chain_id, chain.genesis_hash),
            wait_seconds=wait_seconds,
            finality=Finality.parse(finality) if isinstance(finality, str) else finality,
            on_step=on_step,
        )
        stack.callback(outbox.close)
        return run.finish(outbox)


def journal_path(manifest_path: str | Path) -> Path:
    """The journal of a deployment, beside its manifest: `deployments/1337.json.sqlite`.

    Args:
        manifest_path: Where the manifest is kept.
    """
    path = Path(manifest_path)
    return path.with_name(f"{path.name}.sqlite")


@contextmanager
def _alone(path: Path | None) -> Iterator[None]:
    if path is None:
        yield
        return
    refusal = (
        f"another process deploys by {path} now: wait until it has ended and run this again, which "
        "confirms what it did or finishes it"
    )
    with file_lock.hold(path.with_name(f".{path.name}.lock"), refusal=refusal):
        yield


class _Run:
    def __init__(
        self,
        chain: Chain,
        signer: Signer,
        plan: DeploymentPlan,
        path: Path | None,
        progress: Callable[[str], None],
    ) -> None:
        self.chain = chain
        self.signer = signer
        self.plan = plan
        self.path = path
        self.progress = progress
        self.manifest = self._begin()

    def confirm(self) -> Manifest:
        self.manifest.check(self.chain)
        self.progress("deployed before; nothing to do")
        return self.manifest

    def finish(self, outbox: Outbox) -> Manifest:
        for planned in self.plan.contracts():
            self._create(outbox, planned)
        self._hand_over(outbox)
        findings = verify(self.chain, self.manifest.having(complete=True), self.plan)
        if findings:
            raise ConfigurationError(
                "what is on the chain differs from the plan: "
                + "; ".join(str(each) for each in findings)
            )
        self._save(complete=True)
        return self.manifest

    def _begin(self) -> Manifest:
        deployer = self.signer.address
        if self.path is not None and self.path.exists():
            found = Manifest.load(self.path)
            try:
                found.require_chain(self.chain)
            except NetworkMismatchError:
                # A local chain that is gone cannot be taken up again; any other must not be lost.
                if not self.chain.is_local or found.chain_id != self.chain.chain_id:
                    raise
                self.progress(f"{self.path} is of a local chain that is gone: starting afresh")
            else:
                self._require_same_plan(found)
                return found
        self.plan.require_deployable(deployer, is_local=self.chain.is_local)
        return Manifest(
            chain_id=self.chain.chain_id,
            genesis_hash=self.chain.genesis_hash,
            deployer=deployer,
            plan=self.plan.to_dict(),
        )

    def _require_same_plan(self, found: Manifest) -> None:
        if found.plan != self.plan.to_dict():
            wanted = self.plan.to_dict()
            differing = ", ".join(key for key in wanted if found.plan.get(key) != wanted[key])
            raise ConfigurationError(
                f"the plan differs from the one {self.path} was deployed by, in {differing}. Roles "
                "and delays are changed through Governance; other contracts need a manifest of "
                "their own"
            )
        if not found.complete and found.deployer != self.signer.address:
            raise ConfigurationError(
                f"{found.deployer} began this deployment and must finish it, not "
                f"{self.signer.address}"
            )

    def _create(self, outbox: Outbox, planned: PlannedContract) -> None:
        key, kind = planned.key, planned.kind
        if key in self.manifest.contracts:
            self.manifest.check_code(self.chain, key)
            return
        code = planned.creation_code(self.manifest.deployer, self.manifest.addresses_by_key)
        receipt = self._send(outbox, key, None, code)
        # The outbox derives it from who created it, with which nonce.
        address = receipt.contract_address or ""
        code = self.chain.code(address)
        if not kind.artifact.is_code(code):
            raise CodeMismatchError(f"the code at {address} is not that of {kind.name}")
        deployed = DeployedContract(
            contract=kind.name,
            address=address,
            block_number=receipt.block_number,
            transaction_hash=receipt.transaction_hash,
            code_hash="0x" + keccak(code).hex(),
            source_hash=kind.artifact.source_hash,
        )
        self._save(contracts={**self.manifest.contracts, key: deployed})
        self.progress(f"{key}: {kind.name} at {deployed.address}, block {deployed.block_number}")

    def _hand_over(self, outbox: Outbox) -> None:
        if not self._is_administrator():
            return
        governance = GOVERNANCE.at(self.manifest.governance)
        calls = handover_calls(self.manifest, self.plan)
        data = governance.function("multicall").encode(calls)
        try:
            receipt = self._send(outbox, HANDOVER, governance.address, data)
        except ContractRevertedError:
            # One of a run whose journal is lost may have come first; `verify` judges what it did.
            if self._is_administrator():
                raise
            return
        self.progress(
            f"set up and handed over in block {receipt.block_number}: {len(calls)} calls in one "
            "transaction; the deployer has no role left"
        )

    def _is_administrator(self) -> bool:
        gateway = Gateway(self.chain, self.manifest)
        role = gateway.read(gateway.governance, "hasRole", ADMIN_ROLE_ID, self.manifest.deployer)
        return bool(role[0])

    def _send(self, outbox: Outbox, step: str, to: str | None, data: bytes) -> Receipt:
        verb = "create" if to is None else "multicall"
        order = Order(
            participant=self.signer.address,
            reference=f"deploy-{step}".replace(":", "-"),
            verb=verb,
            body_hash=body_hash(verb, [to, data]),
            to=to,
            data=data,
        )
        for _ in range(_TRIES - 1):
            try:
                return self._try(outbox, step, order)
            except TransactionRefusedError:
                known = outbox.journal.find(order.participant, order.reference)
                if known is None or known.state is not WriteState.ACCEPTED:
                    raise
                # Its nonce went to another transaction for good, so nothing of it is alive.
        return self._try(outbox, step, order)

    def _try(self, outbox: Outbox, step: str, order: Order) -> Receipt:
        try:
            return outbox.send(self.signer, order)
        except IdempotencyConflictError as error:
            raise ConfigurationError(
                f"{step} was signed before with other code or arguments: finish it with the plan "
                "and the package that began it, or deploy by another manifest"
            ) from error
        except OutcomeUnknownError as error:
            raise OutcomeUnknownError(
                f"{step}: {error.transaction_hash or 'what was ordered'} is in no block yet. Run "
                "it again: it looks for this transaction first",
                transaction_hash=error.transaction_hash,
                reference=order.reference,
            ) from error

    def _save(self, **changes: Any) -> None:
        self.manifest = self.manifest.having(**changes)
        if self.path is not None:
            self.manifest.save(self.path)


def handover_calls(manifest: Manifest, plan: DeploymentPlan) -> list[bytes]:
    """Everything Governance does between deployment and service, in order.

    Returns:
        Call data for `Governance.multicall`, sent by the deployer as the only administrator.
    """

    def call(function: str, *arguments: object) -> bytes:
        return governance.function(function).encode(*arguments)

    governance, deployer = GOVERNANCE.at(manifest.governance), manifest.deployer
    calls = [
        call("execute", each.contract.address, each.data)
        for planned in plan.contracts()
        for each in planned.set_up(deployer, manifest.addresses_by_key)
    ]
    targets = [
        REGISTRY.kind(each.contract).at(each.address) for each in manifest.contracts.values()
    ]
    ids = {role.name: role.id for role in ROLES}
    for role in ROLES:
        if role.id != ADMIN_ROLE_ID:
            calls.append(call("labelRole", role.id, role.name))
        if role.guardian != "ADMIN":
            calls.append(call("setRoleGuardian", role.id, ids[role.guardian]))
        for target in targets:
            functions = role.functions.get(target.kind, ())
            selectors = [target.function(name).selector for name in functions]
            if selectors:
                calls.append(call("setTargetFunctionRole", target.address, selectors, role.id))
        delay = plan.execution_delay_seconds(role)
        calls += [call("grantRole", role.id, each, delay) for each in plan.members_of(role)]
        grant_delay = plan.grant_delay_seconds_of(role)
        if grant_delay:
            calls.append(call("setGrantDelay", role.id, grant_delay))
    if plan.target_admin_delay_seconds:
        calls += [
            call("setTargetAdminDelay", target.address, plan.target_admin_delay_seconds)
            for target in targets
        ]
    return [*calls, call("renounceRole", ADMIN_ROLE_ID, deployer)]
