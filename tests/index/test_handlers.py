"""Every event of every contract has a handler, or is said to have no effect: nothing in between."""

from __future__ import annotations

import pytest

from tael.contracts.kinds import ContractKind
from tael.contracts.registry import REGISTRY
from tael.events import canonical_signature
from tael.index.handlers import handlers_of, handlers_of_number


@pytest.mark.parametrize("kind", list(REGISTRY), ids=lambda kind: kind.name)
def test_every_event_is_handled_or_listed_when_compared_with_the_abi(kind: ContractKind) -> None:
    row = handlers_of(kind.name)
    told = [canonical_signature(event) for event in (*row.methods, *row.without_effect)]
    assert sorted(told) == sorted(kind.event_signatures())
    assert handlers_of_number(kind.number) is row
