"""The events of Governance, and those that every governed contract has."""

from __future__ import annotations

from tael.events.declaring import event
from tael.events.event import Event


@event("address authority")
class AuthorityUpdated(Event):
    """Another AccessManager governs the contract."""

    authority: str


@event()
class EIP712DomainChanged(Event):
    """Declared by ERC-5267 and never emitted: the contracts' domain is fixed."""


# Operations


@event(
    "bytes32 indexed operationId, uint32 indexed nonce, uint48 schedule, address caller, "
    "address target, bytes data"
)
class OperationScheduled(Event):
    """A governance operation waits from now on; `schedule` is when it is ready, Unix seconds."""

    operation_id: bytes
    nonce: int
    schedule: int
    caller: str
    target: str
    data: bytes


@event("bytes32 indexed operationId, uint32 indexed nonce")
class OperationExecuted(Event):
    """A governance operation took effect."""

    operation_id: bytes
    nonce: int


@event("bytes32 indexed operationId, uint32 indexed nonce")
class OperationCanceled(Event):
    """A governance operation was cancelled."""

    operation_id: bytes
    nonce: int


# Roles and what they may do


@event("uint64 indexed roleId, address indexed account, uint32 delay, uint48 since, bool newMember")
class RoleGranted(Event):
    """Somebody has a role from `since` on, Unix seconds, or has it with another delay."""

    role_id: int
    account: str
    delay_seconds: int
    since: int
    is_new_member: bool


@event("uint64 indexed roleId, address indexed account")
class RoleRevoked(Event):
    """Somebody has a role no longer."""

    role_id: int
    account: str


@event("uint64 indexed roleId, string label")
class RoleLabel(Event):
    """A role is called this."""

    role_id: int
    label: str


@event("uint64 indexed roleId, uint64 indexed admin")
class RoleAdminChanged(Event):
    """Another role grants and revokes this one."""

    role_id: int
    admin: int


@event("uint64 indexed roleId, uint64 indexed guardian")
class RoleGuardianChanged(Event):
    """Another role cancels what this one scheduled."""

    role_id: int
    guardian: int


@event("uint64 indexed roleId, uint32 delay, uint48 since")
class RoleGrantDelayChanged(Event):
    """A role is granted after this delay from `since` on, Unix seconds."""

    role_id: int
    delay_seconds: int
    since: int


@event("address indexed target, bytes4 selector, uint64 indexed roleId")
class TargetFunctionRoleUpdated(Event):
    """A function of a contract takes another role."""

    target: str
    selector: bytes
    role_id: int


@event("address indexed target, uint32 delay, uint48 since")
class TargetAdminDelayUpdated(Event):
    """A contract's permissions change after this delay from `since` on, Unix seconds."""

    target: str
    delay_seconds: int
    since: int


@event("address indexed target, bool closed")
class TargetClosed(Event):
    """A contract's governed functions were closed to everybody, or opened again."""

    target: str
    is_closed: bool
