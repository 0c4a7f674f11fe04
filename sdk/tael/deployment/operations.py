"""Delayed calls: schedule them, see what is scheduled, execute or cancel.

A member of a role with a delay cannot call at once (`AccessManagerNotScheduled`): it schedules the
call here, everybody can see it, the guardian can cancel it, and after the delay it is executed
here, or called directly.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from eth_utils import to_checksum_address

from tael.chain.connection import Chain
from tael.chain.sender import Sender
from tael.chain.transactions import Receipt
from tael.manifest import Manifest
from tael.signers import Signer


@dataclass(frozen=True, slots=True)
class Operation:
    """A call that is announced and not made yet.

    Attributes:
        id: Operation id in Governance, 32 bytes.
        caller: Who scheduled it and alone can execute it.
        target: The contract it calls.
        data: Its call data.
        ready_at: Unix seconds; it can be executed from then on.
        expires_at: Unix seconds; no longer from then on.
    """

    id: bytes
    caller: str
    target: str
    data: bytes
    ready_at: int
    expires_at: int


def schedule(
    sender: Sender, signer: Signer, manifest: Manifest, target: str, data: bytes, *, reference: str
) -> Receipt:
    """Announce a call, to be executed as soon as the caller's delay is over.

    Raises:
        NotPermittedError: The signer may not make this call, or may make it at once.
        AlreadyDoneError: The same call is scheduled already.

    Source: AccessManager `schedule`.
    """
    governance = sender.chain.contract("Governance", manifest.governance).functions
    call = governance.schedule(to_checksum_address(target), data, 0)
    return sender.send(signer, manifest.governance, _encoded(call), reference=reference)


def execute(
    sender: Sender, signer: Signer, manifest: Manifest, target: str, data: bytes, *, reference: str
) -> Receipt:
    """Make a call that was announced, as its caller.

    Raises:
        WrongTimeError: The delay is not over, or the operation expired.
        WrongStateError: It is not scheduled.
        ContractRevertedError: Another subclass, as the target refused.

    Source: AccessManager `execute`.
    """
    governance = sender.chain.contract("Governance", manifest.governance).functions
    call = governance.execute(to_checksum_address(target), data)
    return sender.send(signer, manifest.governance, _encoded(call), reference=reference)


def cancel(
    sender: Sender, signer: Signer, manifest: Manifest, operation: Operation, *, reference: str
) -> Receipt:
    """Take back what is scheduled: its caller, an administrator, or the guardian of its role.

    Raises:
        NotPermittedError: The signer is none of these.
        WrongStateError: It is not scheduled any more.

    Source: AccessManager `cancel`.
    """
    governance = sender.chain.contract("Governance", manifest.governance).functions
    call = governance.cancel(operation.caller, operation.target, operation.data)
    return sender.send(signer, manifest.governance, _encoded(call), reference=reference)


def scheduled(chain: Chain, manifest: Manifest) -> list[Operation]:
    """Everything that is scheduled and not expired, the earliest first.

    Raises:
        NodeUnavailableError: The node did not answer properly.
    """
    governance = chain.contract("Governance", manifest.governance)
    event = governance.events.OperationScheduled()
    expiration = int(chain.call(governance.functions.expiration()))
    found: dict[bytes, Operation] = {}
    for log in chain.logs(
        [manifest.governance], topics=[event.topic], from_block=manifest.first_block
    ):
        arguments: Any = event.process_log(log)["args"]
        identifier = bytes(arguments["operationId"])
        # Zero when it was executed, cancelled or has expired.
        ready_at = int(chain.call(governance.functions.getSchedule(identifier)))
        if ready_at:
            found[identifier] = Operation(
                id=identifier,
                caller=arguments["caller"],
                target=arguments["target"],
                data=bytes(arguments["data"]),
                ready_at=ready_at,
                expires_at=ready_at + expiration,
            )
    return sorted(found.values(), key=lambda each: each.ready_at)


def _encoded(function: Any) -> bytes:
    return bytes.fromhex(function._encode_transaction_data()[2:])
