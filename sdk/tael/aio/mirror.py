"""Makes classes whose methods are those of another one, to be awaited."""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Any

from tael.aio.pump import Pump

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from tael.aio.calls import Calls


class Mirror:
    """What the classes that `mirror` makes have in common.

    Args:
        calls: Where calls are run.
        target: Finds the object whose methods they are; called in a thread.
    """

    __slots__ = ("_calls", "_target")

    def __init__(self, calls: Calls, target: Callable[[], Any]) -> None:
        self._calls = calls
        self._target = target


def mirror(kind: type, name: str) -> type[Mirror]:
    """A class with the public methods of another one: coroutines, and asynchronous iterations.

    Args:
        kind: The other class.
        name: What to call it.
    """
    members: dict[str, Any] = {
        each: awaited(function) for each, function in public_methods(kind).items()
    }
    members |= {"__slots__": (), "__doc__": kind.__doc__, "__module__": "tael.aio"}
    return type(name, (Mirror,), members)


def public_methods(kind: type) -> dict[str, Callable[..., Any]]:
    """The functions of a class that are meant for its users."""
    return {
        name: function
        for name, function in inspect.getmembers(kind, inspect.isfunction)
        if not name.startswith("_")
    }


def is_iteration(function: Callable[..., Any]) -> bool:
    """Whether a function gives one thing after the other."""
    return str(function.__annotations__.get("return", "")).startswith("Iterator[")


def awaited(function: Callable[..., Any]) -> Callable[..., Any]:
    """A method that does what a function of the target's class does, without blocking the loop."""
    name = function.__name__
    if is_iteration(function):

        @functools.wraps(function)
        def iterate(self: Mirror, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
            self._calls.require_open()

            def make(pump: Pump[Any]) -> Iterator[Any]:
                def given(value: Any) -> Any:
                    return pump.pull(value) if hasattr(value, "__aiter__") else value

                with self._calls.under_way():
                    yield from getattr(self._target(), name)(
                        *map(given, args), **{key: given(value) for key, value in kwargs.items()}
                    )

            return Pump(make).items()

        return iterate

    @functools.wraps(function)
    async def call(self: Mirror, *args: Any, **kwargs: Any) -> Any:
        def run() -> Any:
            return getattr(self._target(), name)(*args, **kwargs)

        return await self._calls.run(run)

    return call
