"""Every Solidity error the contracts can raise, and what it is to a caller: one row each.

`docs/errors.md` is generated from these rows, and a test compares them with the ABIs both ways.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from tael.contracts.refusals.escrow import ESCROW
from tael.contracts.refusals.governance import GOVERNANCE
from tael.contracts.refusals.refusal import Refusal, Sections
from tael.contracts.refusals.solidity import SOLIDITY
from tael.contracts.refusals.token import TOKEN

__all__ = ["ERRORS", "SECTIONS", "Refusal"]

SECTIONS: Sections = MappingProxyType({**GOVERNANCE, **TOKEN, **ESCROW, **SOLIDITY})
"""Every refusal there is, grouped for the reader of `docs/errors.md`."""

ERRORS: Mapping[str, Refusal] = MappingProxyType(
    {refusal.name: refusal for group in SECTIONS.values() for refusal in group}
)
"""The same by Solidity name."""
