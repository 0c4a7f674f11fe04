"""What is indexed: a deployment, its contracts, the blocks of its chain."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tael.contracts.kinds import ContractKind

__all__ = ["Deployed", "Header", "IndexedContract"]


class IndexedContract(NamedTuple):
    """A contract whose logs count.

    Attributes:
        number: `contracts.id`.
        kind: Its Solidity name.
        address: Checksummed.
        currency: Of a token; None of anything else.
        constants: What it says of itself and never changes, by function.
    """

    number: int
    kind: str
    address: str
    currency: str | None
    constants: Mapping[str, Any]


class Deployed(NamedTuple):
    """What the index is of.

    Attributes:
        id: `deployments.id`.
        contracts: Those whose logs count, by `contracts.id`.
    """

    id: int
    contracts: Mapping[int, IndexedContract]

    def of_kind(self, kind: ContractKind) -> list[IndexedContract]:
        """Its contracts of a kind."""
        return [each for each in self.contracts.values() if each.kind == kind.name]


class Header(NamedTuple):
    """What the index keeps of a block.

    Attributes:
        number: Its number.
        hash: 32 bytes.
        parent: 32 bytes; None if nobody asked.
        time: Unix seconds.
    """

    number: int
    hash: bytes
    parent: bytes | None
    time: int
