"""All contracts together, what they share, and governance."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, ClassVar

from ..chain import Done, Event, Outcome
from ..messages import Signers
from .values import DAY, ZERO, Refusal, require

if TYPE_CHECKING:
    from collections.abc import Callable


class World:
    """All contracts together: one clock, one sender, one list of events."""

    def __init__(self, signers: Signers) -> None:
        self.now = 0
        self.sender = ZERO
        self.signers = signers
        self.events: list[Event] = []
        self.contracts: dict[str, Contract] = {}

    def send(self, caller: str, to: str, function: str, *arguments: Any) -> Outcome:
        """What the transaction does; the state changes only if it succeeds."""
        before = self.save()
        self.sender, self.events = caller, []
        method: Callable[..., Any] = getattr(self.contracts[to], _snake(function))
        try:
            returned = method(*arguments)
        except Refusal as refusal:
            self.load(before)
            return refusal.refused
        return Done(() if returned is None else (returned,), tuple(self.events))

    def save(self) -> dict[str, dict[str, Any]]:
        return {at: contract.save() for at, contract in self.contracts.items()}

    def load(self, saved: dict[str, dict[str, Any]]) -> None:
        for at, contract in self.contracts.items():
            contract.load(saved[at])

    @property
    def today(self) -> int:
        return self.now // DAY


def _snake(name: str) -> str:
    return re.sub(r"([A-Z])", r"_\1", name).lower()


class Contract:
    """What all contracts share: an address, events, a state that can be put back."""

    STATE: ClassVar[tuple[str, ...]] = ()

    def __init__(self, world: World, address: str) -> None:
        self.world = world
        self.address = address
        world.contracts[address] = self

    def save(self) -> dict[str, Any]:
        values = {name: getattr(self, name) for name in self.STATE}
        return {
            name: value.copy() if isinstance(value, (dict, set)) else value
            for name, value in values.items()
        }

    def load(self, saved: dict[str, Any]) -> None:
        for name, value in saved.items():
            setattr(self, name, value.copy() if isinstance(value, (dict, set)) else value)

    def emit(self, name: str, *arguments: Any) -> None:
        self.world.events.append(Event(self.address, name, arguments))

    @property
    def sender(self) -> str:
        return self.world.sender


class Governance(Contract):
    """AccessManager without delays, and the rule that the last administrator stays."""

    ADMIN = 0
    STATE = ("members",)

    def __init__(self, world: World, address: str, admin: str) -> None:
        super().__init__(world, address)
        self.members: dict[tuple[int, str], bool] = {(self.ADMIN, admin): True}
        self.roles: dict[tuple[str, str], int] = {}

    @property
    def admins(self) -> int:
        return sum(role == self.ADMIN for role, _ in self.members)

    def allows(self, caller: str, target: str, function: str) -> bool:
        return (self.roles.get((target, function), self.ADMIN), caller) in self.members

    def grant_role(self, role: int, account: str, delay: int) -> None:
        self._only_admin()
        new = (role, account) not in self.members
        self.members[role, account] = True
        self.emit("RoleGranted", role, account, delay, self.world.now, new)

    def revoke_role(self, role: int, account: str) -> None:
        self._only_admin()
        self._remove(role, account)

    def renounce_role(self, role: int, confirmation: str) -> None:
        require(confirmation == self.sender, "AccessManagerBadConfirmation")
        self._remove(role, confirmation)

    def _only_admin(self) -> None:
        allowed = (self.ADMIN, self.sender) in self.members
        require(allowed, "AccessManagerUnauthorizedAccount", self.sender, self.ADMIN)

    def _remove(self, role: int, account: str) -> None:
        if (role, account) in self.members:
            del self.members[role, account]
            require(role != self.ADMIN or self.admins > 0, "LastAdmin", account)
            self.emit("RoleRevoked", role, account)


class Managed(Contract):
    """A contract with functions that governance restricts."""

    def __init__(self, world: World, address: str, governance: Governance) -> None:
        super().__init__(world, address)
        self.governance = governance

    def restricted(self, function: str) -> None:
        allowed = self.governance.allows(self.sender, self.address, function)
        require(allowed, "AccessManagedUnauthorized", self.sender)
