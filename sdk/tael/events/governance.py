"""The events of governance: of every governed contract, and the operations of Governance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from tael.events.event import Event


@dataclass(frozen=True, slots=True)
class AuthorityUpdated(Event):
    """Another AccessManager governs the contract."""

    declaration: ClassVar[str] = "AuthorityUpdated(address authority)"
    authority: str


@dataclass(frozen=True, slots=True)
class EIP712DomainChanged(Event):
    """Declared by ERC-5267 and never emitted: the contracts' domain is fixed."""

    declaration: ClassVar[str] = "EIP712DomainChanged()"


@dataclass(frozen=True, slots=True)
class OperationScheduled(Event):
    """A governance operation waits from now on; `schedule` is when it is ready, Unix seconds."""

    declaration: ClassVar[str] = (
        "OperationScheduled(bytes32 indexed operationId, uint32 indexed nonce, uint48 schedule,"
        " address caller, address target, bytes data)"
    )
    operation_id: bytes
    nonce: int
    schedule: int
    caller: str
    target: str
    data: bytes


@dataclass(frozen=True, slots=True)
class OperationExecuted(Event):
    """A governance operation took effect."""

    declaration: ClassVar[str] = (
        "OperationExecuted(bytes32 indexed operationId, uint32 indexed nonce)"
    )
    operation_id: bytes
    nonce: int


@dataclass(frozen=True, slots=True)
class OperationCanceled(Event):
    """A governance operation was cancelled."""

    declaration: ClassVar[str] = (
        "OperationCanceled(bytes32 indexed operationId, uint32 indexed nonce)"
    )
    operation_id: bytes
    nonce: int
