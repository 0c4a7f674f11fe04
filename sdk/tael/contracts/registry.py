"""Every kind of contract that this package knows.

Manifest, plan, deployment, verification, gateway, index, ledger, artifacts and tests go by this
list; a new contract is a row in a file of its own beside this one, and its name below. See
docs/extending.md.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from tael.contracts.escrow import PAYMENT_ESCROW
from tael.contracts.governance import GOVERNANCE
from tael.contracts.token import SETTLEMENT_TOKEN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tael.contracts.kinds import ContractKind
    from tael.contracts.verbs import VerbRow

__all__ = ["GENERATION", "GENERATIONS", "REGISTRY", "Registry"]

GENERATION = 1
"""Of the contracts' interfaces and signed messages. Open payments of another generation are ended
with the package that speaks it."""
GENERATIONS = {1: "0.1"}
"""Which version of the package speaks each generation."""


class Registry:
    """The kinds of contracts, in the order in which they are deployed.

    Args:
        kinds: All of them.
    """

    def __init__(self, *kinds: ContractKind) -> None:
        self._kinds: list[ContractKind] = []
        for kind in kinds:
            self._add(kind)

    def __iter__(self) -> Iterator[ContractKind]:
        return iter(self._kinds)

    @property
    def names(self) -> tuple[str, ...]:
        """Their Solidity names."""
        return tuple(kind.name for kind in self._kinds)

    def kind(self, name: str) -> ContractKind:
        """A kind by its Solidity name.

        Raises:
            KeyError: There is none of that name.
        """
        for kind in self._kinds:
            if kind.name == name:
                return kind
        raise KeyError(f"{name} is not a contract of this package; it has {', '.join(self.names)}")

    def kind_of_key(self, key: str) -> ContractKind:
        """The kind that a manifest's key stands for.

        Raises:
            KeyError: It stands for none.
        """
        for kind in self._kinds:
            if kind.has_key(key):
                return kind
        raise KeyError(f"{key} is not the key of a contract of this package")

    def verb(self, contract: str, function: str) -> VerbRow:
        """The row of a contract's function.

        Raises:
            KeyError: There is no such function, or it changes nothing.
        """
        return self.kind(contract).verb(function)

    def word(self, contract: str, word: str) -> VerbRow | None:
        """The row of a verb as the journal writes it; None if it is none of this contract's."""
        return next((row for row in self.kind(contract).verbs if row.word == word), None)

    @contextmanager
    def having(self, kind: ContractKind) -> Iterator[None]:
        """Know one more kind for a while: how a contract is tried before it is one of ours."""
        self._add(kind)
        try:
            yield
        finally:
            self._kinds.remove(kind)

    def _add(self, kind: ContractKind) -> None:
        for known in self._kinds:
            if kind.name == known.name or kind.key == known.key or kind.number == known.number:
                raise ValueError(f"{kind.name} has the name, key or number of {known.name}")
        self._kinds.append(kind)


REGISTRY = Registry(GOVERNANCE, SETTLEMENT_TOKEN, PAYMENT_ESCROW)
