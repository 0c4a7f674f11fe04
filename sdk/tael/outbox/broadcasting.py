"""Handing signed bytes to a node."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tael.chain.jsonrpc import split
from tael.errors import NodeUnavailableError
from tael.outbox.answers import is_momentary, is_revert, is_taken, words_of
from tael.rpc import exchange

if TYPE_CHECKING:
    from tael.chain import Chain
    from tael.chain.jsonrpc import Call
    from tael.outbox.flights import Flight
    from tael.rpc import RpcResponse


def broadcast(chain: Chain, flights: Sequence[Flight]) -> None:
    """Hand the newest bytes of flights to the node, once; what it does not answer is sent again.

    The lane and the watch may do so with the same flight at one moment: a node takes bytes once.
    """
    calls: list[Call] = [
        ("eth_sendRawTransaction", ["0x" + each.newest.raw.hex()]) for each in flights
    ]
    begun = 0
    for run in split(calls):
        try:
            answers = exchange(chain, run)
        except NodeUnavailableError:
            return
        for flight, answer in zip(flights[begun : begun + len(run)], answers, strict=True):
            _take_answer(flight, answer)
        begun += len(run)


def _take_answer(flight: Flight, answer: RpcResponse) -> None:
    problem = None if answer.error is None else words_of(answer)
    if problem is None or is_taken(problem) or is_momentary(answer) or is_revert(answer):
        flight.sent = problem is None or flight.sent
        return
    flight.refused = problem
    # A node may report the failure of what it has included: looked up at once.
    flight.sent_at = 0.0
