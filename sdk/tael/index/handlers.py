"""What each kind of contract's events change: each has a handler, or is listed as without effect.

A kind registers its class of handlers. An event of one of our contracts that its kind neither
handles nor lists as without effect stops the index: what it changes is not known.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

from tael.errors import IndexStateError
from tael.events.declaring import declaration_of, topic_of
from tael.index.logs import Values

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from tael.contracts.kinds import ContractKind
    from tael.events import Event
    from tael.index.entries import Entries
    from tael.index.rows import IndexedContract

__all__ = [
    "ContractEvents",
    "KindHandlers",
    "Values",
    "handlers_of",
    "handlers_of_number",
    "handles",
    "register",
]

_Handler = TypeVar("_Handler", bound="Callable[..., bytes | None]")
_Class = TypeVar("_Class", bound="type[ContractEvents]")


class ContractEvents:
    """Applies the events of one contract.

    Args:
        entries: Where what they change is booked.
        contract: Whose events.
    """

    def __init__(self, entries: Entries, contract: IndexedContract) -> None:
        self.entries = entries
        self.contract = contract


@dataclass(frozen=True)
class KindHandlers:
    """How the index takes one kind of contract.

    Args:
        kind: The kind.
        make: Applies the events of one contract of the kind.
        methods: Which of its methods handles an event.
        without_effect: The events that change neither money nor holds.
        constants: View functions without arguments that never change; asked once.
        is_read: Whether the index reads the contract's logs at all.
    """

    kind: ContractKind
    make: type[ContractEvents]
    methods: Mapping[type[Event], str]
    without_effect: frozenset[type[Event]]
    constants: tuple[str, ...] = ()
    is_read: bool = True

    @cached_property
    def by_topic(self) -> Mapping[str, tuple[type[Event], str | None]]:
        """Its events, and what handles each, by the first topic, 0x and 64 digits."""
        return {
            topic_of(event): (event, self.methods.get(event))
            for event in (*self.methods, *self.without_effect)
        }


_REGISTERED: dict[str, KindHandlers] = {}


def handles(event: type[Event]) -> Callable[[_Handler], _Handler]:
    """Mark the method that handles an event.

    It is given the log's values, and gives back None; or, each time, what is kept of the log.
    """

    def mark(method: _Handler) -> _Handler:
        method.__dict__["handled_event"] = event
        return method

    return mark


def register(
    kind: ContractKind,
    *,
    without_effect: Collection[type[Event]] = (),
    constants: Collection[str] = (),
    is_read: bool = True,
) -> Callable[[_Class], _Class]:
    """Have a class apply the events of a kind of contract; its methods say which they handle.

    Raises:
        ValueError: The kind's name or number has handlers, an event is told twice, or one with a
            handler has data whose size varies.
    """

    def add(cls: _Class) -> _Class:
        methods = {
            method.__dict__["handled_event"]: name
            for name, method in vars(cls).items()
            if "handled_event" in getattr(method, "__dict__", ())
        }
        for known in _REGISTERED.values():
            is_taken = kind.name == known.kind.name or kind.number == known.kind.number
            if is_taken and known.make.__qualname__ != cls.__qualname__:
                raise ValueError(f"{kind.name} has the name or number of {known.kind.name}")
        for event in methods:
            if event in without_effect:
                raise ValueError(f"{event.__name__} has a handler and is said to have no effect")
            if declaration_of(event).layout is None:
                raise ValueError(f"{event.__name__} cannot have a handler: its data's size varies")
        _REGISTERED[kind.name] = KindHandlers(
            kind, cls, methods, frozenset(without_effect), tuple(constants), is_read
        )
        return cls

    return add


def handlers_of(kind: str) -> KindHandlers:
    """The handlers of a kind of contract, by its Solidity name.

    Raises:
        IndexStateError: It has none.
    """
    try:
        return _REGISTERED[kind]
    except KeyError:
        raise IndexStateError(
            f"the index of this version of tael knows nothing of {kind}: install the version that "
            "fits the deployment"
        ) from None


def handlers_of_number(number: int) -> KindHandlers:
    """The handlers of a kind of contract, by the number that the index stores for it.

    Raises:
        IndexStateError: It has none.
    """
    for found in _REGISTERED.values():
        if found.kind.number == number:
            return found
    return handlers_of(f"contracts of kind {number}")
