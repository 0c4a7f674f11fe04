"""The ledger beside the model notices what is wrong with a single log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tael.errors import LedgerError

from .actors import DESK, ISSUER

if TYPE_CHECKING:
    from collections.abc import Callable

    from .lockstep import Lockstep

Logs = list[dict[str, Any]]

SPOILT: dict[str, Callable[[Logs], Logs]] = {
    "announcement lost": lambda logs: logs[1:],
    "transfer lost": lambda logs: logs[:-1],
    "all lost": lambda logs: [],
    "doubled": lambda logs: [*logs, logs[-1]],
    "swapped": lambda logs: logs[::-1],
    "amount altered": lambda logs: [{**log, "data": "0x" + bytes(32).hex()} for log in logs],
}


@pytest.mark.parametrize("spoilt", SPOILT)
def test_state_is_refused_when_a_log_is(tael: Lockstep, spoilt: str) -> None:
    call = (DESK, tael.cny.address, "issue", ISSUER, 5, bytes(31) + b"!")
    assert tael.chain.send(*call) == tael.world.send(*call)
    assert len(tael.chain.logs) == 2
    tael.chain.logs[:] = SPOILT[spoilt](tael.chain.logs)
    with pytest.raises((LedgerError, AssertionError)):
        tael.compare()
