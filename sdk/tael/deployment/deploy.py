"""Deploying: resumable, on every chain alike, and the deployer keeps nothing.

One transaction per contract, then a single one through Governance that does the set-up (the scheme
account, the escrow and the currencies are admitted), assigns every function, role and delay, hands
over to the governance account and takes the deployer out: all of it or nothing. What is about to be
sent is written to the manifest first, signed bytes and all, so a run that broke off anywhere is
finished by the next, and no contract is deployed twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from eth_abi import encode
from eth_utils import keccak

from tael import file_lock
from tael.chain.connection import Chain
from tael.chain.sender import Sender
from tael.chain.transactions import PreparedTransaction, Receipt
from tael.contracts.artifacts import load, signature_of
from tael.deployment.plan import ESCROW, GOVERNANCE, ROLES, TOKEN, DeploymentPlan
from tael.deployment.verify import verify
from tael.errors import (
    CodeMismatchError,
    ConfigurationError,
    NetworkMismatchError,
    TransactionRefusedError,
)
from tael.manifest import ESCROW as ESCROW_KEY
from tael.manifest import GOVERNANCE as GOVERNANCE_KEY
from tael.manifest import TOKEN_PREFIX, DeployedContract, Manifest
from tael.signers import Signer

HANDOVER = "handover"
ADMIN_ROLE_ID = 0


def deploy(
    chain: Chain,
    signer: Signer,
    plan: DeploymentPlan,
    *,
    manifest_path: str | Path | None = None,
    sender: Sender | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> Manifest:
    """Deploy by a plan, or finish or confirm what a run before began.

    Args:
        chain: Where to.
        signer: Who deploys and pays; keeps no right.
        plan: What to deploy.
        manifest_path: Where the manifest is kept; None keeps it in memory, so that nothing can be
            resumed.
        sender: What sends; None makes one.
        progress: Told one line per step.

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

    Example:
        >>> manifest = deploy(chain, signer, plan, manifest_path="deployments/1337.json")
        ... # doctest: +SKIP
    """
    path = None if manifest_path is None else Path(manifest_path)
    with _alone(path):
        return _Run(chain, signer, plan, path, sender or Sender(chain), progress).finish()


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
        sender: Sender,
        progress: Callable[[str], None],
    ) -> None:
        self.chain = chain
        self.signer = signer
        self.plan = plan
        self.path = path
        self.sender = sender
        self.progress = progress
        self.manifest = self._begin()

    def finish(self) -> Manifest:
        if self.manifest.complete:
            self.manifest.check(self.chain)
            self.progress("deployed before; nothing to do")
            return self.manifest
        for key, contract, arguments in self._contracts():
            self._deploy_contract(key, contract, arguments)
        self._hand_over()
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

    def _contracts(self) -> list[tuple[str, str, Callable[[], list[Any]]]]:
        plan = self.plan
        contracts: list[tuple[str, str, Callable[[], list[Any]]]] = [
            (GOVERNANCE_KEY, GOVERNANCE, lambda: [self.signer.address])
        ]
        contracts += [
            (TOKEN_PREFIX + each.currency, TOKEN, partial(self._of_token, each.currency))
            for each in plan.currencies
        ]
        contracts.append(
            (ESCROW_KEY, ESCROW, lambda: escrow_arguments(self.manifest.governance, plan))
        )
        return contracts

    def _of_token(self, currency: str) -> list[Any]:
        return token_arguments(self.manifest.governance, self.plan, currency)

    def _deploy_contract(self, key: str, contract: str, arguments: Callable[[], list[Any]]) -> None:
        if key in self.manifest.contracts:
            self.manifest.check_code(self.chain, key)
            return
        data = creation_code(contract, arguments())
        receipt = self._send(key, None, data)
        if receipt.contract_address is None:
            raise CodeMismatchError(f"the receipt of {key} names no contract")
        code = self.chain.code(receipt.contract_address)
        if not load(contract).is_code(code):
            raise CodeMismatchError(
                f"the code at {receipt.contract_address} is not that of {contract}"
            )
        deployed = DeployedContract(
            contract=contract,
            address=receipt.contract_address,
            block_number=receipt.block_number,
            transaction_hash=receipt.transaction_hash,
            code_hash="0x" + keccak(code).hex(),
            source_hash=load(contract).source_hash,
        )
        self._save(contracts={**self.manifest.contracts, key: deployed}, pending=None)
        self.progress(f"{key}: {contract} at {deployed.address}, block {deployed.block_number}")

    def _hand_over(self) -> None:
        governance = self.chain.contract(GOVERNANCE, self.manifest.governance)
        if not self.manifest.pending:
            is_admin, _ = self.chain.call(
                governance.functions.hasRole(ADMIN_ROLE_ID, self.manifest.deployer)
            )
            if not is_admin:
                return
        calls = handover_calls(self.chain, self.manifest, self.plan)
        data = _call_data(governance.functions.multicall(calls))
        receipt = self._send(HANDOVER, self.manifest.governance, data)
        self._save(pending=None)
        self.progress(
            f"set up and handed over in block {receipt.block_number}: {len(calls)} calls in one "
            "transaction; the deployer has no role left"
        )

    def _send(self, step: str, to: str | None, data: bytes) -> Receipt:
        pending = self.manifest.pending
        if pending is not None:
            prepared = _from_record(pending)
            if pending["step"] != step or prepared.data != data:
                raise ConfigurationError(
                    f"the manifest waits for {pending['step']}, and {step} is next: it was changed "
                    "by hand, or the package was replaced half-way"
                )
            self.progress(f"{step}: looking for {prepared.transaction_hash}")
            try:
                return self.sender.broadcast(prepared)
            except TransactionRefusedError:
                # Refused for good: it is on no chain, so the step is made anew.
                self._save(pending=None)
        return self.sender.send(
            self.signer,
            to,
            data,
            reference=f"deploy-{step}".replace(":", "-"),
            before_broadcast=lambda prepared: self._save(pending=_to_record(step, prepared)),
        )

    def _save(self, **changes: Any) -> None:
        self.manifest = self.manifest.having(**changes)
        if self.path is not None:
            self.manifest.save(self.path)


def creation_code(contract: str, arguments: list[Any]) -> bytes:
    """The data of the transaction that deploys a contract.

    Args:
        contract: Solidity name.
        arguments: Of its constructor, in order.
    """
    artifact = load(contract)
    inputs = next(each["inputs"] for each in artifact.abi if each["type"] == "constructor")
    return artifact.bytecode + encode([each["type"] for each in inputs], arguments)


def token_arguments(governance: str, plan: DeploymentPlan, currency: str) -> list[Any]:
    """Arguments of a SettlementToken's constructor."""
    each = next(each for each in plan.currencies if each.currency == currency)
    return [governance, each.name, each.symbol, each.iso.numeric, each.iso.exponent]


def escrow_arguments(governance: str, plan: DeploymentPlan) -> list[Any]:
    """Arguments of PaymentEscrow's constructor."""
    return [governance, plan.scheme_account, plan.scheme_bps, plan.interchange_cap_bps]


def handover_calls(chain: Chain, manifest: Manifest, plan: DeploymentPlan) -> list[bytes]:
    """Everything Governance does between deployment and service, in order.

    Returns:
        Call data for `Governance.multicall`, sent by the deployer as the only administrator.
    """
    governance = chain.contract(GOVERNANCE, manifest.governance).functions
    escrow = chain.contract(ESCROW, manifest.escrow).functions
    calls: list[bytes] = []
    for address in manifest.tokens.values():
        token = chain.contract(TOKEN, address).functions
        calls += [
            _call_data(governance.execute(address, _call_data(token.admit(plan.scheme_account)))),
            _call_data(governance.execute(address, _call_data(token.admitEscrow(manifest.escrow)))),
            _call_data(governance.execute(manifest.escrow, _call_data(escrow.admitToken(address)))),
        ]
    targets = targets_of(manifest)
    ids = {role.name: role.id for role in ROLES}
    for role in ROLES:
        if role.id != ADMIN_ROLE_ID:
            calls.append(_call_data(governance.labelRole(role.id, role.name)))
        if role.guardian != "ADMIN":
            calls.append(_call_data(governance.setRoleGuardian(role.id, ids[role.guardian])))
        for address, contract in targets.items():
            selectors = [selector(contract, name) for name in role.functions.get(contract, ())]
            if selectors:
                calls.append(
                    _call_data(governance.setTargetFunctionRole(address, selectors, role.id))
                )
        delay = plan.execution_delay_seconds(role)
        calls += [
            _call_data(governance.grantRole(role.id, member, delay))
            for member in plan.members_of(role)
        ]
        grant_delay = plan.grant_delay_seconds_of(role)
        if grant_delay:
            calls.append(_call_data(governance.setGrantDelay(role.id, grant_delay)))
    if plan.target_admin_delay_seconds:
        calls += [
            _call_data(governance.setTargetAdminDelay(address, plan.target_admin_delay_seconds))
            for address in targets
        ]
    calls.append(_call_data(governance.renounceRole(ADMIN_ROLE_ID, manifest.deployer)))
    return calls


def targets_of(manifest: Manifest) -> dict[str, str]:
    """Every contract that Governance governs, itself included: Solidity name by address."""
    return {each.address: each.contract for each in manifest.contracts.values()}


def selector(contract: str, function: str) -> bytes:
    """The four bytes that name a function without overloads."""
    return keccak(text=signature_of(load(contract).function(function)))[:4]


def _call_data(function: Any) -> bytes:
    return bytes.fromhex(function._encode_transaction_data()[2:])


def _to_record(step: str, prepared: PreparedTransaction) -> dict[str, Any]:
    return {
        "step": step,
        "transaction_hash": prepared.transaction_hash,
        "raw": "0x" + prepared.raw.hex(),
        "sender": prepared.sender,
        "nonce": prepared.nonce,
        "to": prepared.to,
        "data": "0x" + prepared.data.hex(),
        "value": prepared.value,
        "gas": prepared.gas,
        "reference": prepared.reference,
    }


def _from_record(record: Mapping[str, Any]) -> PreparedTransaction:
    return PreparedTransaction(
        transaction_hash=record["transaction_hash"],
        raw=bytes.fromhex(record["raw"][2:]),
        sender=record["sender"],
        nonce=record["nonce"],
        to=record["to"],
        data=bytes.fromhex(record["data"][2:]),
        value=record["value"],
        gas=record["gas"],
        reference=record["reference"],
    )
