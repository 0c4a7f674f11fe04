"""Contract accounts, honest and not."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.contracts.chain import Contract
    from tests.contracts.keys import Key
    from tests.contracts.world import World

# In the order of `Villainy` in contracts/mocks/VillainWallet.sol.
VILLAINIES = (
    "ChangesItsMind",
    "SaysNo",
    "Reverts",
    "Answers31Bytes",
    "Answers33Bytes",
    "Answers64Bytes",
    "EatsGas",
    "DirtyMagic",
)


def owned_wallet(w: World, owner: Key) -> Contract:
    """An honest contract account of one owner."""
    return w.chain.deploy(
        w.project.OwnedWallet, owner, by=w.operator, label=f"wallet of {owner.name}"
    )


def villain_wallet(w: World, villainy: str) -> Contract:
    """A contract account that misbehaves in one way."""
    index = VILLAINIES.index(villainy)
    return w.chain.deploy(w.project.VillainWallet, index, by=w.operator, label=villainy)


def reentrant_wallet(w: World) -> Contract:
    """A contract account that calls back while its signature is checked."""
    return w.chain.deploy(w.project.ReentrantWallet, by=w.operator, label="reentrant")
