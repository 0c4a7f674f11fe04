"""`Chain.w3`: web3 over the chain's nodes, for users' own calls; nothing else asks through it."""

from __future__ import annotations

from typing import Any

from web3 import Web3
from web3.providers.base import JSONBaseProvider
from web3.types import RPCEndpoint, RPCResponse

from tael.chain.nodes import Nodes

__all__ = ["web3_over"]


def web3_over(nodes: Nodes) -> Web3:
    """A web3 instance that asks these nodes; it repeats nothing by itself."""
    return Web3(_NodesProvider(nodes))


class _NodesProvider(JSONBaseProvider):
    """Lets web3 ask through `Nodes`."""

    def __init__(self, nodes: Nodes) -> None:
        super().__init__()
        self._nodes = nodes

    def make_request(self, method: RPCEndpoint, params: Any) -> RPCResponse:
        """One call; see `Nodes.ask`."""
        answer: Any = self._nodes.ask(method, params or [])
        return answer  # type: ignore[no-any-return]

    def make_batch_request(
        self, requests: list[tuple[RPCEndpoint, Any]]
    ) -> list[RPCResponse] | RPCResponse:
        """Many calls; see `Nodes.ask_many`."""
        answers: Any = self._nodes.ask_many([(method, params or []) for method, params in requests])
        return answers  # type: ignore[no-any-return]
