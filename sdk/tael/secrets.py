"""A value that must not be shown, logged, copied to disk or pickled by accident."""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn


class Secret:
    """Holds a secret so that printing, logging or pickling what contains it gives nothing away.

    It guards against accidents, not against code in the same process that wants to know.

    Args:
        value: The secret.

    Example:
        >>> Secret("hunter2")
        Secret('***')
    """

    __slots__ = ("reveal",)

    reveal: Callable[[], str]
    """Returns the secret."""

    def __init__(self, value: str) -> None:
        # A closure, so that neither `vars` nor a walk over the attributes meets the value itself.
        object.__setattr__(self, "reveal", lambda: value)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError("a secret does not change")

    def __repr__(self) -> str:
        return "Secret('***')"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is never pickled or copied")
