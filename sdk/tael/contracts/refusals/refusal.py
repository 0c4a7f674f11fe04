"""What one Solidity error is to a caller."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tael.errors import ContractRevertedError


@dataclass(frozen=True, slots=True)
class Refusal:
    """What one Solidity error is to a caller.

    Attributes:
        name: Its Solidity name.
        reaction: The class it is raised as.
        meaning: What it means, one sentence.
        what_now: What the caller should do, one sentence.
    """

    name: str
    reaction: type[ContractRevertedError]
    meaning: str
    what_now: str


Sections = Mapping[str, tuple[Refusal, ...]]
"""Refusals under the headings that `docs/errors.md` gives them."""
