"""Operations of governance that wait: schedule, execute, cancel."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tael.errors import IdempotencyConflictError
from tael.events import OperationScheduled, decode_all
from tael.models import ScheduledOperation, Written
from tael.services.intents import Intent

if TYPE_CHECKING:
    from tael.contracts.calls import Contract
    from tael.services.gateway import Gateway
    from tael.services.writer import Writer

# One reference stands for the operation from its announcement to its end: the effect is part 0.
SCHEDULE_PART = 1
CANCEL_PART = 2

EXPIRATION_SECONDS = 7 * 86_400
"""How long a ready operation stays executable.

Source: OpenZeppelin `AccessManager.expiration`.
"""


class Operations:
    """Calls that stand under a delay, in the AccessManager that governs the contracts.

    The signer schedules, waits, and executes; a guardian may cancel meanwhile. An operation is
    known by its caller, target and data, so one that is scheduled already is found again.
    """

    def __init__(self, gateway: Gateway, writer: Writer) -> None:
        self._gateway = gateway
        self._writer = writer

    def delay_seconds(self, contract: Contract, name: str) -> int:
        """How long the signer has to wait for a function; zero if it may call it, or never may."""
        immediate, delay = self._gateway.read(
            self._gateway.governance,
            "canCall",
            self._writer.identity.signer.address,
            contract.address,
            contract.function(name).selector,
        )
        return 0 if immediate else int(delay)

    def find(self, contract: Contract, name: str, *arguments: object) -> ScheduledOperation | None:
        """The signer's operation for this call, as it stands; None if it is not scheduled."""
        gateway = self._gateway
        data = contract.function(name, len(arguments)).encode(*arguments)
        operation_id = gateway.read(
            gateway.governance,
            "hashOperation",
            self._writer.identity.signer.address,
            contract.address,
            data,
        )
        # Zero when it was never scheduled, was executed or cancelled, or has expired.
        ready_at = gateway.read(gateway.governance, "getSchedule", operation_id)
        return self._scheduled(contract, name, data, ready_at, None) if ready_at else None

    def schedule(
        self, contract: Contract, name: str, *arguments: object, reference: str
    ) -> ScheduledOperation:
        """Schedule a governance operation of any of the deployment's contracts.

        Args:
            contract: The target, for example `client.contract("SettlementToken", "CNY")`.
            name: Its function.
            arguments: The function's arguments.
            reference: The operator's reference.

        Returns:
            The operation; scheduled before, it is returned as it stands.

        Source: OpenZeppelin `AccessManager.schedule`.
        """
        found = self.find(contract, name, *arguments)
        if found is not None:
            return found
        data = contract.function(name, len(arguments)).encode(*arguments)
        gateway = self._gateway
        intent = Intent("schedule", (contract.address, data))
        if (
            self._writer.recall(gateway.governance, intent, reference, part=SCHEDULE_PART)
            is not None
        ):
            raise IdempotencyConflictError(
                f"What {reference!r} scheduled was cancelled or has expired; nothing was sent. Use "
                "a new reference to schedule it again."
            )
        receipt = self._writer.write(
            gateway.governance,
            "schedule",
            contract.address,
            data,
            0,
            reference=reference,
            intent=intent,
            part=SCHEDULE_PART,
        )
        written = self._writer.written(receipt, reference)
        event = next(
            each for each in decode_all(receipt.logs) if isinstance(each, OperationScheduled)
        )
        return self._scheduled(contract, name, data, event.schedule, written)

    def execute(
        self, operation: ScheduledOperation, *, reference: str, intent: Intent | None = None
    ) -> Written:
        """Execute an operation that is ready.

        Args:
            operation: Which.
            reference: The operator's reference.
            intent: What it is to do, for a service that knows; None is the call as it is.

        Raises:
            WrongTimeError: It is not ready yet, or has expired.
            WrongStateError: It is not scheduled, or was executed or cancelled.

        Source: OpenZeppelin `AccessManager.execute`.
        """
        gateway = self._gateway
        if intent is None:
            intent = Intent("execute", (operation.target, operation.data))
        first = self._writer.recall(gateway.governance, intent, reference)
        if first is not None:
            return first
        receipt = self._writer.write(
            gateway.governance,
            "execute",
            operation.target,
            operation.data,
            reference=reference,
            intent=intent,
        )
        return self._writer.written(receipt, reference, operation.operation_id)

    def cancel(self, operation: ScheduledOperation, *, reference: str) -> Written:
        """Cancel an operation that waits. For its caller, the guardian of its role, or an admin.

        Source: OpenZeppelin `AccessManager.cancel`.
        """
        gateway = self._gateway
        receipt = self._writer.write(
            gateway.governance,
            "cancel",
            operation.caller,
            operation.target,
            operation.data,
            reference=reference,
            part=CANCEL_PART,
        )
        return self._writer.written(receipt, reference, operation.operation_id)

    def _scheduled(
        self, contract: Contract, name: str, data: bytes, ready_at: int, written: Written | None
    ) -> ScheduledOperation:
        gateway = self._gateway
        caller = self._writer.identity.signer.address
        operation_id = gateway.read(
            gateway.governance, "hashOperation", caller, contract.address, data
        )
        return ScheduledOperation(
            operation_id=operation_id,
            caller=caller,
            target=contract.address,
            data=data,
            verb=name,
            ready_at=ready_at,
            expires_at=ready_at + EXPIRATION_SECONDS,
            state="ready" if gateway.now() >= ready_at else "waiting",
            written=written,
        )
