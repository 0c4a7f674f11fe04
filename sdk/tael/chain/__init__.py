"""One chain: connecting, reading, sending, and telling why a contract refused."""

from tael.addresses import require_address
from tael.chain.connection import Chain, Head
from tael.chain.node import NodeState
from tael.chain.reverts import decode_revert, revert_from
from tael.chain.sender import Sender
from tael.chain.transactions import PreparedTransaction, Receipt
from tael.contracts.artifacts import Artifact, load

__all__ = [
    "Chain",
    "Head",
    "NodeState",
    "Sender",
    "Receipt",
    "PreparedTransaction",
    "Artifact",
    "load",
    "decode_revert",
    "revert_from",
    "require_address",
]
